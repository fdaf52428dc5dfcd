"""Writes the logs of steps and bootstrap actions, publishes them in EMR's layout, and extracts failure causes.

    <log uri>/<cluster>/steps/<step>/{controller,syslog,stdout,stderr}.gz
    <log uri>/<cluster>/node/<instance>/bootstrap-actions/<n>/{controller,stdout,stderr}.gz

(Management Guide, "View log files"). The plain files stay in place for clients that follow them.
"""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
import re
import shutil
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from flowspec.emulator.state import clock, paths
from flowspec.emulator.state.store import Record
from flowspec.engines import engine_of
from flowspec.engines.registry import ENGINES
from flowspec.errors import FlowspecError

# The worker writes these warnings to its worker.log; a command line that fails an orphaned cluster prints none.
_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())

STEP_LOGS = ("controller", "syslog", "stdout", "stderr")
BOOTSTRAP_LOGS = ("controller", "stdout", "stderr")

# The cause is near the end of a log, which may have gigabytes. Java's stack traces with all causes take some 20 KB.
_TAIL_BYTES = 256 * 1024
# With less free space than the worker's own reserve, a step that died silently is taken to have filled the disk.
_FULL_BYTES = 256 * 1024

# FailureDetails.Reason is a coarse class of the cause (Management Guide, "Enhanced step debugging").
_REASONS = (
    (re.compile(r"Output directory .* already exists"), "Output directory already exists."),
    (re.compile(r"Input path does not exist|Input Pattern .* matches 0 files"), "Input path does not exist."),
    (re.compile(r"No space left on device"), "No space left on device."),
)
_LOG_PREFIX = re.compile(r"^\d{4}-\d\d-\d\d[ T][\d:.,]+Z? +[A-Z]+ +[^ ]+( \([^)]*\))?: +")
_EXCEPTION = re.compile(r"^(Caused by: |Exception in thread |[\w.$]+(Exception|Error)\b)")
_ERROR_LINE = re.compile(r"^\d{4}-\d\d-\d\d[ T][\d:.,]+Z? +(ERROR|FATAL) ")
_ANYTHING = re.compile("")
_TELLING = (("syslog", _EXCEPTION), ("syslog", _ERROR_LINE), ("stderr", _ANYTHING))
# Lines that say that a job failed, but not why.
_UNINFORMATIVE = re.compile(
    r"Job not successful!|failed with state FAILED|^Streaming Command Failed!|^Try -help for more information"
    r"|^WARNING: Using incubator modules|^flowspec: |^Caused by: [\w.$]+$"
)


def write_controller(folder: Path, *lines: str, stamped: bool = True) -> None:
    """Appends lines to a controller log in EMR's format. Write errors (full disk) are only logged."""
    if (folder / "controller").is_fifo():  # a step may have put it there, and opening it would block
        return
    stamp = datetime.fromtimestamp(clock.now(), timezone.utc).isoformat(timespec="milliseconds")[:-6] + "Z "
    try:
        # The home's path need not be UTF-8.
        with (folder / "controller").open("a", encoding="utf-8", errors="surrogateescape") as controller:
            controller.writelines(f"{stamp if stamped else ''}{line}\n" for line in lines)
    except OSError as error:
        _log.warning("%s/controller: %s", folder, error)


def publish_step(home: Path, cluster: Record, step: Record) -> None:
    """Copies a finished step's logs to its LogUri, else the cluster's. Write errors are only logged."""
    if uri := _published_folder(cluster, step):
        _publish(home, cluster, paths.step_logs(home, cluster.id, step.id), STEP_LOGS, uri)


def publish_bootstrap(home: Path, cluster: Record, number: int, instance: str) -> None:
    """Copies the logs of a bootstrap action to the cluster's LogUri."""
    uri = cluster.doc["request"].get("LogUri")
    if uri:
        node = f"{uri.rstrip('/')}/{cluster.id}/node/{instance}"
        source = paths.bootstrap_folder(home, cluster.id, number)
        _publish(home, cluster, source, BOOTSTRAP_LOGS, f"{node}/bootstrap-actions/{number}")


def published_uri(cluster: Record, step: Record, name: str) -> str | None:
    """Returns the URI at which a step's log is or will be published, None without a LogUri."""
    folder = _published_folder(cluster, step)
    return f"{folder}/{name}.gz" if folder else None


def _published_folder(cluster: Record, step: Record) -> str | None:
    uri: str | None = step.doc["log_uri"] or cluster.doc["request"].get("LogUri")
    return f"{uri.rstrip('/')}/{cluster.id}/steps/{step.id}" if uri else None


def failure_details(home: Path, cluster: Record, step: Record, exit_code: int) -> dict[str, str]:
    """Returns Reason, Message and LogFile of a failed step, extracted from its logs as EMR does."""
    folder = paths.step_logs(home, cluster.id, step.id)
    jar = step.doc["jar"]
    name, message = _find_cause(folder, engine_of(jar["Jar"], jar.get("MainClass"), jar.get("Args", [])))
    if not message:
        message = _message_without_logs(folder, exit_code)
    log_file = published_uri(cluster, step, name) or str(folder / name)
    return {"Reason": reason_of(message), "Message": message, "LogFile": log_file}


def _message_without_logs(folder: Path, exit_code: int) -> str:
    # On a full disk the error message itself could not be written.
    with contextlib.suppress(OSError):  # the step may have removed its logs
        if shutil.disk_usage(folder).free < _FULL_BYTES:
            return f"The process ended with exit status {exit_code}: No space left on device ({folder})"
    return f"The process ended with exit status {exit_code} and wrote no error"


def reason_of(message: str, otherwise: str = "Unknown Error.") -> str:
    """Returns the FailureDetails.Reason for a message."""
    return next((reason for pattern, reason in _REASONS if pattern.search(message)), otherwise)


def _find_cause(folder: Path, engine: str) -> tuple[str, str]:
    """Returns the name of the log that has the cause, and the line."""
    # A program prints the exception that ends it; its framework's log has others besides, and often later.
    own = [(name, _EXCEPTION) for name in ENGINES[engine].error_logs] if engine in ENGINES else []
    for name, telling in (*own, *_TELLING):
        for line in reversed(last_lines(folder / name)):
            if telling.search(line) and not _UNINFORMATIVE.search(line):
                return name, _LOG_PREFIX.sub("", line)
    return "stderr", ""


def last_lines(path: Path) -> list[str]:
    """Returns the lines at the end of a log, stripped and without empty ones; none if it can't be read."""
    if not path.is_file():  # opening a FIFO would block
        return []
    try:
        with path.open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - _TAIL_BYTES))
            text = log.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]


def _publish(home: Path, cluster: Record, source: Path, names: Sequence[str], uri: str) -> None:
    url = cluster.doc.get("s3_url") if uri.startswith("s3") else None
    target = source / "published" if url else paths.resolve_uri(paths.s3_root(home), uri)
    there = [name for name in names if (source / name).is_file()]
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name in there:
            _compress(source / name, target / f"{name}.gz")
        if url:
            from flowspec.emulator.worker.s3_sync import put

            put(url, cluster.region, {target / f"{name}.gz": f"{uri}/{name}.gz" for name in there})
    except (OSError, FlowspecError) as error:
        _log.warning("logs were not published at %s: %s", uri, error)


def _compress(source: Path, target: Path) -> None:
    """Writes `target` atomically."""
    # Of one name, so that the next writer replaces the file that a killed one left.
    unfinished = target.with_name(f".{target.name}")
    try:
        with source.open("rb") as plain, gzip.open(unfinished, "wb", compresslevel=6) as packed:
            shutil.copyfileobj(plain, packed, 1 << 20)
        unfinished.replace(target)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
