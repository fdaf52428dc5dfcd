"""Runs a case's job flow in its home to the end, and reads how it ended."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from flowspec.backend.aws.client import Emr, Endpoint
from flowspec.backend.aws.diagnosis.diagnose import Diagnosis, diagnose
from flowspec.backend.aws.events import Ended
from flowspec.backend.aws.logs import counters_of, logs_of
from flowspec.backend.aws.verdict import Outcome, Verdict
from flowspec.backend.aws.watch import watch
from flowspec.backend.local.backend import connect_to
from flowspec.cases.sandbox import Sandbox
from flowspec.emulator.api.service import Service
from flowspec.emulator.worker import starting
from flowspec.engines.counters import Counters
from flowspec.plan.cluster import Cluster

_REGION = "us-east-1"
# Variables with which a step's own boto3 or AWS CLI would call AWS.
_WITHOUT_AWS = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class CompletedRun:
    """The end of a run. `counters` are those of the steps that have any, by name; `diagnosis` that of a failed run."""

    cluster: Cluster
    verdict: Verdict
    counters: Mapping[str, Counters]
    diagnosis: Diagnosis | None


def execute(sandbox: Sandbox, wait: Callable[[float], None]) -> CompletedRun:
    """Runs the job flow to its end, and calls `wait` between two polls, with the seconds that a watch would wait.

    Raises FlowspecError when the flow can't be started, and what `wait` raises.
    """
    emr = _connect(sandbox)
    cluster_id = emr.create("RunJobFlow", **sandbox.request.params)["JobFlowId"]
    with closing(watch(emr, cluster_id, timeout=sandbox.case.timeout, sleep=wait)) as events:
        end = next(event for event in events if isinstance(event, Ended))
    logs = logs_of(emr, end.cluster)
    has_failed = end.verdict.outcome not in {Outcome.SUCCEEDED, Outcome.TIMED_OUT}
    counters = {step.name: counters_of(logs, step.id) for step in end.cluster.steps}
    return CompletedRun(
        end.cluster,
        end.verdict,
        {name: counted for name, counted in counters.items() if counted},
        diagnose(end.cluster, end.verdict, logs, sandbox.request.secrets) if has_failed else None,
    )


def _connect(sandbox: Sandbox) -> Emr:
    region = sandbox.flow.region or _REGION
    service = Service(
        sandbox.home,
        region=region,
        run_bootstrap=sandbox.case.run_bootstrap,
        account_rules=False,
        start_worker=partial(starting.start, environ=_environment(sandbox.home)),
    )
    return connect_to(service, Endpoint("local", region, home=sandbox.home))


def _environment(home: Path) -> dict[str, str]:
    """Returns the environment of the steps: this process's without its AWS and without flowspec's settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FLOWSPEC_"))}
    return {**own, **_WITHOUT_AWS, "FLOWSPEC_HOME": str(home)}
