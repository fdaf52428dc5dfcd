"""Draws RunJobFlow requests from botocore's model: every member may come, with values that its rules allow."""

import random
from collections.abc import Mapping

from flowspec.facts.api_model import input_shape

LABELS = ["emr-7.5.0", "emr-7.5.0", "emr-6.15.0", "emr-5.36.0"]
TYPES = ["m5.xlarge", "m5.2xlarge", "r5.large", "m6gd.xlarge"]
NAMES = ["", "a", "workers", "é", "two words", "a/b:c"]
TEXTS = ["", "a", "s3://b/k", "true", "0.10", "--fast", "é", "x" * 60]
CLASSIFICATIONS = ["spark-defaults", "hive-site", "core-site"]
ROLES = ["EMR_DefaultRole", "arn:aws:iam::123456789012:role/a/path/EMR_DefaultRole", "R"]
NUMBERS = [1, 2, 3, 60, 100]

# What a string is, by its member's name; the rest are TEXTS.
STRINGS = {
    "Name": NAMES[1:],
    "Classification": CLASSIFICATIONS,
    "InstanceType": TYPES,
    "BidPrice": ["0.10", "1", "0.250"],
    "LogUri": ["s3://logs", "s3://logs/", "s3n://logs/emr", "s3a://logs/emr/"],
    "JobFlowRole": ROLES,
    "ServiceRole": ROLES,
    "AutoScalingRole": ROLES,
    "VolumeType": ["gp2", "gp3", "io1"],
    "AvailabilityZone": ["us-east-1a", "us-east-1b"],
    "StepExecutionRoleArn": ["arn:aws:iam::123456789012:role/steps"],
    "Key": ["team", "cost centre", "a:b"],
    "Value": ["", "search", "0.10"],
    "Realm": ["EC2.INTERNAL"],
    "Jar": ["command-runner.jar", "s3://b/job.jar"],
}
NUMBERS_OF = {
    "VolumesPerInstance": [1, 2],
    "SizeInGB": [10, 32, 500],
    "StepConcurrencyLevel": [1, 1, 5, 10],
    "IdleTimeout": [60, 3600, 7200],
    "TimeoutDurationMinutes": [5, 60],
    "UtilizationPerformanceIndex": [1, 50, 100],
    "WeightedCapacity": [1, 2, 4],
    "MinCapacity": [1],
    "MaxCapacity": [1, 10],
    "MinimumCapacityUnits": [1],
    "MaximumCapacityUnits": [4, 10],
    "MaximumOnDemandCapacityUnits": [0, 2, 4],
    "MaximumCoreCapacityUnits": [1, 4],
    "ScalingAdjustment": [1, -1],
    "Priority": [0.0, 1.5],
}
APPLICATIONS = ["Hadoop", "Spark", "hive", "JupyterEnterpriseGateway"]
LEAVE_OUT = {"AmiVersion", "HadoopVersion", "SupportedProducts", "NewSupportedProducts"}
SHORTHAND = ("MasterInstanceType", "SlaveInstanceType", "InstanceCount")


class Requests:
    """Draws requests of one seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def draw(self):
        params = self._of(input_shape(), "", 0)
        params["Name"] = self.random.choice(NAMES[1:])
        params["ReleaseLabel"] = self.random.choice(LABELS)
        self._software(params)
        self._machines(params["Instances"])
        self._network(params["Instances"])
        self._policies(params)
        return params

    def maybe(self, chance=0.5):
        return self.random.random() < chance

    def _of(self, shape, name, depth):
        return getattr(self, f"_{shape.type_name}")(shape, name, depth + 1)

    def _structure(self, shape, _, depth):
        # All have a chance, and those deep down nearly as much: `Configurations` alone hold themselves.
        return {
            name: self._of(member, name, depth)
            for name, member in shape.members.items()
            if name in shape.required_members
            or (name not in LEAVE_OUT and self.maybe(0.35 if depth < 6 or name != "Configurations" else 0.1))
        }

    def _list(self, shape, name, depth):
        return [self._of(shape.member, name, depth) for _ in range(self.random.choice([0, 1, 1, 2, 3]))]

    def _map(self, shape, name, depth):
        keys = shape.key.enum or ["a", "b.c", "spark.executor.memory"]
        return {
            self.random.choice(keys): self._of(shape.value, name, depth) for _ in range(self.random.choice([0, 1, 2]))
        }

    def _string(self, shape, name, _):
        return self.random.choice(shape.enum or STRINGS.get(name, TEXTS))

    def _integer(self, _, name, __):
        return self.random.choice(NUMBERS_OF.get(name, NUMBERS))

    def _long(self, *args):
        return self._integer(*args)

    def _double(self, _, name, __):
        return self.random.choice(NUMBERS_OF.get(name, [1.0, 1.5, 80.0]))

    def _boolean(self, *_):
        return self.maybe()

    def _timestamp(self, *_):
        raise AssertionError("RunJobFlow takes no time")

    # -- rules between members

    def _software(self, params):
        if "Applications" in params:
            names = self.random.sample(APPLICATIONS, self.random.randint(0, len(APPLICATIONS)))
            params["Applications"] = [{"Name": name} for name in names]
        if not params.get("CustomAmiId"):
            params.pop("RepoUpgradeOnBoot", None)
            params.pop("CustomAmiId", None)
        for step in params.get("Steps", ()):
            step.pop("StepMonitoringConfiguration", None) if self.maybe() else self._log(step)
        if params.get("StepConcurrencyLevel", 1) > 1:
            for step in params.get("Steps", ()):
                step["ActionOnFailure"] = "CONTINUE"

    def _log(self, step):
        s3 = step.get("StepMonitoringConfiguration", {}).get("S3MonitoringConfiguration", {})
        if "LogUri" in s3:
            s3["LogUri"] = "s3://logs/steps"

    def _machines(self, instances):
        drawn = {name: instances.pop(name, None) for name in ("InstanceGroups", "InstanceFleets", *SHORTHAND)}
        kind = self.random.choice(["groups", "groups", "fleets", "shorthand"])
        if kind == "shorthand":
            instances |= {"MasterInstanceType": "m5.xlarge"}
            instances |= {"InstanceCount": self.random.choice([1, 2, 5])} if self.maybe(0.8) else {}
            instances |= {"SlaveInstanceType": "r5.large"} if self.maybe() else {}
            return
        shape = input_shape().members["Instances"].members
        if kind == "groups":
            one = shape["InstanceGroups"].member
            roles = ["MASTER", *["CORE"] * self.maybe(0.8)]
            roles += ["TASK"] * self.random.choice([0, 1, 1, 3]) if "CORE" in roles else []
            groups = [self._group(self._of(one, "", 2), role) for role in roles]
            self.random.shuffle(groups)
            instances["InstanceGroups"] = groups
        else:
            one = shape["InstanceFleets"].member
            roles = ["MASTER", *["CORE"] * self.maybe(0.8)]
            roles += ["TASK"] * self.maybe(0.6) if "CORE" in roles else []
            instances["InstanceFleets"] = [self._fleet(self._of(one, "", 2), role) for role in roles]
        del drawn

    def _group(self, group, role):
        group["InstanceRole"] = role
        group["InstanceCount"] = (3 if self.maybe(0.1) else 1) if role == "MASTER" else self.random.randint(1, 5)
        if role == "TASK" and self.maybe(0.1):
            group["InstanceCount"] = 0
        if group.get("Market") == "ON_DEMAND":
            group.pop("BidPrice", None)
        policy = group.get("AutoScalingPolicy")
        if role == "MASTER":
            group.pop("AutoScalingPolicy", None)
        elif policy:
            policy["Rules"] = list({rule["Name"]: rule for rule in policy["Rules"]}.values())
        group.pop("CustomAmiId", None)
        return group

    def _fleet(self, fleet, role):
        fleet["InstanceFleetType"] = role
        fleet["TargetOnDemandCapacity"], fleet["TargetSpotCapacity"] = (
            self.random.choice([(1, 0), (0, 1)]) if role == "MASTER" else self.random.choice([(1, 0), (4, 2), (0, 3)])
        )
        for name in ("TargetOnDemandCapacity", "TargetSpotCapacity"):
            if fleet[name] == 0 and self.maybe():
                del fleet[name]
        kinds = {kind["InstanceType"]: kind for kind in fleet.get("InstanceTypeConfigs", ())}
        fleet["InstanceTypeConfigs"] = list(kinds.values())
        for kind in kinds.values():
            kind.pop("CustomAmiId", None)
            if "BidPrice" in kind:
                kind.pop("BidPriceAsPercentageOfOnDemandPrice", None)
            if role == "MASTER":
                kind.pop("WeightedCapacity", None)
        return fleet

    def _network(self, instances):
        one_of = self.random.choice(["Ec2SubnetId", "Ec2SubnetIds", "Placement"])
        for name in {"Ec2SubnetId", "Ec2SubnetIds", "Placement"} - {one_of}:
            instances.pop(name, None)
        several = bool(instances.get("InstanceFleets"))
        if instances.get("Ec2SubnetIds"):
            instances["Ec2SubnetIds"] = [f"subnet-{n}" for n in range(self.random.randint(1, 3 if several else 1))]
        placement = instances.get("Placement", {})
        if placement.get("AvailabilityZone"):
            placement.pop("AvailabilityZones", None)
        elif placement.get("AvailabilityZones"):
            placement.pop("AvailabilityZone", None)
            placement["AvailabilityZones"] = ["us-east-1b", "us-east-1a"][: 2 if several else 1]
        else:
            instances.pop("Placement", None)
        if not (instances.get("EmrManagedMasterSecurityGroup") and instances.get("EmrManagedSlaveSecurityGroup")):
            for name in ("EmrManagedMasterSecurityGroup", "EmrManagedSlaveSecurityGroup"):
                instances.pop(name, None)

    def _policies(self, params):
        limits = params.get("ManagedScalingPolicy", {}).get("ComputeLimits")
        if limits:
            fleets = bool(params["Instances"].get("InstanceFleets"))
            limits["UnitType"] = "InstanceFleetUnits" if fleets else self.random.choice(["Instances", "VCPU"])
        tags = params.get("Tags", [])
        params |= {"Tags": [{"Key": "k", **tag} for tag in tags]} if "Tags" in params else {}


def members(value, path=()):
    """The paths of all members in a request, with [] for lists: what the generator has covered."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield (*path, name)
            yield from members(item, (*path, name))
    elif isinstance(value, list):
        for item in value:
            yield from members(item, (*path, "[]"))
