"""Connects clients to the service in the same process, without a socket: flowspec's own, and any of boto3's.

`EmbeddedClient` is flowspec's own. For one of boto3's, botocore calls `before-send` handlers before it opens a
connection, and uses their answer instead. The handler here decodes the request (AWS JSON 1.1), calls the service and
returns the HTTP response that EMR would have sent, so that botocore's serializer, validator and parser work unchanged.
`respond` implements the protocol for both clients and the HTTP endpoint.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache, partial
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any, NamedTuple

from flowspec.emulator.api import wire
from flowspec.emulator.api.service import OPERATIONS, Service
from flowspec.emulator.errors import EmrError
from flowspec.emulator.faults import AnswerLost
from flowspec.facts import api_model

CONTENT_TYPE = "application/x-amz-json-1.1"
TARGET_PREFIX = "ElasticMapReduce"
# Where the embedded EMR's own clients believe it is (RFC 6761: no such host can exist).
ENDPOINT_URL = "http://embedded-emr.invalid"


class Response(NamedTuple):
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
            raise EmrError("UnknownOperationException", f"'{target}' is not an operation of Amazon EMR", 404)
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


class EmbeddedClient:
    """An EMR client with the methods of boto3's that calls `service` in this process, without botocore's client.

    Importing and making boto3's client takes 120 ms, and each call 3 ms. Like that client, this one checks parameters
    before they are sent, answers with datetimes, and raises botocore's ParamValidationError, ClientError and
    ConnectionClosedError.
    """

    def __init__(self, service: Service) -> None:
        self.meta = SimpleNamespace(region_name=service.region)
        self._service = service

    def __getattr__(self, method: str) -> Callable[..., dict[str, Any]]:
        try:
            return partial(self._call, _operations()[method])
        except KeyError:
            raise AttributeError(method) from None

    def _call(self, operation: str, **params: Any) -> dict[str, Any]:
        if found := api_model.problems(params, operation, enums=False):
            from botocore.exceptions import ParamValidationError

            raise ParamValidationError(report="\n".join(one.message for one in found))
        body = json.dumps(_to_json_values(params, api_model.input_shape(operation))).encode()
        response = respond(self._service, f"{TARGET_PREFIX}.{operation}", body)
        if response is None:
            from botocore.exceptions import ConnectionClosedError

            raise ConnectionClosedError(endpoint_url=ENDPOINT_URL)
        members = json.loads(response.body)
        metadata: Any = {"HTTPStatusCode": response.status, "RequestId": response.headers["x-amzn-RequestId"]}
        if response.status != HTTPStatus.OK:
            from botocore.exceptions import ClientError

            # Any: the stubs want members that only AWS's answers have.
            refused: Any = {"Code": members["__type"], "Message": members["message"]}
            raise ClientError({"Error": refused, "ResponseMetadata": metadata}, operation)
        shape = api_model.output_shape(operation)
        return {**(_from_json_values(members, shape) if shape else {}), "ResponseMetadata": metadata}


@cache
def _operations() -> dict[str, str]:
    """Returns the operations of the model by the names of their methods."""
    from botocore import xform_name

    return {xform_name(operation): operation for operation in api_model.operations()}


def _to_json_values(value: Any, shape: api_model.Shape) -> Any:
    """Returns the parameters as JSON, with seconds since 1970 for times."""
    if shape.type_name == "structure":
        return {name: _to_json_values(item, shape.members[name]) for name, item in value.items()}
    if shape.type_name == "list":
        return [_to_json_values(item, shape.member) for item in value]
    return _as_epoch(value) if shape.type_name == "timestamp" else value


def _as_epoch(moment: Any) -> float:
    """Returns seconds since 1970; like botocore it takes a time without a zone for local time, and reads texts."""
    if isinstance(moment, str):
        from botocore.utils import parse_to_aware_datetime

        moment = parse_to_aware_datetime(moment)
    return float(moment.timestamp() if isinstance(moment, datetime) else moment)


def _from_json_values(value: Any, shape: api_model.Shape) -> Any:
    """Returns the part of an answer that the model knows, with datetimes."""
    if shape.type_name == "structure":
        known = ((name, member) for name, member in shape.members.items() if value.get(name) is not None)
        return {name: _from_json_values(value[name], member) for name, member in known}
    if shape.type_name == "list":
        return [_from_json_values(item, shape.member) for item in value]
    return datetime.fromtimestamp(value).astimezone() if shape.type_name == "timestamp" else value


def offline_session() -> Any:
    """Makes a botocore session without the user's AWS configuration: a broken profile must not stop a local run."""
    from botocore.session import Session

    nowhere = (None, None, os.devnull, None)
    return Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": nowhere,
            "credentials_file": nowhere,
        }
    )


def attach(client: Any, service: Service) -> None:
    """Makes a boto3 EMR client call `service` in this process. FlowspecError propagates to the caller."""
    client.meta.events.register("before-send.emr", lambda request, **_: answer(service, request))


def answer(service: Service, request: Any) -> Any:
    """Returns the AWSResponse that answers an AWSPreparedRequest. Raises botocore's ConnectionClosedError for none."""
    from botocore.awsrequest import AWSResponse, HeadersDict
    from botocore.exceptions import ConnectionClosedError

    body = request.body or b""
    target = request.headers["X-Amz-Target"].decode()  # botocore encodes headers (`Endpoint.prepare_request`)
    response = respond(service, target, body if isinstance(body, bytes) else body.encode())
    if response is None:
        raise ConnectionClosedError(endpoint_url=request.url)
    # Any: the stubs want the headers of an http.client message, botocore itself makes these.
    headers: Any = HeadersDict(response.headers)
    return AWSResponse(request.url, response.status, headers, _Raw(response.body))


class _Raw:
    """A response body with the interface of urllib3 that botocore reads."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._body
