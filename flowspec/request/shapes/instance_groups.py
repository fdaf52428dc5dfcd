"""Instance groups: the number of a master group may be left out in the spec; the API wants one for every group."""

from __future__ import annotations

from typing import Any

from flowspec.document.api_form import with_master_counts
from flowspec.facts.api_model import KeyPath
from flowspec.request.shapes.shape import ByDefinition, CompileContext


def compile(value: list[Any], at: KeyPath, to: KeyPath, context: CompileContext) -> list[dict[str, Any]]:
    """Returns the groups by rule; a master group without a number has one instance."""
    return with_master_counts(context.items_by_definition(value, "instance_group", at, to))


def decompile(value: list[dict[str, Any]], by_definition: ByDefinition) -> list[Any]:
    """Returns the groups by rule, without the one instance of a master group."""
    groups = [by_definition(one, "instance_group") for one in value]
    for group in groups:
        if group["role"] == "MASTER" and group["count"] == 1:
            del group["count"]
    return groups
