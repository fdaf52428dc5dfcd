"""The variables of a shell script while it is read: their values as far as they are certain, placeholders for the rest.

A variable that is assigned in a branch or a loop has no certain value: it stays a variable without a default, and a
note names each such assignment.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from flowspec.importers.awscli.parsed import Script
from flowspec.importers.placeholders import (
    PLACEHOLDER,
    Variable,
    placeholder,
    placeholder_name,
    safe_name,
)

# A value that the shell splits, or an option.
_SEVERAL = re.compile(r"[ \t\n]|^-")
# Values are nested as deeply as their assignments; a script has three or four.
_DEEPEST = 20
# Characters of a value that grows: ten lines of `A=$A$A$A$A$A$A$A$A$A$A` would fill the memory.
_LONGEST = 1_000_000
# Of a value that a script compares with another.
_LONGEST_TESTED = 1_000
_GIVEN = re.compile(r"OPTARG|arg[0-9]", re.ASCII)


class Reached(NamedTuple):
    """The way to a place: `conditional` in a branch or loop; `by_default` with all defaults (None: not known)."""

    conditional: bool
    by_default: bool | None


@dataclass
class Variables:
    """The variables of a `script` at a place of it.

    `texts` are assigned values with placeholders, `arrays` are lists of them, and `literals` are the values that a
    variable has within a loop over known words or a function that is called with known arguments. `here` counts the
    line that a note names. `is_subshell` is True within `$( )`.
    """

    script: Script
    texts: MutableMapping[str, str] = field(default_factory=dict)
    arrays: MutableMapping[str, list[str]] = field(default_factory=dict)
    literals: dict[str, str] = field(default_factory=dict)
    here: Callable[[], int] = lambda: 0
    is_subshell: bool = False

    def for_same_shell(self) -> Variables:
        """Returns the variables for a text in the same shell, whose assignments last but for those of literals."""
        return Variables(self.script, self.texts, self.arrays, dict(self.literals), is_subshell=self.is_subshell)

    def for_subshell(self) -> Variables:
        """Returns the variables for a subshell, whose assignments end with it."""
        # Layers, not copies: each `$( )` of a long script would copy all variables before it.
        texts, arrays = ChainMap({}, self.texts), ChainMap({}, self.arrays)
        return Variables(self.script, texts, arrays, dict(self.literals), is_subshell=True)

    def is_set(self, name: str) -> bool:
        """Returns True if the script has set a variable before the place, certainly or not."""
        return any(name in one for one in (self.texts, self.arrays, self.literals))

    def certain_value(self, name: str) -> str | None:
        """Returns the value of a variable, None where it is not certain."""
        if name in self.literals:
            return self.literals[name]
        return None if name in self.script.uncertain else self.texts.get(name)

    def text_by_default(self, text: str, met: dict[str, str | None] | None = None, depth: int = 0) -> str | None:
        """Returns a text with the values that its variables have unless a branch sets them; None: not known.

        `met` are the values of variables that were met already: each is made once.
        """
        met = {} if met is None else met
        for name in set(PLACEHOLDER.findall(text)):
            if name not in met:
                value = self.literals.get(name, self.texts.get(name))
                is_known = value is not None and name not in self.script.forgotten and depth < _DEEPEST
                # A value that is made of itself is not known.
                met[name] = None
                met[name] = self.text_by_default(value or "", met, depth + 1) if is_known else None
            value = met[name]
            if value is None or len(value) > _LONGEST_TESTED:
                return None
            text = text.replace(placeholder(name), value)
        return text

    def has_no_value(self, name: str) -> bool:
        """Returns True if a variable is empty unless the environment or an argument of the script gives it a value."""
        if name in self.literals or name in self.script.uncertain or name in self.script.forgotten:
            return False
        value = self.texts.get(name)
        return self._is_argument(value) if value else not self.description(placeholder(name))

    def resolve(self, text: str) -> str:
        """Returns the value of the variable that is the whole text; any other text as it is."""
        name = placeholder_name(text)
        value = self.certain_value(name) if name else None
        return text if value is None else value

    def expand_split(self, name: str, text: str, depth: int = 0) -> str:
        """Returns the value of a variable that is split, with the variables in it that are several words replaced."""
        self.script.split.add(safe_name(name))
        for inner in PLACEHOLDER.findall(text) if depth < _DEEPEST else ():
            value = self.certain_value(inner)
            if value is not None and is_split(value):
                text = text.replace(placeholder(inner), self.expand_split(inner, value, depth + 1))
        return text

    def refer(self, name: str) -> str:
        """Returns the text for `$NAME`: a literal, or a placeholder, of whose value the script keeps the default."""
        if name in self.literals:
            return self.literals[name]
        known = safe_name(name)
        value = self.certain_value(name)
        default = self._default(value)
        described = self.description(value or "") if default is None else ""
        described = described or ("" if known == name else f"${name} of the script")
        rules = {"description": described} if described else {}
        met = self.script.variables.setdefault(known, Variable(default=default, rules=rules))
        if met.default is not None and default is not None and met.default != default:
            self._note_reassignment(name)
        return placeholder(known)

    def _default(self, text: str | None) -> str | None:
        """Returns the default of a variable with this text, which may refer to others; of a copy that of the other."""
        other = placeholder_name(text)
        return self.script.variables[other].default if other in self.script.variables else text

    def add(self, name: str, description: str, *, fresh: bool = False) -> str:
        """Adds a variable for what has no name in the script, or one already taken; `fresh`: never one added before."""
        key = object() if fresh else (safe_name(name), description)
        return self.script.names.placeholder_for(key, name, Variable(rules={"description": description}))

    def description(self, text: str) -> object:
        """Returns the description of the variable that a text is, or that its value is; "" without one."""
        name = ["", *self.script.aliases(text)][-1]
        return self.script.variables[name].rules.get("description") if name in self.script.variables else ""

    # --- assignments ---

    def assign(self, name: str, value: str, reached: Reached, *, added: bool, local: bool) -> None:
        """Does `NAME=VALUE`; `added`: it is `+=`; `local`: the variable is a called function's own."""
        if name in self.literals or local:
            if not reached.conditional and name not in self.script.uncertain:
                self.literals[name] = self.literals.get(name, "") * added + value
                return
            self.literals.pop(name, None)
        own = placeholder(safe_name(name))
        value = own + value if added else value
        if not reached.conditional:
            self._assign_unconditionally(name, own, value)
        elif own in value and name in self.texts:
            self._note_addition(name, value.replace(own, "").strip(), reached.by_default)
            if reached.by_default:
                self._assign_unconditionally(name, own, value)
        elif reached.by_default and self.has_no_value(name):
            # `[ -z "$NAME" ] && NAME=…` gives a default, also to the variable that its condition names.
            self.texts[name] = self.script.texts[name] = value
            if met := self.script.variables.get(safe_name(name)):
                self.script.variables[safe_name(name)] = replace(met, default=self._default(value))
        elif self._is_argument(value) and name not in self.script.forgotten and self.texts.get(name) != "":
            # What the variable has without the argument is its default: a value before it, or `${NAME:-…}` after it.
            told = f"line {self.here()}: an argument of the script sets ${name}: it is imported as it is without that"
            self.script.given[safe_name(name)] = told
        else:
            self._note_conditional(name, value)

    def _is_argument(self, value: str) -> bool:
        """Returns True if a value is an argument of the script."""
        other = placeholder_name(value) or ""
        return bool(_GIVEN.fullmatch(other)) or str(self.description(value)).startswith("${")

    def _assign_unconditionally(self, name: str, own: str, value: str) -> None:
        old = self.texts.get(name)
        if old is not None and value.count(own) * len(old) > _LONGEST:
            self.script.uncertain.add(name)
            self._note(name, f"${name} gets too long: it is a variable without a default")
            return
        if old is not None and own in value:
            value = value.replace(own, old)
        elif old is not None and old != value:
            self._note_reassignment(name)
        self.texts[name] = self.script.texts[name] = value

    def assign_items(self, name: str, items: list[str], reached: Reached, *, added: bool) -> None:
        """Does `NAME=( ITEM … )`; `added`: it is `+=`."""
        known = self.arrays.get(name, [])
        more = items if added else _added_items(items, known)
        if not reached.conditional:
            self.arrays[name] = [*known, *items] if added else items
        elif more is None:
            self._note_conditional(name, " ".join(items))
        else:
            by_default = reached.by_default if name in self.arrays else None
            self._note_addition(name, " ".join(more), by_default)
            if by_default:
                self.arrays[name] = [*known, *more]

    def forget(self, name: str, by: str) -> None:
        """Takes the value of a variable, if it has one, for uncertain: the command `by` sets another."""
        if self.is_set(name):
            self.literals.pop(name, None)
            self.script.uncertain.add(name)
            self.script.forgotten.add(name)
            self._note(name, f"`{by}` sets ${name}: give its value")

    def _note(self, name: str, text: str) -> None:
        self.script.note(name, f"line {self.here()}: {text}")

    def _note_addition(self, name: str, text: str, by_default: bool | None) -> None:
        effects = {
            True: "as it does with the defaults of its variables",
            False: "with other values of its variables than the defaults, which is not imported",
            None: "which is not imported",
        }
        self._note(name, f"a branch or loop adds `{_shown(text)}` to ${name}, {effects[by_default]}")

    def _note_conditional(self, name: str, text: str) -> None:
        self.script.uncertain.add(name)
        # Enough to tell which commands it comes from.
        self.script.texts[name] = self.script.texts.get(name, "") + text
        self._note(name, f"a branch or loop sets ${name} to `{_shown(text)}`: it is a variable without a default")

    def _note_reassignment(self, name: str) -> None:
        self._note(name, f"${name} is assigned for a second time; check its value")


def _shown(text: str) -> str:
    return PLACEHOLDER.sub(r"${\1}", text)[:80]


def is_split(value: str) -> bool:
    """Returns True if the shell makes of a value several words, an option or nothing."""
    return not value or bool(_SEVERAL.search(value))


def _added_items(items: Sequence[str], known: Sequence[str]) -> list[str] | None:
    """Returns what a longer list adds to a known one; None if it does not begin with it."""
    return [*items[len(known) :]] if known and [*items[: len(known)]] == [*known] else None
