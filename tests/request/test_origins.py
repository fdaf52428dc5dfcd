"""Every member of a request has its place in the spec: asked of all good documents."""

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest

from flowspec.document.checking.validate import validate
from flowspec.document.rendering.render import render
from flowspec.document.text.parse import load
from flowspec.document.text.tree import Scalar
from flowspec.facts.api_model import input_shape
from flowspec.request.compile import compile
from flowspec.request.origins import locate

DOCUMENTS = Path(__file__).parents[1] / "document/documents/good"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)


def flow_of(case):
    arguments = json.loads((case / "args.json").read_text()) if (case / "args.json").exists() else {}
    arguments.pop("file", None)
    return validate(
        render(load("job.yaml"), environ=arguments.pop("environ", {}), now=NOON, **arguments), emr_rules=False
    )


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def is_made(path):
    """True if a member is put together by compile: arguments, jars, keys, the count that a master has by default."""
    return "HadoopJarStep" in path or path[-1] in ("InstanceCount", "Path", "LogUri", "Key", "Classification")


@pytest.mark.parametrize("case", sorted(DOCUMENTS.iterdir()), ids=lambda path: path.name)
def test_each_member_comes_from_where_it_is_said(case, monkeypatch):
    monkeypatch.chdir(case)
    flow = flow_of(case)
    if case.name == "api-params" and "UnhealthyNodeReplacement" not in input_shape().members["Instances"].members:
        pytest.skip("this botocore does not know all members yet, and says so")
    request = compile(flow)
    for path, value in leaves(request.params):
        place = locate(flow, request.origins, path, value if isinstance(value, str) else None)
        node = flow.document.find(place)
        assert node is not None, f"{path} -> {place}"
        if place[:1] != ("enable_debugging",) and not is_made(path):
            assert isinstance(node, Scalar), f"{path} -> {place}"
            assert value in (node.value, node.text) or str(value) == str(node.value), f"{path} -> {place}"


@pytest.fixture
def flow(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(
        "flowspec: v1\nname: x\nrelease_label: emr-7.5.0\nenable_debugging: true\nlog_uri: s3://l/\n"
        "action_on_failure: CONTINUE\ntags: {a: b, c: d}\n"
        "configurations: {spark-defaults: {a.b: c, configurations: {deep: {p: q}}}}\n"
        "instance_groups: [{role: MASTER, type: m5.xlarge}]\n"
        "steps: [{name: s, type: command, args: [run, --fast]}]\n"
        "api_params: {StepConcurrencyLevel: 4, Instances: {HadoopVersion: x}, Applications: [{Name: Hue}]}\n"
    )
    return validate(load(path), emr_rules=False)


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ((), None, ()),
        (("NoSuch",), None, ()),
        (("Instances",), None, ()),
        (("Instances", "Ec2SubnetId"), None, ()),
        (("Instances", "InstanceGroups"), None, ("instance_groups",)),
        (("Instances", "InstanceGroups", 0, "InstanceCount"), None, ("instance_groups", 0)),
        (("Instances", "InstanceGroups", 7), None, ("instance_groups",)),
        (("Instances", "HadoopVersion"), None, ("api_params", "Instances", "HadoopVersion")),
        (("Applications", 0, "Name"), None, ("api_params", "Applications", 0, "Name")),
        (("Applications", 0), None, ("api_params", "Applications", 0)),
        (("Applications", 3), None, ("api_params", "Applications")),
        (("StepConcurrencyLevel",), None, ("api_params", "StepConcurrencyLevel")),
        (("Tags", 1, "Value"), None, ("tags", "c")),
        (("Tags", 2), None, ("tags",)),
        (("Configurations", 0, "Properties", "a.b"), None, ("configurations", "spark-defaults", "a.b")),
        (("Configurations", 0, "Properties", "x"), None, ("configurations", "spark-defaults")),
        (
            ("Configurations", 0, "Configurations", 0, "Properties", "p"),
            None,
            ("configurations", "spark-defaults", "configurations", "deep", "p"),
        ),
        (("Steps",), None, ("steps",)),
        (("Steps", 0, "Name"), None, ("enable_debugging",)),
        (("Steps", 1, "Name"), None, ("steps", 0, "name")),
        (("Steps", 1, "ActionOnFailure"), None, ("action_on_failure",)),
        (("Steps", 1, "HadoopJarStep", "Args", 1), "--fast", ("steps", 0, "args", 1)),
        (("Steps", 1, "HadoopJarStep", "Jar"), "command-runner.jar", ("steps", 0)),
        (("Steps", 9), None, ("steps",)),
    ],
)
def test_origins(flow, path, value, place):
    assert locate(flow, compile(flow).origins, path, value) == place


def test_what_api_params_replaces_comes_from_nowhere_else(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(
        "flowspec: v1\nname: x\nrelease_label: emr-7.5.0\nmaster_instance_type: m5.xlarge\ntags: {a: b, c: d}\n"
        "service_role: EMR_DefaultRole\njob_flow_role: EMR_EC2_DefaultRole\n"
        "steps: [{name: s, type: command, args: [run]}, {name: t, type: command, args: [run]}]\n"
        "api_params: {Tags: null, Steps: [{Name: u, HadoopJarStep: {Jar: run}}]}\n"
    )
    flow = validate(load(path))
    request = compile(flow)
    jar = ("Steps", 0, "HadoopJarStep", "Jar")
    assert locate(flow, request.origins, jar, "run") == ("api_params", *jar)
    assert locate(flow, request.origins, ("Steps", 1, "Name")) == ("api_params", "Steps")
    assert locate(flow, request.origins, ("Tags", 0)) == ("api_params", "Tags")
