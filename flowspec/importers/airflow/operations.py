"""Applies Python's operators, functions and methods to values; unknown parts of values are placeholders.

All functions raise Unknown if the result is not certain, or the exception that Python would raise.
"""

from __future__ import annotations

import ast
import copy
import operator
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from flowspec.importers.placeholders import MARKS, PLACEHOLDER

# The maximum length of texts and lists that are made; those of a launch script are far shorter.
_LONGEST = 1_000_000
MOST_ROUNDS = 10_000
"""The maximum number of items of a range, function calls, and rounds of loops; some modules have hundreds."""
# Supported methods of known texts.
_ON_TEXTS = ("lower", "upper", "strip", "replace", "rstrip", "lstrip", "split")
_CHANGES: Mapping[type, tuple[str, ...]] = {
    list: ("append", "extend", "insert", "pop", "clear", "reverse"),
    dict: ("update", "setdefault", "pop", "clear"),
}


class Unknown(Exception):
    """A value that is only known when the module runs."""


class View(list[Any]):
    """The items of an object that is not a list in Python, such as a range; it only supports iteration."""


class Reading(View):
    """The items of an object that may have others when it is read again, such as a generator or the items of a dict."""


def truth_of(value: Any) -> bool:
    """Returns True if a value is true in Python; the items of a list or dict may be unknown."""
    return bool(value if isinstance(value, list | tuple | dict) and not isinstance(value, View) else plain(value))


def plain(value: Any) -> Any:
    """Returns a value unchanged. Raises Unknown if the value, or a part of it, is not known."""
    if has_placeholder(value):
        raise Unknown
    return value


def has_placeholder(value: Any) -> bool:
    """Returns True for a value that is not known, contains such a value, or is a View."""
    if isinstance(value, list | tuple):
        return isinstance(value, View) or any(map(has_placeholder, value))
    if isinstance(value, dict):
        return any(map(has_placeholder, [*value, *value.values()]))
    return isinstance(value, str) and MARKS.search(value) is not None


def as_text(value: Any) -> str:
    """Returns the text of a value, as in an f-string."""
    return str(_part(value))


def _part(value: Any) -> Any:
    """Returns a value for a text. Only texts may have placeholders, which stay in the result."""
    return value if isinstance(value, str) else plain(value)


def items_of(value: Any) -> list[Any]:
    """Returns the items that a loop iterates over."""
    if not isinstance(value, list | tuple | dict):
        raise Unknown
    return list(value)


def item(value: Any, key: Any) -> Any:
    """Returns `value[key]`."""
    if not isinstance(value, dict | list | tuple) or isinstance(value, View) or any(map(has_placeholder, _keys(value))):
        raise Unknown
    return value[key]


def _keys(value: Any) -> Iterable[Any]:
    return value if isinstance(value, dict) else ()


def binary(kind: ast.operator, left: Any, right: Any) -> Any:
    """Returns the result of a binary operator."""
    if isinstance(kind, ast.Add) and type(left) is type(right) and not isinstance(left, View):
        return _check_length(left + right)
    if isinstance(kind, ast.Mod) and isinstance(left, str) and set(_directives(left)) <= {"s", "d", "%"}:
        return _check_length(left % (tuple(map(_part, right)) if isinstance(right, tuple) else _part(right)))
    if isinstance(kind, ast.BitOr) and isinstance(left, dict) and isinstance(right, dict):
        return left | right
    raise Unknown


def compare(kind: ast.cmpop, left: Any, right: Any) -> bool:
    """Returns the result of a comparison."""
    if isinstance(kind, ast.Is | ast.IsNot) and not any(one is None or isinstance(one, bool) for one in (left, right)):
        raise Unknown
    return _COMPARED[type(kind)](plain(left), plain(right))


def call_method(owner: Any, name: str, args: list[Any]) -> Any:
    """Returns the result of a method that does not change its object."""
    if name == "get" and isinstance(owner, dict) and len(args) in (1, 2) and not any(map(has_placeholder, owner)):
        return owner.get(plain(args[0]), args[1] if len(args) > 1 else None)
    if name == "copy" and isinstance(owner, dict | list) and not args:
        return owner.copy()
    if name == "items" and isinstance(owner, dict) and not args:
        return Reading(owner.items())
    if name == "join" and isinstance(owner, str) and len(args) == 1 and isinstance(args[0], list | tuple):
        _refuse_longer(owner, len(args[0]), [owner, *args[0]])
        return owner.join(args[0])
    if not isinstance(owner, str) or not all(isinstance(one, str) for one in args):
        raise Unknown
    # A placeholder has other letters than the unknown text, so no search in it, or for it, is correct.
    if name in _ON_TEXTS and not any(map(has_placeholder, [owner, *args[:1]])):
        _refuse_longer(owner, owner.count(args[0]) if name == "replace" else 0, args)
        return getattr(owner, name)(*args)
    if name == "format" and _simple_format(owner):
        _refuse_longer(owner, owner.count("{"), args)
        return owner.format(*args)
    raise Unknown


def change(owner: Any, method: str, args: list[Any], named: Mapping[str, Any]) -> None:
    """Calls a method that changes a list or dict; its result is not used."""
    if method not in _CHANGES[type(owner)] or (named and method != "update"):
        raise Unknown
    if method == "extend":
        args = [*map(items_of, args)]
    elif method == "update" and not all(isinstance(one, dict) for one in args):
        raise Unknown
    elif method in ("pop", "setdefault", "insert"):
        plain([*args[:1], *_keys(owner)])
    getattr(owner, method)(*args, **named)


def _check_length(value: Any) -> Any:
    if len(value) > _LONGEST:
        raise Unknown
    return value


def _refuse_longer(text: str, places: int, values: list[Any]) -> None:
    """Raises Unknown, before a text is made, if the text may be too long with the inserted values."""
    if len(text) + places * max((len(str(one)) for one in values), default=0) > _LONGEST:
        raise Unknown


def _directives(text: str) -> list[str]:
    """Returns the character after each `%`; for a width this is a digit, which the caller refuses."""
    return [after[:1] for after in text.replace("%%", "").split("%")[1:]]


def _simple_format(text: str) -> bool:
    """Returns True if all fields of a format are `{}` or `{NUMBER}`; others access attributes, or have widths."""
    return all(part.partition("}")[0].isdigit() or part.startswith("}") for part in text.split("{")[1:])


def _converted(kind: type, value: Any) -> Any:
    """Returns `kind(value)`; for a placeholder the placeholder, whose type depends on its place in the request."""
    return value if isinstance(value, str) and PLACEHOLDER.fullmatch(value) else kind(plain(value))


def _range(*bounds: Any) -> View:
    made = range(*bounds)
    if len(made) > MOST_ROUNDS:
        raise Unknown
    return View(made)


def _dict(*base: Any, **named: Any) -> dict[Any, Any]:
    if not all(isinstance(one, dict) for one in base):
        raise Unknown
    return dict(*base, **named)


def _len(value: Any) -> int:
    return len(items_of(value))


BUILT_IN: Mapping[str, Callable[..., Any]] = {
    **dict.fromkeys(("copy.deepcopy", "deepcopy"), copy.deepcopy),
    "dict": _dict,
    "enumerate": lambda items, start=0: Reading(enumerate(items_of(items), start)),
    "int": partial(_converted, int),
    "len": _len,
    "list": items_of,
    "range": _range,
    "sorted": lambda items: sorted(plain(items_of(items))),
    "str": partial(_converted, str),
    "tuple": lambda items: tuple(items_of(items)),
    "zip": lambda *lists: Reading(zip(*map(items_of, lists), strict=False)),
}
"""Functions by their names in a module."""
_COMPARED: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda one, all_: one in all_,
    ast.NotIn: lambda one, all_: one not in all_,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
