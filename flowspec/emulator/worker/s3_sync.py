"""An S3 elsewhere, and the folder tree that stands for it in a cluster: fetched from, and put back to.

Clients of an endpoint have an S3 of their own (moto's server, MinIO ...). Before a step what its arguments
name is fetched from there; after it what is new, changed or gone in the tree is put, written over or
deleted there. A note beside the tree says what both sides last agreed on, so that nothing travels twice.

The emulator's door to boto3. Raises FlowspecError for what S3 refuses or does not answer.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from flowspec.engines.paths import split_uri
from flowspec.errors import FlowspecError

_AT_ONCE = 8
_MOST_DELETED_AT_ONCE = 1000
"""Keys in one DeleteObjects (API reference)."""

_CONNECT_SECONDS = 5
_ATTEMPTS = 3
_LONGEST_NAME = 255
"""Bytes, of one name in a folder, on the file systems in use."""

_DUMMY_KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
"""For endpoints that take any, where the user has none."""

_GLOB = re.compile(r"[*?\[{]")
_ABSENT = frozenset({"404", "NoSuchKey", "NoSuchBucket", "InvalidBucketName"})
# Hadoop's unfinished output, and the checksums that it writes beside files of a local file system.
_UNFINISHED = "_temporary"
_CHECKSUM = re.compile(r"\..*\.crc")
_MARKER = "_SUCCESS"

_T = TypeVar("_T")
_Agreed = dict[str, list[Any]]


class Mirror:
    """The tree at `root`, whose folders are buckets, and the S3 at `url`.

    Any number of processes may mirror one tree: each waits until the others have fetched or put.
    """

    def __init__(self, root: Path, url: str, region: str) -> None:
        self._root = root
        self._note = root.with_name(f"{root.name}.json")
        self._incoming = root.with_name(f"{root.name}.incoming")
        self._s3 = _client(url, region)

    def pull(self, uris: Iterable[str]) -> list[str]:
        """Fetches the objects that the URIs name, and those below them; of a glob, all from its fixed beginning on.

        Gives the URIs at which there is nothing, which may be as it should: outputs are named, too.
        """
        missing = []
        with self._agreed() as agreed:
            for uri in uris:
                if not self._pull(uri, agreed):
                    missing.append(uri)
        return missing

    def push(self) -> None:
        """Puts what is new or changed in the tree, and deletes what is gone from it; `_SUCCESS` is the last to come."""
        with self._agreed() as agreed:
            found = dict(self._files())
            changed = [name for name, seen in found.items() if agreed.get(name, [])[2:] != seen]
            # What fails to be put is the failure of this step, and not of the next one as well: it is noted
            # first, as something that is not there.
            agreed.update({name: [None, None, *found[name]] for name in changed})
            markers = [name for name in changed if name.rpartition("/")[2] == _MARKER]
            self._put([name for name in changed if name not in markers], agreed)
            self._delete([name for name in agreed if name not in found], agreed)
            self._put(markers, agreed)

    def _pull(self, uri: str, agreed: _Agreed) -> bool:
        _, bucket, path = split_uri(uri)
        key = path.strip("/")
        glob = _GLOB.search(key)
        below = key[: glob.start()] if glob else f"{key}/" if key else ""
        listed = self._below(bucket, below)
        if key and not glob:
            listed |= self._at(bucket, key)
        meant = [name for name in agreed if name == f"{bucket}/{key}" or name.startswith(f"{bucket}/{below}")]
        self._forget([name for name in meant if name not in listed], agreed)
        wanted = [
            name
            for name, there in listed.items()
            if agreed.get(name, [])[:2] != there or not (self._root / name).exists()
        ]
        for name, here in zip(wanted, _each(self._fetch, wanted), strict=True):
            agreed[name] = [*listed[name], *here]
        if not listed:
            _remove_empty(self._root / bucket / key)
        return bool(listed)

    def _forget(self, names: list[str], agreed: _Agreed) -> None:
        """Removes here what is not there any more."""
        for name in names:
            path = self._root / name
            path.unlink(missing_ok=True)
            path.with_name(f".{path.name}.crc").unlink(missing_ok=True)
            del agreed[name]

    def _at(self, bucket: str, key: str) -> dict[str, list[Any]]:
        """The object of this very key, if there is one, with what identifies its content: size and ETag."""
        with _told(f"s3://{bucket}/{key}", absence=True):
            head = self._s3.head_object(Bucket=bucket, Key=key)
            return {f"{bucket}/{key}": [head["ContentLength"], head["ETag"]]}
        return {}

    def _below(self, bucket: str, prefix: str) -> dict[str, list[Any]]:
        """All objects whose keys begin so. One whose key ends in a slash stands for a folder, and is none."""
        found = {}
        with _told(f"s3://{bucket}/{prefix}", absence=True):
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for entry in page.get("Contents", ()):
                    if not entry["Key"].endswith("/"):
                        found[f"{bucket}/{entry['Key']}"] = [entry["Size"], entry["ETag"]]
        return found

    def _fetch(self, name: str) -> list[int]:
        bucket, _, key = name.partition("/")
        target = self._root / _as_path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, unfinished = tempfile.mkstemp(dir=self._incoming)
        os.close(descriptor)
        with _told(f"s3://{name}"):
            self._s3.download_file(bucket, key, unfinished, Config=_one_thread())
        Path(unfinished).replace(target)
        return _seen(target)

    def _files(self) -> Iterator[tuple[str, list[int]]]:
        for folder, folders, names in os.walk(self._root):
            folders[:] = [name for name in folders if name != _UNFINISHED]
            for path in (Path(folder, name) for name in names if not _CHECKSUM.fullmatch(name)):
                with contextlib.suppress(FileNotFoundError):
                    if path.is_file() and path.parent != self._root:
                        yield path.relative_to(self._root).as_posix(), _seen(path)

    def _put(self, names: list[str], agreed: _Agreed) -> None:
        for name, entry in zip(names, _each(self._put_one, names), strict=True):
            agreed[name] = entry or agreed[name]

    def _put_one(self, name: str) -> list[Any]:
        bucket, _, key = name.partition("/")
        path = self._root / name
        try:
            seen = _seen(path)
            with _told(f"s3://{name}"):
                self._s3.upload_file(str(path), bucket, key, Config=_one_thread())
                head = self._s3.head_object(Bucket=bucket, Key=key)
        except FileNotFoundError:
            # What goes away meanwhile was another step's unfinished work.
            return []
        return [head["ContentLength"], head["ETag"], *seen]

    def _delete(self, gone: list[str], agreed: _Agreed) -> None:
        there = {name: agreed.pop(name)[0] is not None for name in gone}
        names = [name for name in gone if there[name]]
        for bucket in {name.partition("/")[0] for name in names}:
            keys = [{"Key": name.partition("/")[2]} for name in names if name.startswith(f"{bucket}/")]
            for start in range(0, len(keys), _MOST_DELETED_AT_ONCE):
                some = {"Objects": keys[start : start + _MOST_DELETED_AT_ONCE], "Quiet": True}
                with _told(f"s3://{bucket}", absence=True):
                    for error in self._s3.delete_objects(Bucket=bucket, Delete=some).get("Errors", ()):
                        where = f"s3://{bucket}/{error['Key']}"
                        raise FlowspecError(f"{where} can't be deleted: {error['Code']}", remedy="check your rights")

    @contextmanager
    def _agreed(self) -> Iterator[_Agreed]:
        """For each name ("bucket/key") size and ETag there, size and time here; kept even when something fails."""
        for folder in (self._root, self._incoming):
            folder.mkdir(parents=True, exist_ok=True)
        with self._note.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            agreed: _Agreed = json.loads(self._note.read_text()) if self._note.exists() else {}
            try:
                yield agreed
            finally:
                unfinished = self._note.with_suffix(".new")
                unfinished.write_text(json.dumps(agreed))
                unfinished.replace(self._note)


def put(url: str, region: str, files: Mapping[Path, str]) -> None:
    """Puts files at the s3:// URIs given for them."""
    s3 = _client(url, region)
    for path, uri in files.items():
        _, bucket, key = split_uri(uri)
        with _told(uri):
            s3.upload_file(str(path), bucket, key.lstrip("/"), Config=_one_thread())


@cache
def _client(url: str, region: str) -> Any:
    """An S3 client for an endpoint of one's own."""
    from botocore.config import Config

    # Path addressing: there are no bucket names in such an endpoint's DNS.
    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        max_pool_connections=_AT_ONCE,
        retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
        s3={"addressing_style": "path"},
    )
    session, keys = _session()
    return session.client("s3", region_name=region, endpoint_url=url, config=config, **keys)


def environment(url: str, region: str) -> dict[str, str]:
    """What leads a step's own boto3 or AWS CLI to the same S3."""
    _, keys = _session()
    return {"AWS_ENDPOINT_URL_S3": url, "AWS_DEFAULT_REGION": region} | {key.upper(): keys[key] for key in keys}


def _session() -> tuple[Any, Mapping[str, str]]:
    """A session, and keys in place of the user's credentials, where there are none."""
    import boto3

    session = boto3.session.Session()
    # This machine's role in EC2 means nothing to an S3 elsewhere, and to ask for it takes seconds where there is none.
    session._session.get_component("credential_provider").remove("iam-role")
    return session, {} if session.get_credentials() else _DUMMY_KEYS


def _each(work: Callable[[str], _T], names: list[str]) -> Iterator[_T]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            yield from pool.map(work, names)
        finally:
            pool.shutdown(cancel_futures=True)


def _one_thread() -> Any:
    """Several files travel at once, each in one stream."""
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(use_threads=False)


def _seen(path: Path) -> list[int]:
    """What tells a file from what it was before: size and time of the last change (ns)."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def _as_path(name: str) -> str:
    """A key as a path below the tree; one that would lead elsewhere, or to another key's file, is refused."""
    for part in name.split("/"):
        if part in ("", ".", "..") or "\0" in part or len(part.encode()) > _LONGEST_NAME:
            raise FlowspecError(f"s3://{name} can't be a file on this machine", remedy="give the object another key")
    return name


def _remove_empty(folder: Path) -> None:
    """Removes a folder that holds no file: S3 has none such, and Hadoop would refuse to write to it."""
    for path, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            Path(path).rmdir()


@contextmanager
def _told(where: str, *, absence: bool = False) -> Iterator[None]:
    """Turns what boto3 raises into FlowspecError. With `absence`, that there is no such thing is no error."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    try:
        yield
    except ClientError as error:
        told = error.response.get("Error", {})
        if not (absence and told.get("Code") in _ABSENT):
            message = f"{where}: {told.get('Code')}: {told.get('Message')}"
            raise FlowspecError(message, remedy="check the bucket and your rights") from error
    except (Boto3Error, BotoCoreError) as error:
        # What can't be a bucket's name is none.
        if not (absence and isinstance(error, ParamValidationError)):
            raise FlowspecError(f"{where}: {error}", remedy="check the URL given by --s3, and the bucket") from error
