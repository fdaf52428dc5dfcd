"""Launching again after no capacity and after failed bootstraps, on the embedded EMR with faults."""

import dataclasses
import time
from contextlib import closing

import pytest

from flowspec.backend.aws.client import Endpoint
from flowspec.backend.aws.observe import describe
from flowspec.backend.aws.runs.relaunch import Launches
from flowspec.backend.aws.submission.apply import apply
from flowspec.backend.aws.verdict import Outcome
from flowspec.backend.aws.watch import watch
from flowspec.backend.local.backend import connect_to, home_of
from flowspec.cli.exits import Exit
from flowspec.cli.follow import follow
from flowspec.cli.locate import Chosen
from flowspec.document.checking.validate import validate
from flowspec.document.text.parse import load
from flowspec.emulator.api.service import Service
from flowspec.errors import FlowspecError, SpecError
from flowspec.pipeline import apply_and_watch, plan_on
from flowspec.plan.cluster import FALLBACK_TAG, Cluster
from flowspec.plan.runs.launches import _plan_launch, failed_to_launch, lacked_capacity
from flowspec.request.compile import compile

SPEC = """flowspec: v1
name: nightly
backend: local
release_label: emr-7.5.0
ec2_subnet_id: subnet-a
instance_groups:
  - {role: MASTER, type: m5.xlarge, count: 1}
  - {role: CORE, type: m5.2xlarge, count: 2, market: SPOT, bid_price: "0.2"}
steps: [{name: one, type: command, args: ['true']}]
"""


class Flow:
    """A flow on an embedded EMR with faults; `notes` are the lines that a user sees."""

    def __init__(self, path, text, inject="", run_bootstrap=False):
        path.write_text(text)
        self.flow = validate(load(path))
        self.request = compile(self.flow)
        endpoint = Endpoint("local", run_bootstrap=run_bootstrap)
        service = Service(
            home_of(endpoint), inject=inject, time_scale=1000, run_bootstrap=run_bootstrap, account_rules=False
        )
        self.emr = connect_to(service, endpoint)
        self.notes = []
        self.plan = plan_on(self.emr, self.flow, self.request)

    def run(self):
        """Applies and watches as `flowspec apply` does; returns the last end."""
        applied = apply(self.plan, self.emr)
        launches = Launches(self.plan, self.emr, self.notes.append)
        while True:
            with closing(watch(self.emr, applied.cluster_id, sleep=lambda _: time.sleep(0.02))) as events:
                end = list(events)[-1]
            applied = launches.relaunch(end.cluster)
            if applied is None:
                self.failed = launches.failed
                return end

    def clusters(self):
        found = self.emr.pages("ListClusters", "Clusters")
        return [describe(self.emr, one["Id"]) for one in found][::-1]

    def subnets(self):
        described = (self.emr.call("DescribeCluster", ClusterId=one.id)["Cluster"] for one in self.clusters())
        return [one["Ec2InstanceAttributes"].get("Ec2SubnetId") for one in described]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "job.yaml"


def test_the_next_subnet_is_tried_when_one_has_no_capacity(path):
    more = "fallback: [{ec2_subnet_id: subnet-b}, {ec2_subnet_id: subnet-c}]\n"
    flow = Flow(path, SPEC + more, inject="no-capacity@subnet-a no-capacity@subnet-b")
    assert flow.run().verdict.outcome is Outcome.SUCCEEDED
    assert flow.subnets() == ["subnet-a", "subnet-b", "subnet-c"]
    assert [one.tags.get(FALLBACK_TAG) for one in flow.clusters()] == [None, "1", "2"]
    assert len({one.digest for one in flow.clusters()}) == 1
    first, second = flow.failed
    assert "INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ): 3 instances" in first
    assert flow.clusters()[1].id in second
    _, *again = (f"launched again: cluster {one.id}" for one in flow.clusters())
    told = [one for one in flow.notes if one in {*flow.failed, *again}]
    assert told == [first, again[0], second, again[1]]


@pytest.mark.parametrize(
    ("more", "faults", "outcome", "launches"),
    [
        ("fallback: [{ec2_subnet_id: subnet-b}]", "no-capacity@subnet-a no-capacity@subnet-b", "CLUSTER_FAILED", 2),
        ("", "no-capacity@subnet-a", "CLUSTER_FAILED", 1),
        ("fallback: [{ec2_subnet_id: subnet-b}]\nlaunch_retries: 2", "step-failure@1", "STEP_FAILED", 1),
        ("launch_retries: 2", "bootstrap-failure", "CLUSTER_FAILED", 3),
    ],
    ids=["alternatives end", "without alternatives", "a failed step is no reason", "launches are bounded"],
)
def test_launches_end(path, more, faults, outcome, launches):
    flow = Flow(path, f"{SPEC}{more}\n", inject=faults)
    assert flow.run().verdict.outcome is Outcome[outcome]
    assert len(flow.clusters()) == launches


@pytest.mark.parametrize(
    ("alternative", "fault"),
    [("instance_types: {m5.2xlarge: m5a.2xlarge}", "m5.2xlarge"), ("market: ON_DEMAND", "spot")],
)
def test_other_types_and_markets(path, alternative, fault):
    flow = Flow(path, f"{SPEC}fallback: [{{{alternative}}}]\n", inject=f"no-capacity@{fault}")
    assert flow.run().verdict.outcome is Outcome.SUCCEEDED
    last = flow.clusters()[-1].id
    groups = flow.emr.call("ListInstanceGroups", ClusterId=last)["InstanceGroups"]
    (core,) = [one for one in groups if one["InstanceGroupType"] == "CORE"]
    if fault == "spot":
        assert (core["Market"], "BidPrice" in core) == ("ON_DEMAND", False)
    else:
        assert (core["InstanceType"], core["Market"]) == ("m5a.2xlarge", "SPOT")


def test_a_bootstrap_that_flaked_is_launched_again(path, tmp_path):
    script = tmp_path / "flaky.sh"
    script.write_text(f"#!/bin/bash\ntest -e {tmp_path}/mark || {{ touch {tmp_path}/mark; exit 1; }}\n")
    more = "bootstrap_actions: [{name: flaky, path: flaky.sh}]\nlaunch_retries: 1\n"
    flow = Flow(path, SPEC + more, run_bootstrap=True)
    assert flow.run().verdict.outcome is Outcome.SUCCEEDED
    assert len(flow.clusters()) == 2
    assert "BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE" in flow.failed[0]


@pytest.mark.parametrize(("timeout", "given"), [(100, [100, 60, 20]), (70, [70, 30]), (None, [None] * 3)])
@pytest.mark.parametrize("command", [True, False])
def test_a_timeout_is_for_all_launches_together(path, capsys, timeout, given, command):
    flow = Flow(path, SPEC + "launch_retries: 2\n", inject="bootstrap-failure")
    timeouts, clock = [], [0.0]

    def watching(emr, cluster_id, *, timeout, **options):
        """Watches a launch that takes 40 s and fails."""
        timeouts.append(timeout)
        clock[0] += 40
        yield from watch(emr, cluster_id, steps=options["steps"], sleep=lambda _: time.sleep(0.02))

    how = {"watch": watching, "clock": lambda: clock[0], "timeout": timeout}
    if command:
        chosen = Chosen(flow.emr, apply(flow.plan, flow.emr).cluster_id)
        launches = Launches(flow.plan, flow.emr)
        code = follow(chosen, on_interrupt="detach", format_="text", launches=launches, **how)
        late = "it is not launched again: --timeout has passed" in capsys.readouterr().err
        assert (code, late) == (Exit.CLUSTER_FAILED, timeout == 70)
    else:
        assert apply_and_watch(flow.plan, flow.emr, **how).verdict.outcome is Outcome.CLUSTER_FAILED
    assert timeouts == given


@pytest.mark.parametrize("choice", ["detach", "cancel", "terminate"])
def test_an_interrupt_between_two_launches_is_not_for_the_cluster_that_has_failed(path, capsys, monkeypatch, choice):
    flow = Flow(path, SPEC + "fallback: [{ec2_subnet_id: subnet-b}]\n", inject="no-capacity@subnet-a")
    first, create, called = apply(flow.plan, flow.emr).cluster_id, flow.emr.create, []

    def interrupted(*args, **params):
        create(*args, **params)
        called.clear()
        raise KeyboardInterrupt

    def call(operation, **params):
        called.append(operation)
        return type(flow.emr).call(flow.emr, operation, **params)

    monkeypatch.setattr(flow.emr, "create", interrupted)
    monkeypatch.setattr(flow.emr, "call", call)
    launches = Launches(flow.plan, flow.emr, flow.notes.append)
    with pytest.raises(KeyboardInterrupt):
        follow(Chosen(flow.emr, first), timeout=None, on_interrupt=choice, format_="text", launches=launches)
    assert called == []
    assert "keeps running" not in capsys.readouterr().err
    assert "a cluster may be running. Its tag is flowspec:submission=" in flow.notes[-1]


def test_a_cluster_of_an_alternative_is_compared_with_it(path):
    text = SPEC + "keep_alive: true\nfallback: [{ec2_subnet_id: subnet-b}]\n"
    flow = Flow(path, text, inject="no-capacity@subnet-a")
    end = flow.run()
    assert end.cluster.state in {"RUNNING", "WAITING"}  # the state follows its last step
    again = Flow(path, text)
    assert (again.plan.joins, again.plan.has_changes) == (end.cluster.id, False)
    changed = Flow(path, text.replace("count: 2", "count: 3"))
    assert [one.address for one in changed.plan.changes] == ["instance group CORE: count"]
    gone = Flow(path, text.replace("fallback: [{ec2_subnet_id: subnet-b}]\n", ""))
    assert gone.plan.replaces == end.cluster.id
    flow.emr.call("TerminateJobFlows", JobFlowIds=[end.cluster.id])


def test_it_is_no_part_of_the_request_and_the_plan_tells_it(path):
    more = "fallback: [{ec2_subnet_id: subnet-b, market: ON_DEMAND}]\nlaunch_retries: 1\n"
    plain, flow = Flow(path, SPEC), Flow(path, SPEC + more)
    assert (flow.request.digest, flow.request.params) == (plain.request.digest, plain.request.params)
    assert flow.plan.notes == (
        "if capacity is missing, alternative 1 is launched: ec2_subnet_id subnet-b, market ON_DEMAND",
        "a cluster that fails before one of its steps ran is launched again once",
        "launched again by the `apply` that watches the run: not after --detach",
    )


@pytest.mark.parametrize("wrong", ["fallback: [{}]", "fallback: [{market: SPOT}]", "launch_retries: 9"])
def test_values_that_are_refused(path, wrong):
    path.write_text(f"{SPEC}{wrong}\n")
    with pytest.raises(SpecError):
        validate(load(path))


@pytest.mark.parametrize(
    ("code", "details", "capacity", "launch"),
    [
        ("INTERNAL_ERROR", ("INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ: x",), True, True),
        ("INTERNAL_ERROR", ("INTERNAL_ERROR_SPOT_NO_CAPACITY_PRIMARY: x",), True, True),
        ("INSTANCE_FLEET_TIMEOUT", (), True, True),
        ("INTERNAL_ERROR", (), False, True),
        ("BOOTSTRAP_FAILURE", (), False, True),
        # What EMR refuses is refused again, and what a user ended was to end.
        ("VALIDATION_ERROR", (), False, False),
        ("USER_REQUEST", (), False, False),
    ],
)
def test_which_ends_are_a_reason(code, details, capacity, launch):
    cluster = Cluster("j-1", "x", "TERMINATED_WITH_ERRORS", reason_code=code, error_details=details)
    assert (lacked_capacity(cluster), failed_to_launch(cluster)) == (capacity, launch)


def test_a_fault_without_a_place_is_malformed():
    with pytest.raises(FlowspecError, match="malformed"):
        Service(home_of(Endpoint("local")), inject="no-capacity")


def test_a_launch_after_one_that_was_joined_is_a_cluster_of_its_own(path):
    flow = Flow(path, SPEC + "fallback: [{ec2_subnet_id: subnet-b}]\n")
    cluster = Cluster("j-1", "nightly", "TERMINATED_WITH_ERRORS", reason_code="INTERNAL_ERROR")
    joined = dataclasses.replace(flow.plan, joins=cluster.id, awaits=("s-1",), observed="d1gest")
    following = _plan_launch(joined, flow.plan.fallback[0], 1)
    assert (following.joins, following.awaits, following.observed) == (None, None, "")
    assert following.request["Instances"]["Ec2SubnetId"] == "subnet-b"
