"""Synchronizes a cluster's folder tree with an S3 endpoint (`flowspec emulator --s3 URL`).

Clients of the emulator may use an S3 of their own (moto's server, MinIO ...). Before a step the objects that its
arguments name are downloaded into the tree; after it new and changed files are uploaded, and objects whose files
were deleted are deleted. An index beside the tree records what was last in sync, so that nothing is transferred twice.

This module is the only one in the emulator that imports boto3. It raises FlowspecError for errors of S3.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from flowspec.engines.paths import split_uri
from flowspec.errors import FlowspecError
from flowspec.facts.files import locked, refuse_unreadable

# Parallel transfers. boto3 uses 10 per file by default; S3 clients gain little beyond that on one machine.
_AT_ONCE = 8
_MAX_KEYS_PER_DELETE = 1000
"""Keys in one DeleteObjects (S3 API reference)."""

# The endpoint is on this machine or near it: fail in seconds rather than after botocore's 60 s and 5 attempts.
_CONNECT_SECONDS = 5
_ATTEMPTS = 3
_LONGEST_NAME = 255
"""Bytes in one file name (NAME_MAX of ext4, XFS, APFS)."""

_DUMMY_KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
"""Credentials for endpoints that accept any, if the user has none."""

_GLOB = re.compile(r"[*?\[{]")
_ABSENT = frozenset({"404", "NoSuchKey", "NoSuchBucket", "InvalidBucketName"})
# Folder of Hadoop's uncommitted output (FileOutputCommitter), and checksum files of its LocalFileSystem.
_UNFINISHED = "_temporary"
_CHECKSUM = re.compile(r"\..*\.crc")
_MARKER = "_SUCCESS"

_T = TypeVar("_T")
_Index = dict[str, list[Any]]


class TreeSync:
    """Synchronizes the tree at `root`, whose folders are buckets, with the S3 endpoint at `url`.

    Several processes may use one tree: a lock serializes their downloads and uploads.
    """

    def __init__(self, root: Path, url: str, region: str) -> None:
        self._root = root
        self._index_file = root.with_name(f"{root.name}.json")
        self._incoming = root.with_name(f"{root.name}.incoming")
        self._s3 = _client(url, region)

    def pull(self, uris: Iterable[str]) -> list[str]:
        """Downloads the objects at and below the URIs; for a glob, all objects with its literal prefix.

        Returns the URIs without any object. That is not an error: outputs are among the URIs.
        """
        missing = []
        with self._locked_index() as index:
            for uri in uris:
                if not self._pull(uri, index):
                    missing.append(uri)
        return missing

    def push(self) -> None:
        """Uploads new and changed files, deletes the objects of deleted files, and uploads `_SUCCESS` files last."""
        with self._locked_index() as index:
            found = dict(self._files())
            changed = [name for name, seen in found.items() if index.get(name, [])[2:] != seen]
            # A file that can't be uploaded fails this step, but not the next one as well: so it is recorded
            # first, as absent in S3.
            index.update({name: [None, None, *found[name]] for name in changed})
            markers = [name for name in changed if name.rpartition("/")[2] == _MARKER]
            self._upload_all([name for name in changed if name not in markers], index)
            self._delete([name for name in index if name not in found], index)
            self._upload_all(markers, index)

    def _pull(self, uri: str, index: _Index) -> bool:
        _, bucket, path = split_uri(uri)
        key = path.strip("/")
        glob = _GLOB.search(key)
        below = key[: glob.start()] if glob else f"{key}/" if key else ""
        listed = self._list_objects(bucket, below)
        if key and not glob:
            listed |= self._list_object(bucket, key)
        known = [name for name in index if name == f"{bucket}/{key}" or name.startswith(f"{bucket}/{below}")]
        self._delete_local_files([name for name in known if name not in listed], index)
        wanted = [
            name
            for name, there in listed.items()
            if index.get(name, [])[:2] != there or not (self._root / name).exists()
        ]
        for name, here in zip(wanted, _map_parallel(self._fetch, wanted), strict=True):
            index[name] = [*listed[name], *here]
        if listed:
            return True
        folder = self._root / bucket / key
        if glob or not self._is_empty_folder(bucket, key):
            _remove_empty(folder)
            return False
        with _file_conflicts(f"{bucket}/{key}"):
            folder.mkdir(parents=True, exist_ok=True)
        return True

    def _is_empty_folder(self, bucket: str, key: str) -> bool:
        """Returns whether Hadoop's S3 file systems see an empty directory: a bucket's root, or a folder marker."""
        with _s3_errors(f"s3://{bucket}/{key}", missing_ok=True):
            if key:
                self._s3.head_object(Bucket=bucket, Key=f"{key}/")
            else:
                self._s3.head_bucket(Bucket=bucket)
            return True
        return False

    def _delete_local_files(self, names: list[str], index: _Index) -> None:
        """Deletes the files of objects that no longer exist in S3."""
        for name in names:
            path = self._root / name
            path.unlink(missing_ok=True)
            path.with_name(f".{path.name}.crc").unlink(missing_ok=True)
            del index[name]

    def _list_object(self, bucket: str, key: str) -> dict[str, list[Any]]:
        """Returns the object with exactly this key, if any: name -> [size, ETag]."""
        with _s3_errors(f"s3://{bucket}/{key}", missing_ok=True):
            head = self._s3.head_object(Bucket=bucket, Key=key)
            return {f"{bucket}/{key}": [head["ContentLength"], head["ETag"]]}
        return {}

    def _list_objects(self, bucket: str, prefix: str) -> dict[str, list[Any]]:
        """Returns the objects with a key prefix: name -> [size, ETag]; without folder markers (keys ending in "/")."""
        found = {}
        with _s3_errors(f"s3://{bucket}/{prefix}", missing_ok=True):
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for entry in page.get("Contents", ()):
                    if not entry["Key"].endswith("/"):
                        found[f"{bucket}/{entry['Key']}"] = [entry["Size"], entry["ETag"]]
        return found

    def _fetch(self, name: str) -> list[int]:
        bucket, _, key = name.partition("/")
        target = self._root / _as_path(name)
        with _file_conflicts(name):
            target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, unfinished = tempfile.mkstemp(dir=self._incoming)
        os.close(descriptor)
        with _s3_errors(f"s3://{name}"):
            self._s3.download_file(bucket, key, unfinished, Config=_one_thread())
        with _file_conflicts(name):
            Path(unfinished).replace(target)
        return _size_and_mtime(target)

    def _files(self) -> Iterator[tuple[str, list[int]]]:
        for folder, folders, names in os.walk(self._root, onerror=refuse_unreadable):
            folders[:] = [name for name in folders if name != _UNFINISHED]
            for path in (Path(folder, name) for name in names if not _CHECKSUM.fullmatch(name)):
                with contextlib.suppress(FileNotFoundError):
                    if path.is_file() and path.parent != self._root:
                        yield path.relative_to(self._root).as_posix(), _size_and_mtime(path)

    def _upload_all(self, names: list[str], index: _Index) -> None:
        for name, entry in zip(names, _map_parallel(self._upload, names), strict=True):
            index[name] = entry or index[name]

    def _upload(self, name: str) -> list[Any]:
        bucket, _, key = name.partition("/")
        path = self._root / name
        if not _is_utf8(name):
            where = f"the file {str(path)!a}"
            raise FlowspecError(f"{where} can't be an object of S3: its name is not UTF-8", remedy="rename it")
        try:
            seen = _size_and_mtime(path)
            with _s3_errors(f"s3://{name}"):
                self._s3.upload_file(str(path), bucket, key, Config=_one_thread())
                head = self._s3.head_object(Bucket=bucket, Key=key)
        except FileNotFoundError:
            # Deleted meanwhile: a temporary file of a step that runs in parallel.
            return []
        return [head["ContentLength"], head["ETag"], *seen]

    def _delete(self, gone: list[str], index: _Index) -> None:
        there = {name: index.pop(name)[0] is not None for name in gone}
        names = [name for name in gone if there[name]]
        for bucket in {name.partition("/")[0] for name in names}:
            keys = [{"Key": name.partition("/")[2]} for name in names if name.startswith(f"{bucket}/")]
            for start in range(0, len(keys), _MAX_KEYS_PER_DELETE):
                some = {"Objects": keys[start : start + _MAX_KEYS_PER_DELETE], "Quiet": True}
                with _s3_errors(f"s3://{bucket}", missing_ok=True):
                    for error in self._s3.delete_objects(Bucket=bucket, Delete=some).get("Errors", ()):
                        where = f"s3://{bucket}/{error['Key']}"
                        raise FlowspecError(
                            f"{where} can't be deleted: {error['Code']}",
                            remedy="check that your credentials permit s3:DeleteObject",
                        )

    @contextmanager
    def _locked_index(self) -> Iterator[_Index]:
        """Yields the index: "bucket/key" -> [size, ETag in S3, size, mtime of the file]; saves it even on errors."""
        self._root.mkdir(parents=True, exist_ok=True)
        with locked(self._index_file.with_suffix(".lock")):
            # Downloads that failed or were killed leave files in it.
            shutil.rmtree(self._incoming, ignore_errors=True)
            self._incoming.mkdir()
            index: _Index = json.loads(self._index_file.read_text()) if self._index_file.exists() else {}
            try:
                yield index
            finally:
                unfinished = self._index_file.with_suffix(".new")
                unfinished.write_text(json.dumps(index))
                unfinished.replace(self._index_file)


def put(url: str, region: str, files: Mapping[Path, str]) -> None:
    """Uploads files to the s3:// URIs given for them."""
    s3 = _client(url, region)
    for path, uri in files.items():
        _, bucket, key = split_uri(uri)
        with _s3_errors(uri):
            s3.upload_file(str(path), bucket, key.lstrip("/"), Config=_one_thread())


@cache
def _client(url: str, region: str) -> Any:
    """Returns an S3 client for a custom endpoint."""
    from botocore.config import Config

    # Path addressing: DNS has no bucket.host names for such an endpoint.
    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        max_pool_connections=_AT_ONCE,
        retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
        s3={"addressing_style": "path"},
    )
    session, keys = _session()
    return session.client("s3", region_name=region, endpoint_url=url, config=config, **keys)


def environment(url: str, region: str) -> dict[str, str]:
    """Returns the environment variables that point a step's own boto3 or AWS CLI to the same S3."""
    _, keys = _session()
    return {"AWS_ENDPOINT_URL_S3": url, "AWS_DEFAULT_REGION": region} | {key.upper(): keys[key] for key in keys}


def _session() -> tuple[Any, Mapping[str, str]]:
    """Returns a boto3 session, and dummy credentials if the user has none."""
    import boto3

    session = boto3.session.Session()
    # An EC2 instance role is not valid for such an endpoint, and outside of EC2 the metadata request takes seconds.
    session._session.get_component("credential_provider").remove("iam-role")
    return session, {} if session.get_credentials() else _DUMMY_KEYS


def _map_parallel(work: Callable[[str], _T], names: list[str]) -> Iterator[_T]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            yield from pool.map(work, names)
        finally:
            pool.shutdown(cancel_futures=True)


def _one_thread() -> Any:
    """Returns the settings for a transfer in one thread: `_map_parallel` transfers several files in parallel."""
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(use_threads=False)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _size_and_mtime(path: Path) -> list[int]:
    """Returns size and mtime (ns) of a file, by which a change is detected."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def _as_path(name: str) -> str:
    """Returns the path for a key; raises FlowspecError if it would leave the tree or collide with another key."""
    for part in name.split("/"):
        if part in ("", ".", "..") or "\0" in part or len(part.encode()) > _LONGEST_NAME:
            raise FlowspecError(f"s3://{name} can't be stored as a file on this machine", remedy="rename the object")
    return name


@contextmanager
def _file_conflicts(name: str) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise FlowspecError(
            f"s3://{name} can't be stored as a file on this machine: another object's key is its folder, or below it",
            remedy="rename one of the objects",
        ) from error


def _remove_empty(folder: Path) -> None:
    """Removes a folder without files: S3 has no empty folders, and Hadoop would refuse it as an output."""
    for path, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            Path(path).rmdir()


@contextmanager
def _s3_errors(where: str, *, missing_ok: bool = False) -> Iterator[None]:
    """Turns boto3's exceptions into FlowspecError. With `missing_ok`, a missing bucket or key is not an error."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    try:
        yield
    except ClientError as error:
        details = error.response.get("Error", {})
        if not (missing_ok and details.get("Code") in _ABSENT):
            message = f"{where}: {details.get('Code')}: {details.get('Message')}"
            raise FlowspecError(message, remedy="check the bucket and the permissions of your credentials") from error
    except (Boto3Error, BotoCoreError) as error:
        # Botocore refuses an invalid bucket name before it sends: there is no such bucket.
        if not (missing_ok and isinstance(error, ParamValidationError)):
            raise FlowspecError(f"{where}: {error}", remedy="check the URL given by --s3, and the bucket") from error
