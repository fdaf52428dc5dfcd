"""Local files on their way to S3: each is uploaded once, under the hash of its content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from flowspec.emr.client import Emr
from flowspec.errors import FlowspecError, ServiceError

if TYPE_CHECKING:
    from flowspec.request import Asset


def stage(emr: Emr, assets: Iterable[Asset]) -> Iterator[tuple[Asset, bool]]:
    """Uploads what is not there yet; gives each asset and whether it was sent.

    The key holds the content's hash, so what is there already needs no comparison. Raises
    ServiceError when S3 refuses (no such bucket, access denied) and FlowspecError when a file changed
    since it was hashed.
    """
    s3: Any = None
    for asset in assets:
        s3 = s3 or emr.s3()
        bucket, _, key = asset.uri.removeprefix("s3://").partition("/")
        missing = not _exists(s3, bucket, key)
        if missing:
            _upload(s3, asset, bucket, key)
        yield asset, missing


def _exists(s3: Any, bucket: str, key: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        # HEAD has no body, so a missing key and a missing bucket are both a bare 404; PutObject tells them apart.
        if error.response["Error"]["Code"] in {"404", "NoSuchKey", "NotFound"}:
            return False
        raise _refused("HeadObject", bucket, key, error) from error
    return True


def _upload(s3: Any, asset: Asset, bucket: str, key: str) -> None:
    from base64 import b64encode
    from hashlib import sha256

    from botocore.exceptions import BotoCoreError, ClientError

    content = asset.path.read_bytes()
    digest = sha256(content)
    if digest.hexdigest() != asset.sha256:
        raise FlowspecError(f"{asset.path} changed while it was being staged", remedy="apply again")
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=content, ChecksumSHA256=b64encode(digest.digest()).decode())
    except ClientError as error:
        raise _refused("PutObject", bucket, key, error) from error
    except BotoCoreError as error:
        raise FlowspecError(f"uploading {asset.path} to s3://{bucket}/{key}: {error}") from error


def _refused(operation: str, bucket: str, key: str, error: Any) -> ServiceError:
    detail = error.response["Error"]
    return ServiceError(
        operation,
        detail.get("Code", "Unknown"),
        f"s3://{bucket}/{key}: {detail.get('Message', error)}",
        remedy=f"check that bucket {bucket} exists and that you may read and write below it (target's `staging:`)",
    )
