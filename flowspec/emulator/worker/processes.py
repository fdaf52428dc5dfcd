"""Processes that can be found again, and ended, by someone who did not start them.

A step runs as the leader of a session and process group of its own, so that a signal reaches all it has
started. Before it becomes the step's program, the new process writes down who it is (its pid, and a token
that tells it from a later process with the same pid). So the note is there whenever the process is, even
if the worker is killed in between.

What leaves that session (setsid, a daemon) is found on Linux in two more ways. All that a cluster's worker
starts carries the cluster's id in its environment, where /proc shows it; and the worker adopts what loses
its parent, so that as long as it lives not even a wiped environment hides a process. Elsewhere only the
session is found.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

CLUSTER_ID = "FLOWSPEC_CLUSTER_ID"
"""The variable that the worker of a cluster has in its environment, and with it all that it starts."""

STEP_ID = "FLOWSPEC_STEP_ID"
"""The variable that all processes of a step have beyond that."""

_ON_LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
# After SIGKILL a process is gone at once, unless the kernel is busy for it (a hanging disk).
_PATIENCE = 3.0


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
        pid = int(pid_text)
    except (OSError, ValueError):
        return
    if pid <= 1:  # a step has written over its note: to signals, such numbers mean us, or everyone
        return
    present = identity(pid)
    # A number that stands for a group is not given to a new process as long as the group has members. So
    # where the leader is gone, the group is ours or empty; where it is another process, ours is gone whole.
    if present is None or present == token:
        try:
            os.killpg(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return


def kill_marked(variable: str, value: str) -> None:
    """Kills, on Linux, every process of this user that was started with `variable=value`, but not this one."""
    mark = f"{variable}={value}".encode()
    _kill_all(lambda: (pid for pid in _own_processes() if mark in _environment(pid)))


def adopt_orphans() -> None:
    """On Linux, makes this process the parent of every descendant that loses its own."""
    if _ON_LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def collect_adopted(started: Collection[int]) -> None:
    """Takes in the ends of adopted children. Those in `started` are left to who waits for them."""
    if not _ON_LINUX:
        return
    with suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and ended.si_pid not in started:
            os.waitpid(ended.si_pid, 0)


def kill_adopted() -> None:
    """Kills this process's children, and theirs as they are adopted; but not the workers of other clusters.

    A step may well start a cluster; that one does not end with the step's.
    """
    me = os.getpid()
    _kill_all(lambda: (pid for pid in _own_processes() if _parent(pid) == me and not _is_of_a_cluster(pid)))


def _is_of_a_cluster(pid: int) -> bool:
    return any(entry.startswith(f"{CLUSTER_ID}=".encode()) for entry in _environment(pid))


def _kill_all(find: Callable[[], Iterator[int]]) -> None:
    """Kills what `find` gives until it gives nothing: a process may fork while it is looked for."""
    deadline = time.monotonic() + _PATIENCE
    while (found := list(find())) and time.monotonic() < deadline:
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def _own_processes() -> Iterator[int]:
    """The pids of this user's other processes; none where there is no Linux /proc."""
    with suppress(OSError), os.scandir("/proc") as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.name.isdigit() and entry.stat().st_uid == os.getuid() and int(entry.name) != os.getpid():
                    yield int(entry.name)


def _environment(pid: int) -> list[bytes]:
    """The environment that a process was started with; empty for one that has ended."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _parent(pid: int) -> int | None:
    """The parent of a process; None for one that has ended."""
    try:
        state, parent = _stat(pid)[:2]
    except OSError:
        return None
    return None if state == "Z" else int(parent)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on, the state; the second, a name, may hold anything (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()


def identity(pid: int) -> str | None:
    """What tells a process from a later one with the same pid; None when there is no such process."""
    if _ON_LINUX:
        return _identity_in_proc(pid)
    shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return "_".join(shown.split()) or None


def _identity_in_proc(pid: int) -> str | None:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{_stat(pid)[19]}"
    except OSError:
        return None


def _before_exec(note: Path) -> Callable[[], None]:
    die_with_parent = _parent_death_signal()

    def prepare() -> None:
        os.setsid()
        die_with_parent()
        note.write_text(f"{os.getpid()} {identity(os.getpid())}\n")

    return prepare


def _parent_death_signal() -> Callable[[], object]:
    """On Linux, has the kernel end the process when its parent is killed; elsewhere the reaper comes later."""
    if not _ON_LINUX:
        return lambda: None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
