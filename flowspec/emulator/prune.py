"""Removes the records and folders of clusters that ended some time ago."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from flowspec.emulator.state import clock, paths
from flowspec.emulator.state.store import Store
from flowspec.emulator.worker import supervisor
from flowspec.facts import states

# RunJobFlow creates the folder before its record is committed: a younger folder may belong to a new cluster.
_MIN_ORPHAN_AGE_SECONDS = 60.0
_BLOCK_BYTES = 512
"""The unit of st_blocks on Linux and macOS, whatever the file system's block size."""


class Pruned(NamedTuple):
    """The number of removed clusters, and the disk space freed in bytes."""

    clusters: int
    bytes: int


def prune(home: Path, older_than: float) -> Pruned:
    """Removes every cluster that ended more than `older_than` seconds ago, and folders without a cluster.

    Objects in s3:// stay. Raises FlowspecError if the home can't be used, OSError if a folder can't be
    removed; the next call then continues.
    """
    clusters, freed = 0, 0
    with Store(home) as store, _prune_lock(home):
        supervisor.fail_orphans(store, home, store.with_worker(states.ALIVE))
        for cluster_id in [*_find_ended(store, older_than), *_find_orphan_folders(store, home, older_than)]:
            with supervisor.without_worker(home, cluster_id) as dead:
                if dead:
                    # The record first: if we are killed in between, the next call finds the folder without one.
                    with store.writing():
                        clusters += store.remove(cluster_id)
                    freed += remove_folder(paths.cluster_folder(home, cluster_id))
    return Pruned(clusters, freed)


@contextmanager
def _prune_lock(home: Path) -> Iterator[None]:
    """Serializes prunes: probing a lock re-creates its file, which would race with another prune's rmtree."""
    folder = os.open(paths.clusters(home), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _find_ended(store: Store, older_than: float) -> list[str]:
    latest = clock.now() - older_than
    return [cluster.id for cluster in store.find("cluster", states=states.ENDED) if cluster.doc["ended"] <= latest]


def _find_orphan_folders(store: Store, home: Path, older_than: float) -> Iterator[str]:
    latest = clock.now() - max(older_than, _MIN_ORPHAN_AGE_SECONDS)
    for folder in paths.clusters(home).iterdir():
        # The emulator creates neither links nor files here.
        ours = folder.is_dir() and not folder.is_symlink()
        if ours and folder.stat().st_mtime <= latest and store.get("cluster", folder.name) is None:
            yield folder.name


def remove_folder(folder: Path) -> int:
    """Removes a folder tree; returns its size on disk in bytes."""
    if not folder.is_dir():
        return 0
    paths.restore_permissions(folder)
    files = (Path(path, name) for path, _, names in os.walk(folder) for name in names)
    size = sum(os.lstat(file).st_blocks * _BLOCK_BYTES for file in files)
    shutil.rmtree(folder)
    return size
