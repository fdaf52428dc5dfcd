"""Counts lost and duplicated submissions when any call may fail: flowspec's beside botocore's own.

    python -m tests.benchmarks.lost_answers [COUNT] [PROBABILITY] [SEED]     (1000, 0.3, 1)

Before moto, and before `flowspec emulator --instant`: COUNT clusters in all by flowspec's apply and by boto3's
run_job_flow for the five kinds of lost answers, each kind alone, and COUNT more for all kinds together; then COUNT / 5
steps with a tenth as many groups by flowspec.backend.aws.submission.change.add, flowspec.boto_emr and boto3. Each call meets a
fault with PROBABILITY, drawn with a fixed seed. Exits with 1 when flowspec has a duplicate, an orphan or a loss.
"""

import logging
import sys
import tempfile
from contextlib import contextmanager
from functools import partial
from unittest import mock
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from flowspec.backend.aws.client import Endpoint, connect
from flowspec.backend.aws.submission import submit as submission
from flowspec.backend.aws.submission.change import add
from flowspec.boto_emr import EmrConnection, InstanceGroup, JarStep
from flowspec.boto_emr.exception import BotoClientError, BotoServerError
from flowspec.errors import FlowspecError
from tests.benchmarks.endpoint import ours
from tests.endpoints import moto_server
from tests.lost_answers import KINDS, LOADS, add_all, drawing, judged, running, submit, submit_all


@contextmanager
def moto():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with moto_server() as port:
        yield port


@contextmanager
def emulator():
    with tempfile.TemporaryDirectory() as home, ours(home, "--instant") as server:
        yield urlsplit(server.url).port


def bare_submit(plan, emr):
    return _bare_call(emr, "run_job_flow", plan.request, "JobFlowId")


def bare_add(operation, params, emr, cluster_id, sleep):
    if operation == "AddJobFlowSteps":
        return _bare_call(emr, "add_job_flow_steps", params, "StepIds")
    return _bare_call(emr, "add_instance_groups", params, "InstanceGroupIds")


def _bare_call(emr, operation, params, member):
    """A call by boto3 with its own retries; an answer without an id is an error, as a script has it."""
    client = emr._clients.reader  # the client that retries: botocore's default for every call
    client.meta.events.unregister("after-call.emr", unique_id="flowspec-cut-short")
    try:
        return getattr(client, operation)(**params)[member]
    except (BotoCoreError, ClientError, KeyError) as error:
        raise FlowspecError(str(error)) from error


def boto_emr_add(operation, params, emr, cluster_id, sleep):
    connection = EmrConnection(endpoint_url=emr.endpoint.endpoint_url)
    connection.__dict__["_emr"] = emr
    try:
        if operation == "AddJobFlowSteps":
            added = connection.add_jobflow_steps(cluster_id, JarStep("same", "command-runner.jar", step_args=["bash"]))
            return [one.value for one in added.stepids]
        name = params["InstanceGroups"][0]["Name"]
        added = connection.add_instance_groups(cluster_id, InstanceGroup(1, "TASK", "m5.xlarge", "ON_DEMAND", name))
        return [added.instancegroupids]
    except (BotoServerError, BotoClientError) as error:
        raise FlowspecError(str(error)) from error


def reset(emr):
    ids = [id_ for id_, _, _ in running(emr)]
    for start in range(0, len(ids), 10):
        emr.call("SetTerminationProtection", JobFlowIds=ids[start : start + 10], TerminationProtected=False)
        emr.call("TerminateJobFlows", JobFlowIds=ids[start : start + 10])


def report(where, load, who, counts, errors):
    figures = ", ".join(f"{name} {number}" for name, number in counts.items())
    print(f"{where:<9} {load:<28} {who:<22} {figures}", flush=True)
    if errors and "flowspec" in who:
        print(f"{'':<9} the first of them: {errors[0]}", flush=True)


def compare(where, port, load, count, draw):
    """Prints the counts of one load; returns how many of flowspec's own are faults."""
    emr = connect(
        Endpoint("emr", "us-east-1", endpoint_url=f"http://127.0.0.1:{port}"), boto3.session.Session("t", "t")
    )
    faults = 0
    for who, by in (("boto3 run_job_flow", bare_submit), ("flowspec apply", submit)):
        outcomes = submit_all(port, count, draw(), by=by)
        counts = {"submitted": count, **judged(outcomes, running(emr))}
        report(where, load, who, counts, [one for one in outcomes.values() if not isinstance(one, str)])
        reset(emr)
    faults += counts["duplicates"] + counts["orphans"] + counts["lost"]
    ways = {"boto3 add": bare_add, "flowspec.boto_emr add": boto_emr_add, "flowspec change.add": add}
    for who, by in ways.items():
        told, there, errors = add_all(port, emr, count // 5, draw(), by=by)
        unknown = len(set(there) - set(told))
        counts = {
            "added": count // 5 + count // 50,
            "duplicates": max(0, len(there) - len(told) - len(errors)),
            "orphans": max(0, unknown - len(errors)),
            "lost": len(set(told) - set(there)),
            "said": len(errors),
        }
        report(where, load, who, counts, errors)
        faults += 0 if by is bare_add else counts["duplicates"] + counts["lost"]
        reset(emr)
    return faults


def main(count=1000, probability=0.3, seed=1):
    faults = 0
    with mock.patch.object(submission, "_LOOK_AGAIN_AFTER", (0.0,) * 5):
        for where, serve in (("moto", moto), ("emulator", emulator)):
            with serve() as port:
                for load, kinds in LOADS.items():
                    number = count if kinds is KINDS else count // (len(LOADS) - 1)
                    draw = partial(drawing, seed, probability, kinds)
                    faults += compare(where, port, load, number, draw)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*(kind(word) for kind, word in zip((int, float, int), sys.argv[1:], strict=False))))
