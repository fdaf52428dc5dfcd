"""`flowspec plan -o FILE` and `flowspec apply FILE`: exactly what was planned, or exit code 9."""

import json

import pytest

STEP = "  - {name: one, type: command, args: ['true']}"
MORE = STEP + "\n  - {name: two, type: command, args: ['true']}"


@pytest.fixture
def saved(flowspec, job, tmp_path):
    """A plan file of one more step for a cluster that lives on."""
    job(STEP, keep_alive="true")
    assert flowspec("apply", "job.yaml").code == 0
    job(MORE, keep_alive="true")
    assert flowspec("plan", "job.yaml", "-o", "plan.json", "--exit-code").code == 3
    yield tmp_path / "plan.json"
    flowspec("destroy", "job.yaml")


def test_a_saved_plan_is_carried_out_once(flowspec, saved):
    done = flowspec("apply", saved)
    assert done.code == 0, done.err
    assert "two: COMPLETED" in done.err
    assert "one: RUNNING" not in done.err
    again = flowspec("apply", saved)
    assert again.code == 9
    assert "the cluster has changed" in again.err


def test_an_edited_file(flowspec, saved):
    saved.write_text(saved.read_text().replace("two", "six"))
    refused = flowspec("apply", saved)
    assert (refused.code, "changed or cut short" in refused.err) == (9, True)


def test_another_spec(flowspec, saved, job):
    job(MORE.replace("two", "three"), keep_alive="true")
    refused = flowspec("apply", saved)
    assert (refused.code, "the spec, a variable or a local file" in refused.err) == (9, True)


def test_a_cluster_that_has_ended(flowspec, saved):
    flowspec("destroy", "job.yaml")
    refused = flowspec("apply", saved)
    assert refused.code == 9
    assert "the flow's cluster was j-" in refused.err
    assert "and is none" in refused.err


def test_another_local_file(flowspec, job, tmp_path):
    (tmp_path / "run.sh").write_text("#!/bin/sh\nexit 0\n")
    job("  - {name: one, type: script, script: run.sh}")
    assert flowspec("plan", "job.yaml", "-o", "plan.json").code == 0
    (tmp_path / "run.sh").write_text("#!/bin/sh\nexit 1\n")
    refused = flowspec("apply", "plan.json")
    assert (refused.code, "a local file gives another request" in refused.err) == (9, True)


def test_no_secret_is_in_the_file_and_it_is_given_again(flowspec, job, tmp_path):
    job(
        "  - {name: one, type: command, args: [test, '{{ word }}', '=', hunter22]}",
        "variables: {word: {type: string, sensitive: true}}",
    )
    assert flowspec("plan", "job.yaml", "--var", "word=hunter22x", "-o", "plan.json").code == 0
    assert "hunter22x" not in (tmp_path / "plan.json").read_text()
    assert flowspec("plan", "job.yaml", "--var", "word=hunter22", "-o", "plan.json").code == 0
    assert flowspec("apply", "plan.json").code != 0
    assert flowspec("apply", "plan.json", "--var", "word=hunter22").code == 0
    assert json.loads((tmp_path / "plan.json").read_text())["version"] == 1
