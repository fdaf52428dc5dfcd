"""Local files on their way to S3: each is uploaded once, under the hash of its content.

Content is never held in memory: it is hashed block by block right before it is sent, and sent from the
open file. S3 compares what arrives with the hash, which it is given along.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from flowspec.backend.aws.client import Emr
from flowspec.errors import FlowspecError, ServiceError
from flowspec.facts.uris import split_s3

if TYPE_CHECKING:
    from flowspec.request.assets import Asset

# PutObject takes up to 5 GiB; and what is sent in parts survives a bad connection better.
_IN_PARTS = 1 << 30
_BLOCK = 1 << 20
# What S3 says when the content has another checksum than was announced.
_OTHER_CONTENT = {"BadDigest", "XAmzContentChecksumMismatch", "InvalidDigest"}


def stage(emr: Emr, assets: Iterable[Asset]) -> Iterator[tuple[Asset, bool]]:
    """Uploads what is not there yet; gives each asset and whether it was sent.

    The key holds the content's hash, so what is there already needs no comparison. Raises
    ServiceError when S3 refuses (no such bucket, access denied) and FlowspecError when a file changed
    since it was hashed.
    """
    s3: Any = None
    for asset in assets:
        s3 = s3 or emr.s3()
        bucket, key = split_s3(asset.uri)
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
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        with _verified(asset) as file:
            _send(s3, asset, bucket, key, file)
    except ClientError as error:
        if error.response["Error"]["Code"] in _OTHER_CONTENT:
            raise _changed(asset) from error
        raise _refused("PutObject", bucket, key, error) from error
    except (BotoCoreError, Boto3Error) as error:
        raise FlowspecError(f"uploading {asset.path} to s3://{bucket}/{key}: {error}") from error


@contextmanager
def _verified(asset: Asset) -> Iterator[IO[bytes]]:
    """The content as an open file that has the asset's hash. Raises FlowspecError when it has another by now."""
    from hashlib import sha256
    from tempfile import TemporaryFile

    digest = sha256()
    with asset.path.open("rb") if asset.members is None else TemporaryFile() as file:
        for block in asset.content() if asset.members is not None else iter(lambda: file.read(_BLOCK), b""):
            digest.update(block)
            if asset.members is not None:
                file.write(block)
        if digest.hexdigest() != asset.sha256:
            raise _changed(asset)
        file.seek(0)
        yield file


def _send(s3: Any, asset: Asset, bucket: str, key: str, file: IO[bytes]) -> None:
    if asset.size < _IN_PARTS:
        checksum = b64encode(bytes.fromhex(asset.sha256)).decode()
        s3.put_object(Bucket=bucket, Key=key, Body=file, ChecksumSHA256=checksum)
        return
    before = _written(asset)
    s3.upload_fileobj(file, bucket, key, ExtraArgs={"ChecksumAlgorithm": "SHA256"})
    # The parts have checksums, the whole has none: what was changed on the way must not stay under this hash.
    if _written(asset) != before:
        s3.delete_object(Bucket=bucket, Key=key)
        raise _changed(asset)


def _written(asset: Asset) -> tuple[int, int] | None:
    """When a file was last written, and its size; None for what was packed into a file of our own."""
    if asset.members is not None:
        return None
    status = asset.path.stat()
    return status.st_mtime_ns, status.st_size


def _changed(asset: Asset) -> FlowspecError:
    return FlowspecError(f"{asset.path} changed while it was being staged", remedy="apply again")


def _refused(operation: str, bucket: str, key: str, error: Any) -> ServiceError:
    detail = error.response["Error"]
    return ServiceError(
        operation,
        detail.get("Code", "Unknown"),
        f"s3://{bucket}/{key}: {detail.get('Message', error)}",
        remedy=f"check that bucket {bucket} exists and that you may read and write below it (target's `staging:`)",
    )
