"""Diagnoses a failed run: reads what EMR reports, and finds the lines of the logs that show the cause.

The most reliable source is read first: the step's own logs, in which the last messages of a program count more than
those of a framework. Then come the logs of its containers, EMR's FailureDetails, the error details, and the reason
for the state.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from itertools import dropwhile
from typing import TypeVar

from flowspec.backend.aws.diagnosis.commands import COMMAND_FAILED, COMMAND_FAILURE, describe_failed_command
from flowspec.backend.aws.diagnosis.containers import container_logs
from flowspec.backend.aws.diagnosis.lines import Kind, Line
from flowspec.backend.aws.diagnosis.rule import CANCELLED, RERUN, UNKNOWN
from flowspec.backend.aws.diagnosis.rules import SYMPTOMS
from flowspec.backend.aws.diagnosis.search import Match, lines_of, quote, search, search_words
from flowspec.backend.aws.logs import Logs
from flowspec.backend.aws.verdict import Outcome, Verdict
from flowspec.document.masking import lookback_length, mask, mask_bytes
from flowspec.errors import FlowspecError
from flowspec.facts.states import OPEN
from flowspec.plan.cluster import Cluster, Step
from flowspec.plan.runs.supervision import token_of

_T = TypeVar("_T")
_LINES = 12
# Bytes of a log that are looked at: the cause is near the end.
_TAIL = 256 * 1024
# Seconds between two checks for logs that have not been shipped: each check is one GetObject.
_FIRST_WAIT, _LONGEST_WAIT = 5.0, 60.0
# The most useful first.
STEP_LOGS = ("stderr", "stdout", "syslog", "controller")
# Hadoop's client prints this after every failure, so it does not show the cause.
_NOISE = frozenset({"", "Streaming Command Failed!"})
# EMR's shape of the reason: On the master instance (i-…), bootstrap action 1 returned a non-zero return code
_BOOTSTRAP = re.compile(r"instance \((i-\w+)\), bootstrap action (\d+)")
_TRACEBACK = re.compile(r"^Traceback \(most recent call last\):$", re.MULTILINE)
_NO_LOGS = "give the spec a `log_uri`: without one EMR keeps no logs, so this failure has none"
_NOT_KNOWN = "Not known. These are the last lines:"
_NOT_KNOWN_ADVICE = "read the whole log; the cause is often above the last lines"
_CANCELLED_ADVICE = f"to run what is left of the spec's own steps: {RERUN}"
# `apply` adds only steps of the spec.
_ADVICE_ON_ADDED = "if `flowspec steps add` added the step: run that command again, with --rerun failed"
_NOTHING_SAID = "Not known, and the logs are empty."
_NOTHING_THERE = "Not known, and there are no logs to look in."
_NOTHING_READ = "Not known, and the logs could not be read."
# A cluster may have 256 steps that all failed for the same reason.
_SHOWN_STEPS = 3
_TELLING = re.compile(r"\b(ERROR|FATAL)\b|^Caused by: |^Exception in thread |Exception: ")
# LocalJobRunner.Job.runTasks wraps what a task throws.
_WRAPPER = "java.lang.Exception: "


@dataclass(frozen=True, slots=True)
class Cause:
    """The probable cause of a failure, and where it is said.

    `id` is that of the rule (`diagnosis.rules`), "unknown" when none knows it, "cancelled" when nothing failed. `log`
    is the file or URI, `line` and `end_line` are where `quote` is in it, from 1; 0 where that is not known, as for
    what EMR itself says.
    """

    id: str
    summary: str
    advice: str
    log: str = ""
    line: int = 0
    end_line: int = 0
    quote: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A failure: the probable cause, EMR's reasons, the telling lines by log, and what to try.

    `logs` is where the rest is; `logs_may_follow` says that EMR may not have shipped them yet; `unread` says why
    they could not be read ("" when they could).
    """

    state: str
    facts: tuple[str, ...]
    cause: Cause
    excerpts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    advice: tuple[str, ...] = ()
    logs: str = ""
    logs_may_follow: bool = False
    unread: str = ""


@dataclass(frozen=True, slots=True)
class _Text:
    """The end of a log, masked; `first` is the number of its first line, 0 if that is not known.

    `path` is that in EMR's layout.
    """

    path: str
    uri: str
    text: str
    first: int

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]


def diagnose(
    cluster: Cluster,
    verdict: Verdict,
    logs: Logs,
    secrets: Collection[str] = (),
    *,
    patience: float = 0.0,
    notify: Callable[[str], object] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> Diagnosis:
    """Finds the probable cause of a verdict that is not success.

    Reads the end of each of the step's four logs and of at most nine logs of its containers. It waits, with growing
    pauses, for logs that EMR has not shipped yet, until `patience` seconds after the end of the step (`logs.PATIENCE`
    is enough for EMR). Before it waits, it calls `notify` once, with a line for people.

    The result shows no secret of `secrets`, nor a part of a secret that the beginning of an excerpt cuts; it may
    contain control characters. If logs can't be read, it still returns what EMR itself reports.
    """
    found = _diagnose_at_once(cluster, verdict, logs, secrets)
    ended = (verdict.step.ended if verdict.step else None) or cluster.ended or now()
    pause = _FIRST_WAIT
    while found.logs_may_follow and (left := patience - (now() - ended).total_seconds()) > 0:
        if pause == _FIRST_WAIT:
            notify(f"waiting up to {left:.0f} s for the logs, which EMR ships about every five minutes; Ctrl-C ends it")
        sleep(min(pause, left))
        pause = min(pause * 2, _LONGEST_WAIT)
        found = _diagnose_at_once(cluster, verdict, logs, secrets)
    return found


def _diagnose_at_once(cluster: Cluster, verdict: Verdict, logs: Logs, secrets: Collection[str]) -> Diagnosis:
    step = verdict.step
    found, unread = _take_readable(_read_telling_logs(cluster, verdict, logs, secrets))
    unlogged = not logs.live and not cluster.log_uri
    failed = verdict.outcome is Outcome.CLUSTER_FAILED
    words = _cause_statements(cluster, verdict)
    # A process that is killed with its step writes the same as a process without memory: its logs don't show the cause.
    cancelled = _cause_of_cancellation(cluster, words) if verdict.outcome is Outcome.CANCELLED else None
    cause = cancelled or _choose_cause(
        found, words, mask(step.args, secrets) if step else (), of_cluster=failed, unread=bool(unread)
    )
    return Diagnosis(
        cluster.state,
        _failure_statements(cluster, verdict),
        cause,
        dict(_excerpts(found, step.message if step else "")),
        tuple(filter(None, (cause.advice, _advise_on_added(cluster, cause), _NO_LOGS if unlogged else ""))),
        logs.step_location(step.id) if step else logs.folder(),
        # EMR ships the controller log of a step before the others.
        logs_may_follow=not cancelled
        and _logs_are_shipped(cluster, verdict, logs)
        and not unread
        and {one.name for one in found} <= {"controller"},
        unread=unread,
    )


def _advise_on_added(cluster: Cluster, cause: Cause) -> str:
    """Returns how to repeat a step that is not in the spec; "" if no rerun is advised, or the cluster has ended."""
    return _ADVICE_ON_ADDED if RERUN in cause.advice and cluster.state in OPEN else ""


def _logs_are_shipped(cluster: Cluster, verdict: Verdict, logs: Logs) -> bool:
    has_logs = verdict.step is not None or _BOOTSTRAP.search(cluster.reason) is not None
    return has_logs and not logs.live and bool(cluster.log_uri)


def _failure_statements(cluster: Cluster, verdict: Verdict) -> tuple[str, ...]:
    """Returns the statements of EMR about the failure, each once."""
    # The reason of a cluster that keeps running is about its present state ("Running step"), not about the failure.
    reason = "" if cluster.state in OPEN and not cluster.reason_code else cluster.reason
    facts = [*cluster.error_details, f"{cluster.reason_code}: {reason}" if cluster.reason_code else reason]
    if step := verdict.step:
        facts += [f"step '{step.name}' ({step.id}) is {step.state}", step.reason, step.message]
        facts += _describe_later_failures(cluster, step)
    return tuple(dict.fromkeys(filter(None, facts)))


def _describe_later_failures(cluster: Cluster, step: Step) -> list[str]:
    """Returns a statement about the other steps that failed after this one: before it are those of earlier runs.

    Other attempts at this one, which have its name and run the same, are left out.
    """
    after = dropwhile(lambda one: one.id != step.id, cluster.steps)
    failed = [one for one in after if one.state == "FAILED" and token_of(one) != token_of(step)]
    if not failed:
        return []
    names = ", ".join(f"'{one.name}' ({one.id})" for one in failed[:_SHOWN_STEPS])
    more = f" and {len(failed) - _SHOWN_STEPS} more" if len(failed) > _SHOWN_STEPS else ""
    return [f"also FAILED: {names}{more}; for its cause: `flowspec diagnose` with --step {failed[0].id}"]


def _cause_statements(cluster: Cluster, verdict: Verdict) -> list[str]:
    """Returns the statements of EMR about the cause, the most specific first."""
    of_step = [verdict.step.message, verdict.step.reason] if verdict.step else []
    of_cluster = [*cluster.error_details, f"{cluster.reason_code}: {cluster.reason}"]
    return [*of_step, *of_cluster] if verdict.step else of_cluster


# -- the cause


def _choose_cause(
    texts: Sequence[_Text], words: Sequence[str], args: Sequence[str], *, of_cluster: bool, unread: bool
) -> Cause:
    """Returns the cause found in a log, else the one in a statement of EMR, else the end of the logs.

    `args` are those of the step. `of_cluster`: the cluster itself failed, so the statements of EMR come first.
    """
    from_emr = [
        Cause(found.rule.id, found.summary, found.rule.advice, quote=(found.text,))
        for found in _match_statements(words)
    ]
    from_logs = [
        _cause_of_match(found, text, lines, texts, args)
        for text in texts
        if (found := search(lines := lines_of(text.text, text.first)))
    ]
    causes = [*from_emr, *from_logs] if of_cluster else [*from_logs, *from_emr]
    known = next((cause for cause in causes if cause.id not in SYMPTOMS), None)
    # How the process ended in the log of a bootstrap action says more than EMR's "a non-zero return code".
    cause = known or _choose_symptom([*from_logs, *from_emr], _unknown_cause(texts, unread=unread))
    return _with_last_words(cause, texts) if cause.id == COMMAND_FAILED else cause


def _cause_of_cancellation(cluster: Cluster, words: Sequence[str]) -> Cause:
    """Returns the cause in a statement of EMR on a run in which nothing failed, else who ended the run."""
    match = next(_match_statements(words), None)
    if match:
        return Cause(match.rule.id, match.summary, match.rule.advice, quote=(match.text,))
    by_user = cluster.reason_code == "USER_REQUEST"
    ended = "the cluster was terminated before all steps were done" if by_user else "a step was cancelled"
    return Cause(CANCELLED, f"Nothing failed: {ended}.", _CANCELLED_ADVICE)


def _choose_symptom(causes: Sequence[Cause], unknown: Cause) -> Cause:
    """Returns the first of causes that are symptoms, with the end of a log if it is from a statement of EMR."""
    if not causes:
        return unknown
    if causes[0].log or not unknown.quote:
        return causes[0]
    return replace(unknown, id=causes[0].id, summary=causes[0].summary, advice=causes[0].advice)


def _with_last_words(cause: Cause, texts: Sequence[_Text]) -> Cause:
    """Adds the last lines that the command wrote to stderr to the cause, or that no log shows the reason."""
    folders = {one.folder for one in texts if COMMAND_FAILURE in one.text}
    said = _unknown_cause(
        [one for one in texts if one.name.startswith("stderr") and one.folder in folders], unread=False
    )
    if not said.quote:
        return replace(cause, summary=f"{cause.summary} No log that was read says why.")
    return replace(said, id=cause.id, summary=f"{cause.summary} These are its last lines:", advice=cause.advice)


def _match_statements(words: Iterable[str]) -> Iterator[Match]:
    return filter(None, map(search_words, words))


def _cause_of_match(
    match: Match, text: _Text, lines: Sequence[Line], texts: Sequence[_Text], args: Sequence[str]
) -> Cause:
    quoted = quote(lines, match)
    numbers = (quoted[0].number, quoted[-1].number) if text.first else (0, 0)
    command = describe_failed_command(match.text, lines, lines.index(match.line), args, [one.text for one in texts])
    summary, advice = match.summary, match.rule.advice
    if command:
        summary = f"{summary} {command.told}".rstrip()
        advice = f"{advice}; to run it alone: {command.repeat}" if command.repeat else advice
    return Cause(match.rule.id, summary, advice, text.uri, *numbers, tuple(line.text for line in quoted))


def _unknown_cause(texts: Sequence[_Text], *, unread: bool) -> Cause:
    """Returns the end of the first log that has any text; else that none has any, none is there, or none was read."""
    for text in texts:
        lines = lines_of(text.text, text.first)
        while lines and (lines[-1].kind is Kind.FRAME):
            lines.pop()
        if lines and text.name != "controller":
            last = lines[-_LINES:]
            numbers = (last[0].number, last[-1].number) if text.first else (0, 0)
            return Cause(UNKNOWN, _NOT_KNOWN, _NOT_KNOWN_ADVICE, text.uri, *numbers, tuple(line.text for line in last))
    return Cause(UNKNOWN, _NOTHING_SAID if texts else _NOTHING_READ if unread else _NOTHING_THERE, "")


# -- the logs


def _take_readable(found: Iterator[_T]) -> tuple[list[_T], str]:
    """Returns the items up to the first that can't be read, and why it can't ("" if all can)."""
    read: list[_T] = []
    try:
        read.extend(found)
    except FlowspecError as error:
        return read, error.sentence
    except OSError as error:
        return read, str(error)
    return read, ""


def _read_telling_logs(cluster: Cluster, verdict: Verdict, logs: Logs, secrets: Collection[str]) -> Iterator[_Text]:
    """Yields the ends of the logs that may name the cause, of those that are there."""
    if verdict.step is None:
        if match := _BOOTSTRAP.search(cluster.reason):
            folder = f"node/{match[1]}/bootstrap-actions/{match[2]}"
            yield from _read_existing(logs, [f"{folder}/{name}" for name in ("stderr", "stdout")], secrets)
        return
    own: list[_Text] = []
    for text in _read_existing(logs, [f"steps/{verdict.step.id}/{name}" for name in STEP_LOGS], secrets):
        own.append(text)
        yield text
    yield from _read_existing(logs, container_logs(logs, [text.text for text in own]), secrets)


def _read_existing(logs: Logs, paths: Iterable[str], secrets: Collection[str]) -> Iterator[_Text]:
    for path in paths:
        blocks = logs.read(path)
        if blocks is not None:
            text, first = _masked_end(blocks, secrets)
            yield _Text(path, logs.uri(path), text, first)


def _masked_end(blocks: Iterable[bytes], secrets: Collection[str]) -> tuple[str, int]:
    """Returns the last _TAIL bytes of a log, masked, and the number of the line they begin in.

    The bytes before them are read only to find the beginning of a secret. The number is 0 when masking removed line
    breaks.
    """
    size = _TAIL + lookback_length(secrets)
    kept, before = bytearray(), 1
    for block in blocks:
        kept += block
        before += kept[:-size].count(b"\n")
        del kept[:-size]
    hidden = max(0, len(kept) - _TAIL)
    shown = mask_bytes(bytes(kept), secrets, hidden)
    before += kept[:hidden].count(b"\n")
    # A program's output need not be UTF-8.
    return shown.decode("utf-8", "replace"), before if shown.count(b"\n") == kept[hidden:].count(b"\n") else 0


# -- what is shown of them


def _excerpts(texts: Iterable[_Text], emr_message: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yields the lines most likely to tell the cause, and the log they are in; those in `emr_message` are left out."""
    for text in (one for one in texts if not one.path.startswith("containers/")):
        if text.name == "stderr" and (words := _last_words(text.text)):
            yield "stderr", words
        # Spark writes the stderr of a Python application to this log.
        if text.name == "stdout" and _TRACEBACK.search(text.text):
            yield "stdout", _last_words(text.text)
        if text.name == "syslog":
            telling = _drop_known_messages(
                [line for line in text.text.splitlines() if _TELLING.search(line)], emr_message
            )
            if telling:
                yield "syslog", telling[-_LINES:]


def _drop_known_messages(lines: Sequence[str], emr_message: str) -> tuple[str, ...]:
    """Returns the lines whose message is not known yet: Java prints a cause once for each exception that wraps it."""
    known = {_bare_message(emr_message)}
    found = []
    for line in lines:
        message = _bare_message(line)
        if message not in known:
            found.append(line)
        known.add(message)
    return tuple(found)


def _bare_message(line: str) -> str:
    return line.rpartition("Caused by: ")[2].removeprefix(_WRAPPER)


def _last_words(text: str) -> tuple[str, ...]:
    starts = [match.start() for match in _TRACEBACK.finditer(text)]
    lines = [line for line in text[starts[-1] if starts else 0 :].splitlines() if line.strip() not in _NOISE]
    return tuple(lines[:1] + lines[-_LINES + 1 :] if starts and len(lines) > _LINES else lines[-_LINES:])
