"""A report as the texts, numbers and lists that its template shows."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from itertools import islice
from typing import Any

from flowspec.backend.aws.verdict import Outcome
from flowspec.document.escaping import visible
from flowspec.document.masking import MASK, mask
from flowspec.errors import number_of
from flowspec.facts import states
from flowspec.facts.backends import TRAITS
from flowspec.inspection.details import StepDetail
from flowspec.inspection.named_secrets import mask_named_options, mask_named_secrets
from flowspec.inspection.run_facts import RUNNING, RunFacts
from flowspec.inspection.tails import Line, Tail, shortened
from flowspec.inspection.timeline import Span, skip_note
from flowspec.plan.changes import Change
from flowspec.plan.cluster import FLOW_TAG, SOURCE_TAG, TAG_PREFIX, TARGET_TAG, Step
from flowspec.plan.lines import NAMES_A_SECRET, fleet_line, group_line
from flowspec.report.failures import notes_of, place_of
from flowspec.report.plans import differing_texts
from flowspec.report.times import duration_text, utc_text
from flowspec.request.instances import lives_on
from flowspec.version import installed_version

View = dict[str, Any]

# The number of steps that are shown at once; more are folded into groups. 10,000 rows have 3 MB and take a browser a
# second.
_UNFOLDED, _GROUP, _MOST_ROWS = 50, 100, 10_000
_FAILED_SHOWN = 50
_MOST_CHANGES = 100
_TEXT = 400
_KINDS = {
    **dict.fromkeys(("COMPLETED", "succeeded"), "ok"),
    **dict.fromkeys(("FAILED", "TERMINATED_WITH_ERRORS", "step failed", "cluster failed"), "bad"),
    **dict.fromkeys(("STARTING", "BOOTSTRAPPING", "RUNNING", RUNNING), "run"),
    **dict.fromkeys(("CANCELLED", "INTERRUPTED", "TERMINATED", "cancelled", "ENDED"), "stop"),
}


def kind_of(state: str) -> str:
    """Returns the class of a state or outcome, by which its shape and colour are chosen."""
    return _KINDS.get(state, "wait")


def run_view(report: RunFacts, *, site: bool = False) -> View:
    """Returns all that the template `run.html` shows."""
    cluster = report.cluster
    anchors = {one.step.id: f"step-{number}" for number, one in enumerate(report.details, 1)}
    timeline = _Timeline(report, anchors)
    view = {
        "name": visible(cluster.name),
        "id": cluster.id,
        "outcome": report.outcome,
        "kind": kind_of(report.outcome),
        "facts": _filled_rows(_overview_rows(report)),
        "failure": _failure(report, anchors),
        "timeline": timeline.view(),
        "zone": f" ({timeline.day}, UTC)" if timeline.day else " (UTC)",
        "length": shown_duration(timeline.length),
        "counted": _count_steps(cluster.steps),
        "cost": report.cost
        and {"total": report.cost.total, "rows": _filled_rows(report.cost.rows), "notes": report.cost.notes},
        "compared": report.compared,
        "baseline": _baseline(report),
        "steps": [_detail_view(one, report, anchors[one.step.id]) for one in report.details],
        "not_begun": "No step has begun." if cluster.steps else "The cluster has no steps.",
        "detailed": _omitted_steps_note(report),
        "configuration": _configuration(report),
        "notes": report.notes,
        "read_at": utc_text(report.read_at),
        "version": installed_version(),
        "site": site,
    }
    return {**view, "parts": list(_parts(view))}


_FAILED, _CANCELLED = "Why it failed", "Why it was cancelled"
_PARTS = {
    "failure": _FAILED,
    "timeline": "Timeline",
    "cost": "Cost",
    "compared": "Differences",
    "steps": "Steps and logs",
    "configuration": "Configuration",
    "notes": "Notes",
}


def _parts(view: View) -> Iterator[View]:
    for name, title in _PARTS.items():
        if view[name] or name == "steps":
            shown = view["failure"]["title"] if name == "failure" else title
            yield {"id": "differences" if name == "compared" else name, "title": shown}


def _filled_rows(rows: Iterable[tuple[str, Any]]) -> list[View]:
    return [{"name": name, "value": value} for name, value in rows if value not in (None, "")]


def _overview_rows(report: RunFacts) -> Iterator[tuple[str, str]]:
    cluster, tags = report.cluster, report.cluster.tags
    yield "State", f"{cluster.state}{f' ({cluster.reason_code})' if cluster.reason_code else ''}"
    yield "Flow", " on ".join(visible(tags[tag]) for tag in (FLOW_TAG, TARGET_TAG) if tags.get(tag))
    yield "Spec", visible(tags.get(SOURCE_TAG, ""))
    yield "Release", cluster.release_label
    yield "Region", report.region if TRAITS[report.backend].on_aws else "this machine"
    yield "Created", f"{utc_text(cluster.created)} UTC" if cluster.created else ""
    yield "Ended", f"{utc_text(cluster.ended)} UTC" if cluster.ended else ""
    yield "Took" if cluster.has_ended else "Up for", _time_between(cluster.created, cluster.ended or report.read_at)


# -- times


def shown_duration(seconds: float | None) -> str:
    """Returns a duration; "" for none."""
    return "" if seconds is None else duration_text(seconds)


def _time_between(start: datetime | None, end: datetime | None) -> str:
    return duration_text((end - start).total_seconds()) if start and end else ""


# -- the failure


def _failure(report: RunFacts, anchors: Mapping[str, str]) -> View | None:
    found, step = report.diagnosis, report.failed
    if found is None:
        return None
    cause = found.cause
    numbers = range(cause.line, cause.line + len(cause.quote)) if cause.line else [0] * len(cause.quote)
    lines = [Line(text, number, cause=True) for text, number in zip(cause.quote, numbers, strict=True)]
    cancelled = report.outcome == Outcome.CANCELLED.value
    return {
        # If someone ended a run, EMR's message says more than its logs.
        "cancelled": cancelled,
        "title": _CANCELLED if cancelled else _FAILED,
        "step": step and visible(step.name),
        "anchor": step and anchors.get(step.id, ""),
        "state": step and step.state,
        "kind": kind_of(step.state if step else ""),
        "summary": cause.summary,
        "id": cause.id,
        "quote": lines,
        "place": place_of(cause),
        "advice": found.advice,
        "facts": found.facts,
        "notes": notes_of(found),
        "command": f"{report.commands} --step {step.id}" if step else report.commands,
    }


# -- the timeline


class _Timeline:
    """The parts of a run on one axis, from its creation to its end or to the moment it was read."""

    def __init__(self, report: RunFacts, anchors: Mapping[str, str]) -> None:
        self._report, self._anchors = report, anchors
        ends = [span.ended for span in report.spans if span.ended]
        starts = [span.started for span in report.spans if span.started]
        self._start = min(starts, default=report.read_at)
        self._end = max([*ends, report.cluster.ended or (self._start if report.cluster.has_ended else report.read_at)])
        self.length = max((self._end - self._start).total_seconds(), 0.001)
        one_day = self._start.astimezone(timezone.utc).date() == self._end.astimezone(timezone.utc).date()
        self.day = utc_text(self._start)[:10] if one_day else ""
        self._earlier = report.baseline.steps(report.cluster) if report.baseline else {}

    def view(self) -> View:
        """Returns the rows that are shown at once, and the groups of those that are folded."""
        steps = [span for span in self._report.spans if span.step]
        if len(steps) <= _UNFOLDED:
            return {"rows": self._rows(self._report.spans), "groups": [], "left_out": ""}
        # Of long runs those that failed are shown, with all that is not a step.
        failed = list(islice((one for one in steps if kind_of(one.state) == "bad"), _FAILED_SHOWN))
        shown = [span for span in self._report.spans if not span.step or span in failed]
        left_out = len(steps) - _MOST_ROWS
        return {
            "rows": self._rows(shown),
            "groups": [self._group(steps, first) for first in range(0, min(len(steps), _MOST_ROWS), _GROUP)],
            "left_out": f"Not on this page: {number_of(left_out, 'more step')}." if left_out > 0 else "",
        }

    def _group(self, steps: Sequence[Span], first: int) -> View:
        group = steps[first : min(first + _GROUP, _MOST_ROWS)]
        title = f"Steps {first + 1:,} to {first + len(group):,}: {_states(group)}"
        return {"id": f"steps-{first + 1}", "title": title, "rows": self._rows(group)}

    def _rows(self, spans: Sequence[Span]) -> list[View]:
        return [self._row(span) for span in spans]

    def _row(self, span: Span) -> View:
        seconds = span.seconds(self._end)
        offset = (span.started - self._start).total_seconds() if span.started else 0.0
        before = self._earlier.get(span.step)
        return {
            "name": visible(span.name),
            "state": _state(span.state, span.note),
            "kind": kind_of(span.state),
            "failed": span.state == "FAILED",
            "anchor": self._anchors.get(span.step, ""),
            "started": (utc_text(span.started)[11:] if self.day else utc_text(span.started)),
            "took": shown_duration(seconds),
            "earlier": _time_between(before.started, before.ended) if before else "",
            # A bar that is too short to be visible gets a minimum width.
            "width": 0 if seconds is None else max(0.4, _percent(seconds / self.length)),
            "x": min(99.6, _percent(offset / self.length)),
        }


def _state(state: str, note: str) -> str:
    return f"{state} ({visible(note)})" if note else state


def _percent(share: float) -> float:
    return round(100 * share, 2)


def _count_steps(steps: Sequence[Step]) -> str:
    return f"{len(steps):,} steps: {_states(steps)}" if len(steps) > 1 else ""


def _states(items: Sequence[Step] | Sequence[Span]) -> str:
    known = (*states.ENDED_STEPS, *states.ACTIVE_STEPS)
    counts = Counter(item.state for item in items)
    order = sorted(counts, key=lambda state: (known.index(state) if state in known else -1, state))
    return ", ".join(f"{counts[state]:,} {state}" for state in order)


# -- the last successful run


_NO_DIFFERENCE = "The request is the same: no member of it and no step differs."
_ONLY_FILES_DIFFER = (
    "No member of the request differs, but the digest of the spec does: a script or another local file has changed, "
    "or what EMR does not show."
)


def _baseline(report: RunFacts) -> View | None:
    found = report.baseline
    if found is None:
        return None
    successful = found.cluster
    more = len(found.changes) - _MOST_CHANGES
    sources = [one.tags.get(SOURCE_TAG, "") for one in (successful, report.cluster)]
    moved = [{"what": "spec", "then": visible(sources[0]), "now": visible(sources[1])}] if len({*sources}) > 1 else []
    return {
        "id": successful.id,
        "created": utc_text(successful.created),
        "took": _time_between(successful.created, successful.ended),
        "changes": [*moved, *(_change_view(one, report) for one in found.changes[:_MOST_CHANGES])],
        "more": f"{more:,} more differences are not on this page." if more > 0 else "",
        "notes": found.notes,
        "same": _ONLY_FILES_DIFFER if found.unseen(report.cluster) else _NO_DIFFERENCE,
    }


def _change_view(change: Change, report: RunFacts) -> View:
    pair = [_masked(one, report) for one in (change.before, change.after)]
    if change.before is None or change.after is None:
        then, now = (None if one is None else _join_arguments(one) for one in pair)
    else:
        then, now = differing_texts(*pair)
    if NAMES_A_SECRET.search(change.address):
        then, now = (one and MASK for one in (then, now))
    return {"what": visible(change.address), "then": _shorten(then), "now": _shorten(now)}


def _masked(value: str | Sequence[str] | None, report: RunFacts) -> Any:
    """Returns a value of a change.

    Arguments are masked before they are joined, since a shell's quotes may split a secret.
    """
    words = value if value is None or isinstance(value, str) else mask_named_options(value)
    return mask(words, report.secrets)


def _join_arguments(value: Any) -> str:
    return shlex.join(value) if isinstance(value, list) else str(value)


def _shorten(text: str | None) -> str | None:
    return None if text is None else shortened(text, _TEXT)


# -- the steps


def _omitted_steps_note(report: RunFacts) -> str:
    begun = sum(1 for step in report.cluster.steps if step.started or step.ended)
    if begun <= len(report.details):
        return ""
    return f"Of {begun:,} steps that have begun, the failed, running and latest {len(report.details)} are shown here."


def _detail_view(detail: StepDetail, report: RunFacts, anchor: str) -> View:
    step = detail.step
    return {
        "anchor": anchor,
        "open": step == report.failed or len(report.details) == 1 or step.state == "RUNNING",
        "name": visible(step.name),
        "id": step.id,
        "state": _state(step.state, skip_note(step)),
        "kind": kind_of(step.state),
        "took": _time_between(step.started, step.ended or (None if step.has_ended else report.read_at)),
        "on_failure": step.action_on_failure,
        "where": detail.where,
        "command": _command(step, report),
        "counters": list(_counters(detail)),
        "has_earlier": bool(detail.earlier),
        "no_logs": "" if detail.tails else _missing_logs_note(detail, report),
        "logs": [_log_view(tail, detail, report, anchor) for tail in detail.tails],
    }


def _command(step: Step, report: RunFacts) -> str:
    words = _masked([one for one in (step.jar, step.main_class, *step.args) if one], report)
    return " \\\n  ".join(one if one == MASK else shlex.quote(one) for one in words)


def _counters(detail: StepDetail) -> Iterator[View]:
    for group, values in detail.counters.items():
        before = detail.earlier.get(group, {})
        rows = [
            {
                "name": visible(name),
                "value": f"{value:,}",
                "earlier": f"{before[name]:,}" if name in before else "",
                "differs": name in before and before[name] != value,
            }
            for name, value in values.items()
        ]
        yield {"name": visible(group), "rows": rows}


def _missing_logs_note(detail: StepDetail, report: RunFacts) -> str:
    if not detail.where:
        return "There are no logs: the cluster was started without a log_uri."
    if detail.unread:
        return "The logs could not be read."
    if TRAITS[report.backend].ships_logs and not detail.step.has_ended:
        return "The logs are not there yet: EMR ships them about every five minutes."
    return "The logs are not there: they were removed, or have not been shipped yet."


def _log_view(tail: Tail, detail: StepDetail, report: RunFacts, anchor: str) -> View:
    note = "It is empty." if not tail.lines else ""
    if tail.cut or (tail.lines and tail.lines[0].gap):
        note = "Only its end is shown."
    return {
        "id": f"{anchor}-{tail.name}",
        "name": tail.name,
        "lines": tail.lines,
        "note": note,
        "link": f"/clusters/{report.cluster.id}/steps/{detail.step.id}/{tail.name}",
    }


# -- the configuration


def _configuration(report: RunFacts) -> View | None:
    live = report.cluster.live
    if live is None:
        return None
    params = {name: value for name, value in live.params.items() if name != "Steps"}
    params["Tags"] = [tag for tag in params.get("Tags", ()) if not tag["Key"].startswith(TAG_PREFIX)]
    shown = mask(mask_named_secrets(params), report.secrets)
    return {
        "facts": _filled_rows(_configuration_rows(shown)),
        "json": json.dumps(shown, indent=2, ensure_ascii=False, default=str),
    }


def _configuration_rows(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Applications", ", ".join(one["Name"] for one in params.get("Applications", ()))
    instances = params.get("Instances", {})
    for group in instances.get("InstanceGroups", ()):
        yield f"{group.get('InstanceRole', '')} group", group_line({"InstanceCount": 0, "InstanceType": "?", **group})
    for fleet in instances.get("InstanceFleets", ()):
        yield f"{fleet.get('InstanceFleetType', '')} fleet", fleet_line(fleet)
    for action in params.get("BootstrapActions", ()):
        script = action.get("ScriptBootstrapAction", {})
        yield (
            f"Bootstrap action {action.get('Name', '')}",
            shlex.join([script.get("Path", ""), *script.get("Args", ())]),
        )
    for one in params.get("Configurations", ()):
        for key, value in one.get("Properties", {}).items():
            yield f"{one.get('Classification', '')}: {key}", _shorten(value) or ""
    yield "Service role", params.get("ServiceRole", "")
    yield "Instance profile", params.get("JobFlowRole", "")
    yield "Logs", params.get("LogUri", "")
    yield "After its steps", "keeps running" if lives_on(params) else "ends"
    for tag in params.get("Tags", ()):
        yield f"Tag {tag['Key']}", tag.get("Value", "")
