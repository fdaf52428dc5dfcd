"""Sends the end of a run to webhooks and SNS topics, and runs commands of this machine (`hooks` of a spec).

A hook that fails gives a note, and never changes the outcome of the run. The hooks of the outcome run in parallel,
then those of `on_end`, so that all of them together take two minutes at most.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any
from urllib.parse import urlsplit

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.events import Ended
from flowspec.backend.aws.verdict import Outcome
from flowspec.document.escaping import visible
from flowspec.document.job_flow import JobFlow
from flowspec.document.masking import mask
from flowspec.facts.uris import host_of, region_of_arn
from flowspec.plan.runs.unattended import hook_kind

# Seconds for all hooks of the outcome, and again for those of `on_end`, so that a slow receiver can't block the
# command.
_DEADLINE = 60.0
# A command is killed so many seconds before the deadline, so that its note is still shown.
_TO_KILL = 5.0
# Bytes at the end of what a command wrote to stderr: its last line is shown.
_TAIL = 4096
# Seconds of one request of a webhook, and before the second and third.
_TIMEOUT, _AGAIN_AFTER = 10.0, (1.0, 4.0)
# Statuses after which the request is sent again; other refusals are final.
_PASSING = frozenset({408, 425, 429})
# SNS takes up to 256 KiB of message, and 100 characters of subject.
_SUBJECT = 100

Hook = Mapping[str, Any]


class _Commands:
    """The commands of one run of hooks."""

    def __init__(self) -> None:
        # The lock separates `start` and `end`: an interrupt between the start of a command and its entry in the list
        # would leave it running.
        self._lock = threading.Lock()
        self._started: list[subprocess.Popen[str]] = []
        self._ended = False

    def start(
        self, command: Sequence[str], cwd: Path, env: Mapping[str, str], stderr: IO[bytes]
    ) -> subprocess.Popen[str]:
        """Starts a command, with `env` added to this process's environment.

        Raises InterruptedError after `end`, and OSError where the command can't be started.
        """
        with self._lock:
            if self._ended:
                raise InterruptedError("was not run: the hooks were stopped before it")
            running = subprocess.Popen(
                list(command),
                cwd=cwd,
                env={**os.environ, **env},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                text=True,
                # In a group of its own, so that what it has started is killed with it.
                start_new_session=True,
            )
            self._started.append(running)
            return running

    def end(self) -> None:
        """Kills the commands that have not ended, and refuses to start more."""
        with self._lock:
            self._ended = True
            for command in self._started:
                _kill(command)


@dataclass(slots=True)
class Hooks:
    """The hooks of a job flow. Commands are run only if `allow_commands`: a spec may be someone else's.

    `notify` gets a line for each hook that failed or was not run.
    """

    jobflow: JobFlow
    emr: Emr
    notify: Callable[[str], None]
    allow_commands: bool = False
    sleep: Callable[[float], None] = time.sleep
    _commands: _Commands = field(init=False, repr=False, compare=False)

    def run(self, end: Ended, cause: str = "") -> None:
        """Runs the hooks for the end of a run: those of its outcome, then those of `on_end`; takes at most two minutes.

        `cause` is the probable cause of a failure. After a timeout of the watch, the run has not ended, and no hook
        runs. Commands that run for longer, or at KeyboardInterrupt, are killed.
        """
        if end.verdict.outcome is Outcome.TIMED_OUT:
            return
        hooks = self.jobflow.fields.get("hooks", {})
        message = self._message(end, cause)
        self._commands = _Commands()
        try:
            for when in ("on_success" if end.verdict.outcome is Outcome.SUCCEEDED else "on_failure", "on_end"):
                self._run_all(hooks.get(when, ()), message)
        finally:
            self._commands.end()

    def _run_all(self, hooks: Sequence[Hook], message: Mapping[str, Any]) -> None:
        """Runs hooks at the same time, and notes those that failed or did not end in time."""
        deadline = time.monotonic() + _DEADLINE
        for hook, (thread, failure) in [(hook, self._start(hook, message)) for hook in hooks]:
            thread.join(max(0.0, deadline - time.monotonic()))
            if failure[0]:
                note = f"note: hook {_label(hook)}: {failure[0]}"
                self.notify(str(mask(visible(note), self.jobflow.secrets)))

    def _message(self, end: Ended, cause: str) -> dict[str, Any]:
        """Returns the message for all receivers, without secrets.

        `id` consists of the ids of the cluster and of the last step of the run, and the outcome. Two watchers of one
        run send the same id, so that a receiver can drop the second message; another run of the cluster has another id.
        """
        cluster, verdict = end.cluster, end.verdict
        last = end.steps[-1:]
        message = {
            "version": 1,
            "id": ":".join([cluster.id, *last, verdict.outcome.name.lower()]),
            "flow": self.jobflow.name,
            "target": self.jobflow.target,
            "region": self.emr.region,
            "cluster": cluster.id,
            "state": cluster.state,
            "outcome": verdict.outcome.value,
            "exit_code": verdict.outcome.exit_code,
            "reason": cluster.reason,
            "step": verdict.step.name if verdict.step else None,
            "cause": cause,
            "started": cluster.created and cluster.created.isoformat(),
            "ended": cluster.ended and cluster.ended.isoformat(),
        }
        return dict(mask(message, self.jobflow.secrets))

    def _start(self, hook: Hook, message: Mapping[str, Any]) -> tuple[threading.Thread, list[str]]:
        """Starts a hook in a thread; returns the thread, and a list for the reason why it failed ("" if it did not)."""
        failure: list[str] = ["gave no answer in time"]

        def attempt() -> None:
            try:
                failure[0] = _KINDS[hook_kind(hook)](self, hook, message)
            except Exception as error:  # noqa: BLE001 - in a thread it would be printed, with what it holds of secrets
                failure[0] = str(error)

        thread = threading.Thread(target=attempt, name="flowspec-hook", daemon=True)
        thread.start()
        return thread, failure


def _label(hook: Hook) -> str:
    """Returns the name of a hook for a note; for a webhook only the host, since its path may contain a token."""
    kind = hook_kind(hook)
    if kind == "webhook":
        return f"webhook to {host_of(hook[kind])}"
    return f"{kind} {hook[kind][0] if kind == 'command' else hook[kind]}"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Returns the value of X-Flowspec-Signature: HMAC-SHA256, in hex, of the timestamp, a dot, and the body."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _call_webhook(hooks: Hooks, hook: Hook, message: Mapping[str, Any]) -> str:
    """Posts the message; returns why it was not taken, "" if it was."""
    body = json.dumps(message).encode()
    failure = ""
    for pause in (0.0, *_AGAIN_AFTER):
        hooks.sleep(pause)
        try:
            status = _post(hook["webhook"], body, _headers(hook, body))
        except (OSError, http.client.HTTPException) as error:
            failure = str(error) or type(error).__name__
            continue
        if 200 <= status < 300:
            return ""
        failure = f"HTTP status {status}"
        if status < 500 and status not in _PASSING:
            return failure
    return f"{failure}, {len(_AGAIN_AFTER) + 1} times"


def _headers(hook: Hook, body: bytes) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "User-Agent": "flowspec"}
    if not hook.get("secret"):
        return headers
    # With the time in the signature, a receiver can refuse a message that someone sends again later.
    timestamp = str(int(datetime.now(timezone.utc).timestamp()))
    signed = signature(hook["secret"], timestamp, body)
    return {**headers, "X-Flowspec-Timestamp": timestamp, "X-Flowspec-Signature": signed}


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Posts a body and returns the status of the answer.

    Redirects are not followed: a POST would become a GET, and the message go elsewhere.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body, dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()


def _publish(hooks: Hooks, hook: Hook, message: Mapping[str, Any]) -> str:
    arn = hook["sns"]
    subject = f"{message['flow']}: {message['outcome']}".encode("ascii", "replace").decode()
    # The topic's own region counts, which its ARN names.
    ask = hooks.emr.ask("sns", region=region_of_arn(arn))
    ask("Publish", TopicArn=arn, Subject=subject[:_SUBJECT], Message=json.dumps(message, indent=2))
    return ""


def _run_command(hooks: Hooks, hook: Hook, message: Mapping[str, Any]) -> str:
    """Runs a command in the spec's folder, with the message as its input and the outcome in FLOWSPEC_OUTCOME."""
    if not hooks.allow_commands:
        return "was not run: --allow-commands lets a spec's commands run on this machine"
    added = {"FLOWSPEC_OUTCOME": str(message["outcome"]), "FLOWSPEC_CLUSTER": str(message["cluster"])}
    folder = Path(hooks.jobflow.path).resolve().parent
    # Not a pipe, which what the command leaves in the background would keep open.
    with TemporaryFile() as stderr, hooks._commands.start(hook["command"], folder, added, stderr) as running:
        try:
            running.communicate(json.dumps(message), timeout=_DEADLINE - _TO_KILL)
        except subprocess.TimeoutExpired:
            _kill(running)
            return f"was killed after {_DEADLINE - _TO_KILL:.0f} s"
        stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - _TAIL))
        last = (stderr.read().decode("utf-8", "replace").strip().splitlines() or [""])[-1]
    return f"exit code {running.returncode}{f': {last}' if last else ''}" if running.returncode else ""


def _kill(command: subprocess.Popen[str]) -> None:
    """Kills a command that has not ended, and what it has started."""
    if command.poll() is None:
        # The command may end at this moment.
        with suppress(ProcessLookupError):
            os.killpg(command.pid, signal.SIGKILL)


_KINDS: dict[str, Callable[[Hooks, Hook, Mapping[str, Any]], str]] = {
    "webhook": _call_webhook,
    "sns": _publish,
    "command": _run_command,
}
