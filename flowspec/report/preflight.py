"""Writes the findings of a preflight as lines of text and as JSON data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from flowspec.document.escaping import visible
from flowspec.plan.findings import Finding, Level
from flowspec.report.json_text import location_document


def preflight_lines(found: Sequence[Finding]) -> Iterator[str]:
    """Yields a count and a line for each finding that is not OK; findings with the same reason share a line."""
    counted = Counter(one.level for one in found)
    asked = f"{len(found) - counted[Level.UNCHECKED]} checked"
    levels = (Level.WRONG, Level.WARNING, Level.UNCHECKED)
    yield "Preflight: " + ", ".join([asked, *(f"{counted[one]} {one.value}" for one in levels if counted[one])])
    for level in (Level.WRONG, Level.WARNING):
        yield from (_line(one) for one in found if one.level is level)
    unchecked: dict[str, list[str]] = {}
    for one in found:
        if one.level is Level.UNCHECKED:
            unchecked.setdefault(one.message, []).append(one.subject)
    for message, subjects in unchecked.items():
        yield visible(f"  not checked: {', '.join(subjects)}: {message}")


# More problems of one flow would hide the other flows.
_SHOWN = 10


def first_preflight_lines(found: Sequence[Finding], command: str) -> Iterator[str]:
    """Yields the first lines of `preflight_lines`, and the number of further lines, which `command` shows."""
    lines = list(preflight_lines(found))
    yield from lines[: _SHOWN + 1]
    if len(lines) > _SHOWN + 1:
        yield visible(f"  and {len(lines) - _SHOWN - 1} more: {command}")


def _line(found: Finding) -> str:
    place = f"  {found.location.file_and_line}" if found.location else ""
    remedy = f"; {found.remedy}" if found.remedy else ""
    return visible(f"  {found.level.value}: {found.subject} {found.message}{remedy}{place}")


def preflight_document(found: Sequence[Finding]) -> list[dict[str, Any]]:
    """Returns all findings as JSON data, also those that are OK."""
    return [
        {
            "level": one.level.value,
            "subject": one.subject,
            "message": one.message,
            "remedy": one.remedy,
            "location": one.location and location_document(one.location),
        }
        for one in found
    ]
