"""Locks files, replaces files as a whole, and reports unreadable folders."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# The age of a temporary file of `replace_file` after which its process has ended: the call takes milliseconds.
_UNFINISHED = re.compile(r"\.flowspec\.[0-9a-f]{16}")
_UNFINISHED_SECONDS = 3600.0


@contextmanager
def locked(lock: Path, *, wait: bool = True) -> Iterator[None]:
    """Holds the exclusive lock of a file, and waits for it without a limit. The file is created, and stays.

    A lock ends with its process, so a killed process leaves no lock. Raises OSError if the file can't be created, and
    BlockingIOError if another process holds the lock and `wait` is False.
    """
    with lock.open("a") as file:  # leaves its time as it is
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def replace_file(path: Path, content: bytes) -> None:
    """Writes or replaces a file atomically: readers get the old or the new content, never a part.

    This also holds after a kill or a power failure. The new file has the mode of the old file, else that of the umask.
    It is written beside the old file, under a random name, so writers need no lock; a later call removes the file of a
    killed call. If it raises OSError, the old file is unchanged.
    """
    _remove_unfinished(path.parent)
    mode = path.stat().st_mode & 0o777 if path.exists() else None
    # The temporary name does not contain the file's name, because the result might be too long.
    new = path.with_name(f".flowspec.{os.urandom(8).hex()}")
    # A file that only its owner may read may contain secrets.
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            # Without this, a power failure could leave an empty file (rename(2) does not order data).
            os.fsync(file.fileno())
        if mode is not None:
            new.chmod(mode)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def refuse_unreadable(error: OSError) -> None:
    """Raises the error of an unreadable folder, which `os.walk` would skip (its `onerror`); not of a deleted folder."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _remove_unfinished(folder: Path) -> None:
    """Removes the temporary files of killed calls of `replace_file` in a folder."""
    latest = time.time() - _UNFINISHED_SECONDS
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _UNFINISHED.fullmatch(entry.name) and entry.stat(follow_symlinks=False).st_mtime < latest:
                Path(entry).unlink()
