"""The embedded EMR of this machine as a `Backend`: the same calls, answered inside of this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import repeat
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from flowspec.backend.aws.client import Clients, Emr, Endpoint
from flowspec.facts.backends import TRAITS, BackendName
from flowspec.facts.rates import Rate

if TYPE_CHECKING:
    from flowspec.backend.aws.logs import Logs
    from flowspec.backend.local.fidelity import LocalFidelity
    from flowspec.emulator.api.service import Service
    from flowspec.plan.changes import Assessment, Plan
    from flowspec.plan.cluster import Cluster
    from flowspec.plan.findings import Finding
    from flowspec.request.assets import Asset

_DEFAULT_REGION = "us-east-1"
# Seconds between two reads of the progress of running steps, which is in their logs and not in the store.
_INTERVAL = TRAITS["local"].longest_poll


class LocalBackend:
    """The embedded EMR, whose state is in FLOWSPEC_HOME."""

    name: BackendName = "local"
    log_interval = 0.2
    rates: Mapping[str, Rate] = MappingProxyType({})

    def connect(self, endpoint: Endpoint, session: Any = None) -> Emr:  # noqa: ARG002 - the Protocol's
        """Opens a connection; neither the network nor the user's AWS configuration is used."""
        from flowspec.emulator.api.service import Service

        return connect_to(
            Service(
                home_of(endpoint),
                region=endpoint.region or _DEFAULT_REGION,
                run_bootstrap=endpoint.run_bootstrap,
                account_rules=False,
                all_regions=not endpoint.region,
            ),
            endpoint,
        )

    @contextmanager
    def submission_lock(self, endpoint: Endpoint) -> Iterator[bool]:
        """Holds the lock of the home while a flow is searched for and submitted, so that it starts only once."""
        from flowspec.emulator.state.submissions import submission_lock

        with submission_lock(home_of(endpoint)):
            yield True

    def location(self, region: str) -> str:  # noqa: ARG002 - the Protocol's
        """Returns "the embedded EMR"."""
        return "the embedded EMR"

    def assess(self, params: Mapping[str, Any]) -> Assessment:
        """Reports the steps that no engine here can run, and what differs from the release asked for."""
        from flowspec.backend.local.fidelity import assess

        return assess(params)

    def preflight(self, emr: Emr, plan: Plan) -> tuple[Finding, ...]:
        """Looks for the files that the steps read and write."""
        from flowspec.backend.local.preflight import local_findings

        return local_findings(plan, home_of(emr.endpoint), emr.region)

    def stage(self, emr: Emr, assets: Iterable[Asset], notify: Callable[[str], None]) -> Iterator[tuple[Asset, bool]]:
        """Packs Python packages into the home; other files are used where they are."""
        from flowspec.backend.packing import put_archive

        for asset in assets:
            if asset.packages is not None:
                yield asset, put_archive(asset, _local_path(emr, asset.uri), home_of(emr.endpoint), notify)

    def staged_lookup(self, emr: Emr) -> Callable[[str], bool]:
        """Returns a function that looks into the folder that stands for S3."""
        return lambda uri: _local_path(emr, uri).exists()

    def poll_intervals(self) -> Iterator[float]:
        """Yields half a second."""
        return repeat(_INTERVAL)

    def pauses(
        self, endpoint: Endpoint, cluster_id: str, sleep: Callable[[float], None]
    ) -> Generator[None, None, None]:
        """Yields at each change of the cluster or one of its steps, and every half second."""
        from flowspec.emulator.state.changes import Changes

        with Changes(home_of(endpoint), cluster_id) as changes:
            while True:
                yield
                changes.wait(_INTERVAL, sleep)

    def logs(self, emr: Emr, cluster: Cluster) -> Logs:
        """Returns the reader of the live log files."""
        from flowspec.backend.local.logs import live_logs

        return live_logs(home_of(emr.endpoint), cluster)

    def fidelity(self, emr: Emr, cluster: Cluster) -> LocalFidelity:
        """Reports which parts of a run were executed and which were simulated."""
        from flowspec.backend.local.fidelity import fidelity_of

        return fidelity_of(emr, home_of(emr.endpoint), cluster)


def connect_to(service: Service, endpoint: Endpoint) -> Emr:
    """Opens a connection to a service in this process, which was made with the settings of `endpoint`."""
    from flowspec.emulator.in_process import EmbeddedClient, offline_session

    client = EmbeddedClient(service)
    return Emr(endpoint, Clients(client, client, cache(offline_session)))


def _local_path(emr: Emr, uri: str) -> Path:
    from flowspec.emulator.state.paths import resolve_uri, s3_root

    return resolve_uri(s3_root(home_of(emr.endpoint)), uri)


def home_of(endpoint: Endpoint) -> Path:
    """Returns the folder of the state of an endpoint's embedded EMR."""
    from flowspec.facts.folders import state_folder

    return endpoint.home or state_folder()


BACKEND = LocalBackend()
