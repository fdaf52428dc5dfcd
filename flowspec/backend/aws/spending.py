"""Reads the instances of a cluster, and what they have cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from flowspec.cost.actual import ActualCost, actual_cost

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr


def spent(emr: Emr, cluster_id: str, now: datetime | None = None) -> ActualCost:
    """Returns the cost of a cluster's instances so far; live or ended. Calls ListInstances and ListInstanceGroups.

    Raises ServiceError when EMR refuses.
    """
    return cost_of(emr, cluster_id, list(emr.pages("ListInstances", "Instances", ClusterId=cluster_id)), now)


def cost_of(
    emr: Emr, cluster_id: str, instances: Sequence[Mapping[str, Any]], now: datetime | None = None
) -> ActualCost:
    """Returns the cost so far of a cluster's instances, as ListInstances gives them. Calls ListInstanceGroups."""
    # The volumes of a fleet depend on the type that was bought, and ListInstances does not tell them.
    grouped = any(one.get("InstanceGroupId") for one in instances)
    owners = emr.pages("ListInstanceGroups", "InstanceGroups", ClusterId=cluster_id) if grouped else ()
    volumes = {one["Id"]: list(_volumes(one)) for one in owners}
    return actual_cost(instances, emr.region, now or datetime.now(timezone.utc), volumes)


def _volumes(owner: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yields the volumes of each instance of a group."""
    for one in owner.get("EbsBlockDevices", ()):
        yield one["VolumeSpecification"]
