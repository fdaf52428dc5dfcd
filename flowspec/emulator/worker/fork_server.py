"""The process that forks workers for a process with threads, such as the HTTP endpoint (Linux)."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from flowspec.emulator.worker.failing import fail_unstarted
from flowspec.emulator.worker.forking import can_see_itself, detach, run_child
from flowspec.emulator.worker.starting import begin_worker
from flowspec.engines import python_module
from flowspec.errors import FlowspecError

# A message to the fork server is a home, a NUL and a cluster's id; a path has 4096 bytes at most (PATH_MAX).
_LONGEST_MESSAGE = 1 << 13
# Callers are answered first: workers are forked when no order has come for a moment. A new one takes 10 ms of CPU time
# without its steps; forked at once, those of 20 clusters made in a row kept a call waiting for 7 to 16 ms, now 1 to 3.
_QUIET_SECONDS, _LATEST_SECONDS = 0.005, 0.5


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
            run_child(lambda: _detach_and_serve(self._orders))

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
    return ForkServer().start if can_see_itself() else None


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
        begin_worker(order.home, order.cluster_id, order.lock)
    except OSError as error:
        _fail(order, error)
    finally:
        os.close(order.lock)


def _fail(order: _Order, error: OSError) -> None:
    with suppress(FlowspecError):  # the next call finds a cluster without a worker
        fail_unstarted(order.home, order.cluster_id, error)


if __name__ == "__main__":
    sys.exit(_serve(socket.socket(fileno=int(sys.argv[1]))))
