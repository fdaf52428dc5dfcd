"""A document: a tree of values that know their place and their origin.

Nodes are shared (an alias is the same node again), so they must not be changed. They are not frozen dataclasses, which
set each field by `object.__setattr__`: that took 6 % of the time of `validate` for 1,000 files. Strings of a `Scalar`
are what the YAML says they are; `text` keeps how a plain scalar was written, because the EMR API wants many things as
strings and `0.10` must reach it as "0.10".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from flowspec.document.catalog import severity
from flowspec.document.masking import mask
from flowspec.errors import Diagnostic, Location, Severity, shorten

NodePath: TypeAlias = "Sequence[str | int]"
"""The way from the root to a node: keys and indexes, as in `("steps", 0, "mapper")`."""

# The ends of a line for YAML 1.1 scanners, such as libyaml.
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_IGNORE = re.compile(r"#\s*flowspec:\s*ignore=([\w, ]+)")
_LONGEST_LINE = 10_000

MAX_FINDINGS = 300
"""The maximum number of findings, after which the rest is not checked: each takes time and memory."""


@dataclass(frozen=True, eq=False)
class Source:
    """A file as it was read: its path as the user gave it, and its text."""

    file: str
    text: str = field(default="", repr=False)

    @property
    def argument(self) -> str:
        """The file in a command that a hint shows; FILE for standard input."""
        return "FILE" if self.file.startswith("<") else self.file

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the text, without their ends, as YAML counts them."""
        return _BREAK.split(self.text)

    @cached_property
    def _shortened(self) -> dict[int, str]:
        return {}

    def line(self, number: int) -> str:
        """Returns the line with this number, from 1; "" if there is none. A long line is cut."""
        line = self.lines[number - 1] if 0 < number <= len(self.lines) else ""
        if len(line) <= _LONGEST_LINE:
            return line
        # The same text object for all findings in a line, since each finding keeps its line.
        return self._shortened.setdefault(number, shorten(line, _LONGEST_LINE))

    def diagnostic(
        self,
        id: str,  # noqa: A002 - it is the word for it
        message: str,
        at: Place | None = None,
        *,
        hint: str = "",
        notes: Sequence[str] = (),
    ) -> Diagnostic:
        """Returns a finding at a place of this file, or about the file as a whole."""
        return Diagnostic(
            id,
            message,
            at.location if at else Location(self.file),
            hint,
            tuple(notes),
            at.source.line(at.line) if at else "",
            severity(id),
        )


@dataclass(slots=True, eq=False)
class Place:
    """The place of a node in its source: line and column from 1, and the `width` in characters."""

    source: Source
    line: int
    column: int
    width: int = 0

    @property
    def location(self) -> Location:
        """The place as a value that can be shown and compared."""
        return Location(self.source.file, self.line, self.column, self.width)


@dataclass(slots=True, eq=False)
class Scalar:
    """One value. `plain`: written without quotes. `failed`: its template could not be rendered.

    `origin` tells what put it there when that was not this line of the spec: "target prod",
    "variable workers".
    """

    value: Any
    text: str
    at: Place
    plain: bool = True
    origin: str = ""
    failed: bool = False


@dataclass(slots=True, eq=False)
class Mapping:
    """Keys (by their text, in order) and their values."""

    entries: dict[str, tuple[Scalar, Node]]
    at: Place
    origin: str = ""

    def get(self, key: str) -> Node | None:
        """Returns the value of `key`, or None when it is absent."""
        entry = self.entries.get(key)
        return entry[1] if entry else None


@dataclass(slots=True, eq=False)
class Items:
    """A list of nodes."""

    items: tuple[Node, ...]
    at: Place
    origin: str = ""


Node: TypeAlias = "Scalar | Mapping | Items"


def plain(node: Node) -> Any:
    """Returns the node as plain Python data: dict, list, str, int, float, bool, None."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Mapping):
        return {key: plain(value) for key, (_, value) in node.entries.items()}
    return [plain(item) for item in node.items]


def scalars(node: Node) -> Iterator[Scalar]:
    """Yields every scalar of the tree, keys too, in order."""
    rest = [node]
    while rest:
        node = rest.pop()
        if isinstance(node, Scalar):
            yield node
        elif isinstance(node, Mapping):
            for key, value in reversed(node.entries.values()):
                rest += (value, key)
        else:
            rest += reversed(node.items)


@dataclass(frozen=True, eq=False)
class Document:
    """One spec, as it was read (`rendered` False) or for one target, with all templates filled in.

    `diagnostics` are the findings so far. A rendered document keeps its `variables` and `targets` blocks in `declared`,
    separate from the description of the job flow; `sensitive` are the names of its sensitive variables, `secrets` their
    texts, and `moment` is the value of `ts`.
    """

    path: Path
    source: Source
    root: Mapping
    diagnostics: tuple[Diagnostic, ...] = ()
    target: str = ""
    rendered: bool = False
    declared: Mapping | None = None
    secrets: frozenset[str] = frozenset()
    sensitive: frozenset[str] = frozenset()
    moment: str = ""

    @property
    def day(self) -> str:
        """The value of `ds` in a rendered document: the day of its rendering; "" before that."""
        return f"{self.moment[:4]}-{self.moment[4:6]}-{self.moment[6:8]}" if self.moment else ""

    def find(self, path: NodePath) -> Node | None:
        """Returns the node at `path`, or None."""
        node: Node | None = self.root
        for step in path:
            node = child(node, step)
            if node is None:
                return None
        return node

    def find_key(self, path: NodePath) -> Scalar | None:
        """Returns the key of the node at `path`, or None."""
        parent = self.find(path[:-1]) if path else None
        entry = parent.entries.get(str(path[-1])) if isinstance(parent, Mapping) else None
        return entry[0] if entry else None

    def nearest(self, path: NodePath) -> Node:
        """Returns the node at `path`, or its nearest existing parent."""
        node: Node = self.root
        for step in path:
            found = child(node, step)
            if found is None:
                break
            node = found
        return node

    def diagnostic(
        self,
        id: str,  # noqa: A002 - it is the word for it
        path: NodePath,
        message: str,
        *,
        hint: str = "",
        notes: Sequence[str] = (),
        key: bool = False,
    ) -> Diagnostic:
        """Returns a finding about the node at `path` (or, with `key`, about its key), as a value to collect.

        A path that does not exist gets the place of its nearest existing parent.
        """
        at = ((self.find_key(path) if key else None) or self.nearest(path)).at
        return at.source.diagnostic(id, message, at, hint=hint, notes=notes)


def too_many_findings(source: Source, listed: int) -> Diagnostic:
    """Returns the error that replaces all findings beyond the listed ones."""
    message = f"there are more than {listed} findings; the rest was not checked"
    return source.diagnostic("FS100", message, hint="correct these first")


def child(node: Node | None, step: str | int) -> Node | None:
    """Returns a child: the value of a key, or the item at an index; None if there is none."""
    if isinstance(node, Mapping):
        return node.get(str(step))
    if isinstance(node, Items) and isinstance(step, int) and 0 <= step < len(node.items):
        return node.items[step]
    return None


def is_suppressed(found: Diagnostic) -> bool:
    """Returns True if the line's comment suppresses the finding: `# flowspec: ignore=FS204`; an error never is."""
    if found.severity is Severity.ERROR:
        return False
    match = _IGNORE.search(found.source)
    return match is not None and found.id in re.split(r"[ ,]+", match[1])


def diagnostics_to_show(
    found: Sequence[Diagnostic], target: str, secrets: Collection[str] = ()
) -> tuple[Diagnostic, ...]:
    """Returns the diagnostics to show, sorted by place.

    Suppressed and repeated ones are left out, secrets are masked, and the target is noted.
    """
    note = (f"target {target}",) if target else ()
    unique = {(one.id, one.message, one.location): one for one in found if not is_suppressed(one)}
    # Thousands of findings may be in one long line.
    lines = {line: mask(line, secrets) for line in {one.source for one in unique.values()}}
    prepared = (_note_target_and_mask(one, note, secrets, lines[one.source]) for one in unique.values())
    return tuple(sorted(prepared, key=lambda one: one.sort_key))


def _note_target_and_mask(found: Diagnostic, note: tuple[str, ...], secrets: Collection[str], line: str) -> Diagnostic:
    notes = found.notes if found.notes[-1:] == note else (*found.notes, *note)
    if not secrets:
        return replace(found, notes=notes)
    message, hint, *notes_ = mask([found.message, found.hint, *notes], secrets)
    return replace(found, message=message, hint=hint, source=line, notes=tuple(notes_))
