"""Plain data as the JSON that every command prints: indented, its letters as they are, secrets masked."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from flowspec.document.masking import mask


def as_json(value: Any, secrets: Collection[str] = ()) -> str:
    """Returns JSON of plain data; times become ISO 8601."""
    return json.dumps(mask(value, secrets), indent=2, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"not plain data: {type(value).__name__}")
