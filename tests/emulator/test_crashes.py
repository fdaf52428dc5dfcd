"""After any process dies at any moment, the reported states are true and nothing is left running."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flowspec.emulator.api.service import Service
from flowspec.emulator.state import paths
from flowspec.emulator.state.changes import Changes
from flowspec.emulator.state.store import Store
from flowspec.emulator.worker import processes
from flowspec.emulator.worker.supervisor import WORKER_DIED, WORKER_FAILED
from flowspec.errors import FlowspecError
from flowspec.facts import states
from tests.emulator.conftest import Emr, bash, streaming
from tests.emulator.test_worker import gone, worker_pid
from tests.work import measured

ROOT = str(Path(__file__).parent.parent.parent)


def sleeping(folder, name="step"):
    """A step that starts a process of its own, notes both and sleeps."""
    return bash(f"sleep 300 & echo $$ $! >{folder}/{name}.tmp; mv {folder}/{name}.tmp {folder}/{name}; wait")


def test_a_killed_worker_ends_its_cluster_with_a_reason(emr, tmp_path):
    cluster_id = emr.run(sleeping(tmp_path), bash("true"), keep_alive=True, LogUri=f"{tmp_path}/logs")
    shell, child = map(int, emr.until_file(tmp_path / "step").split())
    os.kill(worker_pid(emr, cluster_id), signal.SIGKILL)
    emr.until_ended(cluster_id)
    assert emr.state(cluster_id) == "TERMINATED_WITH_ERRORS"
    assert emr.reason(cluster_id) == ("INTERNAL_ERROR", WORKER_DIED)
    assert emr.step_states(cluster_id) == ["FAILED", "CANCELLED"]
    details = emr.steps(cluster_id)[0]["Status"]["FailureDetails"]
    assert details == {"Reason": "The cluster ended while the step ran.", "Message": WORKER_DIED}
    assert gone(shell)
    assert gone(child)
    assert (tmp_path / "logs" / cluster_id / "steps" / emr.steps(cluster_id)[0]["Id"] / "controller.gz").exists()


@pytest.mark.parametrize("waits", [True, False], ids=["while it waits", "at once"])
def test_a_killed_worker_ends_its_cluster(emr, waits):
    cluster_id = emr.run(bash("true"), keep_alive=True)
    if waits:
        emr.until(cluster_id, "WAITING")
    os.kill(worker_pid(emr, cluster_id), signal.SIGKILL)
    emr.until_ended(cluster_id)
    assert emr.reason(cluster_id) == ("INTERNAL_ERROR", WORKER_DIED)


def test_a_worker_that_could_not_begin_ends_its_cluster_with_its_error(emr, monkeypatch):
    """A worker that can't open the store can't store the cluster's end either."""
    interpreter = emr.home.parent / "python"
    interpreter.write_text(f'#!/bin/sh\nulimit -n 8\nexec {sys.executable} "$@"\n')
    interpreter.chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(interpreter))
        with Store(emr.home):  # so that the worker is not a fork
            cluster_id = emr.run(bash("true"))
    emr.until_ended(cluster_id)
    code, message = emr.reason(cluster_id)
    assert code == "INTERNAL_ERROR"
    assert message.startswith(f"{WORKER_FAILED}: ")
    assert message.endswith("unable to open database file")


def test_only_the_end_of_a_dead_workers_log_is_read(still, no_worker):
    cluster_id = still.run(bash("true"))
    with paths.worker_log(still.home, cluster_id).open("wb") as log:
        log.truncate(100_000_000)
        log.seek(0, os.SEEK_END)
        log.write(b"\nTraceback (most recent call last):\n  File x\nOSError: no descriptor\n")
    os.close(no_worker.held.pop())
    with measured() as work:
        assert still.reason(cluster_id) == ("INTERNAL_ERROR", f"{WORKER_FAILED}: OSError: no descriptor")
    assert work.bytes < 20_000_000


def test_every_call_sees_the_truth_first(emr):
    cluster_id = emr.until(emr.run(keep_alive=True), "WAITING")
    pid = worker_pid(emr, cluster_id)
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    summary = emr.call("ListClusters", ClusterStates=list(states.ENDED))["Clusters"]
    assert [cluster["Id"] for cluster in summary] == [cluster_id]


def test_a_caller_that_dies_before_it_starts_the_worker_leaves_no_living_dead(home):
    dying = Emr(Service(home, start_worker=lambda *_: None))
    cluster_id = dying.run(bash("true"))
    assert dying.state(cluster_id) == "TERMINATED_WITH_ERRORS"
    assert dying.step_states(cluster_id) == ["CANCELLED"]


def test_a_cluster_whose_folder_was_removed_is_ended(still):
    cluster_id = still.run(bash("true"))
    shutil.rmtree(paths.cluster_folder(still.home, cluster_id))
    assert still.state(cluster_id) == "TERMINATED_WITH_ERRORS"


def test_a_dying_cluster_that_was_asked_to_end_has_ended_as_asked(still, no_worker):
    cluster_id = still.run(bash("true"))
    still.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    os.close(no_worker.held.pop())
    assert still.state(cluster_id) == "TERMINATED"
    assert still.reason(cluster_id) == ("USER_REQUEST", "Terminated by user request")


SUBMIT_AND_DIE = """
import os, signal, sys
from pathlib import Path
from flowspec.emulator.api.service import Service
from flowspec.facts import states
from tests.emulator.conftest import bash, request
print(Service(Path(sys.argv[1])).call("RunJobFlow", request(bash("sleep 0.5")))["JobFlowId"], flush=True)
os.killpg(0, signal.SIGKILL)
"""


def test_killing_who_submitted_changes_nothing(emr):
    done = subprocess.run(
        [sys.executable, "-c", SUBMIT_AND_DIE, str(emr.home)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": ROOT},
        start_new_session=True,
    )
    assert done.returncode == -signal.SIGKILL
    cluster_id = done.stdout.strip()
    assert emr.state(emr.until_ended(cluster_id)) == "TERMINATED"
    assert emr.step_states(cluster_id) == ["COMPLETED"]


def test_a_killed_step_has_failed_and_the_cluster_goes_on(emr, tmp_path):
    cluster_id = emr.run(sleeping(tmp_path), bash("true"))
    shell, child = map(int, emr.until_file(tmp_path / "step").split())
    os.kill(shell, signal.SIGKILL)
    emr.until_ended(cluster_id)
    assert emr.step_states(cluster_id) == ["FAILED", "COMPLETED"]
    assert "with exitCode 137" in (emr.logs(cluster_id) / "controller").read_text()
    assert gone(child)


def test_a_worker_that_is_asked_to_end_does_so_in_good_order(emr, tmp_path):
    cluster_id = emr.run(sleeping(tmp_path), bash("true"))
    shell, child = map(int, emr.until_file(tmp_path / "step").split())
    pid = worker_pid(emr, cluster_id)
    os.kill(pid, signal.SIGTERM)
    emr.until_ended(cluster_id)
    assert emr.state(cluster_id) == "TERMINATED_WITH_ERRORS"
    assert "SIGTERM" in emr.reason(cluster_id)[1]
    assert emr.step_states(cluster_id) == ["FAILED", "CANCELLED"]
    assert gone(shell)
    assert gone(child)
    assert gone(pid)


def test_a_worker_that_is_asked_twice_still_says_why(emr, tmp_path):
    cluster_id = emr.run(bash(f"trap '' TERM; echo $$ >{tmp_path}/pid; while true; do sleep 0.1; done"))
    step = int(emr.until_file(tmp_path / "pid"))
    pid = worker_pid(emr, cluster_id)
    while processes.identity(pid) is not None and emr.state(cluster_id) not in states.ENDED:
        os.kill(pid, signal.SIGTERM)
        time.sleep(0.1)
    assert "SIGTERM" in emr.reason(cluster_id)[1]
    assert gone(step)


def test_a_stopped_worker_lives_and_goes_on_when_resumed(emr):
    cluster_id = emr.until(emr.run(keep_alive=True), "WAITING")
    pid = worker_pid(emr, cluster_id)
    os.kill(pid, signal.SIGSTOP)
    emr.add(cluster_id, bash("true"))
    assert emr.step_states(cluster_id) == ["PENDING"]
    assert emr.state(cluster_id) == "WAITING"
    os.kill(pid, signal.SIGCONT)
    emr.until_steps(cluster_id, "COMPLETED")


def test_all_processes_at_once_gone_as_after_a_restart(emr, tmp_path):
    ids = [emr.run(sleeping(tmp_path, name), bash("true"), keep_alive=True) for name in ("one", "two")]
    steps = [pid for name in ("one", "two") for pid in emr.until_file(tmp_path / name).split()]
    for pid in [*(worker_pid(emr, cluster_id) for cluster_id in ids), *map(int, steps)]:
        os.kill(pid, signal.SIGKILL)
    for cluster_id in ids:
        assert emr.reason(emr.until_ended(cluster_id)) == ("INTERNAL_ERROR", WORKER_DIED)
        assert emr.step_states(cluster_id) == ["FAILED", "CANCELLED"]


@pytest.mark.parametrize(
    "what",
    [
        "rm -rf ../logs",
        "rm -rf ../../s-*",
        "rm ../logs/stderr; mkfifo ../logs/stderr",
        "rm ../logs/controller; mkfifo ../logs/controller",
        "rm ../process; mkfifo ../process; sleep 600 >/dev/null 2>&1 & true",
    ],
)
def test_a_step_that_spoils_its_own_folder_fails_alone(emr, what):
    cluster_id = emr.until_ended(emr.run(bash(f"{what}; exit 3"), bash("true"), LogUri="s3://b/logs"))
    assert emr.step_states(cluster_id) == ["FAILED", "COMPLETED"]
    assert "exit status 3" in emr.steps(cluster_id)[0]["Status"]["FailureDetails"]["Message"]


def test_a_stranger_with_the_number_of_a_step_is_not_killed(tmp_path):
    stranger = subprocess.Popen(["sleep", "300"], start_new_session=True)
    try:
        note = tmp_path / "process"
        note.write_text(f"{stranger.pid} another-boot:1\n")
        processes.kill_noted(note)
        assert stranger.poll() is None
        note.write_text(f"{stranger.pid} {processes.identity(stranger.pid)}\n")
        processes.kill_noted(note)
        assert stranger.wait(60) == -signal.SIGKILL
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("text", ["", "nonsense", "12", "1 token", "0 token", "-12 token"])
def test_a_note_that_was_not_written_whole_means_no_one(tmp_path, monkeypatch, text):
    killed = []
    monkeypatch.setattr(os, "killpg", lambda *words: killed.append(words))
    (tmp_path / "process").write_text(text)
    processes.kill_noted(tmp_path / "process")
    processes.kill_noted(tmp_path / "missing")
    assert killed == []


def test_a_disk_that_a_step_fills_fails_the_step_and_nothing_else(small_disk, tmp_path):
    emr = Emr(Service(small_disk / "home"))
    go = tmp_path / "go"
    fill = f"while ! test -e {go}; do sleep 0.02; done; head -c 9000000 /dev/zero"
    cluster_id = emr.run(bash(fill, "TERMINATE_CLUSTER"), bash("true"), LogUri=f"{small_disk}/logs")
    emr.until_steps(cluster_id, "RUNNING", "PENDING")
    go.touch()
    emr.until_ended(cluster_id)
    assert shutil.disk_usage(small_disk).free < 500_000
    assert emr.state(cluster_id) == "TERMINATED_WITH_ERRORS"
    assert emr.reason(cluster_id) == ("STEP_FAILURE", "Shut down as step failed")
    assert emr.step_states(cluster_id) == ["FAILED", "CANCELLED"]
    details = emr.steps(cluster_id)[0]["Status"]["FailureDetails"]
    assert details["Reason"] == "No space left on device."
    emr.end_all()


def test_a_streaming_job_that_fills_the_disk_gives_the_space_back(small_disk):
    emr = Emr(Service(small_disk / "home"))
    fill = "bash -c 'cat; head -c 9000000 /dev/zero | tr \\\\0 a'"
    cluster_id = emr.until_ended(emr.run(streaming(emr.home, "out", mapper=fill), bash("true")))
    assert emr.step_states(cluster_id) == ["FAILED", "COMPLETED"]
    assert emr.steps(cluster_id)[0]["Status"]["FailureDetails"]["Reason"] == "No space left on device."
    assert shutil.disk_usage(small_disk).free > 500_000
    assert not list((emr.home / "s3" / "data" / "out").glob("*"))


def fill(disk):
    with contextlib.suppress(OSError), (disk / "ballast").open("ab", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))


def test_on_a_full_disk_calls_that_read_show_a_dead_workers_cluster_as_ended(small_disk, caplog):
    emr = Emr(Service(small_disk / "home"))
    cluster_id = emr.run(bash("sleep 300"), keep_alive=True)
    emr.until_steps(cluster_id, "RUNNING")
    paths.reserve(emr.home, cluster_id).unlink()
    fill(small_disk)
    worker = worker_pid(emr, cluster_id)
    os.kill(worker, signal.SIGKILL)
    assert gone(worker)
    for _ in range(2):
        (cluster,) = emr.call("ListClusters")["Clusters"]
        assert cluster["Status"]["State"] == "TERMINATED_WITH_ERRORS"
        # SQLite has freed space when the last connection closed; without it, its files can't be made.
        fill(small_disk)
        assert emr.step_states(cluster_id) == ["FAILED"]
        assert emr.reason(cluster_id)[1] == WORKER_DIED
    assert "FLOWSPEC_HOME is not writable" in caplog.text
    with pytest.raises(FlowspecError, match="FLOWSPEC_HOME is not writable"):
        emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    (small_disk / "ballast").unlink()
    caplog.clear()
    assert emr.state(cluster_id) == "TERMINATED_WITH_ERRORS"
    assert not caplog.text
    with Store(emr.home) as store:
        assert store.get("cluster", cluster_id).state == "TERMINATED_WITH_ERRORS"


def test_on_a_full_disk_a_watcher_looks_at_the_usual_interval(small_disk):
    emr = Emr(Service(small_disk / "home", instant=True))
    cluster_id = emr.run(bash("true"))
    fill(small_disk)
    began = time.monotonic()
    with Changes(emr.home, cluster_id) as changes:
        changes.wait(0.05)
    assert time.monotonic() - began >= 0.05
    assert emr.state(cluster_id) == "TERMINATED"


def test_a_full_disk_is_told_to_who_submits(small_disk):
    emr = Emr(Service(small_disk / "home"))
    emr.call("ListClusters")
    fill(small_disk)
    with pytest.raises(FlowspecError, match=r"FLOWSPEC_HOME is not writable.*(full|space)") as caught:
        emr.run(bash("true"))
    assert "on a disk with space left" in caught.value.remedy
    (small_disk / "ballast").unlink()
    assert emr.call("ListClusters") == {"Clusters": []}
