"""Ctrl-C and SIGTERM: while modules are imported, and while RunJobFlow has no answer, when a cluster may run."""

import json
import re
import signal
import subprocess
import sys

import pytest

from tests.endpoints import NIGHTLY

SPEC = (
    NIGHTLY
    + """\
instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]
steps: [{name: one, type: command, args: ["true"]}]
"""
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_cluster_can_be_found(start, faulty, tmp_path, number):
    (tmp_path / "job.yaml").write_text(SPEC)
    faulty.way.faults["RunJobFlow"] = ["slow"]
    process = start("apply", "job.yaml", "--skip-preflight", "--endpoint-url", faulty.way.url)
    assert faulty.way.waiting.wait(60)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    (summary,) = faulty.pages("ListClusters", "Clusters")
    tags = faulty.call("DescribeCluster", ClusterId=summary["Id"])["Cluster"]["Tags"]
    submission = next(tag["Value"] for tag in tags if tag["Key"] == "flowspec:submission")
    assert f"its tag is flowspec:submission={submission}" in err.lower()
    assert re.search(r"flowspec status .*job\.yaml", err)
    assert "Traceback" not in err


# Interrupts the import of a module.
INTERRUPTING = """
import sys

class Interrupting:
    def find_spec(self, name, *_):
        if name == {module!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
{then}
"""
AS_A_PROGRAM = 'import runpy; runpy.run_module("flowspec", run_name="__main__", alter_sys=True)'


def interrupted_at(module, then, **options):
    """Runs Python code in a process, in which the import of a module is interrupted."""
    command = [sys.executable, "-c", INTERRUPTING.format(module=module, then=then)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


# Imports of a command: the first one after the entry point's own, and one in the middle of many.
@pytest.mark.parametrize("module", ["flowspec.cli", "click.core"])
def test_an_interrupt_while_modules_are_imported_is_no_traceback(module):
    done = interrupted_at(module, AS_A_PROGRAM)
    assert (done.returncode, done.stderr) == (130, "")


def test_all_that_a_run_needs_is_imported_before_it_is_begun(flowspec, job, tmp_path):
    job("  - {name: quick, type: command, args: ['true']}", "hooks: {on_end: [{command: [touch, told]}]}")
    then = "from flowspec.cli import main; sys.argv[1:] = ['apply', 'job.yaml']; main()"
    done = interrupted_at("flowspec.backend.aws.runs.hooks", then, cwd=tmp_path)
    assert done.returncode == 130
    assert json.loads(flowspec("list", "--all", "--format", "json").out) == []


def test_an_interrupt_after_the_end_of_a_run_leaves_its_exit_code(flowspec, job, monkeypatch):
    job("  - {name: one, type: command, args: ['true']}\n  - {name: two, type: command, args: ['false']}")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("flowspec.cli.follow.counters_of", interrupt)
    done = flowspec("apply", "job.yaml")
    assert done.code == 4
    assert "note: the steps' counters could not be read: interrupted\n" in done.err


def test_nothing_is_imported_before_an_interrupt_has_its_exit_code():
    code = "import sys, flowspec.__main__; print(*[name for name in sys.modules if name.startswith('flowspec')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["flowspec", "flowspec.__main__"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("command", "code"), [("explain FS104", 0), ("validate gone.yaml", 2)])
def test_an_interrupt_during_an_exit_handler_does_not_change_the_exit_code(number, command, code):
    script = f"""
import atexit, os, sys
from flowspec.__main__ import main

atexit.register(print, "the handler ran")
atexit.register(os.kill, os.getpid(), {int(number)})
sys.argv[1:] = {command.split()!r}
main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert done.stdout.endswith("the handler ran\n")


def test_ctrl_c_pressed_twice_while_modules_are_imported():
    again = "import atexit, os, signal; atexit.register(os.kill, os.getpid(), signal.SIGINT)"
    done = interrupted_at("flowspec.cli", f"{again}\n{AS_A_PROGRAM}")
    assert (done.returncode, done.stderr) == (130, "")
