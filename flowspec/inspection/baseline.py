"""Finds the last successful run of the same flow, and its differences from a later run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.logs import logs_of
from flowspec.backend.aws.observe import earlier_runs, read_back
from flowspec.backend.aws.runs.settle import ExitCodes, judge_settled, settle_on
from flowspec.backend.aws.verdict import Outcome
from flowspec.inspection.named_secrets import named_secrets
from flowspec.plan.changes import Change
from flowspec.plan.cluster import Cluster, Step
from flowspec.plan.sensitive import known_secrets
from flowspec.review.compare import compare_params


@dataclass(frozen=True, slots=True)
class Baseline:
    """An earlier successful run: its cluster, the changes since, and notes on parts that can't be compared.

    `secrets` are found by its own tags.
    """

    cluster: Cluster
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    def unseen(self, later: Cluster) -> bool:
        """Returns True if the specs differ only in what EMR does not show, such as the content of local files."""
        return not self.changes and self.cluster.digest != later.digest

    def steps(self, later: Cluster) -> Mapping[str, Step]:
        """Returns the steps of the earlier run by the id of the step of the same name in the later one.

        If several steps have one name, they are matched in order.
        """
        by_name: dict[str, list[Step]] = {}
        for step in self.cluster.steps:
            by_name.setdefault(step.name, []).append(step)
        return {step.id: by_name[step.name].pop(0) for step in later.steps if by_name.get(step.name)}


def find_baseline(emr: Emr, cluster: Cluster) -> Baseline | None:
    """Finds the last run of the flow before this one that succeeded; None without any. `cluster` was read back.

    Raises ServiceError when EMR refuses to be read.
    """
    successful = next((one for one in earlier_runs(emr, cluster) if _has_succeeded(emr, one)), None)
    if successful is None or cluster.live is None:
        return None
    earlier = settle_on(emr, read_back(emr, successful.id))
    assert earlier.live is not None
    changes, notes = compare_params(earlier.live.params, cluster.live.params)
    return Baseline(earlier, tuple(changes), notes, known_secrets(earlier) | named_secrets(earlier))


def _has_succeeded(emr: Emr, cluster: Cluster) -> bool:
    return judge_settled(cluster, ExitCodes(cluster, logs_of(emr, cluster))).outcome is Outcome.SUCCEEDED
