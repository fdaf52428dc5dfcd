"""Calculates what the instances of a cluster cost, from the times at which ListInstances says each was there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flowspec.cost.amounts import Range, total
from flowspec.cost.instance import instance_hourly
from flowspec.facts.api_model import JsonView
from flowspec.facts.limits import LISTED_DAYS, MAX_LISTED
from flowspec.facts.price_table import Origin

_LEAST_SECONDS = 60
"""Billing is by the second, with a minimum of one minute (EMR pricing page)."""


@dataclass(frozen=True, slots=True)
class ActualCost:
    """The cost in all of a cluster's instances so far: `amount` of those whose price is known, None if none is.

    `hours` are the instance hours of all of them, and `origins` say where the prices are from. `hourly` is the cost of
    one more hour of those that live; None if no price of them is known, 0 if none lives.
    """

    region: str
    amount: Range | None
    hours: float
    instances: int
    unknown: tuple[str, ...] = ()
    origins: tuple[Origin, ...] = ()
    hourly: Range | None = None


def actual_cost(
    instances: Sequence[JsonView],
    region: str,
    now: datetime,
    volumes: Mapping[str, Sequence[JsonView]] | None,
) -> ActualCost:
    """Returns the cost of instances, as ListInstances gives them, until their end or `now`.

    An instance counts from its creation, some seconds before EC2 bills it; an ended instance that was never ready costs
    nothing. `volumes` are the VolumeSpecifications of the instances of each group or fleet, by its id; those that are
    not given are not counted, nor is the root volume. A spot instance costs between the least share and the on-demand
    price, since only the bill has the price that was paid.
    """
    lives = [(one, seconds) for one in instances if (seconds := _seconds(one, now))]
    amounts: list[Range] = []
    going: list[Range | None] = []
    unknown = list(_unlisted(instances, now))
    origins: set[Origin] = set()
    for one, seconds in lives:
        owner = one.get("InstanceGroupId") or one.get("InstanceFleetId") or ""
        market = {"Market": one.get("Market")}
        hourly = instance_hourly(region, one["InstanceType"], market=market, volumes=(volumes or {}).get(owner, ()))
        unknown += hourly.unknown
        origins |= hourly.origins
        if "EndDateTime" not in _timeline(one):
            going.append(hourly.price)
        if hourly.price:
            amounts.append(hourly.price.times(seconds / _HOUR))
    hours = sum(seconds for _, seconds in lives) / _HOUR
    amount = total(amounts) if amounts else None
    known = [one for one in going if one]
    return ActualCost(
        region,
        amount,
        hours,
        len(lives),
        tuple(dict.fromkeys(unknown)),
        tuple(sorted(origins)),
        total(known) if known or not going else None,
    )


_HOUR = 3600


def _unlisted(instances: Sequence[JsonView], now: datetime) -> Iterator[str]:
    """Yields descriptions of instances that EMR may have left out of its list."""
    first = min((_timeline(one).get("CreationDateTime", now) for one in instances), default=now)
    if now - first > timedelta(days=LISTED_DAYS):
        yield f"instances that ended more than {LISTED_DAYS} days ago"
    if len(instances) >= MAX_LISTED:
        yield f"instances beyond the {MAX_LISTED:,} that EMR lists"


def _timeline(instance: JsonView) -> JsonView:
    found: JsonView = instance.get("Status", {}).get("Timeline", {})
    return found


def _seconds(instance: JsonView, now: datetime) -> float:
    """Returns the billed seconds of an instance; 0 if it does not exist yet, or ended before it was ready."""
    timeline = _timeline(instance)
    created, ready, ended = (timeline.get(f"{one}DateTime") for one in ("Creation", "Ready", "End"))
    if created is None or (ended and not ready):
        return 0.0
    lived: float = ((ended or now) - created).total_seconds()
    return max(lived, _LEAST_SECONDS)
