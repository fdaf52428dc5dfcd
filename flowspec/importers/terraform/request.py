"""The arguments of an aws_emr_cluster, and of the resources that belong to one -> the parameters of RunJobFlow.

The tables below name every argument of the AWS provider's schema (a test compares them with it). What the provider
adds of itself (a market, keep-alive, weights) is added here, and what it takes for "not set" is left out, as seen in
the calls that it makes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flowspec.document.schema import camel_case
from flowspec.facts.api_model import Json, input_shape
from flowspec.importers.placeholders import PLACEHOLDER, placeholder_name
from flowspec.importers.shapes import convert_scalars, members_that_are_set, parse_json
from flowspec.importers.terraform.blocks import Values
from flowspec.importers.terraform.context import Context
from flowspec.importers.terraform.functions import jsonencode
from flowspec.importers.terraform.instances import Resource
from flowspec.importers.terraform.values import Unknown, to_whole

Table = Mapping[str, str]

# The members that are not called like their arguments.
_OTHER_NAMES: Table = {
    "ad_domain_join_password": "ADDomainJoinPassword",
    "ad_domain_join_user": "ADDomainJoinUser",
    "autoscaling_role": "AutoScalingRole",
    "key_name": "Ec2KeyName",
    "maximum_ondemand_capacity_units": "MaximumOnDemandCapacityUnits",
    "os_release_label": "OSReleaseLabel",
    "size": "SizeInGB",
    "subnet_id": "Ec2SubnetId",
    "subnet_ids": "Ec2SubnetIds",
    "termination_protection": "TerminationProtected",
    "type": "VolumeType",
}


def _table(*arguments: str) -> Table:
    """Returns the member of each argument."""
    return {name: _OTHER_NAMES.get(name) or camel_case(name) for name in arguments}


CLUSTER = _table(
    *("additional_info", "autoscaling_role", "custom_ami_id", "ebs_root_volume_size", "log_encryption_kms_key_id"),
    *("log_uri", "name", "os_release_label", "release_label", "scale_down_behavior", "security_configuration"),
    *("service_role", "step_concurrency_level", "visible_to_all_users"),
)
INSTANCES = _table("keep_job_flow_alive_when_no_steps", "termination_protection", "unhealthy_node_replacement")
EC2 = _table(
    *("key_name", "subnet_id", "subnet_ids", "emr_managed_master_security_group", "emr_managed_slave_security_group"),
    *("service_access_security_group", "additional_master_security_groups", "additional_slave_security_groups"),
)
KERBEROS = _table(
    *("ad_domain_join_password", "ad_domain_join_user", "cross_realm_trust_principal_password", "kdc_admin_password"),
    "realm",
)
AUTO_TERMINATION = _table("idle_timeout")
PLACEMENT = _table("instance_role", "placement_strategy")
GROUP = _table("name", "bid_price", "instance_type", "instance_count")
VOLUME = _table("size", "type", "iops", "throughput")
FLEET = _table("name", "target_on_demand_capacity", "target_spot_capacity")
FLEET_TYPE = _table("instance_type", "weighted_capacity", "bid_price", "bid_price_as_percentage_of_on_demand_price")
CONFIGURATION = _table("classification", "properties")
SPOT = _table("allocation_strategy", "block_duration_minutes", "timeout_action", "timeout_duration_minutes")
ON_DEMAND = _table("allocation_strategy")
LIMITS = _table(
    *("unit_type", "minimum_capacity_units", "maximum_capacity_units", "maximum_core_capacity_units"),
    "maximum_ondemand_capacity_units",
)
JAR = _table("jar", "main_class", "args", "properties")

# Arguments and blocks that are read in a way of their own, by where they are.
READ_APART: Mapping[str, frozenset[str]] = {
    "cluster": frozenset({
        *("applications", "auto_termination_policy", "bootstrap_action", "configurations", "configurations_json"),
        *("core_instance_fleet", "core_instance_group", "master_instance_fleet", "master_instance_group"),
        *("ec2_attributes", "kerberos_attributes", "placement_group_config", "step", "tags"),
        # The provider before version 3.
        *("master_instance_type", "core_instance_type", "core_instance_count", "instance_group"),
    }),
    "ec2_attributes": frozenset({"instance_profile"}),
    "group": frozenset({
        *("ebs_config", "autoscaling_policy", "configurations_json", "ebs_optimized", "cluster_id", "instance_role"),
    }),
    "ebs_config": frozenset({"volumes_per_instance"}),
    "fleet": frozenset({"instance_type_configs", "launch_specifications", "cluster_id"}),
    "instance_type_configs": frozenset({"ebs_config", "configurations"}),
    "launch_specifications": frozenset({"spot_specification", "on_demand_specification"}),
    "bootstrap_action": frozenset({"path", "name", "args"}),
    "step": frozenset({"action_on_failure", "hadoop_jar_step", "name"}),
    "managed scaling": frozenset({"cluster_id", "compute_limits"}),
}  # fmt: skip
# What AWS tells of a resource, or what only the provider reads.
COMPUTED = frozenset({
    *("id", "arn", "cluster_state", "master_public_dns", "tags_all", "region", "list_steps_states"),
    *("provisioned_on_demand_capacity", "provisioned_spot_capacity", "running_instance_count", "status"),
})  # fmt: skip

# What the provider sends for an argument that is not set.
_DEFAULTS: Json = {"StepConcurrencyLevel": 1, "VisibleToAllUsers": True}
_INSTANCE_DEFAULTS: Json = {
    "KeepJobFlowAliveWhenNoSteps": True,
    "TerminationProtected": False,
    "UnhealthyNodeReplacement": False,
}
_FLEET_DEFAULTS: Json = {"TargetOnDemandCapacity": 0, "TargetSpotCapacity": 0}
_FLEET_TYPE_DEFAULTS: Json = {"WeightedCapacity": 1, "BidPriceAsPercentageOfOnDemandPrice": 100}
_LIMIT_DEFAULTS: Json = {"MaximumOnDemandCapacityUnits": 0}
# Numbers for which the provider takes 0 for "not set".
_ZERO_IS_UNSET = {
    *("ebs_root_volume_size", "iops", "throughput", "block_duration_minutes"),
    *("bid_price_as_percentage_of_on_demand_price", "maximum_core_capacity_units"),
}
_CASES = {"classification": "Classification", "properties": "Properties", "configurations": "Configurations"}


def request_of(resource: Resource, context: Context) -> Json:
    """Returns the parameters of RunJobFlow that a cluster's arguments mean, without the resources that belong to it."""
    # The resource of a plan or a state has no provider, but the provider's tags among its own, as `tags_all`.
    of_provider = resource.provider.default_tags() if resource.provider else Values()
    return _Writer(context).cluster(resource.values, of_provider)


def add_part(params: Json, part: Resource, context: Context) -> None:
    """Puts an instance group, an instance fleet or a scaling policy into the request of its cluster."""
    writer = _Writer(context)
    if part.kind == "aws_emr_managed_scaling_policy":
        limits = writer.limits(part.values)
        params |= convert_scalars({"ManagedScalingPolicy": {"ComputeLimits": limits}}, input_shape())
    else:
        is_fleet = part.kind == "aws_emr_instance_fleet"
        member = "InstanceFleets" if is_fleet else "InstanceGroups"
        made = (writer.fleet if is_fleet else writer.group)(part.values, "TASK")
        shape = input_shape().members["Instances"].members[member].member
        params["Instances"].setdefault(member, []).append(convert_scalars(made, shape))
    context.note(f"{part.address} is part of the request: in Terraform it is a resource of its own")


def _distinct(items: list[Any]) -> list[Any]:
    """Returns the items of a set of the provider's, each once; they may be of another type than it wants."""
    return [one for index, one in enumerate(items) if one not in items[:index]]


def _as_values(value: Json) -> Values:
    if isinstance(value, Values):
        return value
    made = Values()
    made.update({key: item for key, item in value.items() if item is not None})
    return made


class _Writer:
    """Writes the members of a request; what is not taken over is a note."""

    def __init__(self, context: Context) -> None:
        self.context = context

    # --- single values ---

    def _is_unset(self, key: str, value: Any, place: str) -> bool:
        """Returns True if the provider treats a value as unset: an empty text, and for some a zero."""
        name = placeholder_name(value)
        known_value = self.context.known.get(name, value) if name else value
        empty = known_value == "" or (key in _ZERO_IS_UNSET and known_value in (0, "0"))
        if empty and name:
            shown = self.context.shown.get(name, name)
            self.context.note(
                f"{place}{key} is not set: {shown} is {json.dumps(known_value)}, which the provider does not send"
            )
        return empty

    def _members(self, block: Values, table: Table, where: str = "") -> Json:
        """Returns the arguments of a table; those that are neither in it nor in READ_APART are noted."""
        out = {}
        read_elsewhere = READ_APART.get(where, frozenset())
        for key, value in block.items():
            place = f"{block.places.get(key, block.place)}: ".removeprefix(": ")
            if key in table:
                if value is not None and not self._is_unset(key, value, place):
                    out[table[key]] = value
            elif key not in read_elsewhere and key not in COMPUTED:
                self.context.note(f"{place}{key} is not imported: it is not a known argument of the AWS provider")
        return out

    def _list(self, value: Any, what: str) -> list[Any]:
        """Returns a list whose elements are needed one by one."""
        made = self._known(value, what)
        return made if isinstance(made, list) else [] if made is None else [made]

    def _known(self, value: Any, what: str) -> Any:
        """Returns a value that has to be known here; of a placeholder with a note, and None where it can't be."""
        if not placeholder_name(value):
            return value
        try:
            made = self.context.fill_placeholders(value)
        except Unknown:
            self.context.note(f"{what} is not imported: only Terraform knows {self._source(value)}")
            return None
        self.context.note(f"{what} is taken from the value of {self._source(value)}")
        return made

    def _blocks(self, block: Values, key: str) -> list[Values]:
        """Returns the blocks of a name; they may be written as an attribute, whose value only Terraform may know."""
        place = self._place(block, key)
        found = [one for each in self._list(block.get(key), place) for one in self._list(each, place)]
        return [_as_values(one) for one in found if isinstance(one, dict)]

    def _block(self, block: Values, key: str) -> Values:
        """Returns the one block of a name, an empty one where there is none."""
        return next(iter(self._blocks(block, key)), Values())

    def _source(self, value: Any) -> str:
        """Returns the Terraform expression that a placeholder stands for."""
        name = placeholder_name(value) or ""
        described = str(self.context.names.variables[name].rules.get("description", ""))
        return self.context.shown.get(name, described.removeprefix("in Terraform: ") or name)

    def _place(self, block: Values, key: str) -> str:
        where = block.places.get(key, block.place)
        return f"{where}: {key}" if where else key

    # --- the cluster ---

    def cluster(self, body: Values, of_provider: Values) -> Json:
        members = self._members(body, {**CLUSTER, **INSTANCES}, "cluster")
        instances = {name: members.pop(name) for name in INSTANCES.values() if name in members}
        params: Json = {"Name": "imported", **_DEFAULTS, **members}
        params["Instances"] = self._instances(body, {**_INSTANCE_DEFAULTS, **instances})
        if "AdditionalInfo" in params:
            params["AdditionalInfo"] = _compact(params["AdditionalInfo"])
        applications = self._list(body.get("applications"), self._place(body, "applications"))
        tags = self._tags(self._block(of_provider, "default_tags"), "tags")
        tags |= self._tags(body, "tags_all") | self._tags(body, "tags")
        params |= members_that_are_set(
            JobFlowRole=self._block(body, "ec2_attributes").get("instance_profile"),
            # A set in the provider, so that doubles are sent once.
            Applications=[{"Name": one} for one in _distinct(applications)],
            Configurations=self._configurations(body),
            BootstrapActions=[self._action(one) for one in self._blocks(body, "bootstrap_action")],
            Steps=[self._step(one) for one in self._blocks(body, "step")],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            KerberosAttributes=self._members(self._block(body, "kerberos_attributes"), KERBEROS),
            AutoTerminationPolicy=self._members(self._block(body, "auto_termination_policy"), AUTO_TERMINATION),
            PlacementGroupConfigs=[
                self._members(one, PLACEMENT) for one in self._blocks(body, "placement_group_config")
            ],
        )
        made: Json = convert_scalars(params, input_shape())
        return made

    def _instances(self, body: Values, out: Json) -> Json:
        roles = (("master", "MASTER"), ("core", "CORE"))
        groups = [self.group(one, role) for word, role in roles for one in self._blocks(body, f"{word}_instance_group")]
        groups += [self.group(one, str(one.get("instance_role"))) for one in self._blocks(body, "instance_group")]
        fleets = [self.fleet(one, role) for word, role in roles for one in self._blocks(body, f"{word}_instance_fleet")]
        out |= members_that_are_set(InstanceGroups=groups, InstanceFleets=fleets) | self._old_instances(body)
        return out | self._ec2(self._block(body, "ec2_attributes"))

    def _ec2(self, block: Values) -> Json:
        out = self._members(block, EC2, "ec2_attributes")
        for key in [one for one in out if one.startswith("Additional")]:
            value = out[key]
            # In Terraform it is one text with commas.
            out[key] = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
        if isinstance(out.get("Ec2SubnetIds"), list):
            out["Ec2SubnetIds"] = _distinct(out["Ec2SubnetIds"])
        one, several = out.get("Ec2SubnetId"), out.get("Ec2SubnetIds")
        # A state has both, whichever was sent.
        if several in (None, [], [one]):
            out.pop("Ec2SubnetIds", None)
        else:
            out.pop("Ec2SubnetId", None)
        return out

    def _old_instances(self, body: Values) -> Json:
        """Returns the arguments of the provider before version 3."""
        if "master_instance_type" not in body:
            return {}
        count = 0
        try:
            count = to_whole(self.context.fill_placeholders(body.get("core_instance_count", 0)))
        except Unknown:
            self.context.note(f"{self._place(body, 'core_instance_count')} is not imported: it is not known here")
        core = body.get("core_instance_type", body["master_instance_type"])
        return {
            "MasterInstanceType": body["master_instance_type"],
            "SlaveInstanceType": core,
            "InstanceCount": count + 1,
        }

    # --- groups and fleets ---

    def group(self, block: Values, role: str) -> Json:
        """Returns an instance group."""
        members = self._members(block, GROUP, "group")
        market = "SPOT" if "BidPrice" in members else "ON_DEMAND"
        out = {"InstanceRole": role, "Market": market, "InstanceCount": 1, **members, **self._ebs(block)}
        return out | members_that_are_set(
            AutoScalingPolicy=self._json(block, "autoscaling_policy"),
            Configurations=self._json(block, "configurations_json"),
        )

    def _ebs(self, block: Values) -> Json:
        volumes = [
            {
                "VolumeSpecification": self._members(one, VOLUME, "ebs_config"),
                "VolumesPerInstance": one.get("volumes_per_instance", 1),
            }
            for one in self._blocks(block, "ebs_config")
        ]
        configuration = members_that_are_set(EbsBlockDeviceConfigs=volumes, EbsOptimized=block.get("ebs_optimized"))
        return members_that_are_set(EbsConfiguration=configuration)

    def fleet(self, block: Values, role: str) -> Json:
        """Returns an instance fleet."""
        out = {"InstanceFleetType": role, **_FLEET_DEFAULTS, **self._members(block, FLEET, "fleet")}
        types = [self._fleet_type(one) for one in self._blocks(block, "instance_type_configs")]
        launch = self._block(block, "launch_specifications")
        self._members(launch, {}, "launch_specifications")
        spot = self._members(self._block(launch, "spot_specification"), SPOT)
        on_demand = self._members(self._block(launch, "on_demand_specification"), ON_DEMAND)
        specifications = members_that_are_set(SpotSpecification=spot, OnDemandSpecification=on_demand)
        return out | members_that_are_set(InstanceTypeConfigs=types, LaunchSpecifications=specifications)

    def _fleet_type(self, block: Values) -> Json:
        # A percentage of 0 is sent as none; the default is sent where there is no argument.
        given = {FLEET_TYPE[key] for key, value in block.items() if key in FLEET_TYPE and value is not None}
        defaults = {member: value for member, value in _FLEET_TYPE_DEFAULTS.items() if member not in given}
        out = {**defaults, **self._members(block, FLEET_TYPE, "instance_type_configs")}
        if len(self._blocks(block, "ebs_config")) > 1:
            # Seen with provider 5.100: it sends the volumes of an instance type only with a single ebs_config.
            place = self._place(block, "ebs_config")
            self.context.note(
                f"{place}: all volumes are imported; Terraform's provider sends none where there are several"
            )
        found = [self._members(one, CONFIGURATION) for one in self._blocks(block, "configurations")]
        return out | self._ebs(block) | members_that_are_set(Configurations=found)

    def limits(self, block: Values) -> Json:
        """Returns the limits of a managed scaling policy."""
        self._members(block, {}, "managed scaling")
        return {**_LIMIT_DEFAULTS, **self._members(self._block(block, "compute_limits"), LIMITS)}

    # --- the rest ---

    def _action(self, block: Values) -> Json:
        self._members(block, {}, "bootstrap_action")
        args = self._list(block.get("args"), self._place(block, "args"))
        return {
            "Name": block.get("name"),
            "ScriptBootstrapAction": {"Path": block.get("path"), **members_that_are_set(Args=args)},
        }

    def _step(self, block: Values) -> Json:
        self._members(block, {}, "step")
        jar = self._block(block, "hadoop_jar_step")
        out = self._members(jar, JAR)
        # The provider leaves out arguments and values of properties that are empty (seen with 5.100).
        args = self._list(out.pop("Args", None), self._place(jar, "args"))
        out |= members_that_are_set(Args=[one for one in args if one != ""])
        properties = out.pop("Properties", None)
        if isinstance(properties, dict):
            pairs = [{"Key": key, "Value": properties[key]} for key in sorted(properties) if properties[key] != ""]
            out |= members_that_are_set(Properties=pairs)
        elif properties is not None:
            self.context.note(f"{self._place(jar, 'properties')} is not imported: only Terraform knows it")
        return {
            "Name": block.get("name"),
            **members_that_are_set(ActionOnFailure=block.get("action_on_failure")),
            "HadoopJarStep": out,
        }

    def _tags(self, block: Values, key: str) -> Json:
        tags = block.get(key)
        if placeholder_name(tags):
            source = self._source(tags)
            self.context.note(f"{self._place(block, key)} are not imported: only Terraform knows {source}")
        pairs = tags.items() if isinstance(tags, dict) else ()
        return {name: value for name, value in pairs if value is not None}

    def _configurations(self, body: Values) -> Any:
        if body.get("configurations_json") is not None:
            return self._json(body, "configurations_json")
        text = body.get("configurations")
        if not isinstance(text, str) or PLACEHOLDER.search(text):
            return self._json(body, "configurations")
        place = self._place(body, "configurations")
        if text.startswith("http"):
            self.context.note(f"{place} is not imported: the provider reads it from {text[:80]}")
            return None
        if not text.endswith(".json"):
            return self._json(body, "configurations")
        try:
            return json.loads(self.context.read(text))
        except (Unknown, ValueError):
            self.context.note(f"{place} is not imported: {text[:80]!r} is not a JSON file of the configuration")
            return None

    def _json(self, block: Values, key: str) -> Any:
        """Returns an argument that is JSON in a text, or in the value of a variable."""
        place = self._place(block, key)
        text = self._known(block.get(key), place)
        if not isinstance(text, str):
            return text
        try:
            return _capitalized(parse_json(text)) if text else None
        except (ValueError, RecursionError) as error:
            self.context.note(f"{place} is not imported: it is not JSON ({str(error)[:80]})")
            return None


def _capitalized(value: Any) -> Any:
    """Returns configurations, whose members the provider takes in any case, as the API spells them."""
    if isinstance(value, list):
        return [_capitalized(one) for one in value]
    if isinstance(value, dict) and any(key.lower() == "classification" for key in value):
        named = {_CASES.get(key.lower(), key): item for key, item in value.items()}
        inner = {"Configurations": _capitalized(named["Configurations"])} if "Configurations" in named else {}
        return {**named, **inner}
    return value


def _compact(text: str) -> str:
    """Returns JSON in a text as the provider rewrites it; a text with a placeholder is left."""
    try:
        return text if PLACEHOLDER.search(text) else jsonencode(json.loads(text))
    except ValueError:
        return text
