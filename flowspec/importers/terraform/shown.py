"""Terraform's JSON output -> the resources in it: `terraform show -json` of a plan or a state, and a state file.

What a plan does not know before it is applied is a placeholder, named after its address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flowspec.facts.api_model import Json
from flowspec.importers.terraform.blocks import Values, index_of
from flowspec.importers.terraform.context import Context
from flowspec.importers.terraform.instances import Resource, without_indexes


def is_shown(value: Json) -> bool:
    """Returns True if a JSON object is a plan or a state, and not a configuration."""
    return isinstance(value.get("planned_values") or value.get("values"), dict) or isinstance(
        value.get("resources"), list
    )


def shown_resources(value: Json, context: Context) -> list[Resource]:
    """Returns the resources of a plan or a state, those of its modules too."""
    if isinstance(value.get("resources"), list):
        return list(_state_resources(value["resources"]))
    root = (value.get("planned_values") or value["values"]).get("root_module")
    changes = {str(one.get("address")): one for one in value.get("resource_changes", []) if isinstance(one, dict)}
    written = dict(_configured_expressions(value.get("configuration", {}).get("root_module"), ""))
    return [_fill_unknown_values(one, changes, written, context) for one in _planned_resources(root)]


def _planned_resources(module: Any) -> Iterator[Resource]:
    if not isinstance(module, dict):
        return
    for one in module.get("resources", []):
        if one.get("mode", "managed") == "managed":
            address = str(one.get("address") or f"{one.get('type')}.{one.get('name')}")
            key = re.sub(r"\[[^][]*\]$", "", address)
            yield Resource(str(one.get("type")), key, address, _values(one.get("values", {}), address))
    for inner in module.get("child_modules", []):
        yield from _planned_resources(inner)


def _state_resources(resources: list[Json]) -> Iterator[Resource]:
    """Yields the resources of a state file (version 4)."""
    for one in resources:
        for instance in one.get("instances", []) if one.get("mode", "managed") == "managed" else ():
            key = ".".join(filter(None, [one.get("module"), one.get("type"), one.get("name")]))
            at = instance.get("index_key")
            index = "" if at is None else index_of(at)
            yield Resource(str(one.get("type")), key, f"{key}{index}", _values(instance.get("attributes", {}), key))


def _values(given: Any, place: str) -> Values:
    out = Values(place)
    for key, item in given.items():
        made = _plain_value(item, place)
        if made not in (None, []):
            out[key] = made
    return out


def _plain_value(value: Any, place: str) -> Any:
    if isinstance(value, dict):
        return _values(value, place)
    return [_plain_value(one, place) for one in value if one is not None] if isinstance(value, list) else value


# --- what a plan does not know ---


def _fill_unknown_values(one: Resource, changes: Json, written: dict[str, Json], context: Context) -> Resource:
    unknown = changes.get(one.address, {}).get("change", {}).get("after_unknown", {})
    # An argument that nobody wrote is unknown as well, where AWS chooses it.
    expressions = written.get(without_indexes(one.address), {})
    _replace_unknown(one.values, unknown, expressions, one.address, context)
    return one


def _replace_unknown(values: Any, unknown: Any, written: Any, path: str, context: Context) -> None:
    for key, item in unknown.items():
        expression = written.get(key) if isinstance(written, dict) else None
        if not expression:
            continue
        if item is True:
            values[key] = context.stand_in(f"{path}.{key}{_reference_suffix(expression)}")
        elif isinstance(item, list) and isinstance(values.get(key), list):
            _replace_unknown_items(values[key], item, expression, f"{path}.{key}", context)


def _replace_unknown_items(values: list[Any], unknown: list[Any], written: Any, path: str, context: Context) -> None:
    for at, item in enumerate(unknown):
        if item is True and at < len(values):
            values[at] = context.stand_in(f"{path}[{at}]")
        elif isinstance(item, dict) and at < len(values) and isinstance(values[at], dict):
            inner = written[at] if isinstance(written, list) and at < len(written) else written
            _replace_unknown(values[at], item, inner, f"{path}[{at}]", context)


def _reference_suffix(expression: Any) -> str:
    found = expression.get("references", []) if isinstance(expression, dict) else []
    return f" ({found[0]})" if found else ""


def _configured_expressions(module: Any, prefix: str) -> Iterator[tuple[str, Json]]:
    """Yields the expressions of each resource of a plan's configuration, by its address without indexes."""
    if not isinstance(module, dict):
        return
    for one in module.get("resources", []):
        yield f"{prefix}{one.get('address')}", one.get("expressions", {})
    for name, call in module.get("module_calls", {}).items():
        yield from _configured_expressions(call.get("module"), f"{prefix}module.{name}.")


def owners(value: Json) -> dict[str, list[str]]:
    """Returns the reference in the `cluster_id` of each resource, by the resource's address without indexes."""
    found = {}
    for address, expressions in _configured_expressions(value.get("configuration", {}).get("root_module"), ""):
        prefix = re.sub(r"[^.]+\.[^.]+$", "", address)
        references = expressions.get("cluster_id", {}).get("references", [])
        found[address] = [f"{prefix}{one}" for one in references]
    return found
