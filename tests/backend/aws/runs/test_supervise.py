"""Timeouts, retries and exit codes that are no failure: steps really run, on the embedded EMR."""

import threading
import time
from contextlib import closing
from datetime import datetime, timedelta, timezone

import pytest

from flowspec.backend.aws.apply import apply
from flowspec.backend.aws.client import Endpoint, connect
from flowspec.backend.aws.lock import _new_lock
from flowspec.backend.aws.observe import describe
from flowspec.backend.aws.runs.supervise import Acted, _cancelled_by
from flowspec.backend.aws.verdict import Outcome
from flowspec.backend.aws.watch import Ended, watch
from flowspec.document.parse import load
from flowspec.document.validate import validate
from flowspec.errors import SpecError
from flowspec.pipeline import plan_on
from flowspec.plan.cluster import WATCH_TAG, WATCHER_TAG, Step
from flowspec.request.compile import compile

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
        self.applied = apply(self.plan, self.emr)
        self.id = self.applied.cluster_id

    def watch(self, sleep=quick, **options):
        """Watches to the end; what was done is kept in `acted`."""
        events = watch(self.emr, self.id, steps=self.applied.steps, sleep=sleep, **options)
        with closing(events):
            found = list(events)
        self.acted = [one.text for one in found if isinstance(one, Acted)]
        assert isinstance(found[-1], Ended)
        return found[-1].verdict

    def states(self):
        return [(step.name, step.state) for step in describe(self.emr, self.id).steps]

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
    assert [text.rpartition(": ")[2] for text in flow.acted] == ["timeout, cancelled"]


@pytest.mark.parametrize("action", ["CANCEL_AND_WAIT", "TERMINATE_CLUSTER"])
def test_a_timeout_does_what_on_failure_says(run, action):
    flow = run(step("long", "sleep 600", "    timeout: 1\n", action) + step("next", "true"))
    verdict = flow.watch()
    assert (verdict.outcome, verdict.step.name) == (Outcome.STEP_FAILED, "long")
    assert flow.states() == [("long", "CANCELLED"), ("next", "CANCELLED")]
    ended = describe(flow.emr, flow.id).state.startswith("TERMINAT")
    assert ended is (action == "TERMINATE_CLUSTER")


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
    assert flow.acted == ["step flaky: attempt 2 of 3, with 1 that were cancelled"]
    # A later look by its id judges the attempts that count, and a plan has nothing to do.
    assert flow.watch().outcome is Outcome.SUCCEEDED
    assert not plan_on(flow.emr, flow.flow, flow.request).has_changes


def test_attempts_are_bounded(run):
    flow = run(step("bad", "exit 75", "    retry: {attempts: 3, on: [75]}\n"))
    assert flow.watch().outcome is Outcome.STEP_FAILED
    assert flow.states() == [("bad", "FAILED")] * 3


@pytest.mark.parametrize(
    ("words", "attempts"),
    [
        ("ThrottlingException: Rate exceeded", 2),
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
    assert flow.acted[-1].endswith("its exit code is no failure (skip_on_exit)")


def test_another_exit_code_is_a_failure(run):
    flow = run(step("look", "exit 5", "    skip_on_exit: [3, 4]\n"))
    assert flow.watch().outcome is Outcome.STEP_FAILED


def test_of_two_watchers_one_acts(run):
    flow = run(step("long", "sleep 600", "    timeout: 1\n") + step("next", "true"))
    other = _new_lock("0123abcd")
    flow.emr.call("AddTags", ResourceId=flow.id, Tags=[{"Key": WATCHER_TAG, "Value": other}])
    verdict = flow.watch(timeout=3)
    assert verdict.outcome is Outcome.TIMED_OUT, "it watched, and did nothing"
    assert flow.acted == [f"another watcher acts on this run: {other}"]
    flow.emr.call("RemoveTags", ResourceId=flow.id, TagKeys=[WATCHER_TAG])
    assert flow.watch().outcome is Outcome.STEP_FAILED
    assert WATCHER_TAG not in describe(flow.emr, flow.id).tags


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
        "step one: timeout 60 s, 2 attempts, 5 s later, after network, spot_loss, throttled, exit 3 is no failure",
        "these hold while the run is watched: by `apply`, or, after --detach, by `flowspec wait`",
    )


def test_policies_of_replaced_steps_have_nothing_to_belong_to(tmp_path):
    path = tmp_path / "job.yaml"
    more = "api_params: {Steps: []}\n"
    path.write_text(HEAD.format(keep_alive="true") + step("one", "true", "    timeout: 60\n") + more)
    flow = validate(load(path))
    with pytest.raises(Exception, match="api_params replaces the steps"):
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
    assert [_cancelled_by(failed, one) for one in (there, later)] == [True, False]
