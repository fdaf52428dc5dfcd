"""The times of a cluster's bootstrap actions, which are only in their logs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.logs import Logs
from flowspec.inspection.timeline import Span
from flowspec.plan.cluster import Cluster

# EMR's controller log, of steps and bootstrap actions alike: 2026-11-22T17:05:22.123Z INFO startRun() called. …
_STAMP = re.compile(rb"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)Z ", re.MULTILINE)
_FAILED = re.compile(r"bootstrap action (\d+)")
# A controller log has a dozen lines, and comes in blocks of 64 KiB.
_BLOCKS = 16


def read_bootstrap(emr: Emr, cluster: Cluster, logs: Logs) -> tuple[Span, ...]:
    """Reads when each bootstrap action ran on the master, from the action's controller log there.

    None are returned where there are no logs (yet). Sends ListInstances, if the cluster has bootstrap actions, and
    reads one log for each. Raises ServiceError when EMR or S3 refuses.
    """
    actions = cluster.live.params.get("BootstrapActions", ()) if cluster.live else ()
    master = _master(emr, cluster) if actions else ""
    return tuple(_spans([one.get("Name", "") for one in actions], cluster, logs, master)) if master else ()


def _master(emr: Emr, cluster: Cluster) -> str:
    """Returns the id of the (first) master instance; "" if there never was one."""
    fleets = bool(cluster.live and cluster.live.params.get("Instances", {}).get("InstanceFleets"))
    kind = {"InstanceFleetType": "MASTER"} if fleets else {"InstanceGroupTypes": ["MASTER"]}
    found = emr.call("ListInstances", ClusterId=cluster.id, **kind).get("Instances", ())
    return next((one["Ec2InstanceId"] for one in found if one.get("Ec2InstanceId")), "")


def _spans(names: list[str], cluster: Cluster, logs: Logs, master: str) -> Iterator[Span]:
    failed = _FAILED.search(cluster.reason)
    for number, name in enumerate(names, 1):
        blocks = logs.read(f"node/{master}/bootstrap-actions/{number}/controller")
        stamps = _timestamps(b"".join(islice(blocks, _BLOCKS))) if blocks is not None else []
        if not stamps:
            return
        over = len(stamps) > 1
        state = "FAILED" if failed and int(failed[1]) == number else "COMPLETED" if over else "RUNNING"
        yield Span(f"Bootstrap action {name}", state, started=stamps[0], ended=stamps[-1] if over else None)


def _timestamps(text: bytes) -> list[datetime]:
    # Python 3.10 reads fractions of three or six digits only, and no Z.
    stamps = (found.decode().partition(".") for found in _STAMP.findall(text))
    return [datetime.fromisoformat(f"{second}.{fraction:0<6}+00:00") for second, _, fraction in stamps]
