"""A pool of threads that wait for a service, and that a process does not wait for when it ends."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, ParamSpec, TypeVar

_Params = ParamSpec("_Params")
_Result = TypeVar("_Result")


class DaemonPool(Executor):
    """Runs calls in up to `most` threads; the end of a `with` block drops the calls that were not begun.

    A ThreadPoolExecutor waits for its threads there, and again when the interpreter ends: with an endpoint that does
    not answer, Ctrl-C ended a preflight only after the timeouts of all calls under way, minutes later.
    """

    def __init__(self, most: int) -> None:
        self._most, self._started = most, 0
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()

    def submit(
        self, fn: Callable[_Params, _Result], /, *args: _Params.args, **kwargs: _Params.kwargs
    ) -> Future[_Result]:
        """Makes a call in a thread; returns the future of its result."""
        future: Future[_Result] = Future()
        self._calls.put((future, partial(fn, *args, **kwargs)))
        if self._started < self._most:
            self._started += 1
            Thread(target=self._work, name="flowspec-ask", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002 - Executor's
        """Cancels the calls that were not begun, and ends each thread after its call; never waits."""
        try:
            while call := self._calls.get_nowait():
                call[0].cancel()
        except Empty:
            pass
        for _ in range(self._started):
            self._calls.put(None)

    def _work(self) -> None:
        while call := self._calls.get():
            future, work = call
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
                future.set_exception(error)
