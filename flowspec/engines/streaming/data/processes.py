"""Processes and pipes, close to the kernel.

The processes of a job end with the process that forked them, also when that is killed with SIGKILL (on Linux): they
get SIGTERM from the kernel, and end their commands. All stay in its process group, so that a signal to the group
reaches everything.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from flowspec.engines.streaming.data.lines import BLOCK, unify, whole_lines

_PR_SET_PDEATHSIG = 1
_F_SETPIPE_SZ, _F_GETPIPE_SZ = 1031, 1032
_CHUNK = 1 << 17  # bytes that are worth a look
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent(parent: int) -> None:
    """Asks the kernel for SIGTERM when the thread that made this process ends (Linux; elsewhere nothing)."""
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it was quicker
        os.kill(os.getpid(), signal.SIGTERM)


def kill_children() -> None:
    """Kills the processes that this thread has started (Linux; elsewhere nothing)."""
    with suppress(OSError):  # a kernel without CONFIG_PROC_CHILDREN, or no Linux
        for pid in Path("/proc/thread-self/children").read_text().split():
            os.kill(int(pid), signal.SIGKILL)


def start(words: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Starts a process.

    Without a function to call between fork and exec, and with descriptors left to their own flags, Popen uses
    posix_spawn. That takes 0.8 ms of CPU time, where a fork of a map task took 5 ms: it copies the page tables.
    """
    return subprocess.Popen(words, bufsize=0, close_fds=False, **options)


def enlarge_pipe(pipe: int) -> None:
    """Enlarges a pipe to hold a whole block, where the system can."""
    if sys.platform == "linux":
        with suppress(OSError):  # the user's share of pipe memory may be used up: smaller pieces do as well
            fcntl.fcntl(pipe, _F_SETPIPE_SZ, BLOCK)


def room_of(pipe: int) -> int:
    """Returns how many bytes can be written to an empty pipe before somebody reads them."""
    # Elsewhere the size can't be asked for, and POSIX promises no more.
    return fcntl.fcntl(pipe, _F_GETPIPE_SZ) if sys.platform == "linux" else select.PIPE_BUF


def write_all(descriptor: int, data: memoryview) -> None:
    """Writes everything. Raises `OSError`."""
    while data:
        data = data[os.write(descriptor, data) :]


def read_chunks(descriptor: int) -> Iterator[bytes]:
    """Yields the content of a pipe or file to its end, as `join_pieces` does."""
    return join_pieces(lambda: os.read(descriptor, BLOCK))


def join_pieces(read: Callable[[], bytes]) -> Iterator[bytes]:
    """Yields what `read` returns until that is empty; small pieces, as most programs write them, are put together."""
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
