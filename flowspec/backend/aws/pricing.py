"""Reads the on-demand prices of a region from AWS's price list: instances for EC2 and for EMR, and EBS volumes.

Calls GetProducts of the Price List API only, whose answers are JSON texts of products with their terms ("Reading the
price list files", AWS Billing User Guide). Several products may fit a filter: a type with two prices or none is left
out, and named in the notes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from flowspec.backend.aws.call_errors import is_denied
from flowspec.errors import FlowspecError, ServiceError
from flowspec.facts.api_model import JsonView
from flowspec.facts.price_table import Origin, Price, RegionPrices, VolumeRates

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Ask, Emr


_SOURCE = "AWS Price List API, GetProducts"

# The regions that have the API (its endpoints, AWS General Reference), by the first word of those that are nearest.
_ENDPOINTS = {**dict.fromkeys(("eu", "af", "me", "il"), "eu-central-1"), "ap": "ap-south-1"}

# On demand, without a dedicated host, a reservation or licensed software.
_EC2 = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
}
_EMR = {"productFamily": "Elastic Map Reduce Instance", "softwareType": "EMR"}
_VOLUME_FAMILIES = ("Storage", "System Operation", "Provisioned Throughput")

# EBS:VolumeUsage.gp3, EUC1-EBS:VolumeP-IOPS.piops; magnetic volumes have no suffix.
_VOLUME_USAGE = re.compile(r"(?:\w+-)?EBS:Volume(Usage|P-IOPS|P-Throughput)(?:\.(\w+))?")
_VOLUME_KINDS = {None: "standard", "gp2": "gp2", "gp3": "gp3", "piops": "io1", "st1": "st1", "sc1": "sc1"}
# The price list has throughput by the GiB/s, its own descriptions and the price page by the MiB/s.
_PER_UNIT = {"GB-Mo": 1, "GB-month": 1, "IOPS-Mo": 1, "MiBps-Mo": 1, "GiBps-mo": 1 / 1024}


class FoundPrices(NamedTuple):
    """The prices of a region in the price list, and notes on those that it lacks."""

    prices: RegionPrices
    notes: tuple[str, ...]


def find_prices(emr: Emr, types: Iterable[str] = (), today: date | None = None) -> FoundPrices:
    """Reads the prices of the connection's region: of all instance types that EMR has a price for, or of `types`.

    Raises ServiceError when AWS refuses, and FlowspecError when the price list has no prices in USD of the region.
    """
    region = emr.region
    if region.startswith("cn-"):
        raise FlowspecError(f"AWS's prices of region {region} are not in USD", remedy="estimates are in USD only")
    origin = Origin((today or datetime.now(timezone.utc).date()).isoformat(), _SOURCE, own=True)
    ask = emr.ask("pricing", region=_ENDPOINTS.get(region.partition("-")[0], "us-east-1"), timeout=30)
    asked = tuple(dict.fromkeys(types))
    notes: list[str] = []
    ec2, of_emr = (
        _by_type(_products_of_types(ask, service, {"regionCode": region, **filters}, asked), service, notes)
        for service, filters in (("AmazonEC2", _EC2), ("ElasticMapReduce", _EMR))
    )
    for name in asked:
        lacking = [service for service, found in (("EC2", ec2), ("EMR", of_emr)) if name not in found]
        if lacking:
            has = "has" if len(lacking) == 1 else "have"
            notes.append(f"{name}: {' and '.join(lacking)} {has} no price of it in {region}")
    rows = {name: Price(ec2[name], of_emr.get(name), origin) for name in asked or sorted(of_emr) if name in ec2}
    if not rows:
        remedy = "check the names of the region and of the instance types"
        raise FlowspecError(f"AWS's price list has no prices of them in region {region}", remedy=remedy)
    return FoundPrices(RegionPrices(rows, _volumes(ask, region, origin, notes)), tuple(notes))


def _products_of_types(
    ask: Ask, service: str, filters: Mapping[str, str], types: tuple[str, ...]
) -> Iterator[JsonView]:
    """Yields the products of all instance types, or of these: then with one call each, since all are some thousand."""
    if not types:
        yield from _products(ask, service, filters)
    for name in types:
        yield from _products(ask, service, {**filters, "instanceType": name})


def _products(ask: Ask, service: str, filters: Mapping[str, str]) -> Iterator[JsonView]:
    wanted = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in filters.items()]
    params: dict[str, Any] = {"ServiceCode": service, "Filters": wanted, "FormatVersion": "aws_v1", "MaxResults": 100}
    while True:
        answer = _get_products(ask, params)
        for text in answer.get("PriceList", ()):
            product = _product(text)
            if _is_requested_product(product["product"], filters):
                yield product
        if not answer.get("NextToken"):
            return
        params["NextToken"] = answer["NextToken"]


def _get_products(ask: Ask, params: dict[str, Any]) -> dict[str, Any]:
    try:
        return ask("GetProducts", **params)
    except ServiceError as error:
        if is_denied(error):
            error.remedy = "allow pricing:GetProducts, on resource *, to the identity that you are logged in as"
        raise


def _product(text: str) -> JsonView:
    try:
        product: JsonView = json.loads(text)
        _ = product["product"]["attributes"], product["terms"]
    except (ValueError, KeyError, TypeError) as error:
        raise FlowspecError(f"GetProducts: the answer has a product that can't be read: {text[:80]}") from error
    return product


def _is_requested_product(product: JsonView, filters: Mapping[str, str]) -> bool:
    """Returns whether a product is what was asked for; the price list also has products of Outposts and local zones."""
    attributes = {"productFamily": product.get("productFamily"), **product["attributes"]}
    is_here = attributes.get("locationType", "AWS Region") == "AWS Region"
    return is_here and all(attributes.get(name) == value for name, value in filters.items())


def _by_type(products: Iterable[JsonView], service: str, notes: list[str]) -> dict[str, float]:
    prices: dict[str, set[float]] = {}
    for product in products:
        found = (usd for unit, usd in _on_demand(product) if unit in {"Hrs", "Hours"})
        prices.setdefault(product["product"]["attributes"].get("instanceType", ""), set()).update(found)
    return _unambiguous_prices(prices, service, notes)


def _unambiguous_prices(prices: Mapping[str, set[float]], service: str, notes: list[str]) -> dict[str, float]:
    """Returns the prices of types that have just one; a price of 0 belongs to a reservation or a free tier."""
    paid = {name: sorted(one for one in found if one > 0) for name, found in prices.items()}
    notes += [
        f"{name} is left out: {service} has {'no price' if not found else f'the prices {found}'} of it"
        for name, found in paid.items()
        if len(found) != 1
    ]
    return {name: found[0] for name, found in paid.items() if len(found) == 1}


def _on_demand(product: JsonView) -> Iterator[tuple[str, float]]:
    """Yields the units and on-demand prices in USD of a product; of a price with tiers, the first tier."""
    for offer in product["terms"].get("OnDemand", {}).values():
        for one in offer.get("priceDimensions", {}).values():
            usd = one.get("pricePerUnit", {}).get("USD")
            if usd is not None and one.get("beginRange", "0") == "0":
                yield one.get("unit", ""), _number(usd)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise FlowspecError(f"GetProducts: the answer has a price that is not a number: {text[:80]}") from error


def _volumes(ask: Ask, region: str, origin: Origin, notes: list[str]) -> dict[str, VolumeRates]:
    rates: dict[str, dict[str, set[float]]] = {"Usage": {}, "P-IOPS": {}, "P-Throughput": {}}
    for family in _VOLUME_FAMILIES:
        for product in _products(ask, "AmazonEC2", {"regionCode": region, "productFamily": family}):
            usage = _VOLUME_USAGE.fullmatch(product["product"]["attributes"].get("usagetype", ""))
            if usage and usage[2] in _VOLUME_KINDS:
                found = {round(usd * _PER_UNIT[unit], 6) for unit, usd in _on_demand(product) if unit in _PER_UNIT}
                rates[usage[1]].setdefault(_VOLUME_KINDS[usage[2]], set()).update(found)
    by_gb, iops, mib_s = (_unambiguous_prices(one, f"EBS ({name})", notes) for name, one in rates.items())
    return {kind: VolumeRates(usd, iops.get(kind), mib_s.get(kind), origin) for kind, usd in by_gb.items()}
