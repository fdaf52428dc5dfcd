"""The context of an API call, and the parts that operations share: look-ups, statuses, pagination.

An operation is a function of a `Call` and the request's parameters that returns the answer's members or
raises `EmrError`. It runs inside one transaction; effects that must follow the commit (starting or waking a
worker) are appended to `after_commit`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from flowspec.emulator.errors import EmrError, invalid_request, no_such_cluster, no_such_job_flow, shut_down, validation
from flowspec.emulator.state import lifecycle
from flowspec.emulator.state.answers import Answer
from flowspec.emulator.state.store import Record, Store
from flowspec.emulator.worker import supervisor
from flowspec.facts import states

Params = Mapping[str, Any]

PAGE_SIZE = 50
"""Items in one page of a list (API reference, ListClusters and ListSteps)."""

# SQLite's integers have 64 bits.
_MARKED = range(1 << 63)


@dataclass(eq=False)
class Settings:
    """The settings of a service for one `region`, with its state in the folder `home`.

    With `run_bootstrap`, clusters run their bootstrap actions; else they skip them, because such scripts are
    written for disposable machines. EMR's delays are divided by `time_scale` (see `clock`). `inject` lists
    faults (see `faults`). With an `s3_url`, clusters use that S3 endpoint for s3://. With
    `instant`, clusters have no worker: they are WAITING at once, and steps COMPLETED without being run. `start_worker`
    starts the worker of a cluster (default: `starting.start`), given the home, the cluster's id and the descriptor
    of the lock that the worker inherits. Without `account_rules` (as for `backend: local`), a request may lack roles,
    a release and instances, because nothing here needs them. With `all_regions`, the clusters of all regions are known,
    and `region` is that of new ones.
    """

    home: Path
    _: KW_ONLY
    region: str = "us-east-1"
    run_bootstrap: bool = False
    inject: str = ""
    time_scale: float = 1.0
    s3_url: str | None = None
    start_worker: Callable[[Path, str, int], None] | None = None
    account_rules: bool = True
    all_regions: bool = False
    instant: bool = False


@dataclass
class Call:
    """The context of an operation. `now` is the time of the call, in seconds since 1970."""

    settings: Settings
    store: Store
    at_exit: ExitStack
    now: float
    after_commit: list[Callable[[], None]] = field(default_factory=list)

    @property
    def known_region(self) -> str | None:
        """The only region whose clusters are known; None if those of all are."""
        return None if self.settings.all_regions else self.settings.region

    def cluster(self, cluster_id: str) -> Record:
        """Returns a cluster, for operations with a ClusterId. Raises EmrError (their "not found")."""
        return self._find_cluster(cluster_id, no_such_cluster(cluster_id))

    def job_flow(self, job_flow_id: str) -> Record:
        """Returns a cluster, for operations with a JobFlowId. Raises EmrError (their "not found")."""
        return self._find_cluster(job_flow_id, no_such_job_flow())

    def _find_cluster(self, cluster_id: str, otherwise: EmrError) -> Record:
        found = self.store.get("cluster", cluster_id)
        if found is None or self.known_region not in (None, found.region):
            raise otherwise
        return found

    def job_flows(self, ids: Sequence[str]) -> list[Record]:
        """Returns several clusters. Raises EmrError if one of them does not exist."""
        if not ids:
            raise validation("The JobFlowId list cannot be empty.")
        return [self.job_flow(job_flow_id) for job_flow_id in ids]

    def wake(self, cluster: Record) -> None:
        """Wakes the cluster's worker after the commit of this call; without one, applies the changes at once."""
        if cluster.doc["instant"]:
            lifecycle.run_instantly(self.store, cluster)
            return
        self.after_commit.append(partial(supervisor.wake, self.settings.home, cluster.id))


Operation = Callable[[Call, Params], Answer]


def require_open(cluster: Record) -> Record:
    """Returns the cluster; raises EmrError if it is terminating or has ended."""
    if cluster.state not in states.OPEN:
        raise shut_down()
    return cluster


def page(
    items: Sequence[tuple[int, Any]], params: Params, *, falling: bool = False, size: int = PAGE_SIZE
) -> tuple[list[Any], Answer]:
    """Returns a page of `items`, each with a number that increases (or is `falling`), and the `Marker` if any.

    The marker holds the number of the last item of the page, so that items added in between shift nothing.
    """
    if params.get("Marker"):
        last = decode_marker(params["Marker"])
        items = [item for item in items if (item[0] < last if falling else item[0] > last)]
    shown = items[:size]
    more = {"Marker": marker(shown[-1][0])} if len(items) > size else {}
    return [item for _, item in shown], more


def marker(number: int) -> str:
    """Encodes a position in a list as an opaque marker."""
    return base64.urlsafe_b64encode(f"after:{number}".encode()).decode()


def decode_marker(text: str) -> int:
    """Decodes a marker. Raises InvalidRequestException if it is invalid."""
    try:
        word, _, digits = base64.urlsafe_b64decode(text.encode()).decode().partition(":")
        number = int(digits) if word == "after" else -1
    except ValueError:
        number = -1
    if number not in _MARKED:
        raise invalid_request(f"Marker '{text}' is not valid.")
    return number
