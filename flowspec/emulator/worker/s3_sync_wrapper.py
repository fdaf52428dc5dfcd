"""A step, or a bootstrap action, between fetching what it names from an S3 elsewhere and putting back what it wrote.

    python -m flowspec.emulator.worker.s3_sync_wrapper URL REGION ROOT LOGS URI... -- COMMAND...

It is a process of its own around the step's: the cluster's worker stays free for orders meanwhile, and
what S3 does to it, it does to the step only. The exit status is the step's, or 1 when S3 failed. What only
that process needs it imports itself: the worker imports this module, too.
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

from flowspec.emulator.state import paths as place
from flowspec.emulator.state.store import Record
from flowspec.emulator.worker import logs
from flowspec.engines import Command, python_module
from flowspec.engines.paths import FileSystems
from flowspec.errors import FlowspecError
from flowspec.facts.uris import split_at_commas

_END_OF_URIS = "--"
_NOT_STARTED = 127
"""As a shell gives it."""

_SYSTEMS = FileSystems(Path("/"))
_URI = re.compile(r"s3[an]?://[^\"'#]+")


def s3_root(home: Path, cluster: Record) -> Path:
    """The folder that stands for s3:// in a cluster: one of its own where its S3 is elsewhere."""
    return place.cluster_s3(home, cluster.id) if cluster.doc.get("s3_url") else place.s3_root(home)


def around(command: Command, home: Path, cluster: Record, live: Path, texts: Sequence[str]) -> Command:
    """The command with its fetching and putting, for a cluster whose S3 is elsewhere; else as it is.

    `texts` are what may name objects; `live` is the folder of the logs.
    """
    url = cluster.doc.get("s3_url")
    if not url:
        return command
    both_sides = (url, cluster.region, str(s3_root(home, cluster)))
    uris = dict.fromkeys(uri for text in texts for uri in uris_in(text))
    argv = python_module(
        "flowspec.emulator.worker.s3_sync_wrapper", *both_sides, str(live), *uris, _END_OF_URIS, *command.argv
    )
    return Command(argv, command.environment)


def uris_in(text: str) -> Iterator[str]:
    """The s3:// URIs in an argument: it, what follows `name=`, and the items of a comma list, less their `#name`."""
    for item in split_at_commas(text):
        # What only looks like a URI may lead out of its root; a script may say anything.
        with contextlib.suppress(FlowspecError):
            if found := _URI.search(item):
                yield _SYSTEMS.qualify(found[0])


def main(argv: Sequence[str]) -> int:
    """Fetches, runs and puts; the exit status as a shell gives it."""
    from flowspec.emulator.worker.s3_sync import Mirror, environment

    url, region, root, live, *rest = argv
    cut = rest.index(_END_OF_URIS)
    uris, command = rest[:cut], rest[cut + 1 :]
    folder = Path(live)
    try:
        mirror = Mirror(Path(root), url, region)
        for uri in mirror.pull(uris):
            logs.write_controller(folder, f"INFO There is nothing at {uri}")
        environ = {**os.environ, **environment(url, region)}
    except (FlowspecError, OSError) as error:
        return _tell(folder, "What the step needs could not be fetched", error)
    try:
        code = _run(command, environ)
    except OSError as error:
        return _tell(folder, "The step could not be started", error, code=_NOT_STARTED)
    try:
        mirror.push()
    except (FlowspecError, OSError) as error:
        return _tell(folder, "What the step wrote could not be put", error, code=code or 1)
    return code


def _run(command: Sequence[str], environ: dict[str, str]) -> int:
    """Runs the command; SIGTERM ends it and not this process, which still has to put what it wrote."""
    parent = os.getppid()
    running: list[subprocess.Popen[bytes]] = []
    asked: list[int] = []

    def end(number: int, _: object) -> None:
        asked.append(number)
        # A signal to the group has reached the command as well; one from the kernel, because the worker has
        # died, has not. Twice would be a second signal to a command that ends already.
        if os.getppid() != parent:
            _terminate(running)

    signal.signal(signal.SIGTERM, end)
    with subprocess.Popen(command, env=environ) as process:
        running.append(process)
        if asked:
            _terminate(running)
        code = process.wait()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return code if code >= 0 else 128 - code


def _terminate(running: list[subprocess.Popen[bytes]]) -> None:
    for process in running:
        process.terminate()


def _tell(live: Path, what: str, error: Exception, *, code: int = 1) -> int:
    """Says what failed in each log where one looks, so that FailureDetails are cut from it; gives the exit status."""
    message = f"{what}: {error.sentence if isinstance(error, FlowspecError) else error}"
    logs.write_controller(live, f"WARN {message}")
    sys.stderr.write(f"{message}\n")
    # A bootstrap action has no syslog.
    if (live / "syslog").exists():
        from flowspec.engines.streaming.run.joblog import JobLog

        JobLog(live / "syslog").error("S3", message)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
