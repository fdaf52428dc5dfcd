"""Compares the budget of a spec with the estimate of its request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flowspec.cost.amounts import Range, amount_text, hours_text, unknown_text
from flowspec.document.text.tree import diagnostics_to_show
from flowspec.errors import SpecError

if TYPE_CHECKING:
    from flowspec.cost.estimate import Estimate
    from flowspec.document.job_flow import JobFlow
    from flowspec.document.text.tree import NodePath
    from flowspec.errors import Diagnostic


def estimate_of(jobflow: JobFlow, params: Mapping[str, Any], region: str | None = None) -> Estimate | None:
    """Estimates a request of a job flow in its region, else the given region; None on this machine, which is free."""
    return _estimate_with_hours(jobflow, params, region) if jobflow.traits.is_paid else None


def _estimate_with_hours(jobflow: JobFlow, params: Mapping[str, Any], region: str | None) -> Estimate:
    # Imported here: the prices take 4 ms, and nothing costs on this machine.
    from flowspec.cost.estimate import estimate

    return replace(estimate(params, jobflow.region or region), hours=_budget(jobflow).get("expected_hours"))


def _budget(jobflow: JobFlow) -> Mapping[str, float]:
    budget: Mapping[str, float] = jobflow.fields.get("budget", {})
    return budget


def over_budget(jobflow: JobFlow, cost: Estimate | None) -> list[Diagnostic]:
    """Returns findings at `budget` if the cluster may cost more; parts without a known price are not counted."""
    return _budget_findings(jobflow, cost, "the cluster", {"hourly": ("budget", "hourly"), "run": ("budget", "run")})


def _budget_findings(
    jobflow: JobFlow, cost: Estimate | None, subject: str, places: Mapping[str, NodePath]
) -> list[Diagnostic]:
    if cost is None or cost.hourly is None:
        return []
    limits = {name: (amount, _budget(jobflow).get(name)) for name, amount in _amounts(cost).items()}
    dearest = max((one for one in cost.parts if one.hourly), key=lambda one: one.hourly.high if one.hourly else 0)
    hint = f"most of it is {dearest.name}: {dearest.size}"
    return [
        jobflow.document.diagnostic("FS620", places[name], _over_budget_message(subject, cost, name, limit), hint=hint)
        for name, (amount, limit) in limits.items()
        if limit is not None and amount.high > limit
    ]


def _amounts(cost: Estimate) -> dict[str, Range]:
    """Returns the known amounts that have a budget, by the budget's name."""
    return {name: amount for name, amount in (("hourly", cost.hourly), ("run", cost.run)) if amount}


def _over_budget_message(subject: str, cost: Estimate, name: str, limit: float) -> str:
    most = f"{'at least ' if cost.unknown else 'up to '}{amount_text(_amounts(cost)[name].high)} USD"
    if name == "run":
        return f"a run of {hours_text(cost.hours or 0)} may cost {most}; the budget is {amount_text(limit)}"
    return f"{subject} may cost {most} an hour; the budget is {amount_text(limit)}"


def refuse_over_budget(
    jobflow: JobFlow, cost: Estimate | None, alternatives: Sequence[Mapping[str, Any]], region: str | None
) -> None:
    """Raises SpecError when the cluster, or one of the `fallback` alternatives, may cost more than the budget."""
    found = over_budget(jobflow, cost)
    if cost is not None:
        for at, one in enumerate(alternatives):
            places = dict.fromkeys(("hourly", "run"), ("fallback", at))
            found += _budget_findings(jobflow, _estimate_with_hours(jobflow, one, region), "this alternative", places)
    if found:
        raise SpecError(diagnostics_to_show([*jobflow.warnings, *found], jobflow.target, jobflow.secrets))


def run_budget_hours(jobflow: JobFlow, cost: Estimate | None) -> float | None:
    """Returns for how many hours the run's budget lasts at the cluster's maximum cost; None without such a budget."""
    run = _budget(jobflow).get("run")
    most = cost.hourly.high if cost and cost.hourly else 0.0
    return run / most if run and most else None


def unchecked_budget_notes(jobflow: JobFlow, cost: Estimate | None) -> list[str]:
    """Returns a sentence on the parts without a price, which the budget was not compared with; none if all have one."""
    if cost is None or not cost.unknown or not {"hourly", "run"} & _budget(jobflow).keys():
        return []
    known = "the budget was checked without what has no price" if cost.hourly else "the budget was not checked"
    return [f"{known}: {unknown_text(cost.unknown, cost.region)}"]


def budget_notes(jobflow: JobFlow, cost: Estimate | None) -> list[str]:
    """Returns sentences on the parts not compared with the budget, and on how long the budget of a run lasts."""
    notes = unchecked_budget_notes(jobflow, cost)
    if cost and not cost.hours and (hours := run_budget_hours(jobflow, cost)):
        most = "less than " if cost.unknown else ""
        notes.append(
            f"the budget of a run, {amount_text(_budget(jobflow)['run'])} USD, lasts for {most}{hours:.1f} hours "
            "of the cluster; a plan checks it if budget.expected_hours says how long a run takes"
        )
    return notes
