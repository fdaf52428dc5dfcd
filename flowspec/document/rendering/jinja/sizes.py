"""Sizes of the values of templates, and their limits: checked before each operation.

Work is counted in steps of about one microsecond (measured; the slowest machine of three took 1.6 µs).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from jinja2 import Undefined

from flowspec.document.rendering.budget import Budget
from flowspec.document.rendering.template_errors import TemplateError
from flowspec.document.rendering.values import kind_of

MAX_ITEMS = 10_000
"""Items of one list, turns of one loop."""

MAX_SIZE = 1_000_000
"""Characters and items of one value, with all that is in it: what a single filter can be given."""

MAX_BITS = 256
"""Bits of an integer."""

MAX_DEPTH = 50
"""Lists within lists."""

# Python's hash of an integer is its remainder by 2**61 - 1, so larger integers can be chosen to collide: 10,000 of them
# take two seconds in a set. With this weight, a value can contain at most 1,000 of them.
_BIG, _BIG_BITS = 1_000, 60

_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))


class Stream(Iterator[Any]):
    """The result of a filter that jinja2 implements as a generator (map, select, batch …): iterable once, no length."""

    __slots__ = ("at", "items")

    def __init__(self, items: list[Any]) -> None:
        self.items, self.at = items, 0

    def __next__(self) -> Any:
        if self.at >= len(self.items):
            raise StopIteration
        self.at += 1
        return self.items[self.at - 1]


class Sizes:
    """Measures values on account of one document's budget. Every method raises `TemplateError` FS324 for too much."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.step = budget.step
        self.text = budget.make
        # By identity, with the value itself, so that no other one can get its id. Values never change.
        self._known = budget.sizes

    def items(self, count: int) -> None:
        """Counts a list before it is made."""
        if count > MAX_ITEMS:
            raise TemplateError("FS324", f"a template may make lists of up to {MAX_ITEMS} items, this makes {count}")
        self.step(count // 10)

    def bits(self, bits: int) -> None:
        """Refuses integers that are too large."""
        if bits > MAX_BITS:
            raise TemplateError("FS324", f"a template may make numbers of up to {MAX_BITS} bits")

    def weigh(self, value: Any) -> int:
        """Counts the characters and items in a value.

        Raises `TemplateError` FS323 if it is not data (a macro, the loop).
        """
        return self.measure(value)[0]

    def measure(self, value: Any) -> tuple[int, int]:
        """Returns the size of a value, and the depth of its nested lists and mappings."""
        if isinstance(value, str):
            return len(value) + 1, 0
        if value is None or isinstance(value, bool | float | Undefined):
            return 1, 0
        if isinstance(value, int):
            return (1 if value.bit_length() <= _BIG_BITS else _BIG), 0
        if isinstance(value, range):
            return len(value) + 1, 1
        known = self._known.get(id(value))
        if known is None or known[0] is not value:
            known = (value, *self._sum_sizes(self._parts(value)))
            if not isinstance(value, Stream):
                self._known[id(value)] = known
        return known[1], known[2]

    def _parts(self, value: Any) -> Iterable[Any]:
        if isinstance(value, list | tuple):
            return value
        if isinstance(value, dict):
            return (one for pair in value.items() for one in pair)
        if isinstance(value, _VIEWS):
            return list(value)  # type: ignore[call-overload, no-any-return]
        if isinstance(value, Stream):
            return value.items
        raise TemplateError("FS323", f"{kind_of(value)} can't be used as a value")

    def _sum_sizes(self, parts: Iterable[Any]) -> tuple[int, int]:
        total, deepest = 1, 0
        for count, part in enumerate(parts):
            if type(part) is str:
                total += len(part) + 1
            else:
                size, depth = self.measure(part)
                total, deepest = total + size, max(deepest, depth)
            if total > MAX_SIZE:
                message = f"values in templates may have up to {MAX_SIZE} characters and items, this one has more"
                raise TemplateError("FS324", message)
            if not count % 100:
                self.step(80)
        if deepest >= MAX_DEPTH:
            raise TemplateError("FS324", f"lists may be nested up to {MAX_DEPTH} levels deep")
        return total, deepest + 1

    def length(self, value: Any) -> int:
        """Returns the number of turns of a loop over a value."""
        if isinstance(value, Stream):
            return len(value.items) - value.at
        return len(value) if hasattr(value, "__len__") and not isinstance(value, Undefined) else 0

    def measure_result(self, value: Any) -> Any:
        """Measures the result of a filter or method; a generator is consumed into a list."""
        if isinstance(value, str):
            self.text(len(value))
        elif isinstance(value, int):
            self.bits(value.bit_length())
        elif isinstance(value, list | tuple | dict):
            self.items(len(value))
        elif isinstance(value, Iterator) and not isinstance(value, Stream):
            return Stream(self._collect(value))
        return value

    def _collect(self, values: Iterator[Any]) -> list[Any]:
        collected: list[Any] = []
        for value in values:
            collected.append(value)
            if len(collected) > MAX_ITEMS:
                self.items(len(collected))
        self.items(len(collected))
        return collected
