"""Writes the results of many flows as one table: text, JSON and Markdown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import Any

from flowspec.document.escaping import visible
from flowspec.document.masking import mask
from flowspec.errors import number_of
from flowspec.plan.changes import Plan
from flowspec.plan.findings import Level
from flowspec.report import json_text, plans
from flowspec.report.columns import aligned
from flowspec.report.markdown import COMMENT_LIMIT, escaped, folded

_FLEET_VERSION = 1
_HEADINGS = ("FLOW", "TARGET", "RESULT", "EXIT")
# By exit code (see cli.exits).
_WORDS = {
    0: "ok",
    1: "with an error",
    2: "invalid",
    3: "with drift",
    4: "with a failed step",
    5: "with a failed cluster",
    6: "still running",
    7: "cancelled",
    8: "locked",
    9: "with a stale plan",
    130: "interrupted",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One flow of a report: its result, and the exit code that it would have alone.

    `flow` is "" where its spec could not be read; `cluster` is an id or ""; `plan` is shown with the report.
    """

    spec: str
    flow: str
    target: str
    result: str
    exit: int
    cluster: str = ""
    plan: Plan | None = None


def as_text(rows: Sequence[Row], *, color: bool = False) -> str:
    """Returns the plans, then a table with a line for each flow, and a count; secrets are masked."""
    shown = [plans.as_text(row.plan, color=color) for row in rows if row.plan]
    # Those that need attention come last, where a terminal shows them.
    ordered = sorted(rows, key=lambda row: row.exit != 0)
    return "\n\n".join([*shown, "\n".join([*aligned([_HEADINGS, *map(_cells, ordered)]), "", count_line(ordered)])])


def _cells(row: Row) -> tuple[str, str, str, str]:
    return (_one_line(row.flow or row.spec), _one_line(row.target), _one_line(row.result), str(row.exit))


def _one_line(text: str) -> str:
    return visible(text) or "-"


def count_line(rows: Sequence[Row]) -> str:
    """Counts the flows by their exits, and the changes of their plans.

    As in `5 flows: 3 ok, 2 with drift. In all: 2 to change.`
    """
    counted = Counter(row.exit for row in rows)
    parts = [f"{count} {_WORDS[code]}" for code, count in sorted(counted.items())]
    shown = [row.plan for row in rows if row.plan]
    in_all = f" In all: {plans.counts(shown)}." if shown else ""
    return f"{number_of(len(rows), 'flow')}: {', '.join(parts) or 'nothing to do'}.{in_all}"


def as_json(rows: Sequence[Row], code: int) -> str:
    """Returns the report for programs.

    `{version, exit, flows: [{spec, flow, target, result, exit, cluster, plan}]}`
    """
    return json_text.as_json({"version": _FLEET_VERSION, "exit": code, "flows": list(map(_document, rows))})


def _document(row: Row) -> dict[str, Any]:
    return {
        "spec": row.spec,
        "flow": row.flow or None,
        "target": row.target or None,
        "result": row.result,
        "exit": row.exit,
        "cluster": row.cluster or None,
        "plan": json.loads(plans.as_json(row.plan)) if row.plan else None,
    }


def as_markdown(rows: Sequence[Row], title: str) -> str:
    """Returns the report for a comment or an issue: a heading, the table, and folded plans, as many as fit."""
    lines = [f"### {escaped(title)}", "", f"**{escaped(count_line(rows))}**", ""]
    lines += ["| Flow | Target | Result | Exit |", "| --- | --- | --- | --- |"]
    # Those that need attention come first: what does not fit is cut off at the end.
    rows = sorted(rows, key=lambda row: row.exit == 0)
    parts = [f"| {' | '.join(map(escaped, _cells(row)))} |" for row in rows]
    parts += [_folded_text(row.flow, plans.as_markdown(row.plan)) for row in rows if row.plan]
    room = COMMENT_LIMIT - len("\n".join(lines)) - len(_LEFT_OUT) - len(str(len(parts)))
    fitting = list(takewhile(lambda used: used <= room, accumulate(len(part) + 1 for part in parts)))
    left_out = len(parts) - len(fitting)
    return "\n".join([*lines, *parts[: len(fitting)], *([_LEFT_OUT.format(left_out)] if left_out else [])])


_LEFT_OUT = "\n_{} more lines and plans are left out: a comment holds no more._"


def _folded_text(title: str, text: str) -> str:
    return "\n".join(["", *folded(title, [text])]).rstrip("\n")


def result_of(plan: Plan) -> str:
    """Returns a plan in a few words; secrets masked.

    As in "2 to change", "nothing to do", "nothing to do: run j-… succeeded …", "blocked: …", "would fail: 1 problem, 2
    warnings; 3 to create".
    """
    summary = ": ".join(filter(None, (plans.counts([plan]), plan.skipped)))
    problems = "; ".join([*_preflight_counts(plan), summary])
    return str(mask(f"blocked: {plan.blocked}" if plan.blocked else problems, plan.secrets))


def _preflight_counts(plan: Plan) -> Iterator[str]:
    """Yields the count of what a preflight found, if it found something."""
    counted = Counter(one.level for one in plan.preflight or ())
    words = ((Level.WRONG, "problem"), (Level.WARNING, "warning"))
    found = [number_of(counted[level], word) for level, word in words if counted[level]]
    if found:
        yield f"{'would fail: ' if counted[Level.WRONG] else ''}{', '.join(found)}"
