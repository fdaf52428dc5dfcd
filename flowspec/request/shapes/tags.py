"""Tags: a mapping in the spec, a list of Key and Value in the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowspec.request.pairs import mapping_of, pairs_of
from flowspec.request.shapes.shape import ByDefinition, CompileContext, Route


def compile(value: Mapping[str, str | None], route: Route, context: CompileContext) -> list[dict[str, str]]:
    """Returns the list, in the order of the mapping."""
    for index, key in enumerate(value):
        context.came_from(route.to(key, index))
    return pairs_of(value)


def decompile(value: list[dict[str, Any]], _by_definition: ByDefinition) -> dict[str, str | None]:
    """Returns the mapping. Raises `Inexpressible` for a tag without a key, or given twice."""
    return mapping_of(value, "tags")
