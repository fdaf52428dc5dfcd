"""Watches a run: a progress bar on a terminal, one line per state change elsewhere; prints how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from flowspec.backend.aws.command_lines import command_line
from flowspec.backend.aws.events import Ended, StepChanged, StepProgress
from flowspec.backend.aws.logs import PATIENCE, Logs, counters_of, logs_of
from flowspec.backend.aws.observe import describe
from flowspec.backend.aws.verdict import Outcome, Verdict
from flowspec.backend.aws.watch import Event, Watch, watch
from flowspec.cli.exits import Exit, exit_of
from flowspec.cli.locate import Chosen
from flowspec.cli.output import (
    Level,
    eprint,
    eprint_report,
    ewarn,
    is_shown,
    on_terminal,
    open_for_bars,
    print_json,
    print_result,
)
from flowspec.document.escaping import visible
from flowspec.document.masking import mask
from flowspec.errors import FlowspecError, number_of, sentence_of
from flowspec.plan.runs.launches import time_left
from flowspec.report import failures, runs
from flowspec.request.instances import lives_on

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

    from flowspec.backend.aws.client import Emr
    from flowspec.backend.aws.diagnosis.diagnose import Diagnosis
    from flowspec.backend.aws.runs.hooks import Hooks
    from flowspec.backend.aws.runs.relaunch import Launches
    from flowspec.backend.aws.submission.apply import Applied
    from flowspec.cli.options import OnInterrupt
    from flowspec.document.job_flow import JobFlow
    from flowspec.fleet import Sleep
    from flowspec.plan.changes import Plan
    from flowspec.plan.cluster import Cluster, Step

_T = TypeVar("_T")


def follow(
    chosen: Chosen,
    *,
    timeout: float | None,
    on_interrupt: OnInterrupt,
    format_: str,
    sleep: Sleep = time.sleep,
    watch: Watch = watch,
    launches: Launches | None = None,
    hooks: Hooks | None = None,
    on_end: Callable[[Ended], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Watches until the work is over, by `watch`, and prints how it ended; returns the exit code.

    With `launches` a cluster that failed before a step ran is followed by another, as the spec says; `timeout` seconds
    are for all of them together, and for the logs that are waited for. `hooks` are run at the end, if steps were
    submitted or waited for, and `on_end` is called last. A thread that is not the first one is interrupted by a `sleep`
    that raises KeyboardInterrupt.
    """
    left = time_left(timeout, clock)
    end: Ended | None = None
    try:
        end = watch_events(chosen, timeout, sleep, watch)
        while launches and (applied := _relaunch(launches, end.cluster, left())):
            chosen = replace(chosen, cluster_id=applied.cluster_id, steps=applied.steps, failed=applied.failed)
            end = watch_events(chosen, left(), sleep, watch)
    except KeyboardInterrupt:
        # Between two launches: the last cluster has failed, and `apply` reports the next one if it may run.
        if end and end.cluster.id == chosen.cluster_id:
            raise
        return _handle_interrupt(chosen, on_interrupt, launches.plan if launches else None)
    except FlowspecError:
        _warn_of_running_cluster(chosen)
        raise
    unhappy = end.verdict.outcome not in {Outcome.SUCCEEDED, Outcome.TIMED_OUT}
    diagnosis = (
        diagnose_waiting(chosen, end.cluster, end.verdict, _log_patience(end, left()), sleep) if unhappy else None
    )
    code = _report_end(chosen, end, format_, launches, diagnosis)
    # Of a cluster that was there before, and of which no step is waited for, no run has ended.
    if hooks and chosen.steps != ():
        _run_hooks(hooks, end, diagnosis)
    on_end(end)
    return code


def hooks_of(
    flow: JobFlow, emr: Emr, *, allow_commands: bool, secrets: Collection[str], sleep: Sleep = time.sleep
) -> Hooks | None:
    """Returns the hooks of a spec; None where it has none."""
    if not flow.fields.get("hooks"):
        return None
    # Imported here: it brings an HTTP client, which takes 10 ms.
    from flowspec.backend.aws.runs.hooks import Hooks

    return Hooks(flow, emr, partial(ewarn, secrets=secrets), allow_commands, sleep)


def print_rerun_hint(plan: Plan, end: Ended) -> None:
    """Prints how to run what a failed run has left of its plan's steps, where its cluster ends with its steps."""
    left = any(step.state != "COMPLETED" for step in _steps_of(plan, end.run))
    if left and end.verdict.outcome in {Outcome.STEP_FAILED, Outcome.CANCELLED} and not lives_on(plan.request):
        # It refuses the options that chose the steps of this run.
        chosen_by = ", in place of --from or --only," if plan.omitted and not plan.resumes else ""
        eprint(f"the same command with --rerun failed{chosen_by} runs what is left")


def _steps_of(plan: Plan, cluster: Cluster) -> list[Step]:
    """Returns the steps of a cluster that are in the request of a plan; someone else has added the others."""
    names = {step["Name"] for step in plan.request.get("Steps", ())}
    return [step for step in cluster.steps if step.name in names]


def _relaunch(launches: Launches, cluster: Cluster, left: float | None) -> Applied | None:
    if left == 0.0 and launches.next_plan(cluster):
        ewarn("note: it is not launched again: --timeout has passed")
        return None
    try:
        return launches.relaunch(cluster)
    except FlowspecError as error:
        ewarn(f"note: it could not be launched again: {error.sentence}")
        return None


def _run_hooks(hooks: Hooks, end: Ended, diagnosis: Diagnosis | None) -> None:
    """Runs the hooks; Ctrl-C ends them and leaves the exit code, which is the run's."""
    try:
        hooks.run(end, diagnosis.cause.summary if diagnosis else "")
    except KeyboardInterrupt:
        ewarn("note: the hooks were interrupted")


def watch_events(chosen: Chosen, timeout: float | None, sleep: Sleep, watch: Watch) -> Ended:
    """Watches a cluster by `watch` and shows the events; returns the last one."""
    with closing(watch(chosen.emr, chosen.cluster_id, steps=chosen.steps, timeout=timeout, sleep=sleep)) as events:
        show = _show_progress if on_terminal() and is_shown(Level.PROGRESS) else _print_events
        for event in show(events, chosen.secrets):
            if isinstance(event, Ended):
                return event.judged_with(chosen.failed)
    raise AssertionError("watch always ends with Ended")


def _print_events(events: Iterable[Event], secrets: frozenset[str]) -> Iterator[Event]:
    for event in events:
        eprint_report(runs.event_line(event), level=Level.PROGRESS, secrets=secrets)
        yield event


def _show_progress(events: Iterable[Event], secrets: frozenset[str]) -> Iterator[Event]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    console = Console(file=open_for_bars(), highlight=False)
    with Progress(*_columns(console.width), console=console, transient=True) as progress:
        bars: dict[str, Any] = {}
        for event in events:
            if isinstance(event, StepChanged) and event.step.state == "RUNNING":
                name = escape(visible(mask(event.step.name, secrets)))
                bars[event.step.id] = progress.add_task(name, total=None, done="")
                # One that is watched again has run before.
                progress.tasks[-1].start_time = progress.get_time() - _seconds_since(event.step.started)
            elif isinstance(event, StepChanged) and event.step.id in bars:
                progress.remove_task(bars.pop(event.step.id))
            elif isinstance(event, StepProgress) and event.step.id in bars:
                # Maps and reduces have equal weight, as in Hadoop's own displays.
                completed, done = (event.maps + event.reduces) / 2, f"map {event.maps}% reduce {event.reduces}%"
                progress.update(bars[event.step.id], total=100, completed=completed, done=done)
            if line := runs.event_line(event):
                # A line of its own, as elsewhere: rich would break it at the width, and copies and searches with it.
                progress.console.print(mask(line, secrets), markup=False, soft_wrap=True)
            yield event


def _seconds_since(at: datetime | None) -> float:
    return max(0.0, (datetime.now(timezone.utc) - at).total_seconds()) if at else 0.0


def _columns(width: int) -> list[ProgressColumn]:
    """Returns the columns of a step's line: its name, a bar, maps and reduces, the time.

    Where there is no room, the bar goes first and the name is cut: left to rich, names wrap over many lines.
    """
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    room = width - len(" map 100% reduce 100% 0:00:00")
    # 40 is rich's own width of a bar; below 12 cells it shows little.
    bar = min(40, room // 2) if room >= 24 else 0
    name = Column(overflow="ellipsis", no_wrap=True, max_width=max(8, room - bar - 1))
    return [
        TextColumn("{task.description}", table_column=name),
        # Not in rich's own colour, a red: nothing has failed.
        *([BarColumn(bar_width=bar, complete_style="cyan", pulse_style="cyan")] if bar else []),
        TextColumn("{task.fields[done]}", table_column=Column(no_wrap=True)),
        *([TimeElapsedColumn(table_column=Column(no_wrap=True))] if room >= 8 else []),
    ]


def _warn_of_running_cluster(chosen: Chosen) -> None:
    ewarn(f"cluster {chosen.cluster_id} may be running still; re-attach with: {_command_text('wait', chosen)}")


def _handle_interrupt(chosen: Chosen, choice: OnInterrupt, plan: Plan | None) -> int:
    if choice == "detach":
        eprint_report(
            f"\ncluster {chosen.cluster_id} keeps running; re-attach with: {_command_text('wait', chosen)}",
            level=Level.WARNING,
        )
        ewarn(f"terminate it with: {_command_text('destroy', chosen)}")
        return Exit.INTERRUPTED
    try:
        if choice == "cancel":
            _cancel_rest(chosen, plan)
        else:
            chosen.emr.call("TerminateJobFlows", JobFlowIds=[chosen.cluster_id])
            eprint_report(f"\ncluster {chosen.cluster_id}: termination requested", level=Level.WARNING)
    except FlowspecError:
        _warn_of_running_cluster(chosen)
        raise
    return Exit.INTERRUPTED


def _cancel_rest(chosen: Chosen, plan: Plan | None) -> None:
    """Cancels the watched steps that are not over, with a plan only its own; prints how many, and what EMR refuses."""
    from flowspec.backend.aws.submission.cancellation import cancel_steps
    from flowspec.plan.runs.supervision import token_of

    cluster = describe(chosen.emr, chosen.cluster_id, awaited=chosen.steps)
    steps = _steps_of(plan, cluster) if plan else cluster.steps
    # An attempt that a watcher has added is known by its token.
    own = {token_of(one) for one in steps if chosen.steps is None or one.id in chosen.steps}
    left = [one for one in steps if not one.has_ended and token_of(one) in own]
    answers = cancel_steps(chosen.emr, chosen.cluster_id, left)
    count = number_of(sum(one.accepted for one in answers), "step")
    eprint_report(f"\ncancelled {count} of cluster {chosen.cluster_id}", level=Level.WARNING)
    for one in answers:
        if not one.accepted:
            ewarn(f"step {one.id} {one.name} is not cancelled: {one.reason}", secrets=chosen.secrets)


def _report_end(
    chosen: Chosen, end: Ended, format_: str, launches: Launches | None, diagnosis: Diagnosis | None
) -> int:
    cluster, verdict, run = end.cluster, end.verdict, end.run
    logs = logs_of(chosen.emr, cluster)
    skipped = launches.plan.skipped if launches else ""
    counters: Mapping[str, runs.Counters] = {}
    if not (diagnosis and diagnosis.unread):
        counters = read_or_note("the steps' counters", lambda: _counters(run, logs), {}, chosen)
    fidelity = read_or_note(
        "what of this run was simulated", lambda: chosen.emr.backend.fidelity(chosen.emr, run), None, chosen
    )
    if format_ == "json":
        document = {
            "outcome": verdict.outcome.value,
            "exit_code": int(exit_of(verdict.outcome)),
            "cluster": runs.cluster_document(cluster),
            "outputs": _outputs(run),
            "logs": logs.folder(),
            "counters": counters,
            "failed_launches": launches.failed if launches else [],
            "skipped": skipped,
            "local_run": fidelity and runs.fidelity_document(fidelity),
            "diagnosis": diagnosis and failures.as_document(diagnosis),
        }
        print_json(document, chosen.secrets)
        return exit_of(verdict.outcome)
    outputs = _outputs(run) if verdict.outcome is Outcome.SUCCEEDED else []
    shown = runs.summary(cluster, verdict, outputs=outputs, logs=logs.folder(), counters=counters)
    print_result(f"nothing was run: {skipped}\n{shown}" if skipped else shown, secrets=chosen.secrets)
    if fidelity:
        eprint(runs.fidelity_line(fidelity))
    if diagnosis:
        eprint_report(failures.as_text(diagnosis), secrets=chosen.secrets)
        # A cluster that failed in its bootstrap actions has no log of a step: `diagnosis` names the folder of its logs.
        if any(step.started for step in run.steps):
            eprint(f"  more: {_command_text('logs', chosen, *(('--step', verdict.step.id) if verdict.step else ()))}")
    if verdict.outcome is Outcome.TIMED_OUT:
        ewarn(f"  it keeps running; re-attach with: {_command_text('wait', chosen)}")
    return exit_of(verdict.outcome)


def diagnose_waiting(
    chosen: Chosen, cluster: Cluster, verdict: Verdict, patience: float = PATIENCE, sleep: Sleep = time.sleep
) -> Diagnosis:
    """Finds the cause; logs that are not shipped yet are waited for until `patience` seconds after the step's end.

    Ctrl-C ends the wait.
    """
    # Its patterns take 0.03 s to compile, which a run that succeeds does not need.
    from flowspec.backend.aws.diagnosis.diagnose import diagnose

    def run_diagnosis(patience: float) -> Diagnosis:
        logs = logs_of(chosen.emr, cluster)
        return diagnose(cluster, verdict, logs, chosen.secrets, patience=patience, notify=eprint, sleep=sleep)

    try:
        return run_diagnosis(patience)
    except KeyboardInterrupt:
        return run_diagnosis(0)


def _log_patience(end: Ended, left: float | None) -> float:
    """Returns how long after the end of the failed step its logs are waited for, with `left` seconds from now."""
    if left is None:
        return PATIENCE
    ended = (end.verdict.step.ended if end.verdict.step else None) or end.cluster.ended
    passed = (datetime.now(timezone.utc) - ended).total_seconds() if ended else 0.0
    return min(PATIENCE, passed + left)


def read_or_note(subject: str, read: Callable[[], _T], otherwise: _T, chosen: Chosen) -> _T:
    """Returns what `read` returns; on an error, and on Ctrl-C, prints a note and returns `otherwise`.

    The run has ended: its end is still told, and its exit code stays.
    """
    try:
        return read()
    except (FlowspecError, OSError) as error:
        reason = sentence_of(error)
    except KeyboardInterrupt:
        reason = "interrupted"
    ewarn(f"note: {subject} could not be read: {reason}", secrets=chosen.secrets)
    return otherwise


def _counters(cluster: Cluster, logs: Logs) -> Mapping[str, runs.Counters]:
    """Reads the counters of each completed step from its syslog, by the step's id."""
    counted = {step.id: counters_of(logs, step.id) for step in cluster.steps if step.state == "COMPLETED"}
    return {step_id: counters for step_id, counters in counted.items() if counters}


def _outputs(cluster: Cluster) -> list[str]:
    """Returns where the steps write: the values of Hadoop Streaming's -output among their arguments."""
    return [after for step in cluster.steps for before, after in pairwise(step.args) if before == "-output"]


def _command_text(verb: str, chosen: Chosen, *options: str) -> str:
    return command_line(verb, chosen.emr, chosen.cluster_id, *options)
