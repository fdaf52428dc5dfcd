"""Starts workers, and streaming jobs, as forks of a process that has everything imported already (Linux).

A new interpreter takes 0.2 s of CPU until its worker is ready, a fork some milliseconds. A fork inherits the whole
process, so it happens only where that is safe (see `can_fork`), and the child first replaces its open files by
/dev/null and removes signal handlers and log handlers. A process with threads, such as the HTTP endpoint, forks a
`ForkServer` before it starts them, and has the workers forked by that.
"""

from __future__ import annotations

import errno
import fcntl
import gc
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import NamedTuple, NoReturn

from flowspec.emulator.state import paths
from flowspec.emulator.worker import processes
from flowspec.emulator.worker.failing import fail_unstarted
from flowspec.engines import python_module
from flowspec.errors import FlowspecError

# A message to the fork server is a home, a NUL and a cluster's id; a path has 4096 bytes at most (PATH_MAX).
_LONGEST_MESSAGE = 1 << 13
_OK = b"+"
_THREADS = Path("/proc/self/task")
# Callers are answered first: workers are forked when no order has come for a moment. A new one takes 10 ms of CPU time
# without its steps; forked at once, those of 20 clusters made in a row kept a call waiting for 7 to 16 ms, now 1 to 3.
_QUIET_SECONDS, _LATEST_SECONDS = 0.005, 0.5


def can_fork(home: Path) -> bool:
    """Returns whether a worker can be a fork of this process."""
    # SQLite counts the locks of a file for each process: a child that inherits a connection takes its locks for its
    # own (https://www.sqlite.org/howtocorrupt.html, section 2.6).
    return _has_one_thread() and not _is_open(paths.database(home))


def can_fork_step() -> bool:
    """Returns whether a step that never opens the store can be a fork of this process, the worker of its cluster."""
    return _has_one_thread() and not processes.is_marked_by_another_cluster()


def _has_one_thread() -> bool:
    """Returns whether this process may be forked. On macOS system libraries may not be used after a fork."""
    # After a fork only the calling thread exists; locks that others held stay locked. Threads of libraries count as
    # well, which is why the kernel is asked.
    return _can_see_itself() and len(list(_THREADS.iterdir())) == 1


def _can_see_itself() -> bool:
    """Returns whether the kernel lists the threads and open files of this process: Linux, with a /proc."""
    return sys.platform == "linux" and _THREADS.is_dir()


def _is_open(path: Path) -> bool:
    wanted = path.stat()
    for descriptor in _open_files():
        with suppress(OSError):  # the descriptor of the listing
            found = os.fstat(descriptor)
            if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                return True
    return False


def _open_files() -> list[int]:
    with os.scandir("/proc/self/fd") as entries:
        return [int(entry.name) for entry in entries]


def fork_worker(home: Path, cluster_id: str, lock: int) -> int:
    """Forks the worker of a cluster, which inherits the lock and outlives this process; returns its pid.

    Raises OSError.
    """
    with _pipe() as (ready, inherited):
        pid = _fork_worker(home, cluster_id, lock)
        inherited.close()
        # Ends when the child has replaced its end of the pipe: until then a signal to this process's group would reach
        # it. The service holds Ctrl-C back meanwhile.
        ready.read(1)
    return pid


@contextmanager
def _pipe() -> Iterator[tuple[FileIO, FileIO]]:
    """Yields the ends of a pipe, for reading and for writing, and closes those that are still open."""
    ends = os.pipe()
    with FileIO(ends[0]) as reader, FileIO(ends[1], "w") as writer:
        yield reader, writer


def _fork_worker(home: Path, cluster_id: str, lock: int) -> int:
    with paths.worker_log(home, cluster_id).open("ab", buffering=0) as log:
        pid = os.fork()
        if not pid:
            _run(lambda: _run_as_worker(home, cluster_id, lock, log.fileno()))
        return pid


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
    with place.stdout.open("ab") as out, place.stderr.open("ab") as err, _pipe() as (ready, inherited):
        pid = os.fork()
        if not pid:
            _run(lambda: _run_as_step(work, place, (out.fileno(), err.fileno()), inherited.fileno()))
        inherited.close()
        # Its session and its pid file are there, so that it can be killed from now on.
        started = ready.read(1)
    if not started:
        os.waitpid(pid, 0)
        raise processes.no_pid_file(place.note)
    return Fork(pid)


def _run_as_step(work: Callable[[], int], place: processes.Place, output: tuple[int, int], ready: int) -> int:
    detach(keep=ready, output=output)
    processes.become_step(place.note)
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


def _run(work: Callable[[], int]) -> NoReturn:
    """Runs `work` in a forked child and exits; nothing of the parent's code, such as its exit handlers, may run."""
    status = 1
    try:
        status = work()
    except BaseException:  # noqa: BLE001 - never return into the parent's code
        traceback.print_exc()
    finally:
        os._exit(status)


def _run_as_worker(home: Path, cluster_id: str, lock: int, log: int) -> int:
    detach(keep=lock, output=(log, log))
    os.chdir(paths.cluster_folder(home, cluster_id))
    environment = processes.worker_environment(cluster_id)
    os.environ.clear()
    os.environ.update(environment)
    from flowspec.emulator.worker.main import main

    return main([str(home), cluster_id, str(lock)])


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
    for descriptor in _open_files():
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


class _Order(NamedTuple):
    """A worker that is to be forked: of which cluster, and with which lock."""

    home: Path
    cluster_id: str
    lock: int


class ForkServer:
    """A process that forks workers; made before this process starts threads or opens the store.

    It ends with this process, and its workers live on. When it is killed, another one takes its place. The orders that
    wait are in a socket whose receiving end both this process and the server have open, so they outlive either of them.
    `start` may be called by several threads.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._socket, self._orders = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        self._is_watched = False
        self._retried = b""  # the order for which a server has been replaced
        self._pid = os.fork()  # 0: there is no server
        if not self._pid:
            _run(lambda: _detach_and_serve(self._orders))

    def start(self, home: Path, cluster_id: str, lock: int) -> None:
        """Asks the fork server for the worker of a cluster, which inherits the lock. Raises OSError.

        Does not wait for it: RunJobFlow takes 1 ms of CPU, and a fork 3 ms, on another core. Until then the message
        holds the lock. If no more orders can wait (some 280 of them do), it waits until there is room for this one.
        """
        message = b"\0".join((os.fsencode(home), cluster_id.encode()))
        while not self._send(message, lock):
            time.sleep(_QUIET_SECONDS)

    def _send(self, message: bytes, lock: int) -> bool:
        """Sends an order to the server, starting one if there is none; returns False if no more orders can wait."""
        with self._guard:
            if not self._pid:
                self._replace_server()
            if not self._is_watched:
                self._watch()
            try:
                socket.send_fds(self._socket, [message], [lock])
            except OSError as error:
                # The second is for more descriptors in messages than a process may have open files (unix(7)).
                if error.errno in (errno.EAGAIN, errno.ETOOMANYREFS):
                    return False
                raise
        return True

    def _replace_server(self) -> None:
        """Starts another fork server in the place of a dead one: a new interpreter, as this process has threads."""
        server = subprocess.Popen(
            python_module(__name__, str(self._orders.fileno())),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(self._orders.fileno(),),
        )
        # It is reaped by its watcher; without this, Popen's destructor emits a ResourceWarning.
        server.returncode = 0
        self._pid = server.pid
        self._watch()

    def _watch(self) -> None:
        # The server works without it, too: where no thread can be started (ulimit -u), the next order tries again.
        with suppress(RuntimeError):
            threading.Thread(target=self._await_end, args=(self._pid,), daemon=True).start()
            self._is_watched = True

    def _await_end(self, pid: int) -> None:
        """Waits until a server was killed; if orders wait, starts another one, or else fails their clusters."""
        os.waitpid(pid, 0)
        with self._guard:
            self._pid, self._is_watched = 0, False
            first = self._orders.recv(_LONGEST_MESSAGE, socket.MSG_PEEK) if _is_readable(self._orders) else b""
            if not first:
                return
            try:
                if first == self._retried:
                    raise ChildProcessError("two processes that were to fork it have ended")
                self._retried = first
                self._replace_server()
            except OSError as error:
                while _is_readable(self._orders) and (order := _receive_order(self._orders)):
                    _fail(order, error)
                    os.close(order.lock)


def start_by_fork() -> Callable[[Path, str, int], None] | None:
    """Returns the `start` of a new fork server; None where workers can't be forks."""
    return ForkServer().start if _can_see_itself() else None


def _detach_and_serve(orders: socket.socket) -> int:
    detach(keep=orders.fileno())
    return _serve(orders)


def _serve(orders: socket.socket) -> int:
    # Workers are not waited for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # Ctrl-C and SIGTERM are for the parent; when that ends, the socket does.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # Imported here, so that each worker has it.
    from flowspec.emulator.worker import main  # noqa: F401

    while True:
        select.select([orders], [], [])
        latest = time.monotonic() + _LATEST_SECONDS
        while _is_readable(orders):
            _await_no_orders(orders, latest)
            # One that was taken and not yet forked would be lost with this process: none is taken in advance.
            order = _receive_order(orders)
            if order is None:
                return 0
            _fork_or_fail(order)


def _await_no_orders(orders: socket.socket, latest: float) -> None:
    """Waits until no order has come for a moment, up to `latest` (of time.monotonic)."""
    before, now = -1, _waiting_bytes(orders)
    while now != before and time.monotonic() < latest:
        time.sleep(_QUIET_SECONDS)
        before, now = now, _waiting_bytes(orders)


def _is_readable(orders: socket.socket) -> bool:
    return bool(select.select([orders], [], [], 0)[0])


def _waiting_bytes(orders: socket.socket) -> int:
    """Returns the size in bytes of all waiting orders."""
    return int.from_bytes(fcntl.ioctl(orders, termios.FIONREAD, bytes(4)), sys.byteorder)


def _receive_order(orders: socket.socket) -> _Order | None:
    """Receives the next order; None after the last."""
    message, locks, _, _ = socket.recv_fds(orders, _LONGEST_MESSAGE, 1)
    if not message:
        return None
    home, _, cluster_id = message.partition(b"\0")
    return _Order(Path(os.fsdecode(home)), cluster_id.decode(), locks[0])


def _fork_or_fail(order: _Order) -> None:
    try:
        # Nobody sends signals to this process's group, so the child's new session need not be waited for.
        _fork_worker(order.home, order.cluster_id, order.lock)
    except OSError as error:
        _fail(order, error)
    finally:
        os.close(order.lock)


def _fail(order: _Order, error: OSError) -> None:
    with suppress(FlowspecError):  # the next call finds a cluster without a worker
        fail_unstarted(order.home, order.cluster_id, error)


if __name__ == "__main__":
    sys.exit(_serve(socket.socket(fileno=int(sys.argv[1]))))
