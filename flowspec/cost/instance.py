"""The hourly price of one instance: EC2, EMR and its volumes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flowspec.cost.amounts import Range, total
from flowspec.facts.api_model import JsonView
from flowspec.facts.instance_types import default_volumes, is_known_type, requested_volumes
from flowspec.facts.limits import BID_PRICE
from flowspec.facts.price_table import Origin
from flowspec.facts.prices import SPOT_SHARE, instance_price, volume_price
from flowspec.facts.releases import default_root_volume

_DEFAULT_VOLUMES = "gp2"
"""The type of the volumes that EMR adds by itself; in newer releases gp3, which costs a fifth less."""


@dataclass(frozen=True, slots=True)
class Hourly:
    """A price per hour, its unknown parts, and the origins of the rows that it is computed from."""

    price: Range | None
    unknown: tuple[str, ...] = ()
    origins: frozenset[Origin] = frozenset()


def instance_hourly(region: str, instance_type: str, *, market: JsonView, volumes: Iterable[JsonView]) -> Hourly:
    """Returns the price of one instance of a type.

    `market` has the members of a group or of a fleet's type that set the price of a spot instance: Market, BidPrice,
    BidPriceAsPercentageOfOnDemandPrice; and TimeoutAction, of the fleet's SpotSpecification. `volumes` are
    VolumeSpecifications, one for each volume, with the root's.
    """
    price = instance_price(region, instance_type)
    unlisted = "" if is_known_type(instance_type) else ", not among the instance types known"
    if price is None:
        return Hourly(None, (f"the price of {instance_type}{unlisted}",))
    compute = _spot(price.ec2, market) if market.get("Market") == "SPOT" else Range(price.ec2, price.ec2)
    storage = _storage(region, volumes)
    assert storage.price is not None
    # EMR's own part is the same for spot instances (EMR pricing page).
    own = price.emr or 0.0
    unknown = (f"EMR's own price of {instance_type}{unlisted}",) if price.emr is None else ()
    amount = compute + Range(own, own) + storage.price
    return Hourly(amount, (*unknown, *storage.unknown), storage.origins | {price.origin})


def _spot(on_demand: float, market: JsonView) -> Range:
    """Returns the range from the least share to the bid; without one, spot costs the on-demand price at most.

    A fleet that gets no spot instances in time may buy on demand instead (SpotSpecification, TimeoutAction).
    """
    bid = on_demand
    # EMR later refuses a bid that is not an amount.
    if BID_PRICE.fullmatch(market.get("BidPrice") or ""):
        bid = min(bid, float(market["BidPrice"]))
    elif market.get("BidPriceAsPercentageOfOnDemandPrice") is not None:
        bid = min(bid, on_demand * market["BidPriceAsPercentageOfOnDemandPrice"] / 100)
    most = on_demand if market.get("TimeoutAction") == "SWITCH_TO_ON_DEMAND" else bid
    return Range(min(on_demand * SPOT_SHARE, bid), most)


def _storage(region: str, volumes: Iterable[JsonView]) -> Hourly:
    prices, unknown, origins = [], [], set()
    for one in volumes:
        kind = one.get("VolumeType", _DEFAULT_VOLUMES)
        found = volume_price(
            region, kind, one.get("SizeInGB", 0), iops=one.get("Iops", 0), mib_s=one.get("Throughput", 0)
        )
        if found is None:
            unknown.append(f"the price of {kind} volumes")
            continue
        prices.append(Range(found.hourly, found.hourly))
        origins.add(found.origin)
    return Hourly(total(prices), tuple(unknown), frozenset(origins))


def volumes_of(params: JsonView, machine: JsonView) -> list[JsonView]:
    """Returns the volumes of each instance of a group or fleet's type: those asked for or EMR's own, and the root."""
    asked = requested_volumes(machine.get("EbsConfiguration", {}))
    return [_root_volume(params), *(asked or _default_storage(machine["InstanceType"]))]


def has_volumes(machine: JsonView) -> bool:
    """Returns True if a group, or a fleet's type, asks for volumes of its own, so that EMR adds none."""
    return bool(requested_volumes(machine.get("EbsConfiguration", {})))


def _root_volume(params: JsonView) -> JsonView:
    provisioned = {"Iops": params.get("EbsRootVolumeIops", 0), "Throughput": params.get("EbsRootVolumeThroughput", 0)}
    # Only a gp3 volume can have these (RunJobFlow, EbsRootVolumeIops).
    kind = "gp3" if any(provisioned.values()) else _DEFAULT_VOLUMES
    default = default_root_volume(params.get("ReleaseLabel"))["EbsRootVolumeSize"]
    return {"VolumeType": kind, "SizeInGB": params.get("EbsRootVolumeSize", default), **provisioned}


def _default_storage(instance_type: str) -> Iterator[JsonView]:
    """Yields the storage that EMR adds to a type that has no disks of its own."""
    count, gb = default_volumes(instance_type)
    if count:
        yield {"VolumeType": _DEFAULT_VOLUMES, "SizeInGB": count * gb}
