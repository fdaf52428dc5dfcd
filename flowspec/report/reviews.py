"""A review as text, as Markdown for a comment on a pull request, and as JSON; secrets masked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

from flowspec.document.escaping import visible
from flowspec.document.masking import mask
from flowspec.errors import Diagnostic, Severity, number_of
from flowspec.plan.changes import Action
from flowspec.report import diagnostics, json_text
from flowspec.report.costs import cost_change, cost_document
from flowspec.report.markdown import COMMENT_LIMIT, escaped, folded
from flowspec.report.plans import change_document, change_line, diff_block
from flowspec.review.review import CHANGED, GONE, INVALID, NEW, FlowReview, Review

MARKER = "<!-- flowspec-review -->"
"""The first line of a comment, by which it is found again to be updated."""

_REVIEW_VERSION = 1


def as_text(review: Review) -> str:
    """Returns the review for people: a heading and a line for each change of each flow, new findings, and a count."""
    lines: list[str] = []
    for flow in review.flows:
        lines += [visible(_heading(flow)), *(f"  {line}" for line in _change_lines(flow)), ""]
        findings = diagnostics.as_text(flow.findings).splitlines()
        lines += [*(line and f"  {line}" for line in findings), ""] if findings else []
    lines += [f"note: {visible(note)}" for note in review.notes]
    return "\n".join([*lines, _summary(review)])


def _change_lines(flow: FlowReview) -> Iterator[str]:
    for change in flow.changes:
        yield str(mask(change_line(change, flow.secrets, placed=True), flow.secrets))
    yield from (f"note: {visible(note)}" for note in flow.notes)
    if costs := cost_change(*flow.costs):
        yield f"cost: {costs}"


def _heading(flow: FlowReview) -> str:
    target = f" on target {flow.target}" if flow.target else ""
    moved = f", moved from {flow.moved_from}" if flow.moved_from else ""
    replaces = "; replaces a running cluster" if flow.replaces else ""
    status = "" if flow.status == CHANGED else f": {flow.status}"
    return f"{flow.path}{target}{status}{moved}{replaces}"


def _summary(review: Review) -> str:
    counted = Counter(one.status for one in review.flows)
    words = {NEW: "new", GONE: "gone", CHANGED: "changed", INVALID: "invalid"}
    parts = [f"{counted[status]} {word}" for status, word in words.items() if counted[status]]
    replaced = sum(one.replaces for one in review.flows)
    parts += [f"{replaced} to replace where a cluster runs"] if replaced else []
    found = sum(len(one.findings) for one in review.flows)
    parts += [number_of(found, "new finding")] if found else []
    since = f"since {review.base[:12]}"
    return f"Review {since}: {', '.join(parts)}." if parts else f"Review {since}: no flow changes."


def as_markdown(review: Review) -> str:
    """Returns the review for a comment: the count first, each flow folded, and no more than a comment may have."""
    head = [MARKER, f"### {escaped(_summary(review))}", ""]
    notes = [f"- {escaped(note)}" for note in review.notes]
    size = sum(len(line) + 1 for line in (*head, *notes))
    shown: list[str] = []
    for index, flow in enumerate(review.flows):
        section = _section(flow)
        if size + len(section) > COMMENT_LIMIT:
            left = len(review.flows) - index
            shown.append(f"**{number_of(left, 'more flow')}** did not fit: run `flowspec review` to see all.\n")
            break
        size += len(section) + 1
        shown.append(section)
    return "\n".join([*head, *shown, *notes]).rstrip()


def _section(flow: FlowReview) -> str:
    commands = any(one.id == "FS503" for one in flow.findings)
    unfolded = flow.replaces or flow.status == INVALID or commands
    marks = [(change.action, change_line(change, flow.secrets, placed=True)) for change in flow.changes]
    lines = diff_block(marks) if marks else []
    lines += [f"- {escaped(note, flow.secrets)}" for note in flow.notes]
    costs = cost_change(*flow.costs)
    lines += [f"- cost: {escaped(costs)}"] if costs else []
    lines += [f"- {_finding(one, flow.secrets)}" for one in flow.findings]
    return str(mask("\n".join(folded(_heading(flow), lines, flow.secrets, unfolded=unfolded)), flow.secrets))


def _finding(found: Diagnostic, secrets: Collection[str]) -> str:
    place = f"{found.location.file_and_line} " if found.location else ""
    hint = f" ({found.hint})" if found.hint else ""
    return f"**{found.severity.value}** {found.id} {escaped(f'{place}{found.message}{hint}', secrets)}"


def as_json(review: Review) -> str:
    """Returns the review for programs: version, commits, flows with their changes and new findings."""
    document = {
        "version": _REVIEW_VERSION,
        "base": review.base,
        "head": review.head,
        "compared": review.compared,
        "flows": [_flow(one) for one in review.flows],
        "notes": list(review.notes),
    }
    return json_text.as_json(document)


def _flow(flow: FlowReview) -> dict[str, Any]:
    changes = [
        {
            **change_document(change),
            "file": change.location.file if change.location else None,
            "line": change.location.line if change.location else None,
        }
        for change in flow.changes
    ]
    shown: dict[str, Any] = {
        "path": flow.path,
        "target": flow.target,
        "flow": flow.flow,
        "status": flow.status,
        "moved_from": flow.moved_from,
        "replaces": flow.replaces,
        "changes": changes,
        "notes": list(flow.notes),
        "cost": dict(zip(("before", "after"), map(cost_document, flow.costs), strict=True)),
        "findings": [diagnostics.as_plain(one) for one in flow.findings],
    }
    masked: dict[str, Any] = mask(shown, flow.secrets)
    return masked


def findings(review: Review) -> list[Diagnostic]:
    """Returns the new findings, and a warning at each line whose change replaces a running cluster: for annotations."""
    found = [one for flow in review.flows for one in flow.findings]
    for flow in review.flows:
        for change in flow.changes if flow.replaces else ():
            if change.action is Action.REPLACE and change.location:
                message = f"{change.address} changes: a running cluster of {flow.flow} is replaced"
                found.append(
                    Diagnostic("FS502", str(mask(message, flow.secrets)), change.location, severity=Severity.WARNING)
                )
    return list(dict.fromkeys(found))
