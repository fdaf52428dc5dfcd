"""The hourly prices of EC2, EMR and EBS: from the user's own table (`flowspec prices update`), else the packaged one.

They are public prices, so that an estimate needs no credentials and no network. A type or a region that no table has is
unknown, and never free. Prices are USD an hour, without tax and without discounts of the account.

The rows of `prices.json` were compiled offline, from what was public of the pages named as their sources on their
dates; they were not fetched from there. Each EC2 price was compared with the price lists that Apache Libcloud released
between 2019-11-13 and 2025-03-02, which are read from AWS's price list. All prices are in one of them, except that of
m7i.4xlarge, for which they have only the price with dedicated tenancy. EMR's own prices were not compared: no second
list of them was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from flowspec.facts.price_table import Origin, Price, VolumeRates, own_table, packaged_table

SPOT_SHARE = 0.1
"""The minimum price of a spot instance, as a share of the on-demand price (EC2 Spot: "up to a 90% discount")."""

HOURS_PER_MONTH = 730
"""EBS is billed by the month, whose hours AWS's price pages count as 730 (365 days x 24 hours / 12)."""

_GP3_IOPS, _GP3_MIB_S = 3000, 125  # These come with each gp3 volume (EBS User Guide, gp3).
_BILLED_IOPS, _BILLED_MIB_S = {"gp3", "io1"}, {"gp3"}  # For other types, only the size can be set.


class VolumePrice(NamedTuple):
    """The price of a volume, USD an hour, and where it is from."""

    hourly: float
    origin: Origin


def priced_regions() -> tuple[str, ...]:
    """Returns the regions that a table has prices of.

    Raises FlowspecError if the user's is damaged, as all functions here.
    """
    return tuple(dict.fromkeys([*packaged_table(), *own_table()]))


def instance_prices(region: str) -> Mapping[str, Price]:
    """Returns the prices of the instance types of a region, by their names; none of a region that no table has."""
    tables = (one[region].types for one in (packaged_table(), own_table()) if region in one)
    return {name: price for types in tables for name, price in types.items()}


def instance_price(region: str, instance_type: str) -> Price | None:
    """Returns the price of an instance type in a region; None if no table has it."""
    found = (one[region].types.get(instance_type) for one in (own_table(), packaged_table()) if region in one)
    return next((one for one in found if one), None)


def volume_rates(region: str) -> Mapping[str, VolumeRates]:
    """Returns the prices of the types of EBS volumes of a region ("gp3"), by their names."""
    tables = (one[region].volumes for one in (packaged_table(), own_table()) if region in one)
    return {kind: rates for volumes in tables for kind, rates in volumes.items()}


def volume_price(region: str, kind: str, gb: int, *, iops: int = 0, mib_s: int = 0) -> VolumePrice | None:
    """Returns the price of an EBS volume of a type ("gp3"), a size, and what is provisioned; None if unknown."""
    rates = volume_rates(region).get(kind)
    if rates is None:
        return None
    free_iops, free_mib_s = (_GP3_IOPS, _GP3_MIB_S) if kind == "gp3" else (0, 0)
    more_iops = max(0, iops - free_iops) if kind in _BILLED_IOPS else 0
    more_mib_s = max(0, mib_s - free_mib_s) if kind in _BILLED_MIB_S else 0
    if (more_iops and rates.iops_month is None) or (more_mib_s and rates.mib_s_month is None):
        return None
    # EMR later refuses a size below 1.
    monthly = max(0, gb) * rates.gb_month + more_iops * (rates.iops_month or 0) + more_mib_s * (rates.mib_s_month or 0)
    return VolumePrice(monthly / HOURS_PER_MONTH, rates.origin)
