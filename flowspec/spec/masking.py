"""Keeping secrets out of everything that is shown."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

MASK = "(sensitive)"
_SEEN_INSIDE = 3


def mask(value: Any, secrets: Collection[str]) -> Any:
    """`value` (text, or lists and mappings of it) with every secret in it replaced by MASK."""
    if not secrets:
        return value
    if isinstance(value, str):
        # The longest first: one secret may be a part of another.
        for secret in sorted(filter(None, secrets), key=len, reverse=True):
            # A secret of a letter or two would mask half of every sentence, and so tell what it is.
            if len(secret) >= _SEEN_INSIDE or value == secret:
                value = value.replace(secret, MASK)
        return value
    if isinstance(value, Mapping):
        return {mask(key, secrets): mask(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask(item, secrets) for item in value]
    # A number can be a secret too; it is known by its text.
    return MASK if str(value) in secrets else value
