"""`flowspec plan -o FILE` and `flowspec apply FILE`: exactly what was planned, or exit code 9."""

import json
import os
import re

import pytest

from flowspec.backend.aws.client import Endpoint, connect
from flowspec.plan.saved import _checksum

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


@pytest.mark.parametrize("kind", ["plan", "spec"])
def test_a_pipe_of_the_shell(flowspec, job, tmp_path, kind):
    """As bash makes it for `<(sops -d plan.json)`: it can be read once."""
    job(STEP)
    assert flowspec("plan", "job.yaml", "-o", "plan.json").code == 0
    content = (tmp_path / {"plan": "plan.json", "spec": "job.yaml"}[kind]).read_bytes()
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)
    done = flowspec("apply", f"/dev/fd/{reader}")
    os.close(reader)
    assert done.code == 0, done.err
    assert "one: COMPLETED" in done.err


def test_a_plan_is_applied_in_another_checkout_of_the_same_files(flowspec, saved, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.chdir(other)
    refused = flowspec("apply", saved)
    assert refused.code == 9
    assert f"the plan is of job.yaml, which is not there (looked for in {other})" in refused.err
    (other / "job.yaml").write_bytes((tmp_path / "job.yaml").read_bytes())
    assert flowspec("apply", saved).code == 0


def test_an_edited_file(flowspec, saved):
    saved.write_text(saved.read_text().replace("two", "six"))
    refused = flowspec("apply", saved)
    assert (refused.code, "changed or cut short" in refused.err) == (9, True)


def test_a_file_that_an_editor_has_written_again(flowspec, saved, tmp_path):
    (tmp_path / "plan").write_text("\ufeff" + json.dumps(json.loads(saved.read_text()), sort_keys=True))
    done = flowspec("apply", "plan")
    assert (done.code, "two: COMPLETED" in done.err) == (0, True), done.err


@pytest.mark.parametrize(
    "edited",
    [
        {"options": []},
        {"options": {}},
        {"options": {"spec": "job.yaml", "date": "then", "assignments": []}},
        {"options": {"spee": 1}},
        {"plan": []},
        {"plan": {"watching": []}},
        {"plan": {"watching": {"supervision": 1}}},
    ],
    ids=json.dumps,
)
def test_edited_contents_with_a_checksum_for_them(flowspec, job, tmp_path, edited):
    job(STEP)
    assert flowspec("plan", "job.yaml", "-o", "plan.json").code == 0
    body = {**json.loads((tmp_path / "plan.json").read_text()), **edited}
    del body["checksum"]
    (tmp_path / "plan.json").write_text(json.dumps({**body, "checksum": _checksum(body)}))
    refused = flowspec("apply", "plan.json")
    assert (refused.code, "changed or cut short" in refused.err) == (9, True)


def test_a_json_file_that_is_no_text(flowspec, tmp_path):
    (tmp_path / "plan.json").write_bytes(b"\xff\xfe{}")
    refused = flowspec("apply", "plan.json")
    assert (refused.code, "is not UTF-8 text" in refused.err) == (2, True)


def test_a_file_that_is_not_there_is_refused_as_a_spec(flowspec):
    made = flowspec("apply", "nope.yaml")
    assert (made.code, made.err.splitlines()[:2]) == (
        2,
        ["error[FS001]: nope.yaml: there is no such file", " --> nope.yaml"],
    )


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
    assert refused.code == 9
    assert "the request has changed: the spec, a variable or a local file" in refused.err


@pytest.mark.parametrize(
    "option",
    [
        ["--replace"],
        ["--if-changed"],
        ["--rerun", "failed"],
        ["--cancel-removed"],
        ["--only", "two"],
        ["--from", "two"],
        ["--target", "there"],
        ["--date", "2026-11-22"],
        ["--staging", "s3://b/c/"],
        ["--region", "eu-west-1"],
        ["--endpoint-url", "http://127.0.0.1:1"],
    ],
    ids=lambda option: option[0],
)
def test_an_option_that_would_make_another_plan_is_refused(flowspec, job, option):
    job(MORE)
    assert flowspec("plan", "job.yaml", "-o", "plan.json").code == 0
    refused = flowspec("apply", "plan.json", *option)
    assert (refused.code, f"{option[0]} has no effect on a saved plan" in refused.err, "started" in refused.err) == (
        2,
        True,
        False,
    )


def test_the_options_of_the_saved_plan_may_be_given_again(flowspec, job):
    job(MORE)
    options = ("--target", "here", "--only", "two", "--date", "2026-11-22", "--replace")
    assert flowspec("plan", "job.yaml", *options, "-o", "plan.json").code == 0
    done = flowspec("apply", "plan.json", *options)
    assert (done.code, "two: COMPLETED" in done.err, "one: " in done.err) == (0, True, False), done.err


@pytest.mark.parametrize(
    ("kind", "text", "word", "given", "other"),
    [
        ("string", "{{ word }}", "hunter22", "hunter22", "hunter99"),
        ("list", "{{ word[0] }}", "hunter22", '["hunter22"]', '["hunter99"]'),
        ("number", "{{ word }}", "8812345.5", "8812345.50", "9912345.50"),
    ],
)
def test_no_secret_is_in_the_file_and_it_is_given_again(flowspec, job, tmp_path, kind, text, word, given, other):
    job(
        f"  - {{name: one, type: command, args: [test, '{text}', '=', '{word}']}}",
        f"variables: {{word: {{type: {kind}, sensitive: true}}}}",
    )
    asked = flowspec("status", "job.yaml", "--var", f"word={other}")
    assert (asked.code, "flowspec apply job.yaml --target here`" in asked.err) == (1, True), asked.err
    assert flowspec("plan", "job.yaml", "--var", f"word={other}", "-o", "plan.json").code == 0
    assert not {"hunter99", "9912345"} & set(re.findall(r"\w+", (tmp_path / "plan.json").read_text()))
    assert flowspec("plan", "job.yaml", "--var", f"word={given}", "-o", "plan.json").code == 0
    assert flowspec("apply", "plan.json").code != 0
    assert flowspec("apply", "plan.json", "--var", f"word={given}").code == 0
    assert json.loads((tmp_path / "plan.json").read_text())["version"] == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"version": 2}, "has version 2, not 1"), ({}, "flowspec was 99.9 and is ")],
    ids=["format", "tool"],
)
def test_a_plan_of_another_version_with_options_that_this_one_has_not(flowspec, saved, changes, told):
    body = json.loads(saved.read_text()) | changes
    del body["checksum"]
    body["options"]["later"] = True
    body["plan"]["tool"] = "99.9"
    saved.write_text(json.dumps({**body, "checksum": _checksum(body)}))
    refused = flowspec("apply", saved)
    assert (refused.code, told in refused.err) == (9, True), refused.err


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("importlib.metadata.version", "flowspec was"),
        ("flowspec.backend.aws.client.Emr.account", "the account was none and is other"),
    ],
)
def test_another_tool_or_account(flowspec, saved, monkeypatch, place, told):
    monkeypatch.setattr(place, lambda *_: "other")
    refused = flowspec("apply", saved)
    assert (refused.code, told in refused.err) == (9, True), refused.err


def test_another_region(flowspec, job, moto, monkeypatch):
    path = job(STEP)
    roles = "service_role: EMR_DefaultRole\njob_flow_role: EMR_EC2_DefaultRole\nec2_subnet_id: subnet-1\n"
    path.write_text(path.read_text().replace("backend: local", "backend: emr") + roles)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert flowspec("plan", "job.yaml", "--endpoint-url", moto, "-o", "plan.json").code == 0
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    refused = flowspec("apply", "plan.json")
    assert (refused.code, "the region was us-east-1 and is eu-west-1" in refused.err) == (9, True), refused.err


def test_tags_that_someone_has_edited(flowspec, saved):
    emr = connect(Endpoint("local"))
    (cluster,) = emr.pages("ListClusters", "Clusters", ClusterStates=["RUNNING", "WAITING"])
    emr.call("AddTags", ResourceId=cluster["Id"], Tags=[{"Key": "team", "Value": "ads"}])
    refused = flowspec("apply", saved)
    assert (refused.code, "the cluster has changed" in refused.err) == (9, True)


def test_no_digest_in_the_file_tells_a_secret(flowspec, job, tmp_path):
    """Whoever guesses a password can't tell from the file whether it is right: one in 4,096 others fits as well."""
    job(
        "  - {name: one, type: command, args: [test, '{{ word }}']}",
        "variables: {word: {type: string, sensitive: true}}",
    )
    texts = []
    # The digests of these two begin with the same 12 bits.
    for word in ("password42", "password43"):
        assert flowspec("plan", "job.yaml", "--var", f"word={word}", "--date", "2026-11-28", "-o", "p.json").code == 0
        texts.append((tmp_path / "p.json").read_text())
    assert texts[0] == texts[1]


TOLD = "hooks: {on_end: [{command: [echo, one]}]}\nlaunch_retries: 1\nbudget: {run: 5}\n"


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("echo, one", "echo, two", "hooks.on_end"),
        ("run: 5", "run: 6", "budget.run"),
        ("launch_retries: 1\nbudget: {run: 5}\n", "", "budget.run, launch_retries"),
    ],
)
def test_other_settings_of_its_runs_are_named(flowspec, job, before, after, named):
    job(STEP, TOLD)
    assert flowspec("plan", "job.yaml", "-o", "plan.json").code == 0
    job(STEP, TOLD.replace(before, after))
    refused = flowspec("apply", "plan.json")
    assert (refused.code, f"stale: other settings of its runs: {named}\n" in refused.err) == (9, True)


def test_another_timeout_is_named(flowspec, job):
    job(STEP, TOLD)
    assert flowspec("plan", "job.yaml", "-o", "plan.json", "--exit-code").code == 3
    job(STEP.replace("['true']", "['true'], timeout: 60"), TOLD)
    assert "stale: other settings of its runs: timeout, retry or skip" in flowspec("apply", "plan.json").err


def test_a_plan_is_not_saved_to_stdout_which_shows_it(flowspec, job, tmp_path):
    job(STEP)
    done = flowspec("plan", "job.yaml", "-o", "-")
    assert done.code == 2
    assert "--format json" in done.err
    assert not (tmp_path / "-").exists()


@pytest.mark.parametrize(
    "argv",
    ["render", "compile", "doctor", "graph", "iam", "export --to terraform", "fmt", "status", "steps add job.yaml"],
)
def test_another_command_says_that_it_is_a_saved_plan(flowspec, job, tmp_path, argv):
    job(STEP)
    assert flowspec("plan", "job.yaml", "-o", "plan.json").code == 0
    written = (tmp_path / "plan.json").read_bytes()
    done = flowspec(*argv.split(), "plan.json")
    assert (done.code, done.out) == (2, "")
    assert re.findall(r"^error.*", done.err, re.MULTILINE) == ["error[FS016]: this is a saved plan, not a spec"]
    assert "`flowspec apply plan.json` applies it" in done.err
    assert (tmp_path / "plan.json").read_bytes() == written
