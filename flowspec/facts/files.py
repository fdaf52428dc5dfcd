"""Locks on files, and files that are replaced whole."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# The temporary files of `replace_file`. It takes milliseconds: after this time its process is gone.
_UNFINISHED = re.compile(r"\.flowspec\.[0-9a-f]{16}")
_UNFINISHED_SECONDS = 3600.0


@contextmanager
def locked(lock: Path, *, wait: bool = True) -> Iterator[None]:
    """Holds the lock of a file for this process alone, after a wait without a limit. The file is made, and stays.

    A lock ends with its process, so that a killed one leaves none. Raises OSError where the file can't be made, and
    BlockingIOError if another process holds the lock and this one is not to `wait`.
    """
    with lock.open("a") as file:  # leaves its time as it is
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def replace_file(path: Path, content: bytes) -> None:
    """Puts a new file in the place of one, if there is one: readers find the old or the new content, never a part.

    So it is after a kill and after a power failure, too. The new file has the mode of the old one, else that of the
    umask. It is written beside it, under a random name, so that writers need no lock; a later call removes the file
    that a killed one left. Raises OSError, after which the old file is as it was.
    """
    _remove_unfinished(path.parent)
    mode = path.stat().st_mode & 0o777 if path.exists() else None
    # Not the name of the file with something added, which may be too long.
    new = path.with_name(f".flowspec.{os.urandom(8).hex()}")
    # A file that only its owner may read may hold secrets.
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            # Else a power failure could leave an empty file of the old name (rename(2) orders no data).
            os.fsync(file.fileno())
        if mode is not None:
            new.chmod(mode)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _remove_unfinished(folder: Path) -> None:
    """Removes the files that killed calls of `replace_file` left in a folder."""
    latest = time.time() - _UNFINISHED_SECONDS
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _UNFINISHED.fullmatch(entry.name) and entry.stat(follow_symlinks=False).st_mtime < latest:
                Path(entry).unlink()
