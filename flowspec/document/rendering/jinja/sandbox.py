"""The operations of a compiled template, and how each operation is measured before it is done.

jinja2's sandbox is below: everything that the tables here allow is still fetched and called through it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any

from jinja2 import StrictUndefined, Undefined, UndefinedError
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Joiner, Namespace, missing

from flowspec.document.nearest import did_you_mean
from flowspec.document.rendering.budget import Budget
from flowspec.document.rendering.jinja.filters import FILTERS, TESTS
from flowspec.document.rendering.jinja.methods import FUNCTIONS, Method, format_percent, method_of
from flowspec.document.rendering.jinja.sizes import Sizes
from flowspec.document.rendering.template_errors import TemplateError
from flowspec.document.rendering.values import kind_of, written

_MAX_CALLS = 60
"""The maximum depth of macro calls: each takes some six of the 1,000 nested calls that Python allows."""

_LOOP = "index index0 revindex revindex0 first last length depth depth0 previtem nextitem"
_ATTRIBUTES: dict[type, frozenset[str]] = {
    LoopContext: frozenset(_LOOP.split()),
    Macro: frozenset(("name", "arguments", "catch_kwargs", "catch_varargs", "caller")),
    Cycler: frozenset(("current",)),
}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
    "in": lambda a, b: a in b,
    "notin": lambda a, b: a not in b,
}
_SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">=", "notin": "not in"}
_SLICEABLE = (str, list, tuple, range)


class UndefinedUseError(UndefinedError):
    """An undefined value was used."""

    def __init__(self, value: Undefined) -> None:
        super().__init__()
        self.value = value


class Unset(StrictUndefined):
    """jinja2's StrictUndefined, with an error that names what is undefined."""

    __slots__ = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._undefined_exception = lambda _: UndefinedUseError(self)  # type: ignore[assignment]


class Names(Context):
    """The names a template can see: its own, the document's, the functions."""

    def __init__(self, environment: Sandbox, names: Mapping[str, Any]) -> None:
        super().__init__(environment, {}, None, {})
        self.names = names

    def resolve_or_missing(self, key: str) -> Any:
        """Returns the value of a name, or jinja2's mark for none."""
        if key in self.vars:
            return self.vars[key]
        return self.names[key] if key in self.names else FUNCTIONS.get(key, super().resolve_or_missing(key))


class Sandbox(ImmutableSandboxedEnvironment):
    """jinja2's environment for the templates of one document; `sizes` keeps the account of its budget."""

    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)
    intercepted_unops = frozenset(ImmutableSandboxedEnvironment.default_unop_table)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, undefined=Unset, **kwargs)
        self.globals.clear()
        self.filters, self.tests = FILTERS, TESTS  # type: ignore[assignment]
        self._open_calls = 0

    @classmethod
    def for_budget(cls, budget: Budget) -> Sandbox:
        """Returns the environment for templates on account of a budget."""
        made = cls.__new__(cls)
        made.__dict__.update(ENVIRONMENT.__dict__)
        made.sizes, made.step = Sizes(budget), budget.step
        return made

    sizes: Sizes
    step: Callable[[int], None]

    # --- members ---

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Returns `obj.attribute`: a method that is allowed, a key of a mapping, or undefined."""
        self.step(3)
        if attribute.startswith("_"):
            raise TemplateError("FS322", f"'{attribute}': names that begin with _ can't be reached", word=attribute)
        method = method_of(obj, attribute)
        if method is not None:
            return method
        if isinstance(obj, dict):
            return super().getitem(obj, attribute) if attribute in obj else self.undefined(obj=obj, name=attribute)
        if self._is_readable(obj, attribute):
            self.step(8)
            return super().getattr(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def _is_readable(self, obj: Any, name: str) -> bool:
        if isinstance(obj, Undefined | Namespace):
            return True
        if isinstance(obj, tuple):
            # What the groupby filter gives has names for its two items.
            return name in getattr(obj, "_fields", ())
        return name in _ATTRIBUTES.get(type(obj), ())

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Returns `obj[argument]`: a key of a mapping, an item, a part of a text or list, a method by its name."""
        self.step(1)
        if isinstance(argument, slice):
            return self._slice(obj, argument)
        if isinstance(argument, str) and argument.startswith("_"):
            return self.getattr(obj, argument)
        if isinstance(argument, tuple):
            self.sizes.weigh(argument)
        if isinstance(obj, Undefined):
            return obj[argument]
        if isinstance(obj, dict | str | list | tuple | range):
            try:
                return obj[argument]
            except (TypeError, LookupError):
                pass
        return self.getattr(obj, argument) if isinstance(argument, str) else self.undefined(obj=obj, name=argument)

    def _slice(self, obj: Any, part: slice) -> Any:
        if isinstance(obj, Undefined):
            return obj[part]
        if not isinstance(obj, _SLICEABLE):
            raise TemplateError("FS323", f"only texts and lists can be sliced, this is {kind_of(obj)}")
        if not all(one is None or isinstance(one, int) for one in (part.start, part.stop, part.step)) or part.step == 0:
            raise TemplateError("FS323", "the bounds of a slice must be integers, and its step must not be 0")
        self.step(1 + len(obj) // (500 if isinstance(obj, str) else 50))
        return obj[part]

    # --- operators ---

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Applies an arithmetic operator, after measuring it."""
        self.step(2)
        result = super().call_binop(context, operator, *self._operands(operator, left, right))
        if isinstance(result, int):
            self.sizes.bits(result.bit_length())
        elif isinstance(result, complex):
            raise TemplateError("FS323", "the root of a negative number is not a number")
        return result

    def _operands(self, sign: str, left: Any, right: Any) -> tuple[Any, Any]:
        if isinstance(left, Undefined) or isinstance(right, Undefined):
            return left, right
        if isinstance(left, int | float) and isinstance(right, int | float):
            self._measure_numbers(sign, left, right)
        elif sign == "%" and isinstance(left, str):
            return left, format_percent(self.sizes, left, right)
        elif sign == "*" and (isinstance(left, int) or isinstance(right, int)):
            many, part = (left, right) if isinstance(left, int) else (right, left)
            self._measure_result(sign, part, max(int(many), 0) * _length(part), left, right)
        elif sign == "+" and _addable(left, right):
            self._measure_result(sign, left, _length(left) + _length(right), left, right)
        else:
            raise _operand_error(sign, left, right)
        return left, right

    def _measure_numbers(self, sign: str, left: float, right: float) -> None:
        if isinstance(left, int) and isinstance(right, int):
            if sign == "*":
                self.sizes.bits(left.bit_length() + right.bit_length() - 1)
            elif sign == "**":
                self.sizes.bits((left.bit_length() - 1) * max(right, 0) if abs(left) > 1 else 1)

    def _measure_result(self, sign: str, part: Any, length: int, left: Any, right: Any) -> None:
        if isinstance(part, str):
            self.sizes.text(length)
        elif isinstance(part, list | tuple):
            self.sizes.items(length)
        else:
            raise _operand_error(sign, left, right)

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:
        """Applies `+` or `-` to a value."""
        self.step(1)
        if not isinstance(arg, int | float | Undefined):
            raise TemplateError("FS323", f"{operator} can't be used with {kind_of(arg)}")
        return super().call_unop(context, operator, arg)

    def compare(self, sign: str, left: Any, right: Any) -> bool:
        """Counts the work of a comparison or `in`, which may iterate over both sides."""
        self.step(1 + (self.sizes.weigh(left) + self.sizes.weigh(right)) // 200)
        try:
            return bool(_COMPARE[sign](left, right))
        except TypeError:
            raise _operand_error(_SIGNS.get(sign, sign), left, right) from None

    def key(self, value: Any) -> Any:
        """Returns a key of a mapping that is written in a template."""
        if isinstance(value, list | dict):
            raise TemplateError("FS323", f"{kind_of(value)} can't be a key")
        self.step(1 + self.sizes.weigh(value) // 500)
        return value

    # --- loops and calls ---

    def iterated(self, value: Any, cost: int) -> Any:
        """Returns the items of a loop; `cost` is that of its condition, in each turn."""
        if isinstance(value, bool | int | float | None):
            raise TemplateError("FS323", f"a loop can't go through {kind_of(value)}")
        if not isinstance(value, Undefined):
            self.sizes.weigh(value)
            self.step(self.sizes.length(value) * (cost + 1) // 4)
        return value

    def callee(self, obj: Any, name: str) -> Any:
        """Returns the object to call if that is allowed; `name` is its name in the template, if any."""
        if isinstance(obj, Undefined) and name and obj._undefined_obj is missing and not obj._undefined_hint:
            hint = did_you_mean(name, FUNCTIONS)
            raise TemplateError("FS322", f"there is no function '{name}'", word=name, hint=hint)
        if isinstance(obj, Method | Macro | LoopContext | Joiner | Undefined):
            return obj
        raise TemplateError("FS322", f"{kind_of(obj)} can't be called in a template", word=name)

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Calls an object: a macro, a method or function that is allowed, `loop(…)`, or a joiner."""
        for word in ("_loop_vars", "_block_vars"):
            kwargs.pop(word, None)
        self.step(3 + len(args) + len(kwargs))
        if isinstance(obj, Method):
            return obj.called(self, args, kwargs)
        self.callee(obj, "")
        if isinstance(obj, LoopContext) and args:
            self.iterated(args[0], 1)
        self._open_calls += 1
        try:
            if self._open_calls > _MAX_CALLS:
                raise TemplateError("FS324", f"macros may call each other up to {_MAX_CALLS} deep")
            return super().call(context, obj, *args, **kwargs)
        finally:
            self._open_calls -= 1

    def bound(self, owner: Any, name: str) -> Any:
        """Returns a method, fetched through jinja2's sandbox."""
        return super().getattr(owner, name)

    # --- text ---

    def written(self, value: Any) -> str:
        """Returns a value as it stands in text."""
        if isinstance(value, str):
            return value
        if isinstance(value, Undefined):
            return str(value)
        return written(value)

    def joined(self, values: Iterable[Any]) -> str:
        """Concatenates the operands of `~`."""
        return self.concat([self.written(value) for value in values])

    def concat(self, parts: Iterable[str]) -> str:
        """Joins the parts of a text that loops, macros and blocks of text make."""
        parts = list(parts)
        self.step(len(parts) // 20)
        self.sizes.text(sum(map(len, parts)))
        return "".join(parts)

    def finished(self, value: Any) -> Any:
        """Returns a value as plain data: what a scalar that is one expression gets."""
        if isinstance(value, Undefined) and not isinstance(value, StrictUndefined):
            # An `if` without `else` inside of an expression.
            return ""
        if isinstance(value, Undefined):
            str(value)
        if isinstance(value, Method) and value.is_key:
            hint = f"the key is ['{value.name}']"
            raise TemplateError("FS323", f"'{value.name}' is a method of mappings here", word=value.name, hint=hint)
        self.step(self.sizes.weigh(value) // 50)
        return _plain_data(value)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str | list | tuple) else 0


def _addable(left: Any, right: Any) -> bool:
    return any(isinstance(left, kind) and isinstance(right, kind) for kind in (str, list, tuple))


def _operand_error(sign: str, left: Any, right: Any) -> TemplateError:
    return TemplateError("FS323", f"{sign} can't be used with {kind_of(left)} and {kind_of(right)}")


def _plain_data(value: Any) -> Any:
    if isinstance(value, float) and not isfinite(value):
        raise TemplateError("FS323", "this is not a finite number")
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, dict):
        if any(isinstance(key, tuple) for key in value):
            raise TemplateError("FS323", "a list can't be a key")
        return {_plain_data(key): _plain_data(one) for key, one in value.items()}
    return [_plain_data(one) for one in value]


ENVIRONMENT = Sandbox(autoescape=False, keep_trailing_newline=True, optimized=False)
"""The settings that all documents share; templates are parsed and compiled with it, and none is run."""
