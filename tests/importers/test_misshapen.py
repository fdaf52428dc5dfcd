"""Files of each kind with a value of another type somewhere: they are imported or refused, and never end in a traceback."""

import copy
import json
from contextlib import suppress

import pytest

from flowspec.errors import FlowspecError
from tests.importers.common import wanted
from tests.importers.test_dataflow_runner import CLUSTER
from tests.specs import places

GROUP = {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}
CONFIGURATION = {"Classification": "a", "ConfigurationProperties": {"x": "y"}}
PROPERTIES = {
    "Name": {"Fn::Sub": "a-${A}"},
    "Configurations": [CONFIGURATION],
    "Applications": [{"Name": {"Fn::Select": [0, {"Fn::Split": [",", "a,b"]}]}}],
    "Instances": {"MasterInstanceGroup": GROUP, "TaskInstanceGroups": [{"InstanceCount": {"Fn::If": ["C", 1, 2]}}]},
    "Steps": [{"Name": "s", "HadoopJarStep": {"Jar": "x", "StepProperties": [{"Key": "a", "Value": "b"}]}}],
}
TEMPLATE = {
    "Parameters": {"A": {"Type": "String", "Default": "x", "AllowedValues": ["x"]}},
    "Mappings": {"M": {"x": {"k": "v"}}},
    "Conditions": {"C": {"Fn::Equals": [{"Ref": "A"}, {"Fn::FindInMap": ["M", {"Ref": "A"}, "k"]}]}},
    "Resources": {
        "K": {"Type": "AWS::EMR::Cluster", "Condition": "C", "Properties": PROPERTIES},
        "S": {"Type": "AWS::EMR::Step", "DependsOn": "K", "Properties": {"JobFlowId": {"Ref": "K"}, "Name": "z"}},
        "N": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "x.json", "Parameters": {"a": "b"}}},
    },
}
ARGUMENTS = {
    "id": "j-1",
    "applications": ["Spark"],
    "ec2_attributes": [{"subnet_ids": ["s"], "additional_master_security_groups": "a,b"}],
    "master_instance_group": [{"instance_type": "m5.xlarge", "ebs_config": [{"size": 1}]}],
    "step": [{"name": "a", "hadoop_jar_step": [{"jar": "j", "args": ["x"], "properties": {"a": "b"}}]}],
    "configurations_json": '[{"Classification": "a"}]',
}
RESOURCE = {"address": "aws_emr_cluster.c", "type": "aws_emr_cluster", "name": "c", "values": ARGUMENTS}
EXPRESSIONS = {"log_uri": {"references": ["x.y"]}, "cluster_id": {"references": ["z"]}}
SOURCES = {
    "cloudformation": TEMPLATE,
    "airflow": {
        "JOB_FLOW_OVERRIDES": {"Name": "a {{ ds }}", "Instances": {"InstanceGroups": [GROUP]}},
        "SPARK_STEPS": [{"Name": "s", "HadoopJarStep": {"Jar": "j", "Args": ["a"]}}],
    },
    "dataflow-runner": CLUSTER,
    "mrjob": {
        "runners": {
            "emr": {
                "bootstrap_actions": ["s3://b a"],
                "applications": ["Spark"],
                "subnet": ["a", "b"],
                "tags": {"a": "b"},
                "pool_clusters": True,
                "max_mins_idle": 3,
                "num_core_instances": 2,
                "instance_groups": [GROUP],
                "extra_cluster_params": {"A.B": 1},
            }
        }
    },
    "terraform state": {
        "resources": [
            {"type": "aws_emr_cluster", "name": "c", "instances": [{"index_key": 0, "attributes": ARGUMENTS}]},
        ]
    },
    "terraform plan": {
        "planned_values": {"root_module": {"resources": [RESOURCE], "child_modules": [{"resources": []}]}},
        "resource_changes": [{"address": "aws_emr_cluster.c", "change": {"after_unknown": {"log_uri": True}}}],
        "configuration": {
            "root_module": {
                "resources": [{"address": "aws_emr_cluster.c", "expressions": EXPRESSIONS}],
                "module_calls": {"m": {"module": {"resources": []}}},
            }
        },
    },
    "terraform configuration": {
        "variable": {"a": {"type": "list(string)", "default": ["a"]}},
        "locals": {"z": "${var.a[0]}-q"},
        "resource": {
            "aws_emr_cluster": {"c": {"name": "${local.z}", **ARGUMENTS}},
            "aws_emr_instance_group": {"t": {"count": 2, "cluster_id": "${aws_emr_cluster.c.id}"}},
        },
    },
}


def changed(value, path, new):
    if not path:
        return new
    made = owner = copy.deepcopy(value)
    for key in path[:-1]:
        owner = owner[key]
    owner[path[-1]] = new
    return made


@pytest.mark.parametrize("name", SOURCES)
def test_a_value_of_another_type_is_imported_or_refused(name, tmp_path):
    source = SOURCES[name]
    for path in places(source):
        for new in (None, "x", 7, {}, ["x"], [{"a": 1}]):
            text = json.dumps(changed(source, path, new))
            with suppress(FlowspecError):
                assert wanted(text, name.split()[0], folder=tmp_path).params is not None
