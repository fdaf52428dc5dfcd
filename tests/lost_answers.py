"""Submissions by a way on which any call may fail, and a count of what becomes of them."""

import itertools
import random
import time
from collections import Counter
from contextlib import contextmanager
from types import SimpleNamespace
from unittest import mock

from flowspec.backend.aws import client
from flowspec.backend.aws.client import Endpoint, connect
from flowspec.backend.aws.submission.apply import apply
from flowspec.backend.aws.submission.change import add
from flowspec.errors import FlowspecError
from flowspec.plan.changes import ApiCall, Plan
from tests.endpoints import FaultyWay, serving

# A tenth of each in ten faults: lost before and after the call, cut short, errors of EMR and of a proxy, throttling.
KINDS = (
    "dropped",
    "lost",
    "truncated",
    "cut",
    "late",
    ("after", 500),
    ("after", 503),
    (500, "InternalServerException"),
    (400, "InternalServerError"),
    (400, "ThrottlingException"),
)
# Each kind of lost answer alone, and all of KINDS together.
LOADS = {
    "dropped after the call": ("lost",),
    "200 cut short": ("truncated", "cut"),
    "500 or 503 after the call": (("after", 500), ("after", 503)),
    "throttled": ((400, "ThrottlingException"),),
    "later than the read timeout": ("late",),
    "all of these and more": KINDS,
}
GROUP = {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}
BASH = {"Jar": "command-runner.jar", "Args": ["bash", "-c", "true"]}


def drawing(seed, probability, kinds=KINDS):
    """Draws faults with a fixed seed: a call fails with this probability, each kind as often as the others."""
    rng = random.Random(seed)
    return lambda: rng.choice(kinds) if rng.random() < probability else None


def timing_out(way):
    """Ends the client's patience with an answer that is late, and with no other.

    By a clock, a slow machine's other answers would be late as well: of 0.2 s that was seen.
    """
    from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
    from botocore.httpsession import URLLib3Session

    send = URLLib3Session.send

    def send_in_time(session, request):
        try:
            return send(session, request)
        except ConnectionClosedError as error:
            if not way.is_late:
                raise
            way.is_late = False
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from error

    return mock.patch.object(URLLib3Session, "send", send_in_time)


@contextmanager
def faulty_connection(port, draw):
    """A connection to the EMR at `port` by a faulty way; nothing waits between two attempts of a call."""
    import boto3

    way = FaultyWay(port, draw)
    session = boto3.session.Session("testing", "testing", region_name="us-east-1")
    quick = SimpleNamespace(time=time.time, sleep=lambda _: None)
    with (
        serving(way),
        timing_out(way),
        mock.patch("botocore.endpoint.time", quick),
        mock.patch.object(client, "time", quick),
    ):
        yield way, connect(Endpoint("emr", "us-east-1", endpoint_url=way.url), session)


def plan_of(name):
    request = {
        "Name": name,
        "ReleaseLabel": "emr-7.5.0",
        "Instances": {"InstanceGroups": [GROUP], "KeepJobFlowAliveWhenNoSteps": True},
        "JobFlowRole": "EMR_EC2_DefaultRole",
        "ServiceRole": "EMR_DefaultRole",
    }
    return Plan(name, "prod", "d" * 64, f"{name}.yaml", request, calls=(ApiCall("RunJobFlow", request),))


def submit(plan, emr):
    return apply(plan, emr, sleep=lambda _: None).cluster_id


def submit_all(port, count, draw, *, by=submit):
    """Submits `count` flows; returns the outcome of each: the id of its cluster, or the error."""
    with faulty_connection(port, draw) as (_, emr):
        outcomes = {}
        for number in range(count):
            name = f"flow-{number:04}"
            try:
                outcomes[name] = by(plan_of(name), emr)
            except FlowspecError as error:
                outcomes[name] = error
        return outcomes


def judged(outcomes, clusters):
    """Counts duplicates, orphans and losses. `clusters` are (id, name, submission tag) of all that run.

    A duplicate is a second cluster of a flow; an orphan is a cluster that neither the result nor the error of its
    submission names, by its id or its tag; `said` are errors, `lost` is a flow without a cluster and without an error.
    """
    counts = Counter(duplicates=0, orphans=0, lost=0, said=0)
    names = Counter(name for _, name, _ in clusters)
    counts["duplicates"] = sum(number - 1 for number in names.values())
    for id_, name, tag in clusters:
        outcome = outcomes[name]
        told = outcome if isinstance(outcome, str) else f"{outcome} {getattr(outcome, 'remedy', '')}"
        counts["orphans"] += id_ not in told and not (tag and tag in told)
    for name, outcome in outcomes.items():
        counts["said"] += not isinstance(outcome, str)
        counts["lost"] += isinstance(outcome, str) and not names[name]
    return counts


def running(emr):
    """(id, name, submission tag) of the clusters that are alive."""
    states = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]
    found = []
    for one in emr.pages("ListClusters", "Clusters", ClusterStates=states):
        tags = emr.call("DescribeCluster", ClusterId=one["Id"])["Cluster"].get("Tags", ())
        submission = next((tag["Value"] for tag in tags if tag["Key"] == "flowspec:submission"), "")
        found.append((one["Id"], one["Name"], submission))
    return found


def add_all(port, emr, count, draw, *, by=add):
    """Adds `count` steps of one form and ten groups to a cluster; returns (ids told, ids there, errors)."""
    group = {**GROUP, "InstanceRole": "TASK"}
    made = emr.call(
        "RunJobFlow",
        Name="long",
        # EMR adds task groups only where there is a core group.
        Instances={"InstanceGroups": [GROUP, {**GROUP, "InstanceRole": "CORE"}], "KeepJobFlowAliveWhenNoSteps": True},
        ReleaseLabel="emr-7.5.0",
        JobFlowRole="EMR_EC2_DefaultRole",
        ServiceRole="EMR_DefaultRole",
    )["JobFlowId"]
    told, errors = [], []
    groups = ({"InstanceGroups": [{**group, "Name": f"g-{number}"}]} for number in range(count // 10))
    steps = ({"Steps": [{"Name": "same", "HadoopJarStep": BASH}]} for _ in range(count))
    with faulty_connection(port, draw) as (_, faulty):
        for what in itertools.chain(steps, groups):
            operation = "AddJobFlowSteps" if "Steps" in what else "AddInstanceGroups"
            try:
                told += by(operation, {"JobFlowId": made, **what}, faulty, made, lambda _: None)
            except FlowspecError as error:
                errors.append(error)
    there = [one["Id"] for one in emr.pages("ListSteps", "Steps", ClusterId=made)]
    there += [
        one["Id"]
        for one in emr.pages("ListInstanceGroups", "InstanceGroups", ClusterId=made)
        if one.get("Name", "").startswith("g-")
    ]
    return told, there, errors
