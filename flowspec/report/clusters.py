"""Lists of clusters as text and plain data: the clusters of an account, and idle clusters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flowspec.backend.aws.manage.inventory import IdleCluster
from flowspec.document.escaping import visible
from flowspec.plan.cluster import FLOW_TAG, SOURCE_TAG, TARGET_TAG, Cluster
from flowspec.plan.sensitive import without_secrets
from flowspec.report.columns import aligned
from flowspec.report.costs import actual_document, idle_amounts, idle_notes, range_document
from flowspec.report.times import utc_text


def table(clusters: Sequence[Cluster]) -> str:
    """Returns one line a cluster."""
    rows = [
        (
            one.id,
            one.state,
            utc_text(one.created, "minutes"),
            *(visible(one.tags.get(tag, "")) for tag in (FLOW_TAG, TARGET_TAG, SOURCE_TAG)),
            visible(one.name),
        )
        for one in map(without_secrets, clusters)
    ]
    return "\n".join(aligned([("CLUSTER", "STATE", "CREATED (UTC)", "FLOW", "TARGET", "SPEC", "NAME"), *rows]))


def idle_table(found: Sequence[IdleCluster]) -> str:
    """Returns one line an idle cluster: since when, how many instances, their hours since then, and what they cost."""
    are_paid = any(one.cost for one in found)
    rows = [
        (
            one.cluster.id,
            utc_text(one.since, "minutes"),
            _span(one.idle),
            ", ".join(f"{count} {visible(kind)}" for kind, count in one.instances.items()),
            f"{sum(one.instance_hours.values()):.1f}",
            *(idle_amounts(one.cost, one.idle_cost) if are_paid else ()),
            visible(cluster.tags.get(FLOW_TAG, "")),
            visible(cluster.name),
        )
        for one, cluster in zip(found, (without_secrets(one.cluster) for one in found), strict=True)
    ]
    paid = ("USD AN HOUR", "USD WHILE IDLE", "USD IN ALL") if are_paid else ()
    head = ("CLUSTER", "IDLE SINCE (UTC)", "FOR", "INSTANCES", "INSTANCE HOURS", *paid, "FLOW", "NAME")
    return "\n".join(
        [*aligned([head, *rows], numbers=range(4, 5 + len(paid))), *idle_notes([one.cost for one in found if one.cost])]
    )


def _span(span: timedelta) -> str:
    """Returns `3 d 4 h`, `4 h 10 min`, `10 min`."""
    minutes = int(span.total_seconds()) // 60
    days, hours = divmod(minutes // 60, 24)
    parts = [f"{days} d"] * bool(days) + [f"{hours} h"] * bool(hours) + [f"{minutes % 60} min"] * (not days)
    return " ".join(parts)


def idle_document(idle: IdleCluster) -> dict[str, Any]:
    """Returns an idle cluster for programs: plain data; the hours are by instance type."""
    return {
        **summary_document(idle.cluster),
        "idle_since": idle.since,
        "idle_seconds": idle.idle.total_seconds(),
        "instances": dict(idle.instances),
        "instance_hours": idle.instance_hours,
        "cost": {**actual_document(idle.cost), "idle": range_document(idle.idle_cost)} if idle.cost else None,
    }


def summary_document(cluster: Cluster) -> dict[str, Any]:
    """Returns a cluster of a list for programs: the members of ListClusters, and the flow named in its tags."""
    cluster = without_secrets(cluster)
    known = ("id", "name", "state", "reason_code", "reason", "created", "ready", "ended")
    of_flow = {"flow": FLOW_TAG, "target": TARGET_TAG, "source": SOURCE_TAG}
    flow_tags = {name: cluster.tags.get(tag) for name, tag in of_flow.items()}
    return {**{name: getattr(cluster, name) for name in known}, "has_ended": cluster.has_ended, **flow_tags}
