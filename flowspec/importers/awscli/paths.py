"""Paths of files in a script: filled with the values of its variables, or begun at its own folder."""

from __future__ import annotations

import re
from posixpath import isabs, join, normpath
from typing import NamedTuple

from flowspec.importers.awscli.parsed import Script
from flowspec.importers.placeholders import PLACEHOLDER, placeholder_name

# Values are nested as deeply as their assignments; a script has three or four.
_DEEPEST = 20
_LONGEST = 4096  # bytes of a path in Linux (PATH_MAX)
# `$(dirname "$0")`, `$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)`, `${0%/*}`; not the folder above, or one below.
_OWN_FOLDER = re.compile(
    r"""(?!.*(\.\.|dirname\b.*dirname\b)).*dirname\b.*(\$\{?0\b|\bBASH_SOURCE\b)(?![]\s0[})"']*/)"""
    r"""|\$\{(0|BASH_SOURCE|BASH_SOURCE\[0\])%/\*\}$""",
    re.DOTALL,
)
_WORKING_FOLDER = ("pwd", "$PWD")
_FIRST = re.compile(rf"{PLACEHOLDER.pattern}(?:/+|$)")


class ScriptPath(NamedTuple):
    """A path from the folder of the script, or an absolute one; None where that is not known.

    Placeholders stay where only the shell knows a value. `is_filled` is True if there is the value of a variable in it
    that a run of the script may have another of.
    """

    name: str | None
    is_filled: bool


def follow_path(script: Script, path: str, folder: str | None) -> ScriptPath:
    """Returns what a path with placeholders stands for; `folder` is where the script is by then (None: not known)."""
    is_filled = False
    for _ in range(_DEEPEST if len(path) <= _LONGEST else 0):
        values = {name: text for name in PLACEHOLDER.findall(path) if (text := _value(script, name)) is not None}
        filled = PLACEHOLDER.sub(lambda found, values=values: values.get(found[1], found[0]), path)  # type: ignore[misc]
        if not values or len(filled) > _LONGEST:
            break
        is_filled = is_filled or any(placeholder_name(text) is None for text in values.values())
        path = filled
    first = _FIRST.match(path)
    command = _command_of(script, first[1]) if first else ""
    if first and (command in _WORKING_FOLDER or _OWN_FOLDER.match(command)):
        path = path[first.end() :]
        folder = folder if command in _WORKING_FOLDER else ""
    elif isabs(path):
        folder = ""
    return ScriptPath(None if folder is None else normpath(join(folder, path)), is_filled)


def _value(script: Script, name: str) -> str | None:
    """Returns the value of a variable within a path; None for one that only the shell knows."""
    text = script.single_value(name)
    other = placeholder_name(text)
    command = script.substitutions.get(other, "").strip() if other else ""
    # Two variables with the output of `mktemp` have the same text, and are two files.
    if text is None or len(text) > _LONGEST:
        return None
    return text if not command or command in _WORKING_FOLDER or _OWN_FOLDER.match(command) else None


def _command_of(script: Script, name: str) -> str:
    """Returns the command whose output a variable is, or the expansion that it stands for; "" for another variable."""
    if name == "PWD" and name not in script.texts:
        return "$PWD"
    known = script.variables.get(name)
    return script.substitutions.get(name, "").strip() or str(known.rules.get("description", "") if known else "")
