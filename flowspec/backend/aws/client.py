"""The door to boto3: a connection to one EMR (AWS's, an endpoint's, or the embedded one) and its manners.

Reads are retried by botocore, with jitter and throttling waited out. Calls that create something are
sent once: RunJobFlow and AddJobFlowSteps have no client token, and botocore would repeat them after a
lost answer. When it is not known whether such a call took effect, `OutcomeUnknown` is raised and the
caller has to look before it sends again.

Raises `ServiceError` for what the service refuses and `FlowspecError` for what keeps us from asking it
(no credentials, no region, no connection). boto3 is imported when a connection is made, not before.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flowspec.errors import FlowspecError, ServiceError

# EMR answers InternalServerError with HTTP 400 (API reference, RunJobFlow), so the status alone does not tell.
_UNKNOWN_OUTCOME = frozenset({"InternalServerError", "InternalServerException", "ServiceUnavailable"})
_THROTTLED = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"})

_READ_ATTEMPTS = 5
EMBEDDED_REGION = "us-east-1"


class OutcomeUnknown(FlowspecError):
    """A creating call got no answer, or a 5xx: it may or may not have taken effect."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Which EMR is meant: `backend` is "local" (the embedded EMR) or "emr"; the rest as boto3 understands it.

    `keys` are an access key, its secret and perhaps a session's token; `proxy` is a URL; `verify` is whether
    the server's certificate is looked at.
    """

    backend: str
    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    run_bootstrap: bool = False
    keys: tuple[str, str, str | None] | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    verify: bool = True


class Emr:
    """A connection to one EMR. `region` is the one in use; `endpoint` what was asked for."""

    def __init__(self, endpoint: Endpoint, reader: Any, creator: Any, session: Any) -> None:
        self.endpoint = endpoint
        self.region: str = reader.meta.region_name
        self._reader = reader
        self._creator = creator
        self._session = session

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Calls an operation that may safely be repeated; e.g. `call("DescribeCluster", ClusterId=...)`."""
        with _translated(operation):
            return _send(self._reader, operation, params)

    def create(self, operation: str, **params: Any) -> dict[str, Any]:
        """Calls an operation that must not be repeated blindly: one HTTP request, no retry.

        Raises OutcomeUnknown when it may have taken effect, ServiceError when it did not.
        """
        from botocore.exceptions import ClientError, HTTPClientError

        with _translated(operation):
            try:
                return _send(self._creator, operation, params)
            except ClientError as error:
                if _may_have_happened(error.response):
                    raise OutcomeUnknown(f"{operation}: {error}") from error
                raise
            except HTTPClientError as error:
                if _never_sent(error):
                    raise
                raise OutcomeUnknown(f"{operation}: no answer ({error})") from error

    def pages(self, operation: str, member: str, **params: Any) -> Iterator[dict[str, Any]]:
        """The items of list member `member` over all pages of a List operation (EMR pages by `Marker`)."""
        while True:
            answer = self.call(operation, **params)
            yield from answer.get(member, ())
            if not answer.get("Marker"):
                return
            params["Marker"] = answer["Marker"]

    def s3(self) -> Any:
        """A boto3 S3 client with the same region and profile; at AWS_ENDPOINT_URL_S3 if set, else the same endpoint."""
        with _translated("S3"):
            url = os.environ.get("AWS_ENDPOINT_URL_S3") or self.endpoint.endpoint_url
            # Path addressing only for endpoints of one's own: there are no bucket names in their DNS.
            style = {"addressing_style": "path"} if url else {}
            return self._session.create_client(
                "s3",
                region_name=self.region,
                endpoint_url=url,
                config=_config(_READ_ATTEMPTS, s3=style),
            )


def connect(endpoint: Endpoint, session: Any = None) -> Emr:
    """Opens a connection, with a boto3 `session` if one is given.

    Raises FlowspecError when there are no credentials, no region or no such profile.
    """
    if endpoint.backend == "local":
        return _connect_embedded(endpoint)
    outer = session_of(endpoint, session)
    with _translated("connect"):
        proxies = {"http": endpoint.proxy, "https": endpoint.proxy} if endpoint.proxy else None
        reader, creator = (
            outer._session.create_client(
                "emr",
                endpoint.region or outer.region_name,
                endpoint_url=endpoint.endpoint_url,
                # None, not True: that would overrule AWS_CA_BUNDLE.
                verify=None if endpoint.verify else False,
                config=_config(attempts, proxies=proxies),
            )
            for attempts in (_READ_ATTEMPTS, 1)
        )
    return Emr(endpoint, reader, creator, outer._session)


def session_of(endpoint: Endpoint, session: Any = None) -> Any:
    """The boto3 `session`, or a new one: its credential providers are the ones that users know.

    Raises FlowspecError when it has no credentials, or there is no such profile.
    """
    import boto3

    key, secret, token = endpoint.keys or (None, None, None)
    with _translated("connect"):
        found = session or boto3.session.Session(key, secret, token, endpoint.region, profile_name=endpoint.profile)
        if found.get_credentials() is None:
            raise _no_credentials()
        return found


def regions() -> dict[str, str]:
    """The regions that have EMR, by the installed botocore, each with the host name of its EMR."""
    from botocore.loaders import Loader
    from botocore.session import Session

    session = Session()
    return {
        name: f"elasticmapreduce.{name}.{partition['dnsSuffix']}"
        for partition in Loader().load_data("endpoints")["partitions"]
        for name in session.get_available_regions("emr", partition["partition"])
    }


def _connect_embedded(endpoint: Endpoint) -> Emr:
    from botocore.session import Session

    from flowspec.emulator.api.service import Service
    from flowspec.emulator.in_process import attach
    from flowspec.emulator.state.paths import home

    # Nothing of the user's AWS set-up is asked: a broken profile must not keep a local run from starting.
    nowhere = (None, None, os.devnull, None)
    session = Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": nowhere,
            "credentials_file": nowhere,
        }
    )
    region = endpoint.region or EMBEDDED_REGION
    client = session.create_client(
        "emr",
        region_name=region,
        endpoint_url="http://embedded-emr.invalid",
        aws_access_key_id="embedded",
        aws_secret_access_key="embedded",  # noqa: S106 - signs requests that never leave the process
        config=_config(1),
    )
    attach(client, Service(home(), region=region, run_bootstrap=endpoint.run_bootstrap, account_rules=False))
    return Emr(endpoint, client, client, session)


def _config(attempts: int, **options: Any) -> Any:
    from botocore.config import Config

    return Config(retries={"total_max_attempts": attempts, "mode": "standard"}, **options)


def _send(client: Any, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    from botocore import xform_name

    answer: dict[str, Any] = getattr(client, xform_name(operation))(**params)
    return answer


def _may_have_happened(response: Any) -> bool:
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = response.get("Error", {}).get("Code", "")
    return code in _UNKNOWN_OUTCOME or (status >= 500 and code not in _THROTTLED)


def is_throttled(error: ServiceError) -> bool:
    """Whether the service said "slow down" (it did nothing, and may be asked again later)."""
    return error.code in _THROTTLED


def _never_sent(error: Exception) -> bool:
    from botocore.exceptions import (
        ConnectTimeoutError,
        EndpointConnectionError,
        ProxyConnectionError,
        SSLError,
    )

    return isinstance(error, ConnectTimeoutError | EndpointConnectionError | ProxyConnectionError | SSLError)


def _no_credentials() -> FlowspecError:
    return FlowspecError(
        "no AWS credentials were found",
        remedy="run `aws configure` or `aws sso login`, name a profile with --profile, "
        "or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )


@contextmanager
def _translated(operation: str) -> Iterator[None]:
    """Turns botocore's exceptions into ours."""
    from botocore import exceptions as aws

    try:
        yield
    except aws.ClientError as error:
        detail = error.response.get("Error", {})
        raise ServiceError(operation, detail.get("Code", "Unknown"), detail.get("Message", str(error))) from error
    except (aws.NoCredentialsError, aws.PartialCredentialsError) as error:
        raise _no_credentials() from error
    except aws.NoRegionError as error:
        remedy = "give `region:` in the target, --region, or set AWS_DEFAULT_REGION"
        raise FlowspecError("no AWS region was given", remedy=remedy) from error
    except aws.ProfileNotFound as error:
        raise FlowspecError(str(error), remedy="`aws configure list-profiles` shows the profiles there are") from error
    except aws.ParamValidationError as error:
        raise FlowspecError(str(error), remedy="this request was not sent") from error
    except (aws.HTTPClientError, aws.ConnectionError) as error:
        remedy = "check the network, the region and --endpoint-url"
        raise FlowspecError(f"{operation}: {error}", remedy=remedy) from error
    except aws.BotoCoreError as error:
        raise FlowspecError(f"{operation}: {error}") from error
    except ValueError as error:
        # botocore's word for an endpoint that is no URL.
        raise FlowspecError(f"{operation}: {error}", remedy="check --endpoint-url: http://HOST:PORT") from error
