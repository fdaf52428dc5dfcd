"""Applications: names in the spec (a mapping only for one with arguments), objects in the API."""

from __future__ import annotations

from typing import Any

from flowspec.request.shapes.shape import ByDefinition, CompileContext, Route


def compile(value: list[Any], route: Route, context: CompileContext) -> list[dict[str, Any]]:
    """Returns an object for each; a name becomes one that has nothing else."""
    return [_compiled(one, route.item(index), context) for index, one in enumerate(value)]


def _compiled(one: Any, route: Route, context: CompileContext) -> dict[str, Any]:
    if isinstance(one, str):
        context.came_from(route)
        return {"Name": one}
    made: dict[str, Any] = context.by_definition(one, "application", route)
    return made


def decompile(value: list[dict[str, Any]], by_definition: ByDefinition) -> list[Any]:
    """Returns the name of each, or a mapping where there is more."""
    return [one["Name"] if one.keys() == {"Name"} else by_definition(one, "application") for one in value]
