"""On a terminal there is a bar; elsewhere one line per state change and no control characters."""

import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from flowspec.cli import COMMANDS
from tests.endpoints import NIGHTLY, way_to_embedded
from tests.waiting import wait_until

BAR = "slow .*━"


def on_a_terminal(argv, cwd, *, stream="stderr", until="", **environment):
    """Runs a command with a terminal for its `stream` and gives (exit status, what the terminal was sent).

    When the terminal was sent what `until` matches, there is a file `go`, for which a step may wait.
    """
    ours, theirs = pty.openpty()
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: theirs}
    process = subprocess.Popen(argv, cwd=cwd, env={**os.environ, "TERM": "xterm", **environment}, **streams)
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 65536):
            seen += chunk
            if until and re.search(until, seen.decode(errors="replace")):
                (cwd / "go").touch()
    except OSError:
        # EIO: the last one who had the terminal open has closed it.
        pass
    finally:
        if until:
            (cwd / "go").touch()
        os.close(ours)
    return process.wait(timeout=60), seen.decode()


@pytest.fixture
def slow(job, tmp_path):
    """A job whose step runs until there is a file `go`, a minute at most."""
    script = f"for _ in $(seq 600); do test -e {tmp_path}/go && exit; sleep 0.1; done"
    return job(f"  - {{name: slow, type: command, args: [bash, -c, '{script}']}}")


def test_a_bar_on_a_terminal(slow, tmp_path):
    code, seen = on_a_terminal([sys.executable, "-m", "flowspec", "apply", "job.yaml"], tmp_path, until=BAR)
    assert code == 0
    assert re.search(r"slow .*\x1b\[.*m━", seen), "a bar, in colour"
    assert "%" not in seen, "nobody knows how far a command is"
    assert re.search(r"step s-\w+ slow: COMPLETED", seen)


def test_the_bar_of_a_step_that_is_watched_again_shows_how_long_it_runs(tmp_path):
    """In a colour that does not say that it failed."""
    script = """
from datetime import datetime, timedelta, timezone
from flowspec.backend.aws.events import StepChanged
from flowspec.cli.follow import _show_progress
from flowspec.plan.cluster import Step
started = datetime.now(timezone.utc) - timedelta(hours=3)
list(_show_progress([StepChanged(Step("s-1", "slow", "RUNNING", "CONTINUE", started=started))], frozenset()))
"""
    code, seen = on_a_terminal([sys.executable, "-c", script], tmp_path, TERM="xterm-256color")
    assert code == 0
    assert re.search(r"slow .*━.*3:00:\d\d", seen)
    assert "38;5;197m" not in seen


def test_no_color(slow, tmp_path):
    command = [sys.executable, "-m", "flowspec", "apply", "job.yaml"]
    code, seen = on_a_terminal(command, tmp_path, until=BAR, NO_COLOR="1")
    assert code == 0
    assert re.search(BAR, seen)
    assert not re.search(r"\x1b\[[\d;]*3\dm", seen), "no colours (SGR 30 to 39)"


@pytest.mark.parametrize(("terminal", "painted"), [("xterm", True), ("dumb", False)])
def test_a_dumb_terminal_gets_no_escape_sequences(tmp_path, terminal, painted):
    command = [sys.executable, "-m", "flowspec", "explain", "FS204"]
    code, seen = on_a_terminal(command, tmp_path, stream="stdout", TERM=terminal)
    assert code == 0
    assert ("\x1b" in seen) is painted


@pytest.mark.parametrize(("stream", "painted"), [("stdout", True), ("stderr", False)])
def test_results_of_cases_are_in_colour_where_they_are_shown(tmp_path, stream, painted):
    (tmp_path / "tests/wrong").mkdir(parents=True)
    (tmp_path / "tests/wrong/case.yaml").touch()
    code, seen = on_a_terminal([sys.executable, "-m", "flowspec", "test"], tmp_path, stream=stream)
    assert code == 2
    assert ("\x1b[31minvalid" in seen) is painted


PLAN = ("plan", "job.yaml", "--offline")


@pytest.mark.parametrize(
    ("argv", "stream", "environment", "painted"),
    [
        (PLAN, "stdout", {}, True),
        (PLAN, "stdout", {"NO_COLOR": "1"}, False),
        (PLAN, "stdout", {"TERM": "dumb"}, False),
        (PLAN, "stderr", {}, False),
        ((*PLAN, "--format", "markdown"), "stdout", {}, False),
        (("plan", ".", "--offline"), "stdout", {}, True),
        (("apply", "job.yaml"), "stderr", {}, True),
    ],
)
def test_the_marks_of_a_plan_are_in_colour_where_it_is_shown(job, tmp_path, argv, stream, environment, painted):
    job("  - {name: quick, type: command, args: ['true']}")
    code, seen = on_a_terminal([sys.executable, "-m", "flowspec", *argv], tmp_path, stream=stream, **environment)
    assert code == 0
    marks = {"\x1b[32m+\x1b[0m cluster", "\x1b[32m>\x1b[0m step quick"}
    assert {one for one in marks if one in seen} == (marks if painted else set())
    assert painted or "\x1b[32m" not in seen


@pytest.mark.parametrize("width", [24, 40, 60])
def test_a_narrow_terminal(job, tmp_path, width):
    """The line of a step stays one line, and the maps and reduces are shown as far as they fit."""
    (tmp_path / "wait.sh").write_text(f"#!/bin/sh\nwhile [ ! -e {tmp_path}/go ]; do sleep 0.05; done\ncat\n")
    (tmp_path / "in.txt").write_text("a\n")
    name = "count the words of all of the texts"
    job(f"  - {{name: {name}, type: streaming, mapper: cat, reducer: wait.sh, input: in.txt, output: out}}")
    command = [sys.executable, "-m", "flowspec", "apply", "job.yaml"]
    code, seen = on_a_terminal(command, tmp_path, until="map 100% r", COLUMNS=str(width), NO_COLOR="1")
    assert code == 0
    frames = [line for line in re.split(r"\r|\n|\x1b\[[\d;?]*[A-Za-z]", seen) if re.search("map 100% r", line)]
    assert frames
    assert max(map(len, frames)) <= width
    assert all(re.match("count", frame) for frame in frames)
    # What happened is a line of its own, however long: the terminal wraps it.
    assert re.search(rf"step s-\w+ {name}: COMPLETED in [^\r\n]+\r\n", seen)


@pytest.mark.parametrize("words", [("-q", "apply"), ("apply", "-q")])
def test_quiet(flowspec, job, words):
    job("  - {name: quick, type: command, args: ['true']}")
    done = flowspec(*words, "job.yaml")
    assert done.code == 0
    assert done.err == ""
    assert "SUCCEEDED" in done.out.upper()
    loud = flowspec("apply", "job.yaml")
    assert "quick: COMPLETED" in loud.err, "the option is that of one command line"


def test_quiet_keeps_warnings_and_errors(flowspec, job):
    # Concurrent steps with an action on failure other than CONTINUE have a warning (FS249).
    job("  - {name: bad, type: command, args: ['false'], on_failure: TERMINATE_CLUSTER}", "step_concurrency_level: 2")
    warned = flowspec("validate", "job.yaml", "-q")
    assert "warning[" in warned.err
    assert flowspec("validate", "job.yaml", "-qq").err == ""
    failed = flowspec("apply", "job.yaml", "-qqq")
    assert failed.code == 4
    assert "bad" in failed.err
    assert "warning[" not in failed.err
    assert "RUNNING" not in failed.err


def test_quiet_keeps_what_was_not_done(flowspec, job):
    """Of releases before 5.28.0 EMR cancels pending steps only."""
    more = "  - {name: more, type: command, args: [sleep, '600'], on_failure: CONTINUE}"
    path = job(
        f"  - {{name: long, type: command, args: [sleep, '600'], on_failure: CONTINUE}}\n{more}", keep_alive="true"
    )
    path.write_text(path.read_text().replace("emr-7.5.0", "emr-5.20.0"))
    id_ = flowspec("apply", path, "--detach").out.strip()
    try:
        wait_until(lambda: "long: RUNNING" in flowspec("status", id_).out)
        path.write_text(re.sub(".*name: long.*\n", "", path.read_text()))
        apply = ("apply", path, "--detach", "--cancel-removed")
        assert re.fullmatch(r"step s-\w+ long is not cancelled: Cannot cancel .*\n", flowspec(*apply, "-q").err)
        assert flowspec(*apply, "-qq").err == ""
    finally:
        flowspec("destroy", id_, "--detach")


def test_quiet_says_an_error_of_usage(flowspec):
    done = flowspec("validate", "-qq", "nothing.yaml")
    assert done.code == 2
    assert "nothing.yaml" in done.err


def test_every_command_has_quiet(flowspec):
    for command in (*COMMANDS, ("steps", "add"), ("emulator", "prune")):
        words = (command,) if isinstance(command, str) else command
        assert "-q, --quiet" in flowspec(*words, "--help").out, words


def test_lines_elsewhere(start, job):
    job("  - {name: quick, type: command, args: ['true']}")
    process = start("apply", "job.yaml")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "\x1b" not in err
    changes = re.findall(r"^(cluster|step) [js]-\w+(?: quick)?: (\w+)", err, re.MULTILINE)
    states = [state for _, state in changes]
    # TERMINATING lasts some milliseconds here, and is seen or not.
    assert [state for state in states if state != "TERMINATING"][-2:] == ["COMPLETED", "TERMINATED"]
    # On a slow machine the step is seen RUNNING, as the cluster is.
    assert len(changes) == len(set(changes)), "one line for each change"


def start_on_own_terminal(argv, cwd, *, hang_up):
    """Starts a command as the leader of a session, to which SIGHUP is sent when its terminal is closed.

    Returns its process id and the terminal; with SIG_IGN for `hang_up` it is ignored, as below nohup.
    """
    pid, terminal = pty.fork()
    if not pid:
        signal.signal(signal.SIGHUP, hang_up)
        os.chdir(cwd)
        os.execve(sys.executable, [sys.executable, "-m", "flowspec", *argv], {**os.environ, "TERM": "xterm"})
    return pid, terminal


def exit_code(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_terminal_that_is_closed_leaves_no_lock(tmp_path, credentials):
    spec = f"{NIGHTLY}keep_alive: true\ninstance_groups: [{{role: MASTER, type: m5.xlarge, count: 1}}]\n"
    (tmp_path / "job.yaml").write_text(spec)
    with way_to_embedded(tmp_path / "emr") as way:
        argv = ("apply", "job.yaml", "--skip-preflight", "--detach", "--endpoint-url", way.url)
        assert exit_code(start_on_own_terminal(argv, tmp_path, hang_up=signal.SIG_DFL)[0]) == 0
        (tmp_path / "job.yaml").write_text(f"{spec}termination_protected: true\n")
        way.faults["SetTerminationProtection"] = ["slow"]
        pid, terminal = start_on_own_terminal(argv, tmp_path, hang_up=signal.SIG_DFL)
        assert way.waiting.wait(60)
        os.close(terminal)
        # The shell tells of it, too.
        os.kill(pid, signal.SIGHUP)
        assert exit_code(pid) == 130
        way.released.set()
        (cluster,) = way.service.call("ListClusters", {})["Clusters"]
        tags = way.service.call("DescribeCluster", {"ClusterId": cluster["Id"]})["Cluster"]["Tags"]
    assert "flowspec:lock" not in {tag["Key"] for tag in tags}


def test_a_terminal_that_is_closed_below_nohup_leaves_the_verdict(slow, tmp_path):
    pid, terminal = start_on_own_terminal(["apply", "job.yaml"], tmp_path, hang_up=signal.SIG_IGN)
    seen = b""
    while not re.search(BAR, seen.decode(errors="replace")):
        seen += os.read(terminal, 65536)
    os.close(terminal)
    (tmp_path / "go").touch()
    assert exit_code(pid) == 0


# Behind Ctrl-C a Ctrl-D, which ends the read if the signal came before it began.
@pytest.mark.parametrize("keys", [b"\x03\x04", b"\x04"])
@pytest.mark.parametrize(
    ("argv", "question"),
    [
        (["init"], "Template .*: "),
        (["init", "--template", "streaming"], "[Nn]ame.*: "),
        (["migrate", "launch.py"], r"Run it\? .*: "),
    ],
)
def test_an_interrupted_question_ends_its_line(tmp_path, argv, question, keys):
    """The shell's next prompt was on the same line."""
    (tmp_path / "launch.py").touch()
    pid, terminal = start_on_own_terminal(argv, tmp_path, hang_up=signal.SIG_DFL)
    seen = b""
    while not re.search(question, seen.decode(errors="replace")):
        seen += os.read(terminal, 65536)
    os.write(terminal, keys)
    with suppress(OSError):
        while chunk := os.read(terminal, 65536):
            seen += chunk
    os.close(terminal)
    assert (exit_code(pid), seen.endswith(b"\n")) == (130, True), seen
