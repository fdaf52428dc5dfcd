"""The members of a request -> the keys of a spec: `request.compile` in reverse, along the same schema.

What compile carries over by rule is carried back by rule, so a key that the schema gains can be imported
the same day. Friendlier shapes of the spec are handled by the module of the shape (`request.shapes`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from flowspec.document import schema as schemas
from flowspec.importers.placeholders import placeholder_name
from flowspec.request.pairs import Inexpressible
from flowspec.request.shapes.registry import SHAPES

Member: TypeAlias = "tuple[str, ...]"
"""The path of a member of a request, such as `("Instances", "Ec2KeyName")`."""


def members(value: Mapping[str, Any], schema: schemas.Schema) -> Iterator[tuple[Member, Any]]:
    """Yields the members of a request that keys of a schema stand for, with their values.

    A structure without a key of its own (Instances, Placement) is not one of them, but its members are.
    """
    yield from _members(value, keys_of(schema), ())


def _members(value: Mapping[str, Any], keys: Mapping[Member, Any], above: Member) -> Iterator[tuple[Member, Any]]:
    for name, inner in value.items():
        member = (*above, name)
        is_owner = any(known[: len(member)] == member for known in keys if known != member)
        # compile always writes Instances, and no other structure that is empty.
        if member not in keys and is_owner and isinstance(inner, Mapping) and (inner or member == ("Instances",)):
            yield from _members(inner, keys, member)
        else:
            yield member, inner


def keys_of(schema: schemas.Schema) -> dict[Member, tuple[str, schemas.Schema]]:
    """Returns the key of each member, and its schema: the reverse of `schemas.api_name`."""
    return {
        tuple(schemas.api_name(key, known).split(".")): (key, known)
        for key, known in schema.get("properties", {}).items()
        if not known.get("x-tool")
    }


def decompile_members(
    value: Mapping[str, Any], schema: schemas.Schema, aside: Mapping[Member, str] = {}
) -> tuple[dict[str, Any], dict[Member, str]]:
    """Returns the keys that express a structure of the API, in the schema's order, and the members left over.

    The latter are given with the reasons. Members in `aside` are left over without an attempt, for the reason there.
    """
    keys = keys_of(schema)
    found: dict[str, Any] = {}
    left: dict[Member, str] = {}
    for member, inner in members(value, schema):
        if member in aside:
            left[member] = aside[member]
        elif member not in keys:
            left[member] = "the spec has no field for it"
        else:
            key, known = keys[member]
            try:
                found[key] = _decompile_value(inner, known)
            except Inexpressible as reason:
                left[member] = str(reason)
    return {key: found[key] for key in schema["properties"] if key in found}, left


def _decompile_value(value: Any, schema: schemas.Schema) -> Any:
    if placeholder_name(value):
        return value
    schema = schemas.resolve_schema(schema, schemas.kind(value))
    shape = schema.get("x-shape")
    if shape:
        return SHAPES[shape].decompile(value, by_definition)
    if isinstance(value, dict):
        return _decompile_object(value, schema)
    return [_decompile_value(item, schema["items"]) for item in value] if isinstance(value, list) else value


def _decompile_object(value: dict[str, Any], schema: schemas.Schema) -> dict[str, Any]:
    if "properties" not in schema:
        return {key: _decompile_value(inner, schema["additionalProperties"]) for key, inner in value.items()}
    found, left = decompile_members(value, schema)
    for member, reason in left.items():
        raise Inexpressible(f"{'.'.join(member)}: {reason}")
    return found


def by_definition(value: Any, name: str) -> Any:
    """Returns a value as the schema's definition of this name has it. Raises `Inexpressible`."""
    return _decompile_value(value, schemas.strict()["$defs"][name])
