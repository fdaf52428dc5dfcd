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

from flowspec.emulator.state import lifecycle
from flowspec.emulator.state import paths as place
from flowspec.emulator.state.store import Record, Store
from flowspec.emulator.worker import logs, processes
from flowspec.engines import python_module
from flowspec.facts import states

WORKER_DIED = "the worker process of the embedded EMR died (kill -9, or the machine restarted)"

# The pids of workers that this process started: never waited for, and collected when the next one starts.
# Threads of an endpoint share it, so it is only changed by steps that can't be interrupted.
_started: set[int] = set()


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
    _started.difference_update([pid for pid in tuple(_started) if _collected(pid)])
    with place.worker_log(home, cluster_id).open("ab") as log:
        worker = subprocess.Popen(
            python_module("flowspec.emulator.worker.main", str(home), cluster_id, str(lock)),
            cwd=place.cluster_folder(home, cluster_id),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=(lock,),
            env=_environment(cluster_id),
        )
    _started.add(worker.pid)
    # It is meant to outlive us. Without this, Popen would complain of that when it is thrown away.
    worker.returncode = 0


def _environment(cluster_id: str) -> dict[str, str]:
    # Where a step of another cluster makes this one, it is not to be taken for a process of that step.
    own = {name: value for name, value in os.environ.items() if name != processes.STEP_ID}
    return {**own, processes.CLUSTER_ID: cluster_id}


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
    for cluster_id in store.ids("cluster", states.ALIVE):
        with without_worker(home, cluster_id) as dead:
            if dead:
                _bury(store, home, cluster_id)


@contextlib.contextmanager
def without_worker(home: Path, cluster_id: str) -> Iterator[bool]:
    """Whether the cluster's worker is gone; if so, the lock is held meanwhile, so that one reaper is at work."""
    try:
        lock = take_lock(home, cluster_id)
    except FileNotFoundError:
        # Its whole folder is gone, and the lock with it.
        lock, gone = None, True
    else:
        gone = lock is not None
    try:
        yield gone
    finally:
        if lock is not None:
            os.close(lock)


def _bury(store: Store, home: Path, cluster_id: str) -> None:
    clear_away(home, cluster_id)
    # The worker may have ended the cluster, and itself, between our look at the store and the lock.
    cluster = _alive(store, cluster_id)
    if cluster is None:
        return
    # The state comes last, so that the next call buries it again should we be killed on the way.
    for step in store.find("step", cluster_id=cluster_id, states=("RUNNING", "CANCEL_PENDING")):
        place.remove_scratch(home, step.id)
        logs.write_controller(place.step_logs(home, cluster_id, step.id), f"WARN Step ended: {WORKER_DIED}")
        logs.publish_step(home, cluster, step)
    with store.writing():
        if cluster := _alive(store, cluster_id):
            lifecycle.fail(store, cluster, "INTERNAL_ERROR", WORKER_DIED)


def _alive(store: Store, cluster_id: str) -> Record | None:
    cluster = store.get("cluster", cluster_id)
    return cluster if cluster is not None and cluster.state in states.ALIVE else None


def clear_away(home: Path, cluster_id: str) -> None:
    """Kills what can be found of what a cluster's worker has started, and removes its temporary files."""
    folder = place.cluster_folder(home, cluster_id)
    for note in folder.glob("*/*/process"):
        processes.kill_noted(note)
    processes.kill_marked(processes.CLUSTER_ID, cluster_id)
    # Those of finished steps are gone, unless a process in the background was quicker than who removed them.
    for step in folder.glob("steps/*"):
        place.remove_scratch(home, step.name)
