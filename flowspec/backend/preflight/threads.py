"""Threads for calls that are sent side by side, and that an interrupt does not wait for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from threading import Semaphore, Thread
from typing import Any, TypeVar

Answer = TypeVar("Answer")

AT_ONCE = 8
"""Calls of one service at a time: each takes some 30 ms, and boto3 keeps ten connections in a client's pool."""


class Threads(Executor):
    """Makes each call in a daemon thread of its own, `at_once` at a time.

    Neither the end of a `with` block nor that of the process waits for calls whose results nobody has asked for, as
    those of a ThreadPoolExecutor do: an endpoint that does not answer held Ctrl-C up for a minute.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = Semaphore(at_once)

    def submit(self, fn: Callable[..., Answer], /, *args: Any, **kwargs: Any) -> Future[Answer]:
        """Begins a call as soon as fewer than `at_once` are under way."""
        future: Future[Answer] = Future()

        def work() -> None:
            with self._free:
                if not future.set_running_or_notify_cancel():
                    return
                try:
                    answer = fn(*args, **kwargs)
                except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
                    future.set_exception(error)
                else:
                    future.set_result(answer)

        Thread(target=work, name="flowspec-preflight", daemon=True).start()
        return future
