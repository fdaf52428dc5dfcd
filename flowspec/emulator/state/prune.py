"""Old state, removed: the records and folders of clusters that ended long ago."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flowspec.emulator.state import clock
from flowspec.emulator.state import paths as place
from flowspec.emulator.state.store import Store
from flowspec.emulator.worker import supervisor as workers
from flowspec.facts import states

# A call that makes a cluster makes its folder a moment before anyone can see its record.
_YOUNGEST_STRAY_SECONDS = 60.0
_BLOCK_BYTES = 512
"""The unit of st_blocks, whatever the file system's own is (POSIX)."""


@dataclass(frozen=True)
class Pruned:
    """What was removed: so many clusters, with folders that took so many bytes on disk."""

    clusters: int
    bytes: int


def prune(home: Path, older_than: float) -> Pruned:
    """Removes every cluster that ended more than `older_than` seconds ago, and folders that no cluster has.

    What was written to s3:// stays. Raises FlowspecError when the home can't be used, OSError when a folder
    can't be removed; what is left then goes with the next call.
    """
    clusters, freed = 0, 0
    with Store(home) as store, _alone(home):
        workers.reap(store, home)
        for cluster_id in [*_old(store, older_than), *_strays(store, home, older_than)]:
            with workers.without_worker(home, cluster_id) as dead:
                if dead:
                    # The record first: a folder without one is found again, should this be killed in between.
                    with store.writing():
                        clusters += store.remove(cluster_id)
                    freed += _remove(place.cluster_folder(home, cluster_id))
    return Pruned(clusters, freed)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Waits until no other prune is at work: to look at a lock is to make it anew in a folder that another removes."""
    folder = os.open(home / "clusters", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _old(store: Store, older_than: float) -> list[str]:
    latest = clock.now() - older_than
    return [cluster.id for cluster in store.find("cluster", states=states.ENDED) if cluster.doc["ended"] <= latest]


def _strays(store: Store, home: Path, older_than: float) -> Iterator[str]:
    latest = clock.now() - max(older_than, _YOUNGEST_STRAY_SECONDS)
    for folder in (home / "clusters").iterdir():
        # A link, or a file, is none of ours.
        ours = folder.is_dir() and not folder.is_symlink()
        if ours and folder.stat().st_mtime <= latest and store.get("cluster", folder.name) is None:
            yield folder.name


def _remove(folder: Path) -> int:
    """Removes a folder with all that is in it; the bytes that it took."""
    if not folder.is_dir():
        return 0
    place.open_up(folder)
    files = (Path(path, name) for path, _, names in os.walk(folder) for name in names)
    size = sum(os.lstat(file).st_blocks * _BLOCK_BYTES for file in files)
    shutil.rmtree(folder)
    return size
