"""Estimates the hourly cost of a compiled request offline, as a range.

A group has as many instances as its count; under a scaling policy, from the policy's minimum to its maximum. A fleet
costs its target capacity, in the cheapest to the most expensive mix of its types: EMR takes those that are available. A
spot instance costs from `facts.prices.SPOT_SHARE` of the on-demand price up to its bid, or up to the on-demand price in
a fleet that may switch to it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, inf

from flowspec.cost.amounts import Range, total
from flowspec.cost.instance import Hourly, has_volumes, instance_hourly, volumes_of
from flowspec.facts.api_model import JsonView
from flowspec.facts.instance_types import fact_of, is_known_type
from flowspec.facts.price_table import Origin
from flowspec.facts.prices import priced_regions
from flowspec.request.instances import expand_shorthand, group_address, market_of


@dataclass(frozen=True, slots=True)
class CostPart:
    """A part of a cluster: `size` in words ("2 to 10 x m5.xlarge"), its `hourly` price, None if it is not known."""

    name: str
    size: str
    hourly: Range | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """The cost by the hour of a cluster in a region, of what is known of it.

    `unknown` names what is not in it. `origins` are where the prices are from, the oldest first. `hours` is how long a
    run is expected to take, from the start of its cluster to the end; None if nobody said so.
    """

    region: str
    parts: tuple[CostPart, ...] = ()
    unknown: tuple[str, ...] = ()
    origins: tuple[Origin, ...] = ()
    hours: float | None = None

    @property
    def hourly(self) -> Range | None:
        """The sum of the parts that are known; None if none is."""
        known = [one.hourly for one in self.parts if one.hourly is not None]
        return total(known) if known else None

    @property
    def run(self) -> Range | None:
        """The cost of a run of the expected length; None if that, or the hourly cost, is not known."""
        return self.hourly.times(self.hours) if self.hourly and self.hours else None


@dataclass(frozen=True, slots=True)
class _Offer:
    """An instance type that a part may consist of; `units` is what an instance counts for, for the target."""

    instance_type: str
    hourly: Hourly
    units: int = 1
    is_spot: bool = False


_EXACT_UNITS = 2_000
"""Up to so many units of a fleet, all mixes of its types are computed: 0.1 s for 50 types."""


def _cost(offers: Iterable[_Offer], target: int) -> Range | None:
    """Returns the costs of the cheapest and the dearest way to have `target` units, of one offer or of several.

    None without a price.

    A mix may have more than `target` units, but no instance that could be left out.
    """
    known = [(one.units, one.hourly.price) for one in offers if one.hourly.price]
    if not known:
        return None
    if target <= 0:
        return Range()
    if len(known) == 1:
        units, price = known[0]
        return price.times(ceil(target / units))
    if target > _EXACT_UNITS:
        least = target * min(price.low / units for units, price in known)
        most = (target - 1) * max(price.high / units for units, price in known)
        return Range(least, most + max(price.high for _, price in known))
    low, high = [0.0, *[inf] * target], [0.0, *[-inf] * target]
    # The smallest last, so that no mix is large enough without one of its instances.
    for units, price in sorted(known, key=lambda one: one[0]):
        for missing in range(1, target + 1):
            rest = max(0, missing - units)
            low[missing] = min(low[missing], price.low + low[rest])
            high[missing] = max(high[missing], price.high + high[rest])
    return Range(low[target], high[target])


@dataclass(frozen=True, slots=True)
class _Machines:
    """A group, or the on-demand or spot part of a fleet: its offers, and from how many units to how many.

    Of all units `on_demand` may be on demand, None: all of them (ComputeLimits, MaximumOnDemandCapacityUnits).
    """

    name: str
    role: str
    offers: Sequence[_Offer]
    least: int
    most: int
    on_demand: int | None = None

    @property
    def size(self) -> str:
        count = f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"
        types = ", ".join(dict.fromkeys(one.instance_type for one in self.offers))
        weighted = any(one.units != 1 for one in self.offers)
        limit = "" if self.on_demand is None else f", at most {self.on_demand} on demand"
        return f"{count} {'units of' if weighted else 'x'} {types}{limit}"

    def hourly(self) -> Range | None:
        """Returns the range over all offers whose price is known, and all sizes."""
        # EMR later refuses limits in the wrong order or below 0.
        least, most = self._of_size(self.least), self._of_size(max(self.least, self.most))
        return Range(least.low, most.high) if least and most else None

    def _of_size(self, target: int) -> Range | None:
        if self.on_demand is None:
            return _cost(self.offers, target)
        spot, other = ([one for one in self.offers if one.is_spot is wanted] for wanted in (True, False))
        limit = max(0, min(target, self.on_demand))
        # Without spot instances nothing is bought beyond the limit.
        splits = [(limit, 0)] if not spot else [(limit, target - limit), (0, target)] if other else [(0, target)]
        mixes = [[_cost(other, one), _cost(spot, two)] for one, two in splits]
        found = [total(cost for cost in mix if cost) for mix in mixes if any(mix)]
        return Range(min(one.low for one in found), max(one.high for one in found)) if found else None


def estimate(params: JsonView, region: str | None) -> Estimate:
    """Estimates the hourly cost of the cluster that the parameters of RunJobFlow ask for, in a region."""
    if region not in priced_regions():
        reason = f"prices of region {region}" if region else "all prices"
        return Estimate(region or "", unknown=(reason,))
    machines = list(_machines(params, region))
    parts = [CostPart(one.name, one.size, one.hourly()) for one in _apply_managed_scaling(params, machines)]
    offers = [(one.name, offer.hourly) for one in machines for offer in one.offers]
    untyped = [one.name for one in machines if not one.offers]
    lacking: dict[str, list[str]] = {"the price of instances of no type": untyped} if untyped else {}
    for name, hourly in offers:
        for what in hourly.unknown:
            lacking.setdefault(what, []).append(name)
    unknown = [f"{what} ({', '.join(dict.fromkeys(names))})" for what, names in lacking.items()]
    origins = sorted({origin for _, hourly in offers for origin in hourly.origins})
    return Estimate(region, tuple(parts), tuple(unknown), tuple(origins))


def _machines(params: JsonView, region: str) -> Iterator[_Machines]:
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


def _fleet(params: JsonView, region: str, fleet: JsonView) -> Iterator[_Machines]:
    role = fleet["InstanceFleetType"]
    timeout = (fleet.get("LaunchSpecifications") or {}).get("SpotSpecification", {}).get("TimeoutAction")
    for member, market in (("TargetOnDemandCapacity", "ON_DEMAND"), ("TargetSpotCapacity", "SPOT")):
        target = fleet.get(member, 0)
        # Managed scaling may buy either, with a target of 0 too.
        if target or (role != "MASTER" and _compute_limits(params)):
            configs = fleet.get("InstanceTypeConfigs", ())
            terms = {"Market": market, "TimeoutAction": timeout}
            offers = [_offer(params, region, one, {**one, **terms}) for one in configs]
            name = f"instance fleet {role}, {market.replace('_', '-').lower()}"
            yield _Machines(name, role, offers, target, target)


def _offer(params: JsonView, region: str, machine: JsonView, market: JsonView) -> _Offer:
    instance_type = machine["InstanceType"]
    hourly = instance_hourly(region, instance_type, market=market, volumes=volumes_of(params, machine))
    if hourly.price and not is_known_type(instance_type) and not has_volumes(machine):
        # The user's own table may have a price of a type that is newer than the table of types, which has its disks.
        hourly = dataclasses.replace(hourly, unknown=(*hourly.unknown, f"the volumes that EMR adds to {instance_type}"))
    # EMR later refuses a weight of 0.
    return _Offer(instance_type, hourly, machine.get("WeightedCapacity") or 1, market["Market"] == "SPOT")


def _compute_limits(params: JsonView) -> JsonView:
    limits: JsonView = (params.get("ManagedScalingPolicy") or {}).get("ComputeLimits", {})
    return limits


def _apply_managed_scaling(params: JsonView, machines: Iterable[_Machines]) -> Iterator[_Machines]:
    """Yields the machines; under managed scaling those of core and task as one part, with the limits of all."""
    limits = _compute_limits(params)
    workers = [one for one in machines if limits and one.role != "MASTER"]
    yield from (one for one in machines if one not in workers)
    if workers:
        unit = limits.get("UnitType")
        offers = [_in_scaling_units(offer, unit) for one in workers for offer in one.offers]
        least, most = limits.get("MinimumCapacityUnits", 0), limits.get("MaximumCapacityUnits", 0)
        on_demand = limits.get("MaximumOnDemandCapacityUnits", most)
        name = "core and task instances, managed scaling"
        yield _Machines(name, "", offers, least, most, on_demand if on_demand < most else None)


def _in_scaling_units(offer: _Offer, unit: str | None) -> _Offer:
    """Returns the offer in units of managed scaling: instances, virtual CPUs as EMR counts them, a fleet's weights."""
    if unit == "InstanceFleetUnits":
        return offer
    units = fact_of(offer.instance_type, "VCPU") or 1 if unit == "VCPU" else 1
    return dataclasses.replace(offer, units=units)
