"""Plain data in a frozen dataclass that nobody can change."""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from typing import Any


class Snapshot:
    """A dataclass field of JSON data that is kept as bytes; each read gives a new dict.

    boto3 and jsonschema accept only dict and list, which can be changed. A change to the copy that was read
    has no effect on the value, so a digest or a plan made of it stays true.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._key = f"_{name}"

    def __get__(self, instance: object | None, owner: type | None = None) -> dict[str, Any]:
        if instance is None:
            # What dataclasses takes for a field without a default.
            raise AttributeError(self._key)
        data: dict[str, Any] = marshal.loads(instance.__dict__[self._key])  # noqa: S302 - made by `__set__`
        return data

    def __set__(self, instance: object, value: Mapping[str, Any]) -> None:
        # JSON takes eight times as long, which was 2 % of the time of `flowspec validate` for 1,000 files.
        instance.__dict__[self._key] = marshal.dumps(dict(value))
