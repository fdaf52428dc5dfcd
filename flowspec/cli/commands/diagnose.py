"""`flowspec diagnose`: why a run failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flowspec.cli.exits import Exit
from flowspec.cli.locate import CHOOSING, Chosen, Looking, choose, read_settled_cluster, steps_called
from flowspec.cli.options import STEP, CommandWithStep, output_format
from flowspec.cli.output import print_json, print_result
from flowspec.cli.times import Seconds

if TYPE_CHECKING:
    from flowspec.backend.aws.diagnosis.diagnose import Diagnosis
    from flowspec.backend.aws.verdict import Verdict
    from flowspec.plan.cluster import Cluster

# As flowspec.backend.aws.logs.PATIENCE, which `--help` must not import; a test compares them.
_PATIENCE = 330.0


@click.command("diagnose", cls=CommandWithStep, epilog="Example: flowspec diagnose job.yaml --format markdown")
@CHOOSING
@STEP(
    help="A step's id or name (the latest of that name); default: the failed step; on a running cluster, the latest "
    "that failed."
)
@click.option(
    "--logs-timeout",
    type=Seconds(),
    default=_PATIENCE,
    show_default=True,
    metavar="SECONDS",
    help="Wait this long after the end of the step for logs that EMR has not shipped yet.",
)
@output_format("text", "json", "markdown")
def command(what: str, wanted: str | None, logs_timeout: float, format_: str, looking: Looking) -> int:
    """Find the probable cause of a failure. WHAT is a spec, a cluster's id, or its name.

    Prints the failed step, the lines of the log that tell the cause, what they mean, and what to try. The exit code
    is 0 also when nothing has failed, or no cause is known.
    """
    from flowspec.cli.follow import diagnose_waiting

    chosen = choose(what, looking)
    cluster = read_settled_cluster(chosen, wanted)
    verdict = _failure(cluster, wanted)
    _print(chosen, cluster, diagnose_waiting(chosen, cluster, verdict, logs_timeout) if verdict else None, format_)
    return Exit.OK


def _failure(cluster: Cluster, wanted: str | None) -> Verdict | None:
    """Returns the verdict to explain: of the step that is wanted, else of the cluster; None if nothing has failed."""
    from flowspec.backend.aws.runs.settle import without_repeated
    from flowspec.backend.aws.verdict import Outcome, Verdict, failure_of

    if wanted is None:
        return failure_of(without_repeated(cluster))
    last = steps_called(cluster, wanted)[-1]
    outcome = {"FAILED": Outcome.STEP_FAILED, "CANCELLED": Outcome.CANCELLED}.get(last.state)
    return Verdict(outcome, last) if outcome else None


def _print(chosen: Chosen, cluster: Cluster, found: Diagnosis | None, format_: str) -> None:
    from flowspec.report import failures

    if format_ == "json":
        document = {"cluster": cluster.id, "name": cluster.name, "diagnosis": found and failures.as_document(found)}
        print_json(document, chosen.secrets)
    elif format_ == "markdown":
        print_result(failures.as_markdown(cluster, found, chosen.secrets))
    else:
        print_result(failures.with_heading(cluster, found), secrets=chosen.secrets)
