"""A step's logs, wherever they are: the live files of the embedded EMR, or what EMR has shipped to S3.

EMR ships the logs of a step about every five minutes, and once more when it has ended (EMR Management
Guide, "View log files"): absent does not mean never. A log may be larger than memory, so none is held whole:
they are read in blocks, or only their tail is kept.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.s3 import s3_errors, split_uri
from flowspec.plan.cluster import Cluster

NAMES = ("controller", "syslog", "stdout", "stderr")

_BLOCK = 1 << 16
# Seconds to wait for S3, and how often to ask: logs are looked at when a run is over, and nobody waits five
# minutes (botocore's 60 seconds, five times) for what is only a note.
_TIMEOUT, _ATTEMPTS = 10.0, 3
_ACCESS = "read below it (the cluster's `log_uri`)"


class Logs(Protocol):
    """Reads the logs of one cluster's steps.

    Reading raises ServiceError when S3 refuses or fails, also between two blocks.
    """

    live: bool

    def blocks(self, step_id: str, name: str, start: int = 0) -> Iterator[bytes] | None:
        """The log `name` (one of NAMES) from byte `start`, block by block; None when it isn't there (yet)."""

    def tail(self, step_id: str, name: str, size: int) -> bytes | None:
        """The last `size` bytes of the log `name`; None when it isn't there (yet)."""

    def bootstrap(self, number: int, instance: str, size: int) -> bytes | None:
        """The last `size` bytes of what bootstrap action `number` (from 1) wrote to stderr on an instance."""

    def where(self, step_id: str) -> str:
        """The folder or URI of a step's logs, for people; "" when there is none."""

    def folder(self) -> str:
        """The folder or URI under which all logs of the cluster are; "" when there is none."""


def logs_of(emr: Emr, cluster: Cluster, *, timeout: float = _TIMEOUT) -> Logs:
    """The logs of a cluster on the EMR it was read from; `timeout` is how many seconds S3 may take to answer."""
    return _LiveLogs(cluster) if emr.endpoint.backend == "local" else _ShippedLogs(emr, cluster, timeout)


class _LiveLogs:
    live = True

    def __init__(self, cluster: Cluster) -> None:
        from flowspec.emulator.state.paths import home

        self._cluster, self._home = cluster, home()

    def _folder(self, step_id: str) -> Path:
        from flowspec.emulator.state.paths import step_logs

        return step_logs(self._home, self._cluster.id, step_id)

    def blocks(self, step_id: str, name: str, start: int = 0) -> Iterator[bytes] | None:
        path = self._folder(step_id) / name
        return _blocks_of_file(path, start) if path.is_file() else None

    def tail(self, step_id: str, name: str, size: int) -> bytes | None:
        return _tail_of_file(self._folder(step_id) / name, size)

    def bootstrap(self, number: int, instance: str, size: int) -> bytes | None:  # noqa: ARG002 - here there is one machine
        from flowspec.emulator.state.paths import bootstrap_folder

        return _tail_of_file(bootstrap_folder(self._home, self._cluster.id, number) / "stderr", size)

    def where(self, step_id: str) -> str:
        return _below(self._cluster, f"steps/{step_id}/") or str(self._folder(step_id))

    def folder(self) -> str:
        from flowspec.emulator.state.paths import cluster_folder

        return _below(self._cluster) or f"{cluster_folder(self._home, self._cluster.id)}/steps/"


class _ShippedLogs:
    live = False

    def __init__(self, emr: Emr, cluster: Cluster, timeout: float) -> None:
        self._emr, self._cluster, self._timeout = emr, cluster, timeout
        self._s3: Any = None

    def blocks(self, step_id: str, name: str, start: int = 0) -> Iterator[bytes] | None:
        found = self._get(f"{self.where(step_id)}{name}.gz")
        return None if found is None else _from(found, start)

    def tail(self, step_id: str, name: str, size: int) -> bytes | None:
        return _tail(self.blocks(step_id, name), size)

    def bootstrap(self, number: int, instance: str, size: int) -> bytes | None:
        return _tail(self._get(_below(self._cluster, f"node/{instance}/bootstrap-actions/{number}/stderr.gz")), size)

    def _get(self, uri: str) -> Iterator[bytes] | None:
        if not uri.startswith("s3://"):
            return None
        from botocore.exceptions import ClientError

        bucket, key = split_uri(uri)
        self._s3 = self._s3 or self._emr.s3(timeout=self._timeout, attempts=_ATTEMPTS)
        with s3_errors("GetObject", uri, access=_ACCESS):
            try:
                return _unzipped(self._s3.get_object(Bucket=bucket, Key=key)["Body"], uri)
            except ClientError as error:
                if error.response["Error"]["Code"] not in {"NoSuchKey", "404"}:
                    raise
                return None

    def where(self, step_id: str) -> str:
        return _below(self._cluster, f"steps/{step_id}/")

    def folder(self) -> str:
        return _below(self._cluster)


def _unzipped(body: Any, uri: str) -> Iterator[bytes]:
    with closing(body), gzip.GzipFile(fileobj=body) as log, s3_errors("GetObject", uri, access=_ACCESS):
        yield from iter(lambda: log.read(_BLOCK), b"")


def _blocks_of_file(path: Path, start: int) -> Iterator[bytes]:
    with path.open("rb") as log:
        log.seek(start)
        yield from iter(lambda: log.read(_BLOCK), b"")


def _tail_of_file(path: Path, size: int) -> bytes | None:
    if not path.is_file():
        return None
    return _tail(_blocks_of_file(path, max(0, path.stat().st_size - size)), size)


def _tail(blocks: Iterable[bytes] | None, size: int) -> bytes | None:
    if blocks is None:
        return None
    kept = bytearray()
    for block in blocks:
        kept += block
        del kept[:-size]
    return bytes(kept)


def _from(blocks: Iterable[bytes], start: int) -> Iterator[bytes]:
    for block in blocks:
        if block[start:]:
            yield block[start:]
        start = max(0, start - len(block))


def _below(cluster: Cluster, rest: str = "") -> str:
    """EMR's layout: LogUri/CLUSTER/rest; "" for a cluster without a LogUri."""
    return f"{cluster.log_uri.rstrip('/')}/{cluster.id}/{rest}" if cluster.log_uri else ""
