"""kill -9 at random over a mixed load: what is told afterwards is true, and nothing is left behind.

FLOWSPEC_KILLS sets how many kills (200 for the full drill), FLOWSPEC_SEED repeats a choice of victims.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flowspec.emulator.errors import EmrError
from flowspec.emulator.state import paths
from flowspec.emulator.worker.supervisor import WORKER_DIED
from flowspec.facts import states
from tests.emulator.conftest import bash, program
from tests.emulator.test_orphans import DAEMONS
from tests.waiting import wait_until

KILLS = int(os.environ.get("FLOWSPEC_KILLS", "40"))
SEED = int(os.environ.get("FLOWSPEC_SEED", random.randrange(1_000_000)))

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds its victims in /proc")

LINES = [f"{number * 7919 % 12_000:05d}\t{number}" for number in range(12_000)]
MAPPERS = (
    f"{sys.executable} -c 'import sys, time; [(sys.stdout.write(l), i % 200 or time.sleep(0.01)) "
    "for i, l in enumerate(sys.stdin)]'",
    "awk '{print}'",
    "cat",
)
REDUCERS = (1, 3)


class Load:
    """Clusters of all kinds, made and disturbed by chance."""

    def __init__(self, emr, folder, choose):
        self.emr, self.folder, self.choose = emr, folder, choose
        self.command_lines = []
        self.outputs = {}

    def streaming(self, reduces, mapper):
        name = f"out{len(self.outputs)}"
        self.outputs[name] = reduces
        args = ["-D", f"mapreduce.job.reduces={reduces}", "-mapper", mapper, "-reducer", "cat"]
        args += ["-input", "s3://data/in", "-output", f"s3://data/{name}"]
        return program("hadoop-streaming", *args, name=name)

    def step(self):
        kind = self.choose.choice(["streaming"] * 4 + ["shell", "daemon", "stubborn"])
        if kind == "streaming":
            return self.streaming(self.choose.choice(REDUCERS), self.choose.choice(MAPPERS))
        if kind == "daemon":
            return bash(self.choose.choice(list(DAEMONS.values())).format(pid=self.folder / "daemon"))
        if kind == "stubborn":
            return bash("trap '' TERM; (sleep 0.3 & wait); sleep 0.2")
        return bash("for _ in 1 2 3; do sleep 0.1; done | cat", self.choose.choice(["CONTINUE", "TERMINATE_CLUSTER"]))

    def make(self):
        if self.choose.random() < 0.2:
            self.command_lines.append(apply(self.folder, len(self.command_lines)))
            return
        steps = [self.step() for _ in range(self.choose.randint(1, 4))]
        concurrency = self.choose.choice([1, 1, 3])
        if concurrency > 1:
            steps = [{**step, "ActionOnFailure": "CONTINUE"} for step in steps]
        self.emr.run(*steps, StepConcurrencyLevel=concurrency, LogUri="s3://data/logs")

    def disturb(self, alive):
        """Terminates a cluster, or cancels a step. It may have ended meanwhile."""
        cluster_id = self.choose.choice(alive)
        with contextlib.suppress(EmrError):
            if self.choose.random() < 0.4:
                self.emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])
            else:
                step = self.choose.choice(self.emr.steps(cluster_id))["Id"]
                option = self.choose.choice(["SEND_INTERRUPT", "TERMINATE_PROCESS"])
                self.emr.call("CancelSteps", ClusterId=cluster_id, StepIds=[step], StepCancellationOption=option)

    def starting(self):
        return sum(each.poll() is None for each in self.command_lines)

    def alive(self):
        return [each["Id"] for each in self.emr.call("ListClusters", ClusterStates=list(states.ALIVE))["Clusters"]]


def apply(folder, number):
    """A command line that submits a job flow and watches it."""
    job = folder / f"job{number}.yaml"
    job.write_text(
        f"flowspec: v1\nname: flow{number}\nbackend: local\nrelease_label: emr-7.5.0\nkeep_alive: false\n"
        "instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]\n"
        "steps: [{name: nap, type: command, args: [bash, -c, sleep 0.5]}]\n"
    )
    with (folder / f"job{number}.out").open("w") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "flowspec", "apply", str(job)], stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )


def living(home):
    """The processes that work on this home, by their environment: pid, and name with command line."""
    found = {}
    mark = f"FLOWSPEC_HOME={home}".encode()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found[int(entry.name)] = f"{(entry / 'comm').read_text().strip()} {words}"
    return found


# A worker's death takes its cluster along, so that steps have a life only if it is a rare one.
# A streaming job is a fork of the worker, with its command line.
WEIGHTS = {
    "flowspec-step": 4,
    "flowspec.emulator.worker.main": 1,
    "flowspec apply": 1,
    "sys.stdin": 4,
    "awk": 4,
    "sort": 4,
    "bash": 4,
    "sleep": 1,
}


def kind_of(command):
    return next((kind for kind in WEIGHTS if kind in command), "other")


def kill_one(choose, home):
    """Kills a process of a kind that is chosen first, since mappers are many and workers few; gives the kind."""
    kinds = {}
    for pid, command in sorted(living(home).items()):
        kinds.setdefault(kind_of(command), []).append(pid)
    if not kinds:
        return None
    (kind,) = choose.choices(list(kinds), [WEIGHTS.get(kind, 1) for kind in kinds])
    try:
        os.kill(choose.choice(kinds[kind]), signal.SIGKILL)
    except ProcessLookupError:
        return None
    return kind


def parts(emr, name):
    """The part files of an output and what is in them."""
    return {path.name: path.read_text() for path in (emr.home / "s3" / "data" / name).glob("part-*")}


def whole_outputs(load):
    """The contents of the output files without a kill, by the number of reducers."""
    emr = load.emr
    texts = emr.home / "s3" / "data" / "in"
    texts.mkdir(parents=True)
    (texts / "a.txt").write_text("".join(f"{line}\n" for line in LINES))
    calm = [load.streaming(reduces, "cat") for reduces in REDUCERS]
    assert set(emr.step_states(emr.until_ended(emr.run(*calm)))) == {"COMPLETED"}
    whole = {load.outputs[step["Name"]]: parts(emr, step["Name"]) for step in calm}
    for found in whole.values():
        assert sorted("".join(found.values()).splitlines()) == sorted(LINES)
    return whole


def test_kills_at_random_leave_the_truth_and_nothing_else(emr, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent.parent))
    sys.stdout.write(f"FLOWSPEC_SEED={SEED}\n")  # pytest shows it when the test fails
    choose = random.Random(SEED)
    load = Load(emr, tmp_path, choose)
    whole = whole_outputs(load)
    killed = bombard(load, choose)
    sys.stdout.write(f"killed {killed}\n")
    for command_line in load.command_lines:
        command_line.wait(120)
    check_states(emr)
    check_outputs(emr, load.outputs, whole)
    with contextlib.closing(sqlite3.connect(paths.database(emr.home))) as store:
        assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    # A worker stores the end of its cluster a moment before its own.
    until_none_is_left(emr)
    assert [path.name for path in tmp_path.iterdir() if "streaming" in path.name] == []
    assert list((emr.home / "tmp").iterdir()) == []
    assert "Traceback" not in "".join(path.read_text() for path in tmp_path.glob("*.out"))


def bombard(load, choose):
    """Kills until it is enough, with new work as old ends; then waits for the rest. Gives the kills by kind."""
    killed = {}
    deadline = time.monotonic() + 120 + 5 * KILLS  # 20 s for the 40 of a usual run, on two busy cores
    while sum(killed.values()) < KILLS:
        assert time.monotonic() < deadline, killed
        alive = load.alive()
        for _ in range(6 - len(alive) - load.starting()):
            load.make()
        if alive and choose.random() < 0.1:
            load.disturb(alive)
        if kind := kill_one(choose, load.emr.home):
            killed[kind] = killed.get(kind, 0) + 1
        time.sleep(choose.random() * 0.2)
    while alive := load.alive():
        assert time.monotonic() < deadline, [load.emr.cluster(cluster_id) for cluster_id in alive]
        time.sleep(0.05)
    return killed


def check_states(emr):
    clusters = list(all_clusters(emr))
    assert len(clusters) > KILLS / 20
    for cluster_id in clusters:
        state, (code, message) = emr.state(cluster_id), emr.reason(cluster_id)
        assert state in states.ENDED
        assert code, message
        if code == "INTERNAL_ERROR":
            assert message == WORKER_DIED
        assert (state == "TERMINATED_WITH_ERRORS") == (
            code == "INTERNAL_ERROR" or message == "Shut down as step failed"
        )
        for step in emr.steps(cluster_id):
            status = step["Status"]
            assert status["State"] in ("COMPLETED", "FAILED", "CANCELLED")
            assert bool(status.get("FailureDetails")) == (status["State"] == "FAILED")


def all_clusters(emr):
    return [summary["Id"] for page in emr.pages("ListClusters", "Clusters") for summary in page]


def check_outputs(emr, outputs, whole):
    done = {
        step["Name"] for each in all_clusters(emr) for step in emr.steps(each) if step["Status"]["State"] == "COMPLETED"
    }
    for name, reduces in outputs.items():
        found = parts(emr, name)
        assert found.items() <= whole[reduces].items(), name
        if name in done:
            assert found == whole[reduces], name


def until_none_is_left(emr):
    wait_until(lambda: not living(emr.home), lambda: living(emr.home))
