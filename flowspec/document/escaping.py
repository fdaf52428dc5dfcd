"""Escapes untrusted text, so that it can't be mistaken for flowspec's own output.

Names, values, file names, messages of services and log lines may contain anything. Examples are line breaks, escape
sequences for the terminal, direction marks that reorder the text, and commands that a CI runner reads from the log.
`visible` is for such a text within a line, `harmless` for a whole output before it is printed.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, TypeVar

_T = TypeVar("_T")

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
# The start and the end of a colour or of bold print (ECMA-48, SGR), as flowspec's own reports have them.
_STYLE = re.compile(r"(\x1b\[[0-9;]*m)")
# GitHub's runner interprets a line that begins with `::`, after blanks, as a command. Older runners, and those of Azure
# and TeamCity, search for `##[`, `##vso[` and `##teamcity[`; `##[` may be anywhere in a line (actions/runner,
# ActionCommand.cs).
_COMMAND = re.compile(r"^(?P<blanks>[^\S\n]*):(?=:)|#(?=#(?:vso|teamcity)?\[)", re.MULTILINE)


def visible(text: str) -> str:
    r"""Returns a text as one line: line breaks and unprintable characters are escaped as in JSON (`\n`, `\u001b`)."""
    return text if text.isprintable() else "".join(char if char.isprintable() else _escaped(char) for char in text)


def visible_values(value: _T) -> _T:
    """Returns plain data, or a record of it, with every text in it made `visible`."""
    shown: Any = value
    if isinstance(value, str):
        shown = visible(value) if type(value) is str else value
    elif isinstance(value, dict):
        shown = {visible_values(key): visible_values(item) for key, item in value.items()}
    elif isinstance(value, list | tuple):
        # A NamedTuple is made from arguments, not from an iterable.
        make = getattr(value, "_make", type(value))
        shown = make(map(visible_values, value))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        shown = dataclasses.replace(value, **{name: visible_values(getattr(value, name)) for name in fields})
    return shown  # type: ignore[no-any-return]


def harmless(text: str, *, commands: bool = False) -> str:
    """Returns an output of several lines without control of a terminal or CI runner; JSON stays the same JSON.

    Line breaks, tabs, colours and bold print stay. With `commands`, commands for a CI runner stay, too.
    """
    if not commands:
        text = _COMMAND.sub(lambda found: f"{found['blanks'] or ''}{_escaped(found[0][-1])}", text)
    parts = _STYLE.split(text)
    parts[::2] = ["\n".join(map(visible_line, part.split("\n"))) for part in parts[::2]]
    return "".join(parts)


def visible_line(line: str) -> str:
    """Returns a line as `visible` does, but with its tabs."""
    return "\t".join(map(visible, line.split("\t")))


def _escaped(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
