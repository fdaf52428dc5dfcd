"""Turns S3's refusals and network failures into ServiceError."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import BadGzipFile

from flowspec.backend.aws.call_errors import UNSERVED_CODES
from flowspec.errors import ServiceError
from flowspec.facts.uris import split_s3


@contextmanager
def s3_errors(operation: str, uri: str, *, access: str) -> Iterator[None]:
    """Turns the errors of an S3 operation on the object `uri`, and of reading its body, into ServiceError.

    These are S3's refusals (ClientError), botocore's own errors (no connection, a timeout, a truncated body), boto3's
    errors of uploads in parts, and errors of truncated or damaged compressed bodies. `access` says what one must be
    allowed to do, for the remedy: "read below it".
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        detail = error.response.get("Error", {})
        code, message = detail.get("Code", "Unknown"), detail.get("Message", str(error))
        raise ServiceError(operation, code, f"{uri}: {message}", remedy=_remedy(code, uri, access)) from error
    except (BotoCoreError, Boto3Error) as error:
        remedy = "check the network, the region, and AWS_ENDPOINT_URL_S3 if it is set"
        raise ServiceError(operation, type(error).__name__, f"{uri}: {error}", remedy=remedy) from error
    except (EOFError, zlib.error, BadGzipFile) as error:
        remedy = "try again: it may have been replaced while it was read"
        raise ServiceError(operation, "DamagedContent", f"{uri}: {error}", remedy=remedy) from error


def _remedy(code: str, uri: str, access: str) -> str:
    if code in UNSERVED_CODES:
        return "the endpoint is not an S3: set AWS_ENDPOINT_URL_S3 to the URL of one"
    return f"check that bucket {split_s3(uri)[0]} exists and that you may {access}"
