<<<<<<< HEAD
"""The guides in examples/ teach what is true: every command in them is run, and prints what the guide shows."""

import pytest

from tests.guides import ROOT, commands, run

PAGES = sorted((ROOT / "examples").glob("*/README.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_commands_of_a_guide_print_what_it_shows(page, tmp_path):
    assert commands(page), f"{page} has no ```console block"
    run(page, tmp_path)


def test_a_guide_that_shows_another_output_is_found(tmp_path):
    page = tmp_path / "guide" / "README.md"
    page.parent.mkdir()
    page.write_text("```console\n$ echo one; echo two \\\n  three\none\n...\n$ echo four\n5\n```\n")
    with pytest.raises(AssertionError, match="echo four"):
        run(page, tmp_path / "copy")
=======
"""The guides of examples/ say what is true: their commands are run, and print what stands there but for the times."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GUIDES = sorted(ROOT.glob("examples/*/README.md"))


@pytest.fixture
def checkout(tmp_path):
    """A copy of the examples and schemas, and a PATH with `flowspec` and `pytest` of this Python, without plugins of the user's."""
    ignored = shutil.ignore_patterns("__pycache__", "counts.tmp")
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=ignored)
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas", ignore=ignored)
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '-p no:xdist -p no:cacheprovider'\n")
    (tmp_path / "bin").mkdir()
    for name, plugin in (("flowspec", ""), ("pytest", "-p flowspec.testing.fixture ")):
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {name} {plugin}"$@"\n')
        program.chmod(0o755)
    return tmp_path


def commands(page):
    """Each command of a guide's console blocks, with the output that stands below it."""
    for block in re.findall(r"^```console\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def shown(output):
    """The output without times, its cases in the order of their names: they end in any."""
    text = re.sub(r"\d+\.\d s\b", "T s", output)
    head, *rest = re.split(r"^(?=passed |failed |updated |invalid )", text, flags=re.MULTILINE)
    summary = re.search(r"^\d+ cases?: .*\n", text, re.MULTILINE)
    blocks = sorted(re.sub(r"^\d+ cases?: .*\n", "", one, flags=re.MULTILINE) for one in rest)
    return head if not rest else "".join([head, *blocks]) + (summary[0] if summary else "")


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.parent.name)
def test_the_commands_of_a_guide_print_what_stands_there(guide, checkout):
    page = guide.read_text()
    environ = {**os.environ, "PATH": f"{checkout}/bin{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    ran = 0
    for command, output in commands(page):
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=checkout / "examples" / guide.parent.name,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert shown(done.stdout) == shown(output), command
        ran += 1
    assert ran


def test_the_python_of_the_guide_runs(checkout):
    code = re.search(r"```python\n(.*?)```", (ROOT / "examples/testing/README.md").read_text(), re.DOTALL)[1]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=checkout / "examples/testing",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "../wordcount/tests/laptop passed\n"


def test_the_case_in_the_guide_is_the_examples():
    page = (ROOT / "examples/testing/README.md").read_text()
    assert (
        re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1]
        == (ROOT / "examples/wordcount/tests/stories/case.yaml").read_text()
    )


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.parent.name)
def test_the_links_of_a_guide_lead_somewhere(guide):
    for target in re.findall(r"\]\(([^)#:]+)\)", guide.read_text()):
        assert (guide.parent / target).exists(), target
>>>>>>> s2-try
