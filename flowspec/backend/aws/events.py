"""The events of a watched run. `watch.Event` is one of them, or an action of a policy of the run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

from flowspec.backend.aws.verdict import Outcome, Verdict, judge
from flowspec.errors import FlowspecError
from flowspec.plan.cluster import Cluster, Step


class ClusterChanged(NamedTuple):
    """The cluster is in a new state."""

    cluster: Cluster


class StepChanged(NamedTuple):
    """A step is in a new state."""

    step: Step


class StepProgress(NamedTuple):
    """The progress of a running MapReduce step, in percent of its maps and of its reduces."""

    step: Step
    maps: int
    reduces: int


class Ended(NamedTuple):
    """The last event: the verdict, and the cluster as it was then, its steps settled by its policies.

    `steps` are the ids of the steps that were judged, or that had not ended at the timeout, in the order in which they
    were added. Repeated attempts are left out.
    """

    cluster: Cluster
    verdict: Verdict
    steps: tuple[str, ...] = ()

    @property
    def run(self) -> Cluster:
        """The cluster with only the steps that were judged: a long-running one may have hundreds of earlier runs."""
        return replace(self.cluster, steps=tuple(step for step in self.cluster.steps if step.id in self.steps))

    def judged_with(self, failed: Collection[str]) -> Ended:
        """Returns the end of a run whose success also depends on steps that had `failed` before and are not run again.

        These steps are not watched, because a watcher would repeat them by their policies.
        """
        if not failed or self.verdict.outcome is not Outcome.SUCCEEDED:
            return self
        steps = (*failed, *self.steps)
        return Ended(self.cluster, judge(self.cluster, steps), steps)


class Unreachable(NamedTuple):
    """The last event of a cluster of a `Fleet` that can't be followed: it is not there, or EMR gave no answer."""

    error: FlowspecError
