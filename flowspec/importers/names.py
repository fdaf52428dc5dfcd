"""The variables that a source needs: those it declares itself, and those that stand for what it refers to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from flowspec.importers.placeholders import PLACEHOLDER, Variable, placeholder, placeholders_in, safe_name


class Names:
    """Collects variables under names of their own; each call gives the placeholder to be put into the request."""

    def __init__(self) -> None:
        self.variables: dict[str, Variable] = {}
        self._known: dict[object, str] = {}
        self._numbers: dict[str, Iterator[int]] = defaultdict(lambda: count(2))

    def placeholder_for(self, key: object, name: str, variable: Variable) -> str:
        """Returns the placeholder of the variable for the source's name `key`, named as near to `name` as can be."""
        if key not in self._known:
            taken = stem = safe_name(name)
            while self._is_taken(taken):
                taken = f"{stem}_{next(self._numbers[stem])}"
            self._known[key], self.variables[taken] = taken, variable
        return placeholder(self._known[key])

    def _is_taken(self, name: str) -> bool:
        return name in self.variables

    def stand_in(self, text: str, name: str, default: str | None = None, **rules: Any) -> str:
        """Returns the placeholder for a value that only the source's own tool can tell; `text` describes it."""
        return self.placeholder_for(text, name, Variable(default=default, rules={"description": text[:200], **rules}))

    def variables_in(self, params: Any) -> Mapping[str, Variable]:
        """Returns the variables that a request has placeholders of, and those that their defaults are made of."""
        found = [*placeholders_in(params)]
        for name in found:
            default = self.variables[name].default if name in self.variables else None
            found += {*PLACEHOLDER.findall(default or "")} - {*found} if isinstance(default, str) else ()
        return {name: one for name, one in self.variables.items() if name in found}
