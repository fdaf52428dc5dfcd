"""The members of a request -> the members of a spec: `compile` read backwards, along the same schema.

What compile carries over by rule is carried back by rule, so a member that the schema learns to say can
be imported the same day. Code stands here only for the shapes that are friendlier than the API's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from flowspec.document import schema as schemas
from flowspec.importers.decompile.placeholders import hole_of
from flowspec.request.assets import is_relative

Member: TypeAlias = "tuple[str, ...]"
"""The way to a member of a request, such as `("Instances", "Ec2KeyName")`."""


class Unsaid(Exception):
    """The spec has no words for a value; the text says why."""


def members(value: Mapping[str, Any], schema: schemas.Schema) -> Iterator[tuple[Member, Any]]:
    """The members that keys of a schema stand for, each with its value; owners without a key are walked into."""
    yield from _members(value, _keys(schema), ())


def _members(value: Mapping[str, Any], keys: Mapping[Member, Any], above: Member) -> Iterator[tuple[Member, Any]]:
    for name, inner in value.items():
        member = (*above, name)
        owns = any(known[: len(member)] == member for known in keys if known != member)
        if member not in keys and owns and isinstance(inner, Mapping) and (inner or member == ("Instances",)):
            yield from _members(inner, keys, member)
        else:
            yield member, inner


def _keys(schema: schemas.Schema) -> dict[Member, tuple[str, schemas.Schema]]:
    """Which key stands for a member: the reverse of how compile names them."""
    return {
        tuple(schemas.api_name(key, known).split(".")): (key, known)
        for key, known in schema.get("properties", {}).items()
        if not known.get("x-tool") and key not in ("when", "for_each")
    }


def said(
    value: Mapping[str, Any], schema: schemas.Schema, aside: Mapping[Member, str] = {}
) -> tuple[dict[str, Any], dict[Member, str]]:
    """The keys that say an object of the API, in the schema's order; and the members they can't say, with why.

    Members in `aside` are not tried.
    """
    keys = _keys(schema)
    found: dict[str, Any] = {}
    left: dict[Member, str] = {}
    for member, inner in members(value, schema):
        if member in aside:
            left[member] = aside[member]
        elif member not in keys:
            left[member] = "the spec has no word for it"
        else:
            key, known = keys[member]
            try:
                found[key] = _said(inner, known)
            except Unsaid as reason:
                left[member] = str(reason)
    return {key: found[key] for key in schema["properties"] if key in found}, left


def _said(value: Any, schema: schemas.Schema) -> Any:
    if hole_of(value):
        return value
    schema = schemas.meant(schema, schemas.kind(value))
    shape = schema.get("x-shape")
    if shape:
        return _SHAPES[shape](value)
    if isinstance(value, dict):
        return _object(value, schema)
    return [_said(item, schema["items"]) for item in value] if isinstance(value, list) else value


def _object(value: dict[str, Any], schema: schemas.Schema) -> dict[str, Any]:
    if "properties" not in schema:
        return {key: _said(inner, schema["additionalProperties"]) for key, inner in value.items()}
    found, left = said(value, schema)
    for member, reason in left.items():
        raise Unsaid(f"{'.'.join(member)}: {reason}")
    return found


def by_definition(value: Any, name: str) -> Any:
    """A value as the schema's definition of this name says it. Raises `Unsaid`."""
    return _said(value, schemas.strict()["$defs"][name])


def pairs(value: list[dict[str, str]], what: str) -> dict[str, str | None]:
    """A list of Key and Value as a mapping; a key without a value is null. Raises `Unsaid`."""
    out: dict[str, str | None] = {}
    for one in value:
        if "Key" not in one:
            raise Unsaid(f"one of the {what} has no key")
        if one["Key"] in out:
            raise Unsaid(f"two of the {what} have one key")
        out[one["Key"]] = one.get("Value")
    return out


# --- shapes that are friendlier than the API's ---


def _applications(value: list[dict[str, Any]]) -> list[Any]:
    return [one["Name"] if set(one) == {"Name"} else by_definition(one, "application") for one in value]


def _configurations(value: list[dict[str, Any]]) -> Any:
    return (_classifications(value) if value else None) or by_definition(value, "configuration_list")


def _classifications(value: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Classification -> properties; None when a mapping can't say it, and AWS's own list has to."""
    out: dict[str, Any] = {}
    for one in value:
        name, properties, nested = one.get("Classification"), one.get("Properties"), one.get("Configurations")
        content = dict(properties or {})
        if (
            name is None
            or name in out
            or "configurations" in content
            or (not content and (properties is None) == (nested is None))
        ):
            return None
        if nested is not None:
            inner = _classifications(nested)
            if inner is None:
                return None
            content["configurations"] = inner
        out[name] = content
    return out


def _instance_groups(value: list[dict[str, Any]]) -> list[Any]:
    groups = [by_definition(one, "instance_group") for one in value]
    for group in groups:
        if group["role"] == "MASTER" and group["count"] == 1:
            del group["count"]
    return groups


def _bootstrap_actions(value: list[dict[str, Any]]) -> list[Any]:
    actions = [by_definition(one, "bootstrap_action") for one in value]
    return [{**one, "stage": False} if is_relative(one["path"]) else one for one in actions]


_SHAPES: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "tags": lambda value: pairs(value, "tags"),
    "applications": _applications,
    "configurations": _configurations,
    "instance_groups": _instance_groups,
    "bootstrap_actions": _bootstrap_actions,
    "steps": lambda value: value,  # what they become depends on the rest of the spec
}
