"""The checks of `flowspec doctor` -> text, and plain data for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flowspec.doctor.check import Check, State
from flowspec.document.escaping import visible
from flowspec.report.colors import painted
from flowspec.report.columns import cells, padded

# ANSI's codes: green, red, dim, yellow.
_COLORS = {State.OK: "32", State.MISSING: "31", State.OPTIONAL: "2", State.UNCHECKED: "33"}


def checks_text(checks: Sequence[Check], *, color: bool) -> str:
    """Returns a line for each check, and below it the remedy where one is needed."""
    width = max((cells(visible(one.name)) for one in checks), default=0)
    return "\n".join(_lines(one, width, color) for one in checks)


def _lines(check: Check, width: int, color: bool) -> str:
    shown = painted(f"{check.state.value:<11}", _COLORS[check.state], color=color)
    line = f"{shown}  {padded(visible(check.name), width)}  {visible(check.found)}"
    return f"{line}\n{'':13}{'':{width}}  → {visible(check.remedy)}" if check.remedy else line


def checks_document(checks: Sequence[Check]) -> dict[str, Any]:
    """Returns the checks as plain data; `ok` is false when something is missing that the spec needs."""
    listed = [{"name": one.name, "state": one.state.value, "found": one.found, "remedy": one.remedy} for one in checks]
    return {"ok": all(one.state is not State.MISSING for one in checks), "checks": listed}
