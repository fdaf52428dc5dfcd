"""What a report tells of a run, and what it does not tell."""

import dataclasses
import gzip
import json
import re
import shutil
from datetime import timedelta

import pytest

from flowspec.backend.aws import client
from flowspec.backend.aws.diagnosis.diagnose import Cause
from flowspec.emulator.api.service import Service
from flowspec.emulator.http import Endpoint
from flowspec.errors import FlowspecError, ServiceError
from flowspec.inspection.details import choose_steps
from flowspec.inspection.run_facts import Cost
from flowspec.inspection.tails import tail_of
from flowspec.inspection.timeline import spans_of
from flowspec.pipeline import make_report
from flowspec.plan.cluster import Live, Step
from flowspec.report.json_text import as_json
from flowspec.report.page.view import run_view, shown_duration
from tests.emulator.conftest import Emr, bash
from tests.endpoints import serving
from tests.report.page.conftest import FAILING, PASSWORD, START, made_up, run
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def red(runs):
    return make_report(runs.connection, runs.red)


@pytest.fixture(scope="module")
def green(runs):
    return make_report(runs.connection, runs.green)


def test_how_it_ended_and_why(red):
    assert (red.outcome, red.failed.name) == ("step failed", "count")
    assert red.diagnosis.cause.id == "python-module-missing"
    assert red.notes == ()


def test_when_each_part_began_and_ended(red):
    names = [span.name for span in red.spans]
    assert names[:4] == ["Provisioning", "fetch", "count words", "count"]
    assert all(span.started and span.ended >= span.started for span in red.spans)


def test_the_lines_of_the_cause_are_marked_in_the_log_with_their_numbers(red):
    failed = next(one for one in red.details if one.step == red.failed)
    stderr = next(tail for tail in failed.tails if tail.name == "stderr")
    cause = red.diagnosis.cause
    marked = [line for line in stderr.lines if line.cause]
    assert [line.number for line in marked] == list(range(cause.line, cause.end_line + 1))
    assert marked[-1].text == "ModuleNotFoundError: No module named 'pandaz'"
    assert stderr.lines[-1].text == "survived 12"
    # Of 300 lines before only the last are shown, and how many are not.
    assert stderr.lines[0].gap == stderr.lines[0].number - 1 > 200


def test_a_successful_run_has_no_failure(green):
    assert (green.outcome, green.diagnosis, green.failed, green.baseline) == ("succeeded", None, None, None)
    assert "Why it failed" not in green.as_html()


def test_what_differs_from_the_last_green_run(red, runs):
    assert red.baseline.cluster.id == runs.green
    changed = {change["what"]: (change["then"], change["now"]) for change in run_view(red)["baseline"]["changes"]}
    assert changed["instance group MASTER: type"] == ("m5.xlarge", "m5.2xlarge")
    assert "pandaz" in changed["step count: args"][1]
    assert changed["step count words: args"][1].endswith("/second")


def test_counters_are_beside_those_of_the_last_green_run(red):
    words = next(one for one in run_view(red)["steps"] if one["name"] == "count words")
    counters = {row["name"]: row for group in words["counters"] for row in group["rows"]}
    records = counters["Map input records"]
    assert (records["value"], records["earlier"], records["differs"]) == ("1", "3", True)


@pytest.mark.parametrize("form", ["as_html", "as_markdown", "as_document"])
def test_what_names_say_is_secret_is_not_shown(red, form):
    told = getattr(red, form)()
    shown = told if isinstance(told, str) else as_json(told)
    assert PASSWORD not in shown
    assert "(sensitive)" in shown


def test_given_secrets_are_masked_in_names_logs_and_arguments(runs):
    report = make_report(runs.connection, runs.red, secrets=["pandaz", "nightly"])
    for shown in (report.as_html(), report.as_markdown(), as_json(report.as_document())):
        assert "pandaz" not in shown
        assert "nightly" not in shown


def test_a_secret_is_masked_before_it_is_escaped(runs):
    secret = "a_<b>&-'c"
    report = made_up([(f"count {secret}", "COMPLETED")], secrets=frozenset([secret]), notes=(f"note {secret}",))
    assert report.as_html().count("count (sensitive)") == 1
    assert "| count \\(sensitive\\) |" in report.as_markdown()
    for shown in (report.as_html(), report.as_markdown()):
        assert "&amp;-" not in shown
        assert "'c" not in shown


def test_a_secret_that_is_a_word_of_the_page_itself_breaks_nothing():
    report = made_up([("one", "COMPLETED")], secrets=frozenset(["name", "state", "steps", "width", "1"]))
    assert "(sensitive)" in report.as_html() + report.as_markdown()


def test_the_secrets_of_the_earlier_run_are_masked_too(runs):
    old = make_report(runs.connection, runs.red)
    earlier = dataclasses.replace(old.baseline, secrets=frozenset(["fetch"]))
    assert old.secrets >= {PASSWORD}
    assert earlier.secrets
    assert "secrets" not in old.as_document()["baseline"]


def test_the_document_is_json(red):
    document = json.loads(as_json(red.as_document()))
    assert document["outcome"] == "step failed"
    assert document["cluster"]["id"] == red.cluster.id
    assert [step["step"]["name"] for step in document["details"]] == ["fetch", "count words", "count"]
    changes = {change["address"]: change for change in document["baseline"]["changes"]}
    changed = changes["instance group MASTER: type"]
    assert (changed["before"], changed["after"]) == ("m5.xlarge", "m5.2xlarge")


def test_markdown_has_cause_times_and_differences(red):
    lines = red.as_markdown().split("\n")
    assert lines[0].startswith("### nightly (j-")
    assert any(line.startswith("**Probable cause:** A Python module") for line in lines)
    assert any(line.startswith("| count words | COMPLETED |") for line in lines)
    assert "- instance group MASTER: type: m5.xlarge" in lines
    assert "+ instance group MASTER: type: m5.2xlarge" in lines


def test_markdown_of_a_first_run_has_no_column_for_an_earlier_one():
    shown = made_up([("count", "COMPLETED")], notes=("`flowspec wait` reads <it>",)).as_markdown()
    assert "Took |\n|---|---|---|---:|\n" in shown
    assert shown.endswith("- `flowspec wait` reads \\<it\\>")


@pytest.mark.parametrize(
    ("steps", "text"), [((), "The cluster has no steps."), ([("count", "PENDING")], "No step has begun.")]
)
def test_that_nothing_has_begun_is_said(steps, text):
    report = made_up()
    cluster = dataclasses.replace(
        report.cluster, steps=tuple(Step(f"s-{name}", name, state, "CONTINUE") for name, state in steps)
    )
    assert f"<p>{text}</p>" in dataclasses.replace(report, cluster=cluster).as_html()


def test_logs_that_are_gone_are_said_to_be(runs, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(runs.home, home, ignore=shutil.ignore_patterns("logs", "*.sock", "wake"))
    report = make_report(client.connect(client.Endpoint("local", home=home)), runs.red)
    assert report.outcome == "step failed"
    assert all(detail.tails == () for detail in report.details)
    assert report.as_html().count("The logs are not there: they were removed, or have not been shipped yet.") == 3


def test_logs_that_cannot_be_read_are_a_note_and_asked_for_once(runs, monkeypatch):
    asked = []

    def refuse(*args):
        asked.append(args)
        raise ServiceError("GetObject", "AccessDenied", "no s3:GetObject", remedy="ask")

    monkeypatch.setattr("flowspec.inspection.details.tail_of", refuse)
    report = make_report(runs.connection, runs.red)
    assert report.notes == ("logs could not be read: GetObject: AccessDenied: no s3:GetObject; ask",)
    assert len(asked) == 1
    assert report.as_html().count("The logs could not be read.") == 3


def test_a_running_cluster(runs):
    cluster_id = run(runs.emr, bash("echo begun; sleep 600", name="long"), bash("true", name="next"), keep_alive=True)
    wait_until(lambda: runs.emr.step_states(cluster_id)[0] == "RUNNING", lambda: "not running")
    report = make_report(runs.connection, cluster_id)
    assert report.outcome == "running"
    long, later = report.spans[1:3]
    assert (long.state, long.ended, later.state, later.started) == ("RUNNING", None, "PENDING", None)
    assert long.seconds(long.started + timedelta(seconds=5)) == 5
    assert "Up for" in report.as_html()
    runs.emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])


def test_a_run_that_someone_ended(runs):
    cluster_id = run(runs.emr, bash("sleep 600", name="long"))
    wait_until(lambda: runs.emr.step_states(cluster_id)[0] == "RUNNING", lambda: "not running")
    runs.emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    runs.emr.until_ended(cluster_id)
    report = make_report(runs.connection, cluster_id)
    assert report.outcome == "cancelled"
    page = report.as_html()
    assert "Why it was cancelled</h2>" in page
    assert "Why it failed" not in page
    assert '<details id="emr-says" open>' in page
    assert "Terminated by user request" in page


def test_what_may_not_be_read_of_the_configuration_is_a_note(runs, monkeypatch):
    def refuse(*_):
        raise ServiceError("ListInstanceGroups", "AccessDeniedException", "not authorized")

    monkeypatch.setattr("flowspec.inspection.reading.read_back", refuse)
    report = make_report(runs.connection, runs.red)
    assert report.notes[0].startswith("the configuration could not be read: ListInstanceGroups: AccessDenied")
    assert (report.outcome, report.baseline, len(report.details)) == ("step failed", None, 3)
    assert 'id="configuration"' not in report.as_html()


# -- the last successful run


@pytest.fixture
def instant(tmp_path):
    """An EMR that runs nothing: steps are COMPLETED at once."""
    return Emr(Service(tmp_path / "home", instant=True))


def tags(flow, target):
    return [{"Key": "flowspec:flow", "Value": flow}, {"Key": "flowspec:target", "Value": target}]


def baseline_of(emr, cluster_id):
    return make_report(client.connect(client.Endpoint("local", home=emr.home)), cluster_id).baseline


def test_only_a_run_of_the_same_flow_on_the_same_target_counts(instant):
    step = bash("true")
    same = instant.run(step, Tags=tags("flow", "prod"))
    for other in (tags("flow", "laptop"), tags("other", "prod"), []):
        instant.run(step, Tags=other)
    last = instant.run(step, Tags=tags("flow", "prod"))
    assert baseline_of(instant, last).cluster.id == same


def test_clusters_that_no_spec_made_are_compared_by_their_names(instant):
    step = bash("true")
    instant.run(step, Name="other")
    same = instant.run(step)
    instant.run(step, Tags=tags("flow", "prod"))
    assert baseline_of(instant, instant.run(step)).cluster.id == same


def test_the_same_request_differs_in_nothing(instant):
    step = bash("true")
    instant.run(step)
    last = instant.run(step)
    report = make_report(client.connect(client.Endpoint("local", home=instant.home)), last)
    assert report.baseline.changes == ()
    assert "The request is the same" in report.as_html()
    assert "The request is the same" in report.as_markdown()


def test_a_changed_local_file_is_not_taken_for_the_same_request(instant):
    step, flow = bash("true"), tags("flow", "laptop")
    for digest in ("one", "two"):
        last = instant.run(step, Tags=[*flow, {"Key": "flowspec:digest", "Value": digest}])
    report = make_report(client.connect(client.Endpoint("local", home=instant.home)), last)
    assert report.baseline.changes == ()
    for shown in (report.as_html(), report.as_markdown()):
        assert "The request is the same" not in shown
        assert "a script or another local file has changed" in shown


def test_a_later_run_is_not_an_earlier_one(instant):
    first = instant.run(bash("true"))
    instant.run(bash("true"))
    assert baseline_of(instant, first) is None


def test_no_such_cluster(runs):
    with pytest.raises(FlowspecError, match="no cluster j-NONE"):
        make_report(runs.connection, "j-NONE")


def test_without_comparison_nothing_is_said_of_an_earlier_run(runs):
    report = make_report(runs.connection, runs.red, compare=False)
    assert report.baseline is None
    assert "last successful run" not in report.as_html()


@pytest.fixture
def on_emr(runs, moto, monkeypatch):
    """A connection to the same runs as if they were on AWS, and to an S3 with nothing in it."""
    server = Endpoint(lambda region: runs.service, region="us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto)
    with serving(server):
        yield client.connect(client.Endpoint("emr", "us-east-1", endpoint_url=server.url))


def test_logs_that_emr_has_shipped(runs, on_emr):
    cluster_id = run(runs.emr, bash(FAILING, name="count"), LogUri="s3://acme-logs/emr/")
    runs.emr.until_ended(cluster_id)
    s3 = on_emr.s3()
    s3.create_bucket(Bucket="acme-logs")
    step_id = runs.emr.steps(cluster_id)[0]["Id"]
    shipped = gzip.compress((runs.emr.logs(cluster_id) / "stderr").read_bytes())
    s3.put_object(Bucket="acme-logs", Key=f"emr/{cluster_id}/steps/{step_id}/stderr.gz", Body=shipped)
    report = make_report(on_emr, cluster_id)
    assert (report.backend, report.notes, report.diagnosis.cause.id) == ("emr", (), "python-module-missing")
    (detail,) = report.details
    assert [tail.name for tail in detail.tails] == ["stderr"]
    assert sum(line.cause for line in detail.tails[0].lines) == 2
    page = report.as_html()
    assert f"flowspec logs {cluster_id} --region us-east-1 --endpoint-url http://127.0.0.1:" in page
    assert f"s3://acme-logs/emr/{cluster_id}/steps/{step_id}/" in page


def test_without_a_log_uri_there_are_no_logs(runs, on_emr):
    page = make_report(on_emr, runs.red).as_html()
    assert page.count("There are no logs: the cluster was started without a log_uri.") == 3


# -- cost


def test_cost_is_shown_when_there_is_one(runs):
    cost = Cost("$1.20", (("m5.xlarge, 2 h", "$0.48"),), ("prices of 2026-11-01 & later",))
    report = make_report(
        runs.connection, runs.green, cost=lambda _, cluster: cost if cluster.id == runs.green else None
    )
    page = report.as_html()
    assert '<a href="#cost">Cost</a>' in page
    for text in ("$1.20", "m5.xlarge, 2 h", "$0.48", "prices of 2026-11-01 &amp; later"):
        assert text in page
    assert "**Cost:** $1.20" in report.as_markdown()


def test_on_emr_a_run_costs_what_its_instances_do(runs, on_emr):
    page = make_report(on_emr, runs.green).as_html()
    assert "USD" in page
    assert "By on-demand prices of" in page


def test_without_a_cost_there_is_no_place_for_it(green):
    assert 'id="cost"' not in green.as_html()


# -- texts of others


def test_names_are_text_and_never_html():
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    cluster = {"name": evil, "tags": {"flowspec:flow": evil, "flowspec:source": evil}, "reason_code": evil}
    report = made_up(
        [(evil, "COMPLETED"), (evil, evil)], cluster=cluster, notes=(evil,), cost=Cost(evil, ((evil, evil),))
    )
    page = report.as_html()
    assert page.count("<script>") == 1
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_control_characters_and_direction_marks_are_visible():
    report = made_up([("a\x1b[31m\u202eb\x00", "COMPLETED")])
    assert "a\\u001b[31m\\u202eb\\u0000" in report.as_html()


# -- long runs


def test_ten_thousand_steps_are_folded_and_few_bytes():
    steps = [(f"count words of part {n:05}", "FAILED" if n % 997 == 0 else "COMPLETED") for n in range(10_000)]
    page = made_up(steps).as_html()
    assert len(page) < 3_500_000
    assert page.count("count words of part 09999") == 1
    assert "10,000 steps: 9,989 COMPLETED, 11 FAILED" in page
    # Those that failed are there unfolded, too.
    assert page.count("count words of part 01994") == 2
    assert re.search(r"<summary>Steps 901 to 1,000: 99 COMPLETED, 1 FAILED</summary>", page)


def test_more_steps_are_counted_and_not_shown():
    page = made_up([("one", "COMPLETED")] * 10_001).as_html()
    assert "Not on this page: 1 more step." in page


def test_logs_are_read_of_few_steps_of_a_long_run():
    report = made_up([(f"step {n}", "FAILED" if n == 3 else "COMPLETED") for n in range(100)])
    chosen = choose_steps(report.cluster.steps, None)
    assert [step.name for step in chosen] == ["step 3", *(f"step {n}" for n in range(91, 100))]


# -- the timeline


def test_bootstrap_actions_are_in_the_time_before_the_cluster_was_ready():
    cluster = made_up(cluster={"live": Live({"BootstrapActions": [{"Name": "a"}, {"Name": "b"}]})}).cluster
    assert spans_of(cluster)[0].name == "Provisioning and 2 bootstrap actions"
    failed = dataclasses.replace(cluster, ready=None, state="TERMINATED_WITH_ERRORS")
    assert (spans_of(failed)[0].state, spans_of(failed)[0].ended) == ("FAILED", cluster.ended)


@pytest.mark.parametrize(("code", "state"), [(0, "COMPLETED"), (3, "FAILED")])
def test_the_logs_of_bootstrap_actions_tell_when_they_ran(runs, tmp_path, code, state):
    script = tmp_path / "install.sh"
    script.write_text(f"#!/bin/sh\nsleep 0.2\nexit {code}\n")
    booting = Emr(Service(runs.home, run_bootstrap=True))
    action = {"Name": "install", "ScriptBootstrapAction": {"Path": str(script)}}
    cluster_id = booting.until_ended(run(booting, bash("true"), BootstrapActions=[action]))
    first, second = make_report(runs.connection, cluster_id).spans[:2]
    assert (first.name, first.state) == ("Provisioning", "COMPLETED")
    assert (second.name, second.state) == ("Bootstrap action install", state)
    assert first.started <= first.ended == second.started
    # The times are those of the logs, which the kernel takes from a clock of 4 ms.
    assert 0.19 < second.seconds(START) < 20


def test_the_time_after_the_last_step_is_a_part_of_its_own():
    spans = spans_of(made_up([("one", "COMPLETED")]).cluster)
    assert (spans[-1].name, spans[-1].seconds(START)) == ("After the last step", 61)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0, "0.0 s"), (59.94, "59.9 s"), (59.97, "1 min 00 s"), (725, "12 min 05 s"), (11_220, "3 h 07 min")],
)
def test_times_as_people_say_them(seconds, text):
    assert shown_duration(seconds) == text


# -- the ends of logs


class Log:
    """The logs of a step, all of them the same bytes."""

    def __init__(self, content):
        self.content = content

    def tail(self, step_id, name, size):
        return self.content[-size:]

    def uri(self, path):
        return path


def tail(content, secrets=(), cause=None):
    return tail_of(Log(content), "s-1", "stderr", secrets, cause)


def test_an_empty_log_has_no_lines():
    assert tail(b"").lines == ()


def test_lines_are_numbered_where_the_beginning_is_known():
    assert [(line.number, line.text) for line in tail(b"a\n\tb\r\n").lines] == [(1, "a"), (2, "\tb")]
    long = tail(b"x\n" * 100_000)
    assert (long.cut, {line.number for line in long.lines}) == (True, {0})


def test_the_place_of_the_cause_gives_the_numbers_of_a_log_that_is_cut():
    content = b"x\n" * 100_000 + b"boom\n" + b"y\n" * 300
    cause = Cause("id", "it broke", "", "steps/s-1/stderr", 100_001, 100_001, ("boom",))
    lines = tail(content, cause=cause).lines
    marked = next(line for line in lines if line.cause)
    assert (marked.number, marked.text, lines[-1].number) == (100_001, "boom", 100_301)
    assert [line.gap for line in lines if line.gap][1:] == [300 - 6 - 80]


def test_a_secret_that_the_cut_halves_is_not_shown():
    secret = "topsecretvalue"
    content = (secret.encode() + b"\n") * 10_000
    assert {line.text for line in tail(content, [secret]).lines} == {"(sensitive)"}


def test_a_line_as_long_as_a_log_is_cut():
    (line,) = tail(b"x" * 5_000).lines
    assert line.text.endswith("x… (3,000 more characters)")
