"""Warns once when a run that is watched may have cost more than its budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator
from contextlib import closing
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from flowspec.backend.aws.watch import ClusterChanged, Event, Watch
from flowspec.cli.output import ewarn
from flowspec.cost.amounts import amount_text
from flowspec.cost.budget import run_budget_hours

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr
    from flowspec.cost.estimate import Estimate
    from flowspec.document.job_flow import JobFlow
    from flowspec.plan.cluster import Cluster


def with_budget_warning(
    watch: Watch,
    jobflow: JobFlow,
    cost: Estimate | None,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> Watch:
    """Returns `watch` with a warning for each cluster that it watches, when that is due.

    It is due when the cluster has lived for longer than `budget.run` lasts at the most that it may cost by the hour. On
    AWS no cost of a running cluster can be read: the bill is hours late.
    """
    hours = run_budget_hours(jobflow, cost)
    if hours is None or cost is None or cost.hourly is None:
        return watch
    spent, budget = amount_text(cost.hourly.high), amount_text(jobflow.fields["budget"]["run"])

    def watch_and_warn(
        emr: Emr,
        cluster_id: str,
        *,
        steps: Collection[str] | None = None,
        timeout: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Generator[Event, None, None]:
        cluster: Cluster | None = None
        is_warned = False

        def sleep_and_warn(seconds: float) -> None:
            nonlocal is_warned
            sleep(seconds)
            if cluster and not is_warned and _hours_of(cluster, now()) > hours:
                is_warned = True
                ewarn(
                    f"note: the run may have passed its budget of {budget} USD: "
                    f"cluster {cluster.id} is up for more than {hours:.1f} hours, at up to {spent} USD an hour"
                )

        with closing(watch(emr, cluster_id, steps=steps, timeout=timeout, sleep=sleep_and_warn)) as events:
            for event in events:
                cluster = event.cluster if isinstance(event, ClusterChanged) else cluster
                yield event

    return watch_and_warn


def _hours_of(cluster: Cluster, now: datetime) -> float:
    """How long a run is up; 0 for a cluster that lives on, which has had other runs before this one."""
    if cluster.keep_alive or cluster.created is None:
        return 0.0
    return (now - cluster.created).total_seconds() / 3600
