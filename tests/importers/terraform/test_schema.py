"""The tables of arguments against the AWS provider's own schema."""

import json

import pytest

from flowspec.facts.api_model import input_shape
from flowspec.importers.terraform import request
from tests.importers.terraform import judge

# Arguments that other versions of the provider have than the one that is tried here.
OTHER_VERSIONS = {
    "master_instance_type",
    "core_instance_type",
    "core_instance_count",
    "instance_group",
    "os_release_label",
}
APART = request.READ_APART
GROUP = (request.GROUP, APART["group"])
FLEET = (request.FLEET, APART["fleet"])
FLEET_BLOCKS = {
    "instance_type_configs": (request.FLEET_TYPE, APART["instance_type_configs"]),
    "configurations": (request.CONFIGURATION, ()),
    "ebs_config": (request.VOLUME, APART["ebs_config"]),
    "launch_specifications": ({}, APART["launch_specifications"]),
    "spot_specification": (request.SPOT, ()),
    "on_demand_specification": (request.ON_DEMAND, ()),
}
# What reads the arguments of each resource, and of each kind of block in it.
READERS = {
    "aws_emr_cluster": {
        "": ({**request.CLUSTER, **request.INSTANCES}, APART["cluster"]),
        "ec2_attributes": (request.EC2, APART["ec2_attributes"]),
        "kerberos_attributes": (request.KERBEROS, ()),
        "auto_termination_policy": (request.AUTO_TERMINATION, ()),
        "placement_group_config": (request.PLACEMENT, ()),
        "bootstrap_action": ({}, APART["bootstrap_action"]),
        "master_instance_group": GROUP,
        "core_instance_group": GROUP,
        "master_instance_fleet": FLEET,
        "core_instance_fleet": FLEET,
        "step": ({}, APART["step"]),
        "hadoop_jar_step": (request.JAR, ()),
        **FLEET_BLOCKS,
    },
    "aws_emr_instance_group": {"": GROUP, "ebs_config": (request.VOLUME, APART["ebs_config"])},
    "aws_emr_instance_fleet": {"": FLEET, **FLEET_BLOCKS},
    "aws_emr_managed_scaling_policy": {"": ({}, APART["managed scaling"]), "compute_limits": (request.LIMITS, ())},
}


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    if judge.provider() is None:
        pytest.skip("Terraform and its AWS provider are not installed here")
    folder = tmp_path_factory.mktemp("schema") / "m"
    folder.mkdir()
    needed = '{\n    aws = { source = "hashicorp/aws" }\n  }'
    (folder / "main.tf").write_text(f"terraform {{\n  required_providers {needed}\n}}\n")
    (found,) = json.loads(judge.terraform(folder, "providers", "schema", "-json"))["provider_schemas"].values()
    return found["resource_schemas"]


def blocks(block, name=""):
    """Each kind of block with its arguments; attributes that are lists of objects are blocks as well."""
    attributes = block.get("attributes", {})
    yield name, {*attributes, *block.get("block_types", {})}
    for key, one in block.get("block_types", {}).items():
        yield from blocks(one["block"], key)
    for key, one in attributes.items():
        yield from objects(one["type"], key)


def objects(kind, name):
    if isinstance(kind, list) and kind[0] == "list":
        yield from objects(kind[1], name)
    elif isinstance(kind, list) and kind[0] == "object":
        yield name, set(kind[1])
        for key, inner in kind[1].items():
            yield from objects(inner, key)


@pytest.mark.parametrize("resource", READERS)
def test_each_argument_of_the_provider_is_read(schema, resource):
    seen = set()
    for name, arguments in blocks(schema[resource]["block"]):
        table, apart = READERS[resource][name]
        seen.add(name)
        unread = arguments - {*table, *apart} - request.COMPUTED
        assert not unread, f"{resource}.{name}"
        # Groups and fleets in a cluster lack some arguments of those that are resources of their own.
        if resource == "aws_emr_cluster" and "instance" not in name and name != "ebs_config":
            assert not {*table, *apart} - arguments - OTHER_VERSIONS, f"{resource}.{name}"
    assert seen == READERS[resource].keys()


@pytest.mark.parametrize(
    ("table", "path"),
    [
        (request.CLUSTER, ()),
        (request.INSTANCES, ("Instances",)),
        (request.EC2, ("Instances",)),
        (request.KERBEROS, ("KerberosAttributes",)),
        (request.AUTO_TERMINATION, ("AutoTerminationPolicy",)),
        (request.PLACEMENT, ("PlacementGroupConfigs", 0)),
        (request.GROUP, ("Instances", "InstanceGroups", 0)),
        (request.FLEET, ("Instances", "InstanceFleets", 0)),
        (request.FLEET_TYPE, ("Instances", "InstanceFleets", 0, "InstanceTypeConfigs", 0)),
        (request.CONFIGURATION, ("Configurations", 0)),
        (request.SPOT, ("Instances", "InstanceFleets", 0, "LaunchSpecifications", "SpotSpecification")),
        (request.ON_DEMAND, ("Instances", "InstanceFleets", 0, "LaunchSpecifications", "OnDemandSpecification")),
        (request.LIMITS, ("ManagedScalingPolicy", "ComputeLimits")),
        (request.JAR, ("Steps", 0, "HadoopJarStep")),
    ],
)
def test_each_member_is_one_of_the_api(table, path):
    shape = input_shape()
    for step in path:
        shape = shape.member if step == 0 else shape.members[step]
    assert set(table.values()) <= shape.members.keys()
