"""EMR's releases, offline: which labels there are, how to read one, and which applications each release has.

The table is `releases.json`, with its date and its sources. For each release at which something changed, an application
has its version from that release on: null if it is not in the release, "" if the version was not read, "?" if it is not
known whether the release has it. Versions are those of the projects, without Amazon's suffix.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

Numbers: TypeAlias = "tuple[int, ...]"
Version: TypeAlias = "tuple[int, int, int]"

UNKNOWN = "?"

# emr-7.5.0, emr-6.0.0-beta2, emr-spark-8.0.0: the forms among ListReleaseLabels. Python reads no 5,000 digits.
_LABEL = re.compile(r"emr-(?P<series>[a-z]+-)?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?P<suffix>-.+)?")
_FIRST = (4, 0, 0)


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(Path(__file__).with_name("releases.json").read_text("utf-8"))
    return table


def date() -> str:
    """Returns the date of the table, such as 2026-08."""
    return str(_table()["date"])


def labels() -> list[str]:
    """Returns every release label of the table, oldest first, those with odd names last."""
    return [*_table()["releases"], *_table()["others"]]


def newest() -> str:
    """Returns the latest release of the table, which DescribeReleaseLabel describes by default."""
    return str(_table()["releases"][-1])


@cache
def _known() -> frozenset[str]:
    return frozenset(labels())


def names() -> list[str]:
    """Returns every application of the table, as EMR writes it."""
    return list(_table()["applications"])


# -- labels


def parse(label: str | None) -> Version | None:
    """Returns the version of a release label: (7, 5, 0) of "emr-7.5.0"; None for a text that is not a release label."""
    found = _LABEL.fullmatch(label or "")
    return (int(found[2]), int(found[3]), int(found[4])) if found else None


def at_least(label: str | None, *version: int) -> bool:
    """Returns True if a release is this version or a later one. False without a label (AMI versions are earlier)."""
    parsed = parse(label)
    return parsed is not None and parsed >= version


def amazon_linux(label: str | None) -> str | None:
    """Returns an Amazon Linux release that an EMR release runs on; None before 5.30, and for AMI versions."""
    if at_least(label, 7):
        return "2023.6.20241121.0"
    return "2.0.20241113.1" if at_least(label, 5, 30) else None


def default_root_volume(label: str | None) -> dict[str, int]:
    """Returns the members of RunJobFlow for the root volume that a release makes from its own AMI.

    Management Guide, "Customizing the Amazon EBS root device volume". A custom AMI may have a larger one.
    """
    speed = {"EbsRootVolumeIops": 3000, "EbsRootVolumeThroughput": 125} if at_least(label, 6, 15) else {}
    return {"EbsRootVolumeSize": 15 if at_least(label, 6, 10) else 10, **speed}


@cache
def numbers(release: str) -> Numbers:
    """Returns `emr-5.30.1` or `5.30.1` as numbers, to compare versions of the table."""
    return tuple(int(one) for one in re.findall(r"\d+", release))


def existence(label: str) -> Literal["known", "possible", "none"]:
    """Classifies a label: in the table ("known"), perhaps newer ("possible") and one that never existed ("none").

    EMR numbers the releases of a major version, and the patches of a minor version, in sequence. So a
    label that the table skipped between two others does not exist; a later one may.
    """
    if label in _known():
        return "known"
    version, found = parse(label), _LABEL.fullmatch(label)
    if version is None or found is None or version < _FIRST:
        return "none"
    if found["series"] or found["suffix"]:
        return "possible"
    others = [other for other in map(parse, _table()["releases"]) if other and other[0] == version[0]]
    patches = [other for other in others if other[1] == version[1]]
    latest = max(patches or others, default=_FIRST)
    return "possible" if version > latest else "none"


# -- applications


@cache
def applications(label: str) -> dict[str, str] | None:
    """Returns the applications of a release: name -> version ("" or "?": see above); None for one the table lacks."""
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
    """Returns the first release that is known to have an application."""
    changes: dict[str, str | None] = _table()["applications"][name]
    return next(f"emr-{since}" for since, version in changes.items() if version not in (None, UNKNOWN))
