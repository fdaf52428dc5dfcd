"""Warns once when a run that is watched may have cost more than its budget."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from flowspec.cli.output import ewarn
from flowspec.cost.amounts import amount_text
from flowspec.cost.budget import run_budget_hours
from flowspec.errors import FlowspecError

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr
    from flowspec.cost.estimate import Estimate
    from flowspec.document.job_flow import JobFlow
    from flowspec.plan.cluster import Cluster


def with_budget_warning(  # noqa: PLR0917 - each is another thing
    sleep: Callable[[float], None],
    emr: Emr,
    cluster_id: str,
    jobflow: JobFlow,
    cost: Estimate | None,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> Callable[[float], None]:
    """Returns `sleep`, which a watcher calls between two looks, with a warning after it when that is due.

    It is due when the cluster has lived for longer than `budget.run` lasts at the most that it may cost by the hour. On
    AWS no cost of a running cluster can be read: the bill is hours late.
    """
    hours = run_budget_hours(jobflow, cost)
    if hours is None or cost is None or cost.hourly is None:
        return sleep
    spent, budget = amount_text(cost.hourly.high), amount_text(jobflow.fields["budget"]["run"])
    text = (
        f"note: the run may have passed its budget of {budget} USD: "
        f"cluster {cluster_id} is up for more than {hours:.1f} hours, at up to {spent} USD an hour"
    )
    cluster: Cluster | None = None
    is_settled = False

    def sleep_and_warn(seconds: float) -> None:
        nonlocal cluster, is_settled
        sleep(seconds)
        if is_settled:
            return
        cluster = cluster or _read(emr, cluster_id)
        if cluster and (cluster.keep_alive or cluster.created is None):
            # It has had other runs before this one.
            is_settled = True
        elif cluster and cluster.created and (now() - cluster.created).total_seconds() / 3600 > hours:
            ewarn(text)
            is_settled = True

    return sleep_and_warn


def _read(emr: Emr, cluster_id: str) -> Cluster | None:
    """The cluster; None where it can't be read now: the next look tries again."""
    from flowspec.backend.aws.observe import describe

    try:
        return describe(emr, cluster_id, steps=False)
    except FlowspecError:
        return None
