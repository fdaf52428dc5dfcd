"""Formats tables of prices as text and as JSON data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from flowspec.document.escaping import visible
from flowspec.facts.price_table import Origin, RegionPrices
from flowspec.report.columns import aligned
from flowspec.report.costs import table_of


class Shown(NamedTuple):
    """The prices of a region that are shown."""

    region: str
    prices: RegionPrices


def price_lines(shown: Sequence[Shown]) -> str:
    """Returns a line for each instance type and each volume type; then the sources that the last column refers to."""
    sources: dict[str, int] = {}
    instances = [
        (
            region,
            visible(name),
            f"{price.ec2:g}",
            _amount(price.emr, "not known"),
            *_origin(price.origin, sources),
        )
        for region, prices in shown
        for name, price in prices.types.items()
    ]
    volumes = [
        (
            region,
            visible(kind),
            *(_amount(one) for one in (rates.gb_month, rates.iops_month, rates.mib_s_month)),
            *_origin(rates.origin, sources),
        )
        for region, prices in shown
        for kind, rates in prices.volumes.items()
    ]
    origin = ("DATE", "TABLE", "SOURCE")
    parts = []
    if instances:
        parts.append(aligned([("REGION", "TYPE", "EC2 USD/H", "EMR USD/H", *origin), *instances], numbers={2, 3}))
    if volumes:
        parts.append(
            aligned([("REGION", "EBS", "GB USD/MONTH", "IOPS", "MIB/S", *origin), *volumes], numbers={2, 3, 4})
        )
    parts.append([f"[{number}] {visible(source)}" for source, number in sources.items()])
    return "\n\n".join("\n".join(lines) for lines in parts)


def _amount(price: float | None, absent: str = "-") -> str:
    return absent if price is None else f"{price:g}"


def _origin(origin: Origin, sources: dict[str, int]) -> tuple[str, str, str]:
    number = sources.setdefault(origin.source, len(sources) + 1)
    return origin.date, table_of(origin), f"[{number}]"


def price_documents(shown: Iterable[Shown]) -> list[dict[str, Any]]:
    """Returns prices as plain data: USD an hour, of volumes USD a month; null where they are not known."""
    return [
        {
            "region": region,
            "currency": "USD",
            "types": {name: _document(one) for name, one in prices.types.items()},
            "volumes": {kind: _document(one) for kind, one in prices.volumes.items()},
        }
        for region, prices in shown
    ]


def _document(row: Any) -> Mapping[str, Any]:
    """Returns a row of prices, whose members are those of its class."""
    prices = {name: value for name, value in row._asdict().items() if name != "origin"}
    return {**prices, "date": row.origin.date, "source": row.origin.source, "table": table_of(row.origin)}
