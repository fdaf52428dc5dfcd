"""Shares the loop that follows clusters among the threads that work on many flows."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Lock, Thread

from flowspec.backend.aws.client import Emr, Endpoint
from flowspec.backend.aws.events import Ended, Unreachable
from flowspec.backend.aws.watch import Event, Fleet, Watch, watch
from flowspec.plan.changes import Plan
from flowspec.plan.cluster import WATCH_TAG


class SharedWatch:
    """`watch` for many threads: the clusters of each EMR are followed by one `Fleet`, in a thread of its own.

    A context manager: when it is left, nothing is followed any more.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._readers: dict[Endpoint, _Reader] = {}

    def __enter__(self) -> SharedWatch:
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers.values():
            reader.stop()

    def watch_for(self, plan: Plan) -> Watch:
        """Returns what watches the run of a plan: `watch` alone keeps timeouts and retries of steps."""
        return watch if WATCH_TAG in dict(plan.supervision) else self.watch

    def watch(
        self,
        emr: Emr,
        cluster_id: str,
        *,
        steps: Collection[str] | None = None,
        timeout: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Generator[Event, None, None]:
        """Does what `watch` does, for a cluster that no other thread watches.

        `sleep` is called with 0 every half second, only so that it may raise an exception.
        """
        with self._lock:
            reader = self._readers.get(emr.endpoint) or self._readers.setdefault(emr.endpoint, _Reader(emr))
        news = reader.follow(cluster_id, steps, timeout)
        while True:
            try:
                event = news.get(timeout=_LOOK_UP)
            except Empty:
                sleep(0)
                continue
            if isinstance(event, Exception):
                raise event
            yield event
            if isinstance(event, Ended):
                return


# Seconds: how long Ctrl-C may go unnoticed by a thread that waits for an event.
_LOOK_UP = 0.5


class _Stopped(Exception):
    """Ends the reader of a fleet."""


class _Reader:
    """The thread that reads the events of a fleet, and hands each to the thread that waits for those of its cluster."""

    def __init__(self, emr: Emr) -> None:
        self._fleet = Fleet(emr, sleep=self._sleep)
        self._awake, self._stopped = Flag(), False
        self._news: dict[str, SimpleQueue[Event | Exception]] = {}
        self._error: Exception | None = None
        self._thread = Thread(target=self._read, name="flowspec-watch", daemon=True)
        self._thread.start()

    def follow(
        self, cluster_id: str, steps: Collection[str] | None, timeout: float | None
    ) -> SimpleQueue[Event | Exception]:
        """Follows a cluster; returns the queue for its events, or for the exception that ended them."""
        news = self._news[cluster_id] = SimpleQueue[Event | Exception]()
        self._fleet.add(cluster_id, steps=steps, timeout=timeout)
        self._awake.set()
        if self._error:
            news.put(self._error)
        return news

    def stop(self) -> None:
        """Ends the thread, as soon as a call that is under way is answered."""
        self._stopped = True
        self._awake.set()

    def _sleep(self, seconds: float) -> None:
        # An added cluster is polled at once: a short run may already be over.
        self._awake.wait(seconds)
        self._awake.clear()
        if self._stopped:
            raise _Stopped

    def _read(self) -> None:
        try:
            for cluster_id, event in self._fleet.events():
                self._news[cluster_id].put(event.error if isinstance(event, Unreachable) else event)
        except _Stopped:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, each thread that waits has to raise it
            self._error = error
            for news in list(self._news.values()):
                news.put(error)
