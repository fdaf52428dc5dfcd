"""Cancels steps that run too long, and repeats steps that failed: `timeout` and `retry` of a spec.

EMR does neither. The policies are read from the tags of the cluster (`flowspec.plan.runs.supervision`), so that every
watcher does the same. Of several watchers only one acts: the one that holds the tag `flowspec:watcher`, which expires
if that watcher dies.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.observe import read_steps
from flowspec.backend.aws.runs.settle import (
    ExitCodes,
    attempts_of,
    awaits_exit_code,
    cancelled_by,
    has_timed_out,
    logs_may_follow,
    tag_of_marks,
    unread_note,
)
from flowspec.backend.aws.submission.cancellation import cancel_steps
from flowspec.backend.aws.submission.change import add
from flowspec.backend.aws.submission.lock import Lock, locked
from flowspec.backend.aws.verdict import Outcome, Verdict
from flowspec.errors import FlowspecError, Locked, number_of
from flowspec.facts.states import OPEN, READY
from flowspec.plan.cluster import REPEATED_TAG, TIMED_OUT_TAG, WATCHER_TAG, Cluster, Step
from flowspec.plan.runs.supervision import StepPolicy, read_policies, token_of

# The causes of the spec's `retry.on`, by the rules of a diagnosis: failures that pass by themselves.
_CAUSES = {
    "spot_loss": frozenset({"spot-loss", "node-lost"}),
    "throttled": frozenset({"throttled"}),
    "network": frozenset({"network-timeout", "connection-refused", "unknown-host"}),
}
_TERMINATES = frozenset({"", "TERMINATE_CLUSTER", "TERMINATE_JOB_FLOW"})
# A killed watcher blocks the others for at most this time. A watcher renews the tag after each third of it (two calls).
# If it loses the tag, for example while a laptop sleeps, it notices that before it acts.
_LEASE = timedelta(minutes=3)


class WatcherAction(NamedTuple):
    """Something that the watcher did about a step, or saw: one line for people."""

    text: str


@dataclass(slots=True)
class Supervisor:
    """Applies timeouts and retries to the steps of one cluster while it is watched; `close` it at the end.

    `steps` are the ids of the steps that it looks after, and of what equals them, None for all of the cluster's.
    It begins without the tag of the one that acts, which is written when there is something to do.
    """

    emr: Emr
    cluster_id: str
    steps: Collection[str] | None = None
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    sleep: Callable[[float], None] = time.sleep
    _stack: ExitStack = field(default_factory=ExitStack)
    _lock: Lock | None = None
    _repeat_allowed: dict[str, bool] = field(default_factory=dict)
    _reported: set[str] = field(default_factory=set)

    def close(self) -> None:
        """Removes the lease tag, so that another watcher can act at once."""
        self._stack.close()
        self._lock = None

    def act(self, cluster: Cluster, codes: ExitCodes) -> Iterator[WatcherAction]:
        """Does what is due, and yields it. Errors of EMR are yielded, too; the next look tries again."""
        policies = self._policies(cluster)
        due = self._steps_to_handle(cluster, policies, codes) if cluster.state in OPEN else []
        yield from self._report_unread_logs(cluster, policies, codes)
        if not due:
            return
        try:
            yield from self._acquire_lease()
            if self._lock is None:
                return
            # Another watcher may have acted until now.
            current = read_steps(self.emr, self.cluster_id, [step.id for step, _ in due])
            for step, policy in self._steps_to_handle(current, policies, codes):
                if step.state == "RUNNING":
                    yield from self._cancel(step, policy, current)
                else:
                    yield self._repeat(step, policy, current)
                    # The cluster's steps have changed.
                    break
        except FlowspecError as error:
            yield from self._report_once(f"{error.message}; this is tried again at the next poll")

    def _policies(self, cluster: Cluster) -> dict[str, StepPolicy]:
        """Returns the policies of the steps that are looked after, by their tokens."""
        policies = read_policies(cluster.tags)
        if not policies or self.steps is None:
            return policies
        ours = {token_of(one) for one in cluster.steps if one.id in self.steps}
        return {token: policy for token, policy in policies.items() if token in ours}

    def _acquire_lease(self) -> Iterator[WatcherAction]:
        """Acquires or keeps the lease to act on the run; yields a line if another watcher holds it."""
        try:
            if self._lock:
                self._lock.check()
                return
        except Locked:
            self.close()
        news: list[str] = []
        lock = locked(self.emr, self.cluster_id, notify=news.append, sleep=self.sleep, tag=WATCHER_TAG, lasts=_LEASE)
        try:
            self._lock = self._stack.enter_context(lock)
            yield from map(WatcherAction, news)
        except Locked as error:
            # A renewed lock has another time, but the same last word.
            key = error.holder.rpartition(" ")[2]
            yield from self._report_once(f"another watcher acts on this run: {error.holder}", key)

    def _report_unread_logs(
        self, cluster: Cluster, policies: Mapping[str, StepPolicy], codes: ExitCodes
    ) -> Iterator[WatcherAction]:
        """Yields one line for the run if logs that decide on failed steps can't be read, with one reason."""
        for step in cluster.steps:
            policy = policies.get(token_of(step), StepPolicy()) if step.state == "FAILED" else StepPolicy()
            off = self._needs_logs(step, policy, cluster)
            if (
                off
                and codes.of(step) is None
                and (found := codes.unread(step))
                and not self._logs_may_follow(step, codes)
            ):
                yield from self._report_once(unread_note(step, off, found), "unread")

    def _needs_logs(self, step: Step, policy: StepPolicy, cluster: Cluster) -> str:
        """Returns the policies of a failed step that only its logs let apply, "" for none."""
        repeats = self._is_last_of_few(step, policy, cluster) and self._repeat_allowed.get(step.id) is not True
        retry = repeats and set(policy.causes) != {"timeout"}
        return " and ".join([*(["retry"] if retry else []), *(["skip_on_exit"] if policy.skip else [])])

    def _logs_may_follow(self, step: Step, codes: ExitCodes) -> bool:
        return logs_may_follow(step, codes, self.now())

    def _report_once(self, text: str, key: str = "") -> Iterator[WatcherAction]:
        """Yields a line unless one was yielded with the same key, which is the text by default."""
        key = key or text
        if key not in self._reported:
            self._reported.add(key)
            yield WatcherAction(text)

    def _steps_to_handle(
        self, cluster: Cluster, policies: Mapping[str, StepPolicy], codes: ExitCodes
    ) -> list[tuple[Step, StepPolicy]]:
        """Returns the steps to cancel or to repeat now."""
        found = []
        for step in cluster.steps:
            policy = policies.get(token_of(step))
            if policy and (
                (step.state == "RUNNING" and self._exceeds_timeout(step, policy))
                or (
                    self._may_be_repeated(step, policy, cluster, codes) is True and self._delay_has_passed(step, policy)
                )
            ):
                found.append((step, policy))
        return found

    def _exceeds_timeout(self, step: Step, policy: StepPolicy) -> bool:
        ran = (self.now() - step.started).total_seconds() if step.started else 0.0
        return bool(policy.timeout) and ran >= policy.timeout

    def _delay_has_passed(self, step: Step, policy: StepPolicy) -> bool:
        return step.ended is not None and (self.now() - step.ended).total_seconds() >= policy.delay

    def _is_last_of_few(self, step: Step, policy: StepPolicy, cluster: Cluster) -> bool:
        """Returns True if the cluster takes another attempt of a step, and its policy allows one."""
        if policy.attempts < 2 or cluster.state not in READY:
            return False
        equal = [one for one in cluster.steps if token_of(one) == token_of(step)]
        return equal[-1].id == step.id and attempts_of(step, cluster) < policy.attempts

    def _may_be_repeated(self, step: Step, policy: StepPolicy, cluster: Cluster, codes: ExitCodes) -> bool | None:
        """Returns True if a failed step is to be run again, None while its logs don't tell why it failed."""
        if not self._is_last_of_few(step, policy, cluster):
            return False
        if has_timed_out(step, cluster):
            return "timeout" in policy.causes
        if step.state != "FAILED":
            return False
        if step.id not in self._repeat_allowed:
            allowed = self._cause_allows_repeat(step, policy, cluster, codes)
            if allowed is None:
                return None
            self._repeat_allowed[step.id] = allowed
        return self._repeat_allowed[step.id]

    def _cause_allows_repeat(self, step: Step, policy: StepPolicy, cluster: Cluster, codes: ExitCodes) -> bool | None:
        code = codes.of(step)
        if code is not None and (code in policy.skip or str(code) in policy.causes):
            return code not in policy.skip
        # Imported only when a step with a policy has failed: importing the rules takes 20 ms.
        from flowspec.backend.aws.diagnosis.diagnose import diagnose

        # Also without logs: EMR's own message may be enough.
        diagnosis = diagnose(cluster, Verdict(Outcome.STEP_FAILED, step), codes.logs)
        rules = frozenset[str]().union(*(_CAUSES.get(cause, ()) for cause in policy.causes))
        if diagnosis.cause.id in rules:
            return True
        incomplete = diagnosis.logs_may_follow or codes.unread(step) is not None
        return None if incomplete and self._logs_may_follow(step, codes) else False

    def waits_for(self, cluster: Cluster, codes: ExitCodes) -> bool:
        """Returns True if the run is not over though nothing runs: a step may be repeated, or a log is to come."""
        policies = self._policies(cluster)
        steps = ((step, policies.get(token_of(step), StepPolicy())) for step in cluster.steps)
        repeated = any(self._may_be_repeated(step, policy, cluster, codes) is not False for step, policy in steps)
        return repeated or awaits_exit_code(cluster, codes, self.now())

    def _cancel(self, step: Step, policy: StepPolicy, cluster: Cluster) -> Iterator[WatcherAction]:
        """Cancels a step, and carries out its `on_failure`, which EMR ignores for a cancelled step."""
        self._mark(TIMED_OUT_TAG, step, cluster)
        text = f"step {step.name} ({step.id}) has run for {policy.timeout} s"
        if step.action_on_failure in _TERMINATES and not cluster.termination_protected:
            self.emr.call("TerminateJobFlows", JobFlowIds=[self.cluster_id])
            yield WatcherAction(f"{text}: timeout, the cluster is terminated")
            return
        rest = [] if step.action_on_failure == "CONTINUE" else [one for one in cluster.steps if one.state == "PENDING"]
        # Pending steps first, so that none of them starts when the running step ends. A step may ignore an interrupt.
        answers = cancel_steps(self.emr, self.cluster_id, [*rest, step], force=True)
        pending = sum(one.accepted for one in answers[:-1])
        if answers[-1].accepted:
            yield WatcherAction(f"{text}: timeout, cancelled{f', and {pending} pending' if pending else ''}")
        else:
            # Releases before 5.28 can't cancel a running step: every poll would report that.
            others = f"; {pending} pending are" if pending else ""
            refused = f"{text}: timeout, but it is not cancelled: {answers[-1].reason}{others}"
            yield from self._report_once(refused, f"not cancelled: {step.id}")

    def _repeat(self, step: Step, policy: StepPolicy, cluster: Cluster) -> WatcherAction:
        """Adds a step again, and after it those that EMR has cancelled because it failed."""
        assert cluster.live is not None
        configs = dict(zip((one.id for one in cluster.steps), cluster.live.params["Steps"], strict=True))
        again = [step, *_cancelled_after(step, cluster)]
        steps = [configs[one.id] for one in again]
        # Before it is added, so that the attempts stay bounded even if this process is killed in between.
        self._mark(REPEATED_TAG, step, cluster)
        add("AddJobFlowSteps", {"JobFlowId": self.cluster_id, "Steps": steps}, self.emr, self.cluster_id, self.sleep)
        number = attempts_of(step, cluster) + 1
        others = f", with {number_of(len(again) - 1, 'cancelled step')}" if len(again) > 1 else ""
        return WatcherAction(f"step {step.name}: attempt {number} of {policy.attempts}{others}")

    def _mark(self, tag: str, step: Step, cluster: Cluster) -> None:
        self.emr.call("AddTags", ResourceId=self.cluster_id, Tags=[tag_of_marks(step, cluster.tags, tag)])


def _cancelled_after(step: Step, cluster: Cluster) -> list[Step]:
    """Returns the steps after a failed one that EMR cancelled because of it before they began, each once."""
    if step.action_on_failure == "CONTINUE":
        return []
    later = cluster.steps[cluster.steps.index(step) + 1 :]
    return [one for one in later if cancelled_by(step, one)]
