"""On a terminal there is a bar; elsewhere one line per state change and no control characters."""

import os
import pty
import re
import subprocess
import sys


def on_a_terminal(argv, cwd, *, stream="stderr", **environment):
    """Runs a command with a terminal for its `stream` and gives (exit status, what the terminal was sent)."""
    ours, theirs = pty.openpty()
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: theirs}
    process = subprocess.Popen(argv, cwd=cwd, env={**os.environ, "TERM": "xterm", **environment}, **streams)
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 65536):
            seen += chunk
    except OSError:
        # EIO: the last one who had the terminal open has closed it.
        pass
    finally:
        os.close(ours)
    return process.wait(timeout=30), seen.decode()


def test_a_bar_on_a_terminal(job, tmp_path):
    job("  - {name: slow, type: command, args: [sleep, '0.5']}")
    code, seen = on_a_terminal([sys.executable, "-m", "flowspec", "apply", "job.yaml"], tmp_path)
    assert code == 0
    assert re.search(r"slow .*\x1b\[.*━.*%", seen), "a bar, in colour"
    assert re.search(r"step s-\w+ slow: COMPLETED", seen)


def test_lines_elsewhere(start, job):
    job("  - {name: quick, type: command, args: ['true']}")
    process = start("apply", "job.yaml")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "\x1b" not in err
    states = re.findall(r"^(?:cluster j-\w+|step s-\w+ quick): (\w+)", err, re.MULTILINE)
    # TERMINATING lasts some milliseconds here, and is seen or not.
    assert [state for state in states if state != "TERMINATING"][-2:] == ["COMPLETED", "TERMINATED"]
    assert len(states) == len(set(states)), "one line for each change"
