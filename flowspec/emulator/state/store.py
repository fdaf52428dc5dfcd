"""The store: one SQLite file shared by any number of command lines and workers.

Everything is a `Record`: an id, the indexed fields (kind, cluster, region, state, time), and a JSON document with
the rest, so that new kinds need no new table. Write transactions are short and take the write lock when they begin
(BEGIN IMMEDIATE), so that two writers wait for each other instead of deadlocking; readers are never blocked (WAL).
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from flowspec.emulator.state.paths import database, layout_lock, not_writable, os_error_to_user_error, prepare
from flowspec.emulator.state.snapshot import copy_into_memory
from flowspec.errors import FlowspecError
from flowspec.facts.files import locked

SCHEMA_VERSION = 3
# Transactions take milliseconds: a lock held this long is held by a stopped process (SIGSTOP, debugger).
_BUSY_SECONDS = 30.0

# In the order of ListClusters: a page is read without sorting all clusters, and without their documents.
_BY_REGION = "CREATE INDEX records_by_region ON records (kind, region, seq, created)"
# The cluster first: `remove` deletes its records of all kinds.
_OF_CLUSTER = "CREATE INDEX records_of_cluster ON records (cluster_id, kind, state)"
# Each call looks at the lock of every living worker: it must not read all living clusters that have none. SQLite takes
# a partial index only for queries that repeat its condition (https://www.sqlite.org/partialindex.html).
_HAS_WORKER = "kind = 'cluster' AND json_extract(doc, '$.instant') IS NOT 1"
_WITH_WORKER = f"CREATE INDEX records_with_worker ON records (state) WHERE {_HAS_WORKER}"
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
    "CREATE INDEX records_by_state ON records (kind, state, region)",
    _BY_REGION,
    _OF_CLUSTER,
    _WITH_WORKER,
)
# The name that SQLite gives to the index of the first UNIQUE column of a table.
_BY_ID = "sqlite_autoindex_records_1"
# From each version to the next.
_MIGRATIONS = {1: (_BY_REGION,), 2: ("DROP INDEX records_of_cluster", _OF_CLUSTER, _WITH_WORKER)}
_COLUMNS = "kind, id, cluster_id, region, state, created, doc, seq"


@dataclass
class Record:
    """A "cluster", "step", "group", "fleet", or a setting of an account.

    `created` is in seconds since 1970; `seq` increases in order of creation; `doc` holds the unindexed fields.
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
    """An open connection to the store, for one thread at a time; a context manager that closes it.

    A write waits up to `busy_seconds` for another process that writes. With `copy`, it works on a copy in memory, and
    neither creates nor changes anything in the home.
    Every method raises FlowspecError if the file can't be read or written.
    """

    def __init__(self, home: Path, *, busy_seconds: float = _BUSY_SECONDS, copy: bool = False) -> None:
        self.is_copy = copy
        self._home = home
        if not copy:
            prepare(home)
        with self._user_errors():
            self._db = (
                copy_into_memory(home)
                if copy
                else sqlite3.connect(
                    database(home), timeout=busy_seconds, isolation_level=None, check_same_thread=False
                )
            )
            try:
                self._open()
            except BaseException:
                self._db.close()
                raise
            self._file = None if copy else _file_id(home)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._db.close()

    def is_current(self) -> bool:
        """Returns whether the home still has the file of this connection: it may have been removed or replaced."""
        try:
            return _file_id(self._home) == self._file
        except OSError:
            return False

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Runs a write transaction; an exception rolls it back."""
        with self._transaction("BEGIN IMMEDIATE"):
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Runs a read transaction on a snapshot of the store, without blocking writers."""
        with self._transaction("BEGIN"):
            yield

    def add(self, record: Record) -> None:
        """Inserts a new record and sets its `seq`."""
        values = (record.kind, record.id, record.cluster_id, record.region, record.state, record.created)
        with self._user_errors():
            cursor = self._db.execute(
                "INSERT INTO records (kind, id, cluster_id, region, state, created, doc) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*values, json.dumps(record.doc)),
            )
        record.seq = cursor.lastrowid or 0

    def save(self, record: Record) -> None:
        """Updates a record's state and document."""
        with self._user_errors():
            self._db.execute(
                "UPDATE records SET state = ?, doc = ? WHERE id = ?",
                (record.state, json.dumps(record.doc), record.id),
            )

    def delete(self, record: Record) -> None:
        """Deletes a record."""
        with self._user_errors():
            self._db.execute("DELETE FROM records WHERE id = ?", (record.id,))

    def remove(self, cluster_id: str) -> bool:
        """Deletes a cluster with its steps, groups and fleets; returns whether there was one."""
        with self._user_errors():
            return self._db.execute("DELETE FROM records WHERE cluster_id = ?", (cluster_id,)).rowcount > 0

    def get(self, kind: str, record_id: str) -> Record | None:
        """Returns the record with this kind and id, None if there is none."""
        with self._user_errors():
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
        """Returns the records that match all conditions, in order of creation (or `newest_first`)."""
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
        # Without statistics SQLite takes another index at times. Only the numbers are sorted, and not the documents.
        index = "of_cluster" if cluster_id is not None else "by_region" if states is None else "by_state"
        chosen = f"SELECT seq FROM records INDEXED BY records_{index} WHERE {where} ORDER BY seq {order} LIMIT ?"  # noqa: S608
        with self._user_errors():
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM records WHERE seq IN ({chosen}) ORDER BY seq {order}",  # noqa: S608
                (*(value for _, value in conditions), limit),
            ).fetchall()
            return [_record(row) for row in rows]

    def count(self, kind: str, *, cluster_id: str, up_to: int) -> int:
        """Counts a cluster's records of a kind up to `seq` `up_to`."""
        with self._user_errors():
            row = self._db.execute(
                "SELECT count(*) FROM records WHERE kind = ? AND cluster_id = ? AND seq <= ?", (kind, cluster_id, up_to)
            ).fetchone()
        return int(row[0])

    def with_worker(self, states: Iterable[str], among: Iterable[str] | None = None) -> list[str]:
        """Returns the ids of all clusters (of those `among` these ids) in one of `states`, without instant clusters.

        Instant clusters have no worker. The documents are not parsed here.
        """
        if among is None:
            index, named, values = "records_with_worker", "", [states]
        else:
            # By id: SQLite would read all clusters in these states to find one.
            index, named, values = _BY_ID, "AND id IN (SELECT value FROM json_each(?))", [states, among]
        with self._user_errors():
            rows = self._db.execute(
                f"SELECT id FROM records INDEXED BY {index} WHERE {_HAS_WORKER} "  # noqa: S608 - constants only
                f"AND state IN (SELECT value FROM json_each(?)) {named} ORDER BY seq",
                [json.dumps(list(value)) for value in values],
            ).fetchall()
        return [row[0] for row in rows]

    def states_of(self, cluster_id: str) -> dict[str, str]:
        """Returns the states of a cluster and its steps by id, without parsing their documents."""
        with self._user_errors():
            return dict(
                self._db.execute(
                    "SELECT id, state FROM records WHERE kind IN ('cluster', 'step') AND cluster_id = ?", (cluster_id,)
                ).fetchall()
            )

    def data_version(self) -> int:
        """Returns a number that changes when another connection commits a change to the store."""
        with self._user_errors():
            return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def _open(self) -> None:
        # NORMAL: a commit survives a killed process. A crash of the machine can lose the last commits, but it
        # ends all workers as well; FULL would cost one fsync per call.
        self._db.execute("PRAGMA synchronous = NORMAL")
        if self._version() == SCHEMA_VERSION:
            return
        if self.is_copy:
            self._create_schema()
            return
        # The change to WAL fails with SQLITE_BUSY at once, without the busy timeout, so it needs a lock of its own.
        with locked(layout_lock(self._home)):
            self._create_schema()

    def _create_schema(self) -> None:
        version = self._version()
        if version > SCHEMA_VERSION:
            raise FlowspecError(
                f"{database(self._home)} was written by a newer flowspec "
                f"(schema {version}; this version knows {SCHEMA_VERSION})",
                remedy="upgrade flowspec, or set FLOWSPEC_HOME to another folder",
            )
        if version == SCHEMA_VERSION:
            return
        if version == 0:
            self._db.execute("PRAGMA journal_mode = WAL")
        steps = [_MIGRATIONS[old] for old in range(version, SCHEMA_VERSION)] if version else [_SCHEMA]
        with self.writing():
            for statement in itertools.chain(*steps):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _version(self) -> int:
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        return version

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        with self._user_errors():
            self._db.execute(begin)
        try:
            yield
            with self._user_errors():
                self._db.execute("COMMIT")
        except BaseException:
            # On a full disk SQLite has already rolled back.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def restart_log(self) -> None:
        """Restarts the write-ahead log from its beginning, so that it reuses its space on a full disk."""
        with self._user_errors():
            self._db.execute("PRAGMA wal_checkpoint(RESTART)")

    @contextmanager
    def _user_errors(self) -> Iterator[None]:
        """Turns errors of SQLite and the file system into FlowspecErrors with a remedy."""
        try:
            yield
        except (sqlite3.DatabaseError, ValueError) as error:
            reason = str(error)
            if reason == "database is locked":
                raise FlowspecError(
                    f"another process holds the lock on the store of the embedded EMR: {database(self._home)}",
                    remedy="look for a stopped flowspec process, and resume or kill it",
                ) from error
            # SQLite raises it, too, for a table or a column that is not there.
            if isinstance(error, sqlite3.OperationalError) and not reason.startswith("no such"):
                raise not_writable(self._home, reason) from error
            raise FlowspecError(
                f"the store of the embedded EMR is damaged: {database(self._home)}: {reason}",
                remedy="move that file away, or set FLOWSPEC_HOME to another folder",
            ) from error
        except OSError as error:
            raise os_error_to_user_error(self._home, error) from error


class StorePool:
    """Open connections to the store of a home, for the calls of many threads; opening one takes half of a read's time.

    At most `size` are kept while they are not in use: with eight, most of fifty clients had to open one for each call.
    """

    def __init__(self, home: Path, size: int = 64) -> None:
        self._home = home
        self._idle: deque[Store] = deque(maxlen=size)

    def close(self) -> None:
        """Closes the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def connection(self) -> Iterator[Store]:
        """Yields a connection. Raises FlowspecError."""
        try:
            store = self._idle.pop()
        except IndexError:
            store = Store(self._home)
        if not store.is_current():
            store.close()
            store = Store(self._home)
        try:
            yield store
        finally:
            if len(self._idle) < (self._idle.maxlen or 0):
                self._idle.append(store)
            else:
                store.close()


def _file_id(home: Path) -> tuple[int, int]:
    status = database(home).stat()
    return status.st_dev, status.st_ino


def _record(row: tuple[Any, ...]) -> Record:
    kind, record_id, cluster_id, region, state, created, doc, seq = row
    return Record(kind, record_id, cluster_id, region, state, created, json.loads(doc), seq)
