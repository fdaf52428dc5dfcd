"""`flowspec logs`: a step's logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from flowspec.cli.exits import Exit
from flowspec.cli.locate import CHOOSING, Chosen, Looking, choose, read_settled_cluster, steps_called
from flowspec.cli.options import STEP, Choice, CommandWithStep, output_format
from flowspec.cli.output import eprint, ewarn, log_printer, print_json, wait_for_more
from flowspec.errors import FlowspecError

if TYPE_CHECKING:
    from flowspec.backend.aws.logs import Logs
    from flowspec.plan.cluster import Cluster, Step

# Bytes of each log in a JSON document, which has to be put together in memory.
_IN_JSON = 16 << 20


@click.command("logs", cls=CommandWithStep, epilog="Example: flowspec logs job.yaml --step 'count words' --log stderr")
@CHOOSING
@STEP(help="A step's id or name (the latest with it); default: the failed step, else the one that started last.")
@click.option(
    "--log",
    "names",
    multiple=True,
    type=Choice(["controller", "syslog", "stdout", "stderr"]),
    help="Which log; may be repeated; default: all four.",
)
@click.option("-f", "--follow", is_flag=True, help="Follow the logs (default: stdout and stderr) until the step ends.")
@output_format("text", "json")
def command(
    *, what: str, looking: Looking, wanted: str | None, names: tuple[str, ...], follow: bool, format_: str
) -> int:
    """Print a step's logs. WHAT is a spec, a cluster's id, or its name."""
    if follow and format_ == "json":
        raise click.UsageError("--follow and --format json exclude each other: a document is written at its end")
    from flowspec.backend.aws.logs import NAMES, logs_of

    chosen = choose(what, looking)
    cluster = read_settled_cluster(chosen, wanted)
    step, reader = _choose_step(cluster, wanted), logs_of(chosen.emr, cluster)
    try:
        if follow:
            _follow(chosen, step, reader, names or ("stdout", "stderr"))
        elif format_ == "json":
            _as_json(chosen, cluster, step, reader, names or NAMES)
        else:
            _as_text(chosen, cluster, step, reader, names or NAMES)
    except BrokenPipeError:
        # `flowspec logs | head` has what it wanted.
        pass
    return Exit.OK


def _as_text(chosen: Chosen, cluster: Cluster, step: Step, reader: Logs, names: Sequence[str]) -> None:
    from flowspec.document.masking import MaskingWriter

    absent = []
    for name in names:
        blocks = reader.blocks(step.id, name)
        if blocks is None:
            absent.append(name)
            continue
        if len(names) > 1:
            eprint(f"==> {name} of {step.id} <==")
        masked = MaskingWriter(log_printer(), chosen.secrets)
        size = 0
        for block in blocks:
            masked.write(block)
            size += len(block)
        masked.close()
        if not size and len(names) == 1:
            ewarn(f"note: {name} of {step.id} is empty")
    if len(absent) == len(names):
        raise FlowspecError(
            f"there are no logs of step {step.id}", remedy=_explain_missing_logs(chosen, cluster, step, reader)
        )
    if absent:
        ewarn(f"note: not there (yet): {', '.join(absent)} of {step.id}")


def _as_json(chosen: Chosen, cluster: Cluster, step: Step, reader: Logs, names: Sequence[str]) -> None:
    from flowspec.backend.aws.command_lines import command_line
    from flowspec.document.masking import lookback_length, mask, mask_bytes

    texts: dict[str, str | None] = {}
    for name in names:
        log = reader.tail(step.id, name, _IN_JSON + lookback_length(chosen.secrets) + 1)
        hidden = max(0, len(log or b"") - _IN_JSON)
        texts[name] = None if log is None else mask_bytes(log, chosen.secrets, hidden).decode("utf-8", "replace")
        if hidden:
            whole = command_line("logs", chosen.emr, cluster.id, "--step", step.id, "--log", name)
            ewarn(f"note: {name}: only the last {_IN_JSON >> 20} MiB; all of it: {whole}")
    document = {"cluster": cluster.id, "step": step.id, "where": reader.step_location(step.id)}
    print_json({**mask(document, chosen.secrets), "logs": texts})


def _explain_missing_logs(chosen: Chosen, cluster: Cluster, step: Step, reader: Logs) -> str:
    from flowspec.backend.aws.command_lines import command_line

    if step.started is None and step.state in {"PENDING", "CANCELLED"}:
        if not cluster.has_ended:
            return f"the step is {step.state} and has not begun"
        return f"the step never started; for the cause: {command_line('diagnose', chosen.emr, cluster.id)}"
    if reader.live:
        return f"{reader.step_location(step.id)} is gone"
    if not cluster.log_uri:
        return "the cluster was started without `log_uri`, so EMR ships none"
    return f"EMR ships them to {cluster.log_uri} about every five minutes"


def _choose_step(cluster: Cluster, wanted: str | None) -> Step:
    from flowspec.backend.aws.runs.settle import without_repeated

    if not cluster.steps:
        raise FlowspecError(f"cluster {cluster.id} has no steps")
    if wanted is None:
        begun = [step for step in without_repeated(cluster).steps if step.state not in {"PENDING", "CANCELLED"}]
        failed = [step for step in begun if step.state == "FAILED"]
        return (failed or begun[-1:] or list(cluster.steps))[0]
    *earlier, latest = steps_called(cluster, wanted)
    if earlier:
        ids = ", ".join(f"{step.id} ({step.state})" for step in earlier)
        ewarn(f"note: this is the latest step called {latest.name}, {latest.id} ({latest.state}); earlier: {ids}")
    return latest


def _follow(chosen: Chosen, step: Step, reader: Logs, names: Sequence[str]) -> None:
    from flowspec.backend.aws.observe import describe, describe_step
    from flowspec.document.masking import MaskingWriter

    shown = dict.fromkeys(names, 0)
    masked = {name: MaskingWriter(log_printer(), chosen.secrets) for name in names}
    interval = chosen.emr.backend.log_interval
    while True:
        # Asked before the logs are read: what a step writes until its end is printed.
        has_ended = describe_step(chosen.emr, chosen.cluster_id, step.id).has_ended
        has_ended = has_ended or describe(chosen.emr, chosen.cluster_id, steps=False).has_ended
        for name in names:
            for block in reader.blocks(step.id, name, shown[name]) or ():
                masked[name].write(block)
                shown[name] += len(block)
        if has_ended:
            break
        wait_for_more(interval)
    for writer in masked.values():
        writer.close()
