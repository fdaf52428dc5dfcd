"""Processes that try to outlive their step, and temporary files of a step."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from flowspec.emulator.state import paths
from flowspec.emulator.state.store import Store
from flowspec.emulator.worker import processes
from tests.emulator.conftest import bash, program, streaming
from tests.emulator.test_worker import gone, worker_pid
from tests.waiting import wait_until

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets us find what has left its session")

SLEEP = "bash -c 'echo $$ >{pid}.tmp; mv {pid}.tmp {pid}; exec sleep 300' </dev/null >/dev/null 2>&1"
DAEMONS = {
    "setsid": f"setsid {SLEEP} &",
    "nohup": f"nohup setsid {SLEEP} &",
    "double fork": f"(setsid -f {SLEEP})",
}
WIPED = {
    "daemon": f"env -i setsid -f {SLEEP}",
    "child of a daemon": 'setsid -f bash -c "env -i sleep 300 & echo \\$! >{pid}.tmp; mv {pid}.tmp {pid}; wait"',
}


def daemon(kind, pid):
    return DAEMONS[kind].format(pid=pid)


def submitting(home, noted):
    """A script that makes a cluster, as a step may, and notes its id."""
    root = Path(__file__).parent.parent.parent
    code = (
        "from pathlib import Path; from flowspec.emulator.api.service import Service; "
        "from tests.emulator.conftest import request; "
        f"print(Service(Path('{home}')).call('RunJobFlow', request(keep_alive=True))['JobFlowId'])"
    )
    return f'cd {root}; {sys.executable} -c "{code}" >{noted}.tmp; mv {noted}.tmp {noted}'


@on_linux
@pytest.mark.parametrize("kind", DAEMONS)
def test_a_daemon_lives_until_its_cluster_ends(emr, tmp_path, kind):
    cluster_id = emr.run(bash(daemon(kind, tmp_path / "pid")), keep_alive=True)
    emr.until_steps(cluster_id, "COMPLETED")
    pid = int(emr.until_file(tmp_path / "pid"))
    emr.until(cluster_id, "WAITING")
    assert processes.identity(pid) is not None
    emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    emr.until_ended(cluster_id)
    assert gone(pid)
    assert emr.step_states(cluster_id) == ["COMPLETED"]


@on_linux
@pytest.mark.parametrize("kind", WIPED)
def test_a_daemon_without_any_environment_ends_with_its_cluster(emr, tmp_path, kind):
    script = f"{WIPED[kind].format(pid=tmp_path / 'pid')}; until test -e {tmp_path}/pid; do sleep 0.01; done"
    emr.until_ended(emr.run(bash(script)))
    assert gone(int((tmp_path / "pid").read_text()))


@on_linux
@pytest.mark.parametrize("kind", DAEMONS)
def test_a_daemon_of_a_killed_worker_is_found(emr, tmp_path, kind):
    cluster_id = emr.run(bash(daemon(kind, tmp_path / "pid")), keep_alive=True)
    pid = int(emr.until_file(tmp_path / "pid"))
    os.kill(worker_pid(emr, cluster_id), signal.SIGKILL)
    emr.until_ended(cluster_id)
    assert gone(pid)


@on_linux
def test_a_daemon_of_another_cluster_is_let_be(emr, tmp_path):
    ids = [emr.run(bash(daemon("double fork", tmp_path / name)), keep_alive=True) for name in ("one", "two")]
    pids = [int(emr.until_file(tmp_path / name)) for name in ("one", "two")]
    emr.call("TerminateJobFlows", JobFlowIds=ids[:1])
    emr.until_ended(ids[0])
    assert gone(pids[0])
    assert processes.identity(pids[1]) is not None


@pytest.mark.parametrize("kill", [False, True], ids=["ended", "killed"])
def test_a_cluster_made_by_a_step_does_not_end_with_the_steps_cluster(emr, tmp_path, kill):
    outer = emr.run(bash(submitting(emr.home, tmp_path / "inner")), keep_alive=True)
    inner = emr.until_file(tmp_path / "inner").strip()
    emr.until(inner, "WAITING")
    if kill:
        os.kill(worker_pid(emr, outer), signal.SIGKILL)
    else:
        emr.call("TerminateJobFlows", JobFlowIds=[outer])
    emr.until_ended(outer)
    assert emr.state(inner) == "WAITING"
    worker_pid(emr, inner)


@on_linux
@pytest.mark.parametrize("option", ["SEND_INTERRUPT", "TERMINATE_PROCESS"])
def test_a_cancelled_step_takes_what_left_its_session_along(emr, tmp_path, option):
    other = emr.run(bash(daemon("setsid", tmp_path / "stays")), keep_alive=True, StepConcurrencyLevel=2)
    (step_id,) = emr.add(other, bash(f"{daemon('setsid', tmp_path / 'goes')} sleep 300"))
    goes, stays = (int(emr.until_file(tmp_path / name)) for name in ("goes", "stays"))
    emr.call("CancelSteps", ClusterId=other, StepIds=[step_id], StepCancellationOption=option)
    emr.until_steps(other, "COMPLETED", "CANCELLED")
    assert gone(goes)
    assert processes.identity(stays) is not None


@on_linux
def test_the_ends_of_adopted_processes_are_taken_in(emr, tmp_path):
    cluster_id = emr.run(bash("for _ in 1 2 3; do setsid -f true; done"), keep_alive=True)
    emr.until_steps(cluster_id, "COMPLETED")
    worker = worker_pid(emr, cluster_id)

    def children():
        return Path(f"/proc/{worker}/task/{worker}/children").read_text().split()

    wait_until(lambda: not children())


def test_temporary_files_go_with_their_step(emr, tmp_path):
    note, other = tmp_path / "tmpdir", tmp_path / "other"
    other.mkdir(mode=0o500)
    cluster_id = emr.run(
        bash(
            f'mkdir "$TMPDIR/a"; touch "$TMPDIR/a/file"; chmod 500 "$TMPDIR/a"; ln -s {other} "$TMPDIR"; echo "$TMPDIR" >{note}; test -w "$TMPDIR"'
        ),
        keep_alive=True,
    )
    emr.until_steps(cluster_id, "COMPLETED")
    assert Path(note.read_text().strip()) == paths.scratch(emr.home, emr.steps(cluster_id)[0]["Id"])
    assert list((emr.home / "tmp").iterdir()) == []
    assert other.stat().st_mode & 0o777 == 0o500


def test_temporary_files_of_a_background_process_go_with_the_cluster(emr, tmp_path):
    write = 'while true; do mkdir -p "$TMPDIR"; echo x >"$TMPDIR/$RANDOM"; done >/dev/null 2>&1 &'
    cluster_id = emr.run(bash(write), keep_alive=True)
    emr.until_steps(cluster_id, "COMPLETED")
    emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    emr.until_ended(cluster_id)
    assert list((emr.home / "tmp").iterdir()) == []


def test_what_could_not_be_started_leaves_no_temporary_folder(emr):
    emr.until_ended(emr.run(program("/no/such/program")))
    assert list((emr.home / "tmp").iterdir()) == []


def leader(emr, cluster_id):
    """The pid of the first step's process."""
    return int((emr.logs(cluster_id).parent / "process").read_text().split()[0])


@pytest.mark.parametrize("who", ["job", "worker"])
def test_a_killed_streaming_job_leaves_nothing_behind(emr, tmp_path, who):
    step = streaming(emr.home, "out", mapper=f"bash -c 'echo $$ >{tmp_path}/pid; sleep 300'")
    cluster_id = emr.run(step, keep_alive=True)
    mapper = int(emr.until_file(tmp_path / "pid"))
    scratch = paths.scratch(emr.home, emr.steps(cluster_id)[0]["Id"])
    assert list(scratch.iterdir())
    os.kill(leader(emr, cluster_id) if who == "job" else worker_pid(emr, cluster_id), signal.SIGKILL)
    emr.until_steps(cluster_id, "FAILED")
    assert gone(mapper)
    assert not scratch.exists()
    assert not list((emr.home / "s3" / "data" / "out").glob("part-*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_copy_leaves_no_half_file(emr, number):
    source, target = (emr.home / "s3" / "data" / name for name in ("in", "out"))
    source.mkdir(parents=True)
    with (source / "zeros").open("wb") as file:
        file.truncate(1 << 40)
    copy = program("s3-dist-cp", "--src=s3://data/in", "--dest=s3://data/out", "--outputCodec=gz")
    cluster_id = emr.run(copy, keep_alive=True)

    def halves():
        return [one for top in (emr.home / "tmp", target) for one in top.rglob("*") if one.is_file()]

    wait_until(halves, lambda: str(emr.steps(cluster_id)))
    os.kill(leader(emr, cluster_id), number)
    emr.until_steps(cluster_id, "FAILED")
    assert halves() == []


@pytest.fixture
def busy(emr, tmp_path):
    """A cluster whose step runs: its id, the pids of its worker and of its step."""
    cluster_id = emr.run(bash(f"echo $$ >{tmp_path}/pid; sleep 300"), keep_alive=True)
    step = int(emr.until_file(tmp_path / "pid"))
    return cluster_id, worker_pid(emr, cluster_id), step


def test_a_worker_whose_home_is_removed_ends_with_all_it_started(emr, busy):
    _, worker, step = busy
    shutil.rmtree(emr.home)
    assert gone(worker)
    assert gone(step)
    assert not emr.home.exists()
    assert emr.call("ListClusters") == {"Clusters": []}


def test_a_worker_whose_folder_alone_is_removed_ends_at_the_next_call(emr, busy):
    cluster_id, worker, step = busy
    shutil.rmtree(paths.cluster_folder(emr.home, cluster_id))
    assert emr.state(cluster_id) == "TERMINATED_WITH_ERRORS"
    assert gone(worker)
    assert gone(step)
    assert list((emr.home / "tmp").iterdir()) == []


def test_the_temporary_files_go_when_the_worker_has_ended_its_step_itself(emr, busy):
    cluster_id, worker, step = busy
    os.kill(worker, signal.SIGKILL)
    os.kill(step, signal.SIGKILL)
    shutil.rmtree(paths.cluster_folder(emr.home, cluster_id))
    with Store(emr.home) as store, store.writing():
        (record,) = store.find("step", cluster_id=cluster_id)
        record.state = "FAILED"
        store.save(record)
    assert emr.state(cluster_id) == "TERMINATED_WITH_ERRORS"
    assert list((emr.home / "tmp").iterdir()) == []


@pytest.mark.parametrize("text", ["0 token", "1 token", "-1 token", "one token", "", "12"])
def test_a_note_that_a_step_has_written_over_kills_nobody(tmp_path, monkeypatch, text):
    killed = []
    monkeypatch.setattr(processes.os, "killpg", lambda *group: killed.append(group))
    (tmp_path / "process").write_text(text)
    processes.kill_noted(tmp_path / "process")
    assert killed == []


def test_a_step_may_put_something_else_in_the_place_of_its_note(emr):
    cluster_id = emr.until_ended(emr.run(bash("rm ../process; mkdir ../process"), bash("rm ../process")))
    assert emr.step_states(cluster_id) == ["COMPLETED", "COMPLETED"]
