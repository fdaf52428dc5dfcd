"""A script, run in a process of its own that writes its calls down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PATIENCE = 2.0


@dataclass(frozen=True)
class Run:
    """How a script ended (`code`; None: it was interrupted), and its calls, in order."""

    code: int | None
    calls: tuple[Mapping[str, Any], ...]


def run(script: Path, args: Sequence[str]) -> Run:
    """Runs a script to its end. What it prints to stdout goes to stderr; it reads our stdin.

    Each call is {"service", "operation", "params"}; one of EMR has its cluster's "id" and the "region" as
    well. A call that was made is there however the script ended.
    """
    with tempfile.TemporaryDirectory(prefix="flowspec-migrate-") as folder:
        record = Path(folder, "calls.jsonl")
        command = [sys.executable, "-m", "flowspec.importers.migrate.launcher", str(record), str(script), *args]
        sys.stderr.flush()
        with subprocess.Popen(command, stdout=_stderr(), env=_environment()) as process:
            code = _awaited(process)
        return Run(code, tuple(_calls(record)))


def _stderr() -> int | None:
    """Where our stderr goes, if it goes anywhere; results alone are for stdout."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return subprocess.DEVNULL


def _awaited(process: subprocess.Popen[bytes]) -> int | None:
    """Waits for the end. A Ctrl-C reaches the script as well, which is given time to end by itself."""
    try:
        return process.wait()
    except KeyboardInterrupt:
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(_PATIENCE)
        process.kill()
        return None


def _environment() -> dict[str, str]:
    """No credentials, profiles or endpoints of the user's: programs that the script starts find none either."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_") or "REGION" in name}
    return {
        "AWS_DEFAULT_REGION": "us-east-1",
        **kept,
        "AWS_ACCESS_KEY_ID": "flowspec-migrate",
        "AWS_SECRET_ACCESS_KEY": "flowspec-migrate",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _calls(record: Path) -> list[Mapping[str, Any]]:
    if not record.exists():
        return []
    out = []
    for line in record.read_text("utf-8", "replace").splitlines():
        # The last line of a process that was killed may be half.
        with suppress(ValueError):
            out.append(json.loads(line))
    return out
