"""EMR's answers as objects, with the attributes they had in boto 2 (`boto.emr.emrobject`).

A field's attribute is its name in lower case and holds a string ("true", "3", "2014-01-24T01:21:21Z"), as it stood in
XML. It exists if the answer has the field. Attributes of lists and structures always exist; they are None if the answer
has none. `Fields` names the fields, `Parts` the lists and structures: element -> (attribute, maker).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, TypeAlias

from flowspec.boto_emr.resultset import ResultSet

_Parts: TypeAlias = "Mapping[str, tuple[str, Callable[[], Any]]]"


class EmrObject:
    """The base class: an object filled from an answer element by element (see `handler`)."""

    Fields: ClassVar[set[str]] = set()
    Parts: ClassVar[_Parts] = {}

    def __init__(self, connection: Any = None) -> None:
        self.connection = connection
        for attribute, _ in self.Parts.values():
            setattr(self, attribute, None)

    def startElement(self, name: str, attrs: Any, connection: Any) -> Any:  # noqa: ARG002 - boto 2's interface
        """Returns the object of a part; None for any other element."""
        if name not in self.Parts:
            return None
        attribute, make = self.Parts[name]
        setattr(self, attribute, make())
        return getattr(self, attribute)

    def endElement(self, name: str, value: str, connection: Any) -> None:  # noqa: ARG002 - boto 2's interface
        """Takes the text of a field."""
        if name in self.Fields:
            setattr(self, name.lower(), value)


class Arg(EmrObject):
    """An item of a list of texts: `value` is the text."""

    def __init__(self, connection: Any = None) -> None:
        super().__init__(connection)
        self.value: str | None = None

    def endElement(self, name: str, value: str, connection: Any) -> None:  # noqa: ARG002 - boto 2's interface
        """Takes the text."""
        self.value = value


class StepId(Arg):
    """The id of a step that was added."""


class SupportedProduct(Arg):
    """The name of a third party's product."""


class KeyValue(EmrObject):
    """A tag, or a Java property."""

    Fields: ClassVar = {"Key", "Value"}


def _list_of(item: Callable[..., Any]) -> Callable[[], ResultSet]:
    return partial(ResultSet, [("member", item)])


# --- the answers of calls that change something ---


class RunJobFlowResponse(EmrObject):
    """The answer of RunJobFlow."""

    Fields: ClassVar = {"JobFlowId"}


class AddInstanceGroupsResponse(EmrObject):
    """The answer of AddInstanceGroups. Several ids are one string, with commas."""

    Fields: ClassVar = {"InstanceGroupIds", "JobFlowId"}


class ModifyInstanceGroupsResponse(EmrObject):
    """The answer of ModifyInstanceGroups."""

    Fields: ClassVar = {"RequestId"}


class JobFlowStepList(EmrObject):
    """The answer of AddJobFlowSteps: the ids of the steps, in their order."""

    Parts: ClassVar = {"StepIds": ("stepids", _list_of(StepId))}


# --- DescribeJobFlows ---


class BootstrapAction(EmrObject):
    """A bootstrap action; DescribeJobFlows calls its script `path`, ListBootstrapActions `scriptpath`."""

    Fields: ClassVar = {"Args", "Name", "Path", "ScriptPath"}
    Parts: ClassVar = {"Args": ("args", _list_of(Arg))}


class Step(EmrObject):
    """A step of a job flow."""

    Fields: ClassVar = {
        "ActionOnFailure",
        "CreationDateTime",
        "EndDateTime",
        "Jar",
        "LastStateChangeReason",
        "MainClass",
        "Name",
        "StartDateTime",
        "State",
    }
    Parts: ClassVar = {
        "Args": ("args", _list_of(Arg)),
        "Properties": ("properties", _list_of(KeyValue)),
    }


class InstanceGroup(EmrObject):
    """An instance group of a job flow."""

    Fields: ClassVar = {
        "BidPrice",
        "CreationDateTime",
        "EndDateTime",
        "InstanceGroupId",
        "InstanceRequestCount",
        "InstanceRole",
        "InstanceRunningCount",
        "InstanceType",
        "LastStateChangeReason",
        "LaunchGroup",
        "Market",
        "Name",
        "ReadyDateTime",
        "StartDateTime",
        "State",
    }


class JobFlow(EmrObject):
    """A job flow: what was requested, and its state."""

    Fields: ClassVar = {
        "AmiVersion",
        "AvailabilityZone",
        "CreationDateTime",
        "Ec2KeyName",
        "EndDateTime",
        "HadoopVersion",
        "Id",
        "InstanceCount",
        "JobFlowId",
        "KeepJobFlowAliveWhenNoSteps",
        "LastStateChangeReason",
        "LogUri",
        "MasterInstanceId",
        "MasterInstanceType",
        "MasterPublicDnsName",
        "Name",
        "NormalizedInstanceHours",
        "ReadyDateTime",
        "RequestId",
        "SlaveInstanceType",
        "StartDateTime",
        "State",
        "TerminationProtected",
        "Type",
        "Value",
        "VisibleToAllUsers",
    }
    Parts: ClassVar = {
        "Steps": ("steps", _list_of(Step)),
        "InstanceGroups": ("instancegroups", _list_of(InstanceGroup)),
        "BootstrapActions": ("bootstrapactions", _list_of(BootstrapAction)),
        "SupportedProducts": ("supported_products", _list_of(SupportedProduct)),
    }


# --- the answers of calls on clusters ---


class ClusterTimeline(EmrObject):
    """The times at which a cluster, a group, an instance or a step was created, was ready and ended."""

    Fields: ClassVar = {"CreationDateTime", "ReadyDateTime", "EndDateTime"}


class ClusterStateChangeReason(EmrObject):
    """The reason for a state, as a code and a message."""

    Fields: ClassVar = {"Code", "Message"}


class ClusterStatus(EmrObject):
    """The state of a cluster, a group, an instance or a step."""

    Fields: ClassVar = {"State", "StateChangeReason", "Timeline"}
    Parts: ClassVar = {
        "Timeline": ("timeline", ClusterTimeline),
        "StateChangeReason": ("statechangereason", ClusterStateChangeReason),
    }


_STATUS = {"Status": ("status", ClusterStatus)}


class Ec2InstanceAttributes(EmrObject):
    """The EC2 settings of a cluster's instances: key pair, subnet, instance profile, security groups."""

    Fields: ClassVar = {"Ec2KeyName", "Ec2SubnetId", "Ec2AvailabilityZone", "IamInstanceProfile"}


class Application(EmrObject):
    """An application that a cluster has."""

    Fields: ClassVar = {"Name", "Version", "Args", "AdditionalInfo"}


class Cluster(EmrObject):
    """The answer of DescribeCluster."""

    Fields: ClassVar = {
        "Id",
        "Name",
        "LogUri",
        "RequestedAmiVersion",
        "RunningAmiVersion",
        "AutoTerminate",
        "TerminationProtected",
        "VisibleToAllUsers",
        "MasterPublicDnsName",
        "NormalizedInstanceHours",
        "ServiceRole",
    }
    Parts: ClassVar = {
        **_STATUS,
        "Ec2InstanceAttributes": ("ec2instanceattributes", Ec2InstanceAttributes),
        "Applications": ("applications", _list_of(Application)),
        "Tags": ("tags", _list_of(KeyValue)),
    }


class ClusterSummary(EmrObject):
    """An item of `ClusterSummaryList`."""

    Fields: ClassVar = {"Id", "Name", "NormalizedInstanceHours"}
    Parts: ClassVar = _STATUS

    # The parameter has no default, as in boto 2.
    def __init__(self, connection: Any) -> None:
        super().__init__(connection)


class ClusterSummaryList(EmrObject):
    """The answer of ListClusters; `marker` is where the next page starts."""

    Fields: ClassVar = {"Marker"}
    Parts: ClassVar = {"Clusters": ("clusters", _list_of(ClusterSummary))}

    # The parameter has no default, as in boto 2.
    def __init__(self, connection: Any) -> None:
        super().__init__(connection)


class StepConfig(EmrObject):
    """The command of a step."""

    Fields: ClassVar = {"Jar", "MainClass"}
    Parts: ClassVar = {
        "Properties": ("properties", _list_of(KeyValue)),
        "Args": ("args", _list_of(Arg)),
    }


class HadoopStep(EmrObject):
    """The answer of DescribeStep."""

    Fields: ClassVar = {"Id", "Name", "ActionOnFailure"}
    Parts: ClassVar = {"Config": ("config", StepConfig), **_STATUS}


class StepSummary(EmrObject):
    """An item of `StepSummaryList`."""

    Fields: ClassVar = {"Id", "Name"}
    Parts: ClassVar = {**_STATUS, "Config": ("config", StepConfig)}


class StepSummaryList(EmrObject):
    """The answer of ListSteps, the newest first."""

    Fields: ClassVar = {"Marker"}
    Parts: ClassVar = {"Steps": ("steps", _list_of(StepSummary))}


class InstanceGroupInfo(EmrObject):
    """An item of `InstanceGroupList`."""

    Fields: ClassVar = {
        "Id",
        "Name",
        "Market",
        "InstanceGroupType",
        "BidPrice",
        "InstanceType",
        "RequestedInstanceCount",
        "RunningInstanceCount",
    }
    Parts: ClassVar = _STATUS


class InstanceGroupList(EmrObject):
    """The answer of ListInstanceGroups."""

    Fields: ClassVar = {"Marker"}
    Parts: ClassVar = {"InstanceGroups": ("instancegroups", _list_of(InstanceGroupInfo))}


class InstanceInfo(EmrObject):
    """An item of `InstanceList`."""

    Fields: ClassVar = {
        "Id",
        "Ec2InstanceId",
        "PublicDnsName",
        "PublicIpAddress",
        "PrivateDnsName",
        "PrivateIpAddress",
    }
    Parts: ClassVar = _STATUS


class InstanceList(EmrObject):
    """The answer of ListInstances."""

    Fields: ClassVar = {"Marker"}
    Parts: ClassVar = {"Instances": ("instances", _list_of(InstanceInfo))}


class BootstrapActionList(EmrObject):
    """The answer of ListBootstrapActions."""

    Fields: ClassVar = {"Marker"}
    Parts: ClassVar = {"BootstrapActions": ("actions", _list_of(BootstrapAction))}
