"""Processes and pipes, close to the kernel.

Children die with the process that started them, also when that is killed with SIGKILL (on Linux), and
stay in its process group, so that a signal to the group reaches everything.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from flowspec.engines.streaming.data.lines import BLOCK, unify, whole_lines

_PR_SET_PDEATHSIG = 1
_F_SETPIPE_SZ = 1031
_CHUNK = 1 << 17  # bytes that are worth a look
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent(parent: int) -> None:
    """Ask the kernel for SIGKILL when the thread that made this process ends (Linux; elsewhere nothing)."""
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it was quicker
        os.kill(os.getpid(), signal.SIGKILL)


def start(words: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a process that dies with this one. Must be called in the main thread."""
    parent = os.getpid()
    prepare = (lambda: die_with_parent(parent)) if _LIBC else None
    return subprocess.Popen(words, bufsize=0, preexec_fn=prepare, **options)  # noqa: PLW1509 - no thread runs then


def enlarge_pipe(pipe: int) -> None:
    """Let a pipe hold a whole block, where the system can."""
    if sys.platform == "linux":
        with suppress(OSError):  # the user's share of pipe memory may be used up: smaller pieces do as well
            fcntl.fcntl(pipe, _F_SETPIPE_SZ, BLOCK)


def write_all(descriptor: int, data: memoryview) -> None:
    """Write everything. Raises `OSError`."""
    while data:
        data = data[os.write(descriptor, data) :]


def read_chunks(descriptor: int) -> Iterator[bytes]:
    """Yields the content of a pipe or file to its end; small pieces, as most programs write them, are put together."""
    pieces: list[bytes] = []
    size = 0
    while piece := os.read(descriptor, BLOCK):
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
