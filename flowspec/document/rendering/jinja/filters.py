"""jinja2's filters and tests, each with the work it does and the text it makes, which are counted before it runs.

Only filters with a row here are offered, so that a filter of a later jinja2 can't run without being counted.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from jinja2 import pass_context
from jinja2.exceptions import FilterArgumentError
from jinja2.filters import FILTERS as _FILTERS
from jinja2.filters import make_attrgetter
from jinja2.runtime import Context
from jinja2.tests import TESTS as _TESTS

from flowspec.document.nearest import did_you_mean
from flowspec.document.rendering.budget import MAX_TEXT
from flowspec.document.rendering.jinja.extras import EXTRAS
from flowspec.document.rendering.jinja.methods import format_percent
from flowspec.document.rendering.jinja.sizes import MAX_ITEMS, MAX_SIZE, Sizes
from flowspec.document.rendering.template_errors import TemplateError
from flowspec.document.rendering.values import kind_of

_MAX_DIGITS = 308
"""Decimal places of a rounded number: a float has no more."""

# Any: jinja2 has no common type for them.
_JINJA_FILTERS: Any = _FILTERS
_JINJA_TESTS: Any = _TESTS

_RANDOM = ("random", "lipsum")


class Cost(NamedTuple):
    """Steps for each item of the value, for 1,000 units of its size and its arguments', and `base` (measured, doubled).

    `before` refuses parameters that would make the result too large. `picks`: the result is an existing value.
    """

    items: float = 0
    units: float = 5
    before: Callable[..., None] | None = None
    picks: bool = False
    base: int = 5


def unknown_name_error(kind: str, name: str) -> TemplateError:
    """Returns the error for a name that no filter, test or function has."""
    if name in _RANDOM:
        message = f"the {kind} '{name}' is not allowed: plan and apply must render the same"
        return TemplateError("FS322", message, word=name)
    known = FILTERS if kind == "filter" else TESTS
    hint = did_you_mean(name, [one for one in known if one.isalnum()])
    note = "`flowspec explain templates` lists them all"
    return TemplateError("FS322", f"there is no {kind} '{name}'", word=name, hint=hint, notes=(note,))


class _CallablesByName(dict[str, Callable[..., Any]]):
    """Filters or tests by name; for another name a function that raises an error when it is called, as in jinja2."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind

    def __missing__(self, name: str) -> Callable[..., Any]:
        def missing(*_: Any, **__: Any) -> Any:
            raise unknown_name_error(self._kind, name)

        return missing


# --- what a filter makes, before it is applied ---


def _center(sizes: Sizes, value: Any, width: int = 80) -> None:  # noqa: ARG001 - a filter's signature
    sizes.text(int(width))


def _indent(sizes: Sizes, value: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> None:  # noqa: ARG001
    text = str(value)
    wide = len(width) if isinstance(width, str) else int(width)
    sizes.text(len(text) + (len(text.splitlines()) + 1) * max(0, wide))


def _wordwrap(  # noqa: PLR0917 - jinja2's signature
    sizes: Sizes,
    value: Any,
    width: int = 79,
    break_long_words: bool = True,  # noqa: ARG001
    wrapstring: str | None = None,
    break_on_hyphens: bool = True,  # noqa: ARG001
) -> None:
    length, parts = len(value), len(value) // max(1, int(width)) + value.count("\n") + value.count(" ") + 1
    # A long word is cut line by line, and each time the rest is copied.
    sizes.step(length + parts * length // 5_000)
    sizes.text(length + parts * len(wrapstring or "\n"))


def _replace(sizes: Sizes, value: Any, old: Any, new: Any, count: int | None = None) -> None:
    text, old, new = str(value), str(old), str(new)
    found = text.count(old) if old else len(text) + 1
    found = found if count is None or int(count) < 0 else min(found, int(count))
    sizes.text(len(text) + found * max(0, len(new) - len(old)))


def _batch(sizes: Sizes, value: Any, linecount: int, fill_with: Any = None) -> None:
    sizes.items(sizes.length(value) + (0 if fill_with is None else max(0, int(linecount))))


def _slice(sizes: Sizes, value: Any, slices: int, fill_with: Any = None) -> None:  # noqa: ARG001
    sizes.items(max(0, int(slices)))
    sizes.step(max(0, int(slices)))


def _tojson(sizes: Sizes, value: Any, indent: Any = None) -> None:
    size, depth = sizes.measure(value)
    if indent is not None:
        wide = len(indent) if isinstance(indent, str) else max(0, int(indent))
        # The encoder in Python, not the one in C, runs; each item has its own line.
        sizes.step(size)
        if size * depth * wide > 10 * MAX_SIZE:
            sizes.text(size * depth * wide)


def _pprint(sizes: Sizes, value: Any) -> None:
    size, depth = sizes.measure(value)
    # At each depth, the whole content is written once to see whether it fits on the line.
    sizes.step(size * 8 * (depth + 1))


def _round(sizes: Sizes, value: Any, precision: int = 0, method: str = "common") -> None:  # noqa: ARG001
    if abs(int(precision)) > _MAX_DIGITS:
        raise TemplateError("FS324", f"numbers can be rounded to up to {_MAX_DIGITS} places")


def _int(sizes: Sizes, value: Any, default: Any = 0, base: int = 10) -> None:  # noqa: ARG001
    if isinstance(value, str):
        sizes.bits(len(value.strip()) * 3 // 10 if len(value) > MAX_TEXT // 100 else 0)
    elif isinstance(value, float) and value in (float("inf"), float("-inf")):
        raise TemplateError("FS323", "this is not a finite number")


def _striptags(sizes: Sizes, value: Any) -> None:
    text = str(value)
    # Markup.striptags copies the text once for each comment and tag.
    sizes.step(text.count("<") * len(text) // 5_000)


def _urlize(sizes: Sizes, value: Any, *args: Any, **kwargs: Any) -> None:
    if len(value) > MAX_ITEMS:
        raise TemplateError("FS324", f"urlize takes texts of up to {MAX_ITEMS} characters")
    longest = sum(len(one) for one in (*args, *kwargs.values()) if isinstance(one, str))
    sizes.text(len(value) * 3 + (len(value.split()) + 1) * (longest + 40))


def _count_attribute_steps(sizes: Sizes, value: Any, *args: Any, **kwargs: Any) -> None:
    """Counts the steps of filters that look up `attribute` in each item: as many as its path has parts."""
    parts = sum(one.count(".") + one.count(",") for one in (*args, *kwargs.values()) if isinstance(one, str))
    sizes.step(sizes.length(value) * parts)


# --- filters of jinja2 that are written anew ---


def _join(context: Context, value: Iterable[Any], d: Any = "", attribute: Any = None) -> str:
    sandbox: Any = context.environment
    parts = map(make_attrgetter(sandbox, attribute), value) if attribute is not None else value
    texts = [sandbox.written(part) for part in parts]
    separator = sandbox.written(d)
    sandbox.sizes.text(sum(map(len, texts)) + len(separator) * len(texts))
    return str(separator).join(texts)


def _sum(context: Context, iterable: Iterable[Any], attribute: Any = None, start: Any = 0) -> Any:
    """Adds to a copy of `start`: jinja2's own adds in place, and would change a list that is a variable's value."""
    sandbox: Any = context.environment
    get = make_attrgetter(sandbox, attribute)
    for item in iterable:
        start = sandbox.call_binop(context, "+", start, get(item))
    return start


def _format(context: Context, value: Any, *args: Any, **kwargs: Any) -> str:
    sandbox: Any = context.environment
    text = sandbox.written(value)
    shown = format_percent(sandbox.sizes, text, kwargs or args)
    return str(_JINJA_FILTERS["format"](text, **shown) if kwargs else _JINJA_FILTERS["format"](text, *shown))


def _string(context: Context, value: Any) -> str:
    sandbox: Any = context.environment
    return str(sandbox.written(value))


_REIMPLEMENTED: dict[str, Callable[..., Any]] = {"join": _join, "sum": _sum, "format": _format, "string": _string}

_TEXT_COST = Cost(units=20)
_PER_ITEM_COST = Cost(items=3)
_SORT_COST = Cost(items=8, units=100, before=_count_attribute_steps)

_COSTS: dict[str, Cost] = {
    **dict.fromkeys(("abs", "count", "length", "filesizeformat", "float", "safe"), Cost(units=20)),
    **dict.fromkeys(("default", "d", "first", "last"), Cost(units=0, picks=True)),
    "attr": Cost(units=0, picks=True, base=30),
    **dict.fromkeys(("capitalize", "e", "escape", "forceescape", "lower", "trim", "upper", "string"), _TEXT_COST),
    **dict.fromkeys(("title", "wordcount", "xmlattr"), Cost(units=1_000)),
    **dict.fromkeys(("items", "list", "reverse", "join", "map", "reject", "select", "sum"), _PER_ITEM_COST),
    **dict.fromkeys(("dictsort", "groupby", "sort", "unique"), _SORT_COST),
    **dict.fromkeys(("max", "min"), _SORT_COST._replace(picks=True)),
    **dict.fromkeys(("rejectattr", "selectattr"), Cost(items=5, before=_count_attribute_steps)),
    "batch": Cost(items=1, before=_batch),
    "center": Cost(units=20, before=_center),
    "format": Cost(units=100),
    "indent": Cost(units=200, before=_indent),
    "int": Cost(units=1_000, before=_int),
    "pprint": Cost(before=_pprint),
    "replace": Cost(units=20, before=_replace),
    "round": Cost(before=_round),
    "slice": Cost(items=1, before=_slice),
    "striptags": Cost(units=500, before=_striptags),
    "tojson": Cost(units=500, before=_tojson),
    "truncate": Cost(units=20),
    "urlencode": Cost(units=2_000),
    "urlize": Cost(units=20_000, before=_urlize),
    "wordwrap": Cost(units=2_000, before=_wordwrap),
}

_UNMEASURED_FILTERS = frozenset(("default", "d"))
_UNMEASURED_TESTS = frozenset(("defined", "undefined", "callable", "none", "sameas", "filter", "test", "iterable"))


def _measured_filter(name: str, apply: Callable[..., Any], cost: Cost) -> Callable[..., Any]:
    @pass_context
    def filtered(context: Context, *args: Any, **kwargs: Any) -> Any:
        sizes: Sizes = context.environment.sizes  # type: ignore[attr-defined]
        _count_steps(sizes, name, cost, args, kwargs)
        try:
            if cost.before:
                cost.before(sizes, *args, **kwargs)
            result = apply(*_context_arguments(apply, context), *args, **kwargs)
            return result if cost.picks else sizes.measure_result(result)
        except (TypeError, ValueError, LookupError, ArithmeticError, AssertionError, AttributeError) as error:
            raise _misuse_error(f"filter {name}", apply, args, kwargs, error) from None
        except FilterArgumentError as error:
            raise TemplateError("FS323", f"the filter '{name}': {error.message}", word=name) from None

    return filtered


def _count_steps(sizes: Sizes, name: str, cost: Cost, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    sizes.step(cost.base)
    if name in _UNMEASURED_FILTERS or not args:
        return
    units = sum(map(sizes.weigh, args)) + sum(map(sizes.weigh, kwargs.values()))
    steps = units * cost.units / 1_000
    if cost.items:
        steps += sizes.length(args[0]) * cost.items
    elif not isinstance(args[0], str | int | float):
        # Filters for texts first convert other values to text.
        steps += units / 4
    sizes.step(int(steps))


def _context_arguments(apply: Callable[..., Any], context: Context) -> tuple[Any, ...]:
    """Returns the arguments that jinja2 passes to a filter before its value."""
    wanted = getattr(apply, "jinja_pass_arg", None)
    if wanted is None:
        return ()
    return ({"context": context, "eval_context": context.eval_ctx, "environment": context.environment}[wanted.name],)


def _misuse_error(
    what: str, apply: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception
) -> TemplateError:
    """Returns the error of a filter or test, without the names of the Python functions that are in it."""
    name = what.rpartition(" ")[2]
    if not args or not _accepts_arguments(apply, args, kwargs):
        note = f"`flowspec explain templates` shows how '{name}' is used"
        return TemplateError("FS323", f"the {what} does not take these arguments", word=name, notes=(note,))
    if isinstance(error, ZeroDivisionError):
        return TemplateError("FS323", f"the {what} divides by zero here", word=name)
    given = "".join(f" and {kind_of(one)}" for one in (*args[1:], *kwargs.values()))
    return TemplateError("FS323", f"the {what} can't be used with {kind_of(args[0])}{given}", word=name)


def _accepts_arguments(apply: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    try:
        signature = inspect.signature(apply)
    except ValueError:
        return True
    first = (None,) if getattr(apply, "jinja_pass_arg", None) is not None else ()
    try:
        signature.bind(*first, *args, **kwargs)
    except TypeError:
        return False
    return True


def _measured_test(name: str, apply: Callable[..., Any]) -> Callable[..., Any]:
    @pass_context
    def tested(context: Context, *args: Any, **kwargs: Any) -> bool:
        sizes: Sizes = context.environment.sizes  # type: ignore[attr-defined]
        sizes.step(3)
        if name not in _UNMEASURED_TESTS:
            sizes.step(sum(map(sizes.weigh, (*args, *kwargs.values()))) // 50)
        try:
            return bool(apply(*_context_arguments(apply, context), *args, **kwargs))
        except (TypeError, ValueError, ArithmeticError) as error:
            raise _misuse_error(f"test {name}", apply, args, kwargs, error) from None

    return tested


FILTERS = _CallablesByName("filter")
TESTS = _CallablesByName("test")
for _name, _cost in _COSTS.items():
    _apply = pass_context(_REIMPLEMENTED[_name]) if _name in _REIMPLEMENTED else _JINJA_FILTERS[_name]
    FILTERS[_name] = _measured_filter(_name, _apply, _cost)
for _name, _apply in EXTRAS.items():
    FILTERS[_name] = _measured_filter(_name, _apply, Cost(units=4_000 if _name == "to_yaml" else 500))
for _name, _apply in _JINJA_TESTS.items():
    TESTS[_name] = _measured_test(_name, _apply)
