"""The budget of a spec, held against the estimate of its request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowspec.cost.amounts import amount_text
from flowspec.document.tree import settle
from flowspec.errors import SpecError

if TYPE_CHECKING:
    from flowspec.cost.estimate import Estimate
    from flowspec.document.job_flow import JobFlow
    from flowspec.document.tree import NodePath
    from flowspec.errors import Diagnostic
    from flowspec.request.compile import Request


def estimate_of(jobflow: JobFlow, request: Request, region: str | None = None) -> Estimate | None:
    """The estimate of a job flow's request in its region, else in the one given; None on this machine: it is free."""
    if jobflow.backend != "emr":
        return None
    # Imported here: the prices take 4 ms, and nothing costs on this machine.
    from flowspec.cost.estimate import estimate

    return estimate(request.params, jobflow.region or region)


def over_budget(jobflow: JobFlow, cost: Estimate | None) -> Diagnostic | None:
    """A finding at `budget`, when the cluster may cost more by the hour than that; what is not known is not counted."""
    return _over(jobflow, cost, ("budget", "hourly"), "the cluster")


def _over(jobflow: JobFlow, cost: Estimate | None, at: NodePath, subject: str) -> Diagnostic | None:
    hourly = jobflow.fields.get("budget", {}).get("hourly")
    if hourly is None or cost is None or cost.hourly is None or cost.hourly.high <= hourly:
        return None
    most = f"{'at least ' if cost.unknown else 'up to '}{amount_text(cost.hourly.high)}"
    dearest = max((one for one in cost.parts if one.hourly), key=lambda one: one.hourly.high if one.hourly else 0)
    message = f"{subject} may cost {most} USD an hour; the budget is {amount_text(hourly)}"
    hint = f"most of it is {dearest.name}: {dearest.size}"
    return jobflow.document.diagnostic("FS620", at, message, hint=hint)


def refuse_over_budget(
    jobflow: JobFlow, cost: Estimate | None, alternatives: Sequence[Mapping[str, Any]] = (), region: str | None = None
) -> None:
    """Raises SpecError when the cluster, or one of the `fallback` alternatives, may cost more than the budget."""
    found = [over_budget(jobflow, cost)]
    if cost is not None:
        from flowspec.cost.estimate import estimate

        costs = [estimate(one, jobflow.region or region) for one in alternatives]
        found += [_over(jobflow, one, ("fallback", at), "this alternative") for at, one in enumerate(costs)]
    if over := [one for one in found if one]:
        raise SpecError(settle([*jobflow.warnings, *over], jobflow.target, jobflow.secrets))


def unchecked_budget(jobflow: JobFlow, cost: Estimate | None) -> str:
    """A sentence on what the budget was not held against; "" if there is no budget, or all of the cost is known."""
    if "hourly" not in jobflow.fields.get("budget", {}) or cost is None or not cost.unknown:
        return ""
    return f"the budget was checked without what is not known: {', '.join(cost.unknown)}"
