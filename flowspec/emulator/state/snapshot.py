"""Reads the store of a home that can't be written to: a read-only mount, another user's folder, a backup.

SQLite can't open a database in WAL mode for reading alone where it can't create its files beside it. So the records
are copied into memory, and the store works on the copy.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from flowspec.emulator.state.paths import clusters, database
from flowspec.errors import FlowspecError


def must_copy(home: Path) -> bool:
    """Returns whether reading the store of a home takes a copy: it is not there yet, or can't be written to.

    Raises FlowspecError if it can't be read either, OSError if the home is no folder.
    """
    file = database(home)
    try:
        file.stat()
    except FileNotFoundError:
        return True
    except PermissionError as error:
        raise _not_readable(home) from error
    if not _is_allowed(file, os.R_OK):
        raise _not_readable(home)
    return not all(_is_allowed(path, os.W_OK) for path in (file, home, clusters(home)))


def _is_allowed(path: Path, mode: int) -> bool:
    # By the effective user, as `open` is, where the system has this (Linux, macOS).
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _not_readable(home: Path) -> FlowspecError:
    remedy = "set FLOWSPEC_HOME to a folder you own, or have its owner give you read access"
    return FlowspecError(f"FLOWSPEC_HOME is not readable: {home}", remedy=remedy)


def copy_into_memory(home: Path) -> sqlite3.Connection:
    """Returns a database in memory with the records of a home; without any if the home or its store is missing."""
    memory = sqlite3.connect(":memory:", isolation_level=None)
    try:
        if database(home).exists():
            with _open_read_only(database(home)) as source:
                source.backup(memory)
    except BaseException:
        memory.close()
        raise
    return memory


@contextlib.contextmanager
def _open_read_only(file: Path) -> Iterator[sqlite3.Connection]:
    log = file.with_name(f"{file.name}-wal")
    try:
        # Works if the index of the log is there: because a process has the store open, or one was killed.
        source = _connect(file, "mode=ro")
    except sqlite3.OperationalError:
        if log.exists() and log.stat().st_size:
            with tempfile.TemporaryDirectory(prefix="flowspec-") as folder:
                copies = [shutil.copyfile(one, Path(folder, one.name)) for one in (log, file)]
                source = _connect(copies[1], "mode=rw")
        else:
            # All is in the file itself, and nobody writes: SQLite needs neither a log nor locks.
            source = _connect(file, "immutable=1")
    with contextlib.closing(source):
        yield source


def _connect(file: Path, option: str) -> sqlite3.Connection:
    source = sqlite3.connect(f"file:{quote(os.fsencode(file))}?{option}", uri=True)
    try:
        # SQLite opens its files at the first query.
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        source.close()
        raise
    return source
