"""Applications: names in the spec (a mapping only for one with arguments), objects in the API."""

from __future__ import annotations

from typing import Any

from flowspec.facts.api_model import KeyPath
from flowspec.request.shapes.shape import ByDefinition, CompileContext


def compile(value: list[Any], at: KeyPath, to: KeyPath, context: CompileContext) -> list[dict[str, Any]]:
    """Returns an object for each; a name becomes one that has nothing else."""
    return context.applications(value, at, to)


def decompile(value: list[dict[str, Any]], by_definition: ByDefinition) -> list[Any]:
    """Returns the name of each, or a mapping where there is more."""
    return [one["Name"] if one.keys() == {"Name"} else by_definition(one, "application") for one in value]
