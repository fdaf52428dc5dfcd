"""How it ended. Judged from all steps and the reason codes, never from the cluster's state alone.

A failed step can leave the cluster plainly TERMINATED (snowplow/dataflow-runner#103), and a cluster that
somebody ended by hand is TERMINATED too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from flowspec.plan.cluster import Cluster, Step

# botocore shape ClusterStateChangeReasonCode: these say that the cluster, not the work, went wrong.
_CLUSTER_FAULTS = frozenset(
    {"INTERNAL_ERROR", "VALIDATION_ERROR", "INSTANCE_FAILURE", "INSTANCE_FLEET_TIMEOUT", "BOOTSTRAP_FAILURE"}
)


class Outcome(str, Enum):
    """What is said of a run; each has its own exit code (flowspec.cli)."""

    SUCCEEDED = "succeeded"
    STEP_FAILED = "step failed"
    CLUSTER_FAILED = "cluster failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed out, still running"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, and the step that decided it, if one did."""

    outcome: Outcome
    step: Step | None = None


def is_over(cluster: Cluster) -> bool:
    """Whether there is nothing left to wait for: it has ended, or stays up with all its steps done."""
    if cluster.has_ended:
        return True
    idle = cluster.state in {"WAITING", "RUNNING"} and all(step.has_ended for step in cluster.steps)
    return cluster.keep_alive and idle


def judge(cluster: Cluster) -> Verdict:
    """The verdict on a cluster that `is_over`."""
    failed = next((step for step in cluster.steps if step.state == "FAILED"), None)
    if cluster.has_ended and cluster.reason_code in _CLUSTER_FAULTS:
        return Verdict(Outcome.CLUSTER_FAILED, failed)
    if failed:
        return Verdict(Outcome.STEP_FAILED, failed)
    if cluster.state == "TERMINATED_WITH_ERRORS":
        return Verdict(Outcome.CLUSTER_FAILED)
    undone = next((step for step in cluster.steps if step.state != "COMPLETED"), None)
    return Verdict(Outcome.CANCELLED, undone) if undone else Verdict(Outcome.SUCCEEDED)
