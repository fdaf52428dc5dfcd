"""Does what EMR does not about steps that run too long or fail: `timeout`, `retry` and `skip_on_exit` of a spec.

The policies are read from the tags of the cluster (`flowspec.plan.supervision`), so that every watcher does the same.
Of several, one acts: the one that holds the tag `flowspec:watcher`, which expires when it dies.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from flowspec.backend.aws.change import add
from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.lock import locked
from flowspec.backend.aws.logs import Logs
from flowspec.backend.aws.observe import read_steps
from flowspec.backend.aws.verdict import Outcome, Verdict
from flowspec.errors import FlowspecError, Locked
from flowspec.facts.states import OPEN, READY
from flowspec.plan.cluster import TIMED_OUT_TAG, WATCHER_TAG, Cluster, Step
from flowspec.plan.supervision import StepPolicy, read_policies, token_of

# The causes of the spec's `retry.on`, by the rules of a diagnosis: failures that pass by themselves.
_CAUSES = {
    "spot_loss": frozenset({"spot-loss", "node-lost"}),
    "throttled": frozenset({"throttled"}),
    "network": frozenset({"network-timeout", "connection-refused", "unknown-host"}),
}
# "WARN Step failed with exitCode 3 and took 5 seconds" is the last line of EMR's controller log.
_EXIT_CODE = re.compile(r"failed with exitCode (\d+)")
_TAIL = 4096
_TAG_VALUE = 256
_TERMINATES = frozenset({"", "TERMINATE_CLUSTER", "TERMINATE_JOB_FLOW"})


@dataclass(frozen=True, slots=True)
class Acted:
    """Something that the watcher did about a step, or saw: one line for people."""

    text: str


@dataclass(slots=True)
class Supervisor:
    """Applies timeouts and retries to the steps of one cluster while it is watched; `close` it at the end."""

    emr: Emr
    cluster_id: str
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    _stack: ExitStack
    _settled: dict[str, bool]
    _told: set[str]
    _holds: bool = False

    @classmethod
    def of(
        cls,
        emr: Emr,
        cluster_id: str,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        sleep: Callable[[float], None] = time.sleep,
    ) -> Supervisor:
        """Begins with nothing done, and without the tag: it is written when there is something to do."""
        return cls(emr, cluster_id, now, sleep, ExitStack(), {}, set())

    def close(self) -> None:
        """Removes the lease tag, so that another watcher can act at once."""
        self._stack.close()

    def act(self, cluster: Cluster, logs: Logs) -> Iterator[Acted]:
        """Does what is due, and yields it. Errors of EMR are told, and the next look tries again."""
        policies = read_policies(cluster.tags)
        if cluster.state not in OPEN or not self._due(cluster, policies, logs):
            return
        try:
            if not self._holds:
                yield from self._take()
                if not self._holds:
                    return
            # Another may have acted until now.
            current = read_steps(self.emr, self.cluster_id)
            for step, policy in self._due(current, policies, logs):
                if step.state == "RUNNING":
                    yield self._cancel(step, policy, current)
                else:
                    yield self._repeat(step, policy, current)
                    # The history has changed.
                    break
        except FlowspecError as error:
            yield from self._once(f"{error.message}; tried again at the next look")

    def _take(self) -> Iterator[Acted]:
        lock = locked(self.emr, self.cluster_id, sleep=self.sleep, tag=WATCHER_TAG)
        try:
            self._stack.enter_context(lock)
            self._holds = True
        except Locked as error:
            yield from self._once(f"another watcher acts on this run: {error.message.rpartition(': ')[2]}")

    def _once(self, text: str) -> Iterator[Acted]:
        if text not in self._told:
            self._told.add(text)
            yield Acted(text)

    def _due(self, cluster: Cluster, policies: Mapping[str, StepPolicy], logs: Logs) -> list[tuple[Step, StepPolicy]]:
        """The steps that something has to be done about now."""
        found = []
        for step in cluster.steps:
            policy = policies.get(token_of(step))
            if policy and (
                (step.state == "RUNNING" and self._is_late(step, policy))
                or (self._may_be_repeated(step, policy, cluster, logs) is True and self._has_waited(step, policy))
            ):
                found.append((step, policy))
        return found

    def _is_late(self, step: Step, policy: StepPolicy) -> bool:
        ran = (self.now() - step.started).total_seconds() if step.started else 0.0
        return bool(policy.timeout) and ran >= policy.timeout

    def _has_waited(self, step: Step, policy: StepPolicy) -> bool:
        return step.ended is not None and (self.now() - step.ended).total_seconds() >= policy.delay

    def _may_be_repeated(self, step: Step, policy: StepPolicy, cluster: Cluster, logs: Logs) -> bool | None:
        """True if a failed step is to be run again, None while its logs don't tell why it failed."""
        attempts = [one for one in cluster.steps if token_of(one) == token_of(step)]
        if cluster.state not in READY or attempts[-1] is not step or len(attempts) >= policy.attempts:
            return False
        if has_timed_out(step, cluster):
            return "timeout" in policy.causes
        if step.state != "FAILED":
            return False
        if step.id not in self._settled:
            told = self._is_worth_it(step, policy, cluster, logs)
            if told is None:
                return None
            self._settled[step.id] = told
        return self._settled[step.id]

    def _is_worth_it(self, step: Step, policy: StepPolicy, cluster: Cluster, logs: Logs) -> bool | None:
        code = exit_code(step, logs)
        if code is not None and str(code) in policy.causes:
            return True
        # Imported when a step with a policy has failed: its rules take 20 ms.
        from flowspec.backend.aws.diagnosis.diagnose import diagnose

        diagnosis = diagnose(cluster, Verdict(Outcome.STEP_FAILED, step), logs)
        rules = frozenset[str]().union(*(_CAUSES.get(cause, ()) for cause in policy.causes))
        if diagnosis.cause.id in rules:
            return True
        return None if diagnosis.logs_may_follow and not self._is_past(step) else False

    def _is_past(self, step: Step) -> bool:
        """True if logs of a step that has ended are not to be waited for any longer."""
        from flowspec.backend.aws.diagnosis.diagnose import PATIENCE

        return step.ended is None or (self.now() - step.ended).total_seconds() > PATIENCE

    def waits_for(self, cluster: Cluster, logs: Logs) -> bool:
        """True if the run is not over though nothing runs: a step may be repeated, or a log is to come."""
        policies = read_policies(cluster.tags)
        for step in cluster.steps:
            policy = policies.get(token_of(step), StepPolicy())
            if self._may_be_repeated(step, policy, cluster, logs) is not False:
                return True
            if policy.skip and step.state == "FAILED" and exit_code(step, logs) is None and not self._is_past(step):
                return bool(cluster.log_uri)
        return False

    def _cancel(self, step: Step, policy: StepPolicy, cluster: Cluster) -> Acted:
        """Cancels a step, and does what EMR does by `on_failure`: a cancelled step does not set it off."""
        before = cluster.tags.get(TIMED_OUT_TAG, "").split()
        marked = " ".join([*before, step.id])[-_TAG_VALUE:]
        self.emr.call("AddTags", ResourceId=self.cluster_id, Tags=[{"Key": TIMED_OUT_TAG, "Value": marked}])
        text = f"step {step.name} ({step.id}) has run for {policy.timeout} s"
        if step.action_on_failure in _TERMINATES and not cluster.termination_protected:
            self.emr.call("TerminateJobFlows", JobFlowIds=[self.cluster_id])
            return Acted(f"{text}: timeout, the cluster is terminated")
        rest = [] if step.action_on_failure == "CONTINUE" else [one for one in cluster.steps if one.state == "PENDING"]
        # The pending ones first: none of them begins when the running one ends.
        ids = [*(one.id for one in rest), step.id]
        self.emr.call(
            # An interrupt, which is the default, may be ignored.
            "CancelSteps",
            ClusterId=self.cluster_id,
            StepIds=ids,
            StepCancellationOption="TERMINATE_PROCESS",
        )
        others = f", and {len(rest)} pending" if rest else ""
        return Acted(f"{text}: timeout, cancelled{others}")

    def _repeat(self, step: Step, policy: StepPolicy, cluster: Cluster) -> Acted:
        """Adds a step again, and after it those that EMR has cancelled because it failed."""
        assert cluster.live is not None
        configs = dict(zip((one.id for one in cluster.steps), cluster.live.params["Steps"], strict=True))
        again = [step, *_cancelled_after(step, cluster)]
        steps = [configs[one.id] for one in again]
        add("AddJobFlowSteps", {"JobFlowId": self.cluster_id, "Steps": steps}, self.emr, self.cluster_id, self.sleep)
        number = sum(token_of(one) == token_of(step) for one in cluster.steps) + 1
        others = f", with {len(again) - 1} that were cancelled" if len(again) > 1 else ""
        return Acted(f"step {step.name}: attempt {number} of {policy.attempts}{others}")


def has_timed_out(step: Step, cluster: Cluster) -> bool:
    """True if a watcher cancelled a step after its timeout."""
    ended = step.has_ended and step.state != "COMPLETED"
    return ended and step.id in cluster.tags.get(TIMED_OUT_TAG, "").split()


def exit_code(step: Step, logs: Logs) -> int | None:
    """The exit code of a failed step, from its controller log; None when that does not tell it (yet)."""
    try:
        text = (logs.tail(step.id, "controller", _TAIL) or b"").decode("utf-8", "replace")
    except FlowspecError:
        return None
    found = _EXIT_CODE.findall(text)
    return int(found[-1]) if found else None


def _cancelled_after(step: Step, cluster: Cluster) -> list[Step]:
    """The steps after a failed one that EMR cancelled before they began, each once."""
    if step.action_on_failure == "CONTINUE":
        return []
    later = cluster.steps[cluster.steps.index(step) + 1 :]
    return [one for one in later if one.state == "CANCELLED" and one.started is None]


def settled(cluster: Cluster, steps: Collection[str] | None, logs: Logs) -> tuple[Cluster, Collection[str] | None]:
    """A cluster and the ids of the steps that count, as the policies have it, to be judged.

    Attempts that were repeated count no more, and the repetitions do; a step that timed out has failed; one that exited
    with a code of `skip_on_exit` is completed, and so are those that EMR cancelled because of it.
    """
    policies = read_policies(cluster.tags)
    if not policies:
        return cluster, steps
    kept = [one for one in cluster.steps if not _is_repeated(one, cluster, policies)]
    counted = None if steps is None else {*steps, *_repetitions(cluster, steps, policies)}
    done: list[Step] = []
    skips = False
    last_skipped: Step | None = None
    for one in kept:
        policy = policies.get(token_of(one), StepPolicy())
        if has_timed_out(one, cluster):
            done.append(replace(one, state="FAILED", message=f"it ran longer than its timeout of {policy.timeout} s"))
        elif one.state == "FAILED" and policy.skip and exit_code(one, logs) in policy.skip:
            done.append(replace(one, state="COMPLETED"))
            skips = True
            last_skipped = one if one.action_on_failure != "CONTINUE" else None
        elif last_skipped and _cancelled_by(last_skipped, one):
            done.append(replace(one, state="COMPLETED"))
        else:
            last_skipped = last_skipped if one.started is None else None
            done.append(one)
    seen = replace(cluster, steps=tuple(done))
    if skips and cluster.reason_code == "STEP_FAILURE" and cluster.has_ended:
        seen = replace(seen, state="TERMINATED", reason_code="ALL_STEPS_COMPLETED")
    return seen, counted


def _cancelled_by(failed: Step, step: Step) -> bool:
    """True if EMR cancelled a step because an earlier one failed: it was there by then, and never ran."""
    if step.state != "CANCELLED" or step.started is not None:
        return False
    return step.created is None or failed.ended is None or step.created <= failed.ended


def skipped(cluster: Cluster, told: Cluster) -> Iterator[Acted]:
    """Yields a line for each step that EMR calls failed and `skip_on_exit` does not."""
    states = {one.id: one.state for one in cluster.steps}
    for one in told.steps:
        if one.state == "COMPLETED" and states[one.id] == "FAILED":
            yield Acted(f"step {one.name} ({one.id}): its exit code is no failure (skip_on_exit)")


def _is_repeated(step: Step, cluster: Cluster, policies: Mapping[str, StepPolicy]) -> bool:
    """True if a step failed, or was cancelled with one that did, and was added again by a watcher."""
    at = cluster.steps.index(step)
    if all(token_of(one) != token_of(step) for one in cluster.steps[at + 1 :]):
        return False
    if step.state == "FAILED" or has_timed_out(step, cluster):
        return policies.get(token_of(step), StepPolicy()).attempts > 1
    earlier = cluster.steps[:at]
    return step.state == "CANCELLED" and any(
        _is_repeated(one, cluster, policies) for one in earlier if one.state == "FAILED" or has_timed_out(one, cluster)
    )


def _repetitions(cluster: Cluster, steps: Collection[str], policies: Mapping[str, StepPolicy]) -> Iterator[str]:
    wanted = {token_of(one) for one in cluster.steps if one.id in steps}
    repeated = {token_of(one) for one in cluster.steps if _is_repeated(one, cluster, policies)}
    yield from (one.id for one in cluster.steps if token_of(one) in wanted & repeated)
