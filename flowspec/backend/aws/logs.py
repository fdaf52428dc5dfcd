"""A step's logs, wherever they are: the live files of the embedded EMR, or what EMR has shipped to S3.

EMR ships the logs of a step about every five minutes, and once more when it has ended (EMR Management
Guide, "View log files"): absent does not mean never.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, Protocol

from flowspec.backend.aws.client import Emr
from flowspec.errors import ServiceError
from flowspec.facts.uris import split_s3
from flowspec.plan.cluster import Cluster

NAMES = ("controller", "syslog", "stdout", "stderr")


class Logs(Protocol):
    """Reads the logs of one cluster's steps."""

    live: bool

    def read(self, step_id: str, name: str, start: int = 0) -> bytes | None:
        """The log `name` (one of NAMES) from byte `start` (below 0: from the end); None when it isn't there (yet)."""

    def bootstrap(self, number: int, instance: str) -> bytes | None:
        """What bootstrap action `number` (from 1) wrote to stderr on an instance."""

    def where(self, step_id: str) -> str:
        """The folder or URI of a step's logs, for people; "" when there is none."""

    def folder(self) -> str:
        """The folder or URI under which all logs of the cluster are; "" when there is none."""


def logs_of(emr: Emr, cluster: Cluster) -> Logs:
    """The logs of a cluster on the EMR it was read from."""
    return _LiveLogs(cluster) if emr.endpoint.backend == "local" else _ShippedLogs(emr, cluster)


class _LiveLogs:
    live = True

    def __init__(self, cluster: Cluster) -> None:
        from flowspec.emulator.state.paths import home

        self._cluster, self._home = cluster, home()

    def _folder(self, step_id: str) -> Path:
        from flowspec.emulator.state.paths import step_logs

        return step_logs(self._home, self._cluster.id, step_id)

    def read(self, step_id: str, name: str, start: int = 0) -> bytes | None:
        path = self._folder(step_id) / name
        if not path.is_file():
            return None
        with path.open("rb") as log:
            log.seek(start if start >= 0 else max(0, path.stat().st_size + start))
            return log.read()

    def bootstrap(self, number: int, instance: str) -> bytes | None:  # noqa: ARG002 - here there is one machine
        from flowspec.emulator.state.paths import bootstrap_folder

        path = bootstrap_folder(self._home, self._cluster.id, number) / "stderr"
        return path.read_bytes() if path.is_file() else None

    def where(self, step_id: str) -> str:
        return _below(self._cluster, f"steps/{step_id}/") or str(self._folder(step_id))

    def folder(self) -> str:
        from flowspec.emulator.state.paths import cluster_folder

        return _below(self._cluster) or f"{cluster_folder(self._home, self._cluster.id)}/steps/"


class _ShippedLogs:
    live = False

    def __init__(self, emr: Emr, cluster: Cluster) -> None:
        self._emr, self._cluster = emr, cluster
        self._s3: Any = None

    def read(self, step_id: str, name: str, start: int = 0) -> bytes | None:
        log = self._get(f"{self.where(step_id)}{name}.gz")
        return None if log is None else log[start:]

    def bootstrap(self, number: int, instance: str) -> bytes | None:
        return self._get(_below(self._cluster, f"node/{instance}/bootstrap-actions/{number}/stderr.gz"))

    def _get(self, uri: str) -> bytes | None:
        if not uri.startswith("s3://"):
            return None
        from botocore.exceptions import ClientError

        bucket, key = split_s3(uri)
        self._s3 = self._s3 or self._emr.s3()
        try:
            return gzip.decompress(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except ClientError as error:
            detail = error.response["Error"]
            if detail["Code"] in {"NoSuchKey", "404"}:
                return None
            raise ServiceError("GetObject", detail["Code"], f"s3://{bucket}/{key}: {detail['Message']}") from error

    def where(self, step_id: str) -> str:
        return _below(self._cluster, f"steps/{step_id}/")

    def folder(self) -> str:
        return _below(self._cluster)


def _below(cluster: Cluster, rest: str = "") -> str:
    """EMR's layout: LogUri/CLUSTER/rest; "" for a cluster without a LogUri."""
    return f"{cluster.log_uri.rstrip('/')}/{cluster.id}/{rest}" if cluster.log_uri else ""
