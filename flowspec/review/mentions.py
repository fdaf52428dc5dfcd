"""Decides by the text of a spec which files it may name, so that not every spec has to be compiled.

A local file reaches a request under a path that the spec, or what it extends, has in its text: as a whole, or as a
template that gives it. So a file is identified by the last part of its path. If in doubt, the answer is "yes": for
names that YAML may quote, for templates that may give any text, and for names that need no text at all (a computed
number, the day of a run).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

# An escape by which YAML may spell a letter otherwise, and tags of Jinja that leave out or put together text.
_OBSCURING = re.compile(r"\\(?:x|u|U|\r?\n)|\{[%#]")
# The value of a plain expression, and of any other one: YAML has neither character in its text.
_VALUE, _ANYTHING = "\0", "\1"
# Between two paths. Names that have such a character themselves are always mentioned.
_BETWEEN = re.compile(r"[^\w.+/:\0\1-]+")
_NAME = re.compile(r"[\w.+-]+")
# Numbers, days, times and truth values come from expressions, too.
_COMPUTED = re.compile(r"[\W\d_TZe]*|true|false|null|none|nan|inf", re.IGNORECASE)
_TOKEN = re.compile(r"\s+|'[^'\\]*'|\"[^\"\\]*\"|[\w.]+|[<>=!]+|\+\s*\d[\w.]*|.", re.DOTALL)
_PLAIN = re.compile(r"[\w.<>=!/'\"-]|\+\s*\d")
_QUOTES = ("'", '"')
_PACKS = re.compile(r"archives|py_files")
_FOLDER_ALIASES = frozenset({".", ".."})


class Names(NamedTuple):
    """The last parts of paths: of `files`, and of the `folders` that they are in."""

    files: frozenset[str]
    folders: frozenset[str]

    @classmethod
    def of(cls, paths: Iterable[str]) -> Names:
        """Returns the names in paths with `/` between them."""
        parts = [path.split("/") for path in paths]
        return cls(frozenset(names[-1] for names in parts), frozenset(name for names in parts for name in names[:-1]))


class Mentions:
    """The files a text may name: `names` as they are, the templates' `endings` and `middles`, or all if `anything`."""

    def __init__(self, text: str) -> None:
        self.packs = _PACKS.search(text) is not None
        self.anything = _OBSCURING.search(text) is not None
        self._names: set[str] = set()
        self._endings: set[str] = set()
        self._middles: set[str] = set()
        for name in {_last_part(path) for path in _BETWEEN.split(_mark_expressions(text)) if "://" not in path}:
            self._add(name)

    def _add(self, name: str) -> None:
        *others, ending = re.split("[\0\1]", name)
        if not others:
            self._names.add(name)
        elif ending:
            self._endings.add(ending)
        elif name.endswith(_ANYTHING) or (len(others) > 1 and not others[-1]):
            self.anything = True
        elif others[-1]:
            # Either the value has a slash, and its own last part is in a text, or this is in the name.
            self._middles.add(others[-1])

    def includes(self, names: Names) -> bool:
        """Returns True if the text may name one of the files, or a folder that it packs."""
        if self.anything or any(map(self._may_name, names.files)):
            return True
        # `.` and `..` are folders that are called otherwise.
        return self.packs and (not _FOLDER_ALIASES.isdisjoint(self._names) or any(map(self._may_name, names.folders)))

    def _may_name(self, name: str) -> bool:
        if name in self._names or not _NAME.fullmatch(name) or _COMPUTED.fullmatch(name):
            return True
        return name.endswith((*self._endings,)) or any(middle in name for middle in self._middles)


def plain_names(text: str) -> frozenset[str]:
    """Returns the last parts of the paths in a text without templates."""
    return frozenset(map(_last_part, _BETWEEN.split(text)))


def _last_part(path: str) -> str:
    return re.split("[/:]", path.rstrip("/"))[-1]


def _mark_expressions(text: str) -> str:
    """Returns the text with its expressions, and a mark at the place of each."""
    first, *rest = text.split("{{")
    parts, inside = [first], []
    for part in rest:
        body, closed, after = part.partition("}}")
        parts.append((_VALUE if closed and _is_plain(body) else _ANYTHING) + after)
        # The texts in an expression may be its value.
        inside.append(body)
    return " ".join(["".join(parts), *inside])


def _is_plain(expression: str) -> bool:
    """Returns True if an expression's value is a variable's, a text that it has, a number or a truth value."""
    if expression[:1] in {"-", "+"} or expression[-1:] in {"-", "+"}:
        # They remove the blanks beside the tag, so that the words there become one.
        return False
    before = ""
    for token in _TOKEN.findall(expression):
        if token.isspace():
            continue
        # Two texts in a row are one in Jinja.
        if not _PLAIN.match(token) or (token[0] in _QUOTES and before[:1] in _QUOTES):
            return False
        before = token
    return True
