"""Warns once when a run that is watched may have cost more than its budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from flowspec.backend.aws.events import ClusterChanged
from flowspec.backend.aws.watch import Event, Watch
from flowspec.cli.output import ewarn
from flowspec.cost.amounts import amount_text
from flowspec.cost.budget import estimate_of, run_budget_hours
from flowspec.errors import FlowspecError
from flowspec.plan.runs.launches import made_by

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr
    from flowspec.cost.estimate import Estimate
    from flowspec.document.job_flow import JobFlow
    from flowspec.plan.cluster import Cluster


def with_budget_warning(
    watch: Watch,
    jobflow: JobFlow,
    cost_of: Callable[[Cluster], Estimate | None],
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> Watch:
    """Returns `watch` with a warning for each cluster that it watches, when that is due.

    It is due when the cluster has lived for longer than `budget.run` lasts at the most that it may cost by the hour, as
    `cost_of` estimates it. On AWS no cost of a running cluster can be read: the bill is hours late.
    """
    if "run" not in jobflow.fields.get("budget", {}):
        return watch

    def watch_and_warn(
        emr: Emr,
        cluster_id: str,
        *,
        steps: Collection[str] | None = None,
        timeout: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Generator[Event, None, None]:
        cluster: Cluster | None = None
        cost: Estimate | None = None
        is_warned = False

        def sleep_and_warn(seconds: float) -> None:
            nonlocal is_warned
            sleep(seconds)
            hours = run_budget_hours(jobflow, cost)
            if cluster and cost and cost.hourly and hours and not is_warned and _hours_of(cluster, now()) > hours:
                is_warned = True
                budget, spent = amount_text(jobflow.fields["budget"]["run"]), amount_text(cost.hourly.high)
                ewarn(
                    f"note: the run may have passed its budget of {budget} USD: "
                    f"cluster {cluster.id} is up for more than {hours:.1f} hours, at up to {spent} USD an hour"
                )

        with closing(watch(emr, cluster_id, steps=steps, timeout=timeout, sleep=sleep_and_warn)) as events:
            for event in events:
                if isinstance(event, ClusterChanged):
                    cluster, cost = event.cluster, cost_of(event.cluster)
                yield event

    return watch_and_warn


def cost_by_request(
    jobflow: JobFlow, request: Mapping[str, Any], fallback: Sequence[Mapping[str, Any]], region: str
) -> Callable[[Cluster], Estimate | None]:
    """Returns a function that estimates a cluster by the request that made it, the flow's or one of its `fallback`.

    Where the prices can't be read, it returns None, and notes the reason once.
    """
    noted: set[str] = set()

    def cost_of(cluster: Cluster) -> Estimate | None:
        try:
            return estimate_of(jobflow, made_by(cluster, request, fallback), region)
        except FlowspecError as error:
            # The user's table of prices is read again when it has changed: a mistake in it must not end the watch.
            if error.message not in noted:
                noted.add(error.message)
                ewarn(f"note: the budget is not watched: {error.message}", secrets=jobflow.secrets)
            return None

    return cost_of


def _hours_of(cluster: Cluster, now: datetime) -> float:
    """Returns how long a run has lasted; 0 for a long-running cluster, which had earlier runs."""
    if cluster.keep_alive or cluster.created is None:
        return 0.0
    return (now - cluster.created).total_seconds() / 3600
