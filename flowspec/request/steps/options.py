"""Options of a program's command line: values of a spec -> arguments, and arguments -> values.

One table of options serves both ways. A spec gives a program's options as keys of the step, in any order; the
arguments have them in the same order, so that every order of a command line can be expressed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from flowspec.facts.streaming_options import Form


class Option(NamedTuple):
    """An option: its `flag`, and the `form` of its value (see `Form`).

    With `joined`, flag and value are one word: `flag=text`.
    """

    flag: str
    form: Form = "value"
    joined: bool = False


Table: TypeAlias = "Mapping[str, Option]"

# --- a value of the spec -> words ---


def words(option: Option, value: Any) -> list[str]:
    """Returns an option with its value as arguments; none for a switch that is off, or an empty list."""
    return [word for text in _texts(option, value) for word in _flagged(option, text)]


def _texts(option: Option, value: Any) -> list[str | None]:
    """Returns the text after the flag, for each time that the flag is written; None where it takes no value."""
    if option.form == "switch":
        return [None] if value else []
    if option.form == "commas":
        return [",".join(value)] if value else []
    if option.form == "pairs":
        return [f"{key}={text}" for key, text in value.items()]
    return list(value) if isinstance(value, list) else [str(value)]


def _flagged(option: Option, text: str | None) -> list[str]:
    if text is None:
        return [option.flag]
    return [f"{option.flag}={text}"] if option.joined else [option.flag, text]


# --- arguments -> values of the spec ---


def read(given: Sequence[str], table: Table) -> tuple[dict[str, Any], list[str]]:
    """Reads options from the start of `given`, in their order; returns them and the arguments that are left.

    Reading stops at the first argument that is no option of the table, or whose value a spec can't hold. It
    also stops at an option that comes again after another one: a mapping has one place for each key, so the
    order would be lost.
    """
    found: dict[str, Any] = {}
    by_flag = {option.flag: (key, option) for key, option in table.items()}
    at = 0
    while at < len(given):
        flag, text = _split(given, at, by_flag)
        key, option = by_flag.get(flag, ("", None))
        if option is None or (key in found and key != next(reversed(found))):
            break
        if not _add(found, key, option.form, text):
            break
        at += 1 if option.form == "switch" or option.joined else 2
    return found, list(given[at:])


def _split(given: Sequence[str], at: int, by_flag: Mapping[str, Any]) -> tuple[str, str | None]:
    """Returns the flag of the argument at an index, and what would be its value; "" for a flag without its "="."""
    head, equals, text = given[at].partition("=")
    if equals and head in by_flag and by_flag[head][1].joined:
        return head, text
    if given[at] in by_flag and by_flag[given[at]][1].joined:
        return "", None
    return given[at], given[at + 1] if at + 1 < len(given) else None


def _add(found: dict[str, Any], key: str, form: Form, text: str | None) -> bool:
    """Adds a value to `found`; returns False when a spec can't hold it beside what is there."""
    if form == "pairs":
        name, equals, value = (text or "").partition("=")
        if not name or not equals or name in found.get(key, ()):
            return False
        found.setdefault(key, {})[name] = value
    elif text is not None and (form == "each" or (form == "one_or_each" and key in found)):
        before = found.get(key, [])
        found[key] = [*([before] if isinstance(before, str) else before), text]
    elif key in found or (single := _single_value(form, text)) is None:
        return False
    else:
        found[key] = single
    return True


def _single_value(form: Form, text: str | None) -> Any:
    """Returns the value of an option that comes once; None for a text that would not be written back as it is."""
    if form == "switch":
        return True
    if form == "commas":
        return text.split(",") if text else None
    if form == "number":
        # Nine digits fit Java's int; 007 is not written so.
        return int(text) if text and re.fullmatch(r"0|[1-9][0-9]{0,8}", text) else None
    return text if form != "each" else None
