"""Mappings of a spec <-> the API's lists of Key and Value, as tags and the properties of a step have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class Inexpressible(Exception):
    """A value of a request that a spec can't express; the text is the reason."""


def pairs_of(mapping: Mapping[str, str | None]) -> list[dict[str, str]]:
    """Returns the list of a mapping; null is a key without a value."""
    return [{"Key": key} if value is None else {"Key": key, "Value": value} for key, value in mapping.items()]


def mapping_of(pairs: Iterable[Mapping[str, str]], what: str) -> dict[str, str | None]:
    """Returns the mapping of a list; a key without a value is null. `what` names the list in messages.

    Raises `Inexpressible` for an item without a key, and for a second item of one key.
    """
    out: dict[str, str | None] = {}
    for one in pairs:
        if "Key" not in one:
            raise Inexpressible(f"one of the {what} has no key")
        if one["Key"] in out:
            raise Inexpressible(f"two of the {what} have the same key")
        out[one["Key"]] = one.get("Value")
    return out
