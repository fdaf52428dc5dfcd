"""Which steps of a request are added to a cluster, by those that are there."""

import pytest

from flowspec.facts.limits import MAX_STEPS_LISTED
from flowspec.plan.cluster import Cluster, Live, Step
from flowspec.plan.steps import compare_steps, step_identity, surviving_steps


def config(name):
    return {"Name": name, "HadoopJarStep": {"Jar": "a.jar"}}


def cluster(*steps):
    """A cluster with steps, each as its name and state."""
    there = tuple(Step(f"s-{number}", name, state) for number, (name, state) in enumerate(steps))
    return Cluster("j-1", "flow", "WAITING", steps=there, live=Live({"Steps": [config(one.name) for one in there]}))


@pytest.mark.parametrize(
    ("steps", "options", "field", "indexes"),
    [
        ([("one", "CANCEL_PENDING")], {}, "awaits", [0]),
        ([("one", "FAILED"), ("one", "COMPLETED")], {}, "failed", []),
        ([("one", "COMPLETED")], {}, "failed", []),
        ([("two", "COMPLETED")] * MAX_STEPS_LISTED, {}, "unknown", [0]),
        ([("two", "COMPLETED")] * MAX_STEPS_LISTED, {"known": True}, "unknown", []),
        ([("two", "RUNNING")], {"omitted": [config("two")]}, "under_way", [True]),
        ([("two", "COMPLETED")], {"omitted": [config("two")]}, "under_way", [False]),
        ([("one", "COMPLETED")], {}, "awaits", []),
        ([("two", "COMPLETED"), ("two", "FAILED")], {}, "extra", []),
        ([("one", "PENDING")], {"rerun": ["failed"]}, "awaits", [0]),
        ([("one", "RUNNING")], {"rerun": ["failed"]}, "awaits", [0]),
        ([("one", "COMPLETED")], {"rerun": ["failed"]}, "add", []),
        ([("one", "CANCELLED")], {"rerun": ["failed"]}, "add", [0]),
        ([("one", "COMPLETED")], {"rerun": ["one"]}, "add", [0]),
        ([("two", "COMPLETED")] * MAX_STEPS_LISTED, {"rerun": ["one"]}, "add", [0]),
        ([("one", "RUNNING")], {"selected": [0]}, "add", []),
        ([("one", "COMPLETED")], {"selected": [0]}, "add", [0]),
        ([("one", "COMPLETED")], {"selected": [1]}, "add", []),
        ([("one", "RUNNING"), *[("two", "COMPLETED")] * MAX_STEPS_LISTED], {}, "awaits", [0]),
    ],
)
def test_what_becomes_of_a_step(steps, options, field, indexes):
    there = cluster(*steps)
    found = getattr(compare_steps([config("one")], there, **{"rerun": (), **options}), field)
    assert list(found) == ([there.steps[index] for index in indexes] if field in {"awaits", "failed"} else indexes)


def test_attempts_that_a_later_one_repeats_are_left_out_in_the_order_of_the_rest():
    there = cluster(("one", "FAILED"), ("two", "COMPLETED"), ("one", "COMPLETED"))
    assert [step.id for _, step in surviving_steps(there)] == ["s-1", "s-2"]


def test_properties_in_another_order_are_the_same():
    pairs = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    one, other = ({"HadoopJarStep": {"Jar": "a.jar", "Properties": given}} for given in (pairs, pairs[::-1]))
    assert step_identity(one) == step_identity(other)


@pytest.mark.parametrize(
    "other",
    [
        {"Name": "two"},
        {"Jar": "b.jar"},
        {"MainClass": "b.Main"},
        {"Args": ["--fast", "x"]},
        {"Properties": [{"Key": "a", "Value": "2"}]},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_makes_another_step(other):
    runs = {"Jar": "a.jar", "MainClass": "a.Main", "Args": ["x", "--fast"], "Properties": [{"Key": "a", "Value": "1"}]}
    one, two = ({"Name": "one", "HadoopJarStep": runs}, {"Name": "one", "HadoopJarStep": {**runs, **other}})
    two |= {"Name": other["Name"], "HadoopJarStep": runs} if "Name" in other else {}
    assert step_identity(one) != step_identity(two)


def test_an_empty_main_class_is_none():
    one = config("one")
    assert step_identity({**one, "HadoopJarStep": {**one["HadoopJarStep"], "MainClass": ""}}) == step_identity(one)
