"""The state that all modules of an import share: variables, notes, files and the work that is spent."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowspec.document.rendering.patterns import PatternWork
from flowspec.importers.names import Names
from flowspec.importers.placeholders import PLACEHOLDER, placeholder_name, placeholders_in, substitute
from flowspec.importers.terraform.functions import jsonencode
from flowspec.importers.terraform.values import (
    SetOf,
    Unknown,
    to_text,
)

# Evaluated nodes and elements, over all of an import; 200 clusters of 100 lines take some 50,000.
_BUDGET = 1_000_000
LARGEST_FILE = 10_000_000
# The number of options in a note.
_MOST_NAMES = 5


class TooMuchWork(Exception):
    """The expressions of a configuration take more work than any real one."""


@dataclass
class Context:
    """The state that all modules of an import share.

    `known` are the values that the variables of `names` have in Terraform, `shown` how Terraform calls them;
    `used` are the variables from which something was computed, `missing` those whose missing values prevented that.
    Files are read from `folders` only; the first is the root's.
    """

    folders: tuple[Path, ...]
    names: Names = field(default_factory=Names)
    known: dict[str, Any] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    spent: int = 0
    pattern_work: PatternWork = field(default_factory=PatternWork)

    def note(self, text: str) -> None:
        """Adds a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def inputs(self) -> str:
        """Returns the variables that something was computed from, for a note."""
        names = sorted(self.used)
        return f"the value of {names[0]}" if len(names) == 1 else f"the values of {', '.join(names)}"

    def note_missing_values(self) -> None:
        """Adds a note that names the variables whose missing values prevented a computation."""
        names = [one.removeprefix("var.") for one in sorted(self.missing)]
        if names:
            options = " ".join(f"--var {one}=VALUE" for one in names[:_MOST_NAMES])
            self.note(f"more can be computed with the values of variables that have no default: {options}")

    def spend(self, amount: int = 1) -> None:
        """Counts work. Raises `TooMuchWork`."""
        self.spent += amount
        if self.spent > _BUDGET:
            raise TooMuchWork

    def fill_placeholders(self, value: Any) -> Any:
        """Fills placeholders with the values that Terraform uses. Raises `Unknown` where one has none.

        Nor is anything computed from a sensitive value: the result would be in the spec.
        """
        names = placeholders_in(value)
        if not names:
            return value
        without_value = names - self.known.keys()
        self.missing |= {self.shown[one] for one in without_value & self.shown.keys()}
        if without_value or any(self.names.variables[one].rules.get("sensitive") for one in names):
            raise Unknown
        self.used |= {self.shown.get(one, one) for one in names}
        return _fill_known(value, self.known)

    def stand_in(self, expr: str, prefix: str = "", default: Any = None) -> str:
        """Returns the placeholder of a variable for what only Terraform can tell."""
        shown = " ".join(expr.split())
        text = f"in Terraform: {prefix}{shown}".replace("{{", "{ {").replace("{%", "{ %")
        rules = {"sensitive": True} if self._is_sensitive(shown) else {}
        return self.names.stand_in(PLACEHOLDER.sub(r"\1", text), _stem(shown), default, **rules)

    def _is_sensitive(self, shown: str) -> bool:
        secret = [name for name, one in self.names.variables.items() if one.rules.get("sensitive")]
        return any(re.search(rf"\bvar\.{re.escape(name)}\b", shown) for name in secret)

    def read(self, name: str) -> str:
        """Returns the text of a file; relative paths begin at the root module's folder. Raises `Unknown`."""
        try:
            path = (self.folders[0] / name).resolve()
            if not any(one in path.parents for one in self.folders) or path.stat().st_size > LARGEST_FILE:
                raise Unknown
            return path.read_text("utf-8")
        except (OSError, ValueError):
            raise Unknown from None

    def encode_json(self, value: Any) -> str:
        """Returns JSON in which a placeholder stays: within quotes for a text, without them for a number."""
        if isinstance(value, dict):
            inner = ",".join(f"{self.encode_json(key)}:{self.encode_json(value[key])}" for key in sorted(value))
            return f"{{{inner}}}"
        if isinstance(value, list):
            return f"[{','.join(map(self.encode_json, value))}]"
        if isinstance(value, str) and PLACEHOLDER.search(value):
            return self._encode_text(value)
        return jsonencode(value)

    def _encode_text(self, value: str) -> str:
        """Returns a text with placeholders as JSON.

        What they hold is written out where JSON would have to escape it.
        """
        name = placeholder_name(value)
        known_value = self.known.get(name, "") if name else ""
        if isinstance(known_value, list | dict):
            return self.encode_json(self.fill_placeholders(value))
        if not isinstance(known_value, str):
            return value
        texts = [self.known.get(one, "") for one in PLACEHOLDER.findall(value)]
        plain = all(json.dumps(one) == f'"{one}"' for one in texts)
        return jsonencode(value if plain else self.fill_placeholders(value))


def _fill_known(value: Any, known: Mapping[str, Any]) -> Any:
    """Fills placeholders as `substitute` does, with numbers in texts as Terraform writes them."""
    if isinstance(value, SetOf):
        return SetOf(_fill_known(one, known) for one in value)
    if isinstance(value, list):
        return [_fill_known(one, known) for one in value]
    if isinstance(value, dict):
        return {_fill_known(key, known): _fill_known(item, known) for key, item in value.items()}
    if isinstance(value, str) and not placeholder_name(value):
        return PLACEHOLDER.sub(lambda found: to_text(known[found[1]]), value)
    return substitute(value, known)


def _stem(shown: str) -> str:
    """Returns the name of a variable for an expression."""
    words = re.findall(r"[A-Za-z_]\w*", re.sub(r"^data\.", "", shown.removeprefix("module.")))
    return "_".join(words[-3:])[-60:] or "value"
