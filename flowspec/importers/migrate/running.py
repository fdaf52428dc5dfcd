"""Runs a script in a process of its own that records its calls."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

_PATIENCE = 2.0
# Names under which tokens and keys are kept in environments, such as GITHUB_TOKEN or SLACK_API_KEY.
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|_PAT$|_AUTH$", re.IGNORECASE)


class HandlerCall(NamedTuple):
    """A call of a Lambda function: the name of its handler in the script, and the JSON of the event that it gets."""

    handler: str
    event: str


class Run(NamedTuple):
    """The exit code of a script (None: it was interrupted), and its calls, in order."""

    code: int | None
    calls: tuple[Mapping[str, Any], ...]


def run(
    script: str,
    args: Sequence[str],
    *,
    module: bool = False,
    handler_call: HandlerCall | None = None,
    answers: Mapping[str, str] | None = None,
) -> Run:
    """Runs a script to its end, or a module of this name. What it prints to stdout goes to stderr; it reads our stdin.

    With `handler_call`, the script is imported and its Lambda function called. `answers` are what S3 objects, secrets
    and parameters hold, by s3://BUCKET/KEY or name.

    Each call is {"service", "operation", "params"}; one of EMR has its cluster's "id" and the "region" as
    well. A call that was made is there however the script ended.
    """
    with tempfile.TemporaryDirectory(prefix="flowspec-migrate-") as folder:
        record = Path(folder, "calls.jsonl")
        if answers:
            record.with_name("answers.json").write_text(json.dumps(answers), "utf-8")
        if handler_call:
            record.with_name("event.json").write_text(handler_call.event, "utf-8")
        what = ["-m", script] if module else ["--handler", handler_call.handler, script] if handler_call else [script]
        launcher = [sys.executable, "-m", "flowspec.importers.migrate.launcher", str(record)]
        command = [*_isolation_command(), *launcher, *what, *args]
        sys.stderr.flush()
        with subprocess.Popen(command, stdout=_stderr(), env=_environment()) as process:
            code = _wait_for_exit(process)
        return Run(code, tuple(_calls(record)))


def _stderr() -> int:
    """Returns the descriptor of our stderr for a child, DEVNULL without one; results alone are for stdout."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return subprocess.DEVNULL


def _wait_for_exit(process: subprocess.Popen[bytes]) -> int | None:
    """Waits for the end. A Ctrl-C reaches the script as well, which is given time to end by itself."""
    try:
        return process.wait()
    except KeyboardInterrupt:
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(_PATIENCE)
        process.kill()
        return None


def _environment() -> dict[str, str]:
    """Returns the environment without credentials, profiles and endpoints.

    Programs that the script starts find none either.
    """
    kept = {name: value for name, value in os.environ.items() if not _grants_access(name)}
    return {
        "AWS_DEFAULT_REGION": "us-east-1",
        **kept,
        "AWS_ACCESS_KEY_ID": "flowspec-migrate",
        "AWS_SECRET_ACCESS_KEY": "flowspec-migrate",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _grants_access(name: str) -> bool:
    if name.startswith("AWS_"):
        return "REGION" not in name
    return _SECRET.search(name) is not None


def isolated() -> bool:
    """Returns True if scripts run in a network namespace of their own, so that nothing of them reaches a network."""
    return bool(_isolation_command())


@cache
def _isolation_command() -> tuple[str, ...]:
    """Returns the command that runs a program in a network namespace without interfaces; empty where impossible."""
    found = shutil.which("unshare")
    if not found:
        return ()
    command = (found, "--map-current-user", "--net")
    # Kernels and containers may forbid it: only trying tells.
    tried = subprocess.run([*command, "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return command if tried.returncode == 0 else ()


def _calls(record: Path) -> list[Mapping[str, Any]]:
    if not record.exists():
        return []
    out = []
    for line in record.read_text("utf-8", "replace").splitlines():
        # The last line of a process that was killed may be half.
        with suppress(ValueError):
            out.append(json.loads(line))
    return out
