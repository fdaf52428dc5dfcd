"""Shares one list of an EMR's clusters among plans that are made at the same time, in any number of threads."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any, Generic, TypeVar

from flowspec.backend.aws.client import Emr

Answer = TypeVar("Answer")

# The two calls that search for a flow's cluster among all clusters of an account. Other reads of the found cluster are
# sent only once anyway.
_SHARED = frozenset({"ListClusters", "DescribeCluster"})


class Answers(Generic[Answer]):
    """Caches answers for many threads: the first one asks, the others wait for its answer, or its exception."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[Hashable, Future[Answer]] = {}

    def of(self, question: Hashable, ask: Callable[[], Answer]) -> Answer:
        """Returns the answer to a question, which `ask` gets if it was not asked before."""
        with self._lock:
            known = self._known.get(question)
            answer = known or self._known.setdefault(question, Future())
        if known is None:
            try:
                answer.set_result(ask())
            except BaseException as error:  # noqa: BLE001 - raised below, and in the threads that wait for the answer
                answer.set_exception(error)
        return answer.result()


class SharedReads(Emr):
    """A connection that sends each ListClusters and DescribeCluster once, and answers from then on what came back.

    It is for plans that are made at the same time, from any number of threads: a second caller waits for the call in
    progress, and an error is shared, too. Later plans, and all changes, need the connection itself.
    """

    def __init__(self, emr: Emr) -> None:
        super().__init__(emr.endpoint, emr._clients)
        self._emr = emr
        self._answers: Answers[dict[str, Any]] = Answers()

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Calls an operation that may safely be repeated, unless the same was called before."""
        if operation not in _SHARED:
            return self._emr.call(operation, **params)
        return self._answers.of((operation, repr(sorted(params.items()))), lambda: self._emr.call(operation, **params))
