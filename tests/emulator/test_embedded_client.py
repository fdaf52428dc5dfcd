"""flowspec's own client of the embedded EMR beside boto3's, which calls the same service."""

from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ParamValidationError
from botocore.session import Session

from flowspec.emulator.api.service import Service
from flowspec.emulator.in_process import EmbeddedClient, attach
from tests.emulator.conftest import bash, request

# To botocore a time without a zone is local.
LATER, LONG_AGO = datetime.now(timezone.utc) + timedelta(days=1), datetime(2009, 4, 2)


def clients(home, **options):
    service = Service(home, instant=True, **options)
    theirs = Session().create_client("emr", "us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
    attach(theirs, service)
    return EmbeddedClient(service), theirs


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    return clients(tmp_path_factory.mktemp("home"))


def outcome(client, method, params):
    """What a call returns or raises, without the id of the request, which is another each time."""
    try:
        answer = getattr(client, method)(**params)
    except ClientError as error:
        said = error.response["Error"]
        return str(error), (said["Code"], said["Message"]), status(error.response)
    except ParamValidationError as error:
        return type(error), str(error)
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}, status(answer)


def status(answer):
    return answer["ResponseMetadata"]["HTTPStatusCode"]


def test_a_client_is_answered_as_boto3s_is(both):
    ours, theirs = both
    made = ours.run_job_flow(**request(bash("true"), Tags=[{"Key": "team", "Value": "ads"}]))
    cluster = {"ClusterId": made["JobFlowId"]}
    for method, params in (
        ("describe_cluster", cluster),
        ("list_steps", cluster),
        ("list_instances", cluster),
        ("list_clusters", {"CreatedAfter": LONG_AGO, "CreatedBefore": LATER}),
        ("list_clusters", {"CreatedAfter": LATER}),
        ("list_clusters", {"CreatedAfter": "2020-01-02T03:04:05Z", "CreatedBefore": "2020-02-03"}),
        ("set_termination_protection", {"JobFlowIds": [made["JobFlowId"]], "TerminationProtected": True}),
        ("describe_cluster", {"ClusterId": "j-NONE"}),
        ("describe_cluster", {"ClusterId": 7}),
        ("describe_cluster", {}),
        ("list_clusters", {"ClusterState": ["WAITING"]}),
        ("list_clusters", {"ClusterStates": ["IDLE"]}),
        ("run_job_flow", {"Name": "x", "Instances": {"InstanceGroups": [{"InstanceRole": "MASTER"}]}}),
        ("create_studio", dict.fromkeys(("Name", "VpcId", "ServiceRole", "DefaultS3Location"), "x")
         | {"AuthMode": "IAM", "SubnetIds": [], "WorkspaceSecurityGroupId": "x", "EngineSecurityGroupId": "x"}),
    ):  # fmt: skip
        assert outcome(ours, method, params) == outcome(theirs, method, params), (method, params)
    assert isinstance(
        ours.describe_cluster(**cluster)["Cluster"]["Status"]["Timeline"]["CreationDateTime"].tzinfo, timezone
    )


def test_a_lost_answer_is_a_closed_connection(tmp_path):
    for client in clients(tmp_path / "home", inject="lost-answer=1"):
        with pytest.raises(ConnectionClosedError):
            client.run_job_flow(**request(bash("true")))


def test_only_operations_of_the_model_are_methods(both):
    assert not hasattr(both[0], "describe_clusters")
    assert both[0].meta.region_name == both[1].meta.region_name
