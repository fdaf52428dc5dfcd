"""Wraps a step or bootstrap action: downloads its inputs from an S3 endpoint before it, uploads outputs after it.

    python -m flowspec.emulator.worker.s3_sync_wrapper URL REGION ROOT LOGS URI... --|--script COMMAND...

It runs as a process of its own around the step's, so that the cluster's worker is not blocked by transfers and
errors of S3 affect only the step. The exit status is the step's, or 1 if S3 failed. Imports that only this
process needs (boto3) are local: the worker imports this module, too.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from flowspec.emulator.state import paths
from flowspec.emulator.state.store import Record
from flowspec.emulator.worker import logs
from flowspec.engines import Command, python_module
from flowspec.engines.exit_status import NOT_STARTED, as_in_shell
from flowspec.engines.paths import FileSystems
from flowspec.engines.shebang import with_interpreter
from flowspec.errors import FlowspecError, sentence_of
from flowspec.facts.uris import split_at_commas

# What ends the URIs: the kind of the command that follows.
_PROGRAM, _SCRIPT = "--", "--script"
_SYSTEMS = FileSystems(Path("/"))
_URI = re.compile(r"s3[an]?://[^\"'#]+")


def s3_root(home: Path, cluster: Record) -> Path:
    """Returns the folder of a cluster's s3://: its own tree if it uses an S3 endpoint, else the home's."""
    return paths.cluster_s3(home, cluster.id) if cluster.doc.get("s3_url") else paths.s3_root(home)


def wrapped(command: Command, home: Path, cluster: Record, live: Path, texts: Sequence[str]) -> Command:
    """Returns the command wrapped in this module for a cluster with an S3 endpoint, else the command itself.

    `texts` are the arguments that may contain s3:// URIs; `live` is the folder of the logs.
    """
    url = cluster.doc.get("s3_url")
    if not url:
        return command
    both_sides = (url, cluster.region, str(s3_root(home, cluster)))
    uris = dict.fromkeys(uri for text in texts for uri in uris_in(text))
    kind = _SCRIPT if command.is_script else _PROGRAM
    argv = python_module("flowspec.emulator.worker.s3_sync_wrapper", *both_sides, str(live), *uris, kind, *command.argv)
    return Command(argv, command.environment)


def uris_in(text: str) -> Iterator[str]:
    """Yields the s3:// URIs in an argument: the whole, after `name=`, or items of a comma list, without `#name`."""
    for item in split_at_commas(text):
        # Text of a script may look like a URI and not be one, or lead out of the bucket.
        with contextlib.suppress(FlowspecError):
            if found := _URI.search(item):
                yield _SYSTEMS.qualify(found[0])


def main(argv: Sequence[str]) -> int:
    """Downloads, runs the command and uploads; returns the exit status as in a shell."""
    from flowspec.emulator.worker.s3_sync import TreeSync, environment

    url, region, root, live, *rest = argv
    cut = next(at for at, word in enumerate(rest) if word in (_PROGRAM, _SCRIPT))
    uris, kind, command = rest[:cut], rest[cut], rest[cut + 1 :]
    folder = Path(live)
    try:
        tree = TreeSync(Path(root), url, region)
        for uri in tree.pull(uris):
            logs.write_controller(folder, f"INFO There is nothing at {uri}")
        environ = {**os.environ, **environment(url, region)}
    except (FlowspecError, OSError) as error:
        return _report(folder, "The step's inputs could not be downloaded", error)
    try:
        code = _run(with_interpreter(command) if kind == _SCRIPT else command, environ)
    except OSError as error:
        return _report(folder, "The step could not be started", error, code=NOT_STARTED)
    try:
        tree.push()
    except (FlowspecError, OSError) as error:
        return _report(folder, "The step's outputs could not be uploaded", error, code=code or 1)
    return code


def _run(command: Sequence[str], environ: dict[str, str]) -> int:
    """Runs the command. SIGTERM ends the command but not this process, which still uploads the outputs."""
    parent = os.getppid()
    running: list[subprocess.Popen[bytes]] = []
    received: list[int] = []

    def end(number: int, _: object) -> None:
        received.append(number)
        # SIGTERM to the process group reaches the command as well and must not be sent twice; the kernel's
        # (PR_SET_PDEATHSIG, after the worker's death) reaches only this process.
        if os.getppid() != parent:
            _terminate(running)

    signal.signal(signal.SIGTERM, end)
    with subprocess.Popen(command, env=environ) as process:
        running.append(process)
        if received:
            _terminate(running)
        code = process.wait()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return as_in_shell(code)


def _terminate(running: list[subprocess.Popen[bytes]]) -> None:
    for process in running:
        process.terminate()


def _report(live: Path, what: str, error: Exception, *, code: int = 1) -> int:
    """Writes an error to all logs, so that FailureDetails are extracted from them; returns the exit status."""
    message = f"{what}: {sentence_of(error)}"
    logs.write_controller(live, f"WARN {message}")
    sys.stderr.write(f"{message}\n")
    # A bootstrap action has no syslog.
    if (live / "syslog").exists():
        from flowspec.engines.joblog import JobLog

        JobLog(live / "syslog").error("S3", message)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
