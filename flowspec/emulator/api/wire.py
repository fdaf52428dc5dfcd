"""What comes over the wire, held against the API's model before any operation sees it.

A client may check nothing, or check by another version of the model than ours. AWS's front end takes JSON
by its own rules: null is absence, members it does not know are passed over, and what does not fit the
model is refused in the words below (those of AWS's Coral framework, as users of its services quote them).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from flowspec.emulator.api.errors import EmrError, validation
from flowspec.facts.api_model import input_shape

# What the model's patterns for strings (XmlString, UriString) leave out. They are Java's: pairs of
# surrogates stand for the characters beyond 16 bits, and Python can't read them.
_NOT_XML = re.compile(r"[^\u0020-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF\r\n\t]")
_INTEGER_BITS = {"integer": 32, "long": 64}
_JSON_NAMES = {str: "STRING_VALUE", int: "NUMBER_VALUE", float: "NUMBER_VALUE"}


def request(operation: str, body: bytes) -> dict[str, Any]:
    """The parameters that a request's body gives to an operation, with nothing in them that the model has not.

    Raises EmrError: SerializationException for what is no JSON or has a wrong type, ValidationException for
    what is missing or out of its bounds. An operation that the model does not know gets its JSON as it is.
    """
    params = _json(body)
    shape = _shape_of(operation)
    if shape is None:
        return params
    problems: list[str] = []
    taken: dict[str, Any] = _Reader(problems).structure(params, shape, "")
    if problems:
        number = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: "
        raise validation(number + "; ".join(problems))
    return taken


def _json(body: bytes) -> dict[str, Any]:
    try:
        text = body.decode()
        params = json.loads(text or "{}", parse_constant=_no_number)
        # JSON can spell half a character ("\ud800"), which no file and no process can be given.
        json.dumps(params, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise _unreadable(f"the request is not JSON: {error}") from error
    if not isinstance(params, dict):
        raise _unreadable("the request is not a JSON object")
    return params


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _shape_of(operation: str) -> Any:
    from botocore.model import OperationNotFoundError

    try:
        return input_shape(operation)
    except OperationNotFoundError:
        return None


def _unreadable(message: str, path: str = "") -> EmrError:
    return EmrError("SerializationException", f"{message}: {path}" if path else message)


class _Reader:
    """Reads values as the model's shapes; what is out of bounds is put on `problems`, a wrong type raised at once.

    A place is written as AWS does: `instances.instanceGroups.1.member.market`.
    """

    def __init__(self, problems: list[str]) -> None:
        self._problems = problems
        self._by_type: Mapping[str, Callable[[Any, Any, str], Any]] = {
            "structure": self.structure,
            "list": self._list,
            "map": self._map,
            "string": self._string,
            "boolean": self._boolean,
            "integer": self._integer,
            "long": self._integer,
            "float": self._number,
            "double": self._number,
            "timestamp": self._number,
        }

    def structure(self, value: Any, shape: Any, path: str) -> dict[str, Any]:
        """A structure without the members that the model does not know, or that are null."""
        if not isinstance(value, dict):
            raise _expected("structure", value, path)
        taken = {
            name: self._value(value[name], member, _below(path, name))
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
        for name in shape.required_members:
            if name not in taken:
                self._refuse(None, _below(path, name), "Member must not be null")
        return taken

    def _value(self, value: Any, shape: Any, path: str) -> Any:
        return self._by_type[shape.type_name](value, shape, path)

    def _list(self, value: Any, shape: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise _expected("list", value, path)
        items = enumerate(value, 1)
        return [
            self._value(item, shape.member, f"{path}.{number}.member") for number, item in items if item is not None
        ]

    def _map(self, value: Any, shape: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _expected("map", value, path)
        return {
            key: self._value(item, shape.value, f"{path}.{key}.member")
            for key, item in value.items()
            if item is not None
        }

    def _string(self, value: Any, shape: Any, path: str) -> str:
        if not isinstance(value, str):
            raise _wrong_type(value, "a String", path)
        if shape.enum and value not in shape.enum:
            self._refuse(value, path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
        self._bounded(value, len(value), shape, path, "have length")
        pattern = shape.metadata.get("pattern", "")
        if not _matches(value, pattern):
            self._refuse(value, path, f"Member must satisfy regular expression pattern: {pattern}")
        return value

    def _boolean(self, value: Any, _: Any, path: str) -> bool:
        if not isinstance(value, bool):
            raise _wrong_type(value, "a Boolean", path)
        return value

    def _integer(self, value: Any, shape: Any, path: str) -> int:
        bits = _INTEGER_BITS[shape.type_name]
        whole = isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
        if not whole or not -(1 << bits - 1) <= value < 1 << bits - 1:
            raise _wrong_type(value, "an Integer" if bits == 32 else "a Long", path)
        self._bounded(value, value, shape, path, "have value")
        return int(value)

    def _number(self, value: Any, shape: Any, path: str) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not _is_finite(value):
            raise _wrong_type(value, "a Timestamp" if shape.type_name == "timestamp" else "a Double", path)
        self._bounded(value, value, shape, path, "have value")
        return value

    def _bounded(self, value: Any, size: float, shape: Any, path: str, what: str) -> None:
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if least is not None and size < least:
            self._refuse(value, path, f"Member must {what} greater than or equal to {least}")
        if most is not None and size > most:
            self._refuse(value, path, f"Member must {what} less than or equal to {most}")

    def _refuse(self, value: Any, path: str, constraint: str) -> None:
        told = "null" if value is None else f"'{value}'"
        self._problems.append(f"Value {told} at '{path}' failed to satisfy constraint: {constraint}")


def _below(path: str, name: str) -> str:
    member = name[:1].lower() + name[1:]
    return f"{path}.{member}" if path else member


def _matches(value: str, pattern: str) -> bool:
    if not pattern:
        return True
    return not _NOT_XML.search(value) if r"\uD7FF" in pattern else bool(re.fullmatch(pattern, value))


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _expected(kind: str, value: Any, path: str) -> EmrError:
    if isinstance(value, list):
        return _unreadable("Start of list found where not expected", path)
    if isinstance(value, dict):
        return _unreadable("Start of structure or map found where not expected", path)
    return _unreadable(f"Expected {kind} or null", path)


def _wrong_type(value: Any, wanted: str, path: str) -> EmrError:
    if isinstance(value, list | dict):
        return _expected(wanted, value, path)
    name = f"{str(value).upper()}_VALUE" if isinstance(value, bool) else _JSON_NAMES[type(value)]
    return _unreadable(f"{name} can not be converted to {wanted}", path)
