"""The exceptions of boto 2's `boto.exception` that EMR's callers see.

BotoClientError             the request was not sent: no credentials, no connection
BotoServerError
└── EmrResponseError        EMR refused it, or it is not known whether EMR took it
"""

from __future__ import annotations

import xml.sax
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import responses
from typing import Any
from xml.sax.saxutils import escape

from flowspec.backend.aws.call_errors import OutcomeUnknown
from flowspec.boto_emr.handler import parse
from flowspec.errors import FlowspecError, ServiceError


class BotoClientError(Exception):
    """The request could not be sent; `reason` says why, and what to do."""

    def __init__(self, reason: str, *args: Any) -> None:
        super().__init__(reason, *args)
        self.reason = reason

    def __str__(self) -> str:
        return f"BotoClientError: {self.reason}"


class BotoServerError(Exception):
    """A service's answer that is an error.

    `status` and `reason` are HTTP's, `body` is the XML (or other text) of the answer; `error_code` (also
    `code`), `error_message` (also `message`) and `request_id` are what stands in it.
    """

    def __init__(self, status: int, reason: str, body: str | bytes | None = None, *args: Any) -> None:
        super().__init__(status, reason, body, *args)
        self.status = status
        self.reason = reason
        self.body = body.decode("utf-8", "replace") if isinstance(body, bytes) else body or ""
        self.request_id: str | None = None
        self.error_code: str | None = None
        self.message = ""
        try:
            parse(self.body, self, None)
        except xml.sax.SAXParseException:
            self.message = self.body

    @property
    def error_message(self) -> str:
        """The service's error message."""
        return self.message

    @property
    def code(self) -> str | None:
        """The same as `error_code`."""
        return self.error_code

    def __str__(self) -> str:
        return f"{type(self).__name__}: {self.status} {self.reason}\n{self.body}"

    __repr__ = __str__

    def startElement(self, name: str, attrs: Any, connection: Any) -> None:
        """Does nothing: no element of an error's XML has an object of its own."""

    def endElement(self, name: str, value: str, connection: Any) -> None:  # noqa: ARG002 - boto 2's interface
        """Takes the parts of the XML that have an attribute."""
        if name in {"RequestId", "RequestID"}:
            self.request_id = value
        elif name == "Code":
            self.error_code = value
        elif name == "Message":
            self.message = value


class EmrResponseError(BotoServerError):
    """EMR's error. Its codes are those of today's API ("ValidationException", "ThrottlingException")."""


@contextmanager
def as_boto_raised() -> Iterator[None]:
    """Turns our errors into those that callers of boto 2 catch."""
    try:
        yield
    except OutcomeUnknown as error:
        # Not an HTTP status: scripts repeat a call after 500 and 503, and this call must not be repeated blindly.
        message = f"{error.message}. It may have taken effect: look (list_clusters, list_steps) before sending it again"
        raise refusal(0, "OutcomeUnknown", message) from error
    except ServiceError as error:
        raise _error_of_answer(error) from error
    except FlowspecError as error:
        raise BotoClientError("; ".join(filter(None, (error.message, error.remedy)))) from error


def refusal(status: int, code: str, message: str, request_id: str = "") -> EmrResponseError:
    """Returns an error with the body that EMR's query API would have answered with."""
    error_xml = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    identity = f"<RequestId>{escape(request_id)}</RequestId>" if request_id else ""
    body = f"<ErrorResponse><Error>{error_xml}</Error>{identity}</ErrorResponse>"
    return EmrResponseError(status, responses.get(status, "Outcome unknown"), body)


def _error_of_answer(error: ServiceError) -> EmrResponseError:
    """Returns the error of an answer, which the SDK's own exception behind ours still holds."""
    answer = getattr(error.__cause__, "response", {})
    metadata = answer.get("ResponseMetadata", {})
    message = answer.get("Error", {}).get("Message", error.message)
    return refusal(metadata.get("HTTPStatusCode", 400), error.code, message, metadata.get("RequestId", ""))
