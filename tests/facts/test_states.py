"""The states of facts.states are those of botocore's model."""

from flowspec.facts import states
from flowspec.facts.api_model import shape_for


def enum(shape):
    return set(shape_for(shape).enum)


def test_the_states_are_all_and_only_those_of_the_model():
    assert {*states.ALIVE, *states.ENDED} == enum("ClusterState") == set(states.OF_CLUSTER)
    assert {*states.ACTIVE_STEPS, *states.ENDED_STEPS} == enum("StepState")
    assert set(states.OF_CLUSTER.values()) <= enum("InstanceGroupState") & enum("InstanceFleetState")
