"""Calls of `flowspec emulator` with many clusters in its home, beside one whose clusters fill a page; ten steps in each.

    python -m tests.benchmarks.table --only clusters [--clusters N]

All clusters but a few have ended, as in a home that is in use for months; in two rows all are alive and instant, as after
many tests of a client. They are copies of one that the service made: 10,000 RunJobFlow take minutes, copies seconds.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from flowspec.emulator.api.service import Service
from flowspec.emulator.state import paths
from flowspec.emulator.state.store import Record, Store
from tests.benchmarks.endpoint import FLOW, STEP, Pairs, ours

FEW, LIVING, STEPS, CALLS = 50, 3, 10, 100
LASTING = {**FLOW, "Steps": [STEP] * STEPS}
TRANSIENT = {**LASTING, "Instances": {**FLOW["Instances"], "KeepJobFlowAliveWhenNoSteps": False}}
Calls = dict[str, Callable[[], Any]]


def fill(home: Path, count: int, flow: dict[str, Any]) -> str:
    """Puts `count` clusters into a new home, all made by the same RunJobFlow; returns the id of one of them."""
    first = Service(home, instant=True).call("RunJobFlow", flow)["JobFlowId"]
    with Store(home) as store, store.writing():
        records = [record for kind in ("cluster", "group", "step") for record in store.find(kind, cluster_id=first)]
        for number in range(1, count):
            for record in renamed(records, number):
                store.add(record)
            paths.cluster_folder(home, records[0].id).with_name(f"j-{number:013d}").mkdir()
    return str(first)


def renamed(records: list[Record], number: int) -> Iterator[Record]:
    """Yields the records of a cluster as those of the `number`-th one."""
    cluster_id = f"j-{number:013d}"
    for place, record in enumerate(records):
        prefix = record.id.partition("-")[0]
        own = cluster_id if record.kind == "cluster" else f"{prefix}-{number:0{len(record.id) - 6}d}{place:03d}"
        yield replace(record, id=own, cluster_id=cluster_id)


class Home:
    """A home with `count` clusters, its emulator, and one without workers for RunJobFlow, which starts none then."""

    def __init__(self, folder: Path, count: int, flow: dict[str, Any], at_exit: contextlib.ExitStack) -> None:
        self._home = str(folder)
        some = fill(folder, count, flow)
        self._server = at_exit.enter_context(ours(self._home))
        self._instant = at_exit.enter_context(ours(self._home, "--instant"))
        call, make = self._server.connect(), self._instant.connect()
        living = [call("RunJobFlow", **FLOW)["JobFlowId"] for _ in range(LIVING)]
        at_exit.callback(call, "TerminateJobFlows", JobFlowIds=living)
        self._calls: Calls = {
            "ListClusters": partial(call, "ListClusters"),
            "DescribeCluster": partial(call, "DescribeCluster", ClusterId=some),
            "ListSteps": partial(call, "ListSteps", ClusterId=some),
            "RunJobFlow": partial(make, "RunJobFlow", **TRANSIENT),
        }

    def milliseconds(self, operation: str) -> float:
        """Measures the server's CPU time of a call."""
        server = self._instant if operation == "RunJobFlow" else self._server
        before = server.cpu()
        for _ in range(CALLS):
            self._calls[operation]()
        return 1000 * (server.cpu() - before) / CALLS

    def start(self) -> tuple[float, float]:
        """Measures the time from the start of one more emulator until it listens, and its CPU time, in ms."""
        started = time.perf_counter()
        with ours(self._home) as server:
            return 1000 * (time.perf_counter() - started), 1000 * server.cpu()


def compare(rounds: int, many: int) -> Iterator[tuple[str, Pairs]]:
    """Yields a name, and in each round the milliseconds with many clusters and with few, measured in turn."""
    with pair(many, TRANSIENT) as homes:
        for operation in ("ListClusters", "DescribeCluster", "ListSteps", "RunJobFlow"):
            yield f"{operation}, CPU of the server", measure(homes, operation, rounds)
        starts = [[home.start() for home in homes] for _ in range(rounds)]
        for place, name in enumerate(("start", "start, CPU")):
            yield name, [(with_many[place], with_few[place]) for with_many, with_few in starts]
    with pair(many, LASTING) as homes:
        for operation in ("ListClusters", "DescribeCluster"):
            yield f"{operation}, all alive, CPU of the server", measure(homes, operation, rounds)


@contextlib.contextmanager
def pair(many: int, flow: dict[str, Any]) -> Iterator[tuple[Home, Home]]:
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as at_exit:
        yield (
            Home(Path(folder, "many"), many, flow, at_exit),
            Home(Path(folder, "few"), FEW, flow, at_exit),
        )


def measure(homes: tuple[Home, Home], operation: str, rounds: int) -> Pairs:
    return [(homes[0].milliseconds(operation), homes[1].milliseconds(operation)) for _ in range(rounds)]
