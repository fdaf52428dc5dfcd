"""The place of a value in a spec as JSON data; as text it is `Location.file_and_line`."""

from __future__ import annotations

from typing import Any

from flowspec.errors import Location


def location_document(location: Location) -> dict[str, Any]:
    """Returns a place for programs: its file, line and column, which count from 1."""
    return {"file": location.file, "line": location.line, "column": location.column}
