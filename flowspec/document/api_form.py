"""A spec's values in the form of RunJobFlow, by rule along the schema, and the place in the spec of each part.

Both `request.compile` and the rules of EMR, which check a spec before it is compiled, use this conversion.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from flowspec.document import schema as schemas
from flowspec.facts.api_model import KeyPath

Origins: TypeAlias = "Mapping[KeyPath, KeyPath]"
"""The path of a part of the request -> the path in the spec."""


class ApiForm(ABC):
    """Converts values along the schema. `at` is always the path of a value in the spec, `to` that in the request."""

    def __init__(self) -> None:
        self.origins: dict[KeyPath, KeyPath] = {}

    @abstractmethod
    def convert_shape(self, shape: str, value: Any, at: KeyPath, to: KeyPath) -> Any:
        """Returns a value that has another shape in the API (`x-shape`)."""

    def convert(self, value: Any, schema: schemas.Schema, at: KeyPath, to: KeyPath) -> Any:
        """Returns a value in the form of the API."""
        self.origins[to] = at
        kind = schemas.kind(value)
        schema = schemas.resolve_schema(schema, kind, value.get("type") if kind == "object" else None)
        if shape := schema.get("x-shape"):
            return self.convert_shape(shape, value, at, to)
        if kind == "object":
            return self.members(value, schema, at, to)
        if kind == "array":
            return [self.convert(item, schema["items"], (*at, n), (*to, n)) for n, item in enumerate(value)]
        return value

    def members(self, value: Mapping[str, Any], schema: schemas.Schema, at: KeyPath, to: KeyPath) -> dict[str, Any]:
        """Returns a mapping with the API's names of its keys."""
        out: dict[str, Any] = {}
        own = schema.get("properties", {})
        for key, item in value.items():
            known = schemas.member(schema, key)
            if known is None or known.get("x-tool"):
                continue
            # A name may be a dotted path, such as `Instances.Placement.AvailabilityZone`; a user's key is not a path.
            names = schemas.api_name(key, known).split(".") if key in own else [key]
            owner = out
            for name in names[:-1]:
                owner = owner.setdefault(name, {})
            owner[names[-1]] = self.convert(item, known, (*at, key), (*to, *names))
        return out

    def by_definition(self, value: Any, name: str, at: KeyPath, to: KeyPath) -> Any:
        """Returns a value converted by the schema's definition of this name."""
        return self.convert(value, schemas.strict()["$defs"][name], at, to)

    def items_by_definition(self, value: list[Any], name: str, at: KeyPath, to: KeyPath) -> list[Any]:
        """Returns the items of a list, each converted by the schema's definition of this name."""
        return [self.by_definition(one, name, (*at, n), (*to, n)) for n, one in enumerate(value)]

    def applications(self, value: list[Any], at: KeyPath, to: KeyPath) -> list[Any]:
        """Returns an object for each application; a name becomes one that has nothing else."""
        return [
            {"Name": self.convert(one, {}, (*at, n), (*to, n))}
            if isinstance(one, str)
            else self.by_definition(one, "application", (*at, n), (*to, n))
            for n, one in enumerate(value)
        ]


def with_master_counts(groups: list[Any]) -> list[Any]:
    """Returns instance groups with a count of 1 for a master group without one: the API requires a count."""
    return [{"InstanceCount": 1, **one} if one and one.get("InstanceRole") == "MASTER" else one for one in groups]


def nearest_origin(origins: Origins, path: KeyPath) -> tuple[KeyPath, KeyPath]:
    """Returns the path, or the nearest enclosing path, whose origin is known, and this origin; or () twice."""
    known = next((path[:size] for size in range(len(path), 0, -1) if path[:size] in origins), ())
    return known, origins.get(known, ())


def record_patch(origins: dict[KeyPath, KeyPath], patch: Any) -> None:
    """Records the parts of a request that `api_params` sets, instead of the overridden parts."""
    replaced = dict(_replacing_values(patch, ()))
    for path in [one for one in origins if any(one[:size] in replaced for size in range(1, len(one) + 1))]:
        del origins[path]
    for path, value in replaced.items():
        for inner in _paths_within(value, path):
            origins[inner] = ("api_params", *inner)


def _replacing_values(patch: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """Yields the values that replace others: mappings are merged (RFC 7396)."""
    if isinstance(patch, Mapping):
        for name, inner in patch.items():
            yield from _replacing_values(inner, (*path, name))
    else:
        yield path, patch


def _paths_within(value: Any, path: KeyPath) -> Iterator[KeyPath]:
    yield path
    steps = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield from _paths_within(inner, (*path, step))
