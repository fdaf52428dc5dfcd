"""A report in short, as Markdown: why it failed, when the steps ran, what differs from the last green run."""

from __future__ import annotations

from collections.abc import Iterator

from flowspec.document.masking import mask
from flowspec.report.failures import as_markdown
from flowspec.report.markdown import escaped, fenced
from flowspec.report.page.run_report import RunReport
from flowspec.report.page.view import View, run_view

# A comment on GitHub may have 65,536 characters.
_MOST_ROWS = 50


def run_markdown(report: RunReport) -> str:
    """Returns a report as Markdown; secrets are masked."""
    view = run_view(report)
    if report.diagnosis:
        head = as_markdown(report.cluster, report.diagnosis)
    else:
        head = f"### {escaped(view['name'])} ({escaped(view['id'])}): {escaped(report.outcome)}"
    parts = [head, "\n".join(_timeline(view)), "\n".join(_differences(view)), "\n".join(_cost(view))]
    parts += ["\n".join(f"- {escaped(note)}" for note in view["notes"])]
    return str(mask("\n\n".join(filter(None, parts)), report.secrets))


def _timeline(view: View) -> Iterator[str]:
    rows = view["timeline"]["rows"]
    yield f"| Part | State | Started{escaped(view['zone'])} | Took | Last green run |"
    yield "|---|---|---|---:|---:|"
    for row in rows[:_MOST_ROWS]:
        yield "| " + " | ".join(escaped(row[name]) for name in ("name", "state", "started", "took", "earlier")) + " |"
    if view["counted"]:
        yield f"\n{view['counted']}"


def _differences(view: View) -> Iterator[str]:
    found = view["baseline"]
    if not found:
        return
    yield (
        f"**Differs from the last green run** ({escaped(found['id'])}):"
        if found["changes"]
        else (f"The request is that of the last green run ({escaped(found['id'])}).")
    )
    if found["changes"]:
        lines = (
            line
            for change in found["changes"][:_MOST_ROWS]
            for line in (f"- {change['what']}: {change['then']}", f"+ {change['what']}: {change['now']}")
            if not line.endswith(": None")
        )
        yield from ["", *fenced([line.replace("\n", "\\n") for line in lines], "diff")]


def _cost(view: View) -> Iterator[str]:
    if cost := view["cost"]:
        yield f"**Cost:** {escaped(cost['total'])}"
        yield from ["", *(f"- {escaped(row['name'])}: {escaped(row['value'])}" for row in cost["rows"])]
        yield from (f"- {escaped(note)}" for note in cost["notes"])
