"""The README says what is true: its commands exist, and CI runs the two that matter as they stand."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from flowspec import compile, load, render, validate
from flowspec.cli import COMMANDS, root
from flowspec.cli.exits import Exit

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_two_commands_stand_there_and_ci_takes_them_from_there():
    assert re.findall(r"^python3 -m venv .*$", README, re.MULTILINE) == [
        "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/flowspec apply examples/wordcount/job.yaml",
        "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/pytest -q",
    ]
    assert "grep '^python3 -m venv .venv && ' README.md" in (ROOT / ".ci/run").read_text()


def test_every_command_is_in_the_readme():
    described = set(re.findall(r"^\| `flowspec (\w+)", README, re.MULTILINE))
    assert described == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_an_example(name):
    shown = CliRunner().invoke(root, [name, "--help"])
    assert shown.exit_code == 0
    assert f"Example: flowspec {name} " in shown.output


def test_every_exit_code_that_is_returned_is_in_the_readme():
    codes = [int(cell) for cell in re.search(r"^\| 0 \|.*$", README, re.MULTILINE)[0].strip("| ").split(" | ")]
    assert codes == [int(code) for code in Exit]


@pytest.fixture
def flow(tmp_path):
    """The job flow of the README's spec, which is valid."""
    (tmp_path / "job.yaml").write_text(re.search(r"```yaml\n(.*?)```", README, re.DOTALL)[1])
    for name in ("mapper.py", "reducer.py"):
        (tmp_path / name).write_text("#!/bin/sh\ncat\n")
    return validate(render(load(tmp_path / "job.yaml")))


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text()):
        assert (ROOT / target).exists(), target


def test_the_request_in_the_readme_is_what_the_spec_becomes(flow):
    flow = replace(flow, staging="s3://acme-flows/staging/")
    request = re.sub("[0-9a-f]{64}", "be2b…748c", json.dumps(compile(flow).params))
    assert json.loads(request) == json.loads(re.search(r"```json\n(.*?)```", README, re.DOTALL)[1])


def test_the_readme_leads_to_every_guide():
    guides = {str(page.relative_to(ROOT)) for page in (ROOT / "examples").glob("*/README.md")}
    assert guides == set(re.findall(r"\]\((examples/[^)]*README\.md)\)", README))
