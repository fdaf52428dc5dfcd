"""A home that lasts as long as a test: what runs in it ends with it, and its files are removed.

A process that is killed does neither: whoever makes the next home does it for all homes whose lock nobody holds.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from flowspec.emulator.state import lifecycle, paths
from flowspec.emulator.state.store import Store
from flowspec.emulator.worker import supervisor
from flowspec.errors import FlowspecError
from flowspec.facts import states
from flowspec.facts.files import locked

# Seconds for a worker to end its cluster by itself; it takes some 20 ms unless a step ignores SIGTERM.
_GRACE_SECONDS = 1.0
# Seconds for killed processes to be gone, which takes the kernel milliseconds.
_KILL_SECONDS = 5.0
_POLL_SECONDS = 0.01
_PREFIX = "flowspec-"
# Held by the process that made the home, and by its forks. A home that was kept has none.
_OWNER_LOCK = "owner.lock"
# Seconds that a lock may be there before its process holds it, with much to spare.
_UNLOCKED_SECONDS = 60.0


@contextmanager
def temporary_home(*, keep: Callable[[], bool] = lambda: False) -> Iterator[Path]:
    """Yields a new home in the temporary directory; at exit its clusters are ended, and it is removed.

    It is not removed if `keep`, which is called at exit, returns True.
    """
    _remove_abandoned_homes()
    # Short: a step's sockets are below it, and their paths are limited to 108 bytes.
    home = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
    owner = os.getpid()
    with locked(home / _OWNER_LOCK):
        try:
            yield home
        finally:
            # A fork of this process may leave the block, too.
            if os.getpid() == owner:
                _end(home, keep=keep)


def _end(home: Path, *, keep: Callable[[], bool] = lambda: False) -> None:
    end_clusters(home)
    if keep():
        (home / _OWNER_LOCK).unlink(missing_ok=True)
    else:
        paths.restore_permissions(home)
        shutil.rmtree(home, ignore_errors=True)


def _remove_abandoned_homes() -> None:
    """Ends and removes the homes of this user whose processes were killed."""
    latest = time.time() - _UNLOCKED_SECONDS
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_OWNER_LOCK}"):
        with suppress(OSError):
            if lock.parent.lstat().st_uid == os.geteuid() and lock.lstat().st_mtime < latest:
                with locked(lock, wait=False):
                    _end(lock.parent)


def end_clusters(home: Path) -> None:
    """Ends all clusters of a home with all their processes, and waits until they are gone."""
    folder = paths.clusters(home)
    clusters = [one.name for one in folder.iterdir()] if folder.is_dir() else []
    for cluster_id in clusters:
        # A cluster whose record is damaged is still cleaned up below.
        with suppress(FlowspecError):
            _terminate(home, cluster_id)
    deadline = time.monotonic() + _GRACE_SECONDS
    for cluster_id in clusters:
        if not _is_without_worker(home, cluster_id, deadline):
            supervisor.kill_leftovers(home, cluster_id)
            _is_without_worker(home, cluster_id, time.monotonic() + _KILL_SECONDS)


def _terminate(home: Path, cluster_id: str) -> None:
    # Not by the API: that knows the clusters of one region, keeps to their protection, and injects their faults.
    with Store(home) as store, store.writing():
        cluster = store.get("cluster", cluster_id)
        if cluster is not None and cluster.state in states.OPEN:
            lifecycle.terminate_on_request(store, cluster)
    supervisor.wake(home, cluster_id)


def _is_without_worker(home: Path, cluster_id: str, deadline: float) -> bool:
    """Waits until a cluster's worker is gone, up to `deadline` (of time.monotonic); returns whether it is."""
    while True:
        with supervisor.without_worker(home, cluster_id) as gone:
            if gone:
                return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
