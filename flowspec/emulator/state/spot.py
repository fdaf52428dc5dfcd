"""Applies the spot timeouts of instance fleets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowspec.emulator.state import instances, lifecycle
from flowspec.emulator.state.instances import role
from flowspec.emulator.state.store import Record, Store


def spot_timeouts(store: Store, cluster: Record) -> list[tuple[float, Record]]:
    """Returns the fleets with a spot timeout while the cluster starts: (time of the timeout, fleet), sorted."""
    at = instances.moment(cluster, cluster.created)
    waiting = [
        (at.after(60.0 * specification["TimeoutDurationMinutes"]), fleet)
        for fleet in store.find("fleet", cluster_id=cluster.id)
        if fleet.doc["request"].get("TargetSpotCapacity") and (specification := _spot_specification(fleet))
    ]
    return sorted(waiting, key=lambda pair: (pair[0], pair[1].seq))


def _spot_specification(fleet: Record) -> Mapping[str, Any]:
    found: Mapping[str, Any] = fleet.doc["request"].get("LaunchSpecifications", {}).get("SpotSpecification", {})
    return found


def give_up_spot(store: Store, cluster: Record, fleet: Record) -> None:
    """Applies a fleet's TimeoutAction: terminates the cluster, or switches the fleet to on-demand instances.

    (API reference, SpotProvisioningSpecification.)
    """
    if _spot_specification(fleet)["TimeoutAction"] == "TERMINATE_CLUSTER":
        text = f"The {role(fleet).lower()} instance fleet did not reach its target Spot capacity before the timeout."
        lifecycle.begin_termination(store, cluster, "INSTANCE_FLEET_TIMEOUT", text, with_errors=True)
        return
    for instance in instances.remaining_instances(fleet):
        instance["market"] = "ON_DEMAND"
    store.save(fleet)
