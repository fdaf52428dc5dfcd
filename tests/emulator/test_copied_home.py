"""A copy of a home (backup, snapshot, container layer) is another home: the original's processes are not its own."""

import json
import os
import signal
import subprocess

from flowspec.emulator.api.service import Service
from flowspec.emulator.state import paths
from flowspec.emulator.state.identity import home_id
from flowspec.emulator.state.paths import prepare
from flowspec.emulator.state.store import Store
from flowspec.emulator.worker.supervisor import COPIED
from tests.emulator.conftest import Emr, bash
from tests.emulator.test_worker import gone, worker_pid


def copied(home, target):
    # SQLite removes the write-ahead log when its last connection closes, which could come in between.
    with Store(home):
        subprocess.run(["cp", "-a", home, target], check=True)
    return Emr(Service(target))


def test_calls_on_a_copy_leave_the_originals_run_alone(emr, tmp_path):
    cluster_id = emr.run(
        bash(f"echo $$ >{tmp_path}/pid; until [ -e {tmp_path}/go ]; do sleep 0.05; done; echo finished"),
        LogUri=f"{tmp_path}/logs",
    )
    step = int(emr.until_file(tmp_path / "pid"))
    copy = copied(emr.home, tmp_path / "copy")
    assert copy.state(cluster_id) == "TERMINATED_WITH_ERRORS"
    assert copy.reason(cluster_id) == ("INTERNAL_ERROR", COPIED)
    assert copy.step_states(cluster_id) == ["FAILED"]
    assert not (tmp_path / "logs").exists(), "nothing is published in the original's name"
    os.kill(step, 0)
    (tmp_path / "go").touch()
    emr.until_ended(cluster_id)
    assert emr.step_states(cluster_id) == ["COMPLETED"]


def test_a_copy_runs_clusters_of_its_own_and_ends_what_they_leave(emr, tmp_path):
    cluster_id = emr.run(bash("true"))
    emr.until_ended(cluster_id)
    copy = copied(emr.home, tmp_path / "copy")
    assert copy.state(cluster_id) == "TERMINATED", "what had ended stays as it was"
    own = copy.run(bash(f"echo $$ >{tmp_path}/pid; sleep 600"))
    step = int(copy.until_file(tmp_path / "pid"))
    os.kill(worker_pid(copy, own), signal.SIGKILL)
    copy.until_ended(own)
    assert gone(step)


def test_a_moved_home_stays_the_same(tmp_path):
    prepare(tmp_path / "home")
    known = home_id(tmp_path / "home")
    (tmp_path / "home").rename(tmp_path / "moved")
    assert home_id(tmp_path / "moved") == known
    subprocess.run(["cp", "-a", tmp_path / "moved", tmp_path / "copy"], check=True)
    assert home_id(tmp_path / "copy") != known
    assert home_id(tmp_path / "moved") == known


def test_an_identity_cut_short_is_written_anew(tmp_path):
    prepare(tmp_path)
    home_id(tmp_path)
    for text in ("", "{", "[]", "{}", json.dumps({"id": "x", "device": 1})):
        paths.identity_file(tmp_path).write_text(text)
        assert home_id(tmp_path) == home_id(tmp_path)


def test_a_killed_worker_leaves_no_reserve(emr, tmp_path):
    cluster_id = emr.run(bash(f"echo $$ >{tmp_path}/pid; sleep 600"))
    emr.until_file(tmp_path / "pid")
    assert paths.reserve(emr.home, cluster_id).exists()
    os.kill(worker_pid(emr, cluster_id), signal.SIGKILL)
    emr.until_ended(cluster_id)
    assert not paths.reserve(emr.home, cluster_id).exists()
