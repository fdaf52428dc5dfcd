"""Starts the processes of steps and bootstrap actions, and writes their controller logs.

`start_step` and `start_bootstrap` return a `Running`; `finish` records its exit. A process that can't be started
is a failed step like any other: the reason is in its logs.
"""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flowspec.emulator.state import paths
from flowspec.emulator.state.answers import properties
from flowspec.emulator.state.store import Record
from flowspec.emulator.worker import forking, logs, processes
from flowspec.emulator.worker.processes import Process
from flowspec.emulator.worker.s3_sync_wrapper import s3_root, wrapped
from flowspec.engines import Command, command_for, work_of
from flowspec.engines.exit_status import as_in_shell
from flowspec.engines.paths import split_uri
from flowspec.engines.shebang import with_interpreter
from flowspec.errors import FlowspecError, sentence_of
from flowspec.facts.uris import S3_SCHEMES

GRACE_SECONDS = 5.0
"""Time between SIGTERM and SIGKILL."""


@dataclass
class Running:
    """A process, its folder (with its pid file) and its log folder.

    `shown` is the command in the controller log, `started` a monotonic time, `signalled` whether it was asked to end.
    """

    process: Process
    folder: Path
    logs: Path
    shown: str
    started: float
    signalled: bool = False

    def exit_code(self) -> int | None:
        """Returns the exit status as in a shell (128 + signal), None while the process runs."""
        code = self.process.poll()
        return None if code is None else as_in_shell(code)

    def terminate(self) -> None:
        """Sends SIGTERM to the process group, once."""
        if not self.signalled:
            processes.send(self.process, signal.SIGTERM)
            self.signalled = True

    def kill(self) -> None:
        """Sends SIGKILL to the process group."""
        processes.send(self.process, signal.SIGKILL)
        self.signalled = True


class CannotStart(Exception):
    """The process of a step or bootstrap action could not be started; the text is the reason."""


def start_step(home: Path, cluster: Record, step: Record) -> Running:
    """Starts a step's process in a new working directory. Raises CannotStart."""
    folder = paths.step_folder(home, cluster.id, step.id)
    live = paths.step_logs(home, cluster.id, step.id)
    scratch = paths.scratch(home, step.id)
    jar = step.doc["jar"]
    with _cannot_start():
        _make_folders(folder / "work", live, logs.STEP_LOGS)
        scratch.mkdir(parents=True)
        logs.write_controller(live, f"INFO Ensure step jar file {jar['Jar']}")
        command = command_for(
            jar["Jar"],
            jar.get("MainClass"),
            jar.get("Args", []),
            s3_root=s3_root(home, cluster),
            hdfs_root=paths.hdfs_root(home, cluster.id),
            syslog=live / "syslog",
            properties=properties(step),
            configurations=cluster.doc["request"].get("Configurations", ()),
        )
        main_class = [jar["MainClass"]] if jar.get("MainClass") else []
        shown = shlex.join([jar["Jar"], *main_class, *jar.get("Args", [])])
        own = {processes.STEP_ID: step.id, "TMPDIR": str(scratch)}
        command = command._replace(environment={**command.environment, **own})
        texts = [jar["Jar"], *jar.get("Args", []), *properties(step).values()]
        return _start_process(wrapped(command, home, cluster, live, texts), folder, live, shown)


def start_bootstrap(home: Path, cluster: Record, number: int) -> Running:
    """Starts the cluster's bootstrap action `number` (from 1). Raises CannotStart."""
    script = cluster.doc["request"]["BootstrapActions"][number - 1]["ScriptBootstrapAction"]
    folder = paths.bootstrap_folder(home, cluster.id, number)
    with _cannot_start():
        _make_folders(folder / "work", folder, logs.BOOTSTRAP_LOGS)
        _refuse_empty_key_part(script["Path"])
        path = paths.resolve_uri(s3_root(home, cluster), script["Path"])
        if not cluster.doc.get("s3_url") and not path.is_file():
            raise CannotStart(f"{script['Path']}: there is no such file ({path})")
        argv = (str(path), *script.get("Args", []))
        command = wrapped(
            Command(argv, is_script=True), home, cluster, folder, [script["Path"], *script.get("Args", [])]
        )
        return _start_process(command, folder, folder, shlex.join(argv))


@contextmanager
def _cannot_start() -> Iterator[None]:
    """Turns errors about a command, a path or the file system into CannotStart."""
    try:
        yield
    except (FlowspecError, OSError) as error:
        raise CannotStart(sentence_of(error)) from error


def _refuse_empty_key_part(uri: str) -> None:
    """Raises CannotStart for s3://b//k: EMR fetches that very key, which is not s3://b/k (Hadoop's paths are)."""
    scheme, _, key = split_uri(uri)
    if scheme in S3_SCHEMES and "//" in key:
        raise CannotStart(f"{uri}: a key with an empty part can't be a file on this machine; remove one slash")


def _make_folders(work: Path, live: Path, names: tuple[str, ...]) -> None:
    work.mkdir(parents=True)
    live.mkdir(parents=True, exist_ok=True)
    # Created at once, so that clients can follow them from the start.
    for name in names:
        (live / name).touch()


def _start_process(command: Command, folder: Path, live: Path, shown: str) -> Running:
    logs.write_controller(
        live,
        f"INFO startExec '{shown}'",
        f"INFO redirectOutput to {live / 'stdout'}",
        f"INFO redirectError to {live / 'stderr'}",
        f"INFO Working dir {folder / 'work'}",
        stamped=False,
    )
    place = processes.Place(
        note=folder / "process",
        folder=folder / "work",
        stdout=live / "stdout",
        stderr=live / "stderr",
        environment={**os.environ, **command.environment},
    )
    argv = with_interpreter(command.argv) if command.is_script else command.argv
    work = work_of(argv) if forking.can_fork_step() else None
    process = forking.fork_step(work, place) if work else processes.start(argv, place)
    logs.write_controller(live, f"INFO startRun() called. Child Pid: {process.pid}")
    return Running(process, folder, live, shown, time.monotonic())


def finish(running: Running, what: str) -> int:
    """Writes the end of a process to its controller log; returns its exit status. `what` is e.g. "Step"."""
    code = running.exit_code()
    assert code is not None, "the process has ended"
    took = max(0, round(time.monotonic() - running.started))
    logs.write_controller(
        running.logs,
        f"INFO waitProcessCompletion ended with exit code {code} : {running.shown}",
        f"INFO total process run time: {took} seconds",
        stamped=False,
    )
    outcome = f"INFO {what} succeeded" if code == 0 else f"WARN {what} failed"
    logs.write_controller(running.logs, f"{outcome} with exitCode {code} and took {took} seconds")
    processes.forget_if_gone(running.process, running.folder / "process")
    return code
