"""Starts the worker of a cluster: a fork of this process where that is safe (Linux), else a new interpreter.

A process with threads, such as the HTTP endpoint, has its workers forked by a `fork_server.ForkServer`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from flowspec.emulator.state import paths
from flowspec.emulator.worker import processes
from flowspec.emulator.worker.forking import detach, has_one_thread, open_files, pipe, run_child
from flowspec.engines import python_module

# The pids of workers that this process started; reaped when the next one starts. The threads of an endpoint
# share the set, so it is only changed by operations that are atomic in CPython.
_started: set[int] = set()


def start(home: Path, cluster_id: str, lock: int, *, environ: Mapping[str, str] | None = None) -> None:
    """Starts the worker of a cluster, which inherits the lock and outlives this process. Raises OSError.

    `environ` is the environment of the worker and its steps (default: this process's); with one of its own, the worker
    is a new process.
    """
    _started.difference_update([pid for pid in tuple(_started) if _reap(pid)])
    if environ is None and can_fork(home):
        _started.add(fork_worker(home, cluster_id, lock))
    else:
        _started.add(_spawn(home, cluster_id, lock, environ))


def can_fork(home: Path) -> bool:
    """Returns whether a worker can be a fork of this process."""
    # SQLite counts the locks of a file for each process: a child that inherits a connection takes its locks for its
    # own (https://www.sqlite.org/howtocorrupt.html, section 2.6).
    return has_one_thread() and not _is_open(paths.database(home))


def _is_open(path: Path) -> bool:
    wanted = path.stat()
    for descriptor in open_files():
        with suppress(OSError):  # the descriptor of the listing
            found = os.fstat(descriptor)
            if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                return True
    return False


def fork_worker(home: Path, cluster_id: str, lock: int) -> int:
    """Forks the worker of a cluster, which inherits the lock and outlives this process; returns its pid.

    Raises OSError.
    """
    with pipe() as (ready, inherited):
        pid = begin_worker(home, cluster_id, lock)
        inherited.close()
        # Ends when the child has replaced its end of the pipe: until then a signal to this process's group would reach
        # it. The service holds Ctrl-C back meanwhile.
        ready.read(1)
    return pid


def begin_worker(home: Path, cluster_id: str, lock: int) -> int:
    """Forks the worker of a cluster without waiting until it is in a session of its own; returns its pid."""
    with paths.worker_log(home, cluster_id).open("ab", buffering=0) as log:
        pid = os.fork()
        if not pid:
            run_child(lambda: _run_as_worker(home, cluster_id, lock, log.fileno()))
        return pid


def _run_as_worker(home: Path, cluster_id: str, lock: int, log: int) -> int:
    detach(keep=lock, output=(log, log))
    os.chdir(paths.cluster_folder(home, cluster_id))
    environment = processes.worker_environment(cluster_id)
    os.environ.clear()
    os.environ.update(environment)
    from flowspec.emulator.worker.main import main

    return main([str(home), cluster_id, str(lock)])


def _spawn(home: Path, cluster_id: str, lock: int, environ: Mapping[str, str] | None) -> int:
    with paths.worker_log(home, cluster_id).open("ab") as log:
        worker = subprocess.Popen(
            python_module("flowspec.emulator.worker.main", str(home), cluster_id, str(lock)),
            cwd=paths.cluster_folder(home, cluster_id),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=(lock,),
            env=processes.worker_environment(cluster_id, environ),
        )
    # The worker outlives this process on purpose. Without this, Popen's destructor emits a ResourceWarning.
    worker.returncode = 0
    return worker.pid


def _reap(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
