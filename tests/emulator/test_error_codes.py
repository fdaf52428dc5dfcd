"""InvalidRequestException's ErrorCode and Message, as boto3 reads them."""

import boto3
import pytest
from botocore.exceptions import ClientError

from flowspec.emulator import Service, attach


@pytest.fixture
def client(home):
    made = boto3.client("emr", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    attach(made, Service(home))
    return made


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("describe_cluster", {"ClusterId": "j-1"}, "NoSuchCluster"),
        ("list_steps", {"ClusterId": "j-1"}, "NoSuchCluster"),
        ("describe_security_configuration", {"Name": "none"}, "ResourceNotFound"),
        (
            "modify_instance_groups",
            {"InstanceGroups": [{"InstanceGroupId": "ig-1", "InstanceCount": 2}]},
            "ResourceNotFound",
        ),
    ],
)
def test_what_is_missing_has_a_code(client, operation, params, code):
    with pytest.raises(client.exceptions.InvalidRequestException) as caught:
        getattr(client, operation)(**params)
    assert caught.value.response["ErrorCode"] == code
    assert caught.value.response["Error"]["Message"] == caught.value.response["Message"] != ""


def test_other_errors_have_none(client):
    with pytest.raises(ClientError) as caught:
        client.terminate_job_flows(JobFlowIds=["j-1"])
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert "ErrorCode" not in caught.value.response
