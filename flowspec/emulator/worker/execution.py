"""One process of a cluster, from start to logs: a step, or a bootstrap action.

`start_step` and `start_bootstrap` give a `Running`; `finish` takes what it came to. What can't even be
started is a failure like any other: its reason is in the logs.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from flowspec.emulator.api.steps import properties
from flowspec.emulator.state import paths as place
from flowspec.emulator.state.store import Record
from flowspec.emulator.worker import logs, processes
from flowspec.emulator.worker.s3_sync_wrapper import around, s3_root
from flowspec.engines import Command, command_for, script_argv
from flowspec.errors import FlowspecError

GRACE_SECONDS = 5.0
"""How long a process has to end after SIGTERM, before it is killed."""

NOT_STARTED = 127
"""The exit status of what could not be started, as a shell gives it."""


@dataclass
class Running:
    """A process, its folder (with the note that identifies it) and its logs.

    `shown` is what it runs, for the controller log; `started` a monotonic time; `asked` whether it was asked to end.
    """

    process: subprocess.Popen[bytes]
    folder: Path
    logs: Path
    shown: str
    started: float
    asked: bool = False

    def exit_code(self) -> int | None:
        """The exit status as a shell gives it (128 + signal); None while it runs."""
        code = self.process.poll()
        return code if code is None or code >= 0 else 128 - code

    def ask(self) -> None:
        """Asks the process and its group to end (SIGTERM), once."""
        if not self.asked:
            processes.send(self.process, signal.SIGTERM)
            self.asked = True

    def kill(self) -> None:
        """Ends the process and its group."""
        processes.send(self.process, signal.SIGKILL)
        self.asked = True


class CannotStart(Exception):
    """A step or bootstrap action whose process could not be started; its text is the reason."""


def start_step(home: Path, cluster: Record, step: Record) -> Running:
    """Starts a step's process in a fresh working directory. Raises CannotStart."""
    folder = place.step_folder(home, cluster.id, step.id)
    live = place.step_logs(home, cluster.id, step.id)
    scratch = place.scratch(home, step.id)
    jar = step.doc["jar"]
    try:
        _make(folder / "work", live, logs.STEP_LOGS)
        scratch.mkdir(parents=True)
        logs.write_controller(live, f"INFO Ensure step jar file {jar['Jar']}")
        command = command_for(
            jar["Jar"],
            jar.get("MainClass"),
            jar.get("Args", []),
            s3_root=s3_root(home, cluster),
            hdfs_root=place.hdfs_root(home, cluster.id),
            syslog=live / "syslog",
            properties=properties(step),
            configurations=cluster.doc["request"].get("Configurations", ()),
        )
        main_class = [jar["MainClass"]] if jar.get("MainClass") else []
        shown = shlex.join([jar["Jar"], *main_class, *jar.get("Args", [])])
        own = {processes.STEP_ID: step.id, "TMPDIR": str(scratch)}
        command = Command(command.argv, {**command.environment, **own})
        texts = [jar["Jar"], *jar.get("Args", []), *properties(step).values()]
        return _start(around(command, home, cluster, live, texts), folder, live, shown)
    except FlowspecError as error:
        raise CannotStart(error.sentence) from error
    except OSError as error:
        raise CannotStart(str(error)) from error


def start_bootstrap(home: Path, cluster: Record, number: int) -> Running:
    """Starts the cluster's bootstrap action `number` (from 1). Raises CannotStart."""
    script = cluster.doc["request"]["BootstrapActions"][number - 1]["ScriptBootstrapAction"]
    folder = place.bootstrap_folder(home, cluster.id, number)
    try:
        _make(folder / "work", folder, logs.BOOTSTRAP_LOGS)
        path = place.located(s3_root(home, cluster), script["Path"])
        if not cluster.doc.get("s3_url") and not path.is_file():
            raise CannotStart(f"{script['Path']}: there is no such file ({path})")
        argv = script_argv(str(path), script.get("Args", []))
        command = around(Command(argv), home, cluster, folder, [script["Path"], *script.get("Args", [])])
        return _start(command, folder, folder, shlex.join(argv))
    except FlowspecError as error:
        raise CannotStart(error.sentence) from error
    except OSError as error:
        raise CannotStart(str(error)) from error


def _make(work: Path, live: Path, names: tuple[str, ...]) -> None:
    work.mkdir(parents=True)
    live.mkdir(parents=True, exist_ok=True)
    # All are there from the start, for those who follow them.
    for name in names:
        (live / name).touch()


def _start(command: Command, folder: Path, live: Path, shown: str) -> Running:
    logs.write_controller(
        live,
        f"INFO startExec '{shown}'",
        f"INFO redirectOutput to {live / 'stdout'}",
        f"INFO redirectError to {live / 'stderr'}",
        f"INFO Working dir {folder / 'work'}",
        stamped=False,
    )
    process = processes.start(
        command.argv,
        note=folder / "process",
        folder=folder / "work",
        stdout=live / "stdout",
        stderr=live / "stderr",
        environment={**os.environ, **command.environment},
    )
    logs.write_controller(live, f"INFO startRun() called. Child Pid: {process.pid}")
    return Running(process, folder, live, shown, time.monotonic())


def finish(running: Running, what: str) -> int:
    """Takes the end of a process into its controller log; gives the exit status. `what` is "Step", for instance."""
    code = running.exit_code()
    assert code is not None, "the process has ended"
    took = max(0, round(time.monotonic() - running.started))
    logs.write_controller(
        running.logs,
        f"INFO waitProcessCompletion ended with exit code {code} : {running.shown}",
        f"INFO total process run time: {took} seconds",
        stamped=False,
    )
    told = f"INFO {what} succeeded" if code == 0 else f"WARN {what} failed"
    logs.write_controller(running.logs, f"{told} with exitCode {code} and took {took} seconds")
    processes.forget_if_gone(running.process, running.folder / "process")
    return code
