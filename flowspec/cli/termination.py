"""Terminates a cluster, waits until it is gone, and finds what it leaves behind."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from flowspec.backend.aws.watch import Watch, watch
from flowspec.cli.locate import Chosen
from flowspec.cli.output import eprint

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr
    from flowspec.backend.aws.manage.ending import Leftover
    from flowspec.fleet import Sleep
    from flowspec.plan.cluster import Cluster


def describe_loss(cluster: Cluster) -> str:
    """Returns a cluster's id, name and state, and the number of its steps that are lost with it."""
    from flowspec.document.escaping import visible
    from flowspec.errors import number_of
    from flowspec.plan.sensitive import without_secrets

    left = [step for step in cluster.steps if not step.has_ended]
    steps = f", {number_of(len(left), 'step')} not over" if left else ""
    return f"{cluster.id} ({visible(without_secrets(cluster).name)}) is {cluster.state}{steps}"


def request_termination(emr: Emr, cluster: Cluster, *, unprotect: bool = False, note: str = "") -> None:
    """Asks EMR to terminate a cluster, and prints that. Raises FlowspecError when it is protected, or EMR refuses."""
    from flowspec.backend.aws.manage.ending import destroy

    destroy(emr, cluster, unprotect=unprotect)
    eprint(f"cluster {cluster.id}: {note}termination requested")


def terminate(
    chosen: Chosen, cluster: Cluster, *, detach: bool, unprotect: bool, sleep: Sleep = time.sleep, watch: Watch = watch
) -> Cluster:
    """Terminates a cluster; returns its state after it has ended, or with `detach` right after the request."""
    request_termination(chosen.emr, cluster, unprotect=unprotect)
    return after_request(chosen, detach=detach, sleep=sleep, watch=watch)


def after_request(chosen: Chosen, *, detach: bool, sleep: Sleep = time.sleep, watch: Watch = watch) -> Cluster:
    """Returns a cluster whose termination was requested: after it has ended, or with `detach` as it is now."""
    from flowspec.backend.aws.observe import describe
    from flowspec.cli.follow import watch_events

    if detach:
        return describe(chosen.emr, chosen.cluster_id)
    # No step is waited for, so that steps which are already over are not reported.
    chosen = replace(chosen, steps=())
    # For `watch`, an idle cluster that is kept alive is the end of a run.
    while not (cluster := watch_events(chosen, None, sleep, watch).cluster).has_ended:
        pass
    return cluster


def leftovers_of(chosen: Chosen, cluster: Cluster) -> Sequence[Leftover]:
    """Returns what a cluster with its steps leaves behind; nothing, with a note, where that can't be read."""
    from flowspec.backend.aws.manage.ending import leftovers
    from flowspec.cli.follow import read_or_note

    return read_or_note("what it leaves behind", lambda: leftovers(chosen.emr, cluster), (), chosen)
