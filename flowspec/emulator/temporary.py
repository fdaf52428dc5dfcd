"""A home that lasts as long as a test: what runs in it ends with it, and its files are removed."""

from __future__ import annotations

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

# Seconds for a worker to end its cluster by itself; it takes some 20 ms unless a step ignores SIGTERM.
_GRACE_SECONDS = 1.0
# Seconds for killed processes to be gone, which takes the kernel milliseconds.
_KILL_SECONDS = 5.0
_POLL_SECONDS = 0.01


@contextmanager
def temporary_home(*, keep: Callable[[], bool] = lambda: False) -> Iterator[Path]:
    """Yields a new home in the temporary directory; at exit its clusters are ended, and it is removed.

    It is not removed if `keep`, which is called at exit, returns True.
    """
    # Short: a step's sockets are below it, and their paths are limited to 108 bytes.
    home = Path(tempfile.mkdtemp(prefix="flowspec-")).resolve()
    try:
        yield home
    finally:
        end_clusters(home)
        if not keep():
            paths.restore_permissions(home)
            shutil.rmtree(home, ignore_errors=True)


def end_clusters(home: Path) -> None:
    """Ends all clusters of a home with all their processes, and waits until they are gone."""
    folder = paths.clusters(home)
    clusters = [one.name for one in folder.iterdir()] if folder.is_dir() else []
    for cluster_id in clusters:
        # A cluster whose record is broken is looked after below all the same.
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
