"""Services of the Linux kernel (prctl(2)) for processes that start others; elsewhere each function does nothing."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

CLUSTER_WORKER = b"flowspec-worker"  # 15 bytes, the most that the kernel keeps
"""The name of a process that works for a cluster; the step that created the cluster does not end it."""

# From linux/prctl.h.
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent(parent: int) -> None:
    """Asks for SIGTERM when the thread that made this process ends."""
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it was quicker
        os.kill(os.getpid(), signal.SIGTERM)


def adopt_orphans() -> None:
    """Makes this process a child subreaper: the new parent of descendants whose parent ends."""
    if _LIBC:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def name_process(name: bytes) -> None:
    """Gives this process another name than that of its program."""
    if _LIBC:
        _LIBC.prctl(_PR_SET_NAME, name, 0, 0, 0)


def is_cluster_worker(pid: int) -> bool:
    """Returns whether a process works for a cluster.

    Its name tells: in /proc, the environment of a forked process is still that of its parent.
    """
    try:
        with open(f"/proc/{pid}/comm", "rb", buffering=0) as file:  # noqa: PTH123 - a Path takes longer to make
            return file.read().rstrip(b"\n") == CLUSTER_WORKER
    except OSError:
        return False
