"""Bootstrap actions: the path of a script may be a local file in the spec."""

from __future__ import annotations

from typing import Any

from flowspec.request.assets import is_relative
from flowspec.request.shapes.shape import ByDefinition, CompileContext, Route


def compile(value: list[Any], route: Route, context: CompileContext) -> list[dict[str, Any]]:
    """Returns the actions by rule; a local script is named by its asset's URI, unless `stage` is false."""
    actions = []
    for index, one in enumerate(value):
        action = context.by_definition(one, "bootstrap_action", route.item(index))
        if one.get("stage", True) and is_relative(one["path"]):
            asset = context.files.asset(one["path"], (*route.spec, index, "path"))
            action["ScriptBootstrapAction"]["Path"] = asset.uri if asset else one["path"]
        actions.append(action)
    return actions


def decompile(value: list[dict[str, Any]], by_definition: ByDefinition) -> list[Any]:
    """Returns the actions by rule; with `stage: false` where the path would be taken for a local file."""
    actions = [by_definition(one, "bootstrap_action") for one in value]
    return [{**one, "stage": False} if is_relative(one["path"]) else one for one in actions]
