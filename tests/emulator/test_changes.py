"""Waiting for changes of a cluster in the store."""

import time

import pytest

from flowspec.emulator.state.changes import Changes
from tests.emulator.conftest import bash

LONG = 30.0


@pytest.fixture
def slept():
    return []


def test_a_change_ends_the_wait(still, slept):
    cluster_id = still.run(bash("true"), keep_alive=True)

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 3:
            still.put_in_state(cluster_id, "RUNNING")

    with Changes(still.home, cluster_id) as changes:
        changes.wait(LONG, sleep)
    assert len(slept) == 3


def test_changes_before_the_wait_are_not_missed_and_a_new_step_is_one(still, slept):
    cluster_id = still.run(keep_alive=True)
    with Changes(still.home, cluster_id) as changes:
        still.put_in_state(cluster_id, "RUNNING")
        changes.wait(LONG, slept.append)
        still.add(cluster_id, bash("true"))
        changes.wait(LONG, slept.append)
    assert slept == []


def test_changes_of_other_clusters_are_none(still, slept):
    cluster_id, other = still.run(keep_alive=True), still.run(keep_alive=True)
    with Changes(still.home, cluster_id) as changes:
        still.put_in_state(other, "RUNNING")
        start = time.monotonic()
        changes.wait(0.05)
    assert time.monotonic() - start >= 0.05


def test_the_longer_nothing_changes_the_rarer_the_looks(still):
    ticks = []

    def sleep(seconds):
        ticks.append(seconds)
        time.sleep(seconds)

    with Changes(still.home, still.run(keep_alive=True)) as changes:
        changes.wait(0.5, sleep)
    assert ticks[0] == pytest.approx(0.002)
    assert max(ticks) == pytest.approx(0.02)
    assert len(ticks) < 100
