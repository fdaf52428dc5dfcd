"""Reads a step's logs: the live files of the embedded EMR, or the files that EMR has shipped to S3.

EMR ships the logs of a step about every five minutes, and once more when it has ended (EMR Management
Guide, "View log files"), so a missing log may still arrive. Logs may be larger than memory: they are read
in blocks, or only their end is kept.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.s3 import s3_errors
from flowspec.engines.counters import Counters, parse_counters
from flowspec.facts.uris import split_s3
from flowspec.plan.cluster import Cluster

NAMES = ("controller", "syslog", "stdout", "stderr")
PATIENCE = 330.0
"""Seconds after the end of a step in which its logs may still come: EMR ships them every five minutes."""

_BLOCK = 1 << 16
# Seconds to wait for S3, and the number of attempts. Logs are read when a run is over, and only for a note, for which
# nobody waits five minutes (botocore's default: 60 seconds, five attempts).
_TIMEOUT, _ATTEMPTS = 10.0, 3
# Bytes at the end of a step's syslog that are searched for the counters of its last job. Hadoop's client prints them
# when the job ends: at most 120 counters (mapreduce.job.counters.max) of 64 + 128 characters, and then a few lines.
_COUNTERS_TAIL = 1 << 20
_ACCESS = "read below it (the cluster's `log_uri`)"
_LIST_ACCESS = "list it (s3:ListBucket)"


class Shipped(NamedTuple):
    """A log that EMR has shipped: its path in EMR's layout without `.gz`, its size in bytes as it is stored."""

    path: str
    size: int


class Logs(Protocol):
    """Reads the logs of one cluster's steps.

    Reading raises ServiceError when S3 refuses or fails, also between two blocks.
    """

    live: bool

    def blocks(self, step_id: str, name: str, start: int = 0) -> Iterator[bytes] | None:
        """Yields the log `name` (one of NAMES) from byte `start`, block by block; None when it isn't there (yet)."""

    def tail(self, step_id: str, name: str, size: int) -> bytes | None:
        """Returns the last `size` bytes of the log `name`; None when it isn't there (yet)."""

    def read(self, path: str) -> Iterator[bytes] | None:
        """Yields any log of the cluster, by its path in EMR's layout without `.gz`; None when it isn't there (yet)."""

    def list_logs(self, folder: str, most: int) -> list[Shipped]:
        """Returns at most `most` logs below a folder of EMR's layout, with their paths as `read` takes them."""

    def uri(self, path: str) -> str:
        """Returns the file or URI of a log in EMR's layout, for people; "" when there is none."""

    def step_location(self, step_id: str) -> str:
        """Returns the folder or URI of a step's logs, for people; "" when there is none."""

    def folder(self) -> str:
        """Returns the folder or URI under which all logs of the cluster are; "" when there is none."""


def logs_of(emr: Emr, cluster: Cluster) -> Logs:
    """Returns the reader of a cluster's logs, on the EMR that it was read from."""
    return emr.backend.logs(emr, cluster)


def counters_of(logs: Logs, step_id: str) -> Counters:
    """Returns the counters of a step's last job, from its syslog; empty when it has none."""
    return parse_counters((logs.tail(step_id, "syslog", _COUNTERS_TAIL) or b"").decode("utf-8", "replace"))


def shipped_logs(emr: Emr, cluster: Cluster, *, timeout: float = _TIMEOUT) -> Logs:
    """Returns the reader of what EMR has shipped to the cluster's `log_uri`; S3 may take `timeout` seconds a call."""
    return _ShippedLogs(emr, cluster, timeout)


class _ShippedLogs:
    live = False

    def __init__(self, emr: Emr, cluster: Cluster, timeout: float) -> None:
        self._emr, self._cluster, self._timeout = emr, cluster, timeout
        self._s3: Any = None

    def blocks(self, step_id: str, name: str, start: int = 0) -> Iterator[bytes] | None:
        found = self._open_object(f"{self.step_location(step_id)}{name}.gz")
        return None if found is None else _skip_bytes(found, start)

    def tail(self, step_id: str, name: str, size: int) -> bytes | None:
        return _tail(self.blocks(step_id, name), size)

    def read(self, path: str) -> Iterator[bytes] | None:
        return self._open_object(self.uri(path))

    def list_logs(self, folder: str, most: int) -> list[Shipped]:
        uri = log_location(self._cluster, folder)
        if not uri.startswith("s3://"):
            return []
        bucket, prefix = split_s3(uri)
        with s3_errors("ListObjectsV2", uri, access=_LIST_ACCESS):
            answer = self._client().list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=most)
        above = prefix[: -len(folder)]
        found = [(one["Key"].removeprefix(above), one["Size"]) for one in answer.get("Contents", ())]
        return [Shipped(path.removesuffix(".gz"), size) for path, size in found if path.endswith(".gz")]

    def uri(self, path: str) -> str:
        return log_location(self._cluster, f"{path}.gz")

    def _client(self) -> Any:
        self._s3 = self._s3 or self._emr.s3(timeout=self._timeout, attempts=_ATTEMPTS)
        return self._s3

    def _open_object(self, uri: str) -> Iterator[bytes] | None:
        if not uri.startswith("s3://"):
            return None
        from botocore.exceptions import ClientError

        bucket, key = split_s3(uri)
        with s3_errors("GetObject", uri, access=_ACCESS):
            try:
                return _unzip_blocks(self._client().get_object(Bucket=bucket, Key=key)["Body"], uri)
            except ClientError as error:
                if error.response["Error"]["Code"] not in {"NoSuchKey", "404"}:
                    raise
                return None

    def step_location(self, step_id: str) -> str:
        return log_location(self._cluster, f"steps/{step_id}/")

    def folder(self) -> str:
        return log_location(self._cluster)


def _unzip_blocks(body: Any, uri: str) -> Iterator[bytes]:
    with closing(body), gzip.GzipFile(fileobj=body) as log, s3_errors("GetObject", uri, access=_ACCESS):
        yield from iter(lambda: log.read(_BLOCK), b"")


def blocks_of_file(path: Path, start: int) -> Iterator[bytes]:
    """Reads a file from byte `start`, block by block."""
    with path.open("rb") as log:
        log.seek(start)
        yield from iter(lambda: log.read(_BLOCK), b"")


def tail_of_file(path: Path, size: int) -> bytes | None:
    """Reads the last `size` bytes of a file; None when there is no such file."""
    if not path.is_file():
        return None
    return _tail(blocks_of_file(path, max(0, path.stat().st_size - size)), size)


def _tail(blocks: Iterable[bytes] | None, size: int) -> bytes | None:
    if blocks is None:
        return None
    kept = bytearray()
    for block in blocks:
        kept += block
        del kept[:-size]
    return bytes(kept)


def _skip_bytes(blocks: Iterable[bytes], start: int) -> Iterator[bytes]:
    for block in blocks:
        if block[start:]:
            yield block[start:]
        start = max(0, start - len(block))


def log_location(cluster: Cluster, rest: str = "") -> str:
    """Returns LogUri/CLUSTER/rest, which is EMR's layout; "" for a cluster without a LogUri."""
    return f"{cluster.log_uri.rstrip('/')}/{cluster.id}/{rest}" if cluster.log_uri else ""
