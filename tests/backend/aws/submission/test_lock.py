"""Two who change one living cluster take turns."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from flowspec.backend.aws.backend import AwsBackend
from flowspec.backend.aws.submission import lock
from flowspec.backend.aws.submission.apply import apply
from flowspec.backend.aws.submission.lock import locked, unlock
from flowspec.errors import Locked, ServiceError, StalePlan
from flowspec.facts.backends import TRAITS
from flowspec.plan.cluster import LOCK_TAG
from tests.plan.conftest import GROUPS, changed, emr, group, observed, planned, running  # noqa: F401 - a fixture
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("emr")


def soon(seconds):
    """Waits a twentieth of the time: a call takes milliseconds here."""
    time.sleep(seconds / 20)


def as_on_aws(monkeypatch, emr):  # noqa: F811
    """Replaces the lock of submissions by that of AWS, which holds nothing: only tags are left."""
    monkeypatch.setattr(type(emr.backend), "submission_lock", AwsBackend.submission_lock)


@pytest.fixture
def renewed_often(monkeypatch):
    """Renews locks each fifth of a second, although they last a minute: none expires on a machine that is busy."""

    class ShorterWait(threading.Event):
        def wait(self, timeout=None):
            return super().wait(timeout and timeout / 100)

    monkeypatch.setattr(lock, "LOCK_LASTS", timedelta(minutes=1))
    monkeypatch.setattr(lock, "threading", SimpleNamespace(Event=ShorterWait, Thread=threading.Thread))


def has_stopped_renewing():
    """True when the thread that renews a lock has ended: the lock is another's, or has expired."""
    return "flowspec-lock" not in {one.name for one in threading.enumerate()}


def held(emr, cluster_id):  # noqa: F811
    tags = emr.call("DescribeCluster", ClusterId=cluster_id)["Cluster"]["Tags"]
    return next((tag["Value"] for tag in tags if tag["Key"] == LOCK_TAG), "")


def put(emr, cluster_id, value):  # noqa: F811
    emr.call("AddTags", ResourceId=cluster_id, Tags=[{"Key": LOCK_TAG, "Value": value}])


def until(moment):
    return f"ann@laptop until {moment:%Y-%m-%dT%H:%M:%SZ} 3f2a9c01"


def test_a_lock_is_left_alone_for_a_moment_unless_the_backend_lets_nobody_write_meanwhile(emr, monkeypatch):  # noqa: F811
    cluster_id, slept = running(emr, GROUPS), []
    with locked(emr, cluster_id, sleep=slept.append):
        assert slept == []
    as_on_aws(monkeypatch, emr)
    with locked(emr, cluster_id, sleep=slept.append):
        assert slept == [2.0]


def test_a_second_one_is_told_who_holds_it(emr, monkeypatch):  # noqa: F811
    cluster_id = running(emr, GROUPS)
    settings = TRAITS["emr"].connection_settings
    monkeypatch.setitem(TRAITS, "local", TRAITS["local"]._replace(connection_settings=settings))
    with locked(emr, cluster_id, sleep=lambda _: None):
        second = locked(emr, cluster_id, sleep=lambda _: None)
        with pytest.raises(Locked) as refused:
            second.__enter__()
    assert f"another apply is changing cluster {cluster_id}" in refused.value.message
    assert refused.value.remedy.endswith(f"flowspec unlock {cluster_id} --region {emr.region}")
    assert held(emr, cluster_id) == ""


@pytest.mark.parametrize(("name", "shown"), [("x" * 300, "x" * 150), ("", "unknown@")], ids=["long", "none"])
def test_a_user_with_a_long_name_or_none_holds_it(emr, monkeypatch, name, shown):  # noqa: F811
    cluster_id = running(emr, GROUPS)
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, name)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000)
    with locked(emr, cluster_id, sleep=lambda _: None):
        assert held(emr, cluster_id).startswith(shown)


def test_an_apply_is_told_who_holds_it(emr):  # noqa: F811
    cluster_id = running(emr, GROUPS)
    plan = planned(changed(GROUPS, group(1, "InstanceCount"), 5), observed(emr, cluster_id))
    put(emr, cluster_id, until(datetime.now(timezone.utc) + timedelta(minutes=5)))
    with pytest.raises(Locked, match="ann@laptop"):
        apply(plan, emr, sleep=lambda _: None)
    assert "ModifyInstanceGroups" not in emr.seen


def test_an_expired_lock_is_taken_over_and_said_so(emr):  # noqa: F811
    cluster_id, told = running(emr, GROUPS), []
    put(emr, cluster_id, until(datetime.now(timezone.utc) - timedelta(seconds=5)))
    with locked(emr, cluster_id, sleep=lambda _: None, notify=told.append):
        assert not held(emr, cluster_id).startswith("ann@laptop")
    assert told[0].startswith("taking over a lock that has expired: ann@laptop")


def test_an_interrupt_while_a_lock_is_taken_leaves_none(emr, monkeypatch):  # noqa: F811
    """On AWS a lock that was written is left alone for two seconds before it is read again."""
    as_on_aws(monkeypatch, emr)
    cluster_id = running(emr, GROUPS)

    def interrupt(_):
        assert held(emr, cluster_id)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        locked(emr, cluster_id, sleep=interrupt).__enter__()
    assert held(emr, cluster_id) == ""


def interrupted_after(call, wanted):
    """Returns a method that calls EMR, and raises KeyboardInterrupt when an operation has been carried out."""

    def interrupted(operation, **params):
        answer = call(operation, **params)
        if operation == wanted:
            raise KeyboardInterrupt
        return answer

    return interrupted


def test_an_interrupt_while_a_cluster_is_changed_says_that_it_may_be(emr, monkeypatch):  # noqa: F811
    cluster_id, told = running(emr, GROUPS), []
    plan = planned(changed(GROUPS, group(1, "InstanceCount"), 5), observed(emr, cluster_id))
    monkeypatch.setattr(emr, "call", interrupted_after(emr.call, "ModifyInstanceGroups"))
    with pytest.raises(KeyboardInterrupt):
        apply(plan, emr, notify=told.append, sleep=lambda _: None)
    assert f"cluster {cluster_id} may be changed in part; what is left is shown by: flowspec plan" in told[-1]
    assert held(emr, cluster_id) == ""


def test_an_interrupt_while_a_lock_is_written_leaves_none(emr, monkeypatch):  # noqa: F811
    cluster_id = running(emr, GROUPS)
    with monkeypatch.context() as patched:
        patched.setattr(emr, "call", interrupted_after(emr.call, "AddTags"))
        with pytest.raises(KeyboardInterrupt):
            locked(emr, cluster_id).__enter__()
    assert held(emr, cluster_id) == ""


@pytest.mark.parametrize("operation", ["DescribeCluster", "RemoveTags"])
def test_an_interrupt_while_a_lock_is_removed_says_that_it_may_be_left(emr, monkeypatch, operation):  # noqa: F811
    """Such as the second of two Ctrl-C: the first one lets the lock be removed."""
    cluster_id, told = running(emr, GROUPS), []
    with (
        monkeypatch.context() as patched,
        pytest.raises(KeyboardInterrupt),
        locked(emr, cluster_id, notify=told.append, sleep=lambda _: None),
    ):
        patched.setattr(emr, "call", interrupted_after(emr.call, operation))
    assert f"the lock of cluster {cluster_id} may be left" in told[-1]
    assert f"flowspec unlock {cluster_id}" in told[-1]


def test_a_lock_that_another_wrote_at_the_same_time_is_left_to_it(emr, monkeypatch):  # noqa: F811
    as_on_aws(monkeypatch, emr)
    cluster_id, theirs = running(emr, GROUPS), until(datetime.now(timezone.utc) + timedelta(minutes=5))
    with pytest.raises(Locked, match="ann@laptop"):
        locked(emr, cluster_id, sleep=lambda _: put(emr, cluster_id, theirs)).__enter__()
    assert held(emr, cluster_id) == theirs


@pytest.mark.usefixtures("renewed_often")
def test_a_long_change_renews_its_lock(emr):  # noqa: F811
    cluster_id = running(emr, GROUPS)
    with locked(emr, cluster_id, sleep=lambda _: None) as mine:
        first = held(emr, cluster_id)
        wait_until(lambda: held(emr, cluster_id) != first)
        assert held(emr, cluster_id).split()[-1] == first.split()[-1]
        mine.check()
        with pytest.raises(Locked):
            locked(emr, cluster_id, sleep=lambda _: None).__enter__()
    assert held(emr, cluster_id) == ""


@pytest.mark.usefixtures("renewed_often")
@pytest.mark.parametrize("taken", [True, False], ids=["taken by another", "removed"])
def test_a_change_whose_lock_was_lost_stops(emr, taken):  # noqa: F811
    others = until(datetime.now(timezone.utc) + timedelta(minutes=5)) if taken else ""
    cluster_id = running(emr, GROUPS)
    wanted = changed(changed(GROUPS, group(1, "InstanceCount"), 5), ("StepConcurrencyLevel",), 4)
    plan = planned(wanted, observed(emr, cluster_id))
    emr.seen.clear()

    def taken_over(operation):
        if operation == "ModifyInstanceGroups":
            put(emr, cluster_id, others) if others else unlock(emr, cluster_id)
            wait_until(has_stopped_renewing)

    with pytest.raises(Locked, match="was lost while it was being changed"):
        apply(plan, emr, notify=taken_over, sleep=lambda _: None)
    assert "ModifyCluster" not in emr.seen
    assert held(emr, cluster_id) == others, "the lock of the other is left alone"


def test_a_lock_that_can_not_be_renewed_ends_the_change(emr, monkeypatch):  # noqa: F811
    monkeypatch.setattr(lock, "LOCK_LASTS", timedelta(seconds=1))
    cluster_id = running(emr, GROUPS)

    def refused(*_):
        raise ServiceError("DescribeCluster", "InternalServerException", "as asked for")

    with locked(emr, cluster_id, sleep=lambda _: None) as mine:
        monkeypatch.setattr(lock, "_read_lock_tag", refused)
        wait_until(has_stopped_renewing)
        with pytest.raises(Locked, match="has expired"):
            mine.check()


def test_unlock_removes_the_lock_of_anyone(emr):  # noqa: F811
    cluster_id = running(emr, GROUPS)
    put(emr, cluster_id, until(datetime.now(timezone.utc) + timedelta(minutes=5)))
    assert unlock(emr, cluster_id).startswith("ann@laptop")
    assert unlock(emr, cluster_id) == ""


def test_a_plan_of_an_earlier_state_is_refused_or_made_again(emr):  # noqa: F811
    cluster_id = running(emr, GROUPS)
    wanted = changed(GROUPS, group(1, "InstanceCount"), 5)
    plan = planned(wanted, observed(emr, cluster_id))
    emr.call("AddTags", ResourceId=cluster_id, Tags=[{"Key": "team", "Value": "ads"}])
    with pytest.raises(StalePlan, match="has changed since"):
        apply(plan, emr, sleep=lambda _: None)
    assert held(emr, cluster_id) == ""
    apply(plan, emr, replan=lambda: planned(wanted, observed(emr, cluster_id)), sleep=lambda _: None)
    assert planned(wanted, observed(emr, cluster_id)).changes == ()


@pytest.mark.parametrize(("number", "serialized"), [(2, False), (10, False), (10, True)])
def test_concurrent_applies_take_turns(emr, monkeypatch, number, serialized):  # noqa: F811
    if not serialized:
        as_on_aws(monkeypatch, emr)
    cluster_id = running(emr, GROUPS)

    def change(count):
        def plan():
            return planned(changed(GROUPS, group(1, "InstanceCount"), count), observed(emr, cluster_id))

        apply(plan(), emr, replan=plan, lock_timeout=600, sleep=soon)

    with ThreadPoolExecutor(number) as pool:
        list(pool.map(change, range(3, 3 + number)))
    assert held(emr, cluster_id) == ""
    assert emr.seen.count("ModifyInstanceGroups") == number


@pytest.mark.parametrize("killed_at", range(7))
def test_an_apply_that_dies_between_two_calls_is_finished_by_the_next(emr, killed_at):  # noqa: F811
    cluster_id = running(emr, GROUPS)
    wanted = changed(GROUPS, group(1, "InstanceCount"), 5)
    wanted = changed(wanted, ("AutoTerminationPolicy",), {"IdleTimeout": 600})
    wanted = changed(wanted, ("Steps", 1), {**GROUPS["Steps"][0], "Name": "two"})
    wanted = changed(wanted, ("Tags", 1), {"Key": "cost", "Value": "7"})
    plan, number = planned(wanted, observed(emr, cluster_id)), 0
    assert len(plan.calls) >= 5

    class Killed(BaseException): ...

    def told(_):
        nonlocal number
        number += 1
        if number > killed_at:
            raise Killed

    try:
        apply(plan, emr, notify=told, sleep=lambda _: None)
    except Killed:
        put(emr, cluster_id, until(datetime.now(timezone.utc) + timedelta(minutes=5)))
        unlock(emr, cluster_id)
    again = planned(wanted, observed(emr, cluster_id))
    if not again.joins:
        apply(again, emr, sleep=lambda _: None)
    assert planned(wanted, observed(emr, cluster_id)).joins == cluster_id
    steps = [one["Name"] for one in emr.pages("ListSteps", "Steps", ClusterId=cluster_id)]
    assert sorted(steps) == ["one", "two"], "no step was added twice"
    less = planned(GROUPS, observed(emr, cluster_id))
    assert "RemoveAutoTerminationPolicy" in [call.operation for call in less.calls], "it is known as ours"
