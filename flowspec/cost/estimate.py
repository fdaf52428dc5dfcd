"""The cost of a compiled request by the hour, without a call: from the least to the most that it may be.

Groups cost their count; under a scaling policy, from its least to its most instances. A fleet costs its targets, in
the cheapest of its types to the dearest: which one EMR takes depends on what is free. A spot instance costs from
`facts.prices.SPOT_SHARE` of the on-demand price to its bid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from flowspec.cost.amounts import Range, total
from flowspec.cost.instance import Hourly, instance_hourly, volumes_of
from flowspec.facts.instance_types import fact_of
from flowspec.facts.prices import priced_regions
from flowspec.request.instances import expand_shorthand, group_address, market_of

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CostPart:
    """A part of a cluster: `size` in words ("2 to 10 x m5.xlarge"), its `hourly` price, None if it is not known."""

    name: str
    size: str
    hourly: Range | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """The cost by the hour of a cluster in a region, of what is known of it.

    `unknown` names what is not in it. `dates` are when the prices were looked up, the oldest first (ISO 8601).
    """

    region: str
    parts: tuple[CostPart, ...] = ()
    unknown: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()

    @property
    def hourly(self) -> Range | None:
        """The sum of the parts that are known; None if none is."""
        known = [one.hourly for one in self.parts if one.hourly is not None]
        return total(known) if known else None


@dataclass(frozen=True, slots=True)
class _Offer:
    """An instance type that a part may consist of; `units` is what an instance counts for, for the target."""

    instance_type: str
    hourly: Hourly
    units: int = 1

    def cost(self, target: int) -> Range | None:
        return self.hourly.price.times(ceil(target / self.units)) if self.hourly.price else None


@dataclass(frozen=True, slots=True)
class _Machines:
    """A group, or the on-demand or spot part of a fleet: its offers, and from how many units to how many."""

    name: str
    role: str
    offers: Sequence[_Offer]
    least: int
    most: int

    @property
    def size(self) -> str:
        count = f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"
        types = ", ".join(dict.fromkeys(one.instance_type for one in self.offers))
        weighted = any(one.units != 1 for one in self.offers)
        return f"{count} {'units of' if weighted else 'x'} {types}"

    def hourly(self) -> Range | None:
        """The range over all offers whose price is known, and all sizes."""
        least = [cost for one in self.offers if (cost := one.cost(self.least))]
        most = [cost for one in self.offers if (cost := one.cost(self.most))]
        return Range(min(one.low for one in least), max(one.high for one in most)) if most else None


def estimate(params: Json, region: str | None) -> Estimate:
    """Estimates the hourly cost of the cluster that the parameters of RunJobFlow ask for, in a region."""
    if region not in priced_regions():
        reason = f"prices of region {region}" if region else "the region, and so its prices"
        return Estimate(region or "", unknown=(reason,))
    machines = list(_machines(params, region))
    parts = [CostPart(one.name, one.size, one.hourly()) for one in _scaled(params, machines)]
    offers = [(one.name, offer.hourly) for one in machines for offer in one.offers]
    unknown = [f"{what} ({name})" for name, hourly in offers for what in hourly.unknown]
    dates = sorted({date for _, hourly in offers for date in hourly.dates})
    return Estimate(region, tuple(parts), tuple(dict.fromkeys(unknown)), tuple(dates))


def _machines(params: Json, region: str) -> Iterator[_Machines]:
    instances = expand_shorthand(params)["Instances"]
    for group in instances.get("InstanceGroups", ()):
        limits = (group.get("AutoScalingPolicy") or {}).get("Constraints", {})
        count = group.get("InstanceCount", 0)
        offer = _offer(params, region, group, {**group, "Market": market_of(group)})
        name = group_address(group)
        least, most = limits.get("MinCapacity", count), limits.get("MaxCapacity", count)
        yield _Machines(name, group["InstanceRole"], [offer], least, most)
    for fleet in instances.get("InstanceFleets", ()):
        yield from _fleet(params, region, fleet)


def _fleet(params: Json, region: str, fleet: Json) -> Iterator[_Machines]:
    role = fleet["InstanceFleetType"]
    for member, market in (("TargetOnDemandCapacity", "ON_DEMAND"), ("TargetSpotCapacity", "SPOT")):
        target = fleet.get(member, 0)
        # Managed scaling may buy either, with a target of 0 too.
        if target or (role != "MASTER" and _compute_limits(params)):
            configs = fleet.get("InstanceTypeConfigs", ())
            offers = [_offer(params, region, one, {**one, "Market": market}) for one in configs]
            name = f"instance fleet {role}, {market.replace('_', '-').lower()}"
            yield _Machines(name, role, offers, target, target)


def _offer(params: Json, region: str, machine: Json, market: Json) -> _Offer:
    instance_type = machine["InstanceType"]
    hourly = instance_hourly(region, instance_type, market=market, volumes=volumes_of(params, machine))
    # A type with weight 0 is bought by nobody; EMR refuses it later.
    return _Offer(instance_type, hourly, machine.get("WeightedCapacity") or 1)


def _compute_limits(params: Json) -> Json:
    limits: Json = (params.get("ManagedScalingPolicy") or {}).get("ComputeLimits", {})
    return limits


def _scaled(params: Json, machines: Iterable[_Machines]) -> Iterator[_Machines]:
    """The machines; under managed scaling those of core and task as one part, whose limits are for all together."""
    limits = _compute_limits(params)
    workers = [one for one in machines if limits and one.role != "MASTER"]
    yield from (one for one in machines if one not in workers)
    if workers:
        unit = limits.get("UnitType")
        offers = [_counted(offer, unit) for one in workers for offer in one.offers]
        least, most = limits.get("MinimumCapacityUnits", 0), limits.get("MaximumCapacityUnits", 0)
        yield _Machines("core and task instances, managed scaling", "", offers, least, most)


def _counted(offer: _Offer, unit: str | None) -> _Offer:
    """The offer in the units of managed scaling: instances, virtual CPUs (as EMR counts them), or a fleet's weights."""
    if unit == "InstanceFleetUnits":
        return offer
    units = fact_of(offer.instance_type, "VCPU") or 1 if unit == "VCPU" else 1
    return _Offer(offer.instance_type, offer.hourly, units)
