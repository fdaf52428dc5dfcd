"""The client: what `hadoop-streaming` prints and returns.

Sources: org.apache.hadoop.streaming.HadoopStreaming and StreamJob (run, submitAndMonitorJob).

Environment: FLOWSPEC_SYSLOG (file that log lines are appended to), FLOWSPEC_S3_ROOT and
FLOWSPEC_HDFS_ROOT (see `flowspec.engines.paths`), FLOWSPEC_PARALLEL (tasks at once).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from flowspec.engines.joblog import JobLog
from flowspec.engines.paths import FileSystems, UnknownScheme
from flowspec.engines.streaming.hadoop.arguments import (
    USAGE,
    Arguments,
    ClientError,
    file_error,
    launch_error,
    parse,
    uncaught,
)
from flowspec.engines.streaming.run import runner
from flowspec.engines.streaming.run.jobspec import Job, build
from flowspec.errors import FlowspecError

_UNSUPPORTED_SCHEME = "org.apache.hadoop.fs.UnsupportedFileSystemException"


def main(argv: Sequence[str]) -> int:
    """Runs a streaming job; the exit status is that of Hadoop's client (128 + N after signal N)."""
    try:
        syslog = JobLog.from_environment()
    except OSError as error:
        sys.stderr.write(f"FLOWSPEC_SYSLOG: {error.filename}: {error.strerror}\n")
        return 1
    try:
        with _exit_on_signals():
            return _main(argv, syslog)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 1
    finally:
        syslog.close()


def _main(argv: Sequence[str], syslog: JobLog) -> int:
    try:
        if not argv:
            raise ClientError(printed=["No Arguments Given!"], usage=True)
        status = _run(argv, syslog)
    except ClientError as error:
        _print_error(error, syslog)
        if error.uncaught:
            return error.status
        status = error.status
    if status:
        syslog.client("Streaming Command Failed!")
    return status


def _run(argv: Sequence[str], syslog: JobLog) -> int:
    arguments = parse(argv)
    if arguments.has("help") or arguments.has("info"):
        sys.stdout.write(USAGE)
        return 0
    job = _job(arguments)
    _warn_deprecated(arguments, syslog)
    if runner.run_job(job, syslog):
        syslog.info("StreamJob", f"Output directory: {arguments.first('output')}")
        return 0
    if job.background:
        return 0
    syslog.error("StreamJob", "Job not successful!")
    return 1


def _job(arguments: Arguments) -> Job:
    try:
        return build(arguments, os.environ, FileSystems.from_environment(os.environ, Path.cwd()))
    except UnknownScheme as error:
        raise uncaught(f"{_UNSUPPORTED_SCHEME}: {error}") from error
    except FlowspecError as error:
        raise launch_error(str(error)) from error
    except OSError as error:
        raise file_error(error) from error


def _warn_deprecated(arguments: Arguments, syslog: JobLog) -> None:
    for option, instead in (
        ("file", "files"),
        ("cacheFile", "files"),
        ("cacheArchive", "archives"),
        ("jobconf", "D"),
    ):
        if arguments.all(option):
            syslog.warn("StreamJob", f"-{option} option is deprecated, please use generic option -{instead} instead.")
    if arguments.has("background"):
        syslog.info("StreamJob", "Job is running in background.")


def _print_error(error: ClientError, syslog: JobLog) -> None:
    if error.logged:
        syslog.error("StreamJob", error.logged)
    if error.usage:
        sys.stdout.write(USAGE)
        sys.stdout.flush()
    for line in error.printed:
        syslog.client(line)


@contextmanager
def _exit_on_signals() -> Iterator[None]:
    """Makes SIGTERM and SIGINT end the job in order: children, scratch and `_temporary` go before this process."""
    leaving = False

    def leave(number: int, _frame: FrameType | None) -> None:
        nonlocal leaving
        if not leaving:  # a second signal, such as one to the group, must not stop the clean-up
            leaving = True
            raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items() if not leaving else ():
            signal.signal(number, handler)
