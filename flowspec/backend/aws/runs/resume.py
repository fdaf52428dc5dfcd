"""Compares a request with the last run of its flow, for clusters that end with their steps.

`unfinished` finds the steps that the run did not complete, for `--rerun failed`; `compare_last` decides whether a new
run of the request is unnecessary, for `--if-changed`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timezone
from typing import NamedTuple

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.command_lines import command_line
from flowspec.backend.aws.logs import logs_of
from flowspec.backend.aws.observe import LOOKBACK, find_ended, find_ending, find_last, read_steps
from flowspec.backend.aws.runs.settle import ExitCodes, judge_settled, settle, unread_notes, without_repeated
from flowspec.backend.aws.verdict import Outcome
from flowspec.document.job_flow import JobFlow
from flowspec.errors import FlowspecError
from flowspec.plan.cluster import CHOSEN, PART_TAG, Cluster
from flowspec.plan.runs.resume import CHOOSE_STEPS, Remainder, Run, remainder
from flowspec.plan.sensitive import known_secrets
from flowspec.request.compile import Request
from flowspec.request.origins import locate
from flowspec.request.selection import is_setup_step, keep_steps

# The maximum length of a chain of runs; each run costs a DescribeCluster and a ListSteps.
_MOST_RUNS = 20


class UnknownBeginning(FlowspecError):
    """The earlier runs of a chain can't be read, or are too many: which steps they completed is not known."""


class Unfinished(NamedTuple):
    """The id of a flow's last `run`, the `indexes` of the steps that it did not complete, and `notes` for the plan."""

    run: str
    indexes: tuple[int, ...]
    notes: tuple[str, ...]


class LastRun(NamedTuple):
    """A flow's last run, compared with a request.

    `done` is True if it did all that the request asks for, and `why` says why it did or did not. `run` is its id, ""
    without any; `notes` are for the plan.
    """

    done: bool
    why: str
    run: str = ""
    notes: tuple[str, ...] = ()


def unfinished(emr: Emr, jobflow: JobFlow, request: Request, *, last: str = "") -> Unfinished:
    """Finds which steps of a request the last ended run of its flow did not complete; of `last`, if that is given.

    Reads that run and those that it continues, with their logs where `skip_on_exit` needs them. Raises FlowspecError
    when there is no such run, one is just ending, or the spec has changed so that the remaining steps can't be
    determined.
    """
    return _find_unfinished(emr, jobflow, request, _chain(emr, jobflow, last or _last_run(emr, jobflow)))


def compare_last(emr: Emr, jobflow: JobFlow, request: Request) -> LastRun:
    """Compares a request with the last run of its flow that ended, or is ending.

    `done` is True if that run had the same request and succeeded. A run that continues others had the same request if
    it ran the steps that they left; if the earlier runs can't be read, this is not known. Raises ServiceError when EMR
    refuses the last one to be read.
    """
    found = find_last(emr, **_flow_identity(jobflow))
    if found is None:
        return LastRun(False, f"no run of it ended in the last {LOOKBACK.days} days")
    try:
        clusters = _chain(emr, jobflow, found.id)
    except UnknownBeginning as error:
        return LastRun(False, error.message, found.id)
    if not _chain_ran_request(emr, jobflow, request, clusters):
        why = f"the last run, {found.id}, was of another request{_time_of_run_hint(jobflow, request)}"
        return LastRun(False, why, found.id)
    last = clusters[-1]
    codes = ExitCodes(last, logs_of(emr, last))
    outcome = judge_settled(last, codes).outcome
    notes = tuple(unread_notes(last, codes))
    if outcome is not Outcome.SUCCEEDED:
        return LastRun(False, f"the last run, {last.id}: {outcome.value}", last.id, notes)
    when = f"ended {last.ended.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC" if last.ended else f"is {last.state}"
    return LastRun(True, f"run {last.id} of the same request succeeded and {when}", last.id, notes)


def _time_of_run_hint(jobflow: JobFlow, request: Request) -> str:
    """Returns the end of a sentence for a spec whose request contains the time of the run; "" for other specs."""
    moment = jobflow.document.moment
    # With --date the time is midnight, so it is the same all day.
    if not moment or moment.endswith("T000000Z") or moment not in str(request.params):
        return ""
    return ": that of every run is, since the spec uses `ts`, the time of the run; `ds` is the same all day"


def _chain_ran_request(emr: Emr, jobflow: JobFlow, request: Request, clusters: list[Cluster]) -> bool:
    """Returns True if a chain of runs began with this request, and each later run was of the steps left of it."""
    wanted = request
    for index, cluster in enumerate(clusters):
        if index:
            wanted = keep_steps(request, _find_unfinished(emr, jobflow, request, clusters[:index]).indexes)
        if cluster.digest != wanted.digest:
            return False
    return True


def _find_unfinished(emr: Emr, jobflow: JobFlow, request: Request, clusters: list[Cluster]) -> Unfinished:
    """Returns what a chain of runs, oldest first, did not complete. Raises as `unfinished` does."""
    own = [index for index in range(len(request.params.get("Steps", ()))) if not is_setup_step(request, index)]
    steps = request.params.get("Steps", [])
    names = {steps[index]["Name"] for index in range(len(steps)) if index not in own}
    runs: list[Run] = []
    notes: list[str] = []
    for cluster in clusters:
        codes = ExitCodes(cluster, logs_of(emr, cluster))
        runs.append(_run_of(cluster, codes, names))
        notes += unread_notes(cluster, codes)
    found: Remainder = remainder(
        [steps[index] for index in own],
        runs,
        chosen=clusters[0].tags.get(PART_TAG) == CHOSEN,
        places=lambda index: _step_place(jobflow, request, own[index]),
        secrets=request.secrets.union(*map(known_secrets, clusters)),
    )
    return Unfinished(clusters[-1].id, tuple(own[index] for index in found.indexes), (*found.notes, *notes))


def _flow_identity(jobflow: JobFlow) -> dict[str, str]:
    return {"flow": jobflow.name, "target": jobflow.target, "name": jobflow.cluster_name}


def _last_run(emr: Emr, jobflow: JobFlow) -> str:
    """Returns the id of the flow's last ended run."""
    ending = find_ending(emr, **_flow_identity(jobflow))
    if ending:
        raise FlowspecError(
            f"cluster {ending.id} of this flow is TERMINATING: which steps it completes is not known yet",
            remedy=f"wait for its end: {command_line('wait', emr, ending.id)}",
        )
    ended = find_ended(emr, **_flow_identity(jobflow))
    if ended is None:
        on = f" on target {jobflow.target}" if jobflow.target else ""
        raise FlowspecError(
            f"{jobflow.name} has no run{on} that ended in the last {LOOKBACK.days} days, so none can be continued",
            remedy="run all of it: leave out --rerun",
        )
    return ended.id


def _chain(emr: Emr, jobflow: JobFlow, last: str) -> list[Cluster]:
    """Returns a run with its steps, preceded by the runs that it continues, oldest first."""
    found: list[Cluster] = []
    following = last
    while following and following != CHOSEN:
        if len(found) == _MOST_RUNS:
            message = f"run {last} continues more than {_MOST_RUNS} runs, the limit"
            raise UnknownBeginning(f"{message}: which steps are left is not known", remedy=CHOOSE_STEPS)
        found.append(_read(emr, jobflow, following, last))
        following = found[-1].tags.get(PART_TAG, "")
    return found[::-1]


def _read(emr: Emr, jobflow: JobFlow, cluster_id: str, last: str) -> Cluster:
    try:
        cluster = read_steps(emr, cluster_id)
    except FlowspecError as error:
        if cluster_id == last:
            raise
        raise UnknownBeginning(
            f"run {last} continues {cluster_id}, which can't be read: {error.message}", remedy=CHOOSE_STEPS
        ) from error
    if not cluster.is_of(jobflow.name, jobflow.target):
        message = f"run {last} continues {cluster_id}, which is a run of another flow or target"
        raise UnknownBeginning(message, remedy=CHOOSE_STEPS)
    return cluster


def _run_of(cluster: Cluster, codes: ExitCodes, setup: Collection[str]) -> Run:
    """Makes a run of a cluster and its steps in the states that count, without those that set up the cluster."""
    assert cluster.live is not None
    configs = dict(zip((one.id for one in cluster.steps), cluster.live.params.get("Steps", ()), strict=True))
    seen = without_repeated(settle(cluster, codes))
    return Run(cluster.id, tuple((configs[one.id], one) for one in seen.steps if one.name not in setup))


def _step_place(jobflow: JobFlow, request: Request, index: int) -> str:
    """Returns the file and line of a step in the spec."""
    step = jobflow.document.nearest(locate(jobflow, request.origins, ("Steps", index)))
    return step.at.location.file_and_line
