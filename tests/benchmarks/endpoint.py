"""Calls a second of `flowspec emulator`, as ratios to moto's server, with the same boto3 client.

    python tests/benchmarks/endpoint.py [ROUNDS]

Both run as processes of their own, and are asked in turn. moto keeps its clusters in memory and starts
nothing; ours are on disk before RunJobFlow is answered, and each has a process that runs it.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3

PROGRAMS = Path(sys.executable).parent
KEYS = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
GROUP = {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}
FLOW = {
    "Name": "bench",
    "ReleaseLabel": "emr-7.5.0",
    "Instances": {"InstanceGroups": [GROUP], "KeepJobFlowAliveWhenNoSteps": True},
    "JobFlowRole": "EMR_EC2_DefaultRole",
    "ServiceRole": "EMR_DefaultRole",
}
MADE, DESCRIBED = 20, 300


@contextlib.contextmanager
def ours(home):
    command = [PROGRAMS / "flowspec", "emulator", "--home", home]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().split()[-1]
        process.terminate()


@contextlib.contextmanager
def motos(_home, port="15998"):
    command = [PROGRAMS / "moto_server", "-p", port]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(5)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def a_second(work, times):
    started = time.perf_counter()
    for _ in range(times):
        work()
    return times / (time.perf_counter() - started)


def round_of(emr):
    made = []
    rate = a_second(lambda: made.append(emr.run_job_flow(**FLOW)["JobFlowId"]), MADE)
    for cluster_id in made:
        emr.get_waiter("cluster_running").wait(ClusterId=cluster_id, WaiterConfig={"Delay": 1})
    described = a_second(lambda: emr.describe_cluster(ClusterId=made[0]), DESCRIBED)
    for start in range(0, len(made), 10):
        emr.terminate_job_flows(JobFlowIds=made[start : start + 10])
    for cluster_id in made:
        emr.get_waiter("cluster_terminated").wait(ClusterId=cluster_id, WaiterConfig={"Delay": 1})
    return rate, described


def main(rounds):
    with tempfile.TemporaryDirectory() as home, ours(home) as here, motos(home) as there:
        mine, theirs = (boto3.client("emr", "us-east-1", endpoint_url=url, **KEYS) for url in (here, there))
        pairs = [(round_of(mine), round_of(theirs)) for _ in range(rounds)]
    for number, name in enumerate(("RunJobFlow", "DescribeCluster")):
        ratios = sorted(ours[number] / peer[number] for ours, peer in pairs)
        ours_, peers = (statistics.median(one[number] for one in column) for column in zip(*pairs, strict=True))
        print(
            f"{name:<16} {ours_:6.0f}/s, moto {peers:6.0f}/s, ratio {statistics.median(ratios):.2f} "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
