"""A review as text, as Markdown for a comment on a pull request, and as JSON; secrets masked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

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
"""The first line of a comment, by which a later review finds the comment to update it."""

_REVIEW_VERSION = 1


class _Alike(NamedTuple):
    """Flows with the same output: one flow at several targets, or several that a base file makes invalid."""

    flows: list[FlowReview]
    findings: tuple[Diagnostic, ...]

    @property
    def first(self) -> FlowReview:
        """The flow that stands for all, but for their costs."""
        return self.flows[0]

    @property
    def secrets(self) -> frozenset[str]:
        """The secrets of all of them."""
        return frozenset().union(*(one.secrets for one in self.flows))


def _group_flows(review: Review) -> list[_Alike]:
    groups: dict[Any, list[FlowReview]] = {}
    for flow in review.flows:
        findings = diagnostics.without_targets(flow.findings)
        # An error in a base file is an error in each spec that extends it.
        path = "" if flow.status == INVALID and not flow.moved_from else flow.path
        shown = (path, flow.status, flow.moved_from, flow.replaces, tuple(_change_lines(flow)), findings)
        groups.setdefault(shown, []).append(flow)
    return [
        _Alike(flows, diagnostics.merge_targets(dict.fromkeys(found for one in flows for found in one.findings)))
        for flows in groups.values()
    ]


def as_text(review: Review, *, color: bool = False) -> str:
    """Returns the review for people: a heading and a line for each change of each flow, new findings, and a count."""
    lines: list[str] = []
    groups = _group_flows(review)
    for group in groups:
        shown = [*_change_lines(group.first, color=color), *_costs(group)]
        lines += [visible(_heading(group)), *(f"  {line}" for line in shown), ""]
        findings = diagnostics.as_text(group.findings, color=color).splitlines()
        lines += [*(line and f"  {line}" for line in findings), ""] if findings else []
    lines += [f"note: {visible(note)}" for note in review.notes]
    return "\n".join([*lines, _summary(review, groups)])


def _change_lines(flow: FlowReview, *, color: bool = False) -> Iterator[str]:
    for change in flow.changes:
        yield str(mask(change_line(change, flow.secrets, placed=True, color=color), flow.secrets))
    yield from (f"note: {visible(note)}" for note in _notes(flow))


def _costs(group: _Alike) -> Iterator[str]:
    """Yields the cost of each target; targets with the same cost share a line."""
    targets: dict[str, list[str]] = {}
    for flow in group.flows:
        targets.setdefault(cost_change(*flow.costs), []).append(flow.target)
    for costs, names in targets.items():
        where = f" on {', '.join(names)}" if len(targets) > 1 else ""
        if costs:
            yield f"cost{where}: {costs}"


def _notes(flow: FlowReview) -> Iterator[str]:
    yield from flow.notes
    if flow.left:
        yield f"a running cluster of the flow keeps running, but no spec manages it any more; to end it: {flow.left}"


def _heading(group: _Alike) -> str:
    flow = group.first
    places: dict[str, list[str]] = {}
    for one in group.flows:
        places.setdefault(one.path, []).append(one.target)
    named = (f"{path}{_targets(targets)}" for path, targets in places.items())
    moved = f", moved from {flow.moved_from}" if flow.moved_from else ""
    replaces = "; replaces a running cluster" if flow.replaces else ""
    left = "; leaves a running cluster" if flow.left else ""
    status = "" if flow.status == CHANGED else f": {flow.status}"
    return f"{', '.join(named)}{status}{moved}{replaces}{left}"


def _targets(names: Sequence[str]) -> str:
    known = [name for name in names if name]
    return f" on target{'s' * (len(known) > 1)} {', '.join(known)}" if known else ""


def _summary(review: Review, groups: Sequence[_Alike]) -> str:
    specs: dict[str, set[str]] = {}
    for one in review.flows:
        specs.setdefault(one.status, set()).add(one.path)
    words = {NEW: "new", GONE: "gone", CHANGED: "changed", INVALID: "invalid"}
    parts = [f"{len(specs[status])} {word}" for status, word in words.items() if status in specs]
    replaced = sum(one.replaces for one in review.flows)
    parts += [f"{replaced} to replace where a cluster runs"] if replaced else []
    left = sum(bool(one.left) for one in review.flows)
    parts += [f"{left} to destroy where a cluster runs"] if left else []
    found = sum(len(one.findings) for one in groups)
    parts += [number_of(found, "new finding")] if found else []
    since = f"since {review.base[:12]}"
    return f"Review {since}: {', '.join(parts)}." if parts else f"Review {since}: no flow changes."


def as_markdown(review: Review) -> str:
    """Returns the review for a comment: the count first, each flow folded, and no more than a comment may have."""
    groups = _group_flows(review)
    head = [MARKER, f"### {escaped(_summary(review, groups))}", ""]
    notes = [f"- {escaped(note)}" for note in review.notes]
    size = sum(len(line) + 1 for line in (*head, *notes))
    shown: list[str] = []
    for index, group in enumerate(groups):
        section = _section(group)
        if size + len(section) > COMMENT_LIMIT:
            left = sum(len(one.flows) for one in groups[index:])
            shown.append(f"**{number_of(left, 'more flow')}** did not fit: run `flowspec review` to see all.\n")
            break
        size += len(section) + 1
        shown.append(section)
    return "\n".join([*head, *shown, *notes]).rstrip()


def _section(group: _Alike) -> str:
    flow, secrets = group.first, group.secrets
    commands = any(one.id == "FS503" for one in group.findings)
    unfolded = flow.replaces or bool(flow.left) or flow.status == INVALID or commands
    marks = [(change.action, change_line(change, flow.secrets, placed=True)) for change in flow.changes]
    lines = diff_block(marks) if marks else []
    lines += [f"- {escaped(note, secrets)}" for note in (*_notes(flow), *_costs(group))]
    lines += [f"- {_finding(one, secrets)}" for one in group.findings]
    return str(mask("\n".join(folded(_heading(group), lines, secrets, unfolded=unfolded)), secrets))


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
        "left": flow.left,
        "changes": changes,
        "notes": [*_notes(flow)],
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
    return list(diagnostics.merge_targets(dict.fromkeys(found)))
