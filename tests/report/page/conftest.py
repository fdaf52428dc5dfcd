"""Runs to report on, one browser for all tests, and axe-core."""

import os
from datetime import datetime, timedelta, timezone
from importlib.util import find_spec
from pathlib import Path

import pytest

from flowspec.backend.aws.client import Endpoint, connect
from flowspec.emulator.api.service import Service
from flowspec.inspection.timeline import spans_of
from flowspec.plan.cluster import Cluster, Live, Step
from flowspec.report.page.run_report import RunReport
from tests.emulator.conftest import Emr, bash
from tests.report.page.browser import Browser, program

START = datetime(2026, 11, 28, 8, tzinfo=timezone.utc)
FLOW = [{"Key": "flowspec:flow", "Value": "nightly"}, {"Key": "flowspec:target", "Value": "laptop"}]
# What a page must not show, although EMR and the logs tell it.
PASSWORD = "hunter22"
# The cause is above 40 more lines.
FAILING = (
    "for i in $(seq 300); do echo \"line $i of <b>the log</b> &amp;\" >&2; done; python3 -c 'import pandaz' || "
    '{ for i in $(seq 12); do echo "survived $i" >&2; done; exit 3; }'
)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """The one browser of all tests of a process."""
    if program() is None:
        pytest.skip("there is no Chromium: apt-get install chromium, or set FLOWSPEC_CHROMIUM")
    running = Browser(tmp_path_factory.mktemp("profile"))
    yield running
    running.close()


@pytest.fixture(scope="session")
def axe():
    """The text of axe-core, from the package axe-core-python; FLOWSPEC_AXE=…/axe.min.js is another release of it."""
    carrier = Path(find_spec("axe_core_python").origin).parent  # found, not imported: it would import Playwright
    return Path(os.environ.get("FLOWSPEC_AXE", carrier / "axe.min.js")).read_text()


def run(emr, *steps, **members):
    """Runs steps on a cluster of the flow `nightly`; returns its id."""
    return emr.run(*steps, **{"Name": "nightly", "Tags": FLOW, **members})


class Runs:
    """The runs of a flow on one home: `green` succeeded, `red` failed."""

    def __init__(self, folder):
        self.home = folder / "home"
        self.service = Service(self.home)
        self.emr = Emr(self.service)
        (folder / "in").mkdir()
        (folder / "in/part").write_text("a\nb\na\n")
        wordcount = self._streaming(folder, "first")
        fetch = bash("echo fetched", name="fetch")
        settings = [{"Classification": "core-site", "Properties": {"fs.s3a.secret.key": PASSWORD}}]
        self.green = run(self.emr, fetch, wordcount, bash("true", name="count"), Configurations=settings)
        self.emr.until_ended(self.green)
        (folder / "in/part").write_text("a\n")
        wordcount = self._streaming(folder, "second")
        failing = bash(FAILING, name="count")
        failing["HadoopJarStep"]["Args"] += ["--password", PASSWORD]
        groups = [{"InstanceRole": "MASTER", "InstanceType": "m5.2xlarge", "InstanceCount": 1}]
        self.red = run(self.emr, fetch, wordcount, failing, groups=groups, Configurations=settings)
        self.emr.until_ended(self.red)

    @property
    def connection(self):
        return connect(Endpoint("local", home=self.home))

    @staticmethod
    def _streaming(folder, name):
        args = ["hadoop-streaming", "-mapper", "cat", "-reducer", "uniq", "-input", str(folder / "in"), "-output"]
        jar = {"Jar": "command-runner.jar", "Args": [*args, str(folder / name)]}
        return {"Name": "count words", "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar}


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    found = Runs(tmp_path_factory.mktemp("runs"))
    yield found
    found.emr.end_all()


def made_up(steps=(), **members):
    """A report of a cluster that never was: one step a tuple of name and state."""
    made = tuple(
        Step(
            f"s-{number:013}",
            name,
            state,
            "CONTINUE",
            jar="command-runner.jar",
            args=("true",),
            started=START + timedelta(seconds=3 * number),
            ended=START + timedelta(seconds=3 * number + 2),
        )
        for number, (name, state) in enumerate(steps)
    )
    end = START + timedelta(seconds=3 * len(made) + 60)
    cluster = Cluster(
        **{
            "id": "j-1",
            "name": "made up",
            "state": "TERMINATED",
            "created": START,
            "ready": START,
            "ended": end,
            "steps": made,
            "live": Live({}),
            **members.pop("cluster", {}),
        }
    )
    told = {
        "outcome": "succeeded",
        "read_at": end,
        "region": "us-east-1",
        "backend": "emr",
        "commands": "flowspec logs j-1",
    }
    return RunReport(cluster, spans=spans_of(cluster), **{**told, **members})
