"""The EC2 instance types that EMR offers: `instance_types.json`, with its source."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any


@cache
def instance_types() -> dict[str, Any]:
    """Returns the table of instance types.

    `members` names the facts of a type, in order; `types` groups types by the releases that have them.
    """
    table: dict[str, Any] = json.loads(Path(__file__).with_name("instance_types.json").read_text("utf-8"))
    return table


@cache
def known_types() -> dict[str, None]:
    """Returns the names of all instance types, in the table's order: a hint drawn from them is the same in each run."""
    return {name: None for group in instance_types()["types"] for name in group["types"]}


def is_known_type(name: str) -> bool:
    """Returns True if the table has an instance type of this name."""
    return name in known_types()


def fact_of(name: str, member: str) -> Any:
    """Returns a fact of an instance type, by its name in `members`; None of a type that the table does not have."""
    index = instance_types()["members"].index(member)
    rows = (group["types"][name] for group in instance_types()["types"] if name in group["types"])
    return next((row[index] for row in rows), None)


def has_only_ebs(name: str) -> bool:
    """Returns True if instances of a type have no disks of their own; False of a type that the table does not have."""
    return bool(fact_of(name, "EbsStorageOnly"))
