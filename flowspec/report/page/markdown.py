"""A report in short, as Markdown: why it failed, when the steps ran, what differs from the last successful run."""

from __future__ import annotations

from collections.abc import Iterator

from flowspec.document.escaping import visible
from flowspec.document.masking import mask
from flowspec.inspection.run_facts import RunFacts
from flowspec.report.failures import as_markdown
from flowspec.report.markdown import escaped, fenced, with_code
from flowspec.report.page.view import run_view

# More would not fit into a comment on GitHub (`report.markdown.COMMENT_LIMIT`).
_MOST_ROWS = 50


def run_markdown(report: RunFacts) -> str:
    """Returns a report as Markdown; secrets are masked."""
    parts = _Markdown(report).parts()
    return "\n\n".join(filter(None, ("\n".join(part) for part in parts)))


class _Markdown:
    """The parts of a report. Texts are masked before they are escaped, which could hide a secret from the mask."""

    def __init__(self, report: RunFacts) -> None:
        self._report, self._view = report, run_view(report)

    def parts(self) -> Iterator[Iterator[str]]:
        """Yields the lines of each part."""
        yield from (self._heading(), self._timeline(), self._differences(), self._cost())
        yield (f"- {with_code(note, self._report.secrets)}" for note in self._view["notes"])

    def _mask_and_escape(self, text: str) -> str:
        return escaped(text, self._report.secrets)

    def _heading(self) -> Iterator[str]:
        found, cluster = self._report.diagnosis, self._report.cluster
        if found:
            yield as_markdown(cluster, found, self._report.secrets)
        else:
            yield f"### {self._mask_and_escape(cluster.name)} ({escaped(cluster.id)}): {escaped(self._report.outcome)}"

    def _timeline(self) -> Iterator[str]:
        # A column for the earlier run only if there is one.
        earlier = {"earlier": "Last successful run"} if self._view["baseline"] else {}
        columns = {
            "name": "Part",
            "state": "State",
            "started": f"Started{self._view['zone']}",
            "took": "Took",
            **earlier,
        }
        yield f"| {' | '.join(map(escaped, columns.values()))} |"
        yield f"|---|---|---|---:|{'---:|' * len(earlier)}"
        for row in self._view["timeline"]["rows"][:_MOST_ROWS]:
            cells = (self._mask_and_escape(row[name]) for name in columns)
            yield f"| {' | '.join(cells)} |"
        if self._view["counted"]:
            yield f"\n{escaped(self._view['counted'])}"

    def _differences(self) -> Iterator[str]:
        found = self._view["baseline"]
        if not found:
            return
        yield f"**Compared with the last successful run** ({escaped(found['id'])}):\n"
        if not found["changes"]:
            yield found["same"]
            return
        lines = (
            visible(str(mask(f"{sign} {change['what']}: {change[side]}", self._report.secrets)))
            for change in found["changes"][:_MOST_ROWS]
            for sign, side in (("-", "then"), ("+", "now"))
            if change[side] is not None
        )
        yield from fenced(list(lines), "diff")

    def _cost(self) -> Iterator[str]:
        if cost := self._view["cost"]:
            yield f"**Cost:** {self._mask_and_escape(cost['total'])}\n"
            yield from (
                f"- {self._mask_and_escape(row['name'])}: {self._mask_and_escape(row['value'])}" for row in cost["rows"]
            )
            yield from (f"- {with_code(note, self._report.secrets)}" for note in cost["notes"])
