"""Which group of a cluster is which of the request: by role, and task groups by all that tells them apart."""

import pytest

from flowspec.plan.comparison.groups import match_groups
from tests.plan.conftest import CORE, MASTER, SCALING, TASK

BARE = {"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 0}


def volumes(**speed):
    return {"EbsBlockDeviceConfigs": [{"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": 99, **speed}}]}


def task(count, **members):
    return {**TASK, "InstanceCount": count, **members}


def bare(count, **members):
    return {**BARE, "InstanceCount": count, **members}


GROWS = {"AutoScalingPolicy": SCALING}
WAITS = {"AutoScalingPolicy": {**SCALING, "Constraints": {"MinCapacity": 0, "MaxCapacity": 9}}}
OWN = {"CustomAmiId": "ami-1"}
CASES = {
    "roles": ([MASTER, CORE], [CORE, MASTER], {0: 1, 1: 0}),
    "a core group is no task group": ([MASTER, bare(2)], [MASTER, CORE], {0: 0}),
    "another name": ([task(2, Name="other")], [task(2)], {}),
    "another type": ([task(2, InstanceType="r5.xlarge")], [task(2)], {}),
    "one that has instances goes first": ([task(3)], [task(0), task(2)], {0: 1}),
    "the earlier one of equals": ([task(3)], [task(2), task(2)], {0: 0}),
    "policies and sizes": ([task(2, **GROWS), task(3, **GROWS)], [task(3, **GROWS), task(2, **GROWS)], {0: 1, 1: 0}),
    "policies alone": ([task(5, **GROWS), task(6)], [task(3), task(4, **GROWS)], {0: 1, 1: 0}),
    "policies before sizes": ([task(2, **GROWS), task(3, **WAITS)], [task(2, **WAITS), task(3, **GROWS)], {0: 1, 1: 0}),
    "sizes alone": ([task(2, **GROWS), task(3, **GROWS)], [task(3, **WAITS), task(2, **WAITS)], {0: 1, 1: 0}),
    "sizes of volumes": ([bare(0), bare(4, EbsConfiguration=volumes())], [bare(0), bare(4, EbsConfiguration=volumes())],
                         {0: 0, 1: 1}),
    "what states more chooses first": ([bare(1), bare(2, **OWN)], [bare(8, **OWN), bare(9)], {0: 1, 1: 0}),
    "volumes that state more": (
        [bare(1, EbsConfiguration=volumes()), bare(2, EbsConfiguration=volumes(Iops=4000))],
        [bare(8, EbsConfiguration=volumes(Iops=4000)), bare(9, EbsConfiguration=volumes(Iops=3000))],
        {0: 1, 1: 0},
    ),
    "names before what has none": ([bare(2), bare(3, Name="x")], [bare(2, Name="x"), bare(3, Name="y")], {0: 1, 1: 0}),
    "names from the service": (
        [bare(2, **GROWS), bare(3)], [bare(3, Name="Task instance group"), bare(2, Name="Task instance group", **GROWS)],
        {0: 1, 1: 0},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("wanted", "there", "pairs"), list(CASES.values()), ids=list(CASES))
def test_groups_are_paired(wanted, there, pairs):
    live = [{"Market": "ON_DEMAND", **one} for one in there]
    assert match_groups(wanted, live) == pairs
