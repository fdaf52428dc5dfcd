"""Cancels steps, and reports which of them EMR does not cancel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.observe import describe_step
from flowspec.facts.limits import MAX_STEPS
from flowspec.plan.cluster import Step

# The states of a step that may be cancelled, or is being cancelled.
_CANCELLED = frozenset({"CANCEL_PENDING", "CANCELLED"})


@dataclass(frozen=True, slots=True)
class CancelledStep:
    """EMR's answer about one step: whether EMR cancels it, and if not, why."""

    id: str
    name: str
    accepted: bool
    reason: str = ""


def cancel_steps(emr: Emr, cluster_id: str, steps: Sequence[Step], *, force: bool = False) -> tuple[CancelledStep, ...]:
    """Cancels these steps; returns EMR's answer on each, in their order.

    Steps that have ended are not sent: when the cluster has ended, EMR refuses the call as a whole.
    """
    option = {"StepCancellationOption": "TERMINATE_PROCESS"} if force else {}
    answers = {one.id: (False, f"Cannot cancel a step that is {one.state}.") for one in steps if one.has_ended}
    open_ids = [one.id for one in steps if not one.has_ended]
    for start in range(0, len(open_ids), MAX_STEPS):
        ids = open_ids[start : start + MAX_STEPS]
        answer = emr.call("CancelSteps", ClusterId=cluster_id, StepIds=ids, **option)
        for info in answer.get("CancelStepsInfoList", ()):
            answers[info["StepId"]] = (info.get("Status") == "SUBMITTED", info.get("Reason", ""))
    return tuple(
        _cancellation_result(emr, cluster_id, one, *answers.get(one.id, (False, "EMR gave no answer"))) for one in steps
    )


def _cancellation_result(emr: Emr, cluster_id: str, step: Step, accepted: bool, reason: str) -> CancelledStep:
    # EMR refuses a call that was repeated after a lost answer, because the first call took effect.
    if not accepted and not step.has_ended and describe_step(emr, cluster_id, step.id).state in _CANCELLED:
        accepted, reason = True, ""
    return CancelledStep(step.id, step.name, accepted, reason)
