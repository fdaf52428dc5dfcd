"""Keeping secrets out of everything that is shown."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Mapping
from typing import Any

MASK = "(sensitive)"
_SEEN_INSIDE = 3


def mask(value: Any, secrets: Collection[str]) -> Any:
    """`value` (text, or lists and mappings of it) with every secret in it replaced by MASK."""
    if not secrets:
        return value
    if isinstance(value, str):
        for form in forms(secrets):
            # A secret of a letter or two would mask half of every sentence, and so tell what it is.
            if len(form) >= _SEEN_INSIDE or value == form:
                value = value.replace(form, MASK)
        return value
    if isinstance(value, Mapping):
        return {mask(key, secrets): mask(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask(item, secrets) for item in value]
    # A number can be a secret too; it is known by its text.
    return MASK if str(value) in secrets else value


def forms(secrets: Collection[str]) -> list[str]:
    """The texts that show a secret: itself, and as it stands in a shell's words and in JSON; the longest first."""
    found = {form for secret in secrets if secret for form in (secret, _in_shell(secret), json.dumps(secret)[1:-1])}
    # One secret may be a part of another.
    return sorted(found, key=len, reverse=True)


def _in_shell(secret: str) -> str:
    quoted = shlex.quote(secret)
    return quoted[1:-1] if quoted != secret else secret
