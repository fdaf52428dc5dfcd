"""Tags: a mapping in the spec, a list of Key and Value in the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowspec.facts.api_model import KeyPath
from flowspec.request.pairs import mapping_of, pairs_of
from flowspec.request.shapes.shape import ByDefinition, CompileContext


def compile(value: Mapping[str, str | None], at: KeyPath, to: KeyPath, context: CompileContext) -> list[dict[str, str]]:
    """Returns the list, in the order of the mapping."""
    for index, key in enumerate(value):
        context.origins[(*to, index)] = (*at, key)
    return pairs_of(value)


def decompile(value: list[dict[str, Any]], _by_definition: ByDefinition) -> dict[str, str | None]:
    """Returns the mapping. Raises `Inexpressible` for a tag without a key, or given twice."""
    return mapping_of(value, "tags")
