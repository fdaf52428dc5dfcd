"""`flowspec emulator prune`: what ended long ago goes, what lives stays."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from flowspec.cli import root
from flowspec.emulator import prune as pruning
from flowspec.emulator.prune import prune
from flowspec.emulator.state.store import Store
from flowspec.emulator.worker import supervisor
from tests.emulator.conftest import bash

HOUR = 3600.0


def clusters(emr):
    return sorted(cluster["Id"] for cluster in emr.call("ListClusters")["Clusters"])


def folders(emr):
    return sorted(folder.name for folder in (emr.home / "clusters").iterdir())


def end_before(emr, cluster_id, seconds):
    """Dates a cluster's end back."""
    with Store(emr.home) as store, store.writing():
        cluster = store.get("cluster", cluster_id)
        cluster.doc["ended"] -= seconds
        store.save(cluster)


def test_only_what_ended_long_enough_ago_goes(emr):
    write = bash(
        'dd if=/dev/zero of=big bs=1M count=2; mkdir locked; touch locked/x; chmod 500 locked; echo > "$FLOWSPEC_S3_ROOT/k"'
    )
    old, young = (emr.until_ended(emr.run(write)) for _ in range(2))
    alive = emr.until(emr.run(keep_alive=True), "WAITING")
    end_before(emr, old, 2 * HOUR)
    done = prune(emr.home, HOUR)
    assert done.clusters == 1
    assert 2 << 20 <= done.bytes < 8 << 20
    assert clusters(emr) == folders(emr) == sorted([young, alive])
    with Store(emr.home) as store:
        assert store.find("step", cluster_id=old) == store.find("group", cluster_id=old) == []
    assert (emr.home / "s3/k").exists()
    assert prune(emr.home, HOUR).clusters == 0
    assert emr.state(alive) == "WAITING"


def test_a_cluster_whose_worker_is_still_about_to_go_stays(still):
    cluster_id = still.run()
    still.put_in_state(cluster_id, "TERMINATED")
    end = {"ended": 1.0}
    with Store(still.home) as store, store.writing():
        cluster = store.get("cluster", cluster_id)
        cluster.doc |= end
        store.save(cluster)
    assert prune(still.home, 0).clusters == 0
    assert folders(still) == [cluster_id]


def test_a_folder_that_no_cluster_has_goes_unless_a_call_is_about_to_make_one(still, monkeypatch):
    still.run()
    for name in ("j-LEFT", "j-HELD", "j-YOUNG"):
        (still.home / "clusters" / name).mkdir()
    held = supervisor.take_lock(still.home, "j-HELD")
    for name in ("j-LEFT", "j-HELD"):
        os.utime(still.home / "clusters" / name, (1, 1))
    known = [name for name in folders(still) if name != "j-LEFT"]
    assert prune(still.home, 0).clusters == 0
    assert folders(still) == known
    os.close(held)


def test_what_is_not_a_folder_of_the_emulators_own_is_let_be(still, tmp_path):
    cluster_id = still.run()
    (tmp_path / "elsewhere" / "locked").mkdir(parents=True)
    (tmp_path / "elsewhere" / "locked").chmod(0o500)
    os.utime(tmp_path / "elsewhere", (1, 1))
    place = still.home / "clusters"
    (place / "link").symlink_to(tmp_path / "elsewhere")
    (place / "dangling").symlink_to(tmp_path / "nowhere")
    (place / "notes.txt").touch()
    os.utime(place / "notes.txt", (1, 1))
    assert prune(still.home, 0).clusters == 0
    assert folders(still) == sorted([cluster_id, "link", "dangling", "notes.txt"])
    assert (tmp_path / "elsewhere" / "locked").stat().st_mode & 0o777 == 0o500


def test_two_at_once_and_a_worker_beside_them(emr):
    for _ in range(4):
        emr.until_ended(emr.run(bash("exit 0")))
    alive = emr.run(bash("sleep 0.5"), keep_alive=True)
    command = [sys.executable, "-m", "flowspec", "emulator", "prune", "--older-than", "0", "--format", "json"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    removed = [json.loads(process.communicate(timeout=60)[0])["clusters"] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(removed) <= 4
    prune(emr.home, 0)
    assert clusters(emr) == folders(emr) == [alive]


@pytest.mark.parametrize("span", ["7", "d", "-1d", "1w", "", "1e3s"])
def test_a_span_that_is_none_is_refused(span):
    done = CliRunner().invoke(root, ["emulator", "prune", "--older-than", span])
    assert (done.exit_code, "is not a time span" in done.output) == (2, True)


@pytest.mark.parametrize(("span", "seconds"), [("7d", 604800), ("1.5h", 5400), ("30m", 1800), ("90s", 90), ("0", 0)])
def test_spans_are_taken_as_written(span, seconds, home, monkeypatch):
    asked = []
    monkeypatch.setattr(pruning, "prune", lambda home, older: asked.append((home, older)) or pruning.Pruned(1, 1500000))
    done = CliRunner().invoke(root, ["emulator", "--home", str(home / "other"), "prune", "--older-than", span])
    assert asked == [(home / "other", seconds)]
    assert done.output == "removed 1 cluster, freed 1.5 MB\n"


def test_options_of_the_endpoint_mean_nothing_to_it():
    done = CliRunner().invoke(root, ["emulator", "--port", "1", "prune"])
    assert (done.exit_code, "--port has no effect on 'prune': leave it out" in done.output) == (2, True)
