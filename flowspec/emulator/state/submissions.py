"""Serializes submissions on one machine, so that a flow is never started twice.

EMR has no such lock: there, `apply` can only detect a concurrent cluster after RunJobFlow and terminate the later
one, whose first step may already have started. On this machine all submissions use one home folder, so `apply`
searches for a running cluster and calls RunJobFlow under a file lock.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from flowspec.emulator.state.paths import os_error_to_user_error, prepare, submission_lock_file
from flowspec.errors import FlowspecError

# A submission takes some 20 ms. A lock that is held this long is held by a stopped process (SIGSTOP, debugger).
_TIMEOUT_SECONDS = 30.0
_POLL_SECONDS = 0.02


@contextmanager
def submission_lock(home: Path) -> Iterator[None]:
    """Holds the home's submission lock. Raises FlowspecError if it is not free within 30 s or can't be taken."""
    prepare(home)
    path = submission_lock_file(home)
    try:
        lock = path.open("w")
    except OSError as error:
        raise os_error_to_user_error(home, error) from error
    with lock:
        _acquire(lock, path)
        yield


def _acquire(lock: IO[str], path: Path) -> None:
    # flock has no timeout of its own.
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise FlowspecError(
                    f"another process holds the submission lock of the embedded EMR: {path}",
                    remedy="look for a stopped flowspec process, and resume or kill it",
                ) from None
            time.sleep(_POLL_SECONDS)
        else:
            return
