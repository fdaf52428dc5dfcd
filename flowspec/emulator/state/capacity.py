"""Holds the sizes of groups and fleets within the limits of scaling policies.

The emulator has no load metrics, so only the limits of policies take effect: when a cluster becomes ready, and
after every change, a size outside of the limits is set to the nearest limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from flowspec.emulator.state import instances
from flowspec.emulator.state.instances import Moment, role
from flowspec.emulator.state.store import Record, Store
from flowspec.facts.instance_types import fact_of
from flowspec.facts.limits import MAX_INSTANCES


def settle(store: Store, cluster: Record, now: float) -> None:
    """Resizes groups and fleets outside of their policies' limits; does nothing unless the cluster is ready."""
    at = instances.moment(cluster, now)
    if not at.serving:
        return
    groups = instances.of_cluster(store, cluster)
    for group in groups:
        _enforce_constraints(group, at)
    limits = (cluster.doc["managed_scaling"] or {}).get("ComputeLimits")
    if limits:
        _enforce_limits([group for group in groups if role(group) != "MASTER"], limits, at)
    for group in groups:
        store.save(group)


def _enforce_constraints(group: Record, at: Moment) -> None:
    if group.kind != "group" or group.doc["scaling"] is None or group.doc["scaling"]["removed"] is not None:
        return
    bounds, count = group.doc["scaling"]["policy"]["Constraints"], group.doc["request"]["InstanceCount"]
    held = min(max(count, bounds["MinCapacity"]), bounds["MaxCapacity"])
    if held != count:
        instances.resize(group, held, at)


def vcpus(instance_type: str) -> int:
    """Returns the vCPUs of an instance type; 1 for a type that the table lacks."""
    return fact_of(instance_type, "VCPU") or 1


class _Share(NamedTuple):
    """A group, or one market of a fleet, as managed scaling resizes it; `size` and `unit` in the policy's UnitType."""

    role: str
    market: str
    size: int
    unit: int
    resize: Callable[[int], None]

    def change(self, units: int) -> None:
        """Resizes by a number of units, a multiple of `unit`."""
        if units:
            self.resize(self.size + units)


def _enforce_limits(groups: list[Record], limits: Mapping[str, Any], at: Moment) -> None:
    # Core nodes are added first, task nodes removed first (Management Guide, managed scaling: node allocation).
    shares = sorted(_shares(groups, limits["UnitType"], at), key=lambda share: share.role)
    total = sum(share.size for share in shares)
    if total < limits["MinimumCapacityUnits"]:
        _grow(shares, limits["MinimumCapacityUnits"] - total, limits)
    elif total > limits["MaximumCapacityUnits"]:
        _shrink(shares[::-1], total - limits["MaximumCapacityUnits"])


def _shares(groups: list[Record], unit_type: str, at: Moment) -> Iterator[_Share]:
    for group in groups:
        request = group.doc["request"]
        if group.kind == "fleet":
            for market, target in instances.targets(request).items():
                yield _Share(role(group), market, target, 1, _fleet_resizer(group, market, at))
        else:
            unit = vcpus(request["InstanceType"]) if unit_type == "VCPU" else 1
            size = request["InstanceCount"] * unit
            yield _Share(role(group), request["Market"], size, unit, _group_resizer(group, unit, at))


def _group_resizer(group: Record, unit: int, at: Moment) -> Callable[[int], None]:
    return lambda size: instances.resize(group, size // unit, at)


def _fleet_resizer(fleet: Record, market: str, at: Moment) -> Callable[[int], None]:
    return lambda size: instances.resize_fleet(fleet, {market: size}, at)


def _grow(shares: list[_Share], missing: int, limits: Mapping[str, Any]) -> None:
    most = limits["MaximumCapacityUnits"]
    room = most - _size(shares)
    core_room = limits.get("MaximumCoreCapacityUnits", most) - _size(shares, role="CORE")
    on_demand_room = limits.get("MaximumOnDemandCapacityUnits", most) - _size(shares, market="ON_DEMAND")
    for share in shares:
        core, on_demand = share.role == "CORE", share.market == "ON_DEMAND"
        bounds = (
            room,
            core_room if core else room,
            on_demand_room if on_demand else room,
            MAX_INSTANCES * share.unit - share.size,
        )
        steps = max(0, min(math.ceil(missing / share.unit), *(bound // share.unit for bound in bounds)))
        grown = steps * share.unit
        share.change(grown)
        missing -= grown
        room -= grown
        core_room -= grown if core else 0
        on_demand_room -= grown if on_demand else 0


def _size(shares: list[_Share], *, role: str = "", market: str = "") -> int:
    return sum(share.size for share in shares if role in ("", share.role) and market in ("", share.market))


def _shrink(shares: list[_Share], excess: int) -> None:
    core = _size(shares, role="CORE")
    for share in shares:
        # HDFS needs one core node, even if the policy's limit is lower.
        spare = min(share.size, core - share.unit) if share.role == "CORE" else share.size
        steps = min(math.ceil(max(excess, 0) / share.unit), max(spare, 0) // share.unit)
        removed = steps * share.unit
        share.change(-removed)
        excess -= removed
