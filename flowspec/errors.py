"""Locations, diagnostics and exceptions.

    FlowspecError            a sentence, and what to do about it          exit 1
    ├── SpecError            the document is wrong: all its diagnostics    exit 2
    ├── NothingFound         an argument or option names nothing there is  exit 2
    └── ServiceError         EMR (or S3) refused a call: code and text     exit 1

A `Diagnostic` is about a document and is collected, never raised by itself; an exception ends the
stage it is raised in. Exit codes are given only by `flowspec.cli`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

CUT = "…"
"""The end of a shortened text. Masking searches for the beginning of a secret before it."""


def shorten(text: str, most: int = 60) -> str:
    """Returns a text for a message, cut after so many characters."""
    return text if len(text) <= most else f"{text[:most]}{CUT}"


def number_of(number: int, noun: str) -> str:
    """Returns a count for a message: `1 file`, `2,000 files`, `1 address`, `2 addresses`."""
    many = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else many}"


class Location(NamedTuple):
    """A stretch of one line of a file; lines and columns count from 1, columns in characters.

    `width` is the number of characters (0: a point between two).
    """

    file: str
    line: int = 1
    column: int = 1
    width: int = 0

    def __str__(self) -> str:
        return f"{self.file_and_line}:{self.column}"

    @property
    def file_and_line(self) -> str:
        """`job.yaml:14`, for outputs that don't need the column."""
        return f"{self.file}:{self.line}"


class Severity(str, Enum):
    """The severity of a diagnostic; only an `ERROR` makes a document invalid."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A finding about a document: what is wrong, where, and what to try.

    `id` is stable ("FS104"); `message` says what is wrong; `hint` is shown after the carets and says what to
    try; `notes` are further lines ("ON_DEMAND, SPOT"). `source` is the text of the line at `location`, without
    its line end, kept here so that reports need not read the file again.
    """

    id: str
    message: str
    location: Location | None = None
    hint: str = ""
    notes: tuple[str, ...] = ()
    source: str = field(default="", compare=False)
    severity: Severity = Severity.ERROR

    @property
    def sort_key(self) -> tuple[str, int, int, str]:
        """Orders diagnostics by file, line and column, then id; those without a place come first."""
        place = self.location
        return (place.file, place.line, place.column, self.id) if place else ("", 0, 0, self.id)


class FlowspecError(Exception):
    """An error that the user can do something about: `message` says what is wrong, `remedy` what to do."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    @property
    def sentence(self) -> str:
        """Message and remedy in one line, for logs and for services' answers."""
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


def sentence_of(error: Exception) -> str:
    """Returns the sentence of a FlowspecError, the text of any other exception."""
    return error.sentence if isinstance(error, FlowspecError) else str(error)


class NothingFound(FlowspecError):
    """An argument or option names something that does not exist (a spec, cluster, step …), or several things."""


class NotStarted(FlowspecError):
    """The flow of a spec has no cluster, and had none recently."""


class SpecError(FlowspecError):
    """A document is invalid. `diagnostics` holds everything found, warnings too, sorted by place."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(sorted(diagnostics, key=lambda found: found.sort_key))
        errors = [found for found in self.diagnostics if found.severity is Severity.ERROR]
        super().__init__(errors[0].message if errors else "the document is invalid")

    def __reduce__(self) -> tuple[type[SpecError], tuple[tuple[Diagnostic, ...]]]:
        return SpecError, (self.diagnostics,)


class Locked(FlowspecError):
    """Another apply is changing the same cluster; `holder` is the text of its lock, "" if it is not known."""

    def __init__(self, message: str, *, remedy: str = "", holder: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.holder = holder


class StalePlan(FlowspecError):
    """The inputs of a plan have changed since it was made: the spec, a file, the cluster, or its location."""


class ServiceError(FlowspecError):
    """A service answered a call with an error: its `code`, its text, and the `operation` that was called."""

    def __init__(self, operation: str, code: str, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{operation}: {code}: {message}", remedy=remedy)
        self.operation = operation
        self.code = code
