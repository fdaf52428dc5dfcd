"""Bootstrap actions: the path of a script may be a local file in the spec."""

from __future__ import annotations

from typing import Any

from flowspec.facts.api_model import KeyPath
from flowspec.request.assets import is_relative
from flowspec.request.shapes.shape import ByDefinition, CompileContext


def compile(value: list[Any], at: KeyPath, to: KeyPath, context: CompileContext) -> list[dict[str, Any]]:
    """Returns the actions by rule; a local script is named by its asset's URI, unless `stage` is false."""
    actions = context.items_by_definition(value, "bootstrap_action", at, to)
    for index, (one, action) in enumerate(zip(value, actions, strict=True)):
        if one.get("stage", True) and is_relative(one["path"]):
            asset = context.files.asset(one["path"], (*at, index, "path"))
            action["ScriptBootstrapAction"]["Path"] = asset.uri if asset else one["path"]
    return actions


def decompile(value: list[dict[str, Any]], by_definition: ByDefinition) -> list[Any]:
    """Returns the actions by rule; with `stage: false` where the path would be taken for a local file."""
    actions = [by_definition(one, "bootstrap_action") for one in value]
    return [{**one, "stage": False} if is_relative(one["path"]) else one for one in actions]
