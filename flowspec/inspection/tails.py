"""The ends of logs as numbered lines; lines with the probable cause of a failure are marked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from flowspec.backend.aws.diagnosis.diagnose import Cause
from flowspec.backend.aws.logs import Logs
from flowspec.document.escaping import visible_line
from flowspec.document.masking import lookback_length, mask_bytes
from flowspec.errors import CUT, number_of

# The number of bytes of a log that are read, and of lines that are shown: one or two screens. `flowspec logs` has all
# of it.
_BYTES, _LINES = 64 << 10, 80
# Lines that are shown around the cause where it is further up.
_AROUND = 6
# A line may be as long as the whole part that is read.
_WIDTH = 2_000


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log. `number` counts from 1 (0: not known); `cause`: it tells the probable cause.

    `gap` is the number of lines above it that are left out.
    """

    text: str
    number: int = 0
    cause: bool = False
    gap: int = 0


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of the log `name`. `cut`: the log is longer than what was read. `lines` is empty for an empty log."""

    name: str
    lines: tuple[Line, ...]
    cut: bool = False


def tail_of(logs: Logs, step_id: str, name: str, secrets: Collection[str], cause: Cause | None) -> Tail | None:
    """Returns the end of a step's log, masked; None when the log isn't there (yet). `cause`: of the run's failure.

    Raises ServiceError when S3 refuses, OSError when a file can't be read.
    """
    before = lookback_length(secrets)
    found = logs.tail(step_id, name, _BYTES + before + 1)
    if found is None:
        return None
    cut = len(found) > _BYTES + before
    text = mask_bytes(found, secrets, len(found) - _BYTES if cut else 0).decode("utf-8", "replace")
    cause_here = cause if cause and cause.log == logs.uri(f"steps/{step_id}/{name}") else None
    return Tail(name, _select_lines(text.removesuffix("\n").split("\n") if text else [], cause_here, cut=cut), cut)


def _select_lines(texts: Sequence[str], cause: Cause | None, *, cut: bool) -> tuple[Line, ...]:
    at = _find_quote(texts, cause.quote) if cause else -1
    marked = range(at, at + len(cause.quote)) if cause and at >= 0 else range(0)
    first = cause.line - at if cause and cause.line and at >= 0 else 0 if cut else 1
    kept = [
        index
        for index in range(len(texts))
        if index >= len(texts) - _LINES or (marked and marked[0] - _AROUND <= index <= marked[-1] + _AROUND)
    ]
    lines = []
    for before, index in zip([-1, *kept], kept, strict=False):
        gap = index - before - 1
        lines.append(Line(_shorten_line(texts[index]), first and first + index, index in marked, gap))
    return tuple(lines)


def _find_quote(texts: Sequence[str], quote: Sequence[str]) -> int:
    """Returns the index at which the last occurrence of the lines of a quote begins; -1 without any."""
    size = len(quote)
    places = range(len(texts) - size, -1, -1) if size else ()
    return next((at for at in places if list(texts[at : at + size]) == list(quote)), -1)


def _shorten_line(text: str) -> str:
    return shortened(visible_line(text.removesuffix("\r")), _WIDTH)


def shortened(text: str, most: int) -> str:
    """Returns the first characters of a text, at `most` so many, and how many more there are."""
    return text if len(text) <= most else f"{text[:most]}{CUT} ({number_of(len(text) - most, 'more character')})"
