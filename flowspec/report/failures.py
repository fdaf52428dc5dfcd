"""The cause of a failure as text, Markdown and plain data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from flowspec.backend.aws.diagnosis.rule import UNKNOWN
from flowspec.document.escaping import visible, visible_values
from flowspec.document.masking import mask
from flowspec.errors import shorten
from flowspec.plan.cluster import Cluster
from flowspec.report.markdown import escaped, fenced, with_code

if TYPE_CHECKING:
    from flowspec.backend.aws.diagnosis.diagnose import Cause, Diagnosis

# A line may be as long as the whole part of the log that was searched.
_LONGEST_LINE = 2_000
_NO_FAILURE = "  Nothing has failed."


def as_text(diagnosis: Diagnosis) -> str:
    """Returns the cause of a failure, then what EMR says; in the opposite order when the cause is not known."""
    diagnosis = _for_people(diagnosis)
    cause = diagnosis.cause
    facts = [f"  {fact}" for fact in diagnosis.facts]
    found = [f"  cause: {cause.summary} [{cause.id}]"]
    found += [f"    {place}"] if (place := place_of(cause)) else []
    found += [f"    | {line}" for line in cause.quote]
    found += [f"  try: {advice}" for advice in diagnosis.advice]
    lines = [*facts, *found] if cause.id == UNKNOWN else [*found, *facts]
    if diagnosis.logs:
        lines += [f"  logs: {diagnosis.logs}"]
    return "\n".join([*lines, *(f"  {note}" for note in notes_of(diagnosis))])


def _for_people(diagnosis: Diagnosis) -> Diagnosis:
    """Returns a diagnosis with visible texts, whose lines of logs and messages are cut at `_LONGEST_LINE`."""
    shown = visible_values(diagnosis)
    quote, facts = ([shorten(line, _LONGEST_LINE) for line in lines] for lines in (shown.cause.quote, shown.facts))
    return replace(shown, cause=replace(shown.cause, quote=tuple(quote)), facts=tuple(facts))


def place_of(cause: Cause) -> str:
    """Returns the log that contains a cause, and the lines; "" if no log contains it."""
    if not cause.line:
        return cause.log
    last = "" if cause.end_line == cause.line else f"-{cause.end_line}"
    return f"{cause.log}, line{'s' if last else ''} {cause.line}{last}"


def with_heading(cluster: Cluster, diagnosis: Diagnosis | None) -> str:
    """Returns the cause of a failure for people, below the cluster's name; None for no failure."""
    head = f"{visible(cluster.name)} ({cluster.id}): {visible(cluster.state)}"
    return f"{head}\n{as_text(diagnosis) if diagnosis else _NO_FAILURE}"


def as_markdown(cluster: Cluster, diagnosis: Diagnosis | None, secrets: Collection[str] = ()) -> str:
    """Returns the cause of a failure as Markdown, for a pull request or a ticket; None for no failure.

    `secrets` are masked before Markdown is escaped, since an escaped secret would not be found.
    """
    escape = partial(escaped, secrets=secrets)
    lines = [f"### {escape(cluster.name)} ({cluster.id}): {escape(cluster.state)}", ""]
    if diagnosis is None:
        return "\n".join([*lines, _NO_FAILURE.strip()])
    shown = _for_people(diagnosis)
    cause = shown.cause
    lines += [f"**Probable cause:** {with_code(cause.summary, secrets)} (`{cause.id}`)", ""]
    lines += [f"From {escape(place)}:", ""] if (place := place_of(cause)) else []
    lines += [*fenced(mask(cause.quote, secrets)), ""] if cause.quote else []
    lines += [f"- **Try:** {with_code(advice, secrets)}" for advice in shown.advice]
    lines += [f"- {escape(fact)}" for fact in shown.facts]
    lines += [f"- Logs: {escape(shown.logs)}"] if shown.logs else []
    return "\n".join([*lines, *(f"- {with_code(note, secrets)}" for note in notes_of(shown))])


def notes_of(diagnosis: Diagnosis) -> list[str]:
    """Returns sentences on logs that could not be read, or may still be shipped."""
    unread = [f"they could not be read: {diagnosis.unread}"] if diagnosis.unread else []
    late = "EMR ships logs about every five minutes; `flowspec diagnose` reads them when they are there"
    return [*unread, *([late] if diagnosis.logs_may_follow else [])]


def as_document(diagnosis: Diagnosis) -> dict[str, Any]:
    """Returns the cause of a failure for programs: plain data."""
    return asdict(diagnosis)
