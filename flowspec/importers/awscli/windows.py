"""Rewrites PowerShell and batch scripts so that the reader of shell scripts understands them, line by line."""

from __future__ import annotations

import re

_POWERSHELL = re.compile(r"create-cluster[^\n]*[ \t]`[ \t]*\n")
_BATCH = re.compile(r"create-cluster[^\n]*[ \t]\^[ \t]*\n|^@?echo off\b", re.IGNORECASE | re.MULTILINE)


def as_posix(name: str, text: str) -> str:
    """Returns a script's text in the words of a POSIX shell; every line keeps its number.

    `name` tells by its ending what it is; without one of a known kind, the way in which it continues lines tells.
    """
    ending = name.lower().rpartition(".")[2]
    if ending == "ps1" or (ending != "sh" and _POWERSHELL.search(text)):
        return _powershell(text)
    if ending in ("bat", "cmd") or (ending != "sh" and _BATCH.search(text)):
        return _batch(text)
    return text


def _powershell(text: str) -> str:
    text = re.sub(r"`[ \t]*\n", "\\\\\n", text)
    text = re.sub(r"^([ \t]*)(\$env:|\$)(\w+)[ \t]*=[ \t]*@\(([^)]*)\)", _array, text, flags=re.MULTILINE)
    text = re.sub(r"^([ \t]*)\$(?:env:)?(\w+)[ \t]*(\+?=)[ \t]*", r"\1\2\3", text, flags=re.MULTILINE | re.IGNORECASE)
    text = re.sub(r"\$env:(\w+)", r"$\1", text, flags=re.IGNORECASE)
    return re.sub(r"(?<=\s)@([A-Za-z_]\w*)\b", r'"${\1[@]}"', text)


def _array(found: re.Match[str]) -> str:
    # Commas separate the items, but within quotes they are text.
    items = re.sub(r"""("[^"]*"|'[^']*')|,""", lambda one: one[1] or " ", found[4])
    return f"{found[1]}{found[3]}=({items})"


def _batch(text: str) -> str:
    text = re.sub(r"\\(?![\"\n])", r"\\\\", text)
    text = re.sub(r"\^[ \t]*\n", "\\\\\n", text)
    text = re.sub(r"^[ \t]*(?:::|@?rem\b)", "#", text, flags=re.MULTILINE | re.IGNORECASE)
    text = re.sub(
        r"^([ \t]*)@?set[ \t]+\"?([A-Za-z_]\w*)=([^\"\n]*?)\"?[ \t]*$",
        r'\1\2="\3"',
        text,
        flags=re.MULTILINE | re.IGNORECASE,
    )
    text = re.sub(r"%([A-Za-z_]\w*)%", r"$\1", text)
    return re.sub(r"%~?([0-9*])", r"$\1", text)
