"""Processes that can be found again, and ended, by someone who did not start them.

A step runs as the leader of a session and process group of its own, so that a signal reaches all it has
started. Before it becomes the step's program, the new process writes down who it is (its pid, and a token
that tells it from a later process with the same pid). So the note is there whenever the process is, even
if the worker is killed in between.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def start(
    argv: Sequence[str],
    *,
    note: Path,
    folder: Path,
    stdout: Path,
    stderr: Path,
    environment: Mapping[str, str],
) -> subprocess.Popen[bytes]:
    """Starts a process in `folder` with a session of its own, and has it noted in the file `note`.

    Raises OSError if it can't be started.
    """
    with stdout.open("ab") as out, stderr.open("ab") as err:
        try:
            # The workers have one thread, so that code between fork and exec is safe here.
            return subprocess.Popen(
                argv,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=dict(environment),
                preexec_fn=_before_exec(note),  # noqa: PLW1509
            )
        except subprocess.SubprocessError as error:
            raise OSError(f"the process could not be noted in {note} (is there space left on the device?)") from error


def send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Sends a signal to the process and all of its group. That it has ended is no error."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        # PermissionError: macOS says so of a group in which only zombies are left.
        return


def forget_if_gone(process: subprocess.Popen[bytes], note: Path) -> None:
    """Removes the note of a process that has ended, unless others of its group live on."""
    try:
        os.killpg(process.pid, 0)
    except (ProcessLookupError, PermissionError):
        note.unlink(missing_ok=True)


def kill_noted(note: Path) -> None:
    """Kills what is left of the group whose leader is noted in the file; never a stranger with its number."""
    try:
        pid_text, token = note.read_text().split()
    except (OSError, ValueError):
        return
    pid = int(pid_text)
    present = identity(pid)
    # A number that stands for a group is not given to a new process as long as the group has members. So
    # where the leader is gone, the group is ours or empty; where it is another process, ours is gone whole.
    if present is None or present == token:
        try:
            os.killpg(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return


def identity(pid: int) -> str | None:
    """What tells a process from a later one with the same pid; None when there is no such process."""
    if sys.platform == "linux":
        return _identity_in_proc(pid)
    shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return "_".join(shown.split()) or None


def _identity_in_proc(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    # proc(5): the name, in parentheses, may hold anything; the start time is the 20th field after it.
    return f"{boot}:{stat.rpartition(')')[2].split()[19]}"


def _before_exec(note: Path) -> Callable[[], None]:
    die_with_parent = _parent_death_signal()

    def prepare() -> None:
        os.setsid()
        die_with_parent()
        note.write_text(f"{os.getpid()} {identity(os.getpid())}\n")

    return prepare


def _parent_death_signal() -> Callable[[], object]:
    """On Linux, has the kernel end the process when its parent is killed; elsewhere the reaper comes later."""
    if sys.platform != "linux":
        return lambda: None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
