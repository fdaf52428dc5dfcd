"""Two ways to have an embedded EMR: its service alone, and with real workers."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowspec.emulator.api.service import Service
from flowspec.emulator.errors import EmrError
from flowspec.emulator.state import clock, lifecycle, paths
from flowspec.emulator.state.store import Store
from flowspec.facts import states
from tests.waiting import PATIENCE, wait_until

ROOT_WARNING = "warning: the emulator runs as root, and so does every step; start it as an ordinary user\n"
MASTER = {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}
CORE = {"InstanceRole": "CORE", "InstanceType": "m5.xlarge", "InstanceCount": 2}


def request(
    *steps: dict[str, Any], keep_alive: bool = False, groups: Any = (MASTER,), **members: Any
) -> dict[str, Any]:
    """A RunJobFlow request; `members` are put over it."""
    instances = {"InstanceGroups": list(groups), "KeepJobFlowAliveWhenNoSteps": keep_alive}
    instances |= members.pop("instances", {})
    roles = {"ServiceRole": "EMR_DefaultRole", "JobFlowRole": "EMR_EC2_DefaultRole"}
    software = {"ReleaseLabel": "emr-7.5.0"}
    return {"Name": "flow", **software, **roles, "Instances": instances, "Steps": list(steps), **members}


def bash(script: str, on_failure: str = "CONTINUE", name: str = "a step") -> dict[str, Any]:
    """A step that runs a bash script."""
    return program("bash", "-c", script, on_failure=on_failure, name=name)


def program(*args: str, on_failure: str = "CONTINUE", name: str = "a step") -> dict[str, Any]:
    """A step that runs a program."""
    jar = {"Jar": "command-runner.jar", "Args": list(args)}
    return {"Name": name, "ActionOnFailure": on_failure, "HadoopJarStep": jar}


def streaming(home: Path, name: str, **options: Any) -> dict[str, Any]:
    """A streaming step over a small input; `options` over the defaults, `reduces` for the number of reducers."""
    texts = home / "s3" / "data" / "in"
    texts.mkdir(parents=True, exist_ok=True)
    (texts / "a.txt").write_text("to be or\nnot to be\n")
    chosen = {"mapper": "cat", "reducer": "cat", "reduces": 1, **options}
    args = ["-D", f"mapreduce.job.reduces={chosen['reduces']}", "-mapper", chosen["mapper"]]
    args += ["-reducer", chosen["reducer"], "-input", "s3://data/in", "-output", f"s3://data/{name}"]
    return program("hadoop-streaming", *args, name=name)


class Emr:
    """An embedded EMR under test, with a few verbs."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.home = service.home

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return self.service.call(operation, params)

    def run(self, *steps: dict[str, Any], **members: Any) -> str:
        return str(self.service.call("RunJobFlow", request(*steps, **members))["JobFlowId"])

    def add(self, cluster_id: str, *steps: dict[str, Any]) -> list[str]:
        return list(self.call("AddJobFlowSteps", JobFlowId=cluster_id, Steps=list(steps))["StepIds"])

    def pages(self, operation: str, member: str, marker: str = "Marker", **params: Any) -> list[list[Any]]:
        """The items on each page of a list."""
        pages = []
        while True:
            answer = self.call(operation, **params)
            pages.append(answer[member])
            if marker not in answer:
                return pages
            params[marker] = answer[marker]

    def cluster(self, cluster_id: str) -> dict[str, Any]:
        return dict(self.call("DescribeCluster", ClusterId=cluster_id)["Cluster"])

    def state(self, cluster_id: str) -> str:
        return str(self.cluster(cluster_id)["Status"]["State"])

    def reason(self, cluster_id: str) -> tuple[str, str]:
        reason = self.cluster(cluster_id)["Status"]["StateChangeReason"]
        return reason.get("Code", ""), reason.get("Message", "")

    def steps(self, cluster_id: str) -> list[dict[str, Any]]:
        """Oldest first."""
        return list(self.call("ListSteps", ClusterId=cluster_id)["Steps"])[::-1]

    def groups(self, cluster_id: str) -> dict[str, dict[str, Any]]:
        """By role."""
        found = self.call("ListInstanceGroups", ClusterId=cluster_id)["InstanceGroups"]
        return {group["InstanceGroupType"]: group for group in found}

    def step_states(self, cluster_id: str) -> list[str]:
        return [step["Status"]["State"] for step in self.steps(cluster_id)]

    def until(self, cluster_id: str, *states: str) -> str:
        """Waits until the cluster is in one of `states`; gives its id."""
        wait_until(lambda: self.state(cluster_id) in states, lambda: f"{self.state(cluster_id)}, not {states}")
        return cluster_id

    def until_ended(self, cluster_id: str) -> str:
        return self.until(cluster_id, *states.ENDED)

    def until_steps(self, cluster_id: str, *states: str) -> list[str]:
        """Waits until the steps, oldest first, are in these states."""
        wait_until(lambda: self.step_states(cluster_id) == list(states), lambda: str(self.steps(cluster_id)))
        return list(states)

    def until_file(self, path: Path) -> str:
        """Waits for a file with something in it; gives its text."""
        wait_until(lambda: path.exists() and path.stat().st_size > 0, lambda: f"no {path}")
        return path.read_text()

    def logs(self, cluster_id: str, number: int = 0) -> Path:
        return paths.step_logs(self.home, cluster_id, self.steps(cluster_id)[number]["Id"])

    def put_in_state(self, cluster_id: str, state: str) -> None:
        """Moves a cluster that has no worker."""
        with Store(self.home) as store, store.writing():
            cluster = store.get("cluster", cluster_id)
            assert cluster is not None
            lifecycle.set_state(store, cluster, state)

    def end_all(self) -> None:
        """Ends every cluster, and waits for the workers' processes."""
        for summary in self.call("ListClusters")["Clusters"]:
            if summary["Status"]["State"] in states.OPEN:
                ids = [summary["Id"]]
                # It may have begun to end by itself since it was listed.
                with contextlib.suppress(EmrError):
                    self.call("SetTerminationProtection", JobFlowIds=ids, TerminationProtected=False)
                    self.call("TerminateJobFlows", JobFlowIds=ids)
        for folder in (self.home / "clusters").glob("*"):
            with (folder / "worker.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)


@contextlib.contextmanager
def emulator(home: Path, *options: str, prepare: Callable[[], object] | None = None) -> Iterator[str]:
    """`flowspec emulator`, as a process, in which `prepare` is called first; gives its URL, and sees it stop cleanly."""
    command = [sys.executable, "-m", "flowspec", "emulator", "--home", str(home), *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, preexec_fn=prepare) as process:  # noqa: PLW1509
        try:
            assert process.stdout is not None
            yield process.stdout.readline().removeprefix("listening on ").strip()
        finally:
            process.terminate()
            try:
                out, err = process.communicate(timeout=PATIENCE)
            finally:
                process.kill()  # one that does not stop fails the test and does not hang it
    expected = ROOT_WARNING if os.geteuid() == 0 else ""
    assert (process.returncode, out, err) == (0, "", expected)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Stops the clock of the service in this process; `later(10)` is ten seconds on."""
    passed = [clock.now()]
    monkeypatch.setattr(clock, "now", lambda: sum(passed))
    return passed.append


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("FLOWSPEC_HOME", str(folder))
    return folder


@pytest.fixture
def emr(home: Path) -> Iterator[Emr]:
    """An EMR with real workers, all ended afterwards."""
    running = Emr(Service(home))
    yield running
    running.end_all()


@pytest.fixture
def still(home: Path, no_worker: Callable[[Path, str, int], None]) -> Emr:
    """An EMR whose clusters stay as they are."""
    return Emr(Service(home, start_worker=no_worker))
