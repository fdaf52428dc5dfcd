"""Judges how a run ended, from all steps and the reason codes, never from the cluster's state alone.

A failed step can leave the cluster plainly TERMINATED (snowplow/dataflow-runner#103), and a cluster that
somebody ended by hand is TERMINATED too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import Enum
from typing import NamedTuple

from flowspec.facts import states
from flowspec.plan.cluster import Cluster, Step

# botocore shape ClusterStateChangeReasonCode: with these codes the cluster itself failed, not its steps.
_CLUSTER_FAULTS = frozenset(
    {"INTERNAL_ERROR", "VALIDATION_ERROR", "INSTANCE_FAILURE", "INSTANCE_FLEET_TIMEOUT", "BOOTSTRAP_FAILURE"}
)


class Outcome(str, Enum):
    """The outcome of a run; each outcome has its own exit code (flowspec.cli)."""

    SUCCEEDED = "succeeded"
    STEP_FAILED = "step failed"
    CLUSTER_FAILED = "cluster failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed out, still running"

    @property
    def exit_code(self) -> int:
        """The exit code of a command whose run ended so."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Outcome.SUCCEEDED: 0,
    Outcome.STEP_FAILED: 4,
    Outcome.CLUSTER_FAILED: 5,
    Outcome.TIMED_OUT: 6,
    Outcome.CANCELLED: 7,
}


class Verdict(NamedTuple):
    """The outcome, and the step that decided it, if one did."""

    outcome: Outcome
    step: Step | None = None


def is_over(cluster: Cluster, only: Collection[str] | None = None) -> bool:
    """Returns True when nothing is left to wait for: the cluster has ended, or all steps of a running one are done.

    `only` are the ids of the steps that count (those of one apply on a long-running cluster); None for all.
    """
    if cluster.has_ended:
        return True
    idle = cluster.state in states.READY and all(step.has_ended for step in counted_steps(cluster, only))
    return cluster.keep_alive and idle


def counted_steps(cluster: Cluster, only: Collection[str] | None) -> list[Step]:
    """Returns the steps of a cluster that count: all, or those with the ids in `only`."""
    return [step for step in cluster.steps if only is None or step.id in only]


def judge(cluster: Cluster, only: Collection[str] | None = None) -> Verdict:
    """Returns the verdict on a cluster that `is_over`; only the steps in `only` count, if given.

    A state that this version does not know is never taken for success.
    """
    steps = counted_steps(cluster, only)
    by_steps = judge_steps(steps)
    failed = by_steps.step if by_steps.outcome is Outcome.STEP_FAILED else None
    if cluster.has_ended and cluster.reason_code in _CLUSTER_FAULTS:
        return Verdict(Outcome.CLUSTER_FAILED, failed)
    if (
        not failed
        and cluster.has_ended
        and cluster.state != "TERMINATED"
        and not _ended_by_another(cluster, steps, only)
    ):
        return Verdict(Outcome.CLUSTER_FAILED)
    return by_steps


def judge_steps(steps: Sequence[Step]) -> Verdict:
    """Returns the verdict on ended steps: a failed step takes precedence over one that did not run to its end."""
    if failed := next((step for step in steps if _has_failed(step)), None):
        return Verdict(Outcome.STEP_FAILED, failed)
    undone = next((step for step in steps if step.state != "COMPLETED"), None)
    return Verdict(Outcome.CANCELLED, undone) if undone else Verdict(Outcome.SUCCEEDED)


def failure_of(cluster: Cluster) -> Verdict | None:
    """Returns the verdict on an ended cluster without success, or on a failed step of a running one; else None."""
    failed = [step for step in cluster.steps if step.state == "FAILED"]
    if not cluster.has_ended:
        return Verdict(Outcome.STEP_FAILED, failed[-1]) if failed else None
    verdict = judge(cluster)
    return None if verdict.outcome is Outcome.SUCCEEDED else verdict


def _has_failed(step: Step) -> bool:
    """Returns True for a failed step, and for a step that ended in an unknown state."""
    known = step.state in {*states.ACTIVE_STEPS, *states.ENDED_STEPS}
    return step.state == "FAILED" or (step.has_ended and not known)


def _ended_by_another(cluster: Cluster, steps: Collection[Step], only: Collection[str] | None) -> bool:
    """Returns True if all steps that count were done before another user's step ended a long-running cluster."""
    done = bool(steps) and all(step.state == "COMPLETED" for step in steps)
    return only is not None and done and cluster.state in states.ENDED and cluster.reason_code == "STEP_FAILURE"
