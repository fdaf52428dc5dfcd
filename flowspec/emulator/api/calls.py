"""One API call on its way: what every operation works with, and paging, which all lists share.

An operation is a function of a `Call` and the request's parameters that gives the answer's members or
raises `EmrError`. It runs inside one transaction; what must wait for the commit (starting or waking a
worker) is put on `after_commit`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from flowspec.emulator.api.errors import invalid_request, no_such_cluster, no_such_job_flow, shut_down, validation
from flowspec.emulator.state.store import Record, Store
from flowspec.emulator.worker import supervisor as workers
from flowspec.facts import states

Params = Mapping[str, Any]
Answer = dict[str, Any]

PAGE_SIZE = 50
"""Items in one page of a list (API reference, ListClusters and ListSteps)."""


@dataclass
class Call:
    """What an operation works with. `now` is the call's one moment, in seconds since 1970.

    `time_scale` and `inject` (the failure drills) are for the clusters that it makes.
    `account_rules`: the rules about an AWS account hold (see `Service`).
    """

    store: Store
    home: Path
    region: str
    run_bootstrap: bool
    time_scale: float
    inject: str
    now: float
    start_worker: Callable[[Path, str, int], None]
    after_commit: list[Callable[[], None]] = field(default_factory=list)
    at_exit: ExitStack = field(default_factory=ExitStack)
    s3_url: str | None = None
    account_rules: bool = True

    def cluster(self, cluster_id: str) -> Record:
        """The cluster, for operations that speak of clusters. Raises EMR's "not found"."""
        found = self.store.get("cluster", cluster_id)
        if found is None or found.region != self.region:
            raise no_such_cluster(cluster_id)
        return found

    def job_flow(self, job_flow_id: str) -> Record:
        """The cluster, for operations that speak of job flows. Raises their "not found"."""
        found = self.store.get("cluster", job_flow_id)
        if found is None or found.region != self.region:
            raise no_such_job_flow()
        return found

    def job_flows(self, ids: Sequence[str]) -> list[Record]:
        """Several clusters, all or none."""
        if not ids:
            raise validation("The JobFlowId list cannot be empty.")
        return [self.job_flow(job_flow_id) for job_flow_id in ids]

    def wake(self, cluster: Record) -> None:
        """Has the cluster's worker look into the store when this call is committed."""
        self.after_commit.append(partial(workers.wake, self.home, cluster.id))


Operation = Callable[[Call, Params], Answer]


def require_open(cluster: Record) -> Record:
    """Refuses to change a cluster that is ending or has ended."""
    if cluster.state not in states.OPEN:
        raise shut_down()
    return cluster


def epoch(moment: Any) -> float | None:
    """A moment as seconds since 1970; callers in this process may give a datetime, the wire gives numbers."""
    return None if moment is None else float(moment.timestamp() if hasattr(moment, "timestamp") else moment)


def status(state: str, reason: Mapping[str, Any], **times: float | None) -> Answer:
    """The Status that clusters, steps, groups and instances all have; its Timeline holds what has happened so far."""
    timeline = {name: time for name, time in times.items() if time is not None}
    return {"State": state, "StateChangeReason": reason, "Timeline": timeline}


def page(
    items: Sequence[tuple[int, Any]], params: Params, *, falling: bool = False, size: int = PAGE_SIZE
) -> tuple[list[Any], Answer]:
    """A page of `items`, each with a number that grows (or is `falling`) along the list, and the `Marker` if any.

    A marker holds the number of the last item shown, so that items which come in between shift nothing.
    """
    if params.get("Marker"):
        last = marked(params["Marker"])
        items = [item for item in items if (item[0] < last if falling else item[0] > last)]
    shown = items[:size]
    more = {"Marker": marker(shown[-1][0])} if len(items) > size else {}
    return [item for _, item in shown], more


def marker(number: int) -> str:
    """The opaque text for a place in a list."""
    return base64.urlsafe_b64encode(f"after:{number}".encode()).decode()


def marked(text: str) -> int:
    """The place a marker stands for. Raises InvalidRequestException for a text that is none."""
    try:
        word, _, number = base64.urlsafe_b64decode(text.encode()).decode().partition(":")
        if word == "after":
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise invalid_request(f"Marker '{text}' is not valid.")
