"""EMR's query API, which is spoken when the caller brings the connection: what is sent, and how XML is read.

moto's server does not speak it for EMR; the XML here is EMR's of then (boto's tests, the API reference).
"""

from http.client import HTTPConnection
from urllib.parse import parse_qs

import pytest

from flowspec.boto_emr import BotoClientError, EmrConnection, EmrResponseError, RegionInfo, StreamingStep
from tests.boto_emr.conftest import RELEASE

FLOWS = b"""<DescribeJobFlowsResponse xmlns="http://elasticmapreduce.amazonaws.com/doc/2009-03-31">
  <DescribeJobFlowsResult><JobFlows><member>
    <JobFlowId>j-1</JobFlowId><Name>Z\xc3\xa4hlung &amp; mehr</Name>
    <ExecutionStatusDetail><State>COMPLETED</State><CreationDateTime>2014-01-24T01:21:21Z</CreationDateTime>
    </ExecutionStatusDetail>
    <Steps><member><StepConfig><Name>s</Name><HadoopJarStep><Jar>x.jar</Jar>
      <Args><member>a</member><member>b</member></Args>
      <Properties><member><Key>k</Key><Value>v</Value></member></Properties></HadoopJarStep></StepConfig>
      <ExecutionStatusDetail><State>FAILED</State></ExecutionStatusDetail></member></Steps>
    <Unheard><member>x</member><member/></Unheard>
    <SupportedProducts><member>karmasphere</member></SupportedProducts>
    <Instances><Placement><AvailabilityZone>us-west-1c</AvailabilityZone></Placement></Instances>
  </member></JobFlows></DescribeJobFlowsResult>
  <ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>
</DescribeJobFlowsResponse>"""
REFUSED = b"""<ErrorResponse xmlns="http://elasticmapreduce.amazonaws.com/doc/2009-03-31"><Error><Type>Sender</Type>
<Code>ValidationError</Code><Message>Specified job flow ID not valid.</Message></Error>
<RequestId>r-2</RequestId></ErrorResponse>"""


@pytest.fixture
def connection(answering):
    opened = []

    def factory(host):
        opened.append((host, HTTPConnection("127.0.0.1", answering.server_port)))
        return opened[-1][1]

    connection = EmrConnection(
        "AKID",
        "secret",
        https_connection_factory=(factory, ()),
        region=RegionInfo(name="us-west-1", endpoint="emr.test"),
    )
    yield connection
    assert {host for host, _ in opened} == {"emr.test"}
    for _, one in opened:
        one.close()


def test_a_request_is_flat_and_signed(connection, answering):
    answering.body = (
        b"<RunJobFlowResponse><RunJobFlowResult><JobFlowId>j-1</JobFlowId></RunJobFlowResult></RunJobFlowResponse>"
    )
    step = StreamingStep("s\u00fc", "cat", input="in", output="out", step_args="-verbose")
    assert connection.run_jobflow("flow", steps=[step], keep_alive=True, api_params={"Tags": [{"Key": "k"}]}) == "j-1"
    (path, headers, body), *more = answering.seen
    assert (path, more) == ("/", [])
    assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert "/us-west-1/elasticmapreduce/aws4_request" in headers["Authorization"]
    sent = {key: value for key, (value,) in parse_qs(body).items()}
    args = ["-verbose", "-mapper", "cat", "-jobconf", "mapred.reduce.tasks=0", "-input", "in", "-output", "out"]
    assert sent == {
        "Action": "RunJobFlow",
        "Version": "2009-03-31",
        "Name": "flow",
        "Instances.KeepJobFlowAliveWhenNoSteps": "true",
        "Instances.MasterInstanceType": "m1.small",
        "Instances.SlaveInstanceType": "m1.small",
        "Instances.InstanceCount": "1",
        "Steps.member.1.Name": "s\u00fc",
        "Steps.member.1.ActionOnFailure": "TERMINATE_JOB_FLOW",
        "Steps.member.1.HadoopJarStep.Jar": "/home/hadoop/contrib/streaming/hadoop-streaming.jar",
        **{f"Steps.member.1.HadoopJarStep.Args.member.{number}": arg for number, arg in enumerate(args, 1)},
        "Tags.member.1.Key": "k",
    }


def test_xml_is_read_into_the_same_objects(connection, answering):
    answering.body = FLOWS
    flows = connection.describe_jobflows()
    (flow,) = flows
    assert (flow.name, flow.state, flow.creationdatetime) == (
        "Z\u00e4hlung & mehr",
        "COMPLETED",
        "2014-01-24T01:21:21Z",
    )
    assert flow.availabilityzone == "us-west-1c"
    assert [product.value for product in flow.supported_products] == ["karmasphere"]
    (step,) = flow.steps
    assert (step.name, step.state, step.jar, [arg.value for arg in step.args]) == ("s", "FAILED", "x.jar", ["a", "b"])
    assert [(one.key, one.value) for one in step.properties] == [("k", "v")]


def test_an_error_is_read_from_its_xml(connection, answering):
    answering.status, answering.body = 400, REFUSED
    with pytest.raises(EmrResponseError) as refused:
        connection.describe_jobflow("j-1")
    error = refused.value
    assert (error.status, error.reason, error.error_code, error.code) == (400, "Bad Request", *["ValidationError"] * 2)
    assert (error.error_message, error.request_id) == ("Specified job flow ID not valid.", "r-2")
    assert error.body == REFUSED.decode()


@pytest.mark.parametrize(("status", "body"), [(503, b"no XML <at all"), (200, b""), (500, b"\xff")])
def test_an_answer_that_is_none(connection, answering, status, body):
    answering.status, answering.body = status, body
    with pytest.raises(EmrResponseError) as refused:
        connection.list_clusters()
    assert (refused.value.status, refused.value.error_code) == (status, None)
    assert refused.value.error_message == body.decode("utf-8", "replace")
    assert len(answering.seen) == 1, "it is sent once"


def test_steps_are_added_without_asking_what_the_cluster_is(connection, answering):
    answering.body = b"<R><StepIds><member>s-1</member></StepIds></R>"
    added = connection.add_jobflow_steps("j-1", StreamingStep("s", "cat", "cat"))
    assert [one.value for one in added.stepids] == ["s-1"]
    assert len(answering.seen) == 1


def test_a_release_s_form_is_sent_by_the_query_api_too(connection, answering):
    answering.body = b"<R><JobFlowId>j-1</JobFlowId></R>"
    connection.run_jobflow("flow", steps=[StreamingStep("s", "s3://b/m.py", "cat")], api_params=RELEASE)
    sent = parse_qs(answering.seen[0][2])
    assert sent["Steps.member.1.HadoopJarStep.Jar"] == ["command-runner.jar"]


def test_it_needs_credentials_too():
    with pytest.raises(BotoClientError, match="no AWS credentials were found"):
        EmrConnection(https_connection_factory=(HTTPConnection, ())).list_clusters()
