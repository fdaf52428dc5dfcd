"""The `Backend` for EMR on AWS, or for any endpoint with its API."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from flowspec.backend.aws.client import Emr, Endpoint, connect_aws
from flowspec.facts.backends import TRAITS, BackendName
from flowspec.facts.rates import RATES
from flowspec.plan.changes import Assessment

if TYPE_CHECKING:
    from flowspec.backend.aws.logs import Logs
    from flowspec.plan.changes import Plan
    from flowspec.plan.cluster import Cluster
    from flowspec.plan.findings import Finding
    from flowspec.request.assets import Asset

# Seconds between polls: short at first, because mistakes show early, and longer later.
_FIRST_INTERVAL, _GROWTH = 5.0, 1.2


class AwsBackend:
    """EMR through boto3."""

    name: BackendName = "emr"
    # EMR ships logs about every five minutes. A poll every ten seconds costs one GetObject and causes little delay.
    log_interval = 10.0
    rates = RATES

    def connect(self, endpoint: Endpoint, session: Any = None) -> Emr:
        """Opens a connection, with a boto3 `session` if one is given."""
        return connect_aws(endpoint, session)

    def submission_lock(self, endpoint: Endpoint) -> AbstractContextManager[bool]:  # noqa: ARG002 - the Protocol's
        """Yields False: EMR has no lock and no client token, so submissions are identified by their tags."""
        return nullcontext(False)

    def location(self, region: str) -> str:
        """Returns the region."""
        return region

    def assess(self, params: Mapping[str, Any]) -> Assessment:  # noqa: ARG002 - the Protocol's
        """Reports nothing: EMR does what a request asks for."""
        return Assessment()

    def preflight(self, emr: Emr, plan: Plan) -> tuple[Finding, ...]:
        """Asks S3, IAM and EC2."""
        from flowspec.backend.aws.preflight.account import account_findings

        return account_findings(emr, plan)

    def stage(self, emr: Emr, assets: Iterable[Asset], notify: Callable[[str], None]) -> Iterator[tuple[Asset, bool]]:
        """Uploads what is not in S3 yet (`staging.stage`)."""
        from flowspec.backend.aws.submission.staging import stage

        return stage(emr, assets, notify=notify)

    def staged_lookup(self, emr: Emr) -> Callable[[str], bool]:
        """Returns a function that sends a HeadObject."""
        from flowspec.backend.aws.submission.staging import exists

        return partial(exists, emr.s3(attempts=2))

    def poll_intervals(self) -> Iterator[float]:
        """Yields 5 s at first, growing to 30 s."""
        interval = _FIRST_INTERVAL
        while True:
            yield interval
            interval = min(TRAITS[self.name].longest_poll, interval * _GROWTH)

    def pauses(
        self,
        endpoint: Endpoint,  # noqa: ARG002 - the Protocol's
        cluster_id: str,  # noqa: ARG002 - the Protocol's
        sleep: Callable[[float], None],
    ) -> Generator[None, None, None]:
        """Yields at once, and after each of the intervals."""
        for interval in self.poll_intervals():
            yield
            sleep(interval)

    def logs(self, emr: Emr, cluster: Cluster) -> Logs:
        """Returns the reader of the logs that EMR ships to S3."""
        from flowspec.backend.aws.logs import shipped_logs

        return shipped_logs(emr, cluster)

    def fidelity(self, emr: Emr, cluster: Cluster) -> None:  # noqa: ARG002 - the Protocol's
        """Returns None: nothing is simulated on AWS."""
        return


BACKEND = AwsBackend()
