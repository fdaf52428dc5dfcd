"""What every rule is written with: the spec as plain data, and ways to look into it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from flowspec.document.messages import Finding

Spec: TypeAlias = "Mapping[str, Any]"
Rule: TypeAlias = "Callable[[Spec], Iterator[Finding]]"
Path: TypeAlias = "tuple[str | int, ...]"
Version: TypeAlias = "tuple[int, int, int]"

# The two lists of instances, the key that says the role in each, and what one of their items is called.
COLLECTIONS = (("instance_groups", "role", "group"), ("instance_fleets", "type", "fleet"))

_LABEL = re.compile(r"emr-(\d+)\.(\d+)(?:\.(\d+))?$")


def given(spec: Spec, keys: tuple[str, ...]) -> list[str]:
    """Those of the keys that the spec has."""
    return [key for key in keys if key in spec]


def items(spec: Spec, key: str) -> list[tuple[int, Mapping[str, Any]]]:
    """The mappings of a list, with their indexes; none when there is no such list."""
    return [(index, item) for index, item in enumerate(spec.get(key) or ()) if isinstance(item, dict)]


def mapping(spec: Spec, key: str) -> Mapping[str, Any]:
    """The mapping at a key; empty when there is none."""
    value = spec.get(key)
    return value if isinstance(value, dict) else {}


def on_emr(spec: Spec) -> bool:
    """Whether the spec is for AWS, as it is when it does not say."""
    return bool(spec.get("backend", "emr") == "emr")


def masters(spec: Spec) -> int:
    """How many master nodes the cluster has: 3 for high availability, else 1."""
    counts = [group.get("count", 1) for _, group in items(spec, "instance_groups") if group.get("role") == "MASTER"]
    counts += [
        fleet.get("target_on_demand_capacity", 0)
        for _, fleet in items(spec, "instance_fleets")
        if fleet.get("type") == "MASTER"
    ]
    return 3 if 3 in counts else 1


def type_configs(spec: Spec) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Every entry of every fleet's `instance_type_configs`, with its path."""
    for index, fleet in items(spec, "instance_fleets"):
        for at, config in items(fleet, "instance_type_configs"):
            yield ("instance_fleets", index, "instance_type_configs", at), config


def hardware(spec: Spec) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Everything that names an instance type with what belongs to it: the groups, the fleets' type configs."""
    for index, group in items(spec, "instance_groups"):
        yield ("instance_groups", index), group
    yield from type_configs(spec)


def release(spec: Spec) -> Version | None:
    """The release as numbers; None when there is none, or none that has plain numbers (emr-spark-8.0.0)."""
    label = spec.get("release_label")
    match = _LABEL.match(label) if isinstance(label, str) else None
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None
