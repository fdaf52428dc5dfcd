"""Waits for changes of a cluster in the store, so that a watcher need not ask the service at an interval.

SQLite's `data_version` shows, in microseconds of CPU, whether another connection has committed anything
(https://www.sqlite.org/pragma.html#pragma_data_version). Only then the states of the cluster and its steps are read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from flowspec.emulator.state.paths import NotWritable
from flowspec.emulator.state.snapshot import must_copy
from flowspec.emulator.state.store import Store

# A change is seen after a tenth of the time that it took to come, at least 2 ms and at most 20 ms: that is 2 % of one
# core in the first tenth of a second, and 0.2 % after a fifth.
_SHORTEST_TICK, _LONGEST_TICK = 0.002, 0.02


class Changes:
    """The changes of a cluster's state and of its steps' states; a context manager.

    None is seen in a home that can't be written to, where calls that read make a copy: a wait lasts its whole time.
    Every method raises FlowspecError if the store can't be read.
    """

    def __init__(self, home: Path, cluster_id: str) -> None:
        self._cluster_id = cluster_id
        self._store = _open_store(home)
        self._version = -1
        self._states: dict[str, str] = {}
        self._last_change = time.monotonic()
        self._has_changed()

    def __enter__(self) -> Changes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._store:
            self._store.close()

    def wait(self, seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
        """Returns at the next change since the last call (or since this object was made), or after `seconds`."""
        deadline = time.monotonic() + seconds
        while not self._has_changed() and (left := deadline - time.monotonic()) > 0:
            tick = (time.monotonic() - self._last_change) / 10
            sleep(min(left, max(_SHORTEST_TICK, min(tick, _LONGEST_TICK))))

    def _has_changed(self) -> bool:
        if self._store is None:
            return False
        version = self._store.data_version()
        if version == self._version:
            return False
        self._version = version
        states = self._store.states_of(self._cluster_id)
        if states == self._states:
            return False
        self._states, self._last_change = states, time.monotonic()
        return True


def _open_store(home: Path) -> Store | None:
    # As the calls that read do (`api.service`), which also tell what is wrong with a home that they can't read.
    with suppress(NotWritable, OSError):
        return None if must_copy(home) else Store(home)
    return None
