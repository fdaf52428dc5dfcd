"""botocore's model as a judge."""

import json
import os
import subprocess
import sys

import pytest

from flowspec.facts.api_model import input_shape, mismatches, output_shape, problems, service_model

GOOD = {
    "Name": "flow",
    "Instances": {"InstanceGroups": [{"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}]},
}


def group(**members):
    return {
        "Name": "flow",
        "Instances": {"InstanceGroups": [{**GOOD["Instances"]["InstanceGroups"][0], **members}]},
    }


def test_nothing_to_say():
    assert problems(GOOD) == []


@pytest.mark.parametrize(
    ("params", "path", "words"),
    [
        ({**GOOD, "Naem": "x"}, ("Naem",), 'Unknown parameter in input: "Naem"'),
        ({"Name": "x"}, (), 'Missing required parameter in input: "Instances"'),
        ({**GOOD, "Tags": "x"}, ("Tags",), "Invalid type for parameter Tags"),
        (group(InstanceCount="3"), ("Instances", "InstanceGroups", 0, "InstanceCount"), "Invalid type"),
        (group(InstanceType=""), ("Instances", "InstanceGroups", 0, "InstanceType"), "valid min length: 1"),
        (group(Typo=1), ("Instances", "InstanceGroups", 0, "Typo"), '"Typo"'),
        (
            group(Market="SPOTT"),
            ("Instances", "InstanceGroups", 0, "Market"),
            "'SPOTT' is none of ON_DEMAND, SPOT",
        ),
        ({**GOOD, "ScaleDownBehavior": "NEVER"}, ("ScaleDownBehavior",), "'NEVER' is none of"),
    ],
)
def test_one_problem(params, path, words):
    (problem,) = problems(params)
    assert problem.path == path
    assert words in problem.message


@pytest.mark.skipif(
    "MonitoringConfiguration" not in input_shape().members, reason="this botocore does not know of one yet"
)
def test_enums_that_are_keys_of_a_map():
    policy = {"S3LoggingConfiguration": {"LogTypeUploadPolicy": {"system-log": "emr-managed"}}}
    (problem,) = problems({**GOOD, "MonitoringConfiguration": policy})
    assert "'system-log' is none of" in problem.message


@pytest.mark.parametrize(
    ("params", "path", "kind"),
    [
        ({**GOOD, "Naem": "x"}, ("Naem",), "unknown"),
        ({"Name": "x"}, ("Instances",), "missing"),
        (group(InstanceCount=True), ("Instances", "InstanceGroups", 0, "InstanceCount"), "type"),
        (group(InstanceCount=2**31), ("Instances", "InstanceGroups", 0, "InstanceCount"), "overflow"),
        (group(InstanceType=""), ("Instances", "InstanceGroups", 0, "InstanceType"), "min"),
        ({**GOOD, "Name": "x" * 257}, ("Name",), "max"),
        ({**GOOD, "Name": "bell\a"}, ("Name",), "pattern"),
        (group(Market="SPOTT"), ("Instances", "InstanceGroups", 0, "Market"), "enum"),
        ({**GOOD, "Tags": None}, ("Tags",), "type"),
    ],
)
def test_each_kind_of_mismatch(params, path, kind):
    (found,) = mismatches(params, input_shape())
    assert (found.path, found.kind) == (path, kind)


def test_the_sdk_refuses_exactly_what_the_walker_says_it_does():
    """But for enums, which the SDK does not check, and booleans, which it takes for integers."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel
    from botocore.validate import ParamValidator

    model = ServiceModel(Loader().load_service_model("emr", "service-2"), "emr")
    theirs = model.operation_model("RunJobFlow").input_shape

    for params in (
        GOOD,
        {**GOOD, "Naem": 1},
        {"Name": 1},
        group(InstanceType=""),
        group(Typo=1),
        {**GOOD, "Tags": [1]},
    ):
        report = ParamValidator().validate(params, theirs).generate_report()
        assert [one.message.split(":")[0].split(",")[0] for one in problems(params)] == [
            line.split(":")[0].split(",")[0] for line in report.splitlines()
        ]


def test_a_user_without_a_home(monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    assert "RunJobFlow" in service_model.__wrapped__()["operations"]


def test_the_shapes_are_those_that_botocore_itself_reads():
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    theirs = ServiceModel(Loader().load_service_model("emr", "service-2"), "emr")
    pairs = [
        pair
        for operation in theirs.operation_names
        for model in [theirs.operation_model(operation)]
        for pair in ((model.input_shape, input_shape(operation)), (model.output_shape, output_shape(operation)))
    ]
    assert len(pairs) > 100
    seen = set()
    while pairs:
        wanted, found = pairs.pop()
        if wanted is None or wanted.name in seen:
            assert (wanted is None) == (found is None)
            continue
        seen.add(wanted.name)
        kinds = {"structure": ("members",), "list": ("member",), "map": ("key", "value")}.get(wanted.type_name, ())
        assert (found.name, found.type_name) == (wanted.name, wanted.type_name)
        if wanted.type_name == "string":
            assert found.enum == wanted.enum
        if wanted.type_name == "structure":
            assert (found.required_members, [*found.members]) == (wanted.required_members, [*wanted.members])
            pairs += [(wanted.members[name], found.members[name]) for name in wanted.members]
        else:
            pairs += [(getattr(wanted, kind), getattr(found, kind)) for kind in kinds]


def test_a_model_of_ones_own_counts_as_for_the_aws_cli(tmp_path, monkeypatch):
    """botocore reads ~/.aws/models, where previews of the API are put."""
    own = tmp_path / ".aws/models/emr/2999-01-01/service-2.json"
    own.parent.mkdir(parents=True)
    shapes = {"In": {"type": "structure", "members": {"Brand": {"shape": "New"}}}, "New": {"type": "string"}}
    own.write_text(json.dumps({"operations": {"RunJobFlow": {"input": {"shape": "In"}}}, "shapes": shapes}))
    code = "from flowspec.facts.api_model import input_shape; print(*input_shape().members)"
    environ = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "Brand\n"
