"""The EC2 instance types that EMR offers: `instance_types.json`, with its source."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any


@cache
def instance_types() -> dict[str, Any]:
    """The table: `members` names the facts of a type, in order; `types` groups types by the releases that have them."""
    table: dict[str, Any] = json.loads(Path(__file__).with_name("instance_types.json").read_text("utf-8"))
    return table


@cache
def known_types() -> dict[str, None]:
    """The names of all instance types, in the order of the table: a hint drawn from them is the same in each run."""
    return {name: None for group in instance_types()["types"] for name in group["types"]}


def is_known_type(name: str) -> bool:
    """True if the table has an instance type of this name."""
    return name in known_types()
