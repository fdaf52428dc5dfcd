"""Files that are no requests: said so, with the place and the remedy."""

import json
from pathlib import Path

import pytest

from flowspec.errors import SpecError
from flowspec.importers.decompile.draft import write_spec
from flowspec.importers.decompile.request_file import read
from tests.specs import compiled

INVALID = Path(__file__).parents[3] / "shared" / "corpus" / "invalid"


def findings(data):
    with pytest.raises(SpecError) as caught:
        read("r.json", data if isinstance(data, bytes) else json.dumps(data).encode())
    return caught.value.diagnostics


def test_a_request_is_read_as_it_is():
    assert read("r.json", b'\xef\xbb\xbf{"Name": "x", "Instances": {}}') == {"Name": "x", "Instances": {}}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"flowspec: v1\n", "this is not JSON: expecting value"),
        (b'{"Name": "x",}', "this is not JSON"),
        (b"\xff\xfe{", "byte 0xff is not UTF-8 text"),
        (b'{"Name": NaN}', "NaN is not JSON"),
        (b'{"Name": "a", "Name": "b"}', "the member 'Name' is given twice"),
        (b'{"Name": "\\ud800", "Instances": {}}', "half of a surrogate pair"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"Name": 1e400}', "1e400 is too large a number"),
        (b'{"Name": -1e400}', "-1e400 is too large a number"),
        (b'{"Name": ' + b"9" * 400 + b".5}", f"{'9' * 40} is too large a number"),
        (b"[" + b"9" * 5000 + b"]", "nested too deeply, or a number too long"),
        (b"[" * 81 + b"]" * 81, "nested deeper than 80 levels"),
        (b"[1]", "this is a list, a request is an object"),
        (b"[]", "this is a list, a request is an object"),
        (b'"x"', "this is a single value"),
        (b'{"source": {}, "request": {}}', "the request is under the key `request` here"),
        (b'{"Cluster": {"Id": "j-1"}}', "this is the answer of DescribeCluster, not a request"),
        (b'{"Id": "j-1", "Status": {}}', "this is a cluster of DescribeCluster, not a request"),
        (b'[{"Cluster": {"Id": "j-1"}}]', "this is a list, beginning with the answer of DescribeCluster"),
        (b'{"Clusters": []}', "this is the answer of ListClusters"),
        (b'{"JobFlowId": "j-1", "ClusterArn": "arn"}', "this is the answer of RunJobFlow, not a request"),
        (b'{"JobFlows": []}', "this is the answer of DescribeJobFlows"),
        (b'{"StepIds": []}', "this is the answer of AddJobFlowSteps"),
        (b'{"Resources": {}}', "this is a CloudFormation template"),
        (b'{"Records": []}', "this is a file of CloudTrail events"),
    ],
)
def test_what_is_no_request_is_said_to_be_none(data, message):
    (found,) = findings(data)
    assert found.id == "FS701"
    assert message in found.message


@pytest.mark.parametrize("key", ["Status", "JobFlows", "request"])
def test_what_has_instances_is_a_request(key):
    (found,) = findings({"Name": "x", "Instances": {}, key: {}})
    assert (found.id, found.message) == ("FS702", f"'{key}' is not a member of a request")


def test_limits_that_the_sdk_leaves_to_emr_are_left_to_it():
    request = {
        "Name": "n" * 300,
        "StepConcurrencyLevel": 2**40,
        "Instances": {"Ec2KeyName": "\u0001", "InstanceCount": 1},
    }
    assert read("r.json", json.dumps(request).encode()) == request


def test_configurations_may_be_nested_up_to_there(tmp_path):
    nested = {"Classification": "x", "Properties": {}}
    for _ in range(38):
        nested = {"Classification": "x", "Properties": {}, "Configurations": [nested]}
    request = {"Name": "x", "Instances": {}, "Configurations": [nested]}
    made = write_spec(read("r.json", json.dumps(request).encode()))
    assert compiled(tmp_path, made.text).params == request


@pytest.mark.parametrize(("answer", "lacking"), [({"Cluster": {"Id": "j-1"}}, True), ({"JobFlowId": "j-1"}, False)])
def test_the_remedy_for_an_answer(answer, lacking):
    (found,) = findings(answer)
    assert "json.dump(request, file)" in found.notes[0]
    assert ("the description of a cluster lacks much of the request" in found.notes[0]) is lacking


def test_the_place_of_broken_json():
    (found,) = findings(b'{\n  "Name": x\n}')
    assert str(found.location) == "r.json:2:11"


WRONG = """{
  "Name": "x", "name": "y",
  "Ec2KeyName": "k",
  "Instances": {"KeepJobFlowAliveWhenNoStep": true, "InstanceProfile": "p",
    "InstanceGroups": [{"InstanceRole": "MASTR", "InstanceCount": "1"}],
    "InstanceFleets": [{"InstanceRole": "MASTER"}]},
  "Steps": [{"Name": "a", "Jar": "x"}],
  "BootstrapActions": [{"Name": "a", "Path": "x"}],
  "VisibleToAllUsers": null,
  "Applications": {"Name": "Spark"},
  "KerberosAttributes": {"Realm": "R", "KdcAdminPassword": 987654321}
}
"""


def test_everything_wrong_is_told_at_once_with_its_place():
    told = [(one.location.line, one.location.column, one.message, one.hint) for one in findings(WRONG.encode())]
    assert told == [
        (2, 16, "'name' is not a member of a request", "did you mean Name?"),
        (3, 3, "'Ec2KeyName' is not a member of a request", "it is a member of Instances"),
        (
            4,
            17,
            "'KeepJobFlowAliveWhenNoStep' is not a member of Instances",
            "did you mean KeepJobFlowAliveWhenNoSteps?",
        ),
        (4, 53, "'InstanceProfile' is not a member of Instances", "it is JobFlowRole, beside Instances"),
        (5, 24, "Instances.InstanceGroups[0]: InstanceType is missing", ""),
        (
            5,
            41,
            "Instances.InstanceGroups[0].InstanceRole has a value that EMR does not know: 'MASTR'",
            "did you mean MASTER?",
        ),
        (5, 67, "Instances.InstanceGroups[0].InstanceCount must be an integer, this is a string", "drop the quotes"),
        (6, 24, "Instances.InstanceFleets[0]: InstanceFleetType is missing", ""),
        (6, 25, "'InstanceRole' is not a member of Instances.InstanceFleets[0]", "a fleet has InstanceFleetType"),
        (7, 13, "Steps[0]: HadoopJarStep is missing", ""),
        (7, 27, "'Jar' is not a member of Steps[0]", "it is a member of HadoopJarStep"),
        (8, 24, "BootstrapActions[0]: ScriptBootstrapAction is missing", ""),
        (8, 38, "'Path' is not a member of BootstrapActions[0]", "it is a member of ScriptBootstrapAction"),
        (
            9,
            24,
            "VisibleToAllUsers must be true or false, this is null",
            "leave it out: a request can't contain null",
        ),
        (10, 19, "Applications must be a list, this is an object", "put it in brackets"),
        (11, 60, "KerberosAttributes.KdcAdminPassword must be a string, this is an integer", "put it in quotes"),
    ]


def test_no_secret_is_shown_of_a_wrong_request():
    assert "987654321" not in repr(findings(WRONG.encode()))
    text = '{"Name": 1, "Instances": {}, "KerberosAttributes": {"Realm": "R", "KdcAdminPassword": "hunter2hunter2"}}'
    (found,) = findings(text.encode())
    assert ("hunter2" in found.source, "(sensitive)" in found.source) == (False, True)


@pytest.mark.parametrize(
    ("member", "value", "message", "hint"),
    [
        ("ScaleDownBehavior", "X" * 99, f"does not know: '{'X' * 60}'", "there are TERMINATE_AT_INSTANCE_HOUR"),
        ("applications", [], "'applications' is not a member of a request", "did you mean Applications?"),
        ("NoMember", 1, "'NoMember' is not a member of a request", "a newer boto3 may know it"),
        ("StepConcurrencyLevel", True, "must be an integer, this is true", ""),
        ("Name", ["x"], "Name must be a string, this is a list", ""),
        ("Name", {}, "Name must be a string, this is an object", ""),
        ("Configurations", [{"Properties": []}], "Configurations[0].Properties must be an object, this is a list", ""),
        ("Tags", "x", "Tags must be a list, this is a string", "put it in brackets"),
        ("Instances", {"LogUri": "x"}, "'LogUri' is not a member of Instances", "it belongs at the top level"),
    ],
)
def test_a_wrong_member_has_a_hint_if_there_is_one(member, value, message, hint):
    (found,) = findings({"Name": "x", "Instances": {}, member: value})
    assert message in found.message
    assert found.hint.startswith(hint)
    assert bool(found.hint) is bool(hint)


def test_what_only_botocore_knows_is_told_too():
    (found,) = findings({"Name": "x", "Instances": {"MasterInstanceType": ""}})
    assert (found.id, found.message) == ("FS702", "Instances.MasterInstanceType is 0 long, EMR takes 1 or more")


@pytest.mark.skipif(not INVALID.is_dir(), reason="the corpus of real mistakes is not beside this checkout")
@pytest.mark.parametrize("file", sorted(INVALID.glob("*.json")), ids=lambda file: file.stem)
def test_what_botocore_refuses_is_refused_here(file):
    case = json.loads(file.read_text())
    data = json.dumps(case["request"]).encode()
    if case["botocore"] == "accepts its shape":
        assert read(file.name, data) == case["request"]
    else:
        assert {one.id for one in findings(data)} == {"FS702"}
