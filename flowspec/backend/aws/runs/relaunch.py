"""Launches a flow again whose cluster failed before a step ran: by an alternative if capacity was missing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.submission.apply import Applied, apply
from flowspec.plan.changes import Plan
from flowspec.plan.cluster import Cluster
from flowspec.plan.runs.launches import launch_line, next_launch, size


@dataclass(slots=True)
class Launches:
    """The launches of one plan; `failed` has a line for each that failed and was followed by another."""

    plan: Plan
    emr: Emr
    notify: Callable[[str], None] = lambda _: None
    sleep: Callable[[float], None] = time.sleep
    failed: list[str] = field(default_factory=list)

    def next_plan(self, cluster: Cluster) -> Plan | None:
        """Returns the plan of the next launch; None if the cluster's end is no reason for it, or all were tried."""
        return next_launch(self.plan, cluster, len(self.failed) + 1)

    def relaunch(self, cluster: Cluster) -> Applied | None:
        """Launches again if the cluster's end is a reason to, and something is left to try; else returns None.

        Raises as `apply` does.
        """
        plan = self.next_plan(cluster)
        if plan is None:
            return None
        self.failed.append(launch_line(cluster, size(self.plan.request)))
        self.notify(self.failed[-1])
        applied = apply(plan, self.emr, notify=self.notify, sleep=self.sleep)
        self.notify(f"launched again: cluster {applied.cluster_id}")
        return applied
