"""A plan as text, as Markdown and as JSON."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from flowspec.document.escaping import visible
from flowspec.document.masking import mask
from flowspec.plan.changes import Action, Change, Plan
from flowspec.report import json_text
from flowspec.report.colors import painted
from flowspec.report.costs import cost_document, cost_lines
from flowspec.report.markdown import escaped, fenced
from flowspec.report.preflight import preflight_document, preflight_lines

_COUNT_WORDS = {
    Action.REPLACE: ("cluster to replace", "clusters to replace"),
    Action.CREATE: ("to create", "to create"),
    Action.UPDATE: ("to change", "to change"),
    Action.DELETE: ("to remove", "to remove"),
    Action.SUBMIT: ("step to submit", "steps to submit"),
    Action.UPLOAD: ("file to upload", "files to upload"),
}


def as_text(plan: Plan, *, color: bool = False) -> str:
    """Returns the plan for people: a line for each change, its reason, and a count; secrets masked."""
    lines = [_title(plan), ""]
    # Masked before joining: shell quoting may split a secret, and the mask would not find it.
    lines += [f"  {_line(change, plan, color=color)}" for change in plan.changes]
    lines += [f"  {note}" for note in _notes(plan)]
    lines += ["", *preflight_lines(plan.preflight)] if plan.preflight is not None else []
    lines += ["", *_cost(plan), summary(plan)]
    if plan.blocked:
        lines += [visible(f"Blocked: {plan.blocked}"), visible(f"  {plan.remedy}")]
    return str(mask("\n".join(lines), plan.secrets))


# GitHub colours the lines of a diff block by their first character.
_DIFF_MARKS = {
    Action.CREATE: "+",
    Action.UPDATE: "!",
    Action.DELETE: "-",
    Action.REPLACE: "-",
    Action.SUBMIT: "+",
    Action.UPLOAD: "+",
}


def as_markdown(plan: Plan) -> str:
    """Returns the plan for a pull request's comment: its count as the heading, its lines as a diff; secrets masked."""
    lines = [f"### {escaped(_title(plan), plan.secrets)}", "", f"**{escaped(summary(plan))}**", ""]
    if plan.changes:
        lines += [*diff_block([(change.action, _line(change, plan)) for change in plan.changes]), ""]
    lines += [f"- {escaped(note, plan.secrets)}" for note in _notes(plan)]
    found = preflight_lines(plan.preflight) if plan.preflight else ()
    lines += [f"- {escaped(line.strip(), plan.secrets)}" for line in (*found, *_cost(plan))]
    if plan.blocked:
        lines += ["", f"> **Blocked:** {escaped(f'{plan.blocked}; {plan.remedy}', plan.secrets)}"]
    return str(mask("\n".join(lines).rstrip(), plan.secrets))


def diff_block(lines: Sequence[tuple[Action, str]]) -> list[str]:
    """Returns the lines of changes as a Markdown block that is coloured as a diff."""
    return fenced([f"{_DIFF_MARKS[action]} {line}" for action, line in lines], "diff")


def _title(plan: Plan) -> str:
    return visible(f"{plan.flow} on target {plan.target}" if plan.target else plan.flow)


def _notes(plan: Plan) -> Iterator[str]:
    if plan.skipped:
        yield f"= {plan.skipped}"
    elif plan.joins:
        yield f"= cluster {plan.joins} already matches the spec"
    yield from (f"note: {visible(note)}" for note in plan.notes)
    yield from (f"local run: {visible(remark)}" for remark in plan.remarks)


def _cost(plan: Plan) -> Iterator[str]:
    yield from cost_lines(plan.cost) if plan.cost else ()


def summary(plan: Plan) -> str:
    """Counts the changes of a plan: `Plan: 2 to change, 1 step to submit`."""
    return f"Plan: {counts([plan])}."


def counts(plans: Iterable[Plan]) -> str:
    """Counts the changes of plans: `2 to change, 1 step to submit`, or `nothing to do`."""
    counted = sum(map(_count_actions, plans), Counter[Action]())
    words = (
        f"{counted[action]} {one if counted[action] == 1 else many}"
        for action, (one, many) in _COUNT_WORDS.items()
        if counted[action]
    )
    return ", ".join(words) or "nothing to do"


def _count_actions(plan: Plan) -> Counter[Action]:
    counted = Counter(change.action for change in plan.changes)
    # A line for each reason, but one cluster.
    counted[Action.REPLACE] = int(bool(counted[Action.REPLACE]))
    return counted


def _line(change: Change, plan: Plan, *, color: bool = False) -> str:
    placed = bool(plan.converges) or change.action is Action.REPLACE
    return change_line(change, plan.secrets, placed=placed, color=color)


# ANSI's codes, by Terraform's choice: green, yellow, red.
_COLORS = {
    Action.CREATE: "32",
    Action.UPDATE: "33",
    Action.DELETE: "31",
    Action.REPLACE: "31",
    Action.SUBMIT: "32",
    Action.UPLOAD: "32",
}


def change_line(change: Change, secrets: Collection[str], *, placed: bool, color: bool = False) -> str:
    """Returns `~ instance group CORE: count 4 → 10  (ModifyInstanceGroups)  job.yaml:14`; the place if `placed`."""
    before, after = (mask(value, secrets) for value in (change.before, change.after))
    values = " → ".join(differing_texts(before, after))
    # Without the arrow, it would look like the new value.
    values += " → (none)" if after is None and before is not None and change.action in _CHANGING else ""
    # The address of a member names its thing first: `instance group CORE: count`.
    separator = " " if ": " in change.address else ": "
    address = mask(change.address, secrets)
    what = f"{address}{separator}{values}" if values else address
    reason = f" {change.reason}" if change.action is Action.REPLACE else f"  ({change.reason})" if change.reason else ""
    place = f"  {change.location.file_and_line}" if change.location and placed else ""
    return f"{painted(change.action.value, _COLORS[change.action], color=color)} {visible(f'{what}{reason}{place}')}"


def differing_texts(before: Any, after: Any) -> Iterator[str]:
    """Yields the texts of two values; for two lists of arguments only the different ones, with … for the others."""
    if not (isinstance(before, list | tuple) and isinstance(after, list | tuple)):
        given = [one for one in (before, after) if one is not None]
        yield from (shlex.join(map(str, one)) if isinstance(one, list | tuple) else str(one) for one in given)
        return
    from difflib import SequenceMatcher

    old, new = [str(one) for one in before], [str(one) for one in after]
    parts = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for side, arguments in enumerate((old, new)):
        shown: list[str] = []
        for tag, *ends in parts:
            start, end = ends[2 * side : 2 * side + 2]
            # A few common arguments show where the change is; the rest is left out.
            kept = tag != "equal" or end - start <= _CONTEXT_ARGUMENTS
            shown += [shlex.quote(one) for one in arguments[start:end]] if kept else ["…"]
        yield " ".join(shown) or "(none)"


_CONTEXT_ARGUMENTS = 2
_CHANGING = frozenset({Action.UPDATE, Action.REPLACE})


def change_document(change: Change) -> dict[str, Any]:
    """Returns a change for programs, without its place."""
    return {
        "action": change.action.value,
        "address": change.address,
        "before": change.before,
        "after": change.after,
        "reason": change.reason,
    }


def as_json(plan: Plan) -> str:
    """Returns the plan for programs, as `schemas/flowspec-plan-v1.schema.json` has it. Secrets are masked."""
    document: dict[str, Any] = {
        "version": plan.version,
        "flow": plan.flow,
        "target": plan.target,
        "digest": plan.digest,
        "source": plan.source,
        "has_changes": plan.has_changes,
        "joins": plan.joins,
        "skipped": plan.skipped,
        "replaces": plan.replaces,
        "converges": plan.converges,
        "blocked": plan.blocked,
        "remedy": plan.remedy,
        "remarks": list(plan.remarks),
        "notes": list(plan.notes),
        "preflight": None if plan.preflight is None else preflight_document(plan.preflight),
        "cost": cost_document(plan.cost),
        "changes": [
            {**change_document(one), "location": one.location and json_text.location_document(one.location)}
            for one in plan.changes
        ],
        "calls": [{"operation": call.operation, "params": call.params} for call in plan.calls],
        "uploads": [
            {"path": str(one.path), "uri": one.uri, "size": one.size}
            for one in plan.uploads
            if one.uri not in plan.staged
        ],
    }
    return json_text.as_json(document, plan.secrets)
