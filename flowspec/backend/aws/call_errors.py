"""Turns the failures of service calls into flowspec's exceptions.

ServiceError: the service refused the call. FlowspecError: the call could not be sent (no credentials, region or
connection). OutcomeUnknown: it is not known whether the call took effect.

botocore accepts a truncated answer as an answer without members, and an HTML page as a valid answer. `refuse_truncated`
and `refuse_page`, handlers of its event `after-call`, turn both into failures.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flowspec.errors import FlowspecError, ServiceError
from flowspec.facts.api_model import output_members

# EMR answers InternalServerError with HTTP 400 (API reference, RunJobFlow), so the status alone does not tell.
_UNKNOWN_OUTCOME = frozenset({"InternalServerError", "InternalServerException", "ServiceUnavailable"})
# EMR and STS use the first code, S3 the second (common errors of the API references).
_EXPIRED = frozenset({"ExpiredTokenException", "ExpiredToken", "RequestExpired"})
_RENEW = (
    "renew the credentials (`aws sso login`, or new AWS_… variables); "
    "a started run continues: `flowspec wait` watches it again"
)
# EC2 uses the last code.
_ACCESS_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_REMEDIES = {
    **dict.fromkeys(_EXPIRED, _RENEW),
    **dict.fromkeys(
        _ACCESS_DENIED,
        "ask for this permission; `flowspec iam SPEC` prints policies with all that a spec needs",
    ),
    **dict.fromkeys(
        ("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"),
        "AWS does not know the access key: check AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN, or choose another --profile",
    ),
    # EMR also answers InvalidSignatureException for a wrong secret; its text tells the two apart.
    **dict.fromkeys(
        ("RequestTimeTooSkewed", "InvalidSignatureException", "SignatureDoesNotMatch"),
        "check the secret key, and the clock of this machine: AWS takes requests that are five minutes off at most",
    ),
}
PATIENCE = 300.0
"""Seconds for which a wait tolerates failing reads: a laptop's network comes back, a VPN reconnects."""
# S3's answer to HEAD has no body, so its refusal is only the status 403.
_DENIED = _ACCESS_DENIED | {"Forbidden", "403"}
_THROTTLED = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"})


class OutcomeUnknown(FlowspecError):
    """A creating call got no answer, half of one, or a 5xx: it may or may not have taken effect."""


class TruncatedAnswer(Exception):
    """An answer that can't be read, or without some of the members that the operation always returns."""


@contextmanager
def refuse_unreadable() -> Iterator[None]:
    """Raises TruncatedAnswer for an answer that botocore's parser fails on: no object, or members of other types.

    The parser checks nothing and may raise any exception. Exceptions from other code are raised unchanged.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        raise TruncatedAnswer("the answer was cut short") from error
    except Exception as error:
        # Takes a millisecond to import, which most commands do without.
        from traceback import walk_tb

        modules = [frame.f_globals["__name__"] for frame, _ in walk_tb(error.__traceback__)]
        # The parser returns null to its caller, which fails on it.
        if "botocore.parsers" in modules or modules[-1] == "botocore.endpoint":
            raise TruncatedAnswer("the answer can't be read") from error
        raise


def refuse_truncated(http_response: Any, parsed: Any, model: Any, **_: Any) -> None:
    """Raises TruncatedAnswer for an answer without members that EMR always sends."""
    if http_response.status_code >= 300:
        # botocore gives the status as the code where it can't read one.
        if http_response.status_code == 400 and parsed.get("Error", {}).get("Code") in ("400", ""):
            raise TruncatedAnswer("an error was answered, but its text was cut short")
        if _is_html(http_response):
            # botocore gives no text for it, or the whole page.
            said = _NOT_EMR if http_response.status_code < 500 else _ON_THE_WAY
            parsed["Error"] = {"Code": str(http_response.status_code), "Message": said}
        return
    members, always = output_members(model.name)
    # The body of an answer that says nothing may be empty.
    if (members or http_response.content) and not _is_json(http_response.content):
        raise TruncatedAnswer("the answer is a page of HTML" if _is_html(http_response) else "the answer was cut short")
    lacking = [name for name in always if name not in parsed]
    if lacking:
        raise TruncatedAnswer(f"the answer has no {lacking[0]}")


def refuse_page(http_response: Any, parsed: Any, model: Any, **_: Any) -> None:
    """Raises FlowspecError for a page that botocore takes for an answer of another service than EMR.

    botocore reads no members from a page in place of EC2's XML, and reads only the headers of S3's answers to HEAD.
    """
    headers, service = http_response.headers, model.service_model.service_name
    if parsed["ResponseMetadata"].get("RequestId") or any(one.lower().startswith("x-amz") for one in headers):
        return
    # Other stores with S3's API may not send this header. A body may be a stream, which is not read here.
    if service == "ec2" or headers.get("content-type", "").startswith("text/html"):
        raise MissingService(service, model.name)


class MissingService(FlowspecError):
    """The endpoint does not speak the protocol of a service that was called."""

    def __init__(self, service: str, operation: str) -> None:
        name = service.upper()
        remedy = f"check AWS_ENDPOINT_URL_{name} and --endpoint-url, and whether a proxy on the way answers for {name}"
        super().__init__(f"the endpoint has no {service} ({operation})", remedy=remedy)
        self.operation = operation


UNSERVED_CODES = frozenset({"405", "MethodNotAllowed", "501", "NotImplemented"})
"""Codes of an HTTP server that does not know an operation of S3, such as the embedded EMR's endpoint."""


def missing_operation(error: FlowspecError) -> str:
    """Returns the called operation if the error is that the endpoint does not serve it; else ""."""
    if isinstance(error, MissingService) or (isinstance(error, ServiceError) and error.code in UNSERVED_CODES):
        return error.operation
    return ""


def _is_html(http_response: Any) -> bool:
    return bytes(http_response.content).lstrip()[:9].lower().startswith((b"<html", b"<!doctype"))


_ON_THE_WAY = "the answer is a page of HTML: a proxy or load balancer answered instead of EMR; try again later"
_NOT_EMR = "the answer is a page of HTML: the endpoint is not EMR, or a proxy answered instead"


def _is_json(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


def _aws() -> Any:
    """Returns botocore's exceptions, which are imported at the first call.

    `except _aws().X` calls it only when there is an exception. So a run without exceptions saves the 4 ms of the
    import.
    """
    from botocore import exceptions

    return exceptions


@contextmanager
def unknown_outcome(operation: str) -> Iterator[None]:
    """Raises OutcomeUnknown for an error in the block after which a call of `operation` may have taken effect."""
    # A caller may call again while it handles a connection error, which is then the context of the new error.
    handled = sys.exc_info()[1]
    try:
        yield
    except TruncatedAnswer as error:
        raise OutcomeUnknown(f"{operation}: {error}") from error
    except _aws().ClientError as error:
        if _may_have_taken_effect(error.response):
            raise OutcomeUnknown(f"{operation}: {error}") from error
        raise
    # Its other errors of a connection (ConnectionError) are raised before anything is sent.
    except (_aws().HTTPClientError, _aws().SSLError) as error:
        if _ended_in_connect(error, handled):
            raise
        raise OutcomeUnknown(f"{operation}: no answer ({error})") from error


def _may_have_taken_effect(response: Any) -> bool:
    status, code = _status_and_code(response)
    return code in _UNKNOWN_OUTCOME or (status >= 500 and code not in _THROTTLED)


def _ended_in_connect(error: BaseException | None, handled: BaseException | None) -> bool:
    """Returns True for an error of a TLS handshake. An answer that can't be decrypted raises SSLError, too.

    `handled` is the error that was handled before the call.
    """
    # Takes a millisecond to import, which most commands do without.
    from traceback import walk_tb

    while error and error is not handled:
        # http.client.HTTPConnection.connect, and what overrides it.
        if any(frame.f_code.co_name == "connect" for frame, _ in walk_tb(error.__traceback__)):
            return True
        error = error.__cause__ or error.__context__
    return False


def is_left_unrepeated(error: Exception) -> bool:
    """Returns True for a transient error of a read that botocore does not repeat itself."""
    if isinstance(error, _aws().ClientError):
        status, code = _status_and_code(error.response)
        return status == 400 and code in _UNKNOWN_OUTCOME
    return isinstance(error, TruncatedAnswer)


def _status_and_code(response: Any) -> tuple[int, str]:
    return response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0), response.get("Error", {}).get("Code", "")


def is_throttled(error: ServiceError) -> bool:
    """Returns True if the service throttled the call: it had no effect and may be sent again later."""
    return error.code in _THROTTLED


def is_transient(error: FlowspecError) -> bool:
    """Returns True if the service was too busy to answer a read: the same read may be answered later."""
    return isinstance(error, ServiceError) and error.code in _THROTTLED | _UNKNOWN_OUTCOME


def is_expired(error: ServiceError) -> bool:
    """Returns True if the credentials of the caller were good, and no longer are."""
    return error.code in _EXPIRED


def is_denied(error: FlowspecError) -> bool:
    """Returns True if the caller is not allowed to ask."""
    return isinstance(error, ServiceError) and error.code in _DENIED


@contextmanager
def translated(operation: str, *, attempts: int = 1) -> Iterator[None]:
    """Translates botocore's exceptions, after `attempts` at calling `operation`, to ServiceError and FlowspecError."""
    try:
        yield
    except TruncatedAnswer as error:
        times = f", {attempts} times" if attempts > 1 else ""
        remedy = "check the network, a proxy on the way, and --endpoint-url"
        raise FlowspecError(f"{operation}: {error}{times}", remedy=remedy) from error
    except _aws().ClientError as error:
        detail = error.response.get("Error", {})
        code = detail.get("Code", "Unknown")
        message = detail.get("Message", str(error))
        raise ServiceError(operation, code, message, remedy=_REMEDIES.get(code, "")) from error
    except (_aws().NoCredentialsError, _aws().PartialCredentialsError) as error:
        raise missing_credentials_error() from error
    except _aws().NoRegionError as error:
        raise missing_region_error() from error
    except _aws().ProfileNotFound as error:
        raise FlowspecError(str(error), remedy="`aws configure list-profiles` shows the profiles there are") from error
    except _aws().ParamValidationError as error:
        raise FlowspecError(str(error), remedy="this request was not sent") from error
    except _aws().BotoCoreError as error:
        raise FlowspecError(f"{operation}: {error}", remedy=_remedy(error)) from error


def missing_credentials_error() -> FlowspecError:
    """Returns the error for missing or incomplete credentials."""
    return FlowspecError(
        "no AWS credentials were found",
        remedy="run `aws configure` or `aws sso login`, name a profile with --profile, "
        "or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )


def missing_region_error() -> FlowspecError:
    """Returns the error for a missing region."""
    remedy = "give `region:` in the target, --region, or set AWS_DEFAULT_REGION"
    return FlowspecError("no AWS region was given", remedy=remedy)


def _remedy(error: Exception) -> str:
    """Returns the remedy for an error because of which a call could not be sent; "" where no remedy is known."""
    aws = _aws()
    if isinstance(error, aws.SSOError | aws.TokenRetrievalError):
        return _RENEW
    if isinstance(error, aws.SSLError):
        return (
            "AWS_CA_BUNDLE names the file of the authority that signed it (a company's proxy has one of its own); "
            "an endpoint without TLS is http://…"
        )
    no_answer = isinstance(error, aws.HTTPClientError | aws.ConnectionError)
    return "check the network, the region and --endpoint-url" if no_answer else ""


@contextmanager
def refuse_invalid_url() -> Iterator[None]:
    """Translates the ValueError that botocore's create_client raises for an endpoint that is no URL."""
    try:
        yield
    except ValueError as error:
        raise FlowspecError(str(error), remedy="check --endpoint-url: http://HOST:PORT") from error
