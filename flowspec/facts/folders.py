"""The folder in which flowspec keeps a user's data between commands."""

from __future__ import annotations

import os
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
