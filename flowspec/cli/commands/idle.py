"""`flowspec idle`: lists idle clusters that flowspec started."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from flowspec.cli.confirm import confirm
from flowspec.cli.exits import Exit
from flowspec.cli.locate import LOOKING_WITHOUT_SPEC, Looking, bare_endpoint, looked_in
from flowspec.cli.options import YES, output_format
from flowspec.cli.output import Level, eprint, eprint_report, ewarn, print_json, print_result
from flowspec.cli.times import parse_span
from flowspec.errors import FlowspecError, number_of

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr
    from flowspec.backend.aws.manage.inventory import IdleCluster


@click.command("idle", epilog="Example: flowspec idle --at-least 2h --region us-east-1")
@LOOKING_WITHOUT_SPEC
@click.option(
    "--at-least", callback=parse_span, default="0", metavar="SPAN", help="Idle for at least this long: 30m, 2h, 7d."
)
@click.option("--terminate", is_flag=True, help="Terminate them.")
@click.option("--unprotect", is_flag=True, help="Terminate those that are protected, too.")
@YES
@output_format("text", "json")
def command(  # noqa: PLR0917 - click passes options by name
    at_least: timedelta,
    terminate: bool,
    unprotect: bool,
    yes: bool,
    looking: Looking,
    format_: str,
) -> int:
    """List idle clusters that flowspec started, with their instance hours and cost since they became idle.

    A cluster is idle from the end of its last step, or from the time when it was ready.
    """
    from flowspec.backend.aws.client import connect
    from flowspec.backend.aws.manage.inventory import idle_clusters
    from flowspec.report import clusters

    emr = connect(bare_endpoint(looking.backend, looking.connection))
    found = idle_clusters(emr, at_least=at_least)
    done: dict[str, str] = {}
    if terminate and found:
        eprint_report(clusters.idle_table(found), level=Level.WARNING)
        confirm(f"Terminate {number_of(len(found), 'idle cluster')}?", yes=yes, unasked=False)
        done = {one.cluster.id: _terminate(emr, one, unprotect=unprotect) for one in found}
    if format_ == "json":
        documents = map(partial(_document, done=done), found)
        print_json(list(documents))
    elif not terminate or not found:
        print_result(clusters.idle_table(found))
        if not found:
            ewarn(f"note: no cluster is idle{' for so long' if at_least else ''} {looked_in(emr)}")
    return Exit.ERROR if "refused" in done.values() else Exit.OK


def _terminate(emr: Emr, idle: IdleCluster, *, unprotect: bool) -> str:
    """Terminates a cluster and prints the result. If EMR refuses it, the other clusters are still terminated."""
    from flowspec.backend.aws.manage.inventory import end_idle

    try:
        ended = end_idle(emr, idle, unprotect=unprotect)
    except FlowspecError as error:
        eprint(f"cluster {idle.cluster.id}: {error.sentence}", level=Level.ERROR)
        return "refused"
    eprint(f"cluster {idle.cluster.id}: " + ("termination requested" if ended else "no longer idle, left running"))
    return "terminated" if ended else "left alone"


def _document(idle: IdleCluster, done: dict[str, str]) -> dict[str, Any]:
    from flowspec.report import clusters

    return {**clusters.idle_document(idle), "done": done.get(idle.cluster.id, "")}
