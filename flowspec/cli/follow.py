"""Watching a run on the terminal: a bar on a TTY, one line per state change elsewhere, the end of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click

from flowspec.cli.exits import Exit, exit_of
from flowspec.cli.locate import Chosen
from flowspec.emr.diagnose import diagnose
from flowspec.emr.logs import Logs, logs_of
from flowspec.emr.verdict import Outcome
from flowspec.emr.watch import ClusterChanged, Ended, Event, StepChanged, StepProgress, watch
from flowspec.engines.counters import parse_counters
from flowspec.report import runs

if TYPE_CHECKING:
    from flowspec.plan import Plan
    from flowspec.plan.cluster import Cluster


def handed_over(chosen: Chosen, format_: str) -> int:
    """Says how to come back to a run that goes on without us."""
    if format_ == "json":
        click.echo(runs.as_json({"cluster": chosen.cluster_id}))
    else:
        click.echo(chosen.cluster_id)
        click.echo(f"it goes on without us; follow it with: {_command('wait', chosen)}", err=True)
    return Exit.OK


def follow(chosen: Chosen, plan: Plan | None, *, timeout: float | None, on_interrupt: str, format_: str) -> int:
    """Watches until the work is over and tells how it ended; returns the exit code."""
    try:
        end = _watch(chosen, timeout)
    except KeyboardInterrupt:
        return _interrupted(chosen, on_interrupt)
    return _tell(chosen, end, plan, format_)


def follow_to_the_grave(chosen: Chosen) -> Cluster:
    """Watches until the cluster itself is gone; a keep-alive cluster with nothing to do is not gone."""
    while True:
        end = _watch(chosen, None)
        if end.cluster.has_ended:
            return end.cluster


def _watch(chosen: Chosen, timeout: float | None) -> Ended:
    with closing(watch(chosen.emr, chosen.cluster_id, timeout=timeout)) as events:
        shown = _with_bar(events) if sys.stderr.isatty() else _with_lines(events)
        for event in shown:
            if isinstance(event, Ended):
                return event
    raise AssertionError("watch always ends with Ended")


def _with_lines(events: Iterable[Event]) -> Iterator[Event]:
    for event in events:
        line = runs.event_line(event)
        if line:
            click.echo(line, err=True)
        yield event


def _with_bar(events: Iterable[Event]) -> Iterator[Event]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bars: dict[str, Any] = {}
        for event in events:
            if isinstance(event, StepChanged) and event.step.state == "RUNNING":
                bars[event.step.id] = progress.add_task(event.step.name, total=100)
            elif isinstance(event, StepChanged) and event.step.id in bars:
                progress.remove_task(bars.pop(event.step.id))
            elif isinstance(event, StepProgress) and event.step.id in bars:
                progress.update(bars[event.step.id], completed=runs.progress_of(event))
            if isinstance(event, ClusterChanged | StepChanged) and (line := runs.event_line(event)):
                progress.console.print(line, markup=False)
            yield event


def _interrupted(chosen: Chosen, choice: str) -> int:
    if choice == "detach":
        click.echo(f"\ncluster {chosen.cluster_id} goes on; follow it: {_command('wait', chosen)}", err=True)
        click.echo(f"end it: {_command('destroy', chosen)}", err=True)
        return Exit.INTERRUPTED
    if choice == "cancel":
        from flowspec.emr.observe import describe

        steps = [step.id for step in describe(chosen.emr, chosen.cluster_id).steps if not step.has_ended]
        if steps:
            chosen.emr.call("CancelSteps", ClusterId=chosen.cluster_id, StepIds=steps)
        click.echo(f"\ncancelled {len(steps)} steps of cluster {chosen.cluster_id}", err=True)
        return Exit.INTERRUPTED
    chosen.emr.call("TerminateJobFlows", JobFlowIds=[chosen.cluster_id])
    click.echo(f"\ncluster {chosen.cluster_id}: termination asked for", err=True)
    return Exit.INTERRUPTED


def _tell(chosen: Chosen, end: Ended, plan: Plan | None, format_: str) -> int:
    cluster, verdict = end.cluster, end.verdict
    logs = logs_of(chosen.emr, cluster)
    counters = _counters(cluster, logs)
    outputs = _outputs(plan) if plan else []
    diagnosis = None
    if verdict.outcome not in {Outcome.SUCCEEDED, Outcome.TIMED_OUT}:
        diagnosis = diagnose(cluster, verdict, logs)
    if format_ == "json":
        document = {
            "outcome": verdict.outcome.value,
            "exit_code": int(exit_of(verdict.outcome)),
            "cluster": runs.cluster_document(cluster),
            "outputs": outputs,
            "logs": _logs_folder(cluster, logs),
            "counters": counters,
            "diagnosis": diagnosis and runs.diagnosis_document(diagnosis),
        }
        click.echo(runs.as_json(document))
    else:
        shown = outputs if verdict.outcome is Outcome.SUCCEEDED else []
        click.echo(runs.summary(cluster, verdict, outputs=shown, logs=_logs_folder(cluster, logs), counters=counters))
        if diagnosis:
            click.echo(runs.failure(diagnosis), err=True)
            step = f" --step {verdict.step.id}" if verdict.step else ""
            click.echo(f"  more: {_command('logs', chosen)}{step}", err=True)
        if verdict.outcome is Outcome.TIMED_OUT:
            click.echo(f"  it goes on; follow it: {_command('wait', chosen)}", err=True)
    return exit_of(verdict.outcome)


def _counters(cluster: Cluster, logs: Logs) -> Mapping[str, runs.Counters]:
    """What each step that completed has counted, by the step's name."""
    counted = {}
    for step in cluster.steps:
        if step.state == "COMPLETED":
            found = parse_counters((logs.read(step.id, "syslog") or b"").decode("utf-8", "replace"))
            if found:
                counted[step.name] = found
    return counted


def _outputs(plan: Plan) -> list[str]:
    """Where the steps of the plan's request write: the values of -output (streaming) in their arguments."""
    found = []
    for step in plan.request.get("Steps", ()):
        args = list(step["HadoopJarStep"].get("Args", ()))
        found += [after for before, after in pairwise(args) if before == "-output"]
    return found


def _logs_folder(cluster: Cluster, logs: Logs) -> str:
    if cluster.log_uri:
        return f"{cluster.log_uri.rstrip('/')}/{cluster.id}/"
    return logs.where(cluster.steps[-1].id) if cluster.steps else ""


def _command(verb: str, chosen: Chosen) -> str:
    """A command line that reaches this very cluster again."""
    endpoint = chosen.emr.endpoint
    options = {"--profile": endpoint.profile, "--endpoint-url": endpoint.endpoint_url}
    where = "" if endpoint.backend == "local" else f" --region {chosen.emr.region}"
    where += "".join(f" {name} {value}" for name, value in options.items() if value)
    return f"flowspec {verb} {chosen.cluster_id}{where}"
