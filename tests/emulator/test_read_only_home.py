"""`list`, `status` and `logs` on a home that can't be written to, and on one that is not there."""

import contextlib
import os
import stat
import subprocess
import sys

import pytest

from flowspec.emulator.api.service import Service
from flowspec.emulator.state import paths
from flowspec.emulator.state.store import Store
from flowspec.emulator.worker.supervisor import COPIED, WORKER_DIED, fail_orphans
from tests.cli.test_bad_places import bound_by_file_modes
from tests.emulator.conftest import Emr, bash


def flowspec(home, *argv, prefix=()):
    """Runs the command line, subject to permissions; (exit code, standard output, standard error)."""
    command = [*prefix, sys.executable, "-m", "flowspec", *argv]
    environ = {**os.environ, "FLOWSPEC_HOME": str(home)}
    done = subprocess.run(
        command, env=environ, preexec_fn=bound_by_file_modes, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@contextlib.contextmanager
def locked(home, mode=stat.S_IRUSR | stat.S_IXUSR):
    """Takes the permission to write (or all of `mode`) from a home's folders and files."""
    found = [home, *home.rglob("*")]
    modes = {path: path.lstat().st_mode for path in found if not path.is_fifo()}
    for path in reversed(modes):
        path.chmod(stat.S_IMODE(modes[path]) & mode)
    try:
        yield
    finally:
        for path, before in modes.items():
            path.chmod(stat.S_IMODE(before))


def content(home):
    return {path: path.lstat().st_mtime_ns for path in [home, *home.rglob("*")]}


@pytest.fixture
def cluster_id(emr):
    """A cluster that has run a step and ended, with its worker's process."""
    ended = emr.until_ended(emr.run(bash("echo hello from the step"), Name="wordcount"))
    emr.end_all()
    return ended


def assert_readable(home, cluster_id, prefix=()):
    before = content(home)
    code, out, err = flowspec(home, "list", "--all", prefix=prefix)
    assert (code, err, cluster_id in out, "wordcount" in out) == (0, "", True, True)
    code, out, err = flowspec(home, "status", cluster_id, prefix=prefix)
    assert (code, err, "COMPLETED" in out) == (0, "", True), out
    code, out, err = flowspec(home, "wait", cluster_id, prefix=prefix)
    assert (code, "COMPLETED" in out + err) == (0, True), err
    code, out, err = flowspec(home, "logs", cluster_id, prefix=prefix)
    assert (code, "hello from the step" in out) == (0, True), err
    assert content(home) == before


def test_a_home_without_permission_to_write(home, cluster_id):
    with locked(home):
        assert_readable(home, cluster_id)


def test_a_home_on_a_read_only_mount(home, cluster_id):
    inside = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    prefix = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", inside, str(home))
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system has no user namespaces, so a test can't mount anything")
    assert_readable(home, cluster_id, prefix)


@pytest.mark.parametrize("name", [b"left", b"caf\xe9 ?#%"], ids=["a plain path", "a path that is not UTF-8"])
@pytest.mark.parametrize("index", [True, False], ids=["with its index", "without its index"])
def test_the_write_ahead_log_of_a_process_that_is_gone(home, cluster_id, tmp_path, index, name):
    with Store(home) as store:
        with store.writing():
            cluster = store.get("cluster", cluster_id)
            cluster.doc["request"]["Name"] = "renamed in the log"
            store.save(cluster)
        left = tmp_path / os.fsdecode(name)
        subprocess.run(["cp", "-a", home, left], check=True)
    assert (left / "emulator.db-wal").stat().st_size > 0
    if not index:
        (left / "emulator.db-shm").unlink()
    with locked(left):
        code, out, err = flowspec(left, "list", "--all")
    assert (code, err, "renamed in the log" in out) == (0, "", True)


def test_a_process_that_writes_meanwhile(home, cluster_id):
    with locked(home, ~stat.S_IWOTH), Store(home) as store:
        for name in ("first", "second"):
            with store.writing():
                cluster = store.get("cluster", cluster_id)
                cluster.doc["request"]["Name"] = name
                store.save(cluster)
            with locked(home):
                code, out, err = flowspec(home, "list", "--all")
            assert (code, err, name in out) == (0, "", True)


def test_clusters_whose_worker_is_gone_are_shown_as_ended_and_living_ones_as_they_are(still):
    living, dead = still.run(), still.run()
    still.put_in_state(living, "RUNNING")
    paths.worker_lock(still.home, dead).unlink()
    with Store(still.home, copy=True) as store:
        fail_orphans(store, still.home, [living, dead])
        shown = {cluster.id: (cluster.state, cluster.doc["reason"].get("Message")) for cluster in store.find("cluster")}
    assert shown == {living: ("RUNNING", None), dead: ("TERMINATED_WITH_ERRORS", WORKER_DIED)}
    with Store(still.home) as store:
        assert store.get("cluster", dead).state == "STARTING"


def test_a_copy_on_a_read_only_disk_has_no_running_clusters(still, tmp_path):
    cluster_id = still.run()
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-a", still.home, copy], check=True)
    with locked(copy):
        code, out, err = flowspec(copy, "status", cluster_id)
    assert (code, err, COPIED in out) == (0, f"`flowspec diagnose {cluster_id}` says why it failed\n", True), out


def test_a_command_that_changes_something_says_that_it_cannot(home, cluster_id):
    with locked(home):
        code, _, err = flowspec(home, "emulator", "prune")
    assert code != 0
    assert f"FLOWSPEC_HOME is not writable: {home}" in err


def test_a_home_that_cannot_be_read(home, cluster_id):
    with locked(home, 0):
        code, _, err = flowspec(home, "list")
    assert code != 0
    assert f"FLOWSPEC_HOME is not readable: {home}" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "argv", [("list",), ("list", "--all"), ("status", "j-0000000000000"), ("logs", "j-0000000000000")]
)
def test_reading_does_not_create_a_home(tmp_path, argv):
    code, _, err = flowspec(tmp_path / "none" / "home", *argv)
    assert (code == 0) == (argv[0] == "list"), err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_the_service_reads_a_home_that_is_not_there_as_an_empty_one(tmp_path):
    emr = Emr(Service(tmp_path / "home"))
    assert emr.call("ListClusters") == {"Clusters": []}
    assert not emr.home.exists()
    assert emr.call("ListClusters") == {"Clusters": []}
