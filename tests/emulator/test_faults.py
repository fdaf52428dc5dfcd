"""Fault injection: each fault takes effect in EMR's words, and flowspec copes with it."""

from __future__ import annotations

import random
from collections import Counter

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from flowspec.backend.aws.client import Clients, Endpoint
from flowspec.backend.aws.client import Emr as Connection
from flowspec.backend.aws.submission.apply import apply
from flowspec.emulator import faults
from flowspec.emulator.api.service import OPERATIONS, EmrError, Service
from flowspec.emulator.faults import AnswerLost, Faults, parse
from flowspec.emulator.in_process import attach, respond
from flowspec.errors import FlowspecError
from flowspec.plan.changes import ApiCall, Plan
from tests.emulator.conftest import CORE, MASTER, Emr, bash, request
from tests.emulator.test_instances import FLEETS
from tests.waiting import wait_until

MODEL = botocore.session.get_session().get_service_model("emr")
SPOT = {**CORE, "Market": "SPOT"}


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("", Faults()),
        (" , ", Faults()),
        ("throttle=0.3", Faults(throttle={"": 0.3})),
        ("throttle=0.3,throttle@RunJobFlow=1", Faults(throttle={"": 0.3, "RunJobFlow": 1.0})),
        ("throttle=0.3 throttle=0", Faults(throttle={"": 0.0})),
        ("lost-answer@RunJobFlow=.1", Faults(lost_answer={"RunJobFlow": 0.1})),
        ("internal-error=1e-3", Faults(internal_error={"": 0.001})),
        ("bootstrap-failure", Faults(bootstrap_failure=True)),
        ("spot-loss@2, spot-loss@4", Faults(spot_loss=frozenset({2, 4}))),
        ("step-failure@3", Faults(step_failure=frozenset({3}))),
        ("slow-start=30", Faults(slow_start=30.0)),
    ],
)
def test_faults_are_parsed(text, parsed):
    assert parse(text, OPERATIONS) == parsed


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("trottle=1", "'trottle' is not a fault", "did you mean throttle?"),
        ("slowness=1", "'slowness' is not a fault", "throttle[@Operation]=P"),
        ("throttle", "is malformed", "write throttle[@Operation]=P"),
        ("throttle@=1", "is malformed", "write throttle[@Operation]=P"),
        ("throttle=often", "'often' is not a probability from 0 to 1", "write throttle[@Operation]=P"),
        ("throttle=1.5", "'1.5' is not a probability", "throttle"),
        ("throttle=-0.1", "'-0.1' is not a probability", "throttle"),
        ("throttle=nan", "'nan' is not a probability", "throttle"),
        ("throttle@RunJobflow=1", "EMR has no operation 'RunJobflow'", "did you mean RunJobFlow?"),
        ("lost-answer@Fly=1", "EMR has no operation 'Fly'", "such as RunJobFlow"),
        ("spot-loss", "'' is not the number of a step, from 1", "write spot-loss@N"),
        ("spot-loss@0", "'0' is not the number of a step", "write spot-loss@N"),
        ("step-failure@1.5", "'1.5' is not the number of a step", "write step-failure@N"),
        ("step-failure@2=1", "is malformed", "write step-failure@N"),
        ("slow-start=inf", "'inf' is not a number of seconds", "write slow-start=SECONDS"),
        ("slow-start@2=1", "is malformed", "write slow-start=SECONDS"),
        ("bootstrap-failure=1", "is malformed", "write bootstrap-failure"),
        ("bootstrap-failure@1", "is malformed", "write bootstrap-failure"),
    ],
)
def test_bad_faults_are_refused(text, message, remedy, home):
    with pytest.raises(FlowspecError) as caught:
        Service(home, inject=text)
    assert message in caught.value.message
    assert remedy in caught.value.remedy


def test_a_step_may_have_any_number():
    assert parse(f"step-failure@{'9' * 400}").step_failure == {10**400 - 1}


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf")])
def test_a_time_scale_is_a_number_above_zero(scale, home):
    with pytest.raises(FlowspecError, match="is not a number above 0"):
        Service(home, time_scale=scale)


def asked(emr, inject, operation="ListClusters", **params):
    """Calls a service that has a fault."""
    return Service(emr.home, inject=inject).call(operation, params)


def test_a_throttled_call_does_nothing(still):
    with pytest.raises(EmrError) as caught:
        asked(still, "throttle=1", "RunJobFlow", **request())
    assert (caught.value.code, caught.value.message, caught.value.status) == (
        "ThrottlingException",
        "Rate exceeded",
        400,
    )
    assert still.call("ListClusters") == {"Clusters": []}


def test_one_operation_is_throttled_alone(still):
    assert asked(still, "throttle@RunJobFlow=1") == {"Clusters": []}
    assert asked(still, "throttle=1,throttle@ListClusters=0") == {"Clusters": []}


def test_probabilities_are_probabilities(monkeypatch):
    monkeypatch.setattr(faults, "random", random.Random(4))
    fault, hits = parse("throttle=0.3"), Counter()
    for _ in range(1000):
        try:
            fault.before("ListClusters")
        except EmrError:
            hits["throttled"] += 1
    assert 250 < hits["throttled"] < 350


def test_a_call_whose_answer_is_lost_was_carried_out(still):
    lossy = Service(still.home, inject="lost-answer@RunJobFlow=1", start_worker=still.service.start_worker)
    with pytest.raises(AnswerLost):
        lossy.call("RunJobFlow", request())
    assert len(still.call("ListClusters")["Clusters"]) == 1
    assert respond(lossy, "ElasticMapReduce.ListClusters", b"{}").status == 200
    lossy = Service(still.home, inject="lost-answer=1")
    assert respond(lossy, "ElasticMapReduce.ListClusters", b"{}") is None


def test_a_lost_answer_is_a_dropped_connection_to_boto3(still):
    client = client_of(Service(still.home, inject="lost-answer=1"), attempts=1)
    with pytest.raises(ConnectionClosedError):
        client.list_clusters()


def client_of(service, *, attempts):
    config = Config(retries={"total_max_attempts": attempts, "mode": "standard"})
    made = boto3.client("emr", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y", config=config)
    attach(made, service)
    return made


@pytest.mark.parametrize(
    ("operation", "code", "status"),
    [("RunJobFlow", "InternalServerError", 400), ("DescribeCluster", "InternalServerException", 500)],
)
def test_an_internal_error_has_the_code_of_its_operation(still, operation, code, status):
    cluster_id = still.run()
    broken = Service(still.home, inject=f"internal-error@{operation}=1", start_worker=still.service.start_worker)
    client = client_of(broken, attempts=1)
    params = request() if operation == "RunJobFlow" else {"ClusterId": cluster_id}
    with pytest.raises(ClientError) as caught:
        getattr(client, botocore.xform_name(operation))(**params)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    # What EMR says after an internal error leaves open whether it took effect; here it did.
    assert len(still.call("ListClusters")["Clusters"]) == (2 if operation == "RunJobFlow" else 1)


def test_which_operations_have_the_old_internal_error_is_told_by_the_model():
    old = {
        operation
        for operation in OPERATIONS
        if any(shape.name == "InternalServerError" for shape in MODEL.operation_model(operation).error_shapes)
    }
    assert old == faults.OLD_INTERNAL_ERROR


def tag(text):
    return [{"Key": "flowspec:inject", "Value": text}]


def test_a_tag_injects_faults_into_the_calls_that_name_its_cluster(still):
    faulty, other = still.run(Tags=tag("throttle@DescribeCluster=1")), still.run()
    with pytest.raises(EmrError, match="Rate exceeded"):
        still.cluster(faulty)
    assert still.state(other) == "STARTING"
    assert still.steps(faulty) == []


def test_a_tag_injects_faults_into_the_run_job_flow_that_brings_it(still):
    with pytest.raises(AnswerLost):
        still.run(Tags=tag("lost-answer@RunJobFlow=1"))
    assert len(still.call("ListClusters")["Clusters"]) == 1
    with pytest.raises(EmrError) as caught:
        still.run(Tags=tag("lost-answers=1"))
    assert caught.value.code == "ValidationException"
    assert "The tag flowspec:inject is not valid: 'lost-answers' is not a fault" in caught.value.message
    assert len(still.call("ListClusters")["Clusters"]) == 1


ACTION = {"Name": "install", "ScriptBootstrapAction": {"Path": "s3://b/install.sh"}}


@pytest.mark.parametrize(
    ("actions", "what", "data"),
    [
        ([ACTION], "bootstrap action 1 returned a non-zero return code", {"bootstrap-action": "install"}),
        ([], "application provisioning failed", {}),
    ],
)
def test_a_failed_bootstrap_ends_the_cluster(emr, actions, what, data):
    cluster_id = emr.until_ended(
        emr.run(bash("true"), keep_alive=True, BootstrapActions=actions, Tags=tag("bootstrap-failure"))
    )
    (master,) = emr.call("ListInstances", ClusterId=cluster_id)["Instances"]
    message = f"On the master instance ({master['Ec2InstanceId']}), {what}"
    assert emr.state(cluster_id) == "TERMINATED_WITH_ERRORS"
    assert emr.reason(cluster_id) == ("BOOTSTRAP_FAILURE", message)
    assert emr.step_states(cluster_id) == ["CANCELLED"]
    assert emr.cluster(cluster_id)["Status"]["ErrorDetails"] == [
        {
            "ErrorCode": "BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE",
            "ErrorData": [{"instance-id": master["Ec2InstanceId"], **data}],
            "ErrorMessage": message,
        }
    ]
    assert master["Status"]["State"] == "TERMINATED"
    assert master["Status"]["StateChangeReason"] == {"Code": "BOOTSTRAP_FAILURE", "Message": message}
    assert "ReadyDateTime" not in emr.cluster(cluster_id)["Status"]["Timeline"]


def test_the_step_that_is_to_fail_fails_and_no_other(home, emr, tmp_path):
    faulty = Emr(Service(home, inject="step-failure@2"))
    cluster_id = faulty.until_ended(faulty.run(*(bash(f"echo {n} >>{tmp_path}/ran") for n in (1, 2, 3))))
    assert faulty.step_states(cluster_id) == ["COMPLETED", "FAILED", "COMPLETED"]
    assert (tmp_path / "ran").read_text() == "1\n3\n"
    failure = faulty.steps(cluster_id)[1]["Status"]["FailureDetails"]
    assert failure["Reason"] == "Unknown Error."
    assert failure["Message"].endswith("java.lang.RuntimeException: injected fault")
    assert failure["LogFile"].endswith("stderr")
    assert faulty.steps(cluster_id)[1]["Config"]["Args"][0] == "bash"


def test_a_failed_step_has_its_aftermath(emr):
    steps = [bash("true", "TERMINATE_CLUSTER"), bash("true")]
    cluster_id = emr.until_ended(emr.run(*steps, Tags=tag("step-failure@1")))
    assert emr.step_states(cluster_id) == ["FAILED", "CANCELLED"]
    assert emr.reason(cluster_id) == ("STEP_FAILURE", "Shut down as step failed")


def listed(emr, cluster_id, role):
    found = emr.call("ListInstances", ClusterId=cluster_id, InstanceGroupTypes=[role])["Instances"]
    return [(one["Market"], one["Status"]["State"]) for one in found]


def test_spot_instances_are_lost_during_the_step_and_replaced(home, emr, tmp_path):
    faulty = Emr(Service(home, inject="spot-loss@2", time_scale=0.1))
    task = {**SPOT, "InstanceRole": "TASK"}
    steps = [bash("true"), bash(f"echo >{tmp_path}/begun; until [ -e {tmp_path}/go ]; do sleep 0.05; done")]
    cluster_id = faulty.run(*steps, groups=[{**MASTER, "Market": "SPOT"}, CORE, task], keep_alive=True)
    # A step is RUNNING before they are lost, and its process starts after that.
    faulty.until_file(tmp_path / "begun")
    assert (faulty.state(cluster_id), faulty.step_states(cluster_id)) == ("RUNNING", ["COMPLETED", "RUNNING"])
    assert listed(faulty, cluster_id, "MASTER") == [("SPOT", "RUNNING")]
    assert listed(faulty, cluster_id, "CORE") == [("ON_DEMAND", "RUNNING")] * 2
    lost = faulty.call("ListInstances", ClusterId=cluster_id, InstanceStates=["TERMINATED"])["Instances"]
    assert [one["Status"]["StateChangeReason"]["Code"] for one in lost] == ["INSTANCE_FAILURE"] * 2
    assert all("Server.SpotInstanceTermination" in one["Status"]["StateChangeReason"]["Message"] for one in lost)
    group = faulty.call("ListInstanceGroups", ClusterId=cluster_id)["InstanceGroups"][2]
    assert (group["RequestedInstanceCount"], group["RunningInstanceCount"]) == (2, 0)
    assert group["Status"]["State"] == "RESIZING"
    assert listed(faulty, cluster_id, "TASK")[2:] == [("SPOT", "PROVISIONING")] * 2
    (tmp_path / "go").touch()
    faulty.until_steps(cluster_id, "COMPLETED", "COMPLETED")


def test_without_spot_a_core_instance_is_lost_and_replaced_soon(home, emr):
    faulty = Emr(Service(home, inject="spot-loss@1", time_scale=1000))
    cluster_id = faulty.run(bash("true"), groups=[MASTER, CORE], keep_alive=True)
    faulty.until_steps(cluster_id, "COMPLETED")
    wait_until(
        lambda: (
            sorted(state for _, state in listed(faulty, cluster_id, "CORE")) == ["RUNNING", "RUNNING", "TERMINATED"]
        ),
        lambda: listed(faulty, cluster_id, "CORE"),
    )


def test_a_lone_master_loses_nothing(home, emr):
    faulty = Emr(Service(home, inject="spot-loss@1"))
    cluster_id = faulty.until_ended(faulty.run(bash("true")))
    assert faulty.step_states(cluster_id) == ["COMPLETED"]


def test_a_slow_start_is_scaled(home, emr):
    faulty = Emr(Service(home, inject="slow-start=3000", time_scale=10000))
    timeline = faulty.cluster(faulty.until_ended(faulty.run(bash("true"))))["Status"]["Timeline"]
    # Without a scale it would start for longer than the patience of `until_ended`.
    assert timeline["ReadyDateTime"] - timeline["CreationDateTime"] >= 0.3


def test_a_cluster_that_starts_slowly_can_be_ended(emr):
    cluster_id = emr.run(bash("true"), Tags=tag("slow-start=3600"))
    assert emr.state(cluster_id) == "STARTING"
    emr.call("TerminateJobFlows", JobFlowIds=[cluster_id])
    assert emr.state(emr.until_ended(cluster_id)) == "TERMINATED"
    assert emr.step_states(cluster_id) == ["CANCELLED"]


@pytest.mark.parametrize("action", ["TERMINATE_CLUSTER", "SWITCH_TO_ON_DEMAND"])
def test_a_fleet_gives_up_on_spot_that_does_not_come(home, emr, action):
    spot = {"TimeoutDurationMinutes": 5, "TimeoutAction": action}
    core = {**FLEETS[1], "LaunchSpecifications": {"SpotSpecification": spot}}
    faulty = Emr(Service(home, inject="slow-start=600", time_scale=1000))
    cluster_id = faulty.run(bash("true"), groups=[], instances={"InstanceFleets": [FLEETS[0], core]})
    faulty.until_ended(cluster_id)
    timeline = faulty.cluster(cluster_id)["Status"]["Timeline"]
    # Times are whole milliseconds, and their difference as numbers may be a little less: 0.599999.
    took = {name: round(time - timeline["CreationDateTime"], 3) for name, time in timeline.items()}
    markets = {one["Market"] for one in faulty.call("ListInstances", ClusterId=cluster_id)["Instances"]}
    if action == "TERMINATE_CLUSTER":
        assert faulty.state(cluster_id) == "TERMINATED_WITH_ERRORS"
        assert faulty.reason(cluster_id)[0] == "INSTANCE_FLEET_TIMEOUT"
        assert faulty.step_states(cluster_id) == ["CANCELLED"]
        assert took["EndDateTime"] >= 0.3
        assert markets == {"ON_DEMAND", "SPOT"}
    else:
        assert faulty.step_states(cluster_id) == ["COMPLETED"]
        assert took["ReadyDateTime"] >= 0.6
        assert markets == {"ON_DEMAND"}


@pytest.mark.parametrize("seed", range(8))
def test_apply_ends_with_one_cluster_whatever_goes_wrong(still, monkeypatch, seed):
    monkeypatch.setattr(faults, "random", random.Random(seed))
    inject = "lost-answer@RunJobFlow=0.4,internal-error@RunJobFlow=0.3,throttle@RunJobFlow=0.3"
    service = Service(still.home, inject=inject, start_worker=still.service.start_worker)
    client = client_of(service, attempts=1)
    emr = Connection(Endpoint("local"), Clients(client, client, lambda: None))
    wanted = request(bash("true"))
    plan = Plan("flow", "dev", "d" * 64, "flow.yaml", wanted, calls=(ApiCall("RunJobFlow", wanted),))
    applied = apply(plan, emr, sleep=lambda _: None)
    assert [one["Id"] for one in still.call("ListClusters")["Clusters"]] == [applied.cluster_id]
