"""`flowspec review`: its formats and exit codes."""

import json
import re

import pytest

from tests.review.conftest import repo, spec  # noqa: F401 - a fixture


@pytest.fixture
def base(repo):  # noqa: F811
    """A commit; the next one changes the release of a flow that lives on."""
    base = repo.commit({"jobs/a.yaml": spec()})
    repo.commit({"jobs/a.yaml": spec().replace("7.1.0", "7.5.0")})
    return base


def test_text_and_exit_codes(flowspec, base):
    done = flowspec("review", "--base", base)
    assert (done.code, done.out.splitlines()[0]) == (0, "jobs/a.yaml; replaces a running cluster")
    assert flowspec("review", "--base", base, "--exit-code").code == 3
    assert flowspec("review", "--base", "HEAD", "--exit-code").code == 0
    assert flowspec("review", "--base", "nowhere").code == 2
    assert flowspec("review", "nowhere", "--base", base).code == 2


def test_a_broken_spec_is_exit_code_2(flowspec, repo, base):  # noqa: F811
    repo.commit({"jobs/b.yaml": "flowspec: v1\n"})
    assert flowspec("review", "--base", base).code == 2


def test_json(flowspec, base):
    shown = json.loads(flowspec("review", "--base", base, "--format", "json").out)
    (flow,) = shown["flows"]
    assert (shown["version"], shown["base"], flow["status"], flow["replaces"]) == (1, base, "changed", True)
    assert flow["changes"][0] == {
        "action": "-/+",
        "address": "release_label",
        "before": "emr-7.1.0",
        "after": "emr-7.5.0",
        "reason": "only a new cluster has it",
        "file": "jobs/a.yaml",
        "line": 8,
    }


def test_annotations_are_at_the_lines_that_replace(flowspec, base):
    out = flowspec("review", "--base", base, "--format", "github").out
    assert re.match(r"::warning file=jobs/a\.yaml,line=8,col=16,.*title=FS502::release_label changes", out)


def test_sarif_has_the_page_of_each_rule(flowspec, base):
    log = json.loads(flowspec("review", "--base", base, "--format", "sarif").out)
    (run,) = log["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["FS502"]
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "jobs/a.yaml"


LOCAL = "flowspec: v1\nname: b\nbackend: local\nsteps: [{name: a, type: command, args: ['true']}]\n"


def test_a_live_plan_follows(flowspec, base, repo, own_home):  # noqa: F811
    repo.commit({"jobs/b.yaml": LOCAL})
    done = flowspec("review", "--base", "HEAD~1", "--live")
    assert "Plan: 1 to create, 1 step to submit." in done.out


def test_the_name_of_a_spec_forges_no_line(flowspec, base, repo, own_home):  # noqa: F811
    repo.commit({"jobs/b\nforged.yaml": spec("b")})
    done = flowspec("review", "--base", "HEAD~1", "--live")
    assert "jobs/b\\nforged.yaml: no live plan: " in done.err


@pytest.mark.parametrize("format_", ["json", "sarif"])
def test_a_document_is_followed_by_nothing(flowspec, base, repo, own_home, monkeypatch, format_):  # noqa: F811
    """Below the top of the repository, too, where the paths of the review do not lead to its specs."""
    repo.commit({"jobs/b.yaml": LOCAL})
    monkeypatch.chdir(repo.root / "jobs")
    done = flowspec("review", "--base", "HEAD~1", "--live", "--format", format_)
    json.loads(done.out)
    assert "Plan: 1 to create, 1 step to submit." in done.err
