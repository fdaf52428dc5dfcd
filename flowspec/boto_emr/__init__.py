"""boto 2's `boto.emr` on today's EMR or on the embedded EMR, with the same names.

    from flowspec.boto_emr import EmrConnection, StreamingStep      # was: from boto.emr import ...

The modules are those of boto: `connection`, `step`, `bootstrap_action`, `instance_group` and `emrobject`,
with what `boto.exception`, `boto.regioninfo`, `boto.resultset` and `boto.handler` had to do with EMR. They use the
same code as specs: steps are built by `flowspec.request.steps`, and the connection is that of
`flowspec.backend.aws.client`. The guide in examples/boto-emr lists what was fixed.
"""

from __future__ import annotations

from typing import Any

from flowspec.boto_emr.bootstrap_action import BootstrapAction
from flowspec.boto_emr.connection import EmrConnection
from flowspec.boto_emr.emrobject import (
    AddInstanceGroupsResponse,
    Application,
    Arg,
    BootstrapActionList,
    Cluster,
    ClusterStateChangeReason,
    ClusterStatus,
    ClusterSummary,
    ClusterSummaryList,
    ClusterTimeline,
    Ec2InstanceAttributes,
    EmrObject,
    HadoopStep,
    InstanceGroupInfo,
    InstanceGroupList,
    InstanceInfo,
    InstanceList,
    JobFlow,
    JobFlowStepList,
    KeyValue,
    ModifyInstanceGroupsResponse,
    RunJobFlowResponse,
    StepConfig,
    StepId,
    StepSummary,
    StepSummaryList,
    SupportedProduct,
)
from flowspec.boto_emr.exception import BotoClientError, BotoServerError, EmrResponseError
from flowspec.boto_emr.instance_group import InstanceGroup
from flowspec.boto_emr.regioninfo import RegionInfo
from flowspec.boto_emr.step import (
    HiveBase,
    HiveStep,
    InstallHiveStep,
    InstallPigStep,
    JarStep,
    PigBase,
    PigStep,
    ScriptRunnerStep,
    Step,
    StreamingStep,
)

__all__ = [
    "AddInstanceGroupsResponse",
    "Application",
    "Arg",
    "BootstrapAction",
    "BootstrapActionList",
    "BotoClientError",
    "BotoServerError",
    "Cluster",
    "ClusterStateChangeReason",
    "ClusterStatus",
    "ClusterSummary",
    "ClusterSummaryList",
    "ClusterTimeline",
    "Ec2InstanceAttributes",
    "EmrConnection",
    "EmrObject",
    "EmrResponseError",
    "HadoopStep",
    "HiveBase",
    "HiveStep",
    "InstallHiveStep",
    "InstallPigStep",
    "InstanceGroup",
    "InstanceGroupInfo",
    "InstanceGroupList",
    "InstanceInfo",
    "InstanceList",
    "JarStep",
    "JobFlow",
    "JobFlowStepList",
    "KeyValue",
    "ModifyInstanceGroupsResponse",
    "PigBase",
    "PigStep",
    "RegionInfo",
    "RunJobFlowResponse",
    "ScriptRunnerStep",
    "Step",
    "StepConfig",
    "StepId",
    "StepSummary",
    "StepSummaryList",
    "StreamingStep",
    "SupportedProduct",
    "connect_emr",
    "connect_to_region",
    "regions",
]


def connect_emr(
    aws_access_key_id: str | None = None, aws_secret_access_key: str | None = None, **kwargs: Any
) -> EmrConnection:
    """Returns an EmrConnection, as `boto.connect_emr` did. `kwargs` are EmrConnection's."""
    return EmrConnection(aws_access_key_id, aws_secret_access_key, **kwargs)


def regions() -> list[RegionInfo]:
    """Returns the regions that have EMR, by the installed AWS SDK."""
    from flowspec.backend.aws import client

    return [
        RegionInfo(name=name, endpoint=host, connection_cls=EmrConnection) for name, host in client.regions().items()
    ]


def connect_to_region(region_name: str, **kw_params: Any) -> EmrConnection | None:
    """Returns a connection to the EMR of a region; None for a region that has none. `kw_params` are EmrConnection's."""
    connection: EmrConnection | None = next(
        (region.connect(**kw_params) for region in regions() if region.name == region_name), None
    )
    return connection
