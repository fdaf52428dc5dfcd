"""Reads the hourly prices of EC2, EMR and EBS from `prices.json`, where each group of rows has its source and date.

It is a table of public prices, so that an estimate needs no credentials and no network. A type or a region that it
does not have is unknown, and never free. Prices are USD an hour, without tax and without discounts of the account.

The rows were compiled offline, from what was public of the pages named as their sources on their dates; they were not
fetched from there. The EC2 prices of most current families were compared with a second list of January 2025.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

SPOT_SHARE = 0.1
"""The least share of the on-demand price that a spot instance costs (EC2 Spot: "up to a 90% discount")."""

HOURS_PER_MONTH = 730
"""EBS is billed by the month, whose hours AWS's price pages count as 730 (365 days x 24 hours / 12)."""

_GP3_IOPS, _GP3_MIB_S = 3000, 125  # These come with each gp3 volume (EBS User Guide, gp3).


class Price(NamedTuple):
    """The on-demand price of an instance: EC2's part and EMR's, USD an hour; `date` is when it was looked up."""

    ec2: float
    emr: float
    date: str


class VolumePrice(NamedTuple):
    """The price of a volume, USD an hour; `date` is when it was looked up."""

    hourly: float
    date: str


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(Path(__file__).with_name("prices.json").read_text("utf-8"))
    return table


def priced_regions() -> tuple[str, ...]:
    """The regions that the table has prices of."""
    return tuple(_table()["regions"])


@cache
def instance_prices(region: str) -> Mapping[str, Price]:
    """The prices of the instance types of a region, by their names; none of a region that the table does not have."""
    groups = _table()["regions"].get(region, {}).get("types", ())
    return {name: Price(row[0], row[1], group["date"]) for group in groups for name, row in group["types"].items()}


def volume_price(region: str, kind: str, gb: int, *, iops: int = 0, mib_s: int = 0) -> VolumePrice | None:
    """The price of an EBS volume of a type ("gp3"), a size, and what is provisioned; None if it is not known."""
    prices = _table()["regions"].get(region, {}).get("volumes", {})
    if kind not in prices.get("gb_month", {}):
        return None
    free_iops, free_mib_s = (_GP3_IOPS, _GP3_MIB_S) if kind == "gp3" else (0, 0)
    monthly = (
        gb * prices["gb_month"][kind]
        + max(0, iops - free_iops) * prices["iops_month"].get(kind, 0)
        + max(0, mib_s - free_mib_s) * prices["mib_s_month"].get(kind, 0)
    )
    return VolumePrice(monthly / HOURS_PER_MONTH, prices["date"])
