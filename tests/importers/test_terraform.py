"""Terraform modules: HCL, its JSON, and plans; what a cluster of one means as a request."""

import json
import sys

import pytest

from flowspec.errors import FlowspecError
from flowspec.importers.placeholders import placeholder
from tests.importers.common import compiled, refusal, wanted

MAIN = """\
locals {
  prefix = "acme-${var.name}"
  tags   = { team = "search", "cost center" = "c" }
}
data "aws_caller_identity" "current" {}
resource "aws_emr_cluster" "main" {
  name             = "${local.prefix}-daily"
  release_label    = "emr-6.9.0"
  applications     = var.apps
  log_uri          = "s3://${aws_s3_bucket.logs.bucket}/x/"
  service_role     = aws_iam_role.emr[0].arn
  autoscaling_role = format("%s-%d", var.name, 3)
  ec2_attributes {
    subnet_id                         = var.subnet
    key_name                          = var.prod ? "prod-key" : "dev-key"
    instance_profile                  = data.aws_iam_instance_profile.emr.arn
    additional_master_security_groups = "sg-1, sg-2"
  }
  master_instance_group {
    instance_type = "m5.xlarge"
  }
  core_instance_group {
    instance_type  = "m5.xlarge"
    instance_count = var.core_count
    bid_price      = "0.30"
    ebs_config {
      size                 = 40
      type                 = "gp2"
      volumes_per_instance = 1
    }
    autoscaling_policy = <<EOF
{"Constraints": {"MinCapacity": ${var.core_count}, "MaxCapacity": 20}, "Rules": []}
EOF
  }
  configurations_json = <<-EOF
    [
      {"Classification": "hadoop-env",
       "Configurations": [{"Classification": "export", "Properties": {"JAVA_HOME": "/x/${var.name}"}}],
       "Properties": {}}
    ]
  EOF
  bootstrap_action {
    path = "s3://x/y.sh"
    name = "runif"
    args = ["instance.isMaster=true", "say \\"hello\\""]
  }
  step {
    action_on_failure = "TERMINATE_CLUSTER"
    name              = "Setup"
    hadoop_jar_step {
      jar        = "command-runner.jar"
      args       = concat(["state-pusher-script"], ["a"])
      properties = { a = "b" }
    }
  }
  tags                   = merge(local.tags, { Name = var.name, n = 3 })
  termination_protection = var.unknown
  kerberos_attributes {
    kdc_admin_password = var.password
    realm              = "EC2.INTERNAL"
  }
  lifecycle {
    ignore_changes = [step, configurations]
  }
  dynamic "step" {
    for_each = var.steps
    content {
      name = step.value.name
    }
  }
}
"""
VARIABLES = """\
variable "name" {
  type        = string
  default     = "etl"
  description = "the name"
}
variable "core_count" {
  type    = number
  default = 2
}
variable "apps" { default = ["Spark", "Hive"] }
variable "subnet" {}
variable "prod" {
  type    = bool
  default = false
}
variable "password" {
  sensitive = true
}
resource "aws_emr_instance_group" "task" {
  cluster_id     = join("", aws_emr_cluster.main.*.id)
  instance_count = 1
  instance_type  = "m5.xlarge"
}
resource "aws_emr_managed_scaling_policy" "policy" {
  cluster_id = aws_emr_cluster.main.id
  compute_limits {
    unit_type              = "Instances"
    minimum_capacity_units = 2
    maximum_capacity_units = 10
  }
}
"""

REQUEST = {
    "Name": "acme-etl-daily",
    "ReleaseLabel": "emr-6.9.0",
    "Applications": [{"Name": "Spark"}, {"Name": "Hive"}],
    "LogUri": "s3://sample/x/",
    "ServiceRole": "sample",
    "JobFlowRole": "sample",
    "AutoScalingRole": "etl-3",
    "Instances": {
        "InstanceGroups": [
            {"InstanceRole": "MASTER", "Market": "ON_DEMAND", "InstanceType": "m5.xlarge", "InstanceCount": 1},
            {
                "InstanceRole": "CORE",
                "Market": "SPOT",
                "BidPrice": "0.30",
                "InstanceType": "m5.xlarge",
                "InstanceCount": 2,
                "EbsConfiguration": {
                    "EbsBlockDeviceConfigs": [
                        {"VolumeSpecification": {"SizeInGB": 40, "VolumeType": "gp2"}, "VolumesPerInstance": 1}
                    ]
                },
                "AutoScalingPolicy": {"Constraints": {"MinCapacity": 2, "MaxCapacity": 20}, "Rules": []},
            },
        ],
        "Ec2SubnetId": "subnet-0123456789abcdef0",
        "Ec2KeyName": "dev-key",
        "AdditionalMasterSecurityGroups": ["sg-1", "sg-2"],
        "KeepJobFlowAliveWhenNoSteps": True,
        "TerminationProtected": True,
        "UnhealthyNodeReplacement": False,
    },
    "Configurations": [
        {
            "Classification": "hadoop-env",
            "Configurations": [{"Classification": "export", "Properties": {"JAVA_HOME": "/x/etl"}}],
            "Properties": {},
        }
    ],
    "BootstrapActions": [
        {
            "Name": "runif",
            "ScriptBootstrapAction": {"Path": "s3://x/y.sh", "Args": ["instance.isMaster=true", 'say "hello"']},
        }
    ],
    "Steps": [
        {
            "ActionOnFailure": "TERMINATE_CLUSTER",
            "Name": "Setup",
            "HadoopJarStep": {
                "Jar": "command-runner.jar",
                "Args": ["state-pusher-script", "a"],
                "Properties": [{"Key": "a", "Value": "b"}],
            },
        }
    ],
    "Tags": [
        {"Key": "team", "Value": "search"},
        {"Key": "cost center", "Value": "c"},
        {"Key": "Name", "Value": "etl"},
        {"Key": "n", "Value": "3"},
    ],
    "KerberosAttributes": {"KdcAdminPassword": "sample", "Realm": "EC2.INTERNAL"},
    "VisibleToAllUsers": True,
    "StepConcurrencyLevel": 1,
}


@pytest.fixture
def module(tmp_path):
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "main.tf").write_text(MAIN)
    (folder / "variables.tf").write_text(VARIABLES)
    return folder


def test_a_file_of_a_module_with_the_rest_beside_it(module, tmp_path):
    source = wanted(MAIN, folder=module, name=str(module / "main.tf"))
    task = {"InstanceRole": "TASK", "Market": "ON_DEMAND", "InstanceType": "m5.xlarge", "InstanceCount": 1}
    limits = {
        "UnitType": "Instances",
        "MinimumCapacityUnits": 2,
        "MaximumCapacityUnits": 10,
        "MaximumOnDemandCapacityUnits": 0,
    }
    groups = [*REQUEST["Instances"]["InstanceGroups"], task]
    request = {
        **REQUEST,
        "Instances": {**REQUEST["Instances"], "InstanceGroups": groups},
        "ManagedScalingPolicy": {"ComputeLimits": limits},
    }
    assert source.request == request
    assert compiled(source, tmp_path) == {**request, "Tags": source.request["Tags"]}
    declared = {name: (one.type, one.default) for name, one in source.variables.items()}
    assert declared == {
        "name": ("string", "etl"),
        "aws_s3_bucket_logs_bucket": ("string", None),
        "aws_iam_role_emr_arn": ("string", None),
        "aws_iam_instance_profile_emr_arn": ("string", None),
        "subnet": ("string", None),
        "core_count": ("integer", 2),
        "unknown": ("boolean", None),
        "password": ("string", None),
    }
    assert compiled(source, tmp_path, name="x", core_count=9)["Instances"]["InstanceGroups"][1]["InstanceCount"] == 9
    assert source.notes == (
        "main.tf:15: ec2_attributes.key_name is computed with the value of var.prod",
        "main.tf:65: dynamic block step is not imported: var.steps is not known here",
        "main.tf:9: applications is taken from the value of var.apps",
        "aws_emr_instance_group.task is part of the request: in Terraform it is a resource of its own",
        "aws_emr_managed_scaling_policy.policy is part of the request: in Terraform it is a resource of its own",
        "main.tf:62: Terraform ignores changes of step, configurations; flowspec compares them",
        "more can be computed with the values of variables that have no default: --var steps=VALUE",
    )


def test_a_folder_is_a_module(module):
    source = wanted("", folder=module, name=str(module))
    assert source.params["Name"] == f"acme-{placeholder('name')}-daily"


FLEETS = {
    "resource": {
        "aws_emr_cluster": {
            "c": {
                "name": "fleets",
                "release_label": "emr-6.9.0",
                "service_role": "${aws_iam_role.r.arn}",
                "master_instance_fleet": {
                    "target_on_demand_capacity": 1,
                    "instance_type_configs": {"instance_type": "m5.xlarge"},
                },
                "core_instance_fleet": [
                    {
                        "name": "core",
                        "target_spot_capacity": 4,
                        "instance_type_configs": [
                            {
                                "instance_type": "m5.xlarge",
                                "bid_price_as_percentage_of_on_demand_price": 80,
                                "weighted_capacity": 2,
                                "configurations": [{"classification": "x", "properties": {"a": "b"}}],
                            }
                        ],
                        "launch_specifications": {
                            "spot_specification": {
                                "allocation_strategy": "capacity-optimized",
                                "timeout_action": "SWITCH_TO_ON_DEMAND",
                                "timeout_duration_minutes": 10,
                            }
                        },
                    }
                ],
                "configurations_json": '${jsonencode([{Classification = "s", Properties = {k = var.v}}])}',
                "auto_termination_policy": {"idle_timeout": 3600},
                "keep_job_flow_alive_when_no_steps": False,
            }
        }
    },
    "variable": {"v": {"default": "w", "type": "string"}},
}


def test_json_with_fleets(tmp_path):
    source = wanted(json.dumps(FLEETS))
    assert source.request == compiled(source, tmp_path)
    assert source.request["Instances"] == {
        "InstanceFleets": [
            {
                "InstanceFleetType": "MASTER",
                "TargetOnDemandCapacity": 1,
                "TargetSpotCapacity": 0,
                "InstanceTypeConfigs": [
                    {"InstanceType": "m5.xlarge", "WeightedCapacity": 1, "BidPriceAsPercentageOfOnDemandPrice": 100.0}
                ],
            },
            {
                "InstanceFleetType": "CORE",
                "Name": "core",
                "TargetOnDemandCapacity": 0,
                "TargetSpotCapacity": 4,
                "InstanceTypeConfigs": [
                    {
                        "InstanceType": "m5.xlarge",
                        "WeightedCapacity": 2,
                        "BidPriceAsPercentageOfOnDemandPrice": 80.0,
                        "Configurations": [{"Classification": "x", "Properties": {"a": "b"}}],
                    }
                ],
                "LaunchSpecifications": {
                    "SpotSpecification": {
                        "AllocationStrategy": "capacity-optimized",
                        "TimeoutAction": "SWITCH_TO_ON_DEMAND",
                        "TimeoutDurationMinutes": 10,
                    }
                },
            },
        ],
        "KeepJobFlowAliveWhenNoSteps": False,
        "TerminationProtected": False,
        "UnhealthyNodeReplacement": False,
    }
    assert source.request["Configurations"] == [{"Classification": "s", "Properties": {"k": "w"}}]
    assert source.request["AutoTerminationPolicy"] == {"IdleTimeout": 3600}


def test_a_plan_and_a_state(tmp_path):
    cluster = {
        "type": "aws_emr_cluster",
        "name": "c",
        "values": {
            "id": "j-1",
            "name": "${literal}",
            "release_label": "emr-6.9.0",
            "arn": "arn:aws:x",
            "master_instance_group": [{"id": "ig-1", "instance_type": "m5.xlarge", "bid_price": "", "ebs_config": []}],
            "step": [],
            "configurations_json": None,
        },
    }
    task = {
        "type": "aws_emr_instance_group",
        "name": "t",
        "values": {"cluster_id": "j-1", "instance_type": "m5.xlarge", "instance_count": 2},
    }
    modules = [{"resources": [task]}]
    shown = {"terraform_version": "1.5", "values": {"root_module": {"resources": [cluster], "child_modules": modules}}}
    source = wanted(json.dumps(shown))
    assert (source.request["Name"], source.variables) == ("${literal}", {})
    assert [one["InstanceRole"] for one in source.request["Instances"]["InstanceGroups"]] == ["MASTER", "TASK"]
    assert compiled(source, tmp_path) == source.request


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"a$${b}"', "a${b}"),
        ('"${upper("x")}-${lower("Y")}"', "X-y"),
        ("var.list[1]", "b"),
        ('replace("a-b", "-", "_")', "a_b"),
        ('join(",", ["a", var.v])', f"a,{placeholder('v')}"),
        ('coalesce("", "x")', "x"),
        ('trimspace(file("key.txt"))', "from the file"),
        ('file("../secret")', placeholder("file_secret")),
        ("aws_x.y[count.index].arn", placeholder("count_index_arn")),
        ("local.loop", placeholder("local_loop")),
        ('var.v == "w" ? "yes" : "no"', "yes"),
        ("module.vpc.private_subnets[0]", placeholder("vpc_private_subnets")),
        ("nope(1)", placeholder("nope")),
    ],
)
def test_expressions(written, value, tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "key.txt").write_text("from the file\n")
    (tmp_path / "secret").write_text("x")
    text = f"""
locals {{
  loop = local.loop
}}
variable "v" {{ default = "w" }}
variable "list" {{ default = ["a", "b"] }}
resource "aws_emr_cluster" "c" {{
  name          = "x"
  release_label = "emr-6.9.0"
  service_role  = {written}
  master_instance_group {{
    instance_type = "m5.xlarge"
  }}
}}
"""
    assert wanted(text, folder=tmp_path / "m").params["ServiceRole"] == value


def test_properties_that_only_terraform_knows_are_a_variable(tmp_path):
    text = """
resource "aws_emr_cluster" "x" {
  name          = "x"
  release_label = "emr-6.15.0"
  service_role  = "r"
  master_instance_group {
    instance_type = "m5.xlarge"
  }
  configurations_json = jsonencode([
    { Classification = "spark-defaults", Properties = data.external.conf.result },
    { Classification = "hive-site", Properties = { a = "b" } },
  ])
}
"""
    source = wanted(text, folder=tmp_path)
    made = compiled(source, tmp_path, external_conf_result={"spark.x": "1"})
    assert made["Configurations"] == [
        {"Classification": "spark-defaults", "Properties": {"spark.x": "1"}},
        {"Classification": "hive-site", "Properties": {"a": "b"}},
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('resource "aws_s3_bucket" "x" {}', "there is no aws_emr_cluster in it"),
        ('resource "aws_emr_cluster" "x" {', "this is not Terraform's language"),
        ('{"resource": [', "this is not JSON"),
        ("null", "this is not Terraform's language"),
        ('{"resources": [{"type": 7, "instances": [{}]}]}', "this is not a plan or state of Terraform"),
        ('{"planned_values": {"root_module": {"resources": null}}}', "this is not a plan or state of Terraform"),
        ("[]", "Terraform's JSON is an object"),
    ],
)
def test_what_is_no_module(text, told):
    assert told in refusal(text, "terraform").message


def test_without_hcl2_the_way_to_get_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "hcl2", None)
    with pytest.raises(FlowspecError) as caught:
        wanted(MAIN)
    assert caught.value.remedy == "pip install python-hcl2"
