"""What is known of EMR's releases without asking: which there are, and which applications each has.

The table is `releases.json`, with its date and its sources. In it an application has, for each release
at which something changed, its version from there on: null where it is not in the release, "" where the
version was not read, "?" where it is not known whether the release has it. Versions are those of the
projects, without Amazon's suffix.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

Numbers: TypeAlias = "tuple[int, ...]"

UNKNOWN = "?"


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(Path(__file__).with_name("releases.json").read_text("utf-8"))
    return table


def date() -> str:
    """The date of the table, such as 2026-08."""
    return str(_table()["date"])


def labels() -> list[str]:
    """Every release label of the table, oldest first, those with odd names last."""
    return [*_table()["releases"], *_table()["others"]]


def names() -> list[str]:
    """Every application of the table, as EMR writes it."""
    return list(_table()["applications"])


@cache
def applications(label: str) -> dict[str, str] | None:
    """The applications of a release: name -> version ("" or "?": see above); None for one the table lacks."""
    table = _table()
    if label not in table["releases"] or numbers(label) > numbers(table["applications_through"]):
        return None
    found = {name: _version(changes, numbers(label)) for name, changes in table["applications"].items()}
    return {name: version for name, version in found.items() if version is not None}


def _version(changes: dict[str, str | None], release: Numbers) -> str | None:
    version = None
    for since, changed in changes.items():
        if numbers(since) > release:
            break
        version = changed
    return version


def first_with(name: str) -> str:
    """The first release that certainly has an application."""
    changes: dict[str, str | None] = _table()["applications"][name]
    return next(f"emr-{since}" for since, version in changes.items() if version not in (None, UNKNOWN))


@cache
def numbers(release: str) -> Numbers:
    """`emr-5.30.1` or `5.30.1` as numbers, to compare."""
    return tuple(int(one) for one in re.findall(r"\d+", release))
