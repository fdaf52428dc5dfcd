"""The embedded EMR without workers, reached by the client that an apply uses, and requests to send to it."""

import json
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import pytest

from flowspec import compile, validate
from flowspec.backend.aws.client import Clients, Emr, Endpoint
from flowspec.backend.aws.observe import read_back
from flowspec.backend.aws.submission.apply import apply
from flowspec.document.job_flow import JobFlow
from flowspec.emulator.api.service import Service
from flowspec.emulator.in_process import EmbeddedClient, offline_session
from flowspec.emulator.state import lifecycle
from flowspec.emulator.state.store import Store
from flowspec.plan.compare import make_plan
from flowspec.request.compile import Request
from tests.specs import rendered


class Recording(Emr):
    """A connection that keeps the names of the operations it has called."""

    def __init__(self, service):
        client = EmbeddedClient(service)
        super().__init__(Endpoint("local"), Clients(client, client, offline_session))
        self.service, self.seen = service, []

    def call(self, operation, **params):
        self.seen.append(operation)
        return super().call(operation, **params)

    def create(self, operation, **params):
        self.seen.append(operation)
        return super().create(operation, **params)

    def put_in_state(self, cluster_id, state):
        """Moves a cluster, which has no worker that would."""
        with Store(self.service.home) as store, store.writing():
            lifecycle.set_state(store, store.get("cluster", cluster_id), state)

    def put_step_in_state(self, step_id, state):
        self.put_steps_in_state([step_id], state)

    def put_steps_in_state(self, step_ids, state):
        with Store(self.service.home) as store, store.writing():
            for step_id in step_ids:
                step = store.get("step", step_id)
                step.state = state
                store.save(step)


@pytest.fixture
def emr(tmp_path, monkeypatch, no_worker):
    monkeypatch.setenv("FLOWSPEC_HOME", str(tmp_path / "home"))
    service = Service(tmp_path / "home", start_worker=no_worker, account_rules=False)
    # SQLite syncs its files to the disk whenever the last connection to them is closed.
    with Store(service.home):
        yield Recording(service)


def job_flow(name="nightly", target="prod", **fields):
    document = SimpleNamespace(nearest=lambda path: None)
    return JobFlow(
        name, target, "local", "us-east-1", None, None, None, Path("nightly.yaml"), fields, document=document
    )


def planned(params, cluster=None, *, secrets=frozenset(), **options):
    """The plan of a RunJobFlow request, as if a spec had been compiled to it."""
    request = Request((), params, frozenset(secrets))
    return make_plan(job_flow(), request, cluster, **options)


def observed(emr, cluster_id):
    return read_back(emr, cluster_id)


# -- requests, and how to change them

MASTER = {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}
CORE = {"InstanceRole": "CORE", "InstanceType": "m5.xlarge", "InstanceCount": 2, "Name": "core"}
TASK = {"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 2, "Name": "more"}
TYPES = [{"InstanceType": "m5.xlarge", "WeightedCapacity": 1}, {"InstanceType": "r5.xlarge", "WeightedCapacity": 2}]
CORE_FLEET = {"InstanceFleetType": "CORE", "TargetOnDemandCapacity": 2, "InstanceTypeConfigs": TYPES, "Name": "core"}
TASK_FLEET = {"InstanceFleetType": "TASK", "TargetSpotCapacity": 2, "InstanceTypeConfigs": [dict(TYPES[0])]}
MASTER_FLEET = {
    "InstanceFleetType": "MASTER",
    "TargetOnDemandCapacity": 1,
    "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge"}],
}
SPARK = [{"Classification": "spark-defaults", "Properties": {"a": "1"}}]
SPARK_TOO = [{"Classification": "spark-defaults", "Properties": {"a": "2"}}]
STEP = {"Name": "one", "ActionOnFailure": "CONTINUE", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]}}
LIMITS = {"UnitType": "Instances", "MinimumCapacityUnits": 2, "MaximumCapacityUnits": 4}
RULE = {
    "Name": "up",
    "Action": {"SimpleScalingPolicyConfiguration": {"ScalingAdjustment": 1}},
    "Trigger": {
        "CloudWatchAlarmDefinition": {
            "ComparisonOperator": "LESS_THAN",
            "MetricName": "YARNMemoryAvailablePercentage",
            "Period": 300,
            "Threshold": 15.0,
        }
    },
}
SCALING = {"Constraints": {"MinCapacity": 1, "MaxCapacity": 5}, "Rules": [RULE]}
SPOT = {"SpotResizeSpecification": {"TimeoutDurationMinutes": 10}}

GROUPS = {
    "Name": "nightly",
    "ReleaseLabel": "emr-7.5.0",
    "Instances": {
        "InstanceGroups": [MASTER, CORE, TASK],
        "KeepJobFlowAliveWhenNoSteps": True,
        "TerminationProtected": False,
        "UnhealthyNodeReplacement": True,
    },
    "Steps": [STEP],
    "StepConcurrencyLevel": 1,
    "Tags": [{"Key": "team", "Value": "search"}],
}
FLEETS = {
    **GROUPS,
    "Instances": {"InstanceFleets": [MASTER_FLEET, CORE_FLEET, TASK_FLEET], "KeepJobFlowAliveWhenNoSteps": True},
}


def changed(base, path, value):
    """A copy of a request with another value at a path; None takes it away."""
    out = deepcopy(base)
    *owners, last = path
    at = out
    for owner in owners:
        at = at[owner]
    if value is None:
        del at[last]
    elif isinstance(at, list) and last == len(at):
        at.append(value)
    else:
        at[last] = value
    return out


def group(index, *path):
    return ("Instances", "InstanceGroups", index, *path)


def fleet(index, *path):
    return ("Instances", "InstanceFleets", index, *path)


def running(emr, params):
    """A cluster that an apply of this request has made, and that is at work."""
    applied = apply(planned(params), emr, sleep=lambda _: None)
    emr.put_in_state(applied.cluster_id, "WAITING")
    emr.seen.clear()
    return applied.cluster_id


@pytest.fixture
def flow_of(tmp_path):
    """Gives the job flow and the request of a spec, which is given as data."""

    def made(spec):
        flow = validate(rendered(tmp_path, json.dumps(spec)))
        return flow, compile(flow)

    return made
