"""The methods and functions that templates can call, each measured before it is called."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any, NamedTuple

from jinja2 import Undefined
from jinja2.runtime import LoopContext
from jinja2.utils import Cycler, Joiner, Namespace

from flowspec.document.rendering.jinja.sizes import Sizes
from flowspec.document.rendering.template_errors import TemplateError
from flowspec.document.rendering.values import kind_of, written

_PRINTF = re.compile(r"%(?:\((?P<key>[^()]*)\))?[-+ 0#]*(\d{0,3})(?:\.(\d{0,3}))?[hlL]?[sdiuoxXeEfFgGcra%]|(?P<bad>%)")
_FORMAT = re.compile(r"(?:.?[<>=^])?[-+ ]?z?#?0?(\d{0,3})[,_]?(?:\.(\d{0,3}))?[a-zA-Z%]?", re.DOTALL)
_FLOAT = 330
"""The longest text of a float without a precision: 1e308 with %f."""

Measure = Callable[..., None]


class Method(NamedTuple):
    """A method of a value, or a function, which a template gets before it calls it."""

    owner: Any
    name: str
    measure: Measure
    call: Callable[..., Any] | None = None

    @property
    def is_key(self) -> bool:
        """True if the owner is a mapping that also has a key of this name."""
        return isinstance(self.owner, dict) and self.name in self.owner

    def called(self, sandbox: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Returns the measured result of the call."""
        sizes: Sizes = sandbox.sizes
        try:
            sizes.step(1 + sum(map(sizes.weigh, args)) // 200)
            self.measure(sizes, self.owner, *args, **kwargs)
            call = self.call or sandbox.bound(self.owner, self.name)
            return sizes.measure_result(call(*args, **kwargs))
        except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RuntimeError) as error:
            if isinstance(error, RecursionError):
                raise
            given = ", ".join(map(kind_of, (*args, *kwargs.values()))) or "nothing"
            message = f"{self.name}() can't be called with {given} here"
            raise TemplateError("FS323", message, word=self.name) from None


def method_of(owner: Any, name: str) -> Method | None:
    """Returns the method of this name, if templates may call it."""
    for kind, methods in _METHODS:
        if isinstance(owner, kind):
            measure = methods.get(name)
            return Method(owner, name, measure) if measure else None
    return None


# --- what a method takes, before it is called ---


def _measure_one_pass(sizes: Sizes, owner: Any, *_: Any, **kwargs: Any) -> None:
    """Counts the work of methods that need at most one pass over the value."""
    for one in kwargs.values():
        sizes.weigh(one)
    if not isinstance(owner, LoopContext | Cycler):
        sizes.step(1 + sizes.weigh(owner) // 200)


def _measure_padding(sizes: Sizes, owner: str, width: int, fill: str = " ") -> None:  # noqa: ARG001 - Python's signature
    sizes.text(max(len(owner), int(width)))


def _measure_replace(sizes: Sizes, owner: str, old: str, new: str, count: int = -1) -> None:  # noqa: ARG001
    sizes.step(1 + len(owner) // 200)
    sizes.text(len(owner) + (owner.count(old) if old else len(owner) + 1) * max(0, len(new) - len(old)))


def _measure_split(sizes: Sizes, owner: str, sep: str | None = None, maxsplit: int = -1) -> None:
    sizes.step(1 + len(owner) // 50)
    if maxsplit < 0 and len(owner) > 1:
        sizes.items(owner.count(sep) + 1 if sep else len(owner.split()))
    elif maxsplit >= 0:
        sizes.items(min(maxsplit, len(owner)) + 1)


def _measure_join(sizes: Sizes, owner: str, parts: Any) -> None:
    sizes.text(sizes.weigh(parts) + len(owner) * sizes.length(parts))


def _measure_tabs(sizes: Sizes, owner: str, tabsize: int = 8) -> None:
    sizes.text(len(owner) + owner.count("\t") * max(0, int(tabsize)))


def _measure_format(sizes: Sizes, owner: str, *args: Any, **kwargs: Any) -> None:
    """Allows Python's str.format with widths of up to 999 that are written out."""
    longest = sum(map(sizes.weigh, (*args, *kwargs.values()))) + _FLOAT
    total = 0
    for literal, field, spec, _ in Formatter().parse(owner):
        widths = _FORMAT.fullmatch(spec or "")
        if widths is None:
            raise TemplateError("FS323", "widths in format() are numbers of up to three digits", word="format")
        filled = longest + int(widths[1] or 0) + int(widths[2] or 0) if field is not None else 0
        total += len(literal) + filled
    sizes.step(1 + total // 50)
    sizes.text(total)


_PLAIN_TEXT = (
    "upper lower strip lstrip rstrip startswith endswith title capitalize swapcase casefold find rfind index rindex "
    "count partition rpartition removeprefix removesuffix isdigit isalpha isalnum isnumeric isdecimal isspace islower "
    "isupper istitle isidentifier isascii isprintable"
)
_TEXT: dict[str, Measure] = dict.fromkeys(_PLAIN_TEXT.split(), _measure_one_pass) | {
    "replace": _measure_replace,
    "split": _measure_split,
    "rsplit": _measure_split,
    "splitlines": lambda sizes, owner, keepends=False: sizes.items(len(owner.splitlines(keepends))),
    "join": _measure_join,
    "center": _measure_padding,
    "ljust": _measure_padding,
    "rjust": _measure_padding,
    "zfill": _measure_padding,
    "expandtabs": _measure_tabs,
    "format": _measure_format,
}

_METHODS: list[tuple[type | tuple[type, ...], dict[str, Measure]]] = [
    (str, _TEXT),
    (dict, dict.fromkeys(("get", "keys", "values", "items", "copy"), _measure_one_pass)),
    ((list, tuple), dict.fromkeys(("index", "count", "copy"), _measure_one_pass)),
    (LoopContext, dict.fromkeys(("cycle", "changed"), _measure_one_pass)),
    (Cycler, dict.fromkeys(("next", "reset"), _measure_one_pass)),
    ((int, float), dict.fromkeys(("is_integer", "bit_length"), _measure_one_pass)),
]


# --- functions ---


def _measure_range(sizes: Sizes, owner: None, *bounds: int) -> None:  # noqa: ARG001 - functions have no owner
    for bound in bounds:
        sizes.bits(bound.bit_length())
    numbers = range(*bounds)
    span = abs(numbers.stop - numbers.start) // abs(numbers.step) + 1
    sizes.items(len(numbers) if span.bit_length() < 32 else span)


_CALLS: dict[str, Callable[..., Any]] = {
    "range": range,
    "dict": dict,
    "namespace": Namespace,
    "cycler": Cycler,
    "joiner": Joiner,
}
FUNCTIONS = {
    name: Method(None, name, _measure_range if call is range else _measure_one_pass, call)
    for name, call in _CALLS.items()
}


# --- printf ---


class _Flag(int):
    """A boolean in formatted text: `true` for %s, 1 for %d."""

    def __str__(self) -> str:
        return "true" if self else "false"


def format_percent(sizes: Sizes, text: str, given: Any) -> Any:
    """Returns the values for Python's % formatting, after a check of the result's size.

    Raises `TemplateError`: FS323 for widths of more than three digits, for `*`, and for null, lists and
    mappings where a text or number is wanted; FS324 for too much text.
    """
    values = given if isinstance(given, dict) else tuple(given) if isinstance(given, tuple) else (given,)
    shown = [_printf_value(one) for one in (values.values() if isinstance(values, dict) else values)]
    longest = max((len(str(one)) for one in shown), default=0) + _FLOAT
    total = len(text)
    for found in _PRINTF.finditer(text):
        if found["bad"]:
            raise TemplateError("FS323", "% formatting here takes widths of up to three digits, and no *")
        if isinstance(values, dict) and found["key"] is None and found[0] != "%%":
            written(values)
        if found[0] != "%%":
            total += (longest if found["key"] is not None else 0) + int(found[2] or 0) + int(found[3] or 0)
    sizes.step(1 + total // 50)
    sizes.text(total + sum(len(str(one)) for one in shown))
    return dict(zip(values, shown, strict=True)) if isinstance(values, dict) else tuple(shown)


def _printf_value(value: Any) -> Any:
    if isinstance(value, bool):
        return _Flag(value)
    if isinstance(value, Undefined):
        return str(value)
    return value if isinstance(value, int | float) else written(value)
