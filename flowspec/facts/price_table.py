"""Reads tables of prices, and writes the user's own.

A table is JSON: `regions`, by their names, each with groups of instance types and with `volumes`. A group has its
`source`, its `date` (ISO 8601), and `types` by their names: the prices of EC2 and of EMR, USD an hour; null where EMR's
is not known. `prices.json` is packaged; `flowspec prices update` writes another one of the same form.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from flowspec.errors import FlowspecError
from flowspec.facts.files import locked, replace_file
from flowspec.facts.folders import state_folder

_RATES = ("gb_month", "iops_month", "mib_s_month")


class Origin(NamedTuple):
    """The date of a price (ISO 8601), where it is from, and whether it is of the user's own table."""

    date: str
    source: str = ""
    own: bool = False


class Price(NamedTuple):
    """The on-demand price of an instance, USD an hour: EC2's part and EMR's; None if that is not known."""

    ec2: float
    emr: float | None
    origin: Origin


class VolumeRates(NamedTuple):
    """The prices of a type of volumes, USD a month: a GB, an IOPS and a MiB/s; None where a table has none."""

    gb_month: float
    iops_month: float | None
    mib_s_month: float | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class RegionPrices:
    """The prices of a region: of instances by their types, and of volumes by theirs."""

    types: Mapping[str, Price] = field(default_factory=dict)
    volumes: Mapping[str, VolumeRates] = field(default_factory=dict)


PriceTable: TypeAlias = Mapping[str, RegionPrices]
"""The prices of regions, by their names."""


@cache
def packaged_table() -> PriceTable:
    """Returns the table that comes with flowspec."""
    return _parse_table(json.loads(Path(__file__).with_name("prices.json").read_text("utf-8")), own=False)


def own_table_path() -> Path:
    """Returns the path of the user's table, in flowspec's state folder."""
    return state_folder() / "prices.json"


def own_table() -> PriceTable:
    """Returns the table that the user's updates wrote, or an empty one. Raises FlowspecError if it is damaged."""
    try:
        path = own_table_path()
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError, FlowspecError):
        # Without a home directory, or in another user's folder, this user has no table.
        return {}
    return _read_own_table(path, (found.st_ino, found.st_mtime_ns, found.st_size))


# An estimate looks up each type and each volume: the file is read once for each state of it.
@lru_cache(maxsize=2)
def _read_own_table(path: Path, _state: tuple[int, ...]) -> PriceTable:
    return _parse_table(_read_checked(path), own=True)


def _read_checked(path: Path) -> Any:
    try:
        raw = json.loads(path.read_text("utf-8"))
        _parse_table(raw, own=True)
    except (ValueError, RecursionError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        remedy = f"remove it (`rm {shlex.quote(str(path))}`); `flowspec prices update` writes a new one"
        raise FlowspecError(f"the table of prices can't be read: {path}: {why}", remedy=remedy) from error
    return raw


def _parse_table(raw: Any, *, own: bool) -> PriceTable:
    """Returns the table in a price file. Raises ValueError, with the place, for anything in another form."""
    regions = _require_mapping(_require_mapping(raw, "the table").get("regions"), "regions")
    return {name: _parse_region(_require_mapping(one, name), name, own=own) for name, one in regions.items()}


def _parse_region(raw: Mapping[str, Any], at: str, *, own: bool) -> RegionPrices:
    types: dict[str, Price] = {}
    for group in _require_list(raw.get("types", []), f"{at}.types"):
        origin = _parse_origin(_require_mapping(group, f"{at}.types"), at, own=own)
        for name, row in _require_mapping(group.get("types"), f"{at}.types.types").items():
            types[name] = _parse_price(row, origin, f"{at}.{name}")
    return RegionPrices(
        types, dict(_parse_volumes(_require_mapping(raw.get("volumes", {}), f"{at}.volumes"), at, own=own))
    )


def _parse_price(row: Any, origin: Origin, at: str) -> Price:
    if len(_require_list(row, at)) != 2:
        raise ValueError(f"{at} has {len(row)} prices instead of two: EC2's and EMR's")
    return Price(_require_amount(row[0], at), None if row[1] is None else _require_amount(row[1], at), origin)


def _parse_volumes(raw: Mapping[str, Any], at: str, *, own: bool) -> Iterator[tuple[str, VolumeRates]]:
    if not raw:
        return
    origin = _parse_origin(raw, f"{at}.volumes", own=own)
    by_gb, *others = (_require_mapping(raw.get(rate, {}), f"{at}.volumes.{rate}") for rate in _RATES)
    for kind, price in by_gb.items():
        place = f"{at}.volumes.{kind}"
        iops, mib_s = (_require_amount(one[kind], place) if kind in one else None for one in others)
        yield kind, VolumeRates(_require_amount(price, place), iops, mib_s, origin)


def _parse_origin(raw: Mapping[str, Any], at: str, *, own: bool) -> Origin:
    day = raw.get("date")
    if not isinstance(day, str):
        raise ValueError(f"{at} has no date")
    return Origin(date.fromisoformat(day).isoformat(), str(raw.get("source", "")), own)


def _require_mapping(value: Any, at: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{at} is not a mapping")
    return value


def _require_list(value: Any, at: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{at} is not a list")
    return value


def _require_amount(value: Any, at: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError(f"{at} is not a price: {value!r}")
    return float(value)


def update_own_table(region: str, found: RegionPrices) -> Path:
    """Puts the prices of a region into the user's table, where they replace older prices; all other rows stay.

    The file is replaced as a whole: a process that is killed before leaves the old one. Updates at the same time wait
    for each other. Raises FlowspecError when the old one is damaged, or the new one can't be written.
    """
    path = own_table_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(path.with_suffix(".lock")):
            empty: dict[str, Any] = {"currency": "USD", "members": ["ec2", "emr"], "regions": {}}
            raw = _read_checked(path) if path.exists() else empty
            raw["regions"][region] = _merge_region(raw["regions"].get(region, {}), found)
            replace_file(path, f"{json.dumps(raw, indent=1)}\n".encode())
    except OSError as error:
        remedy = "set FLOWSPEC_HOME to a folder you own, on a disk with space left"
        raise FlowspecError(f"the table of prices was not written: {path}: {error.strerror}", remedy=remedy) from error
    return path


def _merge_region(old: dict[str, Any], found: RegionPrices) -> dict[str, Any]:
    groups: dict[Origin, dict[str, Any]] = {}
    for name, price in found.types.items():
        groups.setdefault(price.origin, {})[name] = [price.ec2, price.emr]
    new = [{"source": one.source, "date": one.date, "types": rows} for one, rows in groups.items()]
    kept = [
        {**group, "types": rows}
        for group in old.get("types", [])
        if (rows := {name: row for name, row in group["types"].items() if name not in found.types})
    ]
    volumes = _volumes_document(found.volumes) or old.get("volumes", {})
    return {"types": [*kept, *new], "volumes": volumes}


def _volumes_document(volumes: Mapping[str, VolumeRates]) -> dict[str, Any]:
    if not volumes:
        return {}
    origin = next(iter(volumes.values())).origin
    rates = {
        rate: {kind: price for kind, one in volumes.items() if (price := getattr(one, rate)) is not None}
        for rate in _RATES
    }
    return {"source": origin.source, "date": origin.date, **rates}
