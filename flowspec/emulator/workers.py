"""Workers seen from outside: starting one, waking it, and burying one that died.

A worker holds the lock of its cluster's `worker.lock` from before the cluster can be seen until the end
of its process, however that comes. The lock is taken by the call that makes the cluster and inherited by
the worker, so a free lock always means a dead worker; nothing is guessed from pids or heartbeats.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from flowspec.emulator import home as place
from flowspec.emulator import lifecycle, logs, processes
from flowspec.emulator.store import Store
from flowspec.engines import python_module

WORKER_DIED = "the worker process of the embedded EMR died (kill -9, or the machine restarted)"

# The pids of workers that this process started: never waited for, and collected when the next one starts.
_started: list[int] = []


def take_lock(home: Path, cluster_id: str) -> int | None:
    """Takes the worker's lock of a cluster: an open file descriptor that holds it, None if a worker does."""
    path = place.worker_lock(home, cluster_id)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def release(lock: int) -> None:
    """Lets go of a lock, unless a process has inherited it."""
    os.close(lock)


def start(home: Path, cluster_id: str, lock: int) -> None:
    """Starts the worker of a cluster; it outlives this process and inherits the lock. Raises OSError."""
    _started[:] = [pid for pid in _started if not _collected(pid)]
    with place.worker_log(home, cluster_id).open("ab") as log:
        worker = subprocess.Popen(
            python_module("flowspec.emulator.worker", str(home), cluster_id, str(lock)),
            cwd=place.cluster_folder(home, cluster_id),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=(lock,),
        )
    _started.append(worker.pid)
    # It is meant to outlive us. Without this, Popen would complain of that when it is thrown away.
    worker.returncode = 0


def _collected(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def wake(home: Path, cluster_id: str) -> None:
    """Tells the worker of a cluster to look into the store. Without a worker this does nothing."""
    # ENXIO: nobody listens yet (the worker reads the store after it has opened the pipe), or any more.
    # A full pipe wakes just as well.
    with contextlib.suppress(OSError):
        pipe = os.open(place.wake_pipe(home, cluster_id), os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(pipe, b"!")
        finally:
            os.close(pipe)


def reap(store: Store, home: Path) -> None:
    """Ends every cluster whose worker has died, with what it left running."""
    for cluster_id in store.ids("cluster", lifecycle.ALIVE):
        with _without_worker(home, cluster_id) as dead:
            if dead:
                _bury(store, home, cluster_id)


@contextlib.contextmanager
def _without_worker(home: Path, cluster_id: str) -> Iterator[bool]:
    """Whether the cluster's worker is dead; if so, the lock is held meanwhile, so that one reaper is at work."""
    if not place.cluster_folder(home, cluster_id).is_dir():
        yield True
        return
    lock = take_lock(home, cluster_id)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            os.close(lock)


def _bury(store: Store, home: Path, cluster_id: str) -> None:
    folder = place.cluster_folder(home, cluster_id)
    for note in folder.glob("*/*/process"):
        processes.kill_noted(note)
    with store.writing():
        cluster = store.get("cluster", cluster_id)
        # The worker may have ended the cluster, and itself, between our look at the store and the lock.
        if cluster is None or cluster.state not in lifecycle.ALIVE:
            return
        lost = store.find("step", cluster_id=cluster_id, states=("RUNNING", "CANCEL_PENDING"))
        lifecycle.fail(store, cluster, "INTERNAL_ERROR", WORKER_DIED)
    for step in lost:
        logs.write_controller(place.step_logs(home, cluster_id, step.id), f"WARN Step ended: {WORKER_DIED}")
        logs.publish_step(home, cluster, step)
