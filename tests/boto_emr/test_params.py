"""Flat parameters of the query API, and what they are today."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowspec.boto_emr.params import lay, nested
from flowspec.facts.api_model import input_shape

FLAT = {
    "Name": "flow",
    "Instances.KeepJobFlowAliveWhenNoSteps": "true",
    "Instances.InstanceCount": "3",
    "Instances.InstanceGroups.member.1.BidPrice": 0.1,
    "Instances.InstanceGroups.member.2.InstanceCount": 2,
    "Steps.member.1.HadoopJarStep.Args.member.1": "first",
    "Steps.member.1.HadoopJarStep.Args.member.10": "last",
    "Steps.member.1.HadoopJarStep.Args.member.2": "second",
    "Configurations.member.1.Properties.entry.1.key": "a.b",
    "Configurations.member.1.Properties.entry.1.value": "1",
    "StepConcurrencyLevel": "4",
    "VisibleToAllUsers": "False",
}
NESTED = {
    "Name": "flow",
    "Instances": {
        "KeepJobFlowAliveWhenNoSteps": True,
        "InstanceCount": 3,
        "InstanceGroups": [{"BidPrice": "0.1"}, {"InstanceCount": 2}],
    },
    "Steps": [{"HadoopJarStep": {"Args": ["first", "second", "last"]}}],
    "Configurations": [{"Properties": {"a.b": "1"}}],
    "StepConcurrencyLevel": 4,
    "VisibleToAllUsers": False,
}


def run(params):
    return nested(params, input_shape("RunJobFlow"))


def laid(*api_params, over=()):
    params = dict(over)
    for one in api_params:
        for key, value in one.items():
            lay(params, key, value)
    return params


def test_flat_parameters_get_their_structure_and_types():
    assert run(FLAT) == NESTED


def test_what_does_not_fit_is_left_for_the_sdk_to_refuse():
    params = {"Nowhere.member.1": "x", "Instances.InstanceCount": "three", "Steps.member.one.Name": "x", "Tags": "x"}
    assert run(params) == {
        "Nowhere": {"member.1": "x"},
        "Instances": {"InstanceCount": "three"},
        "Steps": {"member.one.Name": "x"},
        "Tags": "x",
    }


def test_a_value_and_its_parts_exclude_each_other():
    with pytest.raises(ValueError, match="as a value and, in other parameters, in parts"):
        run({"Instances": "x", "Instances.InstanceCount": 1})


def test_nested_parameters_are_laid_over_flat_ones():
    over = {"Instances.InstanceCount": 3, "Tags.member.1.Key": "old", "Tags.member.2.Key": "older", "LogUri": "s3://b/"}
    patch = {"Instances": {"Ec2SubnetId": "subnet-1"}, "Tags": [{"Key": "new", "Value": "v"}], "LogUri": None}
    assert laid(patch, over=over) == {
        "Instances.InstanceCount": 3,
        "Instances.Ec2SubnetId": "subnet-1",
        "Tags.member.1.Key": "new",
        "Tags.member.1.Value": "v",
    }


def test_none_removes_a_parameter_and_all_that_is_in_it():
    over = {"Steps.member.1.Name": "a", "Steps.member.1.Jar": "b", "StepsMore": "c", "Instances.InstanceCount": 1}
    assert laid({"Steps": None, "Instances": {"InstanceCount": None}}, over=over) == {"StepsMore": "c"}


def test_keys_of_a_mapping_may_have_dots_and_begin_alike():
    properties = {"hive.exec.parallel": True, "hive.exec.parallel.thread.number": 8}
    laid_down = laid({"Configurations": [{"Classification": "hive-site", "Properties": properties}]})
    assert run(laid_down) == {
        "Configurations": [
            {
                "Classification": "hive-site",
                "Properties": {"hive.exec.parallel": "True", "hive.exec.parallel.thread.number": "8"},
            }
        ]
    }


def values(shape, depth=4):
    """Values of a botocore shape that flat parameters can say: nothing empty, for there is no word for that."""
    if shape.type_name == "structure":
        fitting = {name: values(member, depth - 1) for name, member in shape.members.items() if depth or _plain(member)}
        return st.fixed_dictionaries({}, optional=fitting).filter(bool) if fitting else st.nothing()
    if shape.type_name == "list":
        return st.lists(values(shape.member, depth), min_size=1, max_size=12)
    if shape.type_name == "map":
        return st.dictionaries(st.from_regex(r"[a-z.]{1,8}", fullmatch=True), st.text(), min_size=1, max_size=3)
    scalars = {"string": st.text(), "boolean": st.booleans(), "integer": st.integers(), "long": st.integers()}
    return scalars.get(shape.type_name, st.floats(allow_nan=False, allow_infinity=False))


def _plain(shape):
    return shape.type_name not in {"structure", "list", "map"}


@settings(max_examples=60)
@given(st.data())
def test_any_nested_parameters_come_back_from_flat_ones(data):
    wanted = data.draw(values(input_shape("RunJobFlow"), 2))
    assert run(laid(wanted)) == wanted
