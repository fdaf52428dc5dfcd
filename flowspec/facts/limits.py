"""The numbers of Amazon EMR: how many, how large, how long. Each row names its source.

They are read by the rules (`flowspec.facts.rules`), which `validate` and the embedded EMR share, by the
compiler and by the operations of the embedded EMR.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Limit(NamedTuple):
    """An inclusive range of a number, its unit, and where EMR documents it."""

    least: int
    most: int
    unit: str
    source: str

    def admits(self, value: float) -> bool:
        """Returns True if `value` is within the range."""
        return self.least <= value <= self.most


# Constants that bound a count. Plain integers, because they are used in arithmetic and messages.

MAX_STEPS = 256
"""Steps in one RunJobFlow or AddJobFlowSteps, and steps of a cluster that have not ended (botocore, RunJobFlow)."""

MAX_STEP_CHARACTERS = 10_240
"""Characters of all strings of one HadoopJarStep together (botocore, AddJobFlowSteps)."""

MAX_BOOTSTRAP_ACTIONS = 16
"""Bootstrap actions of a cluster (EMR Management Guide, bootstrap actions)."""

MAX_TAGS = 50
"""Tags of a cluster (EC2 tag restrictions, which the EMR Management Guide refers to)."""

MAX_TASK_GROUPS = 48
"""TASK instance groups of a cluster (EMR Management Guide, resizing a cluster)."""

MAX_INSTANCES = 2000
"""Instances of one group or fleet (Service Quotas, instances per instance group)."""

MAX_VOLUMES = 25
"""EBS volumes of one instance (EMR Management Guide, instance storage)."""

MAX_FLEET_TYPES, MAX_FLEET_TYPES_BY_STRATEGY = 5, 30
"""Instance types of a fleet, without and with an allocation strategy (EMR Management Guide, instance fleets)."""

MAX_TERMINATED_AT_ONCE = 10
"""JobFlowIds of one TerminateJobFlows (botocore)."""

MAX_STEPS_LISTED = 1000
"""ListSteps shows the latest steps of a cluster, so many in all (Yelp/mrjob#1462)."""

MAX_STEP_IDS_LISTED = 10
"""StepIds of one ListSteps (botocore)."""

LISTED_DAYS, MAX_LISTED = 30, 2000
"""ListInstances shows the instances that live or ended in so many days, and no more in all (botocore)."""

MASTER_COUNTS = (1, 3)
"""Instances of the MASTER group: one, or three for high availability (EMR Management Guide)."""

UTILIZATION_INDEXES = (1, 25, 50, 75, 100)
"""Values of UtilizationPerformanceIndex (botocore, ManagedScalingPolicy)."""

METRICS_PERIOD = 300
"""Seconds between two values of EMR's own CloudWatch metrics (botocore, CloudWatchAlarmDefinition)."""

ROOT_VOLUME_IOPS_PER_GIB = 500
"""IOPS of a root volume for each GiB of its size (EMR Management Guide, root volumes)."""

ROOT_VOLUME_IOPS_PER_MIB = 4
"""IOPS that a root volume needs for each MiB/s of throughput (EMR Management Guide, root volumes)."""

CONCURRENCY = Limit(1, MAX_STEPS, "steps", "botocore, RunJobFlow: StepConcurrencyLevel")
IDLE_TIMEOUT = Limit(60, 604_800, "seconds", "botocore, AutoTerminationPolicy: one minute to seven days")
LAUNCH_TIMEOUT = Limit(5, 1440, "minutes", "botocore, SpotProvisioningSpecification")
RESIZE_TIMEOUT = Limit(5, 10_080, "minutes", "botocore, SpotResizingSpecification, OnDemandResizingSpecification")
TAG_KEY = Limit(1, 128, "characters", "botocore, Tag")
TAG_VALUE = Limit(0, 256, "characters", "botocore, Tag")
VOLUME_SIZE = Limit(1, 1024, "GiB", "botocore, VolumeSpecification")
OPTIMIZED_VOLUME_SIZE = Limit(10, 1024, "GiB", "botocore, VolumeSpecification: 10 GiB when EBS-optimized")
VOLUME_THROUGHPUT = Limit(125, 1000, "MiB/s", "botocore, VolumeSpecification")
ROOT_VOLUME_SIZE = Limit(1, 100, "GiB", "EMR Management Guide, root volumes")
ROOT_VOLUME_IOPS = Limit(3000, 16_000, "IOPS", "EMR Management Guide, root volumes")
ROOT_VOLUME_THROUGHPUT = Limit(125, 1000, "MiB/s", "EMR Management Guide, root volumes")

BID_PRICE = re.compile(r"\d+(\.\d*)?|\.\d+", re.ASCII)
"""A bid: an amount in US dollars, as text (botocore, InstanceGroupConfig; mrjob)."""

# What EMR takes where an automatic scaling policy leaves it open (API: CloudWatchAlarmDefinition and
# SimpleScalingPolicyConfiguration).
ALARM_DEFAULTS = {"EvaluationPeriods": 1, "Namespace": "AWS/ElasticMapReduce", "Statistic": "AVERAGE"}
COOL_DOWN_DEFAULT = {"CoolDown": 0}
