"""The connection to one EMR: AWS's, an endpoint's, or the embedded one.

botocore retries reads with jitter, also after throttling. Calls that create something are sent once: RunJobFlow and
AddJobFlowSteps have no client token, and botocore would repeat them after a lost answer. When it is not known whether
such a call took effect, `OutcomeUnknown` is raised, and the caller looks for its effect before it calls again.

boto3 is imported when a connection is made, not before.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

from flowspec.backend.aws.call_errors import (
    MissingService,
    TruncatedAnswer,
    is_expired,
    is_left_unrepeated,
    missing_credentials_error,
    refuse_invalid_url,
    refuse_page,
    refuse_truncated,
    refuse_unreadable,
    translated,
    unknown_outcome,
)
from flowspec.backend.protocol import Backend, backend_of
from flowspec.document.job_flow import JobFlow
from flowspec.errors import FlowspecError, ServiceError
from flowspec.facts.backends import TRAITS, BackendName, Traits

# Attempts in all for calls without effect. botocore waits up to 8 s between two of them (legacy mode).
_READ_ATTEMPTS = 5
# Seconds before a read is repeated after a truncated answer, or after InternalServerError with HTTP 400. botocore
# repeats neither.
_READ_AGAIN_AFTER = (0.1, 0.3, 1.0, 3.0)


# Several threads may use a client, but not the session that makes it (boto3's guide on sessions).
_MAKING = threading.Lock()

Ask: TypeAlias = "Callable[..., dict[str, Any]]"
"""Calls an operation of a service by its name, with boto3's parameters. Raises FlowspecError and ServiceError."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Names an EMR: `backend` is "local" (the embedded EMR) or "emr"; the other settings are boto3's.

    `keys` are an access key, its secret and perhaps a session's token; `proxy` is a URL; `verify` is whether the
    server's certificate is checked. `home` is the folder of the embedded EMR's state (None: FLOWSPEC_HOME).
    """

    backend: BackendName
    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    run_bootstrap: bool = False
    keys: tuple[str, str, str | None] | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    verify: bool = True
    home: Path | None = None

    @classmethod
    def of(cls, jobflow: JobFlow, *, run_bootstrap: bool = False) -> Endpoint:
        """Returns the EMR of a job flow's target. `run_bootstrap`: run bootstrap actions locally, too."""
        return cls(jobflow.backend, jobflow.region, jobflow.profile, jobflow.endpoint_url, run_bootstrap)

    @property
    def traits(self) -> Traits:
        """The properties of its backend."""
        return TRAITS[self.backend]


@dataclass(slots=True)
class Clients:
    """The clients of one EMR, which all connections to it share: renewed credentials replace them for all.

    `reader` and `creator` have the methods of boto3's client; `session` returns a botocore session for other services.
    `others` has the clients of these services, by the arguments that they were made with.
    """

    reader: Any
    creator: Any
    session: Callable[[], Any]
    others: dict[tuple[Any, ...], Any] = field(default_factory=dict)


class Emr:
    """A connection to one EMR. `region` is the one in use; `endpoint` the settings it was made with."""

    def __init__(self, endpoint: Endpoint, clients: Clients, renewed: Callable[[], Emr] | None = None) -> None:
        self.endpoint = endpoint
        self.region: str = clients.reader.meta.region_name
        self._clients = clients
        self._renewed = renewed

    @property
    def backend(self) -> Backend:
        """The backend that it is a connection to."""
        return backend_of(self.endpoint.backend)

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Calls an operation that may safely be repeated; e.g. `call("DescribeCluster", ClusterId=...)`."""
        try:
            return self._read(operation, params)
        except ServiceError as error:
            if not is_expired(error) or not self._renew():
                raise
            return self._read(operation, params)

    def _read(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        with translated(operation, attempts=len(_READ_AGAIN_AFTER) + 1):
            for seconds in _READ_AGAIN_AFTER:
                try:
                    return _send(self._clients.reader, operation, params)
                except Exception as error:
                    if not is_left_unrepeated(error):
                        raise
                time.sleep(seconds)
            return _send(self._clients.reader, operation, params)

    def _renew(self) -> bool:
        """Reads the credentials again, which boto3 reads only once per session; True if they have changed.

        Only a read is then sent again, not a call that creates something.
        """
        if self._renewed is None:
            return False
        ours, fresh = self._clients, self._renewed()._clients
        if _access_key(fresh.session()) == _access_key(ours.session()):
            return False
        ours.reader, ours.creator, ours.session, ours.others = fresh.reader, fresh.creator, fresh.session, {}
        return True

    def create(self, operation: str, **params: Any) -> dict[str, Any]:
        """Calls an operation that must not be repeated blindly: one HTTP request, no retry.

        Raises OutcomeUnknown when it may have taken effect, ServiceError when it did not.
        """
        with translated(operation), unknown_outcome(operation):
            return _send(self._clients.creator, operation, params)

    def pages(self, operation: str, member: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yields the items of list member `member` over all pages of a List operation (EMR pages by `Marker`)."""
        while True:
            answer = self.call(operation, **params)
            yield from answer.get(member, ())
            if not answer.get("Marker"):
                return
            params["Marker"] = answer["Marker"]

    def account(self) -> str:
        """Returns the number of the AWS account; "" for another endpoint or this machine, and without permission."""
        if self.endpoint.endpoint_url or not self.endpoint.traits.on_aws:
            return ""
        try:
            return str(self.ask("sts")("GetCallerIdentity")["Account"])
        except FlowspecError:
            return ""

    def ask(self, service: str, *, region: str = "", timeout: float = 10, attempts: int = 3) -> Ask:
        """Returns a function that calls another AWS service: `ask("iam")("GetRole", RoleName=...)`; it is thread-safe.

        It is in `region`, the connection's own if that is "", at AWS_ENDPOINT_URL_<SERVICE> if that is set, else at the
        same endpoint; `timeout` and `attempts` are those of `s3`.
        """
        client = self._client(service, region or self.region, attempts, timeout)

        def call(operation: str, **params: Any) -> dict[str, Any]:
            return call_service(client, operation, params)

        return call

    def s3(self, *, timeout: float = 60, attempts: int = _READ_ATTEMPTS) -> Any:
        """Returns a botocore S3 client with the same region and profile.

        Its endpoint is AWS_ENDPOINT_URL_S3 if set, else the same one.

        `timeout` is how many seconds it waits for a connection, and for each answer; 60 is botocore's own.
        """
        return self._client("s3", self.region, attempts, timeout)

    def _client(self, service: str, region: str, attempts: int, timeout: float) -> Any:
        url = os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or self.endpoint.endpoint_url
        # Path addressing only for endpoints of one's own: there are no bucket names in their DNS.
        style = {"addressing_style": "path"} if url else {}
        key = (service, region, attempts, timeout, url)
        with translated(service), refuse_invalid_url(), _MAKING:
            made = self._clients.others
            if key not in made:
                # A new client takes 3 to 8 ms of CPU, and opens new connections. Many flows need the same clients.
                config = client_config(attempts, connect_timeout=timeout, read_timeout=timeout, s3=style)
                made[key] = service_client(self._clients.session(), service, region, endpoint_url=url, config=config)
            return made[key]


def connect(endpoint: Endpoint, session: Any = None) -> Emr:
    """Opens a connection to the EMR of `endpoint`, with a boto3 `session` if one is given.

    Raises FlowspecError when there are no credentials, no region or no such profile.
    """
    return backend_of(endpoint.backend).connect(endpoint, session)


def connect_aws(endpoint: Endpoint, session: Any = None) -> Emr:
    """Opens a connection through botocore: two clients, since what creates something must not be retried."""
    inner = session_of(endpoint, session)
    with translated("connect"), refuse_invalid_url():
        proxies = {"http": endpoint.proxy, "https": endpoint.proxy} if endpoint.proxy else None
        reader, creator = (
            inner.create_client(
                "emr",
                endpoint.region,
                endpoint_url=endpoint.endpoint_url,
                # None, not True: True would override AWS_CA_BUNDLE.
                verify=None if endpoint.verify else False,
                # The standard mode has a quota of retries for the life of a client, which some 100 faults use up. A
                # process that submits or watches many clusters may meet more faults. The legacy mode has no quota.
                config=client_config(attempts, mode="legacy", proxies=proxies),
            )
            for attempts in (_READ_ATTEMPTS, 1)
        )
    # One pool of connections for both: a new connection to AWS takes two or three round trips, most of them for TLS.
    # If the server has just closed an idle connection, a creating call raises OutcomeUnknown, as after a lost answer.
    creator._endpoint.http_session = reader._endpoint.http_session
    for client in (reader, creator):
        client.meta.events.register("after-call.emr", refuse_truncated, unique_id="flowspec-cut-short")
    # The caller's session has the caller's credentials, and the caller renews them.
    renewed = None if session or endpoint.keys else partial(connect_aws, endpoint)
    return Emr(endpoint, Clients(reader, creator, lambda: inner), renewed)


def _access_key(session: Any) -> str:
    # Credentials of a role or of SSO are requested now. That fails if the credentials behind them have also expired.
    with translated("connect"):
        return str(session.get_credentials().get_frozen_credentials().access_key)


def session_of(endpoint: Endpoint, session: Any = None) -> Any:
    """Returns the botocore session of a boto3 `session`, or a new one.

    Its credential providers are the ones that users know.

    Raises FlowspecError when it has no credentials, or there is no such profile.
    """
    from botocore.session import Session

    with translated("connect"):
        found = session._session if session else _with_fast_loader(Session(profile=endpoint.profile))
        if endpoint.keys and not session:
            found.set_credentials(*endpoint.keys)
        if found.get_credentials() is None:
            raise missing_credentials_error()
        return found


def _with_fast_loader(session: Any) -> Any:
    from flowspec.backend.aws.models.loader import ModelLoader

    session.register_component("data_loader", ModelLoader(session.get_component("data_loader")))
    return session


def regions() -> dict[str, str]:
    """Returns the regions that have EMR, by the installed botocore, each with the host name of its EMR."""
    from botocore.loaders import Loader
    from botocore.session import Session

    session = Session()
    return {
        name: f"elasticmapreduce.{name}.{partition['dnsSuffix']}"
        for partition in Loader().load_data("endpoints")["partitions"]
        for name in session.get_available_regions("emr", partition["partition"])
    }


def client_config(attempts: int, *, mode: Literal["legacy", "standard"] = "standard", **options: Any) -> Any:
    """Returns botocore's configuration of a client: how often a call is sent at most, and `options` of its own."""
    from botocore.config import Config

    return Config(retries={"total_max_attempts": attempts, "mode": mode}, **options)


def service_client(session: Any, service: str, region: str, **options: Any) -> Any:
    """Returns a client of another service than EMR, which takes no page of HTML for an answer."""
    client = session.create_client(service, region, **options)
    client.meta.events.register("after-call", refuse_page, unique_id="flowspec-page")
    return client


def call_service(client: Any, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    """Calls another service than EMR. Raises FlowspecError, which is a ServiceError if the service refuses."""
    with translated(operation):
        try:
            return _send(client, operation, params)
        # An endpoint without this service answers with an HTML page, or in another protocol.
        except TruncatedAnswer as error:
            raise MissingService(client.meta.service_model.service_name, operation) from error


def _send(client: Any, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    from botocore import xform_name

    with refuse_unreadable():
        answer: dict[str, Any] = getattr(client, xform_name(operation))(**params)
    return answer
