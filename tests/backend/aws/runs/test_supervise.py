"""Timeouts, retries and exit codes that are no failure: steps really run, on the embedded EMR."""

import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from flowspec.backend.aws.client import Endpoint, connect
from flowspec.backend.aws.events import Ended
from flowspec.backend.aws.manage.steps import add_steps
from flowspec.backend.aws.observe import describe
from flowspec.backend.aws.runs import supervise
from flowspec.backend.aws.runs.settle import (
    ExitCodes,
    cancelled_by,
    settle,
    settled_run,
    tag_of_marks,
    was_repeated,
    without_repeated,
)
from flowspec.backend.aws.runs.supervise import Supervisor, WatcherAction
from flowspec.backend.aws.submission.apply import apply
from flowspec.backend.aws.submission.lock import LOCK_LASTS, _new_lock
from flowspec.backend.aws.verdict import Outcome
from flowspec.backend.aws.watch import Fleet, watch
from flowspec.document.checking.validate import validate
from flowspec.document.text.parse import load
from flowspec.errors import FlowspecError, ServiceError, SpecError
from flowspec.pipeline import make_report, plan_on
from flowspec.plan.cluster import FLOW_TAG, REPEATED_TAG, TIMED_OUT_TAG, WATCH_TAG, WATCHER_TAG, Cluster, Step
from flowspec.plan.runs.supervision import StepPolicy, policy_tags, token_of
from flowspec.report.json_text import as_json
from flowspec.request.compile import compile
from tests.waiting import wait_until

HEAD = """flowspec: v1
name: nightly
backend: local
release_label: emr-7.5.0
keep_alive: {keep_alive}
instance_groups: [{{role: MASTER, type: m5.xlarge, count: 1}}]
steps:
"""


def quick(seconds):
    time.sleep(min(seconds, 0.05))


class Run:
    """A spec's run on the embedded EMR."""

    def __init__(self, path, steps, *, keep_alive="true"):
        path.write_text(HEAD.format(keep_alive=keep_alive) + steps)
        self.flow = validate(load(path))
        self.request = compile(self.flow)
        self.emr = connect(Endpoint("local"))
        self.plan = plan_on(self.emr, self.flow, self.request)
        self.applied = apply(self.plan, self.emr, sleep=quick)
        self.id = self.applied.cluster_id

    def watch(self, sleep=quick, **options):
        """Watches to the end; what was done is kept in `acted`."""
        events = watch(self.emr, self.id, steps=self.applied.steps, sleep=sleep, **options)
        with closing(events):
            found = list(events)
        self.acted = [one.text for one in found if isinstance(one, WatcherAction)]
        assert isinstance(found[-1], Ended)
        self.settled = found[-1].cluster
        return found[-1].verdict

    def states(self):
        return [(step.name, step.state) for step in describe(self.emr, self.id).steps]

    def rerun(self, name):
        """Runs a step again, as `apply --rerun`."""
        self.plan = plan_on(self.emr, self.flow, self.request, rerun=[name])
        self.applied = apply(self.plan, self.emr, sleep=quick)

    def end(self):
        self.emr.call("TerminateJobFlows", JobFlowIds=[self.id])


@pytest.fixture
def run(tmp_path):
    made = []

    def start(steps, **options):
        made.append(Run(tmp_path / "job.yaml", steps, **options))
        return made[-1]

    yield start
    for one in made:
        one.end()


def step(name, script, more="", on_failure="CONTINUE"):
    return f"""  - name: {name}
    type: command
    args: [bash, -c, '{script}']
    on_failure: {on_failure}
{more}"""


def test_a_step_that_runs_too_long_is_cancelled_and_the_next_one_runs(run):
    flow = run(step("long", "sleep 600", "    timeout: 1\n") + step("next", "true"))
    verdict = flow.watch()
    assert (verdict.outcome, verdict.step.name) == (Outcome.STEP_FAILED, "long")
    assert "longer than its timeout of 1 s" in verdict.step.message
    assert flow.states() == [("long", "CANCELLED"), ("next", "COMPLETED")]
    report = make_report(flow.emr, flow.id)
    assert (report.failed.name, report.failed.state, report.diagnosis.cause.id) == ("long", "FAILED", "step-timeout")
    assert [text.rpartition(": ")[2] for text in flow.acted] == ["timeout, cancelled"]


@pytest.mark.parametrize(
    ("action", "protected", "ends"),
    [("CANCEL_AND_WAIT", False, False), ("TERMINATE_CLUSTER", False, True), ("TERMINATE_CLUSTER", True, False)],
)
def test_a_timeout_does_what_on_failure_says(run, action, protected, ends):
    flow = run(step("long", "sleep 600", "    timeout: 1\n", action) + step("next", "true"))
    flow.emr.call("SetTerminationProtection", JobFlowIds=[flow.id], TerminationProtected=protected)
    verdict = flow.watch()
    assert (verdict.outcome, verdict.step.name) == (Outcome.STEP_FAILED, "long")
    assert flow.states() == [("long", "CANCELLED"), ("next", "CANCELLED")]
    assert describe(flow.emr, flow.id).state.startswith("TERMINAT") is ends
    if protected:
        flow.emr.call("SetTerminationProtection", JobFlowIds=[flow.id], TerminationProtected=False)


def test_a_step_that_failed_is_run_again_with_those_after_it(run, tmp_path):
    flaky = f"test -e {tmp_path}/mark || {{ touch {tmp_path}/mark; exit 75; }}"
    retry = "    retry: {attempts: 3, on: [75]}\n"
    flow = run(step("flaky", flaky, retry, "CANCEL_AND_WAIT") + step("next", "true"))
    assert flow.watch().outcome is Outcome.SUCCEEDED
    assert flow.states() == [
        ("flaky", "FAILED"),
        ("next", "CANCELLED"),
        ("flaky", "COMPLETED"),
        ("next", "COMPLETED"),
    ]
    assert flow.acted == ["step flaky: attempt 2 of 3, with 1 cancelled step"]
    # A later look by its id judges the attempts that count, and a plan has nothing to do.
    assert flow.watch().outcome is Outcome.SUCCEEDED
    assert not plan_on(flow.emr, flow.flow, flow.request).has_changes


def test_attempts_are_bounded_in_each_run_of_a_step(run):
    flow = run(step("bad", "exit 75", "    retry: {attempts: 3, on: [75]}\n"))
    assert flow.watch().outcome is Outcome.STEP_FAILED
    assert flow.states() == [("bad", "FAILED")] * 3
    # Run again on the same cluster, as on the next day, it has all its attempts.
    for number in (2, 3):
        flow.rerun("bad")
        assert flow.watch().outcome is Outcome.STEP_FAILED
        assert flow.acted == ["step bad: attempt 2 of 3", "step bad: attempt 3 of 3"]
        assert flow.states() == [("bad", "FAILED")] * 3 * number


def test_only_steps_that_are_waited_for_are_repeated(run):
    flow = run(step("bad", "exit 75", "    retry: {attempts: 2, on: [75]}\n") + step("good", "true"))
    flow.watch()
    flow.rerun("bad")
    wait_until(lambda: describe(flow.emr, flow.id).steps[-1].has_ended)
    flow.rerun("good")
    # The failure was left alone since nobody watched: this run is not the one that looks after it.
    assert flow.watch().outcome is Outcome.SUCCEEDED
    assert (flow.acted, len(flow.states())) == ([], 5)


def test_a_retry_whose_watcher_was_killed_before_it_was_added(run, monkeypatch):
    flow = run(step("bad", "exit 75", "    retry: {attempts: 3, on: [75]}\n"))
    with monkeypatch.context() as killing:
        killing.setattr(supervise, "add", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            flow.watch()
    assert flow.watch().outcome is Outcome.STEP_FAILED
    assert flow.states() == [("bad", "FAILED")] * 3


def test_the_marks_of_steps_fit_into_a_tag():
    tags = {}
    steps = [Step(f"s-{number}", "one", "FAILED") for number in range(50)]
    for one in steps:
        tags["flowspec:repeated"] = tag_of_marks(one, tags, "flowspec:repeated")["Value"]
    assert len(tags["flowspec:repeated"]) <= 256
    cluster = Cluster("j-1", "nightly", "WAITING", tags=tags)
    assert [was_repeated(one, cluster) for one in steps] == [False] * 14 + [True] * 36


@pytest.mark.parametrize(
    ("words", "attempts"),
    [
        ("ThrottlingException: Rate exceeded", 2),
        ("Container from a bad node", 2),
        ("ValueError: no such column", 1),
    ],
)
def test_only_failures_that_pass_by_themselves_are_repeated(run, words, attempts):
    flow = run(step("one", f'echo "{words}" >&2; exit 1', "    retry: {attempts: 2}\n"))
    assert flow.watch().outcome is Outcome.STEP_FAILED
    assert len(flow.states()) == attempts


def test_a_timeout_can_be_a_reason_to_repeat(run, tmp_path):
    hangs_once = f"test -e {tmp_path}/mark || {{ touch {tmp_path}/mark; sleep 600; }}"
    flow = run(step("once", hangs_once, "    timeout: 1\n    retry: {attempts: 2, on: [timeout]}\n"))
    assert flow.watch().outcome is Outcome.SUCCEEDED
    assert flow.states() == [("once", "CANCELLED"), ("once", "COMPLETED")]


def test_the_delay_is_waited_for(run, tmp_path):
    flaky = f"test -e {tmp_path}/mark || {{ touch {tmp_path}/mark; exit 75; }}"
    flow = run(step("flaky", flaky, "    retry: {attempts: 2, delay: 3600, on: [75]}\n"))
    looks = []

    def now():
        """An hour and a half passes after ten looks at the clock."""
        looks.append(describe(flow.emr, flow.id).steps)
        return datetime.now(timezone.utc) + timedelta(hours=1.5 if len(looks) > 10 else 0)

    assert flow.watch(now=now).outcome is Outcome.SUCCEEDED
    assert len(looks[9]) == 1, "it was not repeated before its time"


@pytest.mark.parametrize(
    ("action", "keep_alive", "states"),
    [
        ("CONTINUE", "true", ["FAILED", "COMPLETED"]),
        ("CANCEL_AND_WAIT", "true", ["FAILED", "CANCELLED"]),
        ("TERMINATE_CLUSTER", "false", ["FAILED", "CANCELLED"]),
    ],
)
def test_an_exit_code_that_is_no_failure(run, action, keep_alive, states):
    steps = step("look", "exit 3", "    skip_on_exit: [3, 4]\n", action) + step("next", "true")
    flow = run(steps, keep_alive=keep_alive)
    assert flow.watch().outcome is Outcome.SUCCEEDED
    assert [state for _, state in flow.states()] == states
    assert flow.settled.steps[0].reason == "skipped: exit 3 means no data"


def test_a_skipped_step_is_no_failure_for_anyone(run):
    flow = run(step("look", "exit 3", "    skip_on_exit: [3]\n", "CANCEL_AND_WAIT") + step("next", "true"))
    assert flow.watch().outcome is Outcome.SUCCEEDED
    assert [one.reason for one in flow.settled.steps] == ["skipped: exit 3 means no data", "skipped with step look"]
    # A plan has nothing to say of it, and nothing to run again.
    again = plan_on(flow.emr, flow.flow, flow.request, rerun=["failed"])
    assert not again.has_changes
    assert not [note for note in again.notes if "is FAILED" in note]
    assert not add_steps(flow.emr, flow.id, flow.flow, flow.request, rerun=["failed"], sleep=quick).added
    report = make_report(flow.emr, flow.id)
    assert (report.outcome, report.failed, report.diagnosis) == ("succeeded", None, None)
    for text in (report.as_html(), as_json(report.as_document())):
        assert "skipped: exit 3 means no data" in text
    assert "skipped: exit 3 means no data" in report.as_markdown()
    fleet = Fleet(flow.emr, sleep=quick)
    fleet.add(flow.id)
    fleet.close()
    *_, (_, end) = fleet.events()
    assert end.verdict.outcome is Outcome.SUCCEEDED


def test_a_baseline_may_have_skipped_a_step(run, tmp_path):
    steps = step("look", "exit 3", "    skip_on_exit: [3]\n", "TERMINATE_CLUSTER") + step("next", "true")
    first = run(steps, keep_alive="false")
    assert first.watch().outcome is Outcome.SUCCEEDED
    assert describe(first.emr, first.id).state == "TERMINATED_WITH_ERRORS"
    second = run(steps, keep_alive="false")
    second.watch()
    assert make_report(second.emr, second.id).baseline.cluster.id == first.id


class Unread:
    """Logs of EMR that can't be read, or are not there."""

    live = False

    def __init__(self, error=None):
        self.error = error

    def tail(self, *_):
        if self.error:
            raise self.error

    blocks = read = tail

    def list_logs(self, *_):
        return []

    def step_location(self, step_id):
        return f"s3://acme-logs/j-1/steps/{step_id}/"

    uri = folder = lambda *_: ""


DENIED = ServiceError("GetObject", "AccessDenied", "s3://acme-logs/x: Access Denied", remedy="see that you may read it")


@pytest.mark.parametrize(
    ("log_uri", "error", "later", "note"),
    [
        (
            "s3://acme-logs/",
            DENIED,
            0,
            "GetObject: AccessDenied: s3://acme-logs/x: Access Denied; see that you may read",
        ),
        ("s3://acme-logs/", FlowspecError("no credentials"), 900, "its logs can't be read: no credentials"),
        ("", None, 0, "the cluster has no `log_uri`, so EMR keeps no logs; give the spec one"),
        ("s3://acme-logs/", None, 900, "/ has no controller log; EMR ships it within five minutes, if"),
    ],
)
def test_a_watcher_says_once_that_it_can_not_read_the_logs(log_uri, error, later, note):
    ended = datetime(2026, 11, 28, tzinfo=timezone.utc)
    steps = [Step(f"s-{n}", f"load {n}", "FAILED", "CONTINUE", started=ended, ended=ended) for n in range(2)]
    policies = {token_of(one): StepPolicy(attempts=3, causes=("75",), skip=(3,)) for one in steps}
    tags = policy_tags(policies)
    cluster = Cluster("j-1", "x", "WAITING", tags=tags, log_uri=log_uri, keep_alive=True, steps=tuple(steps))
    codes = ExitCodes(cluster, Unread(error))
    watcher, other = (
        Supervisor(connect(Endpoint("local")), "j-1", now=lambda: ended + timedelta(seconds=later)) for _ in range(2)
    )
    assert not watcher.waits_for(cluster, codes)
    (told,) = [*watcher.act(cluster, codes), *watcher.act(cluster, codes)]
    assert told.text.startswith("step load 0 (s-0): retry and skip_on_exit can't be applied, its logs can't be read: ")
    assert note in told.text
    # Whether a step was stopped after its timeout is in the tags.
    timeouts = policy_tags({token_of(one): StepPolicy(attempts=3, causes=("timeout",)) for one in steps})
    assert not list(other.act(replace(cluster, tags=timeouts), codes))
    # Logs that EMR may still ship are waited for, and nothing is said.
    passing = ServiceError("GetObject", "SlowDown", "s3://acme-logs/x: Please reduce your request rate")
    early = Supervisor(connect(Endpoint("local")), "j-1", now=lambda: ended)
    codes = ExitCodes(replace(cluster, log_uri="s3://acme-logs/"), Unread(passing))
    assert early.waits_for(cluster, codes)
    assert not list(early.act(cluster, codes))


def test_another_exit_code_is_a_failure(run):
    flow = run(step("look", "exit 5", "    skip_on_exit: [3, 4]\n"))
    assert flow.watch().outcome is Outcome.STEP_FAILED


def test_of_two_watchers_one_acts(run):
    flow = run(step("long", "sleep 600", "    timeout: 1\n") + step("next", "true"))
    other = _new_lock("0123abcd", LOCK_LASTS)
    flow.emr.call("AddTags", ResourceId=flow.id, Tags=[{"Key": WATCHER_TAG, "Value": other}])
    acted, looks = [], []

    def look_again(seconds):
        """Counts the looks after it was told that there is another watcher: they are all the time that passes."""
        looks.extend(acted)
        quick(seconds)

    for event in watch(flow.emr, flow.id, timeout=5, clock=lambda: len(looks), sleep=look_again):
        acted.extend(event.text for _ in range(isinstance(event, WatcherAction)))
    assert event.verdict.outcome is Outcome.TIMED_OUT, "it watched, and did nothing"
    assert acted == [f"another watcher acts on this run: {other}"]
    assert flow.states() == [("long", "RUNNING"), ("next", "PENDING")]
    flow.emr.call("RemoveTags", ResourceId=flow.id, TagKeys=[WATCHER_TAG])
    assert flow.watch().outcome is Outcome.STEP_FAILED
    assert WATCHER_TAG not in describe(flow.emr, flow.id).tags


def test_a_watcher_that_lost_its_lease_does_not_act(run, tmp_path, monkeypatch):
    monkeypatch.setattr(supervise, "_LEASE", timedelta(seconds=-1))
    flow = run(step("long", "sleep 600", "    timeout: 1\n") + step("second", "sleep 600", "    timeout: 1\n"))
    other = _new_lock("0123abcd", LOCK_LASTS)

    def now():
        """After the first step was cancelled another watcher takes over: the lease has expired."""
        if describe(flow.emr, flow.id).steps[0].has_ended:
            flow.emr.call("AddTags", ResourceId=flow.id, Tags=[{"Key": WATCHER_TAG, "Value": other}])
        return datetime.now(timezone.utc)

    with closing(watch(flow.emr, flow.id, sleep=quick, now=now)) as events:
        acted = (one.text for one in events if isinstance(one, WatcherAction))
        assert next(acted).endswith("timeout, cancelled")
        assert next(acted) == f"another watcher acts on this run: {other}"
    assert flow.states()[1] == ("second", "RUNNING")


def test_an_expired_lease_is_taken_over(run):
    flow = run(step("long", "sleep 600", "    timeout: 1\n"))
    killed = _new_lock("0123abcd", timedelta(seconds=-1))
    flow.emr.call("AddTags", ResourceId=flow.id, Tags=[{"Key": WATCHER_TAG, "Value": killed}])
    assert flow.watch().outcome is Outcome.STEP_FAILED
    assert flow.acted[0] == f"taking over a lock that has expired: {killed}"


def test_two_watchers_at_the_same_moment_cancel_once(run, tmp_path):
    flaky = f"test -e {tmp_path}/mark || {{ touch {tmp_path}/mark; exit 75; }}"
    flow = run(step("flaky", flaky, "    retry: {attempts: 5, on: [75]}\n"))
    verdicts = []
    watchers = [
        threading.Thread(target=lambda: verdicts.append(flow.watch(sleep=time.sleep).outcome)) for _ in range(2)
    ]
    for one in watchers:
        one.start()
    for one in watchers:
        one.join(60)
    assert verdicts == [Outcome.SUCCEEDED] * 2
    assert flow.states() == [("flaky", "FAILED"), ("flaky", "COMPLETED")]


def test_a_changed_policy_is_one_of_the_clusters_tags_alone(run, tmp_path):
    first = run(step("one", "true", "    timeout: 60\n"))
    first.watch()
    tag = describe(first.emr, first.id).tags[WATCH_TAG]
    assert tag.endswith(":t60")
    second = Run(tmp_path / "job.yaml", step("one", "true", "    timeout: 90\n    skip_on_exit: [4]\n"))
    assert (second.request.digest, second.id) == (first.request.digest, first.id)
    assert {call.operation for call in second.plan.calls} == {"AddTags"}
    assert (second.plan.converges, second.applied.joined) == (first.id, True)
    assert describe(first.emr, first.id).tags[WATCH_TAG].endswith(":t90/x4")
    Run(tmp_path / "job.yaml", step("one", "true"))
    assert WATCH_TAG not in describe(first.emr, first.id).tags


def test_nothing_of_it_is_in_the_request_and_the_plan_says_who_does_it(run):
    flow = run(step("one", "true", "    timeout: 60\n    retry: {attempts: 2, delay: 5}\n    skip_on_exit: [3]\n"))
    (sent,) = flow.request.params["Steps"]
    assert sent.keys() == {"Name", "ActionOnFailure", "HadoopJarStep"}
    assert sent["HadoopJarStep"]["Args"] == ["bash", "-c", "true"]
    assert flow.plan.notes == (
        "step one: timeout 60 s, 2 attempts (after network, spot_loss, throttled; delay 5 s), exit 3 is no failure",
        "these apply only while the run is watched: by `apply`, or, after --detach, by `flowspec wait`",
    )


def test_policies_of_replaced_steps_have_nothing_to_belong_to(tmp_path):
    path = tmp_path / "job.yaml"
    more = "api_params: {Steps: []}\n"
    path.write_text(HEAD.format(keep_alive="true") + step("one", "true", "    timeout: 60\n") + more)
    flow = validate(load(path))
    with pytest.raises(FlowspecError, match="api_params replaces the steps"):
        plan_on(connect(Endpoint("local")), flow, compile(flow))


@pytest.mark.parametrize(
    "wrong",
    [
        "retry: {attempts: 1}",
        "retry: {attempts: 2, on: [bad_luck]}",
        "timeout: 0",
        "skip_on_exit: [0]",
        "skip_on_exit: []",
    ],
)
def test_values_that_are_refused(tmp_path, wrong):
    path = tmp_path / "job.yaml"
    path.write_text(HEAD.format(keep_alive="true") + step("one", "true", f"    {wrong}\n"))
    with pytest.raises(SpecError):
        validate(load(path))


def test_a_failed_step_that_is_not_retried_counts_beside_its_twin(run, tmp_path):
    flaky = f"test -e {tmp_path}/mark || {{ touch {tmp_path}/mark; exit 1; }}"
    retried = step("other", "true", "    retry: {attempts: 2, on: [75]}\n")
    flow = run(step("twin", flaky) + step("twin", flaky) + retried)
    assert flow.watch().outcome is Outcome.STEP_FAILED


def test_a_step_that_someone_cancels_later_is_not_skipped():
    now = datetime(2026, 11, 28, tzinfo=timezone.utc)
    failed = Step("s-1", "no data", "FAILED", "CANCEL_AND_WAIT", created=now, ended=now + timedelta(minutes=5))
    there = Step("s-2", "next", "CANCELLED", created=now + timedelta(minutes=1))
    later = Step("s-3", "another day", "CANCELLED", created=now + timedelta(days=1))
    assert [cancelled_by(failed, one) for one in (there, later)] == [True, False]


def test_a_step_that_a_later_one_of_its_name_did_over_does_not_count():
    day = datetime(2026, 11, 28, tzinfo=timezone.utc)

    def made(name, state, hour, on_failure="CONTINUE", begun=True):
        created = day + timedelta(hours=hour)
        ended = created + timedelta(minutes=5) if begun else None
        return Step(
            f"{name}-{hour}", name, state, on_failure, created=created, started=created if begun else None, ended=ended
        )

    def left(*steps, tags=None):
        return [
            one.id
            for one in without_repeated(
                Cluster("j-1", "x", "WAITING", tags={FLOW_TAG: "x"} if tags is None else tags, steps=steps)
            ).steps
        ]

    assert left(made("a", "FAILED", 1), made("a", "COMPLETED", 2)) == ["a-2"]
    assert left(made("a", "FAILED", 1), made("a", "RUNNING", 2)) == ["a-1", "a-2"]
    assert left(made("a", "COMPLETED", 1), made("a", "FAILED", 2)) == ["a-1", "a-2"]
    assert left(made("a", "FAILED", 1), made("b", "COMPLETED", 2)) == ["a-1", "b-2"]
    assert left(made("a", "FAILED", 1), made("a", "COMPLETED", 2), tags={}) == ["a-1", "a-2"], "of another tool"
    # Both were submitted together, perhaps without names of their own.
    assert left(made("a", "FAILED", 1), made("a", "COMPLETED", 1)) == ["a-1", "a-1"]
    stopped = made("a", "FAILED", 1, "CANCEL_AND_WAIT"), made("b", "CANCELLED", 1, begun=False)
    assert left(*stopped, made("a", "COMPLETED", 2), made("b", "COMPLETED", 2)) == ["a-2", "b-2"]
    assert left(made("b", "CANCELLED", 1, begun=False), made("b", "COMPLETED", 2)) == ["b-1", "b-2"]
    # Someone cancelled it, as the failure stopped nothing.
    passing = made("a", "FAILED", 1), made("b", "CANCELLED", 1, begun=False)
    assert left(*passing, made("a", "COMPLETED", 2), made("b", "COMPLETED", 2)) == ["b-1", "a-2", "b-2"]
    begun = stopped[0], made("b", "CANCELLED", 1)
    assert left(*begun, made("a", "COMPLETED", 2), made("b", "COMPLETED", 2)) == ["b-1", "a-2", "b-2"]


@pytest.mark.parametrize(
    ("on_failure", "again", "left"),
    [
        ("CANCEL_AND_WAIT", True, ["a-2", "b-2"]),
        ("CONTINUE", True, ["b-1", "a-2", "b-2"]),
        ("CANCEL_AND_WAIT", False, ["a-1", "b-1"]),
    ],
    ids=["with those that it stopped", "someone cancelled the other", "a watcher was about to"],
)
def test_a_step_that_a_watcher_repeated_does_not_count(on_failure, again, left):
    failed = Step("a-1", "a", "FAILED", on_failure, created=NOON, started=NOON, ended=LATER)
    cancelled = Step("b-1", "b", "CANCELLED", "CONTINUE", created=NOON)
    later = tuple(Step(f"{name}-2", name, "RUNNING", on_failure, created=LATER) for name in "ab" if again)
    marks = tag_of_marks(failed, {}, REPEATED_TAG)
    cluster = Cluster("j-1", "x", "WAITING", tags={REPEATED_TAG: marks["Value"]}, steps=(failed, cancelled, *later))
    assert [one.id for one in without_repeated(cluster).steps] == left


@pytest.mark.parametrize(
    ("state", "settled"),
    [("CANCELLED", "FAILED"), ("FAILED", "FAILED"), ("COMPLETED", "COMPLETED"), ("CANCEL_PENDING", "CANCEL_PENDING")],
)
def test_a_step_that_ended_before_it_was_stopped_has_not_timed_out(state, settled):
    step = Step("s-1", "load", state, "CONTINUE", created=NOON, started=NOON)
    marks = tag_of_marks(step, {}, TIMED_OUT_TAG)
    tags = {**policy_tags({token_of(step): StepPolicy(timeout=60)}), TIMED_OUT_TAG: marks["Value"]}
    cluster = Cluster("j-1", "x", "WAITING", tags=tags, keep_alive=True, steps=(step,))
    (seen,) = settle(cluster, ExitCodes(cluster, Exits())).steps
    assert (seen.state, seen.message) == (settled, "it ran longer than its timeout of 60 s" * (settled == "FAILED"))


def test_a_log_without_an_exit_code_is_read_once_for_a_look():
    ended = datetime(2026, 11, 28, tzinfo=timezone.utc)
    failed = Step("s-1", "load", "FAILED", "CONTINUE", started=ended, ended=ended)
    tags = policy_tags({token_of(failed): StepPolicy(attempts=3, causes=("75",), skip=(3,))})
    # The log of a step that has not failed is not read.
    steps = (failed, replace(failed, id="s-2", state="RUNNING", ended=None))
    cluster = Cluster("j-1", "x", "WAITING", tags=tags, keep_alive=True, steps=steps)
    logs = Shipping()
    codes = ExitCodes(cluster, logs)
    assert codes.of(failed) is None
    assert settle(cluster, codes).steps[0].state == "FAILED"
    logs.text = b"WARN Step failed with exitCode 3 and took 5 seconds\n"
    assert settled_run(cluster, None, codes)[0].steps[0].state == "FAILED", "the same answer for the whole look"
    assert logs.reads == 1
    codes.look_again()
    assert settled_run(cluster, None, codes)[0].steps[0].state == "COMPLETED"
    codes.look_again()
    assert (codes.of(failed), logs.reads) == (3, 2)


class Shipping:
    """Logs of EMR that are there, but do not hold the exit code yet."""

    live = False

    def __init__(self):
        self.text, self.reads = b"INFO startRun() called\n", 0

    def tail(self, step_id, name, size):
        self.reads += 1
        return self.text


class Exits(Shipping):
    """Logs with the exit code of each step, by its id."""

    def __init__(self, **codes):
        self.codes = codes

    def tail(self, step_id, name, size):
        return f"WARN Step failed with exitCode {self.codes[step_id]} and took 5 seconds\n".encode()


NOON = datetime(2026, 11, 28, 12, tzinfo=timezone.utc)
LATER = NOON + timedelta(minutes=5)
RAN = {"created": NOON, "started": NOON, "ended": LATER}
LOOK = Step("look", "look", "FAILED", "CANCEL_AND_WAIT", **RAN)
NEXT = Step("next", "next", "CANCELLED", "CONTINUE", created=NOON, ended=LATER)


@pytest.mark.parametrize(
    ("steps", "end", "states", "settled"),
    [
        ([LOOK, NEXT], "STEP_FAILURE", "COMPLETED COMPLETED", ("TERMINATED", "ALL_STEPS_COMPLETED")),
        ([LOOK, NEXT], "USER_REQUEST", "COMPLETED COMPLETED", ("TERMINATED_WITH_ERRORS", "USER_REQUEST")),
        (
            [replace(LOOK, action_on_failure="CONTINUE"), NEXT],
            "",
            "COMPLETED CANCELLED",
            ("TERMINATED_WITH_ERRORS", ""),
        ),
        ([LOOK, replace(NEXT, started=NOON)], "", "COMPLETED CANCELLED", ("TERMINATED_WITH_ERRORS", "")),
        (
            [LOOK, replace(LOOK, id="mid", name="mid", state="COMPLETED"), NEXT],
            "",
            "COMPLETED COMPLETED CANCELLED",
            ("TERMINATED_WITH_ERRORS", ""),
        ),
        ([replace(LOOK, state="COMPLETED")], "STEP_FAILURE", "COMPLETED", ("TERMINATED_WITH_ERRORS", "STEP_FAILURE")),
        (
            [LOOK, replace(LOOK, id="bad", name="bad")],
            "STEP_FAILURE",
            "COMPLETED FAILED",
            ("TERMINATED_WITH_ERRORS", "STEP_FAILURE"),
        ),
    ],
    ids=[
        "all for it",
        "ended by someone",
        "the next one runs on",
        "stopped by someone",
        "one ran since",
        "none was skipped",
        "another failed",
    ],
)
def test_a_skipped_step_completes_what_was_cancelled_for_it(steps, end, states, settled):
    tags = policy_tags({token_of(LOOK): StepPolicy(skip=(3,))})
    cluster = Cluster("j-1", "x", "TERMINATED_WITH_ERRORS", end, tags=tags, steps=tuple(steps))
    seen = settle(cluster, ExitCodes(cluster, Exits(look=3, bad=5)))
    assert " ".join(one.state for one in seen.steps) == states
    assert (seen.state, seen.reason_code) == settled


def test_a_cluster_that_is_still_ending_is_not_said_to_have_ended():
    tags = policy_tags({token_of(LOOK): StepPolicy(skip=(3,))})
    cluster = Cluster("j-1", "x", "TERMINATING", "STEP_FAILURE", tags=tags, steps=(LOOK,))
    seen = settle(cluster, ExitCodes(cluster, Exits(look=3)))
    assert (seen.state, seen.reason_code) == ("TERMINATING", "ALL_STEPS_COMPLETED")
