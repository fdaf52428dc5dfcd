"""The Protocol that both backends implement, and the registry of the two."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from flowspec.facts.backends import BackendName
from flowspec.facts.rates import Rate

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr, Endpoint
    from flowspec.backend.aws.logs import Logs
    from flowspec.backend.local.fidelity import LocalFidelity
    from flowspec.plan.changes import Assessment, Plan
    from flowspec.plan.cluster import Cluster
    from flowspec.plan.findings import Finding
    from flowspec.request.assets import Asset

# Imported when first used: each brings libraries that the other does without.
_MODULES: Mapping[str, str] = {"emr": "flowspec.backend.aws.backend", "local": "flowspec.backend.local.backend"}


class Backend(Protocol):
    """The differences between EMR on AWS and the embedded EMR of this machine.

    `log_interval` is the number of seconds between two reads of a growing log; `rates` are those of its operations
    ("" for all together), none where it has no limit.
    """

    name: BackendName
    log_interval: float
    rates: Mapping[str, Rate]

    def connect(self, endpoint: Endpoint, session: Any = None) -> Emr:
        """Opens a connection. Raises FlowspecError when credentials, region or profile are missing."""

    def submission_lock(self, endpoint: Endpoint) -> AbstractContextManager[bool]:
        """Serializes submissions and acquisitions of a cluster's lock; yields False if it can't (on AWS)."""

    def location(self, region: str) -> str:
        """Returns the place of its clusters, for messages."""

    def assess(self, params: Mapping[str, Any]) -> Assessment:
        """Reports which parts of a RunJobFlow request can't run or differ here. Runs nothing and sends nothing."""

    def preflight(self, emr: Emr, plan: Plan) -> tuple[Finding, ...]:
        """Checks that the resources of a plan exist, before it is submitted. Changes and runs nothing."""

    def stage(self, emr: Emr, assets: Iterable[Asset], notify: Callable[[str], None]) -> Iterator[tuple[Asset, bool]]:
        """Puts files where the steps read them, unless they are there; yields each and whether it was put there now.

        `notify` gets a line before something is done that may take minutes.
        """

    def staged_lookup(self, emr: Emr) -> Callable[[str], bool]:
        """Returns a function that checks whether a file is at a URI. It raises FlowspecError if the check fails."""

    def poll_intervals(self) -> Iterator[float]:
        """Yields the seconds to wait between two looks at a cluster, without end."""

    def pauses(
        self, endpoint: Endpoint, cluster_id: str, sleep: Callable[[float], None]
    ) -> Generator[None, None, None]:
        """Yields when it is time to look at a cluster, without end: at once, and then after each wait."""

    def logs(self, emr: Emr, cluster: Cluster) -> Logs:
        """Returns the reader of a cluster's logs."""

    def fidelity(self, emr: Emr, cluster: Cluster) -> LocalFidelity | None:
        """Reports which parts of a run were executed and which were simulated; None if nothing is simulated."""


def backend_of(name: BackendName) -> Backend:
    """Returns the backend of this name."""
    return cast("Backend", import_module(_MODULES[name]).BACKEND)
