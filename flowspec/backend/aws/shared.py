"""Reads that many flows share: the plans of a fleet list an EMR's clusters once, and not once for each flow."""

from __future__ import annotations

from concurrent.futures import Future
from threading import Lock
from typing import Any

from flowspec.backend.aws.client import Emr

# The two calls that look for a flow's cluster among all that an account runs. What is read of a cluster that was
# found is asked for once anyway.
_SHARED = frozenset({"ListClusters", "DescribeCluster"})


class SharedReads(Emr):
    """A connection that sends each ListClusters and DescribeCluster once, and answers from then on what came back.

    For plans that are made at one moment, from any number of threads: a call that is under way is waited for, not sent
    again. What is planned later, and all that changes something, needs the connection itself. An error is shared, too.
    """

    def __init__(self, emr: Emr) -> None:
        super().__init__(emr.endpoint, emr._reader, emr._creator, emr._session)
        self._emr = emr
        self._lock = Lock()
        self._answers: dict[tuple[str, str], Future[dict[str, Any]]] = {}

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Calls an operation that may safely be repeated, unless the same was called before."""
        if operation not in _SHARED:
            return self._emr.call(operation, **params)
        key = (operation, repr(sorted(params.items())))
        with self._lock:
            known = self._answers.get(key)
            answer = known or self._answers.setdefault(key, Future())
        if known is None:
            try:
                answer.set_result(self._emr.call(operation, **params))
            except BaseException as error:  # noqa: BLE001 - raised below, and in the threads that wait for the answer
                answer.set_exception(error)
        return answer.result()
