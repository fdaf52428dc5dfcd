"""Templates in scalars: Jinja's grammar, and nothing else of it. The only door to jinja2.

Jinja parses; its tree is then walked here instead of being compiled to Python. That makes the sandbox
small enough to read: what has no entry in the tables below can't be done, nothing of Python's objects
can be reached, every operation is measured before it is carried out, and a scalar that is one
`{{ expression }}` simply has that expression's value, with its type. Measured on the specs of the tests,
parsing and walking takes a quarter of the time that Jinja takes to compile alone.

There are expressions and `{% if %}`; no loops (`for_each` is the loop), assignments, macros, includes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from math import isfinite
from typing import Any, NamedTuple, NoReturn

from flowspec.document.nearest import did_you_mean

MAX_TEXT = 100_000
MAX_ITEMS = 10_000
MAX_BITS = 256
_SHOWN = 40

MISSING = object()
"""The value of a variable that has none, where that is already said: what uses it fails silently."""


class TemplateError(Exception):
    """A template failed. `word`: what of its text is to blame; `id` "" when it was said elsewhere."""

    def __init__(self, id: str, message: str, *, word: str = "", hint: str = "", notes: tuple[str, ...] = ()) -> None:  # noqa: A002
        super().__init__(message)
        self.id, self.message, self.word, self.hint, self.notes = id, message, word, hint, notes


class Budget:
    """What all templates of one document may use together: steps of evaluation, characters made."""

    def __init__(self, steps: int = 2_000_000, characters: int = 20_000_000) -> None:
        self.steps, self.characters = steps, characters

    def step(self, count: int = 1) -> None:
        """Counts before something is done; raises `TemplateError` FS324 when nothing is left."""
        self.steps -= count
        if self.steps < 0:
            raise TemplateError("FS324", "the templates of this document take too much work")

    def text(self, length: int) -> None:
        """Counts a text before it is made."""
        if length > MAX_TEXT:
            raise TemplateError("FS324", f"a template may make up to {MAX_TEXT} characters, this makes {length}")
        self.characters -= length
        if self.characters < 0:
            raise TemplateError("FS324", "the templates of this document make too much text")

    def items(self, count: int) -> None:
        """Counts a list before it is made."""
        if count > MAX_ITEMS:
            raise TemplateError("FS324", f"a template may make lists of up to {MAX_ITEMS} items, this makes {count}")
        self.step(count)


class _Parsed(NamedTuple):
    body: Any
    names: frozenset[str]


class _Run(NamedTuple):
    names: Mapping[str, Any]
    budget: Budget


def is_template(text: str) -> bool:
    """Whether a scalar with this text is a template at all."""
    return "{{" in text or "{%" in text


def names_in(text: str) -> frozenset[str]:
    """The names a template reads. Raises `TemplateError` when it can't be parsed."""
    return _parse(text).names


def evaluate(text: str, names: Mapping[str, Any], budget: Budget | None = None) -> Any:
    """The value of a template: of any plain type when it is exactly one expression, else text.

    Raises `TemplateError`: not parsable, an undefined name, something not allowed, too large.
    """
    run = _Run(names, budget or Budget())
    # Parsing is what costs most; a step of evaluation is about as dear as a character of it.
    run.budget.step(len(text))
    try:
        body = _parse(text).body
        if len(body) == 1 and _kind(body[0]) == "Output" and len(body[0].nodes) == 1:
            return _value(body[0].nodes[0], run)
        return _text(body, run)
    except RecursionError:
        raise TemplateError("FS324", "the template is nested too deeply") from None


@cache
def _environment() -> Any:
    from jinja2 import Environment

    return Environment(autoescape=False, keep_trailing_newline=True)  # noqa: S701 - nothing is HTML here


@lru_cache(maxsize=4096)
def _parse(text: str) -> _Parsed:
    from jinja2 import TemplateSyntaxError, nodes
    from jinja2.parser import Parser

    if len(text) > MAX_TEXT:
        raise TemplateError("FS324", f"a template may be up to {MAX_TEXT} characters long")
    try:
        # Not Environment.parse: for every mistake it compiles and runs code, to make a pretty traceback.
        tree = Parser(_environment(), text).parse()
    except TemplateSyntaxError as error:
        message = (error.message or "").rstrip(".")
        raise TemplateError("FS320", f"this template can't be parsed: {message}") from None
    except RecursionError:
        raise TemplateError("FS324", "the template is nested too deeply") from None
    names = frozenset(node.name for node in tree.find_all(nodes.Name))
    return _Parsed(tree.body, names)


def _kind(node: Any) -> str:
    return type(node).__name__


def _value(node: Any, run: _Run) -> Any:
    run.budget.step()
    kind = _kind(node)
    how = _EXPRESSIONS.get(kind)
    if how is None:
        _refuse(kind)
    try:
        return how(node, run)
    except (ArithmeticError, TypeError, ValueError, LookupError) as error:
        raise TemplateError("FS323", f"this template can't be evaluated: {error}") from None


_REFUSED = {
    "For": ("a {% for %} loop", "use `for_each` on the item, or the join filter"),
    "Assign": ("{% set %}", "declare a variable"),
    "AssignBlock": ("{% set %}", "declare a variable"),
    "Include": ("{% include %}", ""),
    "Import": ("{% import %}", ""),
    "FromImport": ("{% import %}", ""),
    "Extends": ("{% extends %}", ""),
    "Block": ("{% block %}", ""),
    "Macro": ("{% macro %}", ""),
    "CallBlock": ("{% call %}", ""),
    "FilterBlock": ("{% filter %}", "use the filter in an expression"),
    "With": ("{% with %}", ""),
}


def _refuse(kind: str) -> NoReturn:
    what, hint = _REFUSED.get(kind, (f"this ({kind})", ""))
    raise TemplateError("FS322", f"templates here are expressions and {{% if %}}: {what} is not allowed", hint=hint)


# --- text ---


def _text(body: Iterable[Any], run: _Run) -> str:
    parts = list(_parts(body, run))
    run.budget.text(sum(map(len, parts)))
    return "".join(parts)


def _parts(body: Iterable[Any], run: _Run) -> Iterable[str]:
    for node in body:
        kind = _kind(node)
        if kind == "Output":
            yield from (_written(_value(part, run)) for part in node.nodes)
        elif kind == "If":
            yield from _parts(_branch(node, run), run)
        else:
            _refuse(kind)


def _branch(node: Any, run: _Run) -> Any:
    for one in (node, *node.elif_):
        if _value(one.test, run):
            return one.body
    return node.else_


def _written(value: Any) -> str:
    """A value inside of text, as YAML writes it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if value is None:
        raise TemplateError(
            "FS323", "null can't stand inside of text", hint="give it a value, or use the default filter"
        )
    kind = "a mapping" if isinstance(value, dict) else "a list"
    raise TemplateError("FS323", f"{kind} can't stand inside of text", hint="use the join filter, or tojson")


# --- expressions ---


def _name(node: Any, run: _Run) -> Any:
    if node.name not in run.names:
        hint = did_you_mean(node.name, run.names)
        raise TemplateError(
            "FS321", f"'{node.name}' is undefined", word=node.name, hint=hint, notes=(_known(run.names),)
        )
    value = run.names[node.name]
    if value is MISSING:
        raise TemplateError("", f"'{node.name}' has no value")
    return value


def _known(names: Iterable[str]) -> str:
    known = sorted(names)
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return f"defined here: {', '.join(known[:_SHOWN])}{more}"


def _member(owner: Any, key: Any) -> Any:
    if isinstance(key, str) and key.startswith("_"):
        raise TemplateError("FS322", f"'{key}': names that begin with _ can't be reached", word=key)
    if isinstance(owner, dict):
        if key not in owner:
            hint = did_you_mean(str(key), map(str, owner))
            raise TemplateError(
                "FS321", f"there is no '{key}' in it", word=str(key), hint=hint, notes=(_known(map(str, owner)),)
            )
        return owner[key]
    if isinstance(owner, list | str) and isinstance(key, int):
        if not -len(owner) <= key < len(owner):
            raise TemplateError("FS323", f"there is no item {key}, there are {len(owner)}")
        return owner[key]
    raise TemplateError("FS322", f"'{key}' can't be reached: only the keys of mappings can", word=str(key))


def _slice(node: Any, run: _Run) -> slice:
    ends = (None if one is None else _value(one, run) for one in (node.start, node.stop, node.step))
    return slice(*ends)


def _item(node: Any, run: _Run) -> Any:
    owner = _value(node.node, run)
    if _kind(node.arg) != "Slice":
        return _member(owner, _value(node.arg, run))
    if not isinstance(owner, str | list):
        raise TypeError("only texts and lists can be cut")
    run.budget.step(len(owner) // 100)
    return owner[_slice(node.arg, run)]


def _pairs(node: Any, run: _Run) -> dict[Any, Any]:
    pairs = {_value(pair.key, run): _value(pair.value, run) for pair in node.items}
    if any(isinstance(key, dict | list) for key in pairs):
        raise TypeError("a key is a plain word")
    return pairs


def _compare(node: Any, run: _Run) -> bool:
    values = [_value(node.expr, run)]
    for operand in node.ops:
        values.append(_value(operand.expr, run))
        run.budget.step(sum(len(one) for one in values[-2:] if isinstance(one, str | list | dict)) // 100)
        left, right = values[-2:]
        if not _COMPARE[operand.op](left, right):
            return False
    return True


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: bool(a == b),
    "ne": lambda a, b: bool(a != b),
    "lt": lambda a, b: bool(a < b),
    "lteq": lambda a, b: bool(a <= b),
    "gt": lambda a, b: bool(a > b),
    "gteq": lambda a, b: bool(a >= b),
    "in": lambda a, b: a in b,
    "notin": lambda a, b: a not in b,
}


def _bits(value: Any) -> int:
    return value.bit_length() if isinstance(value, int) else 64


def _small(bits: int) -> None:
    if bits > MAX_BITS:
        raise TemplateError("FS324", f"a template may make numbers of up to {MAX_BITS} bits")


def _add(left: Any, right: Any, run: _Run) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        run.budget.text(len(left) + len(right))
    elif isinstance(left, list) and isinstance(right, list):
        run.budget.items(len(left) + len(right))
    else:
        _numbers("+", left, right)
    return left + right


def _multiply(left: Any, right: Any, run: _Run) -> Any:
    if isinstance(right, str | list) and isinstance(left, int):
        left, right = right, left
    if isinstance(left, str) and isinstance(right, int):
        run.budget.text(len(left) * max(right, 0))
    elif isinstance(left, list) and isinstance(right, int):
        run.budget.items(len(left) * max(right, 0))
    else:
        _numbers("*", left, right)
        _small(_bits(left) + _bits(right))
    return left * right


def _power(left: Any, right: Any, run: _Run) -> Any:  # noqa: ARG001 - all operators are called alike
    _numbers("**", left, right)
    if isinstance(left, int) and isinstance(right, int):
        _small(_bits(left) * abs(right))
    result = left**right
    _numbers("**", result)
    return result


def _modulo(left: Any, right: Any, run: _Run) -> Any:
    if isinstance(left, str):
        return _format(run, left, *(right if isinstance(right, list) else [right]))
    _numbers("%", left, right)
    return left % right


_FORMAT = re.compile(r"%(?:%|[-+ 0#]*(\d{0,3})(?:\.(\d{0,3}))?[sdifgexXo])|(%)")


def _format(run: _Run, text: str, *values: Any) -> str:
    """Python's % formatting with widths of up to 999; never of anything but plain values."""
    for match in _FORMAT.finditer(text):
        if match[3]:
            raise ValueError("only %s %d %i %f %g %e %x %X %o can be used here, widths up to 999")
        run.budget.text(max(int(match[1] or 0), int(match[2] or 0)))
    shown = tuple(value if isinstance(value, int | float) else _written(value) for value in values)
    run.budget.text(len(text) + sum(len(str(value)) for value in shown))
    return text % shown


def _numbers(operator: str, *values: Any) -> None:
    for value in values:
        if not isinstance(value, int | float):
            raise TypeError(f"{operator} can't be used with {_type(value)}")


def _type(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", str: "a text", list: "a list", dict: "a mapping", int: "an integer"}
    return names.get(type(value), "a number")


def _operator(apply: Callable[[Any, Any, _Run], Any]) -> Callable[[Any, _Run], Any]:
    return lambda node, run: apply(_value(node.left, run), _value(node.right, run), run)


def _arithmetic(sign: str, apply: Callable[[Any, Any], Any]) -> Callable[[Any, _Run], Any]:
    def applied(left: Any, right: Any, run: _Run) -> Any:  # noqa: ARG001
        _numbers(sign, left, right)
        return apply(left, right)

    return _operator(applied)


def _signed(node: Any, run: _Run) -> Any:
    value = _value(node.node, run)
    _numbers("+ or -", value)
    return -value if _kind(node) == "Neg" else value


def _concat(node: Any, run: _Run) -> str:
    parts = [_written(_value(one, run)) for one in node.nodes]
    run.budget.text(sum(map(len, parts)))
    return "".join(parts)


def _arguments(node: Any, run: _Run) -> tuple[list[Any], dict[str, Any]]:
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        raise TemplateError("FS322", "* and ** are not allowed in templates")
    return [_value(one, run) for one in node.args], {one.key: _value(one.value, run) for one in node.kwargs}


def _call(node: Any, run: _Run) -> Any:
    args, kwargs = _arguments(node, run)
    callee = node.node
    if _kind(callee) == "Name":
        if callee.name in _FUNCTIONS:
            return _FUNCTIONS[callee.name](run, *args, **kwargs)
        hint = did_you_mean(callee.name, _FUNCTIONS)
        raise TemplateError("FS322", f"there is no function '{callee.name}'", word=callee.name, hint=hint)
    if _kind(callee) == "Getattr":
        owner = _value(callee.node, run)
        method = _METHODS.get((type(owner), callee.attr))
        if method:
            return method(run, owner, *args, **kwargs)
        raise TemplateError(
            "FS322", f"{_type(owner)} has no method '{callee.attr}' that can be called here", word=callee.attr
        )
    raise TemplateError("FS322", "only named functions can be called in templates")


def _filter(node: Any, run: _Run) -> Any:
    if node.name in ("default", "d"):
        return _default(node, run)
    apply = _FILTERS.get(node.name)
    if apply is None or node.node is None:
        known = (*_FILTERS, "default")
        hint = did_you_mean(node.name, known)
        notes = (f"there are: {', '.join(sorted(known))}",)
        raise TemplateError("FS322", f"there is no filter '{node.name}'", word=node.name, hint=hint, notes=notes)
    args, kwargs = _arguments(node, run)
    return apply(run, _value(node.node, run), *args, **kwargs)


def _maybe(node: Any, run: _Run) -> tuple[bool, Any]:
    """Whether an expression is defined, and its value."""
    try:
        return True, _value(node, run)
    except TemplateError as error:
        if error.id != "FS321":
            raise
        return False, None


def _default(node: Any, run: _Run) -> Any:
    args, kwargs = _arguments(node, run)
    given = dict(zip(("default_value", "boolean"), args, strict=False)) | kwargs
    defined, value = _maybe(node.node, run)
    absent = not defined or value is None or (given.get("boolean") and not value)
    return given.get("default_value", "") if absent else value


def _test(node: Any, run: _Run) -> bool:
    if node.name in ("defined", "undefined"):
        return _maybe(node.node, run)[0] is (node.name == "defined")
    apply = _TESTS.get(node.name)
    if apply is None:
        known = (*_TESTS, "defined", "undefined")
        hint = did_you_mean(node.name, known)
        raise TemplateError("FS322", f"there is no test '{node.name}'", word=node.name, hint=hint)
    args, _ = _arguments(node, run)
    return apply(_value(node.node, run), *args)


def _condition(node: Any, run: _Run) -> Any:
    if _value(node.test, run):
        return _value(node.expr1, run)
    if node.expr2 is None:
        raise TemplateError("FS323", "an `if` inside of an expression needs its `else`")
    return _value(node.expr2, run)


_EXPRESSIONS: dict[str, Callable[[Any, _Run], Any]] = {
    "TemplateData": lambda node, run: node.data,  # noqa: ARG005
    "Const": lambda node, run: node.value,  # noqa: ARG005
    "Name": _name,
    "Getattr": lambda node, run: _member(_value(node.node, run), node.attr),
    "Getitem": _item,
    "List": lambda node, run: [_value(one, run) for one in node.items],
    "Tuple": lambda node, run: [_value(one, run) for one in node.items],
    "Dict": _pairs,
    "Compare": _compare,
    "And": lambda node, run: _value(node.left, run) and _value(node.right, run),
    "Or": lambda node, run: _value(node.left, run) or _value(node.right, run),
    "Not": lambda node, run: not _value(node.node, run),
    "Add": _operator(_add),
    "Sub": _arithmetic("-", lambda a, b: a - b),
    "Mul": _operator(_multiply),
    "Div": _arithmetic("/", lambda a, b: a / b),
    "FloorDiv": _arithmetic("//", lambda a, b: a // b),
    "Mod": _operator(_modulo),
    "Pow": _operator(_power),
    "Neg": _signed,
    "Pos": _signed,
    "Concat": _concat,
    "CondExpr": _condition,
    "Call": _call,
    "Filter": _filter,
    "Test": _test,
}


# --- functions, methods, filters, tests ---


def _range(run: _Run, *bounds: int) -> list[int]:
    numbers = range(*bounds)
    run.budget.items(len(numbers) if _bits(numbers.stop - numbers.start) < 64 else MAX_ITEMS + 1)
    return list(numbers)


def _as_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is wanted, not {_type(value)}")
    return value


def _replace(run: _Run, value: Any, old: str, new: str) -> str:
    text, old, new = _as_text(value), _as_text(old), _as_text(new)
    run.budget.text(len(text) + text.count(old) * max(0, len(new) - len(old)))
    return text.replace(old, new)


def _split(run: _Run, value: Any, separator: str | None = None) -> list[str]:
    text = _as_text(value)
    run.budget.items(text.count(separator) + 1 if separator else len(text.split()))
    return text.split(separator)


def _join(run: _Run, value: Any, separator: str = "") -> str:
    parts = [_written(one) for one in _as_list(value)]
    run.budget.text(sum(map(len, parts)) + len(_as_text(separator)) * len(parts))
    return separator.join(parts)


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value)
    if not isinstance(value, list):
        raise TypeError(f"a list is wanted, not {_type(value)}")
    return value


def _as_int(run: _Run, value: Any) -> int:  # noqa: ARG001
    if isinstance(value, str):
        value = value.strip()
        if not re.fullmatch(r"[-+]?[0-9]{1,70}", value):
            raise ValueError(f"'{value[:40]}' is no integer")
    return int(value)


def _as_float(run: _Run, value: Any) -> float:  # noqa: ARG001
    number = float(value)
    if not isfinite(number):
        raise ValueError("not a finite number")
    return number


def _round(run: _Run, value: Any, precision: int = 0) -> float | int:  # noqa: ARG001
    _numbers("round", value)
    _small(abs(precision))
    rounded: float | int = round(value, precision) if precision > 0 else round(value)
    return rounded


def _unique(run: _Run, value: Any) -> list[Any]:
    items = _as_list(value)
    run.budget.step(len(items) ** 2 // 100)
    return [one for index, one in enumerate(items) if one not in items[:index]]


def _sort(run: _Run, value: Any, reverse: bool = False) -> list[Any]:
    items = _as_list(value)
    run.budget.step(len(items))
    return sorted(items, reverse=bool(reverse))


def _sum(run: _Run, value: Any) -> Any:
    items = _as_list(value)
    _numbers("sum", *items)
    run.budget.step(len(items))
    return sum(items)


def _to_json(run: _Run, value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    run.budget.text(len(text))
    return text


def _first(items: Any, index: int) -> Any:
    return _member(_as_list(items) if not isinstance(items, str) else items, index)


def _of_text(change: Callable[..., Any]) -> Callable[..., Any]:
    def changed(run: _Run, value: Any, *args: Any) -> Any:
        text = _as_text(value)
        run.budget.text(len(text))
        return change(text, *(_as_text(arg) for arg in args))

    return changed


_FUNCTIONS: dict[str, Callable[..., Any]] = {"range": _range}

_METHODS: dict[tuple[type, str], Callable[..., Any]] = {
    (str, "upper"): _of_text(str.upper),
    (str, "lower"): _of_text(str.lower),
    (str, "strip"): _of_text(str.strip),
    (str, "lstrip"): _of_text(str.lstrip),
    (str, "rstrip"): _of_text(str.rstrip),
    (str, "startswith"): _of_text(str.startswith),
    (str, "endswith"): _of_text(str.endswith),
    (str, "replace"): _replace,
    (str, "split"): _split,
    (dict, "get"): lambda run, owner, key, other=None: owner.get(key, other),  # noqa: ARG005
    (dict, "keys"): lambda run, owner: list(owner),  # noqa: ARG005
    (dict, "values"): lambda run, owner: list(owner.values()),  # noqa: ARG005
}

_FILTERS: dict[str, Callable[..., Any]] = {
    "abs": lambda run, value: abs(value),  # noqa: ARG005
    "capitalize": _of_text(str.capitalize),
    "first": lambda run, value: _first(value, 0),  # noqa: ARG005
    "float": _as_float,
    "format": _format,
    "int": _as_int,
    "join": _join,
    "last": lambda run, value: _first(value, -1),  # noqa: ARG005
    "length": lambda run, value: len(value),  # noqa: ARG005
    "count": lambda run, value: len(value),  # noqa: ARG005
    "list": lambda run, value: list(value),  # noqa: ARG005
    "lower": _of_text(str.lower),
    "max": lambda run, value: max(_as_list(value)),  # noqa: ARG005
    "min": lambda run, value: min(_as_list(value)),  # noqa: ARG005
    "replace": _replace,
    "reverse": lambda run, value: value[::-1],  # noqa: ARG005
    "round": _round,
    "sort": _sort,
    "split": _split,
    "string": lambda run, value: _written(value),  # noqa: ARG005
    "sum": _sum,
    "title": _of_text(str.title),
    "tojson": _to_json,
    "trim": _of_text(str.strip),
    "unique": _unique,
    "upper": _of_text(str.upper),
}

_TESTS: dict[str, Callable[..., bool]] = {
    "boolean": lambda value: isinstance(value, bool),
    "divisibleby": lambda value, by: value % by == 0,
    "eq": lambda value, other: bool(value == other),
    "even": lambda value: value % 2 == 0,
    "false": lambda value: value is False,
    "in": lambda value, among: value in among,
    "integer": lambda value: type(value) is int,
    "mapping": lambda value: isinstance(value, dict),
    "none": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float),
    "odd": lambda value: value % 2 == 1,
    "sequence": lambda value: isinstance(value, list | str | dict),
    "string": lambda value: isinstance(value, str),
    "true": lambda value: value is True,
}
