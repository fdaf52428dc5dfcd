"""Writes the cost of a run as the texts of a report."""

from __future__ import annotations

from flowspec.cost.actual import ActualCost
from flowspec.cost.amounts import unknown_text
from flowspec.inspection.run_facts import Cost
from flowspec.report.costs import aged_prices_of, lower_bound_words


def cost_texts(paid: ActualCost) -> Cost:
    """Returns the cost of a cluster's instances, by the hours that they lived, as texts."""
    notes = [f"Not in it: {unknown_text(paid.unknown, paid.region)}."] if paid.unknown else []
    if paid.origins:
        notes.append(f"By on-demand {aged_prices_of(paid.origins)}; what was paid is on the bill.")
    total = "not known" if paid.amount is None else f"{lower_bound_words(paid)}{paid.amount} USD"
    rows = (("Instances", str(paid.instances)), ("Instance hours", f"{paid.hours:.2f}"))
    return Cost(total, rows, tuple(notes))
