"""A run as the forms of a report: HTML, Markdown, and plain data for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any

from flowspec.document.masking import mask
from flowspec.inspection.named_secrets import mask_named_secrets
from flowspec.inspection.run_facts import RunFacts
from flowspec.report.page.markdown import run_markdown
from flowspec.report.page.view import run_view


@dataclass(frozen=True, slots=True)
class RunReport(RunFacts):
    """A run in the forms in which it is shown; they mask its `secrets`."""

    @classmethod
    def of(cls, facts: RunFacts) -> RunReport:
        """Returns the report on a run that was read."""
        return cls(**{one.name: getattr(facts, one.name) for one in fields(facts)})

    def as_html(self) -> str:
        """Returns the report as one HTML page that needs no other file and no network."""
        from flowspec.report.page.html import render_page

        return render_page("run.html", run_view(self), secrets=self.secrets)

    def as_markdown(self) -> str:
        """Returns the report in short, as Markdown for a pull request or a ticket."""
        return run_markdown(self)

    def as_document(self) -> dict[str, Any]:
        """Returns the report for programs: plain data, but for times, which are datetime."""
        names = [one.name for one in fields(self) if one.name not in {"secrets", "baseline"}]
        members = {name: getattr(self, name) for name in names}
        found = self.baseline
        earlier = found and {"cluster": found.cluster, "changes": found.changes, "notes": found.notes}
        masked: dict[str, Any] = mask(_plain({**members, "baseline": earlier}), self.secrets)
        return masked


def _plain(value: Any) -> Any:
    """Returns records, and lists and mappings of them, as plain data; what names say is secret is masked."""
    if is_dataclass(value) and not isinstance(value, type):
        return mask_named_secrets(asdict(value))
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
