"""Requests held against the model, as AWS's front end does it."""

import json

import pytest

from flowspec.emulator.api import wire
from flowspec.emulator.errors import EmrError

INSTANCES = {"MasterInstanceType": "m5.xlarge", "InstanceCount": 1}


def read(operation, **params):
    return wire.request(operation, json.dumps(params).encode())


def refused(operation, **params):
    with pytest.raises(EmrError) as error:
        read(operation, **params)
    return error.value.code, error.value.message


def test_null_is_absence_and_unknown_members_are_passed_over():
    params = {"Name": "x", "Instances": {**INSTANCES, "Placement": None, "New": 1}, "LogUri": None, "Other": {}}
    assert read("RunJobFlow", **params) == {"Name": "x", "Instances": INSTANCES}


def test_an_operation_that_the_model_does_not_know_keeps_its_json():
    assert read("Unheard", A=None) == {"A": None}


def test_all_that_is_missing_or_out_of_bounds_is_told_at_once():
    group = {"InstanceRole": "BOSS", "InstanceType": "", "Market": "SPOT"}
    code, message = refused("RunJobFlow", Instances={"InstanceGroups": [group]})
    assert code == "ValidationException"
    assert message == (
        "4 validation errors detected: "
        "Value null at 'name' failed to satisfy constraint: Member must not be null; "
        "Value null at 'instances.instanceGroups.1.member.instanceCount' failed to satisfy constraint: "
        "Member must not be null; "
        "Value 'BOSS' at 'instances.instanceGroups.1.member.instanceRole' failed to satisfy constraint: "
        "Member must satisfy enum value set: [MASTER, CORE, TASK]; "
        "Value '' at 'instances.instanceGroups.1.member.instanceType' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1"
    )


@pytest.mark.parametrize("name", ["nul\0", "bell\a", "\ufffe"])
def test_characters_that_emr_has_not_are_refused(name):
    assert "regular expression pattern" in refused("RunJobFlow", Name=name, Instances=INSTANCES)[1]


def test_all_other_characters_are_taken():
    name = "tab\t, newline\r\n, ä, 中, 😀"
    assert read("RunJobFlow", Name=name, Instances=INSTANCES)["Name"] == name


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"Name": 1}, "NUMBER_VALUE can not be converted to a String: name"),
        ({"Name": True}, "TRUE_VALUE can not be converted to a String: name"),
        ({"Name": ["x"]}, "Start of list found where not expected: name"),
        ({"Name": {}}, "Start of structure or map found where not expected: name"),
        ({"Instances": "x"}, "Expected structure or null: instances"),
        ({"Instances": []}, "Start of list found where not expected: instances"),
        ({"Steps": {}}, "Start of structure or map found where not expected: steps"),
        ({"Steps": "x"}, "Expected list or null: steps"),
        ({"Steps": ["x"]}, "Expected structure or null: steps.1.member"),
        ({"VisibleToAllUsers": "true"}, "STRING_VALUE can not be converted to a Boolean: visibleToAllUsers"),
        ({"StepConcurrencyLevel": "2"}, "STRING_VALUE can not be converted to an Integer: stepConcurrencyLevel"),
        ({"StepConcurrencyLevel": True}, "TRUE_VALUE can not be converted to an Integer: stepConcurrencyLevel"),
        ({"StepConcurrencyLevel": 1.5}, "NUMBER_VALUE can not be converted to an Integer: stepConcurrencyLevel"),
        ({"StepConcurrencyLevel": 1 << 31}, "NUMBER_VALUE can not be converted to an Integer: stepConcurrencyLevel"),
        ({"StepConcurrencyLevel": 1e300}, "NUMBER_VALUE can not be converted to an Integer: stepConcurrencyLevel"),
        ({"Configurations": [{"Properties": []}]}, "Start of list found where not expected"),
    ],
)
def test_a_wrong_type_is_a_serialization_error(members, message):
    code, told = refused("RunJobFlow", **{"Name": "x", "Instances": INSTANCES, **members})
    assert code == "SerializationException"
    assert message in told


@pytest.mark.parametrize("moment", ["2026-01-01", True, 10**400, 10**30, -(10**30)])
def test_times_are_numbers(moment):
    assert refused("ListClusters", CreatedAfter=moment)[0] == "SerializationException"


def test_whole_numbers_may_have_a_point():
    assert read("RunJobFlow", Name="x", Instances=INSTANCES, StepConcurrencyLevel=2.0)["StepConcurrencyLevel"] == 2


def test_a_number_beyond_all_is_none():
    with pytest.raises(EmrError, match="can not be converted to an Integer"):
        wire.request("ModifyCluster", b'{"ClusterId": "j-1", "StepConcurrencyLevel": 1e999}')


def nested_request(depth):
    nested = '[{"Configurations":' * depth + "[]" + "}]" * depth
    return f'{{"Name": "x", "Instances": {json.dumps(INSTANCES)}, "Configurations": {nested}}}'.encode()


@pytest.mark.parametrize("depth", [100, 300, 500, 2000, 100_000])
def test_configurations_nested_too_deeply_are_refused(depth):
    with pytest.raises(EmrError, match="SerializationException"):
        wire.request("RunJobFlow", nested_request(depth))


def test_configurations_may_be_nested():
    assert wire.request("RunJobFlow", nested_request(99))["Name"] == "x"
