"""Draws specs: each a random choice of what a spec can say, with values that its rules allow."""

import random

BASE = {
    "flowspec": "v1",
    "name": "live",
    "backend": "local",
    "release_label": "emr-7.5.0",
    "service_role": "EMR_DefaultRole",
    "job_flow_role": "EMR_EC2_DefaultRole",
    "keep_alive": True,
}
GROUPS = [
    {"role": "MASTER", "type": "m5.xlarge", "count": 1},
    {"role": "CORE", "type": "m5.xlarge", "count": 2},
    {"role": "TASK", "name": "spot", "type": "m5.2xlarge", "count": 1, "market": "SPOT", "bid_price": "0.20"},
]
TYPE = {"type": "m5.xlarge", "weighted_capacity": 1}
FLEETS = [
    {"type": "MASTER", "target_on_demand_capacity": 1, "instance_type_configs": [TYPE]},
    {
        "type": "CORE",
        "target_on_demand_capacity": 2,
        "instance_type_configs": [TYPE, {**TYPE, "type": "m5.2xlarge"}],
    },
    {"type": "TASK", "target_spot_capacity": 2, "instance_type_configs": [TYPE]},
]

OPTIONS = {
    "applications": [["Spark", "Hive"], ["hadoop"], ["Hadoop", "spark", "Hive"]],
    "log_uri": ["s3://b/logs", "s3://b/logs/", "s3n://b/x"],
    "tags": [{"team": "search"}, {"a": "", "b": "x y"}, {}],
    "termination_protected": [True, False],
    "unhealthy_node_replacement": [True, False],
    "step_concurrency_level": [1, 3],
    "scale_down_behavior": ["TERMINATE_AT_TASK_COMPLETION"],
    "ebs_root_volume_size": [20],
    "auto_termination_policy": [{}, {"idle_timeout": 600}],
    "ec2_keyname": ["key"],
    "ec2_subnet_id": ["subnet-1"],
    "availability_zone": ["us-east-1b"],
    "additional_master_security_groups": [["sg-2", "sg-1"]],
    "service_role": ["arn:aws:iam::123456789012:role/EMR_DefaultRole"],
    "job_flow_role": ["arn:aws:iam::123456789012:instance-profile/EMR_EC2_DefaultRole"],
    "configurations": [
        {"spark-defaults": {"spark.executor.memory": "4g"}, "hadoop-env": {"configurations": {"export": {"A": "1"}}}},
    ],
    "bootstrap_actions": [[{"name": "a", "path": "s3://b/a.sh", "args": ["--x", "y"]}, {"name": "b", "path": "s3://b/b.sh"}]],
    "managed_scaling_policy": [
        {"compute_limits": {"unit_type": "Instances", "minimum_capacity_units": 2, "maximum_capacity_units": 9}}
    ],
    "additional_info": ['{"x": 1}'],
    "steps": [
        [{"name": "a", "type": "command", "args": ["true"], "on_failure": "CONTINUE"}] * 2,
        [{"name": "j", "type": "jar", "jar": "s3://b/x.jar", "main_class": "X", "args": ["1"], "properties": {"k": "v"},
          "on_failure": "CONTINUE"}],
    ],
}  # fmt: skip
VOLUMES = {
    "ebs_optimized": True,
    "ebs_block_device_configs": [
        {"volume_specification": {"volume_type": "gp3", "size_in_gb": 64}, "volumes_per_instance": 2},
        {"volume_specification": {"volume_type": "gp2", "size_in_gb": 32}},
    ],
}
RULE = {
    "name": "out",
    "action": {"simple_scaling_policy_configuration": {"scaling_adjustment": 1}},
    "trigger": {
        "cloud_watch_alarm_definition": {
            "comparison_operator": "GREATER_THAN", "metric_name": "YARNMemoryAvailablePercentage", "period": 300, "threshold": 15,
        }
    },
}  # fmt: skip
POLICY = {"constraints": {"min_capacity": 1, "max_capacity": 4}, "rules": [RULE]}


def random_spec(seed):
    """A spec with a random choice of what RunJobFlow offers; the same for the same seed."""
    draw = random.Random(seed)
    names = [name for name in OPTIONS if draw.random() < 0.35]
    spec = {**BASE, **{name: draw.choice(OPTIONS[name]) for name in names}}
    if "ec2_subnet_id" in spec:
        spec.pop("availability_zone", None)
    shape = draw.choice(["groups", "fleets", "short"])
    if shape == "short":
        spec |= {
            "master_instance_type": "m5.xlarge",
            "slave_instance_type": "m5.2xlarge",
            "num_instances": draw.randint(1, 4),
        }
    elif shape == "fleets":
        spec["instance_fleets"] = FLEETS[: draw.choice([2, 3])]
        if "managed_scaling_policy" in spec:
            limits = {**spec["managed_scaling_policy"]["compute_limits"], "unit_type": "InstanceFleetUnits"}
            spec["managed_scaling_policy"] = {"compute_limits": limits}
    else:
        groups = [dict(group) for group in GROUPS[: draw.choice([1, 2, 3])]]
        draw.shuffle(groups)
        for group in groups:
            if draw.random() < 0.3:
                group["ebs_configuration"] = VOLUMES
            if draw.random() < 0.3:
                group["configurations"] = {"yarn-site": {"a": "1"}}
            if group["role"] != "MASTER" and "managed_scaling_policy" not in spec and draw.random() < 0.3:
                group["auto_scaling_policy"] = POLICY
                spec["auto_scaling_role"] = "EMR_AutoScaling_DefaultRole"
        spec["instance_groups"] = groups
    if "managed_scaling_policy" in spec and shape == "short" and spec["num_instances"] == 1:
        del spec["managed_scaling_policy"]
    return spec
