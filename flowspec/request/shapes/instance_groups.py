"""Instance groups: the number of a master group may be left out in the spec; the API wants one for every group."""

from __future__ import annotations

from typing import Any

from flowspec.request.shapes.shape import ByDefinition, CompileContext, Route


def compile(value: list[Any], route: Route, context: CompileContext) -> list[dict[str, Any]]:
    """Returns the groups by rule; a master group without a number has one instance."""
    groups = [context.by_definition(one, "instance_group", route.item(index)) for index, one in enumerate(value)]
    return [{"InstanceCount": 1, **group} if group["InstanceRole"] == "MASTER" else group for group in groups]


def decompile(value: list[dict[str, Any]], by_definition: ByDefinition) -> list[Any]:
    """Returns the groups by rule, without the one instance of a master group."""
    groups = [by_definition(one, "instance_group") for one in value]
    for group in groups:
        if group["role"] == "MASTER" and group["count"] == 1:
            del group["count"]
    return groups
