"""Forks a process that has everything imported already (Linux): what workers and streaming jobs have in common.

A new interpreter takes 0.2 s of CPU until its worker is ready, a fork some milliseconds. A fork inherits the whole
process, so it happens only where that is safe (see `has_one_thread`), and the child first replaces its open files by
/dev/null and removes signal handlers and log handlers.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import NoReturn

from flowspec.emulator.worker import processes

_OK = b"+"
_THREADS = Path("/proc/self/task")


def can_fork_step() -> bool:
    """Returns whether a step that never opens the store can be a fork of this process, the worker of its cluster."""
    return has_one_thread() and not processes.is_marked_by_another_cluster()


def has_one_thread() -> bool:
    """Returns whether this process may be forked. On macOS system libraries may not be used after a fork."""
    # After a fork only the calling thread exists; locks that others held stay locked. Threads of libraries count as
    # well, which is why the kernel is asked.
    return can_see_itself() and len(list(_THREADS.iterdir())) == 1


def can_see_itself() -> bool:
    """Returns whether the kernel lists the threads and open files of this process: Linux, with a /proc."""
    return sys.platform == "linux" and _THREADS.is_dir()


def open_files() -> list[int]:
    """Returns the descriptors of this process, including that of the listing, which is closed after it (Linux)."""
    with os.scandir("/proc/self/fd") as entries:
        return [int(entry.name) for entry in entries]


@contextmanager
def pipe() -> Iterator[tuple[FileIO, FileIO]]:
    """Yields the ends of a pipe, for reading and for writing, and closes those that are still open."""
    ends = os.pipe()
    with FileIO(ends[0]) as reader, FileIO(ends[1], "w") as writer:
        yield reader, writer


class Fork:
    """A forked child, as a `processes.Process`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None

    def poll(self) -> int | None:
        """Returns the exit status, minus N after signal N; None while it runs."""
        if self._status is None and (ended := os.waitpid(self.pid, os.WNOHANG))[0]:
            self._status = os.waitstatus_to_exitcode(ended[1])
        return self._status


def fork_step(work: Callable[[], int], place: processes.Place) -> Fork:
    """Forks the process of a step, which ends with the exit status that `work` returns. Raises OSError."""
    with place.stdout.open("ab") as out, place.stderr.open("ab") as err, pipe() as (ready, inherited):
        worker = os.getpid()
        pid = os.fork()
        if not pid:
            run_child(lambda: _run_as_step(work, place, worker, (out.fileno(), err.fileno()), inherited.fileno()))
        inherited.close()
        # Its session and its pid file are there, so that it can be killed from now on.
        started = ready.read(1)
    if not started:
        os.waitpid(pid, 0)
        raise processes.no_pid_file(place.note)
    return Fork(pid)


def _run_as_step(
    work: Callable[[], int], place: processes.Place, worker: int, output: tuple[int, int], ready: int
) -> int:
    detach(keep=ready, output=output)
    processes.become_step(place.note, worker)
    os.write(ready, _OK)
    os.close(ready)
    os.chdir(place.folder)
    os.environ.clear()
    os.environ.update(place.environment)
    # What was made of the worker's environment and folder: the folder for temporary files, and "" for the current one.
    tempfile.tempdir = None
    sys.path[:] = filter(None, sys.path)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - stays open
    try:
        return work()
    finally:
        sys.stdout.flush()


def run_child(work: Callable[[], int]) -> NoReturn:
    """Runs `work` in a forked child and exits; nothing of the parent's code, such as its exit handlers, may run."""
    status = 1
    try:
        status = work()
    except BaseException:  # noqa: BLE001 - never return into the parent's code
        traceback.print_exc()
    finally:
        os._exit(status)


def detach(*, keep: int, output: tuple[int, ...] = ()) -> None:
    """Makes a forked child independent of its parent: a session of its own, no open files but `keep`.

    Standard output and error go to the descriptors `output`, by default nowhere.
    """
    # Objects of the parent are never destroyed here: a destructor might write to a file or end a transaction.
    gc.freeze()
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            # Ignored first, which drops one that was sent to the parent's group before the child left it.
            signal.signal(number, signal.SIG_IGN)
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    # Replaced and not closed: an object of the parent, such as a log handler, might write to a descriptor's number,
    # which must not be that of a file opened later.
    for descriptor in open_files():
        if descriptor not in {keep, *output, nothing}:
            _replace_file(descriptor, nothing)
    for standard, descriptor in enumerate(output, 1):
        os.dup2(descriptor, standard)
    logging.root.handlers.clear()
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - stays open
    sys.stdout = sys.stderr = open(2, "w", buffering=1, closefd=False, errors="backslashreplace")  # noqa: SIM115


def _replace_file(descriptor: int, other: int) -> None:
    try:
        os.dup2(other, descriptor, inheritable=descriptor <= 2)
    except OSError:
        # It was opened before the limit of open files was lowered below its number: no file gets that number again.
        with suppress(OSError):  # that of the listing
            os.close(descriptor)
