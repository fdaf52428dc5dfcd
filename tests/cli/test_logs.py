"""`flowspec logs`: what it shows while a step runs, what it never shows, and when it ends."""

import json
import shutil
import subprocess
import sys

import pytest

SECRET = "variables: {pw: {type: string, sensitive: true, env: MY_PW}}\n"


@pytest.fixture
def secretive(job, monkeypatch):
    """A job of one bash step that gets a secret as its $0."""

    def write(script, secret):
        monkeypatch.setenv("MY_PW", secret)
        words = json.dumps(["bash", "-c", script, "{{ pw }}"])
        return job(f"  - {{name: s, type: command, args: {words}}}", SECRET)

    return write


def test_a_secret_that_is_written_in_two_pieces_is_not_shown(flowspec, start, secretive, tmp_path):
    go = tmp_path / "go"
    secretive(
        f'printf "pw: ${{0:0:7}}"; until [ -e {go} ]; do sleep 0.1; done; sleep 0.5; echo "${{0:7}} end"',
        "hunter2secret",
    )
    assert flowspec("apply", "job.yaml", "--detach").code == 0
    process = start("logs", "job.yaml", "-f", "--log", "stdout")
    assert process.stdout.read(4) == "pw: "  # the step has written more: this look has seen a part of the secret
    go.touch()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "(sensitive) end\n", "")


def test_a_letter_is_not_masked_for_that_would_tell_it(flowspec, secretive):
    secretive('echo "exit code $0 after $0 steps"', "3")
    flowspec("apply", "job.yaml")
    shown = flowspec("logs", "job.yaml", "--log", "stdout")
    assert shown.out == "exit code 3 after 3 steps\n"
    (log,) = json.loads(flowspec("logs", "job.yaml", "--log", "stdout", "--format", "json").out)["logs"].values()
    assert log == shown.out


def test_an_empty_log_is_called_so(flowspec, job):
    job("  - {name: s, type: command, args: ['true']}")
    flowspec("apply", "job.yaml")
    shown = flowspec("logs", "job.yaml", "--log", "stdout")
    assert (shown.code, shown.out) == (0, "")
    assert shown.err.startswith("note: stdout of s-")
    assert shown.err.endswith(" is empty\n")


def test_lines_of_a_secret_are_not_shown_after_a_failed_step(flowspec, secretive):
    key = "\n".join(["-----BEGIN KEY-----", "MIIEow1", "MIIEow2", "-----END KEY-----"])
    secretive('while read -r line; do echo "$line" >&2; echo "  $line"; sleep 0.1; done <<< "$0"; exit 3', key)
    done = flowspec("apply", "job.yaml")
    assert done.code == 4
    assert "    | (sensitive)" in done.err
    shown = [done, *(flowspec("logs", "job.yaml", *more) for more in ((), ("--format", "json"), ("-f",)))]
    for one in shown:
        assert [line for line in key.splitlines() if line in one.out + one.err] == []


@pytest.mark.parametrize("script", ["echo one; sleep 600", "while true; do echo one; sleep 0.1; done"])
def test_following_ends_when_nobody_reads_on(flowspec, start, job, script):
    job(f"  - {{name: slow, type: command, args: [bash, -c, '{script}']}}")
    assert flowspec("apply", "job.yaml", "--detach").code == 0
    process = start("logs", "job.yaml", "-f", "--log", "stdout")
    assert process.stdout.readline() == "one\n"
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == ""
    assert "RUNNING" in flowspec("status", "job.yaml").out
    flowspec("destroy", "job.yaml")


MEASURED = """
import resource, sys
from flowspec.cli import run

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

run(["logs", "job.yaml", "--log", "stderr"])
before = peak()
code = run(["logs", "job.yaml", "--log", "stdout"])
print(code, peak() - before, file=sys.stderr)
"""


def test_a_big_log_is_never_held_in_memory(flowspec, job, tmp_path):
    job("  - {name: big, type: command, args: [bash, -c, 'head -c 40000000 /dev/zero']}")
    assert flowspec("apply", "job.yaml").code == 0
    with (tmp_path / "shown").open("wb") as shown:
        done = subprocess.run(
            [sys.executable, "-c", MEASURED], cwd=tmp_path, stdout=shown, stderr=subprocess.PIPE, text=True, check=True
        )
    code, grown = done.stderr.splitlines()[-1].split()
    assert (int(code), (tmp_path / "shown").stat().st_size) == (0, 40_000_000)
    assert int(grown) < 15_000_000
    listed = flowspec("logs", "job.yaml", "--log", "stdout", "--format", "json")
    assert len(json.loads(listed.out)["logs"]["stdout"]) == 16 << 20
    assert listed.err.startswith("note: stdout: only the last 16 MiB; all of it: flowspec logs j-")
    assert flowspec(*listed.err.split("flowspec ")[1].split()).out.encode() == bytes(40_000_000)


def test_a_log_that_is_not_there_is_named(flowspec, job, own_home):
    job("  - {name: s, type: command, args: [echo, hello]}")
    flowspec("apply", "job.yaml")
    (stderr,) = own_home.rglob("stderr")
    stderr.unlink()
    shown = flowspec("logs", "job.yaml", "--log", "stdout", "--log", "stderr")
    step = json.loads(flowspec("status", "job.yaml", "--format", "json").out)["steps"][0]["id"]
    assert shown.out == "hello\n"
    assert shown.err == f"==> stdout of {step} <==\nnote: not there (yet): stderr of {step}\n"
    shutil.rmtree(stderr.parent)
    shown = flowspec("logs", "job.yaml")
    assert (shown.code, shown.out) == (1, "")
    assert shown.err == f"error: there are no logs of step {step}\n  {stderr.parent} is gone\n"


def test_after_a_bootstrap_failure_only_commands_that_answer_are_suggested(flowspec, job, tmp_path):
    (tmp_path / "install.sh").write_text("#!/bin/sh\necho no such package >&2\nexit 3\n")
    job(
        "  - {name: s, type: command, args: [echo, hello]}",
        "bootstrap_actions: [{name: tools, path: install.sh}]",
    )
    failed = flowspec("apply", "job.yaml", "--run-bootstrap")
    assert failed.code == 5
    assert "flowspec logs" not in failed.err
    refused = flowspec("logs", "job.yaml")
    message, remedy = refused.err.splitlines()
    assert message.startswith("error: there are no logs of step s-")
    cause, command = remedy.split("; for the cause: flowspec ")
    assert cause == "  the step never started"
    assert "no such package" in flowspec(*command.split()).out


@pytest.mark.parametrize("command", ["logs", "diagnose"])
def test_a_step_that_is_named_without_its_option(flowspec, command):
    refused = flowspec(command, "job.yaml", "count words")
    assert refused.code == 2
    assert "a step is named by its option, --step 'count words'" in refused.err


def test_of_a_step_that_was_run_again_the_latest_run_counts(flowspec, job, tmp_path):
    def step(more):
        return f"  - {{name: load, type: command, on_failure: CANCEL_AND_WAIT, args: [bash, -c, '{more}']}}"

    spec = job(
        f"{step('echo gone >&2; cat /not/there')}\n  - {{name: sum, type: command, args: [echo, summed]}}",
        keep_alive="true",
    )
    assert flowspec("apply", spec).code == 4
    try:
        assert "[file-missing]" in flowspec("diagnose", spec).out
        job(f"{step('echo corrected')}\n  - {{name: sum, type: command, args: [echo, summed]}}", keep_alive="true")
        assert flowspec("apply", spec, "--rerun", "load", "--rerun", "sum").code == 0
        failed, _, latest, _ = json.loads(flowspec("status", spec, "--format", "json").out)["steps"]
        named = flowspec("logs", spec, "--step", "load", "--log", "stdout")
        assert (named.code, named.out) == (0, "corrected\n")
        told = f"this is the latest step called load, {latest['id']} (COMPLETED); earlier: {failed['id']} (FAILED)"
        assert named.err == f"note: {told}\n"
        assert flowspec("logs", spec, "--log", "stdout").out == "summed\n"
        assert flowspec("logs", spec, "--step", failed["id"], "--log", "stderr").out.startswith("gone\n")
        assert flowspec("diagnose", spec).out.endswith("  Nothing has failed.\n")
        report = json.loads(flowspec("report", spec, "--format", "json").out)
        assert (report["outcome"], report["diagnosis"], report["failed"]) == ("succeeded", None, None)
        assert flowspec("wait", spec).code == 0
    finally:
        flowspec("destroy", spec)
