"""Calls that are sent side by side, before their answers are needed."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import Any

from flowspec.backend.aws.client import Ask


class Ahead:
    """An `Ask` whose calls can be begun: the first that asks the same gets the answer, or the error, of that call."""

    def __init__(self, ask: Ask, pool: Executor) -> None:
        self._ask, self._pool = ask, pool
        self._begun: dict[str, Future[dict[str, Any]]] = {}

    def begin(self, operation: str, **params: Any) -> None:
        """Sends a call in a thread."""
        self._begun[repr((operation, params))] = self._pool.submit(self._ask, operation, **params)

    def __call__(self, operation: str, **params: Any) -> dict[str, Any]:
        """Returns the answer of a call that was begun, or sends it. Raises as the `Ask` does."""
        begun = self._begun.pop(repr((operation, params)), None)
        return begun.result() if begun else self._ask(operation, **params)
