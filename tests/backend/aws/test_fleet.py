"""Many clusters followed by one process: one loop, within EMR's published rates, on a clock that counts."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest

from flowspec.backend.aws.backend import BACKEND
from flowspec.backend.aws.client import Clients, Emr, Endpoint
from flowspec.backend.aws.events import Ended, StepChanged, Unreachable
from flowspec.backend.aws.verdict import Outcome
from flowspec.backend.aws.watch import Fleet, watch
from flowspec.backend.local.backend import connect_to
from flowspec.emulator.api.service import Service
from flowspec.errors import FlowspecError, ServiceError
from flowspec.facts.rates import ALL, RATES

ENDLESS = 1e9


class Clock:
    """A clock that only sleeping moves on."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds


class Account(Emr):
    """An EMR of many clusters with one step each, whose states follow from the clock; it notes every call."""

    def __init__(self, clock, ends, others=0):
        client = SimpleNamespace(meta=SimpleNamespace(region_name="us-east-1", events=SimpleNamespace(register=_none)))
        super().__init__(Endpoint("emr", endpoint_url="http://127.0.0.1"), Clients(client, client, None))
        self.clock, self.ends, self.seen, self.failing = clock, ends, [], set()
        self.code = "InvalidRequestException"
        self.others = [f"j-OTHER{number}" for number in range(others)]

    def call(self, operation, **params):
        self.seen.append((self.clock(), operation))
        if params.get("ClusterId") in self.failing:
            raise ServiceError(operation, self.code, "as asked for")
        return getattr(self, f"_{operation}")(**params)

    def state(self, cluster_id):
        if cluster_id in self.others:
            return "WAITING"
        end = self.ends[cluster_id]
        return "STARTING" if self.clock() < 300 else "TERMINATED" if self.clock() >= end else "RUNNING"

    def _ListClusters(self, ClusterStates, Marker="0"):  # noqa: N802, N803 - the API's names
        every = [one for one in [*self.ends, *self.others] if self.state(one) in ClusterStates]
        start = int(Marker)
        page = [{"Id": one, "Name": one, "Status": {"State": self.state(one)}} for one in every[start : start + 50]]
        more = {"Marker": str(start + 50)} if start + 50 < len(every) else {}
        return {"Clusters": page, **more}

    def _DescribeCluster(self, ClusterId):  # noqa: N802, N803
        made = {"CreationDateTime": datetime(2026, 11, 28, tzinfo=timezone.utc)}
        status = {"State": self.state(ClusterId), "Timeline": made}
        return {"Cluster": {"Id": ClusterId, "Name": ClusterId, "Status": status, "AutoTerminate": True}}

    def _ListSteps(self, ClusterId):  # noqa: N802, N803
        states = {"STARTING": "PENDING", "RUNNING": "RUNNING", "TERMINATED": "COMPLETED"}
        return {"Steps": [{"Id": "s-1", "Name": "one", "Status": {"State": states[self.state(ClusterId)]}}]}


def _none(*_, **__): ...


def fleet_of(ends, *, others=0, **options):
    clock = Clock()
    account = Account(clock, ends, others)
    fleet = Fleet(account, clock=clock, sleep=clock.sleep)
    for cluster_id in ends:
        fleet.add(cluster_id, **options)
    return fleet, account, clock


def worst_excess(seen, operation):
    """The most calls above what the published rate allows, of any stretch of time."""
    rate = RATES[operation]
    times = [at for at, name in seen if operation in (ALL, name)]
    return max(
        (
            last - first + 1 - rate.burst - (times[last] - times[first]) * rate.per_second
            for first in range(len(times))
            for last in range(first, len(times))
        ),
        default=0,
    )


@pytest.mark.parametrize("others", [0, 200])
def test_fifty_flows_stay_under_the_published_rates(others):
    ends = {f"j-{number:02}": 900 + 61 * number for number in range(50)}
    fleet, account, clock = fleet_of(ends, others=others)
    fleet.close()
    over = {}
    steps = Counter()
    for cluster_id, event in fleet.events():
        if isinstance(event, Ended):
            assert event.verdict.outcome is Outcome.SUCCEEDED
            over[cluster_id] = clock()
        steps[cluster_id] += isinstance(event, StepChanged)
    assert set(over) == set(ends)
    assert set(steps.values()) == {3}, "PENDING, RUNNING and COMPLETED were seen of each"
    for operation in RATES:
        assert worst_excess(account.seen, operation) <= -RATES[operation].burst / 2 + 1
    late = [over[one] - ends[one] for one in ends]
    assert max(late) < 60 + others, sorted(late)[-3:]


def test_fifty_that_end_at_once_are_all_told():
    fleet, account, clock = fleet_of(dict.fromkeys((f"j-{number:02}" for number in range(50)), 1000))
    fleet.close()
    ended = [one for one, event in fleet.events() if isinstance(event, Ended)]
    assert len(ended) == len(set(ended)) == 50
    assert clock() < 1000 + 250
    assert worst_excess(account.seen, "ListSteps") <= 0


def test_a_timeout_is_kept_and_the_cluster_left():
    fleet, _, clock = fleet_of({"j-1": ENDLESS, "j-2": 400}, timeout=600)
    fleet.close()
    ends = {one: event.verdict.outcome for one, event in fleet.events() if isinstance(event, Ended)}
    assert ends == {"j-1": Outcome.TIMED_OUT, "j-2": Outcome.SUCCEEDED}
    assert 600 <= clock() < 640


def test_each_is_looked_at_in_turn_where_they_can_not_be_listed():
    """Their states are not known from a list, which is no news of them."""
    ends = {f"j-{number:02}": ENDLESS if number < 5 else 400 for number in range(20)}
    fleet, account, _ = fleet_of(ends, timeout=5000)
    fleet.close()

    def refuse(**_):
        raise ServiceError("ListClusters", "AccessDeniedException", "as asked for")

    account._ListClusters = refuse
    ended = {cluster_id: event.verdict.outcome for cluster_id, event in fleet.events() if isinstance(event, Ended)}
    assert ended == {one: Outcome.TIMED_OUT if end == ENDLESS else Outcome.SUCCEEDED for one, end in ends.items()}


def test_a_cluster_that_is_not_there_ends_nothing_else():
    fleet, account, _ = fleet_of({"j-1": 400, "j-2": 400})
    account.failing.add("j-1")
    fleet.close()
    (lost,) = [event for one, event in fleet.events() if one == "j-1"]
    assert isinstance(lost, Unreachable)
    assert "j-1" in lost.error.message


def test_a_cluster_that_gives_no_answer_for_a_while_is_followed_on():
    fleet, account, clock = fleet_of({"j-1": 900})
    fleet.close()
    last = None
    for _, event in fleet.events():
        account.failing = {"j-1"} if 310 < clock() < 500 else set()
        last = event
    assert isinstance(last, Ended)


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServerException"])
def test_a_service_that_is_busy_at_the_first_look_is_asked_again(code):
    fleet, account, clock = fleet_of({"j-1": 900})
    account.code, account.failing = code, {"j-1"}
    fleet.close()

    def sleep(seconds):
        clock.sleep(seconds)
        account.failing = {"j-1"} if clock() < 200 else set()

    fleet._sleep = sleep
    assert [type(event) for _, event in fleet.events()][-1] is Ended
    clock.now, account.failing = 0.0, {"j-1"}
    *_, last = watch(account, "j-1", clock=clock, sleep=sleep)
    assert isinstance(last, Ended)
    clock.now, account.failing = 0.0, {"j-1"}
    with pytest.raises(ServiceError, match=code):
        list(watch(account, "j-1", clock=clock, sleep=clock.sleep))
    assert 300 < clock() < 400


def test_the_timeout_counts_before_the_first_answer():
    fleet, account, clock = fleet_of({})
    account.code, account.failing = "ThrottlingException", {"j-1"}
    fleet.add("j-1", timeout=60)
    fleet.close()
    assert [type(event) for _, event in fleet.events()] == [Unreachable]
    assert 60 <= clock() < 120
    clock.now = 0.0
    with pytest.raises(ServiceError, match=account.code):
        list(watch(account, "j-1", timeout=60, clock=clock, sleep=clock.sleep))
    assert 60 <= clock() < 120


def test_a_cluster_that_gives_no_answer_for_long_is_given_up():
    fleet, account, clock = fleet_of({"j-1": ENDLESS})
    fleet.close()
    last = None
    for _, event in fleet.events():
        account.failing = {"j-1"}
        last = event
    assert isinstance(last, Unreachable)
    assert clock() < 700


def test_one_is_added_while_others_are_followed():
    fleet, _, _ = fleet_of({"j-1": 400, "j-2": 500})
    late = Fleet.add
    ended = []
    account_ends = fleet._emr._emr.ends
    for one, event in fleet.events():
        if isinstance(event, Ended):
            ended.append(one)
            if one == "j-1":
                account_ends["j-3"] = 800
                late(fleet, "j-3")
                fleet.close()
    assert ended == ["j-1", "j-2", "j-3"]


def test_a_closed_fleet_without_clusters_has_no_events():
    fleet, _, _ = fleet_of({})
    fleet.close()
    assert list(fleet.events()) == []


def test_on_the_embedded_emr_clusters_are_added_by_threads(tmp_path):
    emr = connect_to(Service(tmp_path / "home", instant=True, account_rules=False), Endpoint("local"))
    fleet = Fleet(emr)

    def submit(_):
        step = {"Name": "one", "ActionOnFailure": "CONTINUE", "HadoopJarStep": {"Jar": "command-runner.jar"}}
        group = {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}
        instances = {"InstanceGroups": [group], "KeepJobFlowAliveWhenNoSteps": True}
        answer = emr.create("RunJobFlow", Name="many", ReleaseLabel="emr-7.5.0", Instances=instances, Steps=[step])
        fleet.add(answer["JobFlowId"])
        return answer["JobFlowId"]

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(submit, range(8)))
    fleet.close()
    ended = {one: event.verdict.outcome for one, event in fleet.events() if isinstance(event, Ended)}
    assert ended == dict.fromkeys(made, Outcome.SUCCEEDED)


def test_the_error_is_one_that_people_can_read():
    fleet, account, _ = fleet_of({"j-1": 400})
    account.failing.add("j-1")
    fleet.close()
    ((_, lost),) = fleet.events()
    assert isinstance(lost.error, FlowspecError)
    assert lost.error.message == f"there is no cluster j-1 in {BACKEND.location('us-east-1')}"
