"""Terraform's types: conversions between them, and comparison, as its language defines them.

A placeholder is left as it is; the value that replaces it is converted where it is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from flowspec.importers.placeholders import PLACEHOLDER
from flowspec.importers.terraform.syntax import Call, Expr, Items, Literal, Name, Pairs, Template

# Python's Decimal also takes spaces, underscores and the digits of other scripts.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Unknown(Exception):
    """The value of an expression can't be known from the configuration alone."""


class SetOf(list[Any]):
    """A set: in the order in which Terraform goes through it, without doubles."""

    def __init__(self, items: Iterable[Any] = ()) -> None:
        unique: dict[str, Any] = {json.dumps(one, sort_keys=True): one for one in items}
        super().__init__(sorted(unique.values(), key=_sort_key))


def _sort_key(value: Any) -> tuple[int, Any]:
    """Returns the key to sort an element by: numbers by size, texts by bytes, others, which are hashed, by JSON."""
    if isinstance(value, str):
        return 1, value.encode()
    return (0, value) if is_number(value) else (2, json.dumps(value, sort_keys=True))


def is_number(value: Any) -> bool:
    """Returns True if a value is a number; booleans are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def to_text(value: Any) -> str:
    """Returns a value as a string. Raises `Unknown` for what has no such form."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    raise Unknown


def to_number(value: Any) -> int | float:
    """Returns a value as a number. Raises `Unknown`."""
    if is_number(value):
        number: int | float = value
        return number
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise Unknown
    return plain_number(Decimal(value))


def to_whole(value: Any) -> int:
    """Returns a value as a whole number. Raises `Unknown`."""
    number = to_number(value)
    if number != int(number):
        raise Unknown
    return int(number)


def to_decimal(value: Any) -> Decimal:
    """Returns a value as the decimal that its digits say, for arithmetic. Raises `Unknown`."""
    return Decimal(repr(to_number(value)))


def plain_number(value: Decimal) -> int | float:
    """Returns a decimal as an int or a float. Raises `Unknown` where a float would not have all of its digits."""
    if not value.is_finite():
        raise Unknown
    if value == value.to_integral_value() and abs(value) < 10**18:
        return int(value)
    if Decimal(repr(float(value))) != value:
        raise Unknown
    return float(value)


def to_truth(value: Any) -> bool:
    """Returns a value as a truth value. Raises `Unknown`."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise Unknown


def equal(one: Any, other: Any) -> bool:
    """Returns the operator ==.

    Raises `Unknown` for collections, since theirs depends on types that are not known here.
    """
    if one is None or other is None:
        return one is other
    if isinstance(one, list | dict) or isinstance(other, list | dict):
        raise Unknown
    kinds = [bool if isinstance(each, bool) else str if isinstance(each, str) else float for each in (one, other)]
    return kinds[0] is kinds[1] and bool(one == other)


def unify_types(items: list[Any]) -> list[Any]:
    """Returns elements in one type, as a list or set has them: text, where one of them is. Raises `Unknown`."""
    truths, numbers = any(isinstance(one, bool) for one in items), any(map(is_number, items))
    if any(isinstance(one, str) for one in items) and (truths or numbers):
        return [one if one is None else to_text(one) for one in items]
    if truths and numbers:
        raise Unknown
    return items


def type_name(constraint: Expr | None) -> str:
    """Returns the outermost word of a type constraint: list, string, …; any where there is none."""
    if isinstance(constraint, Call):
        return constraint.name
    if isinstance(constraint, Name):
        return constraint.name
    # The syntax before Terraform 0.12: type = "list".
    if isinstance(constraint, Template):
        return constraint.raw
    return "any"


def convert_to_type(value: Any, constraint: Expr | None) -> Any:
    """Returns a value in the type that a variable has. Raises `Unknown` where it does not fit."""
    kind = type_name(constraint)
    if value is None or kind == "any" or (isinstance(value, str) and PLACEHOLDER.search(value)):
        return value
    if kind in _SCALARS:
        return _SCALARS[kind](value)
    inner = constraint.args[0] if isinstance(constraint, Call) and constraint.args else None
    if kind in ("list", "set"):
        if not isinstance(value, list):
            raise Unknown
        items = [convert_to_type(one, inner) for one in value]
        return SetOf(items) if kind == "set" else items
    if kind == "tuple" and isinstance(value, list) and isinstance(inner, Items):
        return [convert_to_type(one, each) for one, each in zip(value, inner.items, strict=True)]
    if kind in ("map", "object") and isinstance(value, dict):
        return (
            _object(value, inner)
            if kind == "object"
            else {key: convert_to_type(one, inner) for key, one in value.items()}
        )
    raise Unknown


_SCALARS = {"string": to_text, "number": to_number, "bool": to_truth}


def _object(value: dict[str, Any], constraint: Expr | None) -> dict[str, Any]:
    if not isinstance(constraint, Pairs):
        raise Unknown
    out = {}
    for key, wanted in constraint.pairs:
        if not isinstance(key, Literal):
            raise Unknown
        default = None
        inner: Expr | None = wanted
        if isinstance(wanted, Call) and wanted.name == "optional":
            inner = wanted.args[0]
            default = _constant(wanted.args[1]) if len(wanted.args) > 1 else None
        given = value.get(key.value)
        out[key.value] = convert_to_type(default if given is None else given, inner)
    return out


def _constant(expr: Expr) -> Any:
    """Returns the default of an optional attribute, which is a constant."""
    if isinstance(expr, Literal):
        return expr.value
    if isinstance(expr, Template) and "${" not in expr.raw and "\\" not in expr.raw:
        return expr.raw
    if isinstance(expr, Items):
        return list(map(_constant, expr.items))
    if isinstance(expr, Pairs):
        return {_constant(key): _constant(item) for key, item in expr.pairs}
    raise Unknown


def pairs_of(collection: Any) -> list[tuple[Any, Any]]:
    """Returns the keys and values of a collection, in Terraform's order. Raises `Unknown` for what is none."""
    if isinstance(collection, dict):
        return [(key, collection[key]) for key in sorted(collection)]
    if isinstance(collection, SetOf):
        return [(one, one) for one in collection]
    if isinstance(collection, list):
        return list(enumerate(collection))
    raise Unknown
