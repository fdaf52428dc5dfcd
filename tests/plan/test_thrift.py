"""A plan asks EMR little: one ListClusters for 50 active clusters, and seven calls for one that matches."""

import json
from collections import Counter

import pytest

from flowspec.cli import run
from tests.endpoints import NIGHTLY, way_to_embedded
from tests.plan.conftest import GROUPS

SPEC = (
    NIGHTLY
    + """\
keep_alive: true
master_instance_type: m5.xlarge
num_instances: 1
steps: [{name: one, type: command, args: ["true"], on_failure: CONTINUE}]
"""
)
OF_A_MATCHING_ONE = [
    "ListClusters",
    "DescribeCluster",
    "ListSteps",
    "ListInstanceGroups",
    "ListBootstrapActions",
    "GetManagedScalingPolicy",
    "GetAutoTerminationPolicy",
]


@pytest.fixture
def way(tmp_path, credentials):
    with way_to_embedded(tmp_path / "emr") as way:
        yield way


@pytest.fixture
def calls_of(way, tmp_path, monkeypatch, capsys):
    """Runs a command line; gives the calls that it made and what it printed to stdout."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.yaml").write_text(SPEC)

    def made(command, *options):
        way.seen.clear()
        capsys.readouterr()
        assert run([command, "job.yaml", "--endpoint-url", way.url, *options]) == 0
        return Counter(way.seen), capsys.readouterr().out

    return made


def start(way, count, name):
    roles = {"ServiceRole": "EMR_DefaultRole", "JobFlowRole": "EMR_EC2_DefaultRole"}
    return [
        way.service.call("RunJobFlow", {**GROUPS, **roles, "Name": name.format(number)})["JobFlowId"]
        for number in range(count)
    ]


@pytest.mark.parametrize(("alive", "pages"), [(0, 1), (50, 1), (200, 4)])
def test_a_plan_where_none_matches(way, calls_of, alive, pages):
    start(way, alive, "other {}")
    assert calls_of("plan")[0] == Counter({"ListClusters": pages})


def test_a_plan_where_one_matches(way, calls_of):
    calls_of("apply", "--detach")
    assert calls_of("plan", "--exit-code")[0] == Counter(OF_A_MATCHING_ONE)
    start(way, 50, "other {}")
    assert calls_of("plan", "--exit-code")[0] == Counter(OF_A_MATCHING_ONE) + Counter({"ListClusters": 1})


def test_only_namesakes_are_described(way, calls_of):
    start(way, 40, "other {}")
    namesakes = start(way, 2, "nightly")
    called, printed = calls_of("plan", "--format", "json")
    assert called == Counter({"ListClusters": 1, "DescribeCluster": 2})
    assert [note.split()[1] for note in json.loads(printed)["notes"]] == namesakes
