"""The command line as a user meets it: in this process where that is enough, in one of its own where not."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from flowspec.cli import run

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@dataclass
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def flowspec(capsys, tmp_path, monkeypatch, lock_at_once):
    """Runs a command line in this process, in `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def call(*argv):
        capsys.readouterr()
        code = int(run([str(word) for word in argv]))
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def start(tmp_path):
    """Starts a command line in a process of its own, in `tmp_path`."""
    started = []

    def call(*argv, **options):
        process = subprocess.Popen(
            [sys.executable, "-m", "flowspec", *map(str, argv)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        started.append(process)
        return process

    yield call
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def wordcount(tmp_path):
    """A copy of the example, so that its output does not land in the checkout."""
    return shutil.copytree(EXAMPLES / "wordcount", tmp_path / "wordcount", ignore=shutil.ignore_patterns("counts"))


@pytest.fixture
def prod(flowspec, wordcount, moto):
    """Runs a command on the example's target prod at an endpoint."""

    def call(command, *argv):
        return flowspec(command, wordcount / "job.yaml", "--target", "prod", "--endpoint-url", moto, *argv)

    return call


@pytest.fixture
def job(tmp_path):
    """Writes job.yaml: a small local job flow with the given steps (YAML text) and further lines."""

    def write(steps, more="", keep_alive="false", name="tiny"):
        path = tmp_path / "job.yaml"
        path.write_text(
            f"flowspec: v1\nname: {name}\ntargets: {{here: {{default: true, backend: local}}}}\n"
            f"release_label: emr-7.5.0\nkeep_alive: {keep_alive}\n{more}\n"
            "instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]\n"
            f"steps:\n{steps}\n"
        )
        return path

    return write
