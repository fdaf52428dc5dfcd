"""Clusters with real workers and real processes."""

from __future__ import annotations

import gzip
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flowspec.emulator.api.service import Service
from flowspec.emulator.state import paths
from flowspec.emulator.state.store import Store
from flowspec.emulator.worker import main, processes
from tests.emulator.conftest import MASTER, Emr, bash, program, request, streaming
from tests.waiting import PATIENCE, wait_until


def times(step):
    return step["Status"]["Timeline"]


def test_a_transient_cluster_runs_its_steps_in_order_and_ends(emr, tmp_path):
    out = tmp_path / "out"
    cluster_id = emr.until_ended(emr.run(bash(f"echo one >>{out}"), bash(f"echo two >>{out}")))
    assert out.read_text() == "one\ntwo\n"
    assert emr.state(cluster_id) == "TERMINATED"
    assert emr.reason(cluster_id) == ("ALL_STEPS_COMPLETED", "Steps completed")
    first, second = emr.steps(cluster_id)
    assert emr.step_states(cluster_id) == ["COMPLETED", "COMPLETED"]
    timeline = emr.cluster(cluster_id)["Status"]["Timeline"]
    assert (
        timeline["CreationDateTime"]
        <= timeline["ReadyDateTime"]
        <= times(first)["StartDateTime"]
        <= times(first)["EndDateTime"]
        <= times(second)["StartDateTime"]
        <= times(second)["EndDateTime"]
        <= timeline["EndDateTime"]
    )


def test_a_cluster_without_steps_ends_by_itself(emr):
    emr.service.time_scale = 100  # else it stays STARTING for 5 s
    assert emr.reason(emr.until_ended(emr.run())) == ("ALL_STEPS_COMPLETED", "Steps completed")


def test_a_step_has_its_own_directory_and_finds_where_s3_and_hdfs_are(emr, tmp_path):
    (tmp_path / "out").mkdir()
    script = f"pwd >{tmp_path}/out/pwd; ls -A >{tmp_path}/out/ls; printenv FLOWSPEC_S3_ROOT FLOWSPEC_HDFS_ROOT FLOWSPEC_SYSLOG >{tmp_path}/out/env; ls /proc/self/fd >{tmp_path}/out/fds || true"
    cluster_id = emr.until_ended(emr.run(bash(script)))
    folder = paths.step_folder(emr.home, cluster_id, emr.steps(cluster_id)[0]["Id"])
    assert (tmp_path / "out" / "pwd").read_text() == f"{folder / 'work'}\n"
    assert (tmp_path / "out" / "ls").read_text() == ""
    assert (tmp_path / "out" / "env").read_text().split() == [
        str(emr.home / "s3"),
        str(emr.home / "clusters" / cluster_id / "hdfs"),
        str(folder / "logs" / "syslog"),
    ]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks at open files in /proc")
def test_a_step_inherits_neither_the_lock_nor_the_store(emr, tmp_path):
    out = tmp_path / "files"
    emr.until_ended(emr.run(bash(f"readlink /proc/$$/fd/* >{out}")))
    assert str(emr.home) in out.read_text()  # its logs
    assert "worker.lock" not in out.read_text()
    assert "emulator.db" not in out.read_text()


def start_worker_after(code):
    """Returns a function that starts a worker in a process in which `code` runs first."""
    program = f"""
import sys, time
from pathlib import Path
from flowspec.emulator.state.store import Store
from flowspec.emulator.worker import main, wake_event
{code}
sys.exit(main.main(sys.argv[1:]))
"""

    def start(home, cluster_id, lock):
        words = [sys.executable, "-c", program, str(home), cluster_id, str(lock)]
        folder = paths.cluster_folder(home, cluster_id)
        subprocess.Popen(words, cwd=folder, pass_fds=(lock,), start_new_session=True).returncode = 0  # not waited for

    return start


@pytest.fixture
def emr_with_workers_after(home):
    """Makes an EMR in whose workers some code runs first; its clusters are ended afterwards."""
    made = []

    def make(code, **options):
        made.append(Emr(Service(home, start_worker=start_worker_after(code), **options)))
        return made[-1]

    yield make
    for emr in made:
        emr.end_all()


def test_a_worker_is_woken_by_new_steps_and_by_their_ends(emr_with_workers_after):
    woken = emr_with_workers_after(f"wake_event._LONGEST_SLEEP = {2 * PATIENCE}")
    cluster_id = woken.until(woken.run(keep_alive=True), "WAITING")
    assert woken.reason(cluster_id) == ("", "Cluster ready to run steps.")
    for number in range(1, 4):
        woken.add(cluster_id, bash("true"))
        woken.until_steps(cluster_id, *["COMPLETED"] * number)
    woken.until(cluster_id, "WAITING")
    assert woken.reason(cluster_id) == ("", "Cluster ready after last step completed.")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks at context switches in /proc")
def test_a_waiting_worker_sleeps_until_it_is_woken(emr):
    status = Path(f"/proc/{worker_pid(emr, emr.until(emr.run(keep_alive=True), 'WAITING'))}/status")

    def sleeps_on():
        before = re.findall(r"ctxt_switches:\t(\d+)", status.read_text())
        emr.until_ended(emr.run(bash("true")))
        return re.findall(r"ctxt_switches:\t(\d+)", status.read_text()) == before

    # Another cluster comes and goes meanwhile. Not always at once: it is WAITING a moment before it sleeps.
    wait_until(sleeps_on)


def worker_pid(emr, cluster_id):
    """The pid of a cluster's living worker, which is in its log; a forked one has the arguments of its parent."""
    log = emr.until_file(paths.worker_log(emr.home, cluster_id))
    pid = int(re.search(rf"pid (\d+) runs cluster {cluster_id}", log)[1])
    assert not gone_now(pid)
    return pid


def gone_now(pid):
    return processes.identity(pid) is None or is_zombie(pid)


def test_no_longer_kept_alive_a_waiting_cluster_ends(emr):
    cluster_id = emr.until(emr.run(keep_alive=True), "WAITING")
    emr.call("SetKeepJobFlowAliveWhenNoSteps", JobFlowIds=[cluster_id], KeepJobFlowAliveWhenNoSteps=False)
    assert emr.reason(emr.until_ended(cluster_id)) == ("ALL_STEPS_COMPLETED", "Steps completed")


def test_an_idle_cluster_ends_by_its_policy(emr):
    cluster_id = emr.until(emr.run(keep_alive=True), "WAITING")
    with Store(emr.home) as store, store.writing():
        cluster = store.get("cluster", cluster_id)
        cluster.doc["auto_termination"] = {"IdleTimeout": 0.2}  # less than the service would take
        store.save(cluster)
    emr.call("SetVisibleToAllUsers", JobFlowIds=[cluster_id], VisibleToAllUsers=True)
    assert emr.state(emr.until_ended(cluster_id)) == "TERMINATED"
    assert emr.reason(cluster_id) == ("ALL_STEPS_COMPLETED", "Auto-terminated after being idle for 0.2 seconds")


def test_an_hour_of_idleness_is_short_where_time_is_scaled(emr):
    emr.service.time_scale = 10000
    cluster_id = emr.until_ended(emr.run(keep_alive=True, AutoTerminationPolicy={}))
    assert emr.reason(cluster_id) == ("ALL_STEPS_COMPLETED", "Auto-terminated after being idle for 3600 seconds")
    timeline = emr.cluster(cluster_id)["Status"]["Timeline"]
    assert timeline["EndDateTime"] - timeline["ReadyDateTime"] > 0.359  # times are floats of whole milliseconds


@pytest.mark.parametrize(
    ("on_failure", "keep_alive", "protected", "states", "end", "message"),
    [
        ("CONTINUE", False, False, ["FAILED", "COMPLETED"], "TERMINATED", "Steps completed with errors"),
        ("CANCEL_AND_WAIT", False, False, ["FAILED", "CANCELLED"], "TERMINATED", "Steps completed with errors"),
        (
            "CANCEL_AND_WAIT",
            True,
            False,
            ["FAILED", "CANCELLED"],
            "WAITING",
            "Cluster ready after last step cancelled.",
        ),
        (
            "TERMINATE_CLUSTER",
            False,
            True,
            ["FAILED", "CANCELLED"],
            "TERMINATED_WITH_ERRORS",
            "Shut down as step failed",
        ),
        (
            "TERMINATE_CLUSTER",
            True,
            False,
            ["FAILED", "CANCELLED"],
            "TERMINATED_WITH_ERRORS",
            "Shut down as step failed",
        ),
        (
            "TERMINATE_CLUSTER",
            True,
            True,
            ["FAILED", "CANCELLED"],
            "WAITING",
            "Cluster ready after last step cancelled.",
        ),
    ],
)
def test_a_failed_step_does_what_it_was_told_to(emr, on_failure, keep_alive, protected, states, end, message):
    steps = (bash("exit 3", on_failure), bash("true"))
    cluster_id = emr.run(*steps, keep_alive=keep_alive, instances={"TerminationProtected": protected})
    emr.until_steps(cluster_id, *states)
    emr.until(cluster_id, end)
    assert emr.reason(cluster_id)[1] == message


def meeting(folder):
    """Two steps that wait for each other: they can only complete together."""
    meet = "touch {}; for _ in $(seq 500); do test -e {} && exit 0; sleep 0.02; done; exit 1"
    one, two = folder / "one", folder / "two"
    return bash(meet.format(one, two)), bash(meet.format(two, one))


def test_steps_run_at_once_up_to_the_concurrency_level(emr, tmp_path):
    cluster_id = emr.until_ended(emr.run(*meeting(tmp_path), StepConcurrencyLevel=2))
    assert emr.step_states(cluster_id) == ["COMPLETED", "COMPLETED"]


def test_a_raised_concurrency_level_counts_at_once(emr, tmp_path):
    cluster_id = emr.run(*meeting(tmp_path))
    emr.until_steps(cluster_id, "RUNNING", "PENDING")
    emr.call("ModifyCluster", ClusterId=cluster_id, StepConcurrencyLevel=2)
    emr.until_ended(cluster_id)
    assert emr.step_states(cluster_id) == ["COMPLETED", "COMPLETED"]


def test_terminating_a_cluster_ends_the_running_step_and_all_it_started(emr, tmp_path):
    script = f"sleep 300 & echo $! >{tmp_path}/child; wait"
    cluster_id = emr.run(bash(script), bash("true"), keep_alive=True)
    child = int(emr.until_file(tmp_path / "child"))
    emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    assert emr.state(cluster_id) in {"TERMINATING", "TERMINATED"}
    emr.until_ended(cluster_id)
    assert emr.state(cluster_id) == "TERMINATED"
    assert emr.reason(cluster_id) == ("USER_REQUEST", "Terminated by user request")
    assert emr.step_states(cluster_id) == ["CANCELLED", "CANCELLED"]
    assert gone(child)


def gone(pid):
    deadline = time.monotonic() + 60
    while not gone_now(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def is_zombie(pid):
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return shown.startswith("Z")


def test_a_step_that_will_not_end_is_killed_after_the_grace(emr, tmp_path, monkeypatch):
    # Workers are processes of their own; they take the grace from their module, which this changes for them.
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import flowspec.emulator.worker.execution as execution\nexecution.GRACE_SECONDS = 0.3\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{site}:{Path(__file__).parent.parent.parent}")
    script = f"trap '' TERM; echo $$ >{tmp_path}/pid; while true; do sleep 0.1; done"
    cluster_id = emr.run(bash(script))
    pid = int(emr.until_file(tmp_path / "pid"))
    start = time.monotonic()
    emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    emr.until_ended(cluster_id)
    assert time.monotonic() - start >= 0.3
    assert gone(pid)
    assert emr.step_states(cluster_id) == ["CANCELLED"]


def test_background_processes_of_a_step_live_until_the_cluster_ends(emr, tmp_path):
    cluster_id = emr.run(bash(f"sleep 300 >/dev/null 2>&1 & echo $! >{tmp_path}/child"), keep_alive=True)
    emr.until_steps(cluster_id, "COMPLETED")
    child = int(emr.until_file(tmp_path / "child"))
    assert processes.identity(child) is not None
    emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    emr.until_ended(cluster_id)
    assert gone(child)


@pytest.mark.parametrize(
    ("option", "script"),
    [
        ("SEND_INTERRUPT", "echo $$ >{pid}; sleep 300"),
        ("TERMINATE_PROCESS", "trap '' TERM; echo $$ >{pid}; while true; do sleep 0.1; done"),
    ],
)
def test_a_cancelled_running_step_ends_and_the_next_one_runs(emr, tmp_path, option, script):
    pid = tmp_path / "pid"
    cluster_id = emr.run(bash(script.format(pid=pid), "TERMINATE_CLUSTER"), bash("true"), keep_alive=True)
    emr.until_file(pid)
    step_id = emr.steps(cluster_id)[0]["Id"]
    answer = emr.call("CancelSteps", ClusterId=cluster_id, StepIds=[step_id], StepCancellationOption=option)
    assert answer["CancelStepsInfoList"] == [{"StepId": step_id, "Status": "SUBMITTED"}]
    emr.until_steps(cluster_id, "CANCELLED", "COMPLETED")
    assert gone(int(pid.read_text()))
    assert "FailureDetails" not in emr.steps(cluster_id)[0]["Status"]
    assert "EndDateTime" in times(emr.steps(cluster_id)[0])


def test_an_interrupt_that_a_step_ignores_leaves_it_running_until_it_is_killed(emr, tmp_path):
    cluster_id = emr.run(
        bash(f"trap 'echo got >{tmp_path}/got' TERM; echo $$ >{tmp_path}/pid; while true; do sleep 0.05; done")
    )
    emr.until_file(tmp_path / "pid")
    step_id = emr.steps(cluster_id)[0]["Id"]
    emr.call("CancelSteps", ClusterId=cluster_id, StepIds=[step_id])
    emr.until_file(tmp_path / "got")
    assert emr.step_states(cluster_id) == ["CANCEL_PENDING"]
    emr.call("CancelSteps", ClusterId=cluster_id, StepIds=[step_id], StepCancellationOption="TERMINATE_PROCESS")
    emr.until_steps(cluster_id, "CANCELLED")


BOOTSTRAP = [{"Name": "prepare", "ScriptBootstrapAction": {"Path": "s3://scripts/prepare.sh", "Args": ["a b", "c"]}}]


def put_script(emr, text, *, executable=False):
    script = emr.home / "s3" / "scripts" / "prepare.sh"
    script.parent.mkdir(parents=True)
    script.write_text(text)
    script.chmod(0o755 if executable else 0o644)


def test_bootstrap_actions_are_skipped_unless_asked_for(emr, tmp_path):
    put_script(emr, f"touch {tmp_path}/ran")
    cluster_id = emr.until_ended(emr.run(bash("true"), BootstrapActions=BOOTSTRAP))
    assert not (tmp_path / "ran").exists()
    assert "bootstrap actions are recorded and not run" in paths.worker_log(emr.home, cluster_id).read_text()
    assert len(emr.call("ListBootstrapActions", ClusterId=cluster_id)["BootstrapActions"]) == 1


@pytest.fixture
def booting(emr):
    """The same EMR, for clusters that run their bootstrap actions."""
    service = Service(emr.home, run_bootstrap=True)
    return lambda *steps, **members: service.call("RunJobFlow", request(*steps, **members))["JobFlowId"]


@pytest.mark.parametrize("executable", [False, True])
def test_bootstrap_actions_run_before_the_first_step(emr, booting, tmp_path, executable):
    put_script(emr, f'#!/bin/bash\nprintf "%s," "$@" >>{tmp_path}/out\n', executable=executable)
    cluster_id = emr.until_ended(booting(bash(f"echo step >>{tmp_path}/out"), BootstrapActions=BOOTSTRAP * 2))
    assert (tmp_path / "out").read_text() == "a b,c,a b,c,step\n"
    assert emr.state(cluster_id) == "TERMINATED"


def test_a_script_that_is_not_executable_is_run_by_its_interpreter(emr, booting, tmp_path):
    put_script(emr, f"#!/usr/bin/env python3\nprint('python', file=open({str(tmp_path / 'out')!r}, 'a'))\n")
    runner = {"Jar": "s3://us-east-1.elasticmapreduce/libs/script-runner/script-runner.jar"}
    runner["Args"] = ["s3://scripts/prepare.sh"]
    step = {"Name": "s", "ActionOnFailure": "CONTINUE", "HadoopJarStep": runner}
    emr.until_ended(booting(step, BootstrapActions=BOOTSTRAP))
    assert (tmp_path / "out").read_text() == "python\n" * 2


def test_a_failed_bootstrap_action_ends_the_cluster(emr, booting, tmp_path):
    put_script(emr, "echo oh no >&2; exit 4")
    cluster_id = booting(bash("true"), BootstrapActions=BOOTSTRAP, LogUri=f"{tmp_path}/logs", keep_alive=True)
    emr.until_ended(cluster_id)
    (master,) = emr.call("ListInstances", ClusterId=cluster_id, InstanceGroupTypes=["MASTER"])["Instances"]
    instance = master["Ec2InstanceId"]
    message = f"On the master instance ({instance}), bootstrap action 1 returned a non-zero return code"
    assert emr.state(cluster_id) == "TERMINATED_WITH_ERRORS"
    assert emr.reason(cluster_id) == ("BOOTSTRAP_FAILURE", message)
    (detail,) = emr.cluster(cluster_id)["Status"]["ErrorDetails"]
    assert detail["ErrorCode"] == "BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE"
    assert emr.step_states(cluster_id) == ["CANCELLED"]
    published = tmp_path / "logs" / cluster_id / "node" / instance / "bootstrap-actions" / "1"
    assert sorted(path.name for path in published.iterdir()) == ["controller.gz", "stderr.gz", "stdout.gz"]


def test_a_missing_bootstrap_script_ends_the_cluster(emr, booting):
    cluster_id = emr.until_ended(booting(bash("true"), BootstrapActions=BOOTSTRAP))
    code, message = emr.reason(cluster_id)
    assert code == "BOOTSTRAP_FAILURE"
    assert "s3://scripts/prepare.sh: there is no such file" in message


@pytest.mark.parametrize("whom", ["the cluster", "its worker"])
def test_a_bootstrap_action_is_ended_with_its_logs(emr, booting, tmp_path, whom):
    put_script(emr, f"trap 'echo ending; exit 5' TERM; echo $$ >{tmp_path}/pid; while :; do sleep 0.1; done")
    cluster_id = booting(bash("true"), BootstrapActions=BOOTSTRAP * 2, LogUri=f"{tmp_path}/logs")
    pid = int(emr.until_file(tmp_path / "pid"))
    assert emr.state(cluster_id) == "BOOTSTRAPPING"
    if whom == "the cluster":
        emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    else:
        os.kill(worker_pid(emr, cluster_id), signal.SIGTERM)
    emr.until_ended(cluster_id)
    assert emr.reason(cluster_id)[0] == ("USER_REQUEST" if whom == "the cluster" else "INTERNAL_ERROR")
    assert gone(pid)
    (log,) = (tmp_path / "logs" / cluster_id / "node").glob("*/bootstrap-actions/*/stdout.gz")
    assert gzip.decompress(log.read_bytes()) == b"ending\n"


SUBMIT = """
import sys
from pathlib import Path
from flowspec.emulator.api.service import Service
from tests.emulator.conftest import bash, request
service = Service(Path(sys.argv[1]))
for number in range(3):
    print(service.call("RunJobFlow", request(bash(f"echo {number}")))["JobFlowId"])
"""


def test_processes_that_submit_at_once_each_get_their_clusters(emr):
    root = str(Path(__file__).parent.parent.parent)
    submitting = [
        subprocess.Popen(
            [sys.executable, "-c", SUBMIT, str(emr.home)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": root},
        )
        for _ in range(2)
    ]
    made = [line for process in submitting for line in process.communicate()[0].split()]
    assert len(set(made)) == 6
    # The workers have outlived those who started them.
    for cluster_id in made:
        assert emr.state(emr.until_ended(cluster_id)) == "TERMINATED"
        assert emr.step_states(cluster_id) == ["COMPLETED"]


def test_many_clusters_at_once_finish(emr):
    made = [emr.run(bash("true")) for _ in range(50)]
    for cluster_id in made:
        emr.until_ended(cluster_id)
    assert {emr.state(cluster_id) for cluster_id in made} == {"TERMINATED"}


def test_a_streaming_step_counts_words(emr):
    step = streaming(emr.home, "out", mapper="tr ' ' '\\n'", reducer="uniq -c")
    cluster_id = emr.until_ended(emr.run(step, step))
    counted = (emr.home / "s3" / "data" / "out" / "part-00000").read_text()
    assert sorted(line.split() for line in counted.splitlines()) == [
        ["1", "not"],
        ["1", "or"],
        ["2", "be"],
        ["2", "to"],
    ]
    assert emr.step_states(cluster_id) == ["COMPLETED", "FAILED"]
    details = emr.steps(cluster_id)[1]["Status"]["FailureDetails"]
    assert details["Reason"] == "Output directory already exists."
    assert "s3://data/out already exists" in details["Message"]
    assert details["LogFile"].endswith("/syslog")
    assert "Counters:" in (emr.logs(cluster_id) / "syslog").read_text()


def test_a_step_that_cannot_run_here_fails_and_says_why(emr):
    hive = program("hive-script", "--run-hive-script")
    cluster_id = emr.until_ended(emr.run(hive, bash("true"), LogUri="s3://b/logs"))
    assert emr.step_states(cluster_id) == ["FAILED", "COMPLETED"]
    details = emr.steps(cluster_id)[0]["Status"]["FailureDetails"]
    assert details["Reason"] == "The step can't run here."
    assert details["Message"].startswith("hive-script: there is no Hive")
    assert details["LogFile"].startswith("s3://b/logs/")
    assert "there is no Hive" in (emr.logs(cluster_id) / "controller").read_text()


def test_a_program_that_is_not_there_fails_the_step(emr):
    cluster_id = emr.until_ended(emr.run(program("/no/such/program")))
    assert emr.step_states(cluster_id) == ["FAILED"]
    assert "No such file or directory" in emr.steps(cluster_id)[0]["Status"]["FailureDetails"]["Message"]


def test_a_cluster_of_fleets_runs_as_any_other(emr):
    fleet = {
        "InstanceFleetType": "MASTER",
        "TargetOnDemandCapacity": 1,
        "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge"}],
    }
    cluster_id = emr.run(bash("true"), groups=[], instances={"InstanceFleets": [fleet]})
    assert emr.state(emr.until_ended(cluster_id)) == "TERMINATED"


def test_the_worker_is_the_module_it_says_and_takes_the_lock_itself_when_run_by_hand(still):
    cluster_id = still.run(bash("true"), groups=[MASTER])
    done = subprocess.run(
        [sys.executable, "-m", "flowspec.emulator.worker.main", str(still.home), cluster_id],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent.parent,
    )
    assert done.returncode == 1
    assert "has a worker already" in done.stderr
    assert still.state(cluster_id) == "STARTING"


def test_room_is_set_aside_whole_or_not_at_all(tmp_path):
    reserve = tmp_path / "reserve"
    with main.reserved_space(reserve):
        assert reserve.stat().st_size == main.RESERVED_BYTES
    assert not reserve.exists()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with main.reserved_space(reserve):
            assert not reserve.exists()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_transient_cluster_waits_a_moment_for_its_first_step(emr, tmp_path):
    """mrjob makes a cluster, tags it, and only then adds its steps."""
    emr.service.time_scale = 0.001  # the moment is longer than the patience of `until_ended`
    cluster_id = emr.run()
    worker_pid(emr, cluster_id)
    emr.until_ended(emr.run(bash("true")))
    assert emr.state(cluster_id) == "STARTING"
    emr.add(cluster_id, bash(f"touch {tmp_path}/ran"))
    emr.until_ended(cluster_id)
    assert (tmp_path / "ran").exists()
    assert emr.reason(cluster_id)[0] == "ALL_STEPS_COMPLETED"


SET_BACK = """
with Store(Path(sys.argv[1])) as store:
    created = store.get("cluster", sys.argv[2]).created
time.time = lambda: created
sleep = wake_event.WakeEvent.sleep

def set_back_and_sleep(event, seconds):
    time.time = lambda: created - 3600
    sleep(event, seconds)

wake_event.WakeEvent.sleep = set_back_and_sleep
"""


def test_a_cluster_without_steps_ends_though_the_machines_clock_is_set_back(emr_with_workers_after):
    emr = emr_with_workers_after(SET_BACK, time_scale=10)
    assert emr.reason(emr.until_ended(emr.run()))[0] == "ALL_STEPS_COMPLETED"


def test_a_cluster_that_waits_for_its_first_step_is_terminated(emr):
    emr.service.time_scale = 0.001  # it would wait longer than the patience of `until_ended`
    waiting = emr.run()
    emr.call("TerminateJobFlows", JobFlowIds=[waiting])
    assert emr.reason(emr.until_ended(waiting))[0] == "USER_REQUEST"


def test_a_bootstrap_script_with_an_empty_key_part_is_not_mistaken_for_another(home):
    (home / "s3/b").mkdir(parents=True)
    (home / "s3/b/x").write_text("exit 0\n")
    running = Emr(Service(home, run_bootstrap=True))
    action = {"Name": "b", "ScriptBootstrapAction": {"Path": "s3://b//x"}}
    cluster_id = running.until_ended(running.run(bash("true"), BootstrapActions=[action]))
    assert running.reason(cluster_id)[0] == "BOOTSTRAP_FAILURE"
    assert "s3://b//x: a key with an empty part" in running.reason(cluster_id)[1]
