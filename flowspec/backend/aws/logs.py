"""A step's logs, wherever they are: the live files of the embedded EMR, or what EMR has shipped to S3.

EMR ships the logs of a step about every five minutes, and once more when it has ended (EMR Management
Guide, "View log files"): absent does not mean never.
"""

from __future__ import annotations

import gzip
from typing import Any, Protocol

from flowspec.backend.aws.client import Emr
from flowspec.errors import ServiceError
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
    """Returns the reader of a cluster's logs, on the EMR that it was read from."""
    return emr.backend.logs(emr, cluster)


def shipped_logs(emr: Emr, cluster: Cluster) -> Logs:
    """Returns the reader of what EMR has shipped to the cluster's `log_uri`."""
    return _ShippedLogs(emr, cluster)


class _ShippedLogs:
    live = False

    def __init__(self, emr: Emr, cluster: Cluster) -> None:
        self._emr, self._cluster = emr, cluster
        self._s3: Any = None

    def read(self, step_id: str, name: str, start: int = 0) -> bytes | None:
        log = self._get(f"{self.where(step_id)}{name}.gz")
        return None if log is None else log[start:]

    def bootstrap(self, number: int, instance: str) -> bytes | None:
        return self._get(below(self._cluster, f"node/{instance}/bootstrap-actions/{number}/stderr.gz"))

    def _get(self, uri: str) -> bytes | None:
        if not uri.startswith("s3://"):
            return None
        from botocore.exceptions import ClientError

        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self._s3 = self._s3 or self._emr.s3()
        try:
            return gzip.decompress(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except ClientError as error:
            detail = error.response["Error"]
            if detail["Code"] in {"NoSuchKey", "404"}:
                return None
            raise ServiceError("GetObject", detail["Code"], f"s3://{bucket}/{key}: {detail['Message']}") from error

    def where(self, step_id: str) -> str:
        return below(self._cluster, f"steps/{step_id}/")

    def folder(self) -> str:
        return below(self._cluster)


def below(cluster: Cluster, rest: str = "") -> str:
    """Returns LogUri/CLUSTER/rest, which is EMR's layout; "" for a cluster without a LogUri."""
    return f"{cluster.log_uri.rstrip('/')}/{cluster.id}/{rest}" if cluster.log_uri else ""
