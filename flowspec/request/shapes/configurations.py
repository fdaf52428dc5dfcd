"""Configurations: a mapping of classification to properties, or the list that AWS's documentation shows.

In the mapping, the key `configurations` of a classification holds those that are nested in it:

    hadoop-env: {configurations: {export: {HADOOP_HEAPSIZE: 4096}}}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowspec.facts.api_model import KeyPath
from flowspec.request.shapes.shape import ByDefinition, CompileContext


def compile(value: Any, at: KeyPath, to: KeyPath, context: CompileContext) -> list[dict[str, Any]]:
    """Returns the API's list; a list in the spec is carried over by rule."""
    if isinstance(value, list):
        out: list[dict[str, Any]] = context.by_definition(value, "configuration_list", at, to)
        return out
    return [
        _classification(name, content, (*at, name), (*to, index), context)
        for index, (name, content) in enumerate(value.items())
    ]


def _classification(
    name: str, content: Mapping[str, Any], at: KeyPath, to: KeyPath, context: CompileContext
) -> dict[str, Any]:
    context.origins[to] = at
    out: dict[str, Any] = {"Classification": name}
    properties = {key: text for key, text in content.items() if key != "configurations"}
    if properties or "configurations" not in content:
        out["Properties"] = properties
        for key in properties:
            context.origins[(*to, "Properties", key)] = (*at, key)
    if "configurations" in content:
        nested = (*at, "configurations"), (*to, "Configurations")
        context.origins[nested[1]] = nested[0]
        out["Configurations"] = compile(content["configurations"], *nested, context)
    return out


def decompile(value: list[dict[str, Any]], by_definition: ByDefinition) -> Any:
    """Returns the mapping where it can express the list, else the list."""
    return (_mapping(value) if value else None) or by_definition(value, "configuration_list")


def _mapping(value: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Returns classification -> properties; None when the mapping would compile to another list."""
    out: dict[str, Any] = {}
    for one in value:
        name, properties, nested = one.get("Classification"), one.get("Properties"), one.get("Configurations")
        if isinstance(properties, str):
            # A variable holds all properties, and can't hold `configurations`, too.
            if name is None or name in out or nested is not None:
                return None
            out[name] = properties
            continue
        content = dict(properties or {})
        # Without properties the mapping compiles to `Properties: {}` alone, or to `Configurations` alone.
        is_ambiguous = not content and (properties is None) == (nested is None)
        if name is None or name in out or "configurations" in content or is_ambiguous:
            return None
        if nested is not None:
            inner = _mapping(nested)
            if inner is None:
                return None
            content["configurations"] = inner
        out[name] = content
    return out
