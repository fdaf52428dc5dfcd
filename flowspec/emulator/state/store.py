"""The store: one SQLite file that any number of command lines and workers share.

Everything is a `Record`: an id, what is searched by (kind, cluster, region, state, time), and a document
with the rest. Later kinds need no new table. Transactions are short and take the write lock when they
begin, so that two writers wait for each other and never meet in a deadlock; readers are never blocked
(write-ahead log).
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from flowspec.emulator.state.paths import database, layout_lock, not_writable, prepare, trouble
from flowspec.errors import FlowspecError

SCHEMA_VERSION = 1
# Longer than any transaction by orders of magnitude: whoever waits this long has found a stopped process.
_BUSY_SECONDS = 30.0

_SCHEMA = (
    """CREATE TABLE records (
        seq        INTEGER PRIMARY KEY AUTOINCREMENT,
        kind       TEXT NOT NULL,
        id         TEXT NOT NULL UNIQUE,
        cluster_id TEXT NOT NULL,
        region     TEXT NOT NULL,
        state      TEXT NOT NULL,
        created    REAL NOT NULL,
        doc        TEXT NOT NULL
    )""",
    "CREATE INDEX records_of_cluster ON records (kind, cluster_id, state)",
    "CREATE INDEX records_by_state ON records (kind, state, region)",
)
_COLUMNS = "kind, id, cluster_id, region, state, created, doc, seq"


@dataclass
class Record:
    """One thing the service knows: a "cluster", "step", "group", "fleet", or what belongs to an account.

    `created` is in seconds since 1970; `seq` grows in order of creation; `doc` holds what is not searched.
    """

    kind: str
    id: str
    cluster_id: str
    region: str
    state: str
    created: float
    doc: dict[str, Any] = field(default_factory=dict)
    seq: int = 0


class Store:
    """An open connection to the store; to be closed, best by `with`. Not to be shared between threads.

    It waits `busy_seconds` for another process that writes.
    Every method raises FlowspecError when the file can't be read or written.
    """

    def __init__(self, home: Path, *, busy_seconds: float = _BUSY_SECONDS) -> None:
        prepare(home)
        self._home = home
        with self._told():
            self._db = sqlite3.connect(database(home), timeout=busy_seconds, isolation_level=None)
            try:
                self._open()
            except BaseException:
                self._db.close()
                raise

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._db.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction that may write: all of it happens, or (on an exception) nothing."""
        with self._transaction("BEGIN IMMEDIATE"):
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A transaction that sees one state of the store and blocks nobody."""
        with self._transaction("BEGIN"):
            yield

    def add(self, record: Record) -> None:
        """Puts in a new record and gives it its `seq`."""
        values = (record.kind, record.id, record.cluster_id, record.region, record.state, record.created)
        with self._told():
            cursor = self._db.execute(
                "INSERT INTO records (kind, id, cluster_id, region, state, created, doc) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*values, json.dumps(record.doc)),
            )
        record.seq = cursor.lastrowid or 0

    def save(self, record: Record) -> None:
        """Writes a changed record's state and document back."""
        with self._told():
            self._db.execute(
                "UPDATE records SET state = ?, doc = ? WHERE id = ?",
                (record.state, json.dumps(record.doc), record.id),
            )

    def delete(self, record: Record) -> None:
        """Takes a record out."""
        with self._told():
            self._db.execute("DELETE FROM records WHERE id = ?", (record.id,))

    def remove(self, cluster_id: str) -> bool:
        """Removes a cluster and all that belongs to it; whether there was one."""
        with self._told():
            return self._db.execute("DELETE FROM records WHERE cluster_id = ?", (cluster_id,)).rowcount > 0

    def get(self, kind: str, record_id: str) -> Record | None:
        """The record of this kind and id, if there is one."""
        with self._told():
            row = self._db.execute(
                f"SELECT {_COLUMNS} FROM records WHERE id = ? AND kind = ?",  # noqa: S608 - constants only
                (record_id, kind),
            ).fetchone()
        return _record(row) if row else None

    def find(
        self,
        kind: str,
        *,
        cluster_id: str | None = None,
        region: str | None = None,
        states: Iterable[str] | None = None,
        created_after: float | None = None,
        created_before: float | None = None,
        before_seq: int | None = None,
        newest_first: bool = False,
        limit: int = -1,
    ) -> list[Record]:
        """The records that meet all conditions given, in order of creation (or `newest_first`)."""
        conditions: list[tuple[str, Any]] = [("kind = ?", kind)]
        if states is not None:
            wanted = json.dumps(list(states))
            conditions.append(("state IN (SELECT value FROM json_each(?))", wanted))
        conditions += [
            (condition, value)
            for condition, value in (
                ("cluster_id = ?", cluster_id),
                ("region = ?", region),
                ("created >= ?", created_after),
                ("created <= ?", created_before),
                ("seq < ?", before_seq),
            )
            if value is not None
        ]
        where = " AND ".join(condition for condition, _ in conditions)
        order = "DESC" if newest_first else "ASC"
        with self._told():
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM records WHERE {where} ORDER BY seq {order} LIMIT ?",  # noqa: S608
                (*(value for _, value in conditions), limit),
            ).fetchall()
        return [_record(row) for row in rows]

    def count(self, kind: str, *, cluster_id: str, up_to: int) -> int:
        """How many records of a kind a cluster has, up to the one whose `seq` is given."""
        with self._told():
            row = self._db.execute(
                "SELECT count(*) FROM records WHERE kind = ? AND cluster_id = ? AND seq <= ?", (kind, cluster_id, up_to)
            ).fetchone()
        return int(row[0])

    def ids(self, kind: str, states: Iterable[str]) -> list[str]:
        """The ids of all records of a kind in one of `states`, without reading their documents."""
        with self._told():
            rows = self._db.execute(
                "SELECT id FROM records WHERE kind = ? AND state IN (SELECT value FROM json_each(?)) ORDER BY seq",
                (kind, json.dumps(list(states))),
            ).fetchall()
        return [row[0] for row in rows]

    def _open(self) -> None:
        # A commit survives a killed process; only a crash of the machine can lose the last ones, and with
        # them go the workers anyway.
        self._db.execute("PRAGMA synchronous = NORMAL")
        if self._version() == SCHEMA_VERSION:
            return
        # Only one process at a time may lay out the file: changing to WAL does not wait its turn by itself.
        with layout_lock(self._home).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._lay_out()

    def _lay_out(self) -> None:
        version = self._version()
        if version > SCHEMA_VERSION:
            raise FlowspecError(
                f"{database(self._home)} was written by a newer flowspec "
                f"(layout {version}, this one knows {SCHEMA_VERSION})",
                remedy="upgrade flowspec, or set FLOWSPEC_HOME to another folder",
            )
        if version == 0:
            self._db.execute("PRAGMA journal_mode = WAL")
            with self.writing():
                for statement in _SCHEMA:
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _version(self) -> int:
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        return version

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        with self._told():
            self._db.execute(begin)
        try:
            yield
            with self._told():
                self._db.execute("COMMIT")
        except BaseException:
            # SQLite has rolled back by itself where the disk is full.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def make_room(self) -> None:
        """On a full disk: has the write-ahead log begin anew in the space that it has already."""
        with self._told():
            self._db.execute("PRAGMA wal_checkpoint(RESTART)")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turns what SQLite and the file system say into something a user can act on."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if str(error) == "database is locked":
                raise FlowspecError(
                    f"another process keeps the store of the embedded EMR locked: {database(self._home)}",
                    remedy="look for a flowspec process that is stopped, and resume or end it",
                ) from error
            raise not_writable(self._home, str(error)) from error
        except sqlite3.DatabaseError as error:
            raise FlowspecError(
                f"the store of the embedded EMR is damaged: {database(self._home)}: {error}",
                remedy="move that file away, or set FLOWSPEC_HOME to another folder",
            ) from error
        except OSError as error:
            raise trouble(self._home, error) from error


def _record(row: tuple[Any, ...]) -> Record:
    kind, record_id, cluster_id, region, state, created, doc, seq = row
    return Record(kind, record_id, cluster_id, region, state, created, json.loads(doc), seq)
