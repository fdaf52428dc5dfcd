"""The folder in which flowspec keeps a user's data between commands."""

from __future__ import annotations

import os
from pathlib import Path

from flowspec.errors import FlowspecError


def state_folder() -> Path:
    """Returns the folder of all state: FLOWSPEC_HOME, else `flowspec` in the user's XDG state directory.

    Raises FlowspecError when there is no home directory to put it in.
    """
    chosen = os.environ.get("FLOWSPEC_HOME")
    state = os.environ.get("XDG_STATE_HOME", "")
    try:
        if chosen:
            return Path(chosen).expanduser().absolute()
        # Relative paths are ignored (XDG Base Directory Specification).
        base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    except RuntimeError as error:  # a container's user without an entry in /etc/passwd
        remedy = "name a folder of yours: export FLOWSPEC_HOME=/…"
        raise FlowspecError("the user has no home directory for the state of flowspec", remedy=remedy) from error
    return base / "flowspec"
