"""Termination protection, and what a cluster leaves behind when it ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.observe import describe, read_back
from flowspec.errors import FlowspecError
from flowspec.plan.cluster import Cluster

# <staging>/<sha256>/<name>: see flowspec.request.assets.
_STAGED = re.compile(r"s3://[^\s,#]+/[0-9a-f]{64}/[^\s,#]+")


def protect(emr: Emr, cluster_id: str, *, on: bool = True) -> bool:
    """Protects a cluster against termination, or with `on=False` lifts the protection; True if that changed it.

    Raises FlowspecError when the cluster has ended, or there is none.
    """
    cluster = describe(emr, cluster_id, steps=False)
    if cluster.has_ended:
        raise FlowspecError(f"cluster {cluster_id} is {cluster.state}: there is nothing to protect")
    if cluster.termination_protected == on:
        return False
    emr.call("SetTerminationProtection", JobFlowIds=[cluster_id], TerminationProtected=on)
    return True


def unprotect(emr: Emr, cluster_id: str) -> bool:
    """Lifts the termination protection of a cluster; True if there was one. Raises as `protect` does."""
    return protect(emr, cluster_id, on=False)


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that stays when a cluster has ended: `kind` is what it is ("logs"), `name` its URI or name."""

    kind: str
    name: str


def leftovers(emr: Emr, cluster: Cluster) -> tuple[Leftover, ...]:
    """Returns what of a cluster stays in the account, and is paid for where it is in S3: nothing of it is deleted.

    Of staged files those are found that the latest thousand steps and the bootstrap actions name; other flows may use
    them, too. A cluster without a log URI of its own leaves no logs.
    """
    read = cluster if cluster.live else read_back(emr, cluster.id)
    assert read.live is not None
    return tuple(_left(read.id, read.live.params))


def _left(cluster_id: str, params: Mapping[str, Any]) -> Iterator[Leftover]:
    if params.get("LogUri"):
        yield Leftover("logs", f"{params['LogUri'].rstrip('/')}/{cluster_id}/")
    group = params.get("MonitoringConfiguration", {}).get("CloudWatchLogConfiguration", {}).get("LogGroupName")
    if group:
        yield Leftover("log group of CloudWatch", group)
    found = (uri for text in _texts([params.get("Steps"), params.get("BootstrapActions")]) for uri in _staged(text))
    yield from (Leftover("staged file", uri) for uri in dict.fromkeys(found))
    if params.get("SecurityConfiguration"):
        yield Leftover("security configuration", params["SecurityConfiguration"])


def _staged(text: str) -> list[str]:
    return _STAGED.findall(text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
