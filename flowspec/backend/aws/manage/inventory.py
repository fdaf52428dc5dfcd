"""Lists clusters by state, time, name and tag; finds idle clusters that flowspec started."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatchcase
from typing import NamedTuple

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.manage.ending import destroy
from flowspec.backend.aws.observe import describe, last_activity, summaries
from flowspec.backend.aws.spending import cost_of
from flowspec.cost.actual import ActualCost
from flowspec.cost.amounts import Range
from flowspec.errors import FlowspecError, ServiceError
from flowspec.facts.states import ALIVE
from flowspec.plan.cluster import FLOW_TAG, Cluster, age


class Listing(NamedTuple):
    """Clusters, oldest first, with their tags; `unread` is the number of older ones that were not read."""

    clusters: tuple[Cluster, ...]
    unread: int = 0


def list_clusters(
    emr: Emr,
    *,
    states: Iterable[str] = ALIVE,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    name: str = "*",
    tags: Mapping[str, str | None] | None = None,
    limit: int | None = None,
) -> Listing:
    """Lists the clusters that have one of these states, were created in this time, and have this name and these tags.

    `name` is a pattern with `*`, `?` and `[…]`; a tag with the value None must be there with any value. ListClusters
    returns no tags, so each cluster is described: with a `limit`, from the newest on, until so many are found.
    """
    found = summaries(emr, states, created_after=created_after, created_before=created_before)
    newest = sorted((one for one in found if fnmatchcase(one.name, name)), key=age, reverse=True)
    clusters: list[Cluster] = []
    for number, summary in enumerate(newest):
        if limit is not None and len(clusters) == limit:
            return Listing(tuple(clusters[::-1]), len(newest) - number)
        cluster = _read_tags(emr, summary)
        if _has_tags(cluster, tags or {}):
            clusters.append(cluster)
    return Listing(tuple(clusters[::-1]))


def _read_tags(emr: Emr, summary: Cluster) -> Cluster:
    try:
        return describe(emr, summary.id, steps=False)
    except ServiceError:
        raise
    except FlowspecError:
        # EMR deleted its record in the meantime, two months after its end.
        return summary


def _has_tags(cluster: Cluster, tags: Mapping[str, str | None]) -> bool:
    return all(key in cluster.tags and value in (None, cluster.tags[key]) for key, value in tags.items())


class IdleCluster(NamedTuple):
    """An idle cluster: since when it is idle, and how many instances of which type it keeps running.

    `cost` is what its instances have cost so far, and what they cost per hour; None on this machine, where nothing is
    paid.
    """

    cluster: Cluster
    since: datetime
    idle: timedelta
    instances: Mapping[str, int]
    cost: ActualCost | None = None

    @property
    def idle_cost(self) -> Range | None:
        """The cost of the time that it has been idle, by its instances of now; None if no price of them is known."""
        return self.cost.hourly.times(self.idle.total_seconds() / 3600) if self.cost and self.cost.hourly else None

    @property
    def instance_hours(self) -> dict[str, float]:
        """The hours that its instances have been idle, by type."""
        hours = self.idle.total_seconds() / 3600
        return {kind: count * hours for kind, count in self.instances.items()}


def idle_clusters(emr: Emr, *, at_least: timedelta = timedelta(), now: datetime | None = None) -> list[IdleCluster]:
    """Returns the clusters that flowspec made and that have nothing to do for `at_least` that long, longest first.

    A cluster is idle since its last step ended, or since it was ready. Sends ListClusters, and for each waiting
    cluster DescribeCluster; for each of ours ListSteps (one page), ListInstances and, on AWS, ListInstanceGroups.
    """
    now = now or datetime.now(timezone.utc)
    waiting = list_clusters(emr, states=["WAITING"], tags={FLOW_TAG: None}).clusters
    since = [(one, last_activity(emr, one)) for one in waiting]
    # EMR's clock may be ahead of this machine's.
    idle = [(one, start, max(now - start, timedelta())) for one, start in since if start]
    found = [_with_instances(emr, IdleCluster(*one, {}), now) for one in idle if one[-1] >= at_least]
    return sorted(found, key=lambda one: one.since)


def _with_instances(emr: Emr, idle: IdleCluster, now: datetime) -> IdleCluster:
    instances = list(emr.pages("ListInstances", "Instances", ClusterId=idle.cluster.id))
    running = [one for one in instances if one.get("Status", {}).get("State") == "RUNNING"]
    counts = Counter(str(one.get("InstanceType", "unknown")) for one in running)
    cost = cost_of(emr, idle.cluster.id, instances, now) if emr.endpoint.traits.is_paid else None
    return idle._replace(instances=dict(sorted(counts.items())), cost=cost)


def end_idle(emr: Emr, idle: IdleCluster, *, unprotect: bool = False) -> bool:
    """Terminates an idle cluster, unless it has received work since it was read; returns True if it was terminated.

    Raises FlowspecError when it is protected and `unprotect` is false.
    """
    cluster = describe(emr, idle.cluster.id, steps=False)
    if cluster.state != "WAITING" or last_activity(emr, cluster) != idle.since:
        return False
    destroy(emr, cluster, unprotect=unprotect)
    return True
