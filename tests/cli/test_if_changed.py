"""`--if-changed`: a flow whose last run had the same request and succeeded is not run again."""

import json
import re
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from flowspec.emulator.api.service import Service
from tests.emulator.conftest import Emr, emulator

ONE = "  - {name: one, type: command, args: [bash, -c, 'echo {{ ds }} >> ran']}\n"


@pytest.fixture
def ran(tmp_path):
    """Returns the days for which the step ran."""
    return lambda: (tmp_path / "ran").read_text().split()


@pytest.fixture
def counted(job, tmp_path):
    """Writes job.yaml, whose step writes the day into `ran`."""
    return lambda **more: job(ONE.replace(">> ran", f">> {tmp_path}/ran"), **more)


def told(cluster):
    return rf"run {cluster} of the same request succeeded and ended \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


def test_it_runs_once_for_each_request(flowspec, counted, ran):
    argv = ("apply", counted(), "--if-changed", "--format", "json")
    first = json.loads(flowspec(*argv, "--date", "2026-11-22").out)
    again = flowspec(*argv, "--date", "2026-11-22")
    assert (again.code, "started" in again.err, ran()) == (0, False, ["2026-11-22"])
    shown = json.loads(again.out)
    cluster = first["cluster"]["id"]
    assert (first["skipped"], shown["cluster"]["id"], shown["outcome"]) == ("", cluster, "succeeded")
    assert re.fullmatch(told(cluster), shown["skipped"])
    other = flowspec(*argv, "--date", "2026-11-23")
    assert f"note: not skipped by --if-changed: the last run, {cluster}, was of another request" in other.err
    # Only the last run counts, and only if it is asked for.
    assert flowspec(*argv, "--date", "2026-11-22").code == 0
    assert flowspec(*argv[:2], "--date", "2026-11-22").code == 0
    assert ran() == ["2026-11-22", "2026-11-23", "2026-11-22", "2026-11-22"]


def test_the_output_says_which_run_makes_it_unnecessary(flowspec, counted, ran):
    path = counted()
    cluster = flowspec("apply", path, "--detach").out.strip()
    assert flowspec("wait", path).code == 0
    shown = flowspec("apply", path, "--if-changed")
    assert re.match(rf"nothing was run: {told(cluster)}\ntiny \({cluster}\): succeeded", shown.out)
    detached = flowspec("apply", path, "--if-changed", "--detach")
    assert (detached.code, detached.out, "re-attach" in detached.err) == (0, f"{cluster}\n", False)
    document = json.loads(flowspec("apply", path, "--if-changed", "--detach", "--format", "json").out)
    assert (document["cluster"], bool(re.fullmatch(told(cluster), document["skipped"]))) == (cluster, True)
    assert len(ran()) == 1


def test_a_request_that_is_never_the_same(flowspec, job, monkeypatch):
    path = job(
        "  - {name: one, type: command, args: [echo, 'at {{ run }}']}\n", more="variables: {run: {default: '{{ ts }}'}}"
    )
    note = "since the spec uses `ts`, the time of the run"
    first = flowspec("apply", path, "--if-changed")
    assert (first.code, note in first.err) == (0, False)
    later = SimpleNamespace(now=lambda zone: datetime.now(zone) + timedelta(seconds=1))  # `ts` has whole seconds
    monkeypatch.setattr("flowspec.document.rendering.render.datetime", later)
    assert note in flowspec("plan", path, "--if-changed").out
    # With a day it is the first second of that day.
    assert note not in flowspec("plan", path, "--if-changed", "--date", "2026-11-22").out


def test_the_plan_of_what_is_skipped(flowspec, counted):
    path = counted()
    argv = ("plan", path, "--if-changed", "--exit-code")
    assert flowspec(*argv).code == 3
    cluster = json.loads(flowspec("apply", path, "--format", "json").out)["cluster"]["id"]
    assert flowspec("plan", path, "--exit-code").code == 3
    done = flowspec(*argv)
    assert (done.code, done.out.splitlines()[-1]) == (0, "Plan: nothing to do.")
    assert re.search(rf"^  = {told(cluster)}$", done.out, re.MULTILINE)
    document = json.loads(flowspec(*argv, "--format", "json").out)
    assert (document["joins"], document["has_changes"], document["calls"]) == (cluster, False, [])
    assert re.fullmatch(told(cluster), document["skipped"])


def test_a_changed_local_file_is_another_request(flowspec, wordcount):
    argv = ("plan", wordcount / "job.yaml", "--if-changed", "--exit-code")
    assert flowspec("apply", wordcount / "job.yaml").code == 0
    assert flowspec(*argv).code == 0, "that its output exists is no obstacle to running nothing"
    with (wordcount / "mapper.py").open("a") as script:
        script.write("# changed\n")
    assert flowspec(*argv).code == 3


def test_a_failed_run_is_run_again(flowspec, job, tmp_path):
    path = job(f"  - {{name: one, type: command, args: [test, -e, {tmp_path}/there]}}\n")
    assert flowspec("apply", path, "--if-changed").code == 4
    again = flowspec("apply", path, "--if-changed")
    assert (again.code, ": step failed" in again.err) == (4, True)
    (tmp_path / "there").touch()
    assert "started cluster" in flowspec("apply", path, "--if-changed").err
    assert "nothing was run" in flowspec("apply", path, "--if-changed").out


def test_an_exit_code_that_is_no_failure_and_hooks(flowspec, job, tmp_path):
    path = job(
        "  - {name: one, type: command, args: [bash, -c, exit 3], skip_on_exit: [3]}\n",
        f"log_uri: {tmp_path}/logs\nhooks: {{on_end: [{{command: [bash, -c, 'echo told >> told']}}]}}",
    )
    for _ in range(2):
        done = flowspec("apply", path, "--if-changed", "--allow-commands")
        assert done.code == 0, done.err
    assert "nothing was run" in done.out
    assert (tmp_path / "told").read_text() == "told\n"


def test_a_saved_plan_does_what_it_says(flowspec, counted, ran):
    argv = ("plan", counted(), "--date", "2026-11-22", "-o", "plan.json")
    assert flowspec(*argv, "--if-changed").code == 0
    assert flowspec("apply", "plan.json").code == 0
    # It said that the flow runs, and by now it would not.
    assert flowspec("apply", "plan.json").code == 9
    assert flowspec(*argv, "--if-changed").code == 0
    assert "nothing was run" in flowspec("apply", "plan.json").out
    # The option is of the plan, not of its apply.
    assert flowspec(*argv).code == 0
    assert flowspec("apply", "plan.json", "--if-changed").code == 2
    assert "started cluster" in flowspec("apply", "plan.json").err
    assert len(ran()) == 2


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--if-changed"], "leave out one of them"),
        (["--only", "one"], "leave out --from and --only, or --rerun"),
        (["--from", "one"], "leave out --from and --only, or --rerun"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "apply"])
def test_what_is_run_again_can_be_neither_skipped_nor_chosen(flowspec, counted, tmp_path, command, option, message):
    refused = flowspec(command, counted(), *option, "--rerun", "failed")
    assert (refused.code, message in refused.err) == (2, True)
    assert not (tmp_path / "ran").exists()


def test_a_cluster_that_lives_on_is_applied_as_ever(flowspec, counted, ran):
    path = counted(keep_alive="true")
    for _ in range(2):
        assert flowspec("apply", path, "--if-changed", "--date", "2026-11-22").code == 0
    assert len(ran()) == 1
    assert flowspec("destroy", path, "--yes").code == 0
    assert "started cluster" in flowspec("apply", path, "--if-changed", "--date", "2026-11-22").err
    flowspec("destroy", path, "--yes")


def test_of_a_folder_only_what_changed_runs(flowspec, job, tmp_path):
    (tmp_path / "jobs").mkdir()
    for name in ("same", "new"):
        path = job("  - {name: one, type: command, args: ['true']}\n", name=name)
        path.rename(tmp_path / "jobs" / f"{name}.yaml")
    clusters = {
        row["flow"]: row["cluster"] for row in json.loads(flowspec("apply", "jobs", "--format", "json").out)["flows"]
    }
    spec = tmp_path / "jobs/new.yaml"
    spec.write_text(spec.read_text().replace("'true'", "'true', '1'"))
    planned = flowspec("plan", "jobs", "--if-changed", "--format", "json", "--exit-code")
    results = {row["flow"]: row["result"] for row in json.loads(planned.out)["flows"]}
    assert (planned.code, results["new"]) == (3, "2 to create, 1 step to submit")
    assert re.fullmatch(f"nothing to do: {told(clusters['same'])}", results["same"])
    done = flowspec("apply", "jobs", "--if-changed", "--format", "json")
    rows = {row["flow"]: row for row in json.loads(done.out)["flows"]}
    assert done.code == 0
    assert rows["same"]["result"] == f"skipped, done by {clusters['same']}: succeeded"
    assert rows["new"]["result"] == f"started {rows['new']['cluster']}: succeeded"
    assert clusters["new"] != rows["new"]["cluster"]


def test_on_an_endpoint(flowspec, own_home, credentials, tmp_path):
    spec = tmp_path / "job.yaml"
    spec.write_text(
        "flowspec: v1\nname: there\nbackend: emr\nrelease_label: emr-7.5.0\nregion: us-east-1\n"
        "service_role: EMR_DefaultRole\njob_flow_role: EMR_EC2_DefaultRole\nkeep_alive: false\n"
        "instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]\n" + f"steps:\n{ONE.replace('{{ ds }}', 'x')}"
    )
    with emulator(own_home) as url:
        argv = ("apply", spec, "--endpoint-url", url, "--detach", "--if-changed", "--skip-preflight")
        cluster = flowspec(*argv).out.strip()
        clusters = Emr(Service(own_home))
        assert flowspec(*argv).out.strip() == cluster, "it is active, or its steps are completed"
        clusters.until_ended(cluster)
        again = flowspec(*argv)
        assert (again.code, again.out) == (0, f"{cluster}\n")
        assert re.search(told(cluster), again.err)
