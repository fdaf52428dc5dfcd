"""Calls of `flowspec emulator` beside moto's server, asked in turn.

    python -m tests.benchmarks.table --only endpoint [--rounds N]

The caller writes the requests itself (http.client), since boto3 takes longer for a call than either server does. Both
servers are processes of their own. moto keeps its clusters in memory and starts nothing; ours are on disk before
RunJobFlow is answered, and each has a process that runs it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PROGRAMS = Path(sys.executable).parent
HEADERS = {
    "Content-Type": "application/x-amz-json-1.1",
    "Authorization": "AWS4-HMAC-SHA256 Credential=x/20240101/us-east-1/elasticmapreduce/aws4_request, "
    "SignedHeaders=host, Signature=0",
}
GROUP = {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}
STEP = {
    "Name": "s",
    "ActionOnFailure": "CONTINUE",
    "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]},
}
FLOW = {
    "Name": "bench",
    "ReleaseLabel": "emr-7.5.0",
    "Instances": {"InstanceGroups": [GROUP], "KeepJobFlowAliveWhenNoSteps": True},
    "JobFlowRole": "EMR_EC2_DefaultRole",
    "ServiceRole": "EMR_DefaultRole",
    "Steps": [STEP],
}
MADE, ASKED, CLIENTS, ASKED_BY_EACH = 20, 300, 50, 20
Pairs = list[tuple[float, float]]


class Server:
    """A server under test, and the CPU time that it has used (Linux)."""

    def __init__(self, pid: int, url: str) -> None:
        self._pid, self.url = pid, url
        self._address = urlsplit(url).netloc

    def connect(self) -> Callable[..., Any]:
        connection = http.client.HTTPConnection(self._address, timeout=60)

        def call(operation: str, **params: Any) -> Any:
            headers = {**HEADERS, "X-Amz-Target": f"ElasticMapReduce.{operation}"}
            connection.request("POST", "/", json.dumps(params), headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != http.HTTPStatus.OK:
                raise SystemExit(f"{operation}: {answer.status} {body!r}")
            return json.loads(body or b"{}")

        return call

    def cpu(self) -> float:
        # The kernel's number of the process's CPU clock (clock_getcpuclockid(3)): /proc/PID/stat counts in 10 ms.
        return time.clock_gettime((~self._pid << 3) | 2)


@contextlib.contextmanager
def ours(home: str, *options: str) -> Iterator[Server]:
    command = [str(PROGRAMS / "flowspec"), "emulator", "--home", home, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        yield Server(process.pid, process.stdout.readline().split()[-1])
        process.terminate()


@contextlib.contextmanager
def distant(url: str, seconds: float) -> Iterator[str]:
    """Yields a URL at which a server answers later by `seconds`, and takes a connection later: a network's delay."""
    address = (urlsplit(url).hostname or "", urlsplit(url).port or 80)

    def carry(source: socket.socket, target: socket.socket, delay: float) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                time.sleep(delay)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def connect(client: socket.socket) -> None:
        time.sleep(seconds)
        with client, socket.create_connection(address) as server:
            for one in (client, server):
                # As clients and servers do: a request or answer in two pieces would wait 40 ms for an acknowledgement.
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answers = threading.Thread(target=carry, args=(server, client, seconds))
            answers.start()
            carry(client, server, 0.0)
            answers.join()

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=connect, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        # Ends the accept() in the thread.
        listener.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def motos(port: str = "15998") -> Iterator[Server]:
    command = [str(PROGRAMS / "moto_server"), "-p", port]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(5)
        yield Server(process.pid, f"http://127.0.0.1:{port}")
        process.terminate()


def milliseconds(work: Callable[[], object], times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        work()
    return 1000 * (time.perf_counter() - started) / times


def measure(server: Server) -> dict[str, tuple[float, str]]:
    """Time and server's CPU time of each call in ms; time at which 99 of 100 calls of many clients are answered."""
    call, found = server.connect(), {}
    made: list[str] = []
    before = server.cpu()
    run = milliseconds(lambda: made.append(call("RunJobFlow", **FLOW)["JobFlowId"]), MADE)
    found["RunJobFlow"] = (run, "ms")
    found["RunJobFlow, CPU of the server"] = (1000 * (server.cpu() - before) / MADE, "ms")
    wait_until_idle(call, made)
    for operation in ("DescribeCluster", "ListSteps"):
        before = server.cpu()
        found[operation] = (milliseconds(lambda name=operation: call(name, ClusterId=made[0]), ASKED), "ms")
        found[f"{operation}, CPU of the server"] = (1000 * (server.cpu() - before) / ASKED, "ms")
    found[f"DescribeCluster by {CLIENTS} clients, p99"] = (crowd(server, made[0]), "ms")
    for begin in range(0, len(made), 10):
        call("TerminateJobFlows", JobFlowIds=made[begin : begin + 10])
    return found


def wait_until_idle(call: Callable[..., Any], cluster_ids: list[str]) -> None:
    """Waits until the workers that RunJobFlow started leave the processor to the next calls (moto starts none)."""
    deadline = time.monotonic() + 30
    for cluster_id in cluster_ids:
        while call("DescribeCluster", ClusterId=cluster_id)["Cluster"]["Status"]["State"] != "WAITING":
            if time.monotonic() > deadline:
                raise SystemExit(f"{cluster_id} is not WAITING after 30 s")
            time.sleep(0.05)


def crowd(server: Server, cluster_id: str) -> float:
    took: list[float] = []

    def ask() -> None:
        call = server.connect()
        for _ in range(ASKED_BY_EACH):
            took.append(milliseconds(lambda: call("DescribeCluster", ClusterId=cluster_id), 1))

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(took) < CLIENTS * ASKED_BY_EACH:
        raise SystemExit("a client got no answer")
    return statistics.quantiles(took, n=100)[98]


def compare(rounds: int) -> Iterator[tuple[str, Pairs, str]]:
    """Yields a name, the figures of ours and of moto in each round, and their unit."""
    with tempfile.TemporaryDirectory() as home, ours(home) as here, motos() as there:
        measured = [(measure(here), measure(there)) for _ in range(rounds)]
    for name, (_, unit) in measured[0][0].items():
        yield name, [(mine[name][0], theirs[name][0]) for mine, theirs in measured], unit
