"""kill -9 of `flowspec apply`, right before and right after each of its calls: the next apply converges.

The process that is killed is a real one, and it is killed by the endpoint that it calls, at its N-th call.
"""

import json
import os
import queue
import signal
import subprocess
import sys
from functools import partial

import pytest

from flowspec import compile, load, render, validate
from flowspec.backend.aws.client import Endpoint, connect
from flowspec.backend.aws.submission.apply import apply
from flowspec.backend.aws.submission.lock import unlock
from flowspec.cli.exits import Exit
from flowspec.errors import Locked
from flowspec.pipeline import plan_on
from tests.endpoints import NIGHTLY, FaultyWay, way_to_embedded

# Forks a process for each command line that it reads: starting Python and importing boto3 takes a second each time.
FORKING = """
import json, os, sys
import boto3, flowspec.pipeline, flowspec.cli.commands.apply, flowspec.cli.follow
from flowspec.backend.aws.submission import lock
from flowspec.cli import run

lock._SETTLES_IN = 0.01
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        code = int(run(json.loads(line)))
        sys.stdout.flush()
        os._exit(code)
    print("#", child, file=sys.stderr, flush=True)
    print("#", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=sys.stderr, flush=True)
"""
SPEC = f"{NIGHTLY}keep_alive: true\n"
BEFORE = """\
tags: {team: search, old: x}
instance_groups:
  - {role: MASTER, type: m5.xlarge, count: 1}
  - {role: CORE, type: m5.xlarge, count: 2}
steps: [{name: one, type: command, args: ["true"], on_failure: CONTINUE}]
"""
AFTER = """\
tags: {team: ads}
step_concurrency_level: 3
auto_termination_policy: {idle_timeout: 3600}
instance_groups:
  - {role: MASTER, type: m5.xlarge, count: 1}
  - {role: CORE, type: m5.xlarge, count: 4}
  - {role: TASK, name: more, type: m5.xlarge, count: 1}
steps:
  - {name: one, type: command, args: ["true"], on_failure: CONTINUE}
  - {name: two, type: command, args: ["true"], on_failure: CONTINUE}
"""


class KillingWay(FaultyWay):
    """Kills the process `victim` at call number `at`: before the call is passed on, or after it."""

    def arm(self, at, *, after):
        self.at, self.after, self.number, self.victim = at, after, 0, queue.Queue()
        self.killed = ""

    def next_fault(self, operation):
        self.number += 1
        self.seen.append(operation)
        if self.number != self.at:
            return None
        self.killed = operation
        if self.after:
            return self.kill
        self.kill()
        return "dropped"

    def kill(self):
        os.kill(self.victim.get(timeout=60), signal.SIGKILL)


class Commands:
    """Runs command lines, each in a process of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", FORKING],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *argv, victim=None):
        """Returns the exit code (a signal's number, negative) and what was printed to stderr."""
        self.process.stdin.write(json.dumps(argv) + "\n")
        self.process.stdin.flush()
        numbers, printed = [], []
        while len(numbers) < 2:
            line = self.process.stderr.readline()
            if line.startswith("# "):
                numbers.append(int(line[2:]))
                if victim and len(numbers) == 1:
                    victim.put(numbers[0])
            else:
                printed.append(line)
        return numbers[1], "".join(printed)


@pytest.fixture
def commands(tmp_path, credentials):
    made = Commands(tmp_path)
    yield made
    made.process.stdin.close()
    made.process.wait(60)
    made.process.stderr.close()


@pytest.fixture
def way(tmp_path):
    with way_to_embedded(tmp_path / "emr", KillingWay) as way:
        way.arm(0, after=False)
        yield way


@pytest.fixture
def emr(way, credentials):
    return connect(Endpoint("emr", "us-east-1", endpoint_url=way.url))


def alive(emr):
    states = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]
    return [one["Id"] for one in emr.pages("ListClusters", "Clusters", ClusterStates=states)]


def end_all(emr):
    for one in alive(emr):
        emr.call("TerminateJobFlows", JobFlowIds=[one])


def applied(emr, spec):
    """Applies a spec in this process: starting one takes a second, and only the one that is killed needs it."""
    flow = validate(render(load(spec)))
    plan = partial(plan_on, emr, flow, compile(flow))
    return apply(plan(), emr, replan=plan, sleep=lambda _: None)


def killed_everywhere(commands, way, emr, prepare, check):
    """Kills an apply at each of its calls, applies again, and checks. Returns what it was killed at.

    Where EMR is only read nothing has changed since the call before: there it is killed only with FLOWSPEC_KILL_ALL.
    """
    argv = ("apply", "job.yaml", "--detach", "--endpoint-url", way.url)
    spec = commands.folder / "job.yaml"
    prepare()
    way.seen.clear()
    assert commands.run(*argv)[0] == Exit.OK
    calls = list(enumerate(way.seen, 1))
    if "FLOWSPEC_KILL_ALL" not in os.environ:
        calls = [(at, one) for at, one in calls if at == 1 or not one.startswith(("Describe", "List", "Get"))]
    for at, operation in calls:
        for after in (False, True):
            prepare()
            way.arm(at, after=after)
            code, printed = commands.run(*argv, victim=way.victim)
            assert (code, way.killed) == (-signal.SIGKILL, operation), printed
            way.arm(0, after=False)
            try:
                applied(emr, spec)
            except Locked:
                (cluster_id,) = alive(emr)
                assert unlock(emr, cluster_id)
                applied(emr, spec)
            check(at, operation)
    return [operation for _, operation in calls]


def test_a_submission(commands, way, emr, tmp_path):
    (tmp_path / "job.yaml").write_text(SPEC + BEFORE)

    def check(at, operation):
        assert len(alive(emr)) == 1, (at, operation)

    operations = killed_everywhere(commands, way, emr, lambda: end_all(emr), check)
    assert operations.count("RunJobFlow") == 1


def test_a_change(commands, way, emr, tmp_path):
    spec = tmp_path / "job.yaml"

    def prepare():
        end_all(emr)
        spec.write_text(SPEC + BEFORE)
        applied(emr, spec)
        spec.write_text(SPEC + AFTER)

    def check(at, operation):
        flow = validate(render(load(spec)))
        assert plan_on(emr, flow, compile(flow)).changes == (), (at, operation)
        (cluster_id,) = alive(emr)
        steps = [one["Name"] for one in emr.pages("ListSteps", "Steps", ClusterId=cluster_id)]
        listed = emr.pages("ListInstanceGroups", "InstanceGroups", ClusterId=cluster_id)
        assert sorted(steps) == ["one", "two"], (at, operation)
        assert [one.get("Name") for one in listed].count("more") == 1, (at, operation)

    operations = killed_everywhere(commands, way, emr, prepare, check)
    made = {"ModifyInstanceGroups", "AddInstanceGroups", "AddJobFlowSteps", "AddTags", "RemoveTags", "ModifyCluster"}
    assert {*made, "PutAutoTerminationPolicy"} <= set(operations)
