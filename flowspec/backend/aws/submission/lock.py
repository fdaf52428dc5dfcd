"""Locks a running cluster by a tag, so that only one process changes it at a time.

AddTags overwrites, and EMR has no compare-and-set. So a lock is written, and read again after a moment: if two
processes write at the same time, the later overwrites the earlier, which then reads a lock that is not its own. Where
the backend serializes submissions this can't happen, and nothing waits.
"""

from __future__ import annotations

import getpass
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from uuid import uuid4

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.command_lines import command_line
from flowspec.errors import FlowspecError, Locked
from flowspec.plan.cluster import LOCK_TAG

# A killed apply blocks others for at most this time. The lock is renewed after each third of it, so two renewals in a
# row may fail, each after all its attempts.
LOCK_LASTS = timedelta(minutes=10)
# Longer than a call to EMR takes: after it, every process that read "no lock" before ours was written has written its
# own lock.
_SETTLES_IN = 2.0
_LOOK_AGAIN = 5.0


class Lock:
    """The lock of a cluster, which is in `tag`; renewed once it is acquired."""

    def __init__(self, emr: Emr, cluster_id: str, tag: str, lasts: timedelta) -> None:
        self._emr = emr
        self._cluster_id = cluster_id
        self._unlocking = command_line("unlock", emr, cluster_id)
        self._tag = tag
        self._lasts = lasts
        self._held = ""
        self._ended = threading.Event()
        self._taken = ""
        self._thread = threading.Thread(target=self._renew_until_ended, name="flowspec-lock", daemon=True)

    def acquire(self, timeout: float, notify: Callable[[str], None], sleep: Callable[[float], None]) -> None:
        """Acquires the lock within `timeout` seconds. Raises Locked if another process still holds it then."""
        waited = 0.0
        while True:
            held = self._write_if_free(notify, sleep)
            if held == self._held:
                self._thread.start()
                return
            if waited >= timeout:
                raise Locked(
                    f"another apply is changing cluster {self._cluster_id}: {held}",
                    remedy=f"wait for it with --lock-timeout SECONDS, or remove the lock: {self._unlocking}",
                    holder=held,
                )
            sleep(_LOOK_AGAIN)
            waited += _LOOK_AGAIN

    def _write_if_free(self, notify: Callable[[str], None], sleep: Callable[[float], None]) -> str:
        """Writes our lock if no other process holds one; returns the lock that is held then."""
        with self._emr.backend.submission_lock(self._emr.endpoint) as alone:
            held = self._read()
            if held and not _has_expired(held):
                return held
            if held:
                notify(f"taking over a lock that has expired: {held}")
            # Set before the call: if an interrupt or an error ends the call, it may have taken effect, and the lock
            # must be removed.
            self._held = _new_lock(uuid4().hex[:8], self._lasts)
            self._write(self._held)
        if alone:
            return self._held
        sleep(_SETTLES_IN)
        return self._read()

    def check(self) -> None:
        """Raises Locked when the lock is no longer ours: it expired, or someone removed it, before it was renewed."""
        lost = f"was lost while it was being changed: {self._taken}" if self._taken else ""
        if not lost and _has_expired(self._held):
            lost = "has expired: EMR could not be reached to renew it"
        if lost:
            remedy = f"see what was done ({command_line('status', self._emr, self._cluster_id)}), and apply again"
            raise Locked(f"the lock of cluster {self._cluster_id} {lost}", remedy=remedy)

    def release(self, warn: Callable[[str], None]) -> None:
        """Removes the lock if it was written. If it can't be removed, it expires; the changes made under it stay."""
        if not self._held:
            return
        self._ended.set()
        try:
            if self._thread.is_alive():
                self._thread.join()
            if _is_same(self._read(), self._held):
                self._emr.call("RemoveTags", ResourceId=self._cluster_id, TagKeys=[self._tag])
        except FlowspecError as error:
            # The last call may have ended the cluster, and tags of an ended cluster can't be changed.
            warn(f"the lock of cluster {self._cluster_id} was not removed: {error.sentence}")
        except KeyboardInterrupt:
            warn(f"the lock of cluster {self._cluster_id} may be left; remove it with: {self._unlocking}")
            raise

    def _renew_until_ended(self) -> None:
        while not self._ended.wait(self._lasts.total_seconds() / 3):
            # An expired lock is not written again, because another process may take it at any moment.
            if _has_expired(self._held):
                return
            try:
                held = self._read()
                if not _is_same(held, self._held):
                    self._taken = held or "it was removed"
                    return
                renewed = _new_lock(self._held.split()[-1], self._lasts)
                self._write(renewed)
                self._held = renewed
            except FlowspecError:
                # The renewal is tried again after another third; `check` reports the lock as lost when all renewals
                # failed.
                continue

    def _read(self) -> str:
        return _read_lock_tag(self._emr, self._cluster_id, self._tag)

    def _write(self, value: str) -> None:
        self._emr.call("AddTags", ResourceId=self._cluster_id, Tags=[{"Key": self._tag, "Value": value}])


@contextmanager
def locked(
    emr: Emr,
    cluster_id: str,
    *,
    timeout: float = 0.0,
    notify: Callable[[str], None] = lambda _: None,
    warn: Callable[[str], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    tag: str = LOCK_TAG,
    lasts: timedelta | None = None,
) -> Iterator[Lock]:
    """Holds the lock of a cluster that is in `tag`; waits for it up to `timeout` seconds.

    Without renewal, the lock expires after `lasts`, by default LOCK_LASTS.

    Raises Locked when another process still holds it after the timeout. An expired lock is taken over, with a line to
    `notify`; `warn` (default: the same) gets a line if our lock can't be removed.
    """
    lock = Lock(emr, cluster_id, tag, lasts or LOCK_LASTS)
    try:
        lock.acquire(timeout, notify, sleep)
        yield lock
    finally:
        lock.release(warn or notify)


def unlock(emr: Emr, cluster_id: str) -> str:
    """Removes the lock of a cluster, no matter who holds it; returns its text, "" when there was none."""
    held = _read_lock_tag(emr, cluster_id, LOCK_TAG)
    if held:
        emr.call("RemoveTags", ResourceId=cluster_id, TagKeys=[LOCK_TAG])
    return held


def _read_lock_tag(emr: Emr, cluster_id: str, tag: str) -> str:
    tags = emr.call("DescribeCluster", ClusterId=cluster_id)["Cluster"].get("Tags", ())
    return next((one.get("Value", "") for one in tags if one["Key"] == tag), "")


def _is_same(held: str, mine: str) -> bool:
    """Returns True if a lock is ours, renewed or not."""
    return held.split()[-1:] == mine.split()[-1:]


def _new_lock(word: str, lasts: timedelta) -> str:
    """Returns a lock that begins now: owner, expiry and a unique word.

    For example `ann@host until 2026-11-28T10:00:00Z 3f2a9c01`.
    """
    until = datetime.now(timezone.utc) + lasts
    owner = f"{_user()}@{socket.gethostname()}"[:150]
    return f"{owner} until {until:%Y-%m-%dT%H:%M:%SZ} {word}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # The user of a container may have no name.
        return "unknown"


def _has_expired(lock: str) -> bool:
    words = lock.split()
    try:
        until = datetime.strptime(words[-2], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except (IndexError, ValueError):
        # It was not written by flowspec, so no process would ever remove it.
        return True
    return until < datetime.now(timezone.utc)
