"""Parameters in boto 2's form and in today's.

boto 2 spoke EMR's query API, whose parameters are flat: `Instances.Ec2SubnetId`, `Steps.member.1.Name`.
Its callers still give them so in `api_params`. Today's API has the same names, nested, and their types.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

Flat: TypeAlias = "dict[str, Any]"


def lay(params: Flat, name: str, value: Any) -> None:
    """Puts a value, flat or nested, over what stands in `params`; None removes a parameter with all that is in it.

    Mappings are merged into what is there, lists replace it. Raises TypeError for a list with None in it.
    """
    if value is None or isinstance(value, list | tuple):
        for key in [key for key in params if key == name or key.startswith(f"{name}.")]:
            del params[key]
    if isinstance(value, Mapping):
        for key, item in value.items():
            lay(params, f"{name}.{key}", item)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value, 1):
            if item is None:
                raise TypeError(f"{name} has None as its item {number}")
            lay(params, f"{name}.member.{number}", item)
    elif value is not None:
        params[name] = value


def nested(params: Mapping[str, Any], shape: Any) -> Any:
    """Returns flat parameters as today's API takes them, by the botocore `Shape` that they are of.

    A value that doesn't fit the shape is left unchanged, so that the SDK reports it. Raises ValueError for a parameter
    that is given both as a value and with something in it.
    """
    if "" in params:
        if len(params) > 1:
            raise ValueError(f"a {shape.name} was given as a value and, in other parameters, in parts")
        return _scalar(params[""], shape.type_name)
    if shape.type_name == "structure":
        return {
            name: nested(rest, shape.members[name]) if name in shape.members else rest.get("", rest)
            for name, rest in _group_by_prefix(params).items()
        }
    if shape.type_name == "list":
        items = _group_by_prefix({name.removeprefix("member."): value for name, value in params.items()})
        if all(number.isdigit() for number in items):
            return [nested(items[number], shape.member) for number in sorted(items, key=int)]
    if shape.type_name == "map":
        return _map(params)
    return params


def _group_by_prefix(params: Mapping[str, Any]) -> dict[str, Flat]:
    """Returns the parameters by the first part of their names, each less that part."""
    out: dict[str, Flat] = {}
    for name, value in params.items():
        first, _, rest = name.partition(".")
        out.setdefault(first, {})[rest] = value
    return out


def _map(params: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a mapping. The query API numbers its entries; else the rest of a name is a key, dots and all."""
    if all(name.startswith("entry.") for name in params):
        entries = _group_by_prefix({name.removeprefix("entry."): value for name, value in params.items()})
        return {str(entry.get("key")): entry.get("value") for entry in entries.values()}
    return {name: _scalar(value, "string") for name, value in params.items()}


_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_NUMBERS = {"integer": int, "long": int, "double": float, "float": float}


def _scalar(value: Any, type_name: str) -> Any:
    """Returns a value in the type of the API: the query API had only texts, and scripts give any type."""
    if type_name == "boolean":
        return _BOOLEANS.get(str(value).lower(), value)
    if type_name == "string" and isinstance(value, int | float | Decimal):
        return str(value)
    if type_name in _NUMBERS and isinstance(value, str):
        try:
            return _NUMBERS[type_name](value)
        except ValueError:
            return value
    return value
