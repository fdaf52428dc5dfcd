"""One change of a living cluster at a time: a lock in the cluster's own tags.

AddTags overwrites and EMR has no compare-and-set, so a lock is written, left alone for a moment, and read again: of
two who write at the same time, the later overwrites the earlier, which then sees a lock that is not its own.
"""

from __future__ import annotations

import getpass
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from uuid import uuid4

from flowspec.backend.aws.client import Emr
from flowspec.errors import FlowspecError, Locked
from flowspec.plan.cluster import LOCK_TAG

# Longer than the calls of one apply take; an apply that is killed keeps others out no longer than this.
LOCK_LASTS = timedelta(minutes=10)
# More than a call of EMR takes: who has read "no lock" before ours was written has written its own by then.
_SETTLES_IN = 2.0
_LOOK_AGAIN = 5.0


@contextmanager
def locked(
    emr: Emr,
    cluster_id: str,
    *,
    timeout: float = 0.0,
    notify: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Holds the lock of a cluster; waits for it up to `timeout` seconds.

    Raises Locked when another holds it until then. A lock that has expired is taken over, and `notify` told so.
    """
    mine = _acquire(emr, cluster_id, timeout, notify, sleep)
    try:
        yield
    finally:
        _release(emr, cluster_id, mine, notify)


def _release(emr: Emr, cluster_id: str, mine: str, notify: Callable[[str], None]) -> None:
    """Removes a lock. What was done under it is done: where the lock can't be removed, it expires."""
    try:
        if _held(emr, cluster_id) == mine:
            emr.call("RemoveTags", ResourceId=cluster_id, TagKeys=[LOCK_TAG])
    except FlowspecError as error:
        # The last call may have let the cluster end, whose tags can't be changed any more.
        notify(f"the lock of cluster {cluster_id} was not removed: {error.sentence}")


def unlock(emr: Emr, cluster_id: str) -> str:
    """Removes the lock of a cluster, whoever holds it; returns what it said, "" when there was none."""
    held = _held(emr, cluster_id)
    if held:
        emr.call("RemoveTags", ResourceId=cluster_id, TagKeys=[LOCK_TAG])
    return held


def _acquire(
    emr: Emr, cluster_id: str, timeout: float, notify: Callable[[str], None], sleep: Callable[[float], None]
) -> str:
    waited = 0.0
    while True:
        held = _held(emr, cluster_id)
        if not held or _has_expired(held):
            if held:
                notify(f"taking over a lock that has expired: {held}")
            mine = _new_lock()
            emr.call("AddTags", ResourceId=cluster_id, Tags=[{"Key": LOCK_TAG, "Value": mine}])
            sleep(_SETTLES_IN)
            held = _held(emr, cluster_id)
            if held == mine:
                return mine
        if waited >= timeout:
            raise Locked(
                f"another apply is changing cluster {cluster_id}: {held}",
                remedy=f"wait for it with --lock-timeout SECONDS, or remove the lock: flowspec unlock {cluster_id}",
            )
        sleep(_LOOK_AGAIN)
        waited += _LOOK_AGAIN


def _held(emr: Emr, cluster_id: str) -> str:
    tags = emr.call("DescribeCluster", ClusterId=cluster_id)["Cluster"].get("Tags", ())
    return next((tag.get("Value", "") for tag in tags if tag["Key"] == LOCK_TAG), "")


def _new_lock() -> str:
    """A new lock: owner, expiry and a unique word: `ann@host until 2026-11-28T10:00:00Z 3f2a9c01`."""
    until = datetime.now(timezone.utc) + LOCK_LASTS
    owner = f"{_user()}@{socket.gethostname()}"[:150]
    return f"{owner} until {until:%Y-%m-%dT%H:%M:%SZ} {uuid4().hex[:8]}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have no name.
        return "unknown"


def _has_expired(lock: str) -> bool:
    words = lock.split()
    try:
        until = datetime.strptime(words[-2], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except (IndexError, ValueError):
        # Not written by flowspec: nobody will ever remove it.
        return True
    return until < datetime.now(timezone.utc)
