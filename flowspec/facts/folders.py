"""The folder of what flowspec keeps for a user between commands, and the locks on files there."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def state_folder() -> Path:
    """Returns the folder of all state: FLOWSPEC_HOME, else `flowspec` in the user's XDG state directory.

    Raises RuntimeError when there is no home directory to put it in.
    """
    chosen = os.environ.get("FLOWSPEC_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    state = os.environ.get("XDG_STATE_HOME", "")
    # Relative paths are ignored (XDG Base Directory Specification).
    base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return base / "flowspec"


@contextmanager
def locked(lock: Path) -> Iterator[None]:
    """Holds the lock of a file for this process alone, after a wait without a limit. The file is made, and stays.

    A lock ends with its process, so that a killed one leaves none. Raises OSError where the file can't be made.
    """
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
