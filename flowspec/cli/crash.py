"""Handles unexpected exceptions: a message for the user, and the traceback in a file."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from pathlib import Path

from flowspec.errors import FlowspecError
from flowspec.version import installed_version

_KNOWN_CAUSES = {MemoryError: "there is not enough memory", RecursionError: "something is nested too deeply"}


def crash_message(error: Exception) -> str:
    """Writes the traceback to a file that only its owner can read; returns what to print instead.

    The text of the exception is in the file only: it may quote a secret, and stderr ends up in logs of CI.
    """
    where = _failing_line(error)
    what = next((words for kind, words in _KNOWN_CAUSES.items() if isinstance(error, kind)), type(error).__name__)
    lines = [f"error: internal error: {what}{f' at {where}' if where else ''}"]
    path = _write_log(error)
    if path:
        lines.append(f"  details are in {path}; it may quote values of your spec, so read it before you share it")
    else:
        lines.append("  its details could be written neither to the state directory nor to the temporary one")
    return "\n".join(lines)


def _failing_line(error: Exception) -> str:
    """Returns the last line of our own code on the way to the error: a file of the package and its line."""
    package = str(Path(__file__).parent.parent)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(package)]
    return f"{Path(frames[-1].filename).relative_to(package)}:{frames[-1].lineno}" if frames else ""


def _write_log(error: Exception) -> str:
    """Writes the log; returns its path, or "" when no folder takes it."""
    for folder in (_state_home(), None):
        try:
            # mkstemp makes it readable by its owner alone.
            handle, name = tempfile.mkstemp(prefix="crash-", suffix=".log", dir=folder)
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as log:
                log.write(f"flowspec {installed_version()}, Python {platform.python_version()}, {sys.platform}\n\n")
                traceback.print_exception(error, file=log)
        except OSError:
            continue
        return name
    return ""


def _state_home() -> Path | None:
    from flowspec.facts.folders import state_folder

    try:
        folder = state_folder()
    except FlowspecError:
        return None
    # It is the embedded EMR's to create; for those who never used it, the temporary directory will do.
    return folder if folder.is_dir() else None
