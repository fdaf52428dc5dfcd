"""Wakes workers, and fails the clusters of workers that died.

A worker holds the lock on its cluster's `worker.lock` from before the cluster becomes visible until its
process ends for whatever reason. The call that creates the cluster takes the lock and the worker inherits it,
so a free lock always means a dead worker; pids and heartbeats are not needed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from flowspec.emulator.state import paths
from flowspec.emulator.state.identity import home_id, known_home_id
from flowspec.emulator.state.store import Store
from flowspec.emulator.worker import logs, processes
from flowspec.emulator.worker.failing import fail_cluster
from flowspec.facts import states

WORKER_DIED = "the worker process of the embedded EMR died (kill -9, or the machine restarted)"
WORKER_FAILED = "the worker process of the embedded EMR failed"
COPIED = "this FLOWSPEC_HOME is a copy: the cluster belongs to the folder that it was copied from"


def take_lock(home: Path, cluster_id: str) -> int | None:
    """Takes the lock of a cluster's worker; returns the descriptor that holds it, None if a worker holds it.

    It is free again when this process, and each that has inherited the descriptor, has closed it.
    """
    path = paths.worker_lock(home, cluster_id)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def wake(home: Path, cluster_id: str) -> None:
    """Wakes the worker of a cluster so that it reads the store; does nothing without a worker."""
    # ENXIO: no reader, because the worker has not opened the pipe yet (it reads the store after that) or has ended.
    # EAGAIN: the pipe is full, so the worker wakes anyway.
    with contextlib.suppress(OSError):
        pipe = os.open(paths.wake_pipe(home, cluster_id), os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(pipe, b"!")
        finally:
            os.close(pipe)


def fail_orphans(store: Store, home: Path, cluster_ids: Iterable[str]) -> None:
    """Marks those of the clusters whose worker died as TERMINATED_WITH_ERRORS and kills their remaining processes.

    None of them may be instant (see `Store.with_worker`): those have no worker that could die.
    In a copy of the store it marks them only: the home can't be written to.
    """
    for cluster_id in cluster_ids:
        if store.is_copy:
            _mark_orphan(store, home, cluster_id)
            continue
        with without_worker(home, cluster_id) as dead:
            if dead:
                _fail_orphan(store, home, cluster_id)


@contextlib.contextmanager
def without_worker(home: Path, cluster_id: str) -> Iterator[bool]:
    """Yields whether the cluster's worker is dead; if so, holds its lock, so that one process cleans up."""
    try:
        lock = take_lock(home, cluster_id)
    except FileNotFoundError:
        # The cluster's folder was deleted, with the lock in it.
        lock, dead = None, True
    else:
        dead = lock is not None
    try:
        yield dead
    finally:
        if lock is not None:
            os.close(lock)


def _fail_orphan(store: Store, home: Path, cluster_id: str) -> None:
    # The worker may have ended the cluster after our query of the store and before we took the lock.
    cluster = store.get("cluster", cluster_id)
    if cluster is None:
        return
    if cluster.doc.get("home") != home_id(home):
        # The pid files name processes of the original, and the log URI is the original's as well.
        fail_cluster(store, cluster_id, COPIED)
        return
    kill_leftovers(home, cluster_id)
    # A killed worker could not remove it.
    paths.reserve(home, cluster_id).unlink(missing_ok=True)
    if cluster.state not in states.ALIVE:
        return
    why = _reason_of_death(home, cluster_id)
    # Of all steps: a worker that fails because its folder was removed ends them, and leaves their temporary files.
    for step in store.find("step", cluster_id=cluster_id):
        paths.remove_scratch(home, step.id)
    # The state is written last, so that the next call repeats all this if we are killed on the way.
    for step in store.find("step", cluster_id=cluster_id, states=("RUNNING", "CANCEL_PENDING")):
        logs.write_controller(paths.step_logs(home, cluster_id, step.id), f"WARN Step ended: {why}")
        logs.publish_step(home, cluster, step)
    fail_cluster(store, cluster_id, why)


def _reason_of_death(home: Path, cluster_id: str) -> str:
    """Returns why a worker ended without ending its cluster: the last line of the traceback in its log, or a kill."""
    lines = logs.last_lines(paths.worker_log(home, cluster_id))
    return f"{WORKER_FAILED}: {lines[-1]}" if "Traceback (most recent call last):" in lines else WORKER_DIED


def _mark_orphan(store: Store, home: Path, cluster_id: str) -> None:
    cluster = store.get("cluster", cluster_id)
    if cluster is not None and _lock_is_free(paths.worker_lock(home, cluster_id)):
        is_own = cluster.doc.get("home") == known_home_id(home)
        fail_cluster(store, cluster_id, _reason_of_death(home, cluster_id) if is_own else COPIED)


def _lock_is_free(file: Path) -> bool:
    """Returns whether no worker holds its lock; False if that can't be seen."""
    try:
        with file.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def kill_leftovers(home: Path, cluster_id: str) -> None:
    """Kills the processes that a cluster's worker started and removes their temporary files."""
    folder = paths.cluster_folder(home, cluster_id)
    for note in folder.glob("*/*/process"):
        processes.kill_noted(note)
    processes.kill_marked(processes.CLUSTER_ID, cluster_id)
    # Those of finished steps too, in case a background process re-created them after cleanup.
    for step in folder.glob("steps/*"):
        paths.remove_scratch(home, step.name)
