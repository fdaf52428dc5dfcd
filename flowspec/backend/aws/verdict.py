"""Judges how a run ended, from all steps and the reason codes, never from the cluster's state alone.

A failed step can leave the cluster plainly TERMINATED (snowplow/dataflow-runner#103), and a cluster that
somebody ended by hand is TERMINATED too.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from flowspec.plan.cluster import Cluster, Step

# botocore shape ClusterStateChangeReasonCode: these say that the cluster, not the work, went wrong.
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
        return _EXIT_CODES[self.value]


_EXIT_CODES = {
    "succeeded": 0,
    "step failed": 4,
    "cluster failed": 5,
    "timed out, still running": 6,
    "cancelled": 7,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, and the step that decided it, if one did."""

    outcome: Outcome
    step: Step | None = None


def is_over(cluster: Cluster, only: Collection[str] | None = None) -> bool:
    """True when there is nothing left to wait for: it has ended, or stays up with all its steps done.

    `only` are the ids of the steps that count (those of one apply on a cluster that lives on); None for all.
    """
    if cluster.has_ended:
        return True
    idle = cluster.state in {"WAITING", "RUNNING"} and all(step.has_ended for step in _counted(cluster, only))
    return cluster.keep_alive and idle


def _counted(cluster: Cluster, only: Collection[str] | None) -> list[Step]:
    return [step for step in cluster.steps if only is None or step.id in only]


def judge(cluster: Cluster, only: Collection[str] | None = None) -> Verdict:
    """Returns the verdict on a cluster that `is_over`; only the steps in `only` count, if given."""
    steps = _counted(cluster, only)
    failed = next((step for step in steps if step.state == "FAILED"), None)
    if cluster.has_ended and cluster.reason_code in _CLUSTER_FAULTS:
        return Verdict(Outcome.CLUSTER_FAILED, failed)
    if failed:
        return Verdict(Outcome.STEP_FAILED, failed)
    if cluster.state == "TERMINATED_WITH_ERRORS":
        return Verdict(Outcome.CLUSTER_FAILED)
    undone = next((step for step in steps if step.state != "COMPLETED"), None)
    return Verdict(Outcome.CANCELLED, undone) if undone else Verdict(Outcome.SUCCEEDED)
