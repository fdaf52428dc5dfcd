from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from flowspec.emulator.state.paths import database
from flowspec.emulator.state.store import Record, Store, StorePool
from flowspec.errors import FlowspecError


def put(store, *ids, kind="step", cluster="j-1", state="PENDING", created=1.0, **doc):
    with store.writing():
        for record_id in ids:
            store.add(Record(kind, record_id, cluster, "us-east-1", state, created, {"of": record_id, **doc}))


def test_a_record_comes_back_as_it_went_in(tmp_path):
    with Store(tmp_path) as store:
        record = Record("step", "s-1", "j-1", "us-east-1", "PENDING", 1.25, {"name": "é", "args": ["a", None, 1]})
        with store.writing():
            store.add(record)
        assert store.get("step", "s-1") == record
        assert store.get("cluster", "s-1") is None
        assert store.get("step", "s-2") is None


def test_a_saved_record_has_its_new_state_and_document(tmp_path):
    with Store(tmp_path) as store:
        put(store, "s-1")
        step = store.get("step", "s-1")
        step.state, step.doc["more"] = "RUNNING", 1
        with store.writing():
            store.save(step)
        assert store.get("step", "s-1") == step


def test_records_are_found_by_what_they_are_searched_by(tmp_path):
    with Store(tmp_path) as store:
        put(store, "s-1", "s-2", state="COMPLETED")
        put(store, "s-3", created=5.0)
        put(store, "s-4", cluster="j-2")

        def found(**conditions):
            return [record.id for record in store.find("step", **conditions)]

        assert found() == ["s-1", "s-2", "s-3", "s-4"]
        assert found(cluster_id="j-1", newest_first=True) == ["s-3", "s-2", "s-1"]
        assert found(states=["COMPLETED"]) == ["s-1", "s-2"]
        assert found(states=[]) == []
        assert found(limit=1) == ["s-1"]
        assert found(limit=0) == []
        assert found(region="eu-west-1") == []
        assert found(created_after=2.0) == ["s-3"]
        assert found(created_before=2.0, cluster_id="j-1") == ["s-1", "s-2"]
        assert found(created_after=5.0, created_before=5.0) == ["s-3"]
        assert found(before_seq=store.get("step", "s-3").seq) == ["s-1", "s-2"]


def test_a_failed_transaction_leaves_nothing(tmp_path):
    with Store(tmp_path) as store:
        put(store, "s-1")
        with pytest.raises(FlowspecError):
            put(store, "s-2", "s-1")
        assert [record.id for record in store.find("step")] == ["s-1"]


def test_a_reader_sees_one_state_while_another_writes(tmp_path):
    with Store(tmp_path) as reader, Store(tmp_path) as writer:
        with reader.reading():
            assert reader.find("step") == []
            put(writer, "s-1")
            assert reader.find("step") == []
        assert len(reader.find("step")) == 1


WRITER = """
import sys
from pathlib import Path
from flowspec.emulator.state.store import Record, Store, StorePool
name, home = sys.argv[1], Path(sys.argv[2])
for number in range(50):
    with Store(home) as store, store.writing():
        store.add(Record("step", f"s-{name}-{number}", "j-1", "us-east-1", "PENDING", 1.0))
"""


def test_processes_that_open_a_new_store_and_write_at_once_lose_nothing(tmp_path):
    def write(name):
        return subprocess.run(
            [sys.executable, "-c", WRITER, name, str(tmp_path / "home")], capture_output=True, text=True, check=False
        )

    with ThreadPoolExecutor(4) as pool:
        for done in pool.map(write, "abcd"):
            assert done.returncode == 0, done.stderr
    with Store(tmp_path / "home") as store:
        assert len(store.find("step")) == 200


def test_a_store_of_a_newer_flowspec_is_refused(tmp_path):
    Store(tmp_path).close()
    db = sqlite3.connect(database(tmp_path))
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(FlowspecError, match="written by a newer flowspec"):
        Store(tmp_path)


def test_a_damaged_store_is_told_with_a_remedy(tmp_path):
    database(tmp_path).write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(FlowspecError, match="is damaged") as caught:
        Store(tmp_path)
    assert "move that file away" in caught.value.remedy


@pytest.mark.parametrize(
    "damage",
    ["UPDATE records SET doc = '{\"half\": '", "ALTER TABLE records RENAME COLUMN kind TO other"],
    ids=["half a document", "another table"],
)
def test_damage_within_a_database_is_told_as_such(tmp_path, damage):
    with Store(tmp_path) as store, store.writing():
        store.add(Record("step", "s-1", "j-1", "us-east-1", "PENDING", 0.0, {}))
    db = sqlite3.connect(database(tmp_path))
    with db:
        db.execute("DROP INDEX records_with_worker")
        db.execute(damage)
    db.close()
    with Store(tmp_path) as store:
        for read in (lambda: store.get("step", "s-1"), lambda: store.find("step")):
            with pytest.raises(FlowspecError, match="is damaged"):
                read()


def test_a_full_disk_is_told_as_such(tmp_path, monkeypatch):
    def connect_small(*args, connect=sqlite3.connect, **options):
        database = connect(*args, **options)
        database.execute("PRAGMA max_page_count = 20")  # to SQLite the same as a full disk
        return database

    monkeypatch.setattr(sqlite3, "connect", connect_small)
    with Store(tmp_path) as store:
        with pytest.raises(FlowspecError, match="database or disk is full") as caught, store.writing():
            store.add(Record("step", "s-1", "j-1", "us-east-1", "PENDING", 1.0, {"text": "x" * 1_000_000}))
        assert "on a disk with space left" in caught.value.remedy
        assert store.find("step") == []


def test_a_store_that_a_stopped_process_keeps_locked_is_told(tmp_path):
    with Store(tmp_path) as stopped, Store(tmp_path, busy_seconds=0.05) as waiting, stopped.writing():
        with (
            pytest.raises(FlowspecError, match=r"another process holds the lock on the store") as caught,
            waiting.writing(),
        ):
            pass
        assert "resume or kill it" in caught.value.remedy


def instructions(store, ask):
    """How many hundreds of instructions SQLite's machine runs for a query."""
    seen = []
    store._db.set_progress_handler(lambda: seen.append(1), 100)
    ask()
    store._db.set_progress_handler(None, 0)
    return len(seen)


QUESTIONS = {
    "first page of clusters": lambda store: store.find("cluster", region="us-east-1", newest_first=True, limit=51),
    "living clusters": lambda store: store.find("cluster", region="us-east-1", states=("RUNNING",), limit=51),
    "living clusters with a worker": lambda store: store.with_worker(("RUNNING", "WAITING")),
    "one of them": lambda store: store.with_worker(("RUNNING", "WAITING"), among=["j-7"]),
    "removal of a cluster": lambda store: store.remove("j-8"),
    "a cluster": lambda store: store.get("cluster", "j-7"),
    "its steps": lambda store: store.find("step", cluster_id="j-7", newest_first=True, limit=51),
    "its states": lambda store: store.states_of("j-7"),
}


@pytest.fixture(scope="module")
def small_and_large(tmp_path_factory):
    with contextlib.ExitStack() as at_exit:
        yield [at_exit.enter_context(filled(tmp_path_factory.mktemp("home"), size)) for size in (100, 3000)]


@contextlib.contextmanager
def filled(home, size):
    with Store(home) as store:
        with store.writing():
            for number in range(size):
                ended, instant = f"j-{number}", f"i-{number}"
                store.add(Record("cluster", ended, ended, "us-east-1", "TERMINATED", 1.0, {"instant": False}))
                store.add(Record("step", f"s-{number}", ended, "us-east-1", "COMPLETED", 1.0))
                store.add(Record("cluster", instant, instant, "us-east-1", "WAITING", 1.0, {"instant": True}))
        yield store


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_large_home_is_not_slower(small_and_large, question):
    small, large = (instructions(store, lambda store=store: QUESTIONS[question](store)) for store in small_and_large)
    assert large <= small + 5


def test_clusters_with_a_worker(tmp_path):
    with Store(tmp_path) as store:
        put(store, "a", "b", "c", kind="cluster", state="RUNNING", instant=False)
        put(store, "i", kind="cluster", state="RUNNING", instant=True)
        put(store, "s", state="RUNNING")
        assert store.with_worker(("RUNNING",)) == ["a", "b", "c"]
        assert store.with_worker(("RUNNING",), among=["c", "a", "x", "i", "s"]) == ["a", "c"]
        assert store.with_worker(("WAITING",), among=["a"]) == []


TO_VERSION_2 = (
    "DROP INDEX records_with_worker; DROP INDEX records_of_cluster;"
    "CREATE INDEX records_of_cluster ON records (kind, cluster_id, state); PRAGMA user_version = 2;"
)
TO_VERSION = {2: TO_VERSION_2, 1: f"{TO_VERSION_2} DROP INDEX records_by_region; PRAGMA user_version = 1;"}


@pytest.mark.parametrize("version", TO_VERSION)
def test_a_store_of_an_old_schema_gets_the_indexes_of_today(tmp_path, version):
    def schema():
        with contextlib.closing(sqlite3.connect(database(tmp_path))) as db:
            return db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()

    with Store(tmp_path) as store:
        put(store, "j-1", kind="cluster")
    today = schema()
    with contextlib.closing(sqlite3.connect(database(tmp_path))) as db:
        db.executescript(TO_VERSION[version])
    assert schema() != today
    with Store(tmp_path) as store:
        assert [one.id for one in store.find("cluster", region="us-east-1")] == ["j-1"]
        assert store.with_worker(["PENDING"]) == ["j-1"]
    assert schema() == today


def test_a_pool_lends_a_connection_again(tmp_path):
    with contextlib.closing(StorePool(tmp_path, size=1)) as pool:
        with pool.connection() as first, pool.connection() as second:
            assert first is not second
            put(first, "s-1")
        with pool.connection() as again:
            assert again in (first, second)
            assert again.get("step", "s-1")
    with pytest.raises(FlowspecError, match="closed"):
        again.get("step", "s-1")


def test_a_pool_opens_the_store_that_is_there_now(tmp_path):
    with contextlib.closing(StorePool(tmp_path / "home")) as pool:
        with pool.connection() as store:
            put(store, "s-1")
        shutil.rmtree(tmp_path / "home")
        with pool.connection() as store:
            assert store.get("step", "s-1") is None
            put(store, "s-2")
    with Store(tmp_path / "home") as store:
        assert store.get("step", "s-2")
