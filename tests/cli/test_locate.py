"""Which cluster a command is about, where the spec or a name is given."""

import pytest

from flowspec.backend.aws.client import Endpoint
from flowspec.cli.locate import _find_by_name, _find_latest
from flowspec.cli.specs import Identity
from flowspec.plan.cluster import FLOW_TAG
from tests.plan.conftest import emr  # noqa: F401 - a fixture

GROUPS = [{"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}]


@pytest.fixture
def run(emr):  # noqa: F811
    """Makes a cluster of the flow `nightly` in a state; returns its id."""

    def make(state):
        tags = [{"Key": FLOW_TAG, "Value": "nightly"}]
        request = {
            "Name": "nightly",
            "ReleaseLabel": "emr-7.5.0",
            "Instances": {"InstanceGroups": GROUPS},
            "Tags": tags,
        }
        made = emr.call("RunJobFlow", **request)["JobFlowId"]
        emr.put_in_state(made, state)
        return made

    return make


@pytest.mark.parametrize("find", [_find_latest, _find_by_name])
def test_a_cluster_that_is_ending_is_found(emr, run, find):  # noqa: F811
    """On AWS it is TERMINATING for minutes, in which `wait`, `status` and `logs` are wanted."""
    run("TERMINATED")
    ending = run("TERMINATING")
    if find is _find_latest:
        assert _find_latest(emr, Identity("nightly", "", "nightly", Endpoint("local"), frozenset(), ("n.yaml",))) == [
            ending
        ]
    else:
        assert _find_by_name(emr, "nightly", ours=True) == ending
