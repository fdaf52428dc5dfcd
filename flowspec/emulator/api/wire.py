"""Reads the JSON body of a request and checks it against the API's model, before any operation sees it.

A client may check nothing, or check by another version of the model. AWS's front end reads JSON by its own rules: null
means absent, and unknown members are ignored. Values that do not fit the model are refused with the messages below,
which are those of AWS's Coral framework, as quoted by users.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from flowspec.emulator.errors import EmrError, validation
from flowspec.facts.api_model import CLIENT_TYPES, KeyPath, MapKey, Mismatch, find_input_shape, mismatches

_JSON_TYPES = {**CLIENT_TYPES, "list": (list,), "timestamp": (int, float)}
_JSON_NAMES = {str: "STRING_VALUE", int: "NUMBER_VALUE", float: "NUMBER_VALUE"}
_WANTED = {
    "string": "a String",
    "boolean": "a Boolean",
    "integer": "an Integer",
    "long": "a Long",
    "float": "a Double",
    "double": "a Double",
    "timestamp": "a Timestamp",
}


# The maximum depth of nested lists and objects. Only configurations can be nested without limit, and Python's own limit
# depends on its version.
_MOST_LEVELS = 200


def request(operation: str, body: bytes) -> dict[str, Any]:
    """Reads the parameters of an operation from the body of its request, without members that the model does not have.

    Raises EmrError: SerializationException for a body that is not JSON and for a wrong type,
    ValidationException for what is missing or out of bounds. The JSON of an operation that the model does
    not know is returned as it is.
    """
    params = _json(body)
    shape = find_input_shape(operation)
    if shape is None:
        return params
    known: dict[str, Any] = _drop_unknown_members(params, shape, _MOST_LEVELS)
    found = list(mismatches(known, shape, types=_JSON_TYPES))
    for one in found:
        if one.kind in ("type", "overflow"):
            raise _wrong_type_error(one)
    if found:
        number = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected: "
        raise validation(number + "; ".join(map(_violation_message, found)))
    return known


def _json(body: bytes) -> dict[str, Any]:
    try:
        text = body.decode()
        params = json.loads(text or "{}", parse_constant=_refuse_constant)
        # JSON can write an unpaired surrogate ("\ud800"), which no file and no process can be given.
        json.dumps(params, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise _unreadable(f"the request is not JSON: {error}") from error
    if not isinstance(params, dict):
        raise _unreadable("the request is not a JSON object")
    return params


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _unreadable(message: str, path: str = "") -> EmrError:
    return EmrError("SerializationException", f"{message}: {path}" if path else message)


def _drop_unknown_members(value: Any, shape: Any, levels: int) -> Any:
    """Returns the value without nulls and unknown members; 3.0 for an integer becomes 3.

    Raises EmrError for a value that has more than `levels` levels of lists and objects.
    """
    if not levels:
        raise _unreadable(f"the request is nested deeper than {_MOST_LEVELS} levels")
    kind, levels = shape.type_name, levels - 1
    if kind == "structure" and isinstance(value, dict):
        return {
            name: _drop_unknown_members(value[name], member, levels)
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if kind == "list" and isinstance(value, list):
        return [_drop_unknown_members(item, shape.member, levels) for item in value if item is not None]
    if kind == "map" and isinstance(value, dict):
        return {
            key: _drop_unknown_members(item, shape.value, levels) for key, item in value.items() if item is not None
        }
    if kind in ("integer", "long") and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _path_in_message(path: KeyPath) -> str:
    """Returns a path as AWS writes it: `instances.instanceGroups.1.member.market`."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts += [str(step + 1), "member"]
        elif isinstance(step, MapKey):
            parts += [step, "member"]
        else:
            parts.append(step[:1].lower() + step[1:])
    return ".".join(parts)


def _violation_message(one: Mismatch) -> str:
    shown = "null" if one.kind == "missing" else f"'{one.value}'"
    measure = "have length" if isinstance(one.value, str | list) else "have value"
    expected = f"[{', '.join(one.expected)}]" if one.kind == "enum" else one.expected
    constraint = {
        "missing": "not be null",
        "enum": f"satisfy enum value set: {expected}",
        "min": f"{measure} greater than or equal to {expected}",
        "max": f"{measure} less than or equal to {expected}",
        "pattern": f"satisfy regular expression pattern: {expected}",
    }[one.kind]
    return f"Value {shown} at '{_path_in_message(one.path)}' failed to satisfy constraint: Member must {constraint}"


def _wrong_type_error(one: Mismatch) -> EmrError:
    path, kind = _path_in_message(one.path), one.shape.type_name
    if isinstance(one.value, list):
        return _unreadable("Start of list found where not expected", path)
    if isinstance(one.value, dict):
        return _unreadable("Start of structure or map found where not expected", path)
    if kind not in _WANTED:
        return _unreadable(f"Expected {kind} or null", path)
    name = f"{str(one.value).upper()}_VALUE" if isinstance(one.value, bool) else _JSON_NAMES[type(one.value)]
    return _unreadable(f"{name} can not be converted to {_WANTED[kind]}", path)
