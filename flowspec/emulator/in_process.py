"""Connects a boto3 client to the service in the same process, without a socket.

botocore calls `before-send` handlers before it opens a connection, and uses their answer instead. The handler
here decodes the request (AWS JSON 1.1), calls the service and returns the HTTP response that EMR would have
sent, so that botocore's serializer, validator and parser work unchanged. `respond` implements the protocol
for both this handler and the HTTP endpoint.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowspec.emulator.api import wire
from flowspec.emulator.api.errors import EmrError
from flowspec.emulator.api.service import OPERATIONS, Service
from flowspec.emulator.faults import AnswerLost
from flowspec.facts import api_model

CONTENT_TYPE = "application/x-amz-json-1.1"
TARGET_PREFIX = "ElasticMapReduce"
# Where the embedded EMR's own clients believe it is (RFC 6761: no such host can exist).
ENDPOINT_URL = "http://embedded-emr.invalid"


@dataclass(frozen=True)
class Response:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def respond(service: Service, target: str, body: bytes) -> Response | None:
    """Answers a request whose X-Amz-Target header is `target` ("ElasticMapReduce.RunJobFlow").

    Returns None if the connection is to be closed without an answer (an injected fault).
    """
    prefix, _, operation = target.rpartition(".")
    try:
        if prefix != TARGET_PREFIX:
            raise EmrError("UnknownOperationException", f"'{target}' is no operation of Amazon EMR", 404)
        # An unsupported operation is refused before its parameters are validated.
        answer = service.call(operation, wire.request(operation, body) if operation in OPERATIONS else {})
    except AnswerLost:
        return None
    except EmrError as error:
        return refusal(error)
    return _response(200, answer)


def refusal(error: EmrError) -> Response:
    """Encodes an error as an HTTP response."""
    members = {"__type": error.code, "message": error.message}
    if error.detail:
        # InvalidRequestException is modelled with `Message`; clients read either.
        members |= {"ErrorCode": error.detail, "Message": error.message}
    return _response(error.status, members, {"x-amzn-ErrorType": error.code})


def _response(status: int, members: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    request_id = {"x-amzn-RequestId": str(uuid.uuid4()), "Content-Type": CONTENT_TYPE}
    return Response(status, {**request_id, **(headers or {})}, json.dumps(members).encode())


def embedded_client(service: Service) -> tuple[Any, Any]:
    """Makes a boto3 EMR client that calls `service` in this process; returns it with its botocore session."""
    from botocore.config import Config
    from botocore.session import Session

    # The user's AWS configuration is not read: a broken profile must not keep a local run from starting.
    nowhere = (None, None, os.devnull, None)
    session = Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": nowhere,
            "credentials_file": nowhere,
        }
    )
    session.register_component("data_loader", _OfflineLoader(api_model.loader()))
    client = session.create_client(
        "emr",
        region_name=service.region,
        endpoint_url=ENDPOINT_URL,
        aws_access_key_id="embedded",
        aws_secret_access_key="embedded",  # noqa: S106 - signs requests that never leave the process
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
    )
    attach(client, service)
    return client, session


class _OfflineLoader:
    """botocore's loader without its list of AWS's endpoints: a megabyte that takes 20 ms to read."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def load_data_with_path(self, name: str) -> tuple[Any, str]:
        """Returns a data file and its path."""
        if name == "endpoints":
            return {"version": 3, "partitions": []}, ""
        found: tuple[Any, str] = self._loader.load_data_with_path(name)
        return found


def attach(client: Any, service: Service) -> None:
    """Makes a boto3 EMR client call `service` in this process. FlowspecError propagates to the caller."""
    client.meta.events.register("before-send.emr", lambda request, **_: answer(service, request))


def answer(service: Service, request: Any) -> Any:
    """Returns the AWSResponse that answers an AWSPreparedRequest. Raises botocore's ConnectionClosedError for none."""
    from botocore.awsrequest import AWSResponse, HeadersDict
    from botocore.exceptions import ConnectionClosedError

    body = request.body or b""
    target = _text(request.headers["X-Amz-Target"])
    response = respond(service, target, body if isinstance(body, bytes) else body.encode())
    if response is None:
        raise ConnectionClosedError(endpoint_url=request.url)
    # Any: the stubs want the headers of an http.client message, botocore itself makes these.
    headers: Any = HeadersDict(response.headers)
    return AWSResponse(request.url, response.status, headers, _Raw(response.body))


def _text(header: str | bytes) -> str:
    return header.decode() if isinstance(header, bytes) else header


class _Raw:
    """A response body with the interface of urllib3 that botocore reads."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._body
