"""Many threads that watch clusters of one EMR share one loop."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from flowspec import Ended, FlowspecError, Outcome
from flowspec.backend.aws.shared import SharedWatch
from tests.backend.aws.manage.conftest import spec, step


@pytest.fixture
def started(emr, flow_of):
    """Starts so many clusters that are WAITING at once; returns their ids."""

    def start(count):
        _, request = flow_of(spec(steps=[step("one")]))
        ids = [emr.create("RunJobFlow", **request.params)["JobFlowId"] for _ in range(count)]
        emr.seen.clear()
        return ids

    return start


@pytest.fixture
def watched(emr):
    """Watches clusters, each in a thread; returns the events of each, or its exception."""

    def watch(ids, **options):
        def events(one):
            try:
                return list(shared.watch(emr, one, **options))
            except FlowspecError as error:
                return error

        with SharedWatch() as shared, ThreadPoolExecutor(len(ids)) as pool:
            return list(pool.map(events, ids))

    return watch


def test_each_gets_the_events_of_its_cluster(started, watched):
    ids = started(20)
    for one, events in zip(ids, watched(ids), strict=True):
        assert isinstance(events[-1], Ended)
        assert {event.cluster.id for event in events if hasattr(event, "cluster")} == {one}


def test_clusters_are_looked_at_by_one_loop(emr, started, watched):
    watched(started(20))
    assert Counter(emr.seen)["DescribeCluster"] == 20


def test_one_that_is_not_there_ends_no_other(started, watched):
    (good,) = started(1)
    missing, events = watched(["j-NONE", good])
    assert "j-NONE" in str(missing)
    assert isinstance(events[-1], Ended)


def test_a_watch_may_time_out(paused, flow_of):
    _, request = flow_of(spec(steps=[step("one")]))
    one = paused.create("RunJobFlow", **request.params)["JobFlowId"]
    with SharedWatch() as shared:
        events = list(shared.watch(paused, one, timeout=0.0))
    assert events[-1].verdict.outcome is Outcome.TIMED_OUT


def test_an_interrupt_reaches_a_thread_that_waits(paused, flow_of):
    _, request = flow_of(spec(steps=[step("one")]))
    one = paused.create("RunJobFlow", **request.params)["JobFlowId"]

    def interrupt(_):
        raise KeyboardInterrupt

    with SharedWatch() as shared, pytest.raises(KeyboardInterrupt):
        list(shared.watch(paused, one, sleep=interrupt))


def test_what_breaks_the_loop_is_raised_by_all(emr, started):
    ids, call = started(3), emr.call

    def broken(operation, **params):
        if operation == "DescribeCluster":
            raise ZeroDivisionError
        return call(operation, **params)

    emr.call = broken
    with SharedWatch() as shared:
        for one in ids:
            with pytest.raises(ZeroDivisionError):
                list(shared.watch(emr, one))


def test_its_thread_ends_with_it(emr, started):
    with SharedWatch() as shared:
        list(shared.watch(emr, started(1)[0]))
        (thread,) = [one for one in threading.enumerate() if one.name == "flowspec-watch"]
    thread.join(10)
    assert not thread.is_alive()
