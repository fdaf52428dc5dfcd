"""`flowspec logs`: a step's logs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from flowspec.cli.exits import Exit
from flowspec.cli.locate import CHOOSING, Chosen, choose
from flowspec.cli.options import output_format
from flowspec.cli.output import eprint, print_bytes, print_result
from flowspec.errors import FlowspecError

if TYPE_CHECKING:
    from flowspec.backend.aws.logs import Logs
    from flowspec.plan.cluster import Cluster, Step


@click.command("logs", epilog="Example: flowspec logs job.yaml --step 'count words' --log stderr")
@CHOOSING
@click.option(
    "--step",
    "wanted",
    metavar="STEP",
    help="A step's id or name; default: the failed one, else the last begun.",
)
@click.option(
    "--log",
    "names",
    multiple=True,
    type=click.Choice(["controller", "syslog", "stdout", "stderr"]),
    help="Which log; may be repeated; default: all four.",
)
@click.option(
    "-f", "--follow", is_flag=True, help="Go on as the logs (default: stdout and stderr) grow, until the step ends."
)
@output_format("text", "json")
def command(what: str, wanted: str | None, names: tuple[str, ...], follow: bool, format_: str, **options: Any) -> int:
    """Print a step's logs. WHAT is a spec, a cluster's id, or its name."""
    from flowspec.backend.aws.logs import NAMES, logs_of
    from flowspec.backend.aws.observe import describe
    from flowspec.document.masking import mask
    from flowspec.report.runs import as_json

    chosen = choose(what, **options)
    cluster = describe(chosen.emr, chosen.cluster_id)
    step = _wanted(cluster, wanted)
    if follow:
        return _follow(chosen, step, names or ("stdout", "stderr"))
    reader = logs_of(chosen.emr, cluster)
    found = {name: reader.read(step.id, name) for name in names or NAMES}
    if format_ == "json":
        text = {name: None if log is None else log.decode("utf-8", "replace") for name, log in found.items()}
        document = {"cluster": cluster.id, "step": step.id, "where": reader.where(step.id), "logs": text}
        print_result(as_json(mask(document, chosen.secrets)))
        return Exit.OK
    if all(log is None for log in found.values()):
        raise FlowspecError(f"there are no logs of step {step.id} yet", remedy=_where_logs_are(cluster, step, reader))
    for name, log in found.items():
        if len(found) > 1:
            eprint(f"==> {name} of {step.id} <==")
        _write(log or b"", chosen)
    return Exit.OK


def _where_logs_are(cluster: Cluster, step: Step, reader: Logs) -> str:
    if reader.live:
        return "it has not begun" if step.state in {"PENDING", "CANCELLED"} else f"{reader.where(step.id)} is gone"
    if not cluster.log_uri:
        return "the cluster was started without `log_uri`, so EMR ships none"
    return f"EMR ships them to {cluster.log_uri} about every five minutes"


def _wanted(cluster: Cluster, wanted: str | None) -> Step:
    if not cluster.steps:
        raise FlowspecError(f"cluster {cluster.id} has no steps")
    if wanted is None:
        begun = [step for step in cluster.steps if step.state not in {"PENDING", "CANCELLED"}]
        failed = [step for step in begun if step.state == "FAILED"]
        return (failed or begun[-1:] or list(cluster.steps))[0]
    found = [step for step in cluster.steps if wanted in {step.id, step.name}]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{step.id} ({step.name})" for step in found or cluster.steps)
    problem = f"{len(found)} steps are called {wanted}" if found else f"there is no step {wanted}"
    raise FlowspecError(f"{problem} in cluster {cluster.id}", remedy=f"name one of {known}")


def _follow(chosen: Chosen, step: Step, names: Sequence[str]) -> int:
    from flowspec.backend.aws.logs import logs_of
    from flowspec.backend.aws.observe import describe

    shown = dict.fromkeys(names, 0)
    while True:
        cluster = describe(chosen.emr, chosen.cluster_id)
        reader = logs_of(chosen.emr, cluster)
        for name in names:
            log = reader.read(step.id, name, shown[name]) or b""
            _write(log, chosen)
            shown[name] += len(log)
        if cluster.has_ended or next(one for one in cluster.steps if one.id == step.id).has_ended:
            return Exit.OK
        time.sleep(chosen.emr.backend.log_interval)


def _write(content: bytes, chosen: Chosen) -> None:
    from flowspec.document.masking import MASK, forms

    for form in forms(chosen.secrets):
        content = content.replace(form.encode(), MASK.encode())
    if content:
        print_bytes(content)
