"""Why it failed: from what EMR says to the lines of the log that tell the cause.

The order is that of trust: error details, the reason for the state, the failed step's FailureDetails,
then the step's own logs, where a program's last words are worth more than a framework's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flowspec.emr.logs import Logs
from flowspec.emr.verdict import Verdict
from flowspec.plan.cluster import Cluster

_LINES = 12
_TRACEBACK = re.compile(r"^Traceback \(most recent call last\):$", re.MULTILINE)
_TELLING = re.compile(r"\b(ERROR|FATAL)\b|^Caused by: |^Exception in thread |Exception: ")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is known of a failure. `excerpt` are lines of the log `excerpt_from`; `logs` is where the rest is."""

    state: str
    facts: tuple[str, ...]
    excerpt: tuple[str, ...] = ()
    excerpt_from: str = ""
    logs: str = ""
    logs_may_follow: bool = False


def diagnose(cluster: Cluster, verdict: Verdict, logs: Logs) -> Diagnosis:
    """Gathers the probable cause of a verdict that is not success. Reads at most two logs, waits for none."""
    reason = f"{cluster.reason_code}: {cluster.reason}" if cluster.reason_code else cluster.reason
    facts = [*cluster.error_details, reason]
    step = verdict.step
    if step is None:
        return Diagnosis(cluster.state, tuple(filter(None, facts)))
    facts += [f"step '{step.name}' ({step.id}) is {step.state}", step.reason, step.message]
    name, excerpt = _excerpt(logs, step.id)
    return Diagnosis(
        cluster.state,
        tuple(dict.fromkeys(filter(None, facts))),
        excerpt,
        name,
        logs.where(step.id),
        logs_may_follow=not excerpt and not logs.live,
    )


def _excerpt(logs: Logs, step_id: str) -> tuple[str, tuple[str, ...]]:
    """The lines most likely to tell the cause, and the log they stand in."""
    stderr = _text(logs.read(step_id, "stderr"))
    if stderr.strip():
        return "stderr", _last_words(stderr)
    telling = [line for line in _text(logs.read(step_id, "syslog")).splitlines() if _TELLING.search(line)]
    return ("syslog", tuple(telling[-_LINES:])) if telling else ("", ())


def _last_words(text: str) -> tuple[str, ...]:
    starts = [match.start() for match in _TRACEBACK.finditer(text)]
    lines = [line for line in text[starts[-1] if starts else 0 :].splitlines() if line.strip()]
    return tuple(lines[:1] + lines[-_LINES + 1 :] if starts and len(lines) > _LINES else lines[-_LINES:])


def _text(content: bytes | None) -> str:
    # Long logs: the cause is near the end, and a program's output need not be UTF-8.
    return (content or b"")[-256 * 1024 :].decode("utf-8", "replace")
