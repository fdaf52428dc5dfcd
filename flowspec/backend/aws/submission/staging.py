"""Uploads local files to S3, each once, under the hash of its content.

Content is never held in memory: it is hashed block by block right before it is sent, and sent from the
open file. The hash is sent along, and S3 compares it with what arrives.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

from flowspec.backend.aws.call_errors import is_denied, missing_operation
from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.reads import Answers
from flowspec.backend.aws.s3 import s3_errors
from flowspec.errors import FlowspecError, ServiceError
from flowspec.facts.uris import split_s3
from flowspec.plan.changes import Action, Plan

if TYPE_CHECKING:
    from flowspec.request.assets import Asset

REFRESH_AFTER = timedelta(days=7)
"""A file that was staged longer ago is uploaded again: so `flowspec staging prune` does not take it for unused."""

# PutObject allows up to 5 GiB, and an upload in parts survives a bad connection better.
_IN_PARTS = 1 << 30
_BLOCK = 1 << 20
# S3's errors for content with another checksum than the request says.
_OTHER_CONTENT = {"BadDigest", "XAmzContentChecksumMismatch", "InvalidDigest"}
# A proxy on the way may remove the header.
_LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)
_ACCESS = "read and write below it (target's `staging:`)"


def stage(
    emr: Emr,
    assets: Iterable[Asset],
    *,
    in_parts: int = _IN_PARTS,
    notify: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[Asset, bool]]:
    """Uploads files that are missing in S3, or were staged long ago; yields each asset and whether it was sent.

    The key contains the content's hash, so a file that exists needs no comparison. Raises ServiceError when S3 refuses
    (no such bucket, access denied) or can't be reached, and FlowspecError when a file changed since it was hashed. A
    file of `in_parts` bytes or more is sent in parts.
    """
    s3: Any = None
    for asset in assets:
        s3 = s3 or emr.s3()
        staged = _staged_at(s3, asset.uri)
        if staged is None:
            _upload(s3, _with_packed_content(asset, notify), in_parts)
            yield asset, True
        else:
            old = datetime.now(timezone.utc) - staged > REFRESH_AFTER
            yield asset, old and _refresh(s3, asset, in_parts)


def _refresh(s3: Any, asset: Asset, in_parts: int) -> bool:
    """Uploads a file once more; returns False if that fails, because the existing object is enough."""
    try:
        _upload(s3, _with_packed_content(asset, lambda _: None), in_parts)
    except FlowspecError:
        # A file that changed while its parts were sent has replaced the existing object, and was deleted.
        if not exists(s3, asset.uri):
            raise
        return False
    return True


def _with_packed_content(asset: Asset, notify: Callable[[str], None]) -> Asset:
    """Returns the asset with its content; an archive of packages is made now, which downloads the packages."""
    if asset.packages is None:
        return asset
    from flowspec.backend.packing import packed_asset

    return packed_asset(asset, notify=notify)


# A HEAD takes some 30 ms. The limit keeps a plan with hundreds of files, or for hundreds of flows, below a minute.
_LOOKED_AT = 50


class StagedFiles:
    """Looks up which files exist in S3, for plans that are made together: each file once, and at most 50 in all."""

    def __init__(self, emr: Emr) -> None:
        self._emr = emr
        self._answers: Answers[bool | None] = Answers()
        self._lock = Lock()
        self._left = _LOOKED_AT
        self._exists: Callable[[str], bool] | None = None

    def is_staged(self, uri: str) -> bool | None:
        """Returns whether a file exists, by a HeadObject; None when 50 others were looked up before it.

        Raises FlowspecError when S3 refuses or can't be asked.
        """
        return self._answers.of(uri, lambda: self._look_up(uri))

    def _look_up(self, uri: str) -> bool | None:
        with self._lock:
            if not self._left:
                return None
            self._left -= 1
            self._exists = self._exists or self._emr.backend.staged_lookup(self._emr)
        return self._exists(uri)


def note_staged(files: StagedFiles, plan: Plan) -> Plan:
    """Looks up which of a plan's files exist in S3, and removes their lines from the plan.

    If S3 can't be reached or refuses (a user who may plan need not have access to the staging folder), the plan gets a
    note and keeps all files in question.
    """
    if not plan.uploads:
        return plan
    found: dict[str, bool | None] = {}
    notes = []
    try:
        for asset in plan.uploads:
            found[asset.uri] = files.is_staged(asset.uri)
    except FlowspecError as error:
        code = error.code if isinstance(error, ServiceError) else error.message
        refused = "access denied" if is_denied(error) else code
        reason = "the endpoint has no S3" if missing_operation(error) else refused
        found = {}
        notes.append(f"whether the local files are staged already was not checked: {reason}")
    unknown = sum(one is None for one in found.values())
    if unknown:
        looked_up = f"only {len(found) - unknown} of {len(found)} local files were looked up"
        notes.append(f"{looked_up}; more may be staged already")
    staged = {uri for uri, there in found.items() if there}
    if staged:
        count = "1 local file is" if len(staged) == 1 else f"{len(staged)} local files are"
        notes.append(f"{count} staged already")
    lines = tuple(one for one in plan.changes if one.action is not Action.UPLOAD or one.after not in staged)
    return replace(plan, changes=lines, staged=frozenset(staged), notes=(*plan.notes, *notes))


def exists(s3: Any, uri: str) -> bool:
    """Returns True if an object is at a URI, by a HeadObject. Raises ServiceError when S3 refuses or can't be asked."""
    return _staged_at(s3, uri) is not None


def _staged_at(s3: Any, uri: str) -> datetime | None:
    """Returns when the object at a URI was written, a time long ago if S3 does not say; None if there is no object."""
    from botocore.exceptions import ClientError

    bucket, key = split_s3(uri)
    with s3_errors("HeadObject", uri, access=_ACCESS):
        try:
            answer = s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            # HEAD has no body, so a missing key and a missing bucket are both a bare 404; PutObject tells them apart.
            if error.response["Error"]["Code"] != "404":
                raise
            return None
    written: datetime = answer.get("LastModified", _LONG_AGO)
    return written


def _upload(s3: Any, asset: Asset, in_parts: int) -> None:
    from botocore.exceptions import ClientError

    with s3_errors("PutObject", asset.uri, access=_ACCESS), _open_verified(asset) as file:
        try:
            _send(s3, asset, file, in_parts)
        except ClientError as error:
            if error.response["Error"]["Code"] in _OTHER_CONTENT:
                raise _changed_file_error(asset) from error
            raise


@contextmanager
def _open_verified(asset: Asset) -> Iterator[IO[bytes]]:
    """Opens the content. Raises FlowspecError when it no longer has the asset's hash."""
    from hashlib import sha256
    from tempfile import TemporaryFile

    digest = sha256()
    with asset.path.open("rb") if asset.members is None else TemporaryFile() as file:
        for block in asset.content() if asset.members is not None else iter(lambda: file.read(_BLOCK), b""):
            digest.update(block)
            if asset.members is not None:
                file.write(block)
        if digest.hexdigest() != asset.sha256:
            raise _changed_file_error(asset)
        file.seek(0)
        yield file


def _send(s3: Any, asset: Asset, file: IO[bytes], in_parts: int) -> None:
    bucket, key = split_s3(asset.uri)
    if asset.size < in_parts:
        checksum = b64encode(bytes.fromhex(asset.sha256)).decode()
        s3.put_object(Bucket=bucket, Key=key, Body=file, ChecksumSHA256=checksum)
        return
    before = _file_stamp(asset)
    # Does what upload_fileobj of boto3's clients does. Ours are botocore's, because boto3 takes a tenth of a
    # submission.
    from boto3.s3.transfer import TransferConfig, create_transfer_manager

    with create_transfer_manager(s3, TransferConfig()) as transfers:
        transfers.upload(file, bucket, key, {"ChecksumAlgorithm": "SHA256"}).result()
    # The parts have checksums, but the whole object has none. Content that changed meanwhile must not stay under this
    # hash.
    if _file_stamp(asset) != before:
        s3.delete_object(Bucket=bucket, Key=key)
        raise _changed_file_error(asset)


def _file_stamp(asset: Asset) -> tuple[int, int] | None:
    """Returns when a file was last written, and its size; None for a temporary file that flowspec packed."""
    if asset.members is not None:
        return None
    status = asset.path.stat()
    return status.st_mtime_ns, status.st_size


def _changed_file_error(asset: Asset) -> FlowspecError:
    return FlowspecError(f"{asset.path} changed while it was being staged", remedy="apply again")
