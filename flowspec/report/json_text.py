"""Plain data as the JSON that every command prints: indented, its letters as they are, secrets masked."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from flowspec.document.masking import mask
from flowspec.errors import Location


def as_json(value: Any, secrets: Collection[str] = ()) -> str:
    """Returns JSON of plain data; times become ISO 8601."""
    return json.dumps(mask(value, secrets), indent=2, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"not plain data: {type(value).__name__}")


def location_document(location: Location) -> dict[str, Any]:
    """Returns the place of a value in a spec for programs: its file, line and column, which count from 1."""
    return {"file": location.file, "line": location.line, "column": location.column}
