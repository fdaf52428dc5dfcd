"""The door to boto3: what keeps us from asking is said plainly, with what to do about it."""

import pytest

from flowspec.backend.aws import client
from flowspec.backend.aws.call_errors import OutcomeUnknown
from flowspec.backend.aws.client import Endpoint, connect
from flowspec.document.job_flow import JobFlow
from flowspec.document.rendering.render import render
from flowspec.document.text.parse import load
from flowspec.errors import FlowspecError, ServiceError


def test_no_credentials():
    with pytest.raises(FlowspecError, match="no AWS credentials were found") as refused:
        connect(Endpoint("emr", "us-east-1"))
    assert "aws configure" in refused.value.remedy


def test_no_region(credentials):
    with pytest.raises(FlowspecError, match="no AWS region was given") as refused:
        connect(Endpoint("emr"))
    assert "region:" in refused.value.remedy


def test_no_such_profile():
    with pytest.raises(FlowspecError, match="nobody"):
        connect(Endpoint("emr", "us-east-1", profile="nobody"))


def test_nobody_there(credentials):
    emr = connect(Endpoint("emr", "us-east-1", endpoint_url="http://127.0.0.1:9"))
    with pytest.raises(FlowspecError, match="RunJobFlow") as refused:
        emr.create("RunJobFlow", Name="x", Instances={})
    assert not isinstance(refused.value, OutcomeUnknown | ServiceError), "it was never sent, and that is known"


def test_wrong_parameters_never_leave_the_house(faulty):
    with pytest.raises(FlowspecError, match="Naem"):
        faulty.call("RunJobFlow", Naem="x")
    assert faulty.way.seen == []


def test_reads_are_repeated(faulty):
    faulty.way.faults["ListClusters"] = ["dropped", (500, "InternalServerException")]
    assert list(faulty.pages("ListClusters", "Clusters")) == []
    assert faulty.way.seen == ["ListClusters"] * 3


def test_creating_calls_are_not(faulty):
    faulty.way.faults["AddJobFlowSteps"] = ["lost"]
    with pytest.raises(OutcomeUnknown, match="AddJobFlowSteps: no answer"):
        faulty.create("AddJobFlowSteps", JobFlowId="j-1", Steps=[])
    assert faulty.way.seen == ["AddJobFlowSteps"]


def test_all_calls_share_a_connection(faulty):
    faulty.call("ListClusters")
    faulty.create("RunJobFlow", Name="x", Instances={"InstanceCount": 1, "MasterInstanceType": "m5.xlarge"})
    faulty.call("ListClusters")
    assert faulty.way.connections == 1


@pytest.mark.parametrize("fault", ["truncated", "cut", ("after", 502)])
def test_a_read_cut_short_is_repeated(faulty, fault):
    made = faulty.call("RunJobFlow", Name="x", Instances={"InstanceCount": 1, "MasterInstanceType": "m5.xlarge"})
    faulty.way.faults.update(ListClusters=[fault], DescribeCluster=[fault])
    assert [one["Id"] for one in faulty.pages("ListClusters", "Clusters")] == [made["JobFlowId"]]
    assert faulty.call("DescribeCluster", ClusterId=made["JobFlowId"])["Cluster"]["Name"] == "x"
    assert faulty.way.seen[1:] == ["ListClusters"] * 2 + ["DescribeCluster"] * 2


def test_an_answer_that_stays_incomplete_is_an_error(faulty, monkeypatch):
    monkeypatch.setattr(client, "_READ_AGAIN_AFTER", (0, 0))
    faulty.way.faults["ListClusters"] = ["truncated"] * 3
    with pytest.raises(FlowspecError, match="ListClusters: the answer was cut short, 3 times"):
        list(faulty.pages("ListClusters", "Clusters"))


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"{}", "has no JobFlowId"),
        (b'{"JobFlowId": "j-1', "cut short"),
        *((body, "can't be read") for body in (b"null", b"[]", b"7")),
    ],
)
def test_a_creating_call_without_its_answer_has_an_unknown_outcome(faulty, body, what):
    faulty.way.faults["RunJobFlow"] = [body]
    with pytest.raises(OutcomeUnknown, match=what):
        faulty.create("RunJobFlow", Name="x", Instances={})


@pytest.mark.parametrize("body", [b'{"Cluster": 7}', b'{"Cluster": {"Status": []}}', b"null"])
def test_an_answer_of_other_types_is_repeated(faulty, body):
    made = faulty.call("RunJobFlow", Name="x", Instances={"InstanceCount": 1, "MasterInstanceType": "m5.xlarge"})
    faulty.way.faults["DescribeCluster"] = [body]
    assert faulty.call("DescribeCluster", ClusterId=made["JobFlowId"])["Cluster"]["Name"] == "x"


def test_an_error_cut_short_may_have_happened(faulty):
    faulty.way.faults["RunJobFlow"] = [("after", 400)]
    with pytest.raises(OutcomeUnknown, match="its text was cut short"):
        faulty.create("RunJobFlow", Name="x", Instances={})


def test_pages_are_turned(emr):
    instances = {"InstanceGroups": [{"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}]}
    for index in range(55):
        emr.call("RunJobFlow", Name=f"flow-{index}", Instances=instances)
    assert len({one["Id"] for one in emr.pages("ListClusters", "Clusters")}) == 55


def test_s3_is_asked_in_the_given_region(emr):
    # Only us-east-1, the connection's own, makes buckets without LocationConstraint.
    with pytest.raises(ServiceError, match="IllegalLocationConstraint"):
        emr.ask("s3", region="eu-west-1")("CreateBucket", Bucket="acme")


def test_a_broken_profile_does_not_keep_the_embedded_emr_from_running(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")
    emr = connect(Endpoint("local"))
    assert emr.region == "us-east-1"
    assert list(emr.pages("ListClusters", "Clusters")) == []


def test_an_endpoint_that_is_no_url(credentials):
    with pytest.raises(FlowspecError, match="nonsense") as refused:
        connect(Endpoint("emr", "us-east-1", endpoint_url="nonsense"))
    assert "--endpoint-url" in refused.value.remedy


def test_a_mistake_of_ours_is_not_blamed_on_the_endpoint(emr, monkeypatch):
    def broken(**_):
        raise ValueError("not what was expected")

    monkeypatch.setattr(emr._clients.reader, "list_clusters", broken)
    with pytest.raises(ValueError, match="not what was expected"):
        emr.call("ListClusters")


def test_an_endpoint_is_all_that_a_target_says(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text("flowspec: v1\nname: x\nregion: eu-west-1\nprofile: acme\nendpoint_url: http://127.0.0.1:9\n")
    document = render(load(path))
    flow = JobFlow("x", "", "emr", "eu-west-1", "acme", "http://127.0.0.1:9", None, path, {}, document)
    assert Endpoint.of(flow) == Endpoint("emr", "eu-west-1", "acme", "http://127.0.0.1:9")
    assert Endpoint.of(flow, run_bootstrap=True).run_bootstrap
