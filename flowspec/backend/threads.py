"""Runs calls in parallel threads, for which an interrupt does not wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from threading import Lock, Thread
from typing import Any, TypeVar

Answer = TypeVar("Answer")

AT_ONCE = 8
"""The number of parallel calls to one service: each takes some 30 ms, and boto3 keeps ten connections per client."""


class Threads(Executor):
    """Makes calls in daemon threads, `at_once` at a time, in the order in which they are submitted.

    Neither the end of a `with` block nor the end of the process waits for calls whose results nobody has requested. A
    ThreadPoolExecutor waits for them: an endpoint that did not answer delayed Ctrl-C for a minute.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._lock, self._free = Lock(), at_once
        self._calls: deque[Callable[[], None]] = deque()

    def submit(self, fn: Callable[..., Answer], /, *args: Any, **kwargs: Any) -> Future[Answer]:
        """Begins a call as soon as fewer than `at_once` run; makes it in this thread if no other can be started."""
        future: Future[Answer] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                answer = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
                future.set_exception(error)
            else:
                future.set_result(answer)

        with self._lock:
            self._calls.append(call)
            begin = self._free > 0
            self._free -= begin
        if begin:
            try:
                Thread(target=self._work, name="flowspec", daemon=True).start()
            except RuntimeError:  # the limit of processes (ulimit -u, pids.max of a container) counts threads, too
                self._work()
        return future

    def _work(self) -> None:
        while call := self._next():
            call()

    def _next(self) -> Callable[[], None] | None:
        with self._lock:
            if not self._calls:
                self._free += 1
                return None
            return self._calls.popleft()
