"""Where a connection leads, what it raises, and that nothing is made twice."""

import time

import boto3
import pytest

from flowspec import boto_emr
from flowspec.backend.aws.submission import submit
from flowspec.boto_emr import BotoClientError, EmrConnection, EmrResponseError, RegionInfo, connect_to_region, regions
from tests.boto_emr.conftest import GROUPS, RELEASE


def test_the_regions():
    found = {region.name: region.endpoint for region in regions()}
    assert found["us-east-1"] == "elasticmapreduce.us-east-1.amazonaws.com"
    assert found["cn-north-1"].endswith(".amazonaws.com.cn")
    assert "us-gov-west-1" in found


def test_connect_to_region(moto):
    connection = connect_to_region("eu-west-1", endpoint_url=moto)
    assert isinstance(connection, EmrConnection)
    assert (connection.region.name, connection.list_clusters().clusters) == ("eu-west-1", [])
    assert connect_to_region("nowhere-1") is None


def test_boto_s_own_way_to_connect(own_home):
    assert boto_emr.connect_emr("AK", "secret", backend="local").list_clusters().clusters == []


def test_a_region_connects(own_home):
    (region,) = [one for one in regions() if one.name == "us-west-2"]
    assert region.connect(backend="local").region is region
    assert RegionInfo(name="us-west-2").connect() is None


def test_the_region_is_boto_s_unless_one_is_named(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")  # boto 2 did not look there
    assert EmrConnection().region.name == "us-east-1"
    assert EmrConnection(region_name="eu-west-1").region.name == "eu-west-1"
    assert EmrConnection(session=boto3.session.Session(region_name="eu-north-1")).region.name == "eu-north-1"


def test_clusters_are_those_of_the_region(still):
    made = EmrConnection(backend="local", region_name="eu-west-1").run_jobflow("flow")
    assert [one.id for one in EmrConnection(backend="local", region_name="eu-west-1").list_clusters().clusters] == [
        made
    ]
    assert EmrConnection(backend="local").list_clusters().clusters == []


def test_keys_are_those_that_were_given(answering, credentials):
    url = f"http://127.0.0.1:{answering.server_port}"
    EmrConnection("AKMINE", "secret", security_token="token", endpoint_url=url).list_clusters()
    (_, headers, _) = answering.seen[0]
    assert "Credential=AKMINE/" in headers["Authorization"]
    assert headers["X-Amz-Security-Token"] == "token"


def test_a_session_s_keys(answering):
    session = boto3.session.Session("AKSESSION", "secret", region_name="eu-west-1")
    EmrConnection(endpoint_url=f"http://127.0.0.1:{answering.server_port}", session=session).list_clusters()
    assert "Credential=AKSESSION/" in answering.seen[0][1]["Authorization"]
    assert "/eu-west-1/" in answering.seen[0][1]["Authorization"]


def test_another_host_and_port_as_boto_named_them(answering, credentials):
    region = RegionInfo(name="us-east-1", endpoint="127.0.0.1")
    EmrConnection(is_secure=False, port=answering.server_port, region=region).list_clusters()
    assert len(answering.seen) == 1


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("elasticmapreduce.us-east-1.amazonaws.com", "elasticmapreduce.us-east-1.amazonaws.com"),
        ("us-west-2.elasticmapreduce.amazonaws.com", "us-west-2.elasticmapreduce.amazonaws.com"),
        ("elasticmapreduce.cn-north-1.amazonaws.com.cn", "elasticmapreduce.cn-north-1.amazonaws.com.cn"),
        ("vpce-1.elasticmapreduce.us-east-1.vpce.amazonaws.com", "https://vpce-1.elasticmapreduce.us-east-1.vpce.amazonaws.com/"),
    ],
)  # fmt: skip
def test_only_a_host_that_is_not_everybody_s_is_an_endpoint(host, address):
    assert repr(EmrConnection(region=RegionInfo(name="us-east-1", endpoint=host))) == f"EmrConnection:{address}"


def test_a_proxy(answering, credentials):
    region = RegionInfo(name="us-east-1", endpoint="emr.invalid")
    proxy = {"proxy": "127.0.0.1", "proxy_port": answering.server_port, "proxy_user": "me", "proxy_pass": "p@ss"}
    EmrConnection(is_secure=False, region=region, **proxy).list_clusters()
    (path, headers, _) = answering.seen[0]
    assert path == "http://emr.invalid/"
    assert headers["Proxy-Authorization"].startswith("Basic ")


def test_a_backend_is_one_of_two():
    with pytest.raises(ValueError, match="backend is 'emr' or 'local', not 'laptop'"):
        EmrConnection(backend="laptop")


def test_no_credentials():
    with pytest.raises(BotoClientError, match="no AWS credentials were found; run `aws configure`"):
        EmrConnection().list_clusters()


def test_nobody_there(credentials):
    connection = EmrConnection(endpoint_url="http://127.0.0.1:9")
    with pytest.raises(BotoClientError, match="check the network"):
        connection.run_jobflow("flow")


LOSSES = ["lost", "truncated", (500, "InternalFailure"), (400, "InternalServerError")]


@pytest.mark.parametrize("fault", LOSSES)
def test_a_job_flow_is_sent_once(faulty, fault):
    connection = EmrConnection(endpoint_url=faulty.way.url)
    faulty.way.faults["RunJobFlow"] = [fault, fault]
    with pytest.raises(EmrResponseError, match="may have taken effect: look") as refused:
        connection.run_jobflow("flow", instance_groups=GROUPS, api_params=RELEASE)
    assert (refused.value.status, refused.value.reason) == (0, "Outcome unknown")
    assert refused.value.error_code == "OutcomeUnknown"
    assert faulty.way.seen == ["RunJobFlow"]


@pytest.mark.parametrize("fault", LOSSES)
def test_a_step_whose_answer_is_lost_is_added_once(faulty, monkeypatch, fault):
    monkeypatch.setattr(submit, "_LOOK_AGAIN_AFTER", (0.0,) * 5)
    connection = EmrConnection(endpoint_url=faulty.way.url)
    made = connection.run_jobflow("flow", instance_groups=GROUPS, keep_alive=True, api_params=RELEASE)
    first = connection.add_jobflow_steps(made, boto_emr.JarStep("s", "x.jar")).stepids[0].value
    faulty.way.faults.update(AddJobFlowSteps=[fault], ListSteps=[None, "truncated"])
    added = connection.add_jobflow_steps(made, boto_emr.JarStep("s", "x.jar")).stepids[0].value
    assert {one.id for one in connection.list_steps(made).steps} >= {first, added}
    # moto carries out what is answered "lost" or "truncated"; an error is answered in its place.
    assert len(connection.list_steps(made).steps) == 2


@pytest.mark.parametrize("fault", ["lost", "truncated"])
def test_a_group_whose_answer_is_lost_is_added_once(faulty, fault):
    connection = EmrConnection(endpoint_url=faulty.way.url)
    made = connection.run_jobflow("flow", instance_groups=GROUPS, keep_alive=True, api_params=RELEASE)
    faulty.way.faults["AddInstanceGroups"] = [fault]
    group = boto_emr.InstanceGroup(1, "TASK", "m5.xlarge", "ON_DEMAND", "t")
    added = connection.add_instance_groups(made, group).instancegroupids
    there = [one.id for one in connection.list_instance_groups(made).instancegroups if one.name == "t"]
    assert there == [added]


def test_what_makes_nothing_is_sent_again(faulty):
    faulty.way.faults["ListClusters"] = ["dropped"]
    assert EmrConnection(endpoint_url=faulty.way.url).list_clusters().clusters == []
    assert faulty.way.seen == ["ListClusters"] * 2


def test_throttling_is_an_error_that_says_so(faulty):
    faulty.way.faults["RunJobFlow"] = [(400, "ThrottlingException")]
    with pytest.raises(EmrResponseError) as refused:
        EmrConnection(endpoint_url=faulty.way.url).run_jobflow("flow")
    assert (refused.value.status, refused.value.error_code) == (400, "ThrottlingException")
    assert "Throttling" in refused.value.body  # as scripts look for it


def test_what_is_printed(own_home):
    assert repr(EmrConnection()) == "EmrConnection:elasticmapreduce.us-east-1.amazonaws.com"
    assert repr(EmrConnection(endpoint_url="http://127.0.0.1:8998")) == "EmrConnection:http://127.0.0.1:8998"
    assert repr(EmrConnection(backend="local")) == "EmrConnection:embedded"
    assert repr(RegionInfo(name="us-east-1")) == "RegionInfo:us-east-1"


def test_keys_are_not_printed():
    assert "geheim" not in repr(EmrConnection("AK", "geheim", proxy="p", proxy_user="u", proxy_pass="geheim")._endpoint)


def test_an_error_s_text_is_escaped():
    error = boto_emr.exception.refusal(400, "Code", "<a> & 'b'")
    assert error.error_message == "<a> & 'b'"
    assert "&lt;a&gt; &amp;" in error.body


@pytest.mark.parametrize("what", ["x.jar", 5, GROUPS[0]])
def test_what_can_be_no_step_is_a_type_error(what):
    connection = EmrConnection(backend="local")
    for call in (lambda: connection.run_jobflow("x", steps=[what]), lambda: connection.add_jobflow_steps("j-1", what)):
        with pytest.raises(TypeError, match="is not valid here: it has no attribute"):
            call()
    with pytest.raises(TypeError, match="it has no attribute path"):
        connection.run_jobflow("x", bootstrap_actions=[boto_emr.JarStep("s", "x.jar")])
    with pytest.raises(TypeError, match="it has no attribute num_instances"):
        connection.add_instance_groups("j-1", boto_emr.JarStep("s", "x.jar"))


def test_times_are_utc_wherever_this_machine_is(still, monkeypatch):
    connection = EmrConnection(backend="local")
    made = connection.run_jobflow("flow")
    there = connection.describe_cluster(made).status.timeline.creationdatetime
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert EmrConnection(backend="local").describe_cluster(made).status.timeline.creationdatetime == there
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_call_that_boto_had_no_method_for(still):
    """Scripts reached new calls through get_object and get_status."""
    connection = EmrConnection(backend="local")
    made = connection.run_jobflow("flow", keep_alive=1)
    params = {"VisibleToAllUsers": "true"}
    connection.build_list_params(params, [made], "JobFlowIds.member")
    assert connection.get_status("SetVisibleToAllUsers", params, verb="POST") is True
    assert connection.describe_cluster(made).visibletoallusers == "true"
