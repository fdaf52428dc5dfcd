"""The failures of this folder as values: what was run, what it logged, and what it must be diagnosed as.

    job.yaml and its files      what was run (`record.py` runs it)
    logs/                       what it logged: controller, syslog, stdout, stderr, containers/APPLICATION/CONTAINER/NAME
    ended.json                  what EMR said at the end
    expected.json               the cause's id, and words that its quoted lines hold

`kind` is "failure" (with a cause that has a rule), "unknown" (a failure without one) or "success" (a run that
succeeded, noisily). `origin` is "recorded" or "written"; a written one's `source` names where the words come from.
`split` is "tuning", or "held-out" for those that were not looked at while the rules were made. The "second held-out"
ones were made afterwards: at first the table named 15 of 18 causes right, and 2 of 17 that it named were wrong.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowspec.backend.aws.diagnosis.diagnose import Diagnosis, diagnose
from flowspec.backend.aws.logs import Shipped
from flowspec.backend.aws.verdict import Outcome, Verdict
from flowspec.plan.cluster import Cluster, Step

FAILURES = Path(__file__).parent


class LogPlaces:
    """The places in S3 of the logs of cluster j-1."""

    def uri(self, path):
        return f"s3://logs/j-1/{path}.gz"

    def step_location(self, step_id):
        return f"s3://logs/j-1/steps/{step_id}/"

    def folder(self):
        return "s3://logs/j-1/"


class FolderLogs(LogPlaces):
    """The logs of a case, as a reader of shipped logs has them; `read_paths` are those that were read."""

    live = False

    def __init__(self, folder: Path) -> None:
        self.folder_, self.read_paths = folder, []

    def read(self, path):
        self.read_paths.append(path)
        place = path if path.startswith("containers/") else path.rpartition("/")[2]
        file = self.folder_ / place
        return iter([file.read_bytes()]) if file.is_file() else None

    def blocks(self, step_id, name, start=0):
        return self.read(f"steps/{step_id}/{name}")

    def tail(self, step_id, name, size):
        found = self.blocks(step_id, name)
        return found and b"".join(found)[-size:]

    def list_logs(self, folder, most):
        files = sorted(path for path in (self.folder_ / folder).rglob("*") if path.is_file())
        return [Shipped(str(path.relative_to(self.folder_)), 100 + path.stat().st_size) for path in files][:most]


@dataclass(frozen=True)
class Case:
    name: str
    folder: Path
    expected: dict[str, Any]
    ended: dict[str, Any]

    @property
    def kind(self) -> str:
        return self.expected["kind"]

    @property
    def logs(self) -> FolderLogs:
        return FolderLogs(self.folder / "logs")

    def diagnosed(self, *, told: bool = True) -> Diagnosis:
        """Diagnoses it as a failed run. `told`: EMR gave FailureDetails, which it often does not."""
        step = Step("s-1", self.name, "FAILED", **self._details(told))
        bootstrap = self.ended["reason_code"] == "BOOTSTRAP_FAILURE"
        cluster = Cluster(
            "j-1",
            self.name,
            self.ended["state"],
            self.ended["reason_code"],
            self.ended["reason"],
            tuple(self.ended["error_details"]),
            steps=(step,),
            log_uri="s3://logs/",
        )
        verdict = Verdict(Outcome.CLUSTER_FAILED) if bootstrap else Verdict(Outcome.STEP_FAILED, step)
        return diagnose(cluster, verdict, self.logs)

    def _details(self, told: bool) -> dict[str, str]:
        said = self.ended["step"] if told else {}
        return {name: said[name] for name in ("reason", "message") if said.get(name)}

    def is_right(self, found: Diagnosis) -> bool:
        """True if the diagnosis is the one expected, and its quoted lines show the words expected."""
        cause = found.cause
        shown = "\n".join(cause.quote)
        return cause.id == (self.expected["cause"] or "unknown") and self.expected["shows"] in shown


def load(name: str) -> Case:
    folder = FAILURES / name
    return Case(name, folder, *(json.loads((folder / f"{one}.json").read_text()) for one in ("expected", "ended")))


ALL = [load(path.parent.name) for path in sorted(FAILURES.glob("*/ended.json"))]
