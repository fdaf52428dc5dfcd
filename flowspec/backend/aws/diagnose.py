"""Why it failed: from what EMR says to the lines of the log that tell the cause.

The order is that of trust: error details, the reason for the state, the failed step's FailureDetails,
then the step's own logs, where a program's last words are worth more than a framework's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from flowspec.backend.aws.logs import Logs
from flowspec.backend.aws.verdict import Verdict
from flowspec.document.masking import mask_bytes, reach
from flowspec.errors import FlowspecError
from flowspec.plan.cluster import Cluster

_LINES = 12
# Bytes of a log that are looked at: the cause is near the end.
_TAIL = 256 * 1024
# What Hadoop's client says after every failure tells nothing.
_NOISE = frozenset({"", "Streaming Command Failed!"})
# EMR's shape of the reason: On the master instance (i-…), bootstrap action 1 returned a non-zero return code
_BOOTSTRAP = re.compile(r"instance \((i-\w+)\), bootstrap action (\d+)")
_TRACEBACK = re.compile(r"^Traceback \(most recent call last\):$", re.MULTILINE)
# Hadoop's words for what goes wrong most often, and what helps.
_ADVICE = {
    r"Output directory \S+ already exists": "Hadoop never overwrites: remove it, or write somewhere else",
    r"Input path does not exist|Input Pattern \S+ matches 0 files": "check `input:`, and that its data has arrived",
    r"Cannot run program": "ship the program (`mapper: script.py`, `files:`), or install it by a bootstrap action",
    r"No space left on device": "free some disk space; intermediate data needs about as much as the input",
    r"Permission denied": "the user who runs the step may not read or write it",
    # Interpreters' words for a script that is not in the task's working directory: python, ruby, perl, sh, awk.
    r"(?i)can(no|')t open (file|perl script|source file|'?\S+\.\w+)|No such file or directory -- .*\.rb": (
        "ship the script that the command names: `files: [script]`"
    ),
    r"subprocess failed with code 127": "a program that the command calls is missing: ship it or install it",
    r"subprocess failed with code 137": "the command was killed, often for want of memory",
    r"Broken pipe": "the command ended before its input: let it read standard input to the end",
}
_NO_LOGS = ("give the spec a `log_uri`: without one EMR keeps no logs, so this failure has none",)
_TELLING = re.compile(r"\b(ERROR|FATAL)\b|^Caused by: |^Exception in thread |Exception: ")


# LocalJobRunner.Job.runTasks wraps what a task throws.
_WRAPPER = "java.lang.Exception: "


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A failure: EMR's reasons, the telling lines by log, and what to try.

    `logs` is where the rest is; `logs_may_follow` says that EMR may not have shipped them yet; `unread` says why
    they could not be read ("" when they could).
    """

    state: str
    facts: tuple[str, ...]
    excerpts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    advice: tuple[str, ...] = ()
    logs: str = ""
    logs_may_follow: bool = False
    unread: str = ""


def diagnose(cluster: Cluster, verdict: Verdict, logs: Logs, secrets: Collection[str] = ()) -> Diagnosis:
    """Gathers the probable cause of a verdict that is not success. Reads at most three logs, waits for none.

    The excerpts show no secret of `secrets`, nor a part of one that is cut by where an excerpt begins. Logs that
    can't be read are no error: what EMR itself says is given all the same.
    """
    reason = f"{cluster.reason_code}: {cluster.reason}" if cluster.reason_code else cluster.reason
    facts = [*cluster.error_details, reason]
    step = verdict.step
    if step is None:
        excerpts, unread = _gathered(_bootstrap_excerpt(logs, cluster.reason, secrets))
        told = tuple(dict.fromkeys(filter(None, facts)))
        return Diagnosis(cluster.state, told, excerpts, logs=logs.folder(), unread=unread)
    facts += [f"step '{step.name}' ({step.id}) is {step.state}", step.reason, step.message]
    excerpts, unread = _gathered(_excerpts(logs, step.id, secrets, step.message))
    unlogged = not logs.live and not cluster.log_uri
    return Diagnosis(
        cluster.state,
        tuple(dict.fromkeys(filter(None, facts))),
        excerpts,
        (*_advice([*facts, *chain.from_iterable(excerpts.values())]), *(_NO_LOGS if unlogged else ())),
        logs.where(step.id),
        logs_may_follow=not excerpts and not unread and not logs.live and not unlogged,
        unread=unread,
    )


def _gathered(excerpts: Iterator[tuple[str, tuple[str, ...]]]) -> tuple[dict[str, tuple[str, ...]], str]:
    """The excerpts up to the first log that can't be read, and why it can't ("" if all could)."""
    found: dict[str, tuple[str, ...]] = {}
    try:
        found.update(excerpts)
    except FlowspecError as error:
        return found, error.sentence
    except OSError as error:
        return found, str(error)
    return found, ""


def _excerpts(logs: Logs, step_id: str, secrets: Collection[str], told: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yields the lines most likely to tell the cause, and the log they are in; `told` is EMR's own message."""
    size = _TAIL + reach(secrets)
    words = _last_words(_text(logs.tail(step_id, "stderr", size), secrets))
    if words:
        yield "stderr", words
    # Where Spark leads the stderr of a Python application to.
    out = _text(logs.tail(step_id, "stdout", size), secrets)
    if _TRACEBACK.search(out):
        yield "stdout", _last_words(out)
    syslog = _text(logs.tail(step_id, "syslog", size), secrets)
    telling = _distinct([line for line in syslog.splitlines() if _TELLING.search(line)], told)
    if telling:
        yield "syslog", telling[-_LINES:]


def _distinct(lines: Sequence[str], told: str) -> tuple[str, ...]:
    """Returns the lines that say something new: Java prints a cause once for each exception that wraps it."""
    known = {_bare_message(told)}
    found = []
    for line in lines:
        message = _bare_message(line)
        if message not in known:
            found.append(line)
        known.add(message)
    return tuple(found)


def _bare_message(line: str) -> str:
    return line.rpartition("Caused by: ")[2].removeprefix(_WRAPPER)


def _bootstrap_excerpt(logs: Logs, reason: str, secrets: Collection[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The last words of the bootstrap action that a cluster's reason speaks of."""
    match = _BOOTSTRAP.search(reason)
    if match:
        stderr = logs.bootstrap(int(match[2]), match[1], _TAIL + reach(secrets))
        if words := _last_words(_text(stderr, secrets)):
            yield "stderr", words


def _advice(lines: Iterable[str]) -> Iterator[str]:
    text = "\n".join(lines)
    for pattern, advice in _ADVICE.items():
        if re.search(pattern, text):
            yield advice


def _last_words(text: str) -> tuple[str, ...]:
    starts = [match.start() for match in _TRACEBACK.finditer(text)]
    lines = [line for line in text[starts[-1] if starts else 0 :].splitlines() if line.strip() not in _NOISE]
    return tuple(lines[:1] + lines[-_LINES + 1 :] if starts and len(lines) > _LINES else lines[-_LINES:])


def _text(tail: bytes | None, secrets: Collection[str]) -> str:
    """The last _TAIL bytes as text, masked; what is before them only shows where a secret begins."""
    tail = tail or b""
    # A program's output need not be UTF-8.
    return mask_bytes(tail, secrets, hidden=max(0, len(tail) - _TAIL)).decode("utf-8", "replace")
