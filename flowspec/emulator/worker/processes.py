"""Starts processes so that another process can find and kill them later.

A step runs as the leader of its own session and process group, so that a signal reaches all of its children.
Between fork and exec the new process writes a pid file: its pid, and a token that distinguishes it from a
later process with the same pid. So the pid file exists whenever the process does, even if the worker is
killed in between.

Processes that leave the session (setsid, daemons) are found on Linux in two more ways: all processes started
by a cluster's worker have the cluster's id in their environment, visible in /proc; and the worker is a child
subreaper, so that while it lives it finds even processes that cleared their environment. On other systems
only the session is found.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from flowspec.engines.linux import CLUSTER_WORKER, adopt_orphans, die_with_parent, is_cluster_worker, name_process

CLUSTER_ID = "FLOWSPEC_CLUSTER_ID"
"""Environment variable of a cluster's worker and all of its descendants."""

STEP_ID = "FLOWSPEC_STEP_ID"
"""Environment variable of all processes of a step."""

_ON_LINUX = sys.platform == "linux"
_STEP_NAME = b"flowspec-step"
# Seconds to wait for killed processes: usually milliseconds, but uninterruptible disk waits (state D) can last.
_KILL_TIMEOUT_SECONDS = 3.0


class Process(Protocol):
    """A child process: a `subprocess.Popen`, or a fork of the worker."""

    pid: int

    def poll(self) -> int | None:
        """Returns the exit status, minus N after signal N; None while it runs."""


class Place(NamedTuple):
    """The files and the environment of a process: its pid file `note`, its working directory, its output."""

    note: Path
    folder: Path
    stdout: Path
    stderr: Path
    environment: Mapping[str, str]


def start(argv: Sequence[str], place: Place) -> subprocess.Popen[bytes]:
    """Starts a process with its own session, which writes its pid file. Raises OSError if it can't be started."""
    with place.stdout.open("ab") as out, place.stderr.open("ab") as err:
        try:
            # Python code between fork and exec is safe only in a single-threaded process; workers are.
            return subprocess.Popen(
                argv,
                cwd=place.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=dict(place.environment),
                preexec_fn=_before_exec(place.note),  # noqa: PLW1509
            )
        except subprocess.SubprocessError as error:
            raise no_pid_file(place.note) from error


def no_pid_file(note: Path) -> OSError:
    """Returns the error for a process that could not write its pid file."""
    return OSError(f"the pid file {note} could not be written (is the disk full?)")


def send(process: Process, number: signal.Signals) -> None:
    """Sends a signal to the process group of a process; does nothing if it has ended."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        # macOS raises PermissionError for a group of zombies only.
        return


def forget_if_gone(process: Process, note: Path) -> None:
    """Removes the pid file of an ended process, unless other processes of its group still run."""
    try:
        os.killpg(process.pid, 0)
    except (ProcessLookupError, PermissionError):
        with suppress(OSError):  # the step may have put something else there
            note.unlink()


def kill_noted(note: Path) -> None:
    """Kills the process group whose leader is in the pid file; never an unrelated process that reused the pid."""
    if note.is_fifo():  # the step has put it there, and opening it would block
        return
    try:
        pid_text, token = note.read_text().split()
        pid = int(pid_text)
    except (OSError, ValueError):
        return
    if pid <= 1:  # overwritten by the step: killpg(0) is our own group, killpg(1) every process we may signal
        return
    present = identity(pid)
    # The kernel does not reuse a pid while a process group has that id. So if no process has the pid, the group
    # is ours or empty; if a process with another token has it, our group has ended.
    if present is None or present == token:
        try:
            os.killpg(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return


def kill_marked(variable: str, value: str) -> None:
    """Kills (on Linux) all other processes of this user that have `variable=value` in their environment."""
    mark = f"{variable}={value}".encode()
    _kill_all(lambda: (pid for pid in _own_processes() if mark in _environment(pid)))


def worker_environment(cluster_id: str, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the environment of a cluster's worker, made from `environ` (default: this process's)."""
    # If a step of another cluster creates this one, the worker is not a process of that step.
    own = {name: value for name, value in (environ or os.environ).items() if name != STEP_ID}
    return {**own, CLUSTER_ID: cluster_id}


def become_worker() -> None:
    """Makes this process adopt orphans, and gives it the name by which workers that a step started are spared."""
    adopt_orphans()
    name_process(CLUSTER_WORKER)


def become_step(note: Path, worker: int) -> None:
    """Makes a fork of the process `worker`, which leads a session of its own, the process of a step.

    `note` is the step's pid file. The process keeps the worker's environment in /proc, but not its name, by which
    workers are spared.
    """
    name_process(_STEP_NAME)
    die_with_parent(worker)
    _write_note(note)


def is_marked_by_another_cluster() -> bool:
    """Returns whether the end of another cluster would kill the forks of this worker: a step of it ran `flowspec`."""
    own = f"{CLUSTER_ID}={os.environ.get(CLUSTER_ID)}".encode()
    marks = [entry for entry in _environment(os.getpid()) if entry.startswith(f"{CLUSTER_ID}=".encode())]
    return any(mark != own for mark in marks)


def collect_adopted(started: Collection[int]) -> None:
    """Reaps ended adopted children, except those in `started`, whose Popen objects reap them."""
    if not _ON_LINUX:
        return
    with suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and ended.si_pid not in started:
            os.waitpid(ended.si_pid, 0)


def kill_adopted() -> None:
    """Kills this process's children, and their children as they are adopted.

    Processes of other clusters are spared: a step may create a cluster, which outlives the step's cluster.
    """
    me = os.getpid()
    _kill_all(lambda: (pid for pid in _own_processes() if _parent(pid) == me and not _is_of_a_cluster(pid)))


def _is_of_a_cluster(pid: int) -> bool:
    return any(entry.startswith(f"{CLUSTER_ID}=".encode()) for entry in _environment(pid))


def _kill_all(find: Callable[[], Iterator[int]]) -> None:
    """Kills the processes that `find` yields, repeatedly: a process may fork during the search."""
    deadline = time.monotonic() + _KILL_TIMEOUT_SECONDS
    while (found := [pid for pid in find() if not is_cluster_worker(pid)]) and time.monotonic() < deadline:
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def _own_processes() -> Iterator[int]:
    """Yields the pids of this user's other processes; none without a Linux /proc."""
    with suppress(OSError), os.scandir("/proc") as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.name.isdigit() and entry.stat().st_uid == os.getuid() and int(entry.name) != os.getpid():
                    yield int(entry.name)


def _environment(pid: int) -> list[bytes]:
    """Returns the environment with which a process was started; empty if it has ended."""
    try:
        return _read(f"/proc/{pid}/environ").split(b"\0")
    except OSError:
        return []


def _parent(pid: int) -> int | None:
    """Returns the pid of a process's parent; None if it has ended."""
    try:
        state, parent = _stat(pid)[:2]
    except OSError:
        return None
    return None if state == "Z" else int(parent)


def _stat(pid: int) -> list[str]:
    """Returns the fields of /proc/PID/stat after the command name, which may contain any character (proc(5))."""
    return _read(f"/proc/{pid}/stat").decode(errors="replace").rpartition(")")[2].split()


def _read(file: str) -> bytes:
    # Without a Path, whose making takes longer than reading such a file: hundreds are read when a cluster ends.
    with open(file, "rb", buffering=0) as stream:  # noqa: PTH123
        return stream.read()


def identity(pid: int) -> str | None:
    """Returns a token that differs for a later process with the same pid; None if there is no such process."""
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
    worker = os.getpid()

    def prepare() -> None:
        os.setsid()
        die_with_parent(worker)
        _write_note(note)

    return prepare


def _write_note(note: Path) -> None:
    note.write_text(f"{os.getpid()} {identity(os.getpid())}\n")
