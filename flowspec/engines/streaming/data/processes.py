"""Starts processes and connects their pipes, by system calls.

The processes of a job end with the process that forked them, on Linux even if that process is killed with SIGKILL. They
then get SIGTERM from the kernel, and end their commands and everything that these have started. All stay in its process
group, so that a signal to the group reaches all of them.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import suppress

from flowspec.engines.linux import is_cluster_worker
from flowspec.engines.streaming.data.lines import BLOCK, unify, whole_lines

_F_SETPIPE_SZ, _F_GETPIPE_SZ = 1031, 1032
_INT = 4  # bytes
_CHUNK = 1 << 17  # bytes that are enough to be handled at once
_UNPACED = 1 << 14  # bytes: a command that writes no more is not slowed down
_SHORTEST_REST, _LONGEST_REST = 0.0001, 0.002  # seconds; the kernel may add 0.00005
_LONGEST_WAIT = 100  # milliseconds, for what a command has not read yet


def kill_children(spared: Set[int] = frozenset()) -> None:
    """Kills the other processes that this thread has started or adopted, and theirs in turn (Linux)."""
    while any(_kill(child) for child in _children() - spared):
        pass  # it adopts the children of those that it kills


def _children() -> Set[int]:
    try:
        # A command's start reads it; a Path takes five times as long, 2 % of a tiny map task.
        with open("/proc/thread-self/children", "rb", buffering=0) as file:  # noqa: PTH123
            return set(map(int, file.read().split()))
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN, or no Linux
        return frozenset()


def _kill(child: int) -> bool:
    if is_cluster_worker(child):
        return False
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except OSError:  # a program of another user, for example with sudo
        return False
    return True


class Process(subprocess.Popen[bytes]):
    """A command with three pipes. It knows the children that this thread had before, which `kill_all` spares.

    Without a function to call between fork and exec, and with descriptors left to their own flags, Popen uses
    posix_spawn. That takes 0.8 ms of CPU time, where a fork of a map task took 5 ms: it copies the page tables.
    """

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self._older = _children()
        pipe = subprocess.PIPE
        super().__init__(words, bufsize=0, close_fds=False, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)

    def open_end(self) -> int:
        """Returns a descriptor that can be read from when the process has ended; -1 where the system has none."""
        try:
            return os.pidfd_open(self.pid) if sys.platform == "linux" else -1
        except OSError:
            return -1

    def kill_all(self) -> None:
        """Kills the process, waits for it, and kills what it has left running (Linux)."""
        if self.poll() is None:
            self.kill()
        self.wait()
        kill_children(self._older)


def enlarge_pipe(pipe: int) -> None:
    """Enlarges a pipe to hold a whole block, where the system can."""
    if sys.platform == "linux":
        with suppress(OSError):  # the user's share of pipe memory may be used up: smaller pipes also work
            fcntl.fcntl(pipe, _F_SETPIPE_SZ, BLOCK)


def pipe_capacity(pipe: int) -> int:
    """Returns how many bytes can be written to an empty pipe before any of them is read."""
    # Elsewhere the size can't be asked for, and POSIX promises no more.
    return fcntl.fcntl(pipe, _F_GETPIPE_SZ) if sys.platform == "linux" else select.PIPE_BUF


def write_all(descriptor: int, data: memoryview) -> None:
    """Writes everything. Raises `OSError`."""
    while data:
        data = data[os.write(descriptor, data) :]


class Pace:
    """Sleeps between the calls on one end of a `pipe`, so that each call moves much data.

    Most programs read and write 4 or 8 KiB at a time, and each such call at the other end would wake this process.
    Measured on 254 MiB through mawk: 3,200 switches between processes, and 0.32 s of CPU time for the pipes at both
    ends; without rests 72,000 and 0.54 s. A Python mapper that flushes each line takes half the time.
    """

    def __init__(self, pipe: int) -> None:
        self._size = pipe_capacity(pipe)
        self._total = 0
        self._rest = 0.0

    def pause_after(self, moved: int) -> None:
        """Sleeps after a call that moved so many bytes: longer than last time if that was little, shorter if much."""
        self._total += moved
        if self._total < _UNPACED:
            return
        if moved >= self._size // 2:
            self._rest /= 2
        elif moved < self._size // 8:
            self._rest = min(max(2 * self._rest, _SHORTEST_REST), _LONGEST_REST)
        if self._rest >= _SHORTEST_REST:
            time.sleep(self._rest)


class PipeWriter:
    """Writes to a pipe at a `Pace`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pace = Pace(descriptor)
        self._moved = 0  # bytes since the last rest
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        os.set_blocking(descriptor, False)  # this end alone

    def write(self, data: memoryview) -> None:
        """Writes everything. Raises `BrokenPipeError` if nobody reads any more."""
        while data:
            try:
                written = os.write(self._descriptor, data)
            except BlockingIOError:
                self._poll.poll()
                continue
            self._moved += written
            data = data[written:]
            if data:
                self._pace.pause_after(self._moved)
                self._moved = 0

    def wait_for_reader(self, most: int) -> None:
        """Waits until at most so many bytes are unread. Raises `BrokenPipeError` if nobody reads any more."""
        if pipe_capacity(self._descriptor) <= most:
            return
        closed = select.poll()
        closed.register(self._descriptor, 0)  # only errors, which are always reported
        begun = time.monotonic()
        while self._unread() > most:
            # The kernel can't wait for this. Looking every 2 ms took 2.5 % of a CPU for as long as a command read
            # nothing; longer waits are an eighth of the time so far, so that they make no command much slower.
            is_closed = closed.poll(min(1 + (time.monotonic() - begun) * 1000 / 8, _LONGEST_WAIT))
            # Checked again: the command may have read enough before it closed its end.
            if is_closed and self._unread() > most:
                raise BrokenPipeError

    def _unread(self) -> int:
        answer = fcntl.ioctl(self._descriptor, termios.FIONREAD, bytes(_INT))
        return int.from_bytes(answer, sys.byteorder)


def read_chunks(descriptor: int) -> Iterator[bytes]:
    """Yields the content of a pipe or file to its end, as `join_pieces` does."""
    return join_pieces(lambda: os.read(descriptor, BLOCK))


def join_pieces(read: Callable[[], bytes]) -> Iterator[bytes]:
    """Yields the results of `read` until one is empty. Joins small pieces, which most programs write."""
    pieces: list[bytes] = []
    size = 0
    while piece := read():
        pieces.append(piece)
        size += len(piece)
        if size >= _CHUNK:
            yield b"".join(pieces) if len(pieces) > 1 else piece
            pieces, size = [], 0
    if pieces:
        yield b"".join(pieces)


def read_lines(descriptor: int) -> Iterator[bytes]:
    """Yields a command's output as it comes, in blocks of whole lines, each ended by LF."""
    return whole_lines(unify(iter(lambda: os.read(descriptor, BLOCK), b"")))
