"""Writes the cost of a run as the texts of a report."""

from __future__ import annotations

from dataclasses import dataclass

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.spending import spent
from flowspec.cost.amounts import unknown_text
from flowspec.plan.cluster import Cluster
from flowspec.report.costs import aged_prices_of


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a run as texts: the total, rows of a name and an amount, and sentences on what they rest on."""

    total: str
    rows: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def cost_so_far(emr: Emr, cluster: Cluster) -> Cost | None:
    """Returns the cost of a cluster's instances by the hours they lived; None on this machine, where nothing is paid.

    Raises ServiceError when EMR refuses to list them.
    """
    if emr.endpoint.backend == "local":
        return None
    paid = spent(emr, cluster.id)
    notes = [f"Not in it: {unknown_text(paid.unknown, paid.region)}."] if paid.unknown else []
    if paid.origins:
        notes.append(f"By on-demand {aged_prices_of(paid.origins)}; what was paid is on the bill.")
    total = "not known" if paid.amount is None else f"{'at least ' if paid.unknown else ''}{paid.amount} USD"
    rows = (("Instances", str(paid.instances)), ("Instance hours", f"{paid.hours:.2f}"))
    return Cost(total, rows, tuple(notes))
