"""`flowspec destroy`: terminates a cluster."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowspec.cli.confirm import confirm
from flowspec.cli.exits import Exit
from flowspec.cli.locate import LOOKING, Chosen, Looking, choose
from flowspec.cli.options import DETACH, YES, Name, output_format
from flowspec.cli.output import print_json, print_result
from flowspec.cli.selection import FLEET, Fleet, names_many
from flowspec.errors import NotStarted

if TYPE_CHECKING:
    from flowspec.plan.cluster import Cluster


@click.command("destroy", epilog="Example: flowspec destroy job.yaml")
@click.argument("whats", nargs=-1, required=True, type=Name(), metavar="WHAT...")
@LOOKING
@FLEET
@DETACH
@click.option("--unprotect", is_flag=True, help="Remove the termination protection first.")
@YES
@output_format("text", "json")
def command(  # noqa: PLR0917 - click passes options by name
    whats: tuple[str, ...],
    looking: Looking,
    fleet: Fleet,
    detach: bool,
    unprotect: bool,
    yes: bool,
    format_: str,
) -> int:
    """Terminate a cluster, wait until it is gone, and list what it leaves behind.

    WHAT is a spec, a folder or glob of specs, a cluster's id, or its name. On a terminal it asks first; elsewhere,
    more than one cluster needs --yes. A flow that is not running needs nothing, and the exit code is 0.
    """
    if names_many(list(map(Path, whats)), fleet.selects):
        from flowspec.cli.fleet_destroy import destroy_many

        return destroy_many(whats, fleet, looking, yes=yes, detach=detach, unprotect=unprotect, format_=format_)
    (what,) = whats
    return _destroy(what, looking, detach=detach, unprotect=unprotect, yes=yes, format_=format_)


def _destroy(what: str, looking: Looking, *, detach: bool, unprotect: bool, yes: bool, format_: str) -> int:
    from flowspec.backend.aws.observe import describe
    from flowspec.cli.termination import describe_loss, request_termination, terminate

    try:
        chosen = choose(what, looking, ours=True)
    except NotStarted as error:
        # Nothing is left to do, as of a folder of specs.
        print_result("null" if format_ == "json" else error.message)
        return Exit.OK
    cluster = describe(chosen.emr, chosen.cluster_id)
    others = [one for one in (describe(chosen.emr, other) for other in chosen.others) if not one.has_ended]
    active = [*others, *([] if cluster.has_ended else [cluster])]
    if active:
        confirm(f"{'; '.join(f'Cluster {describe_loss(one)}' for one in active)}. Terminate?", yes=yes)
    for one in others:
        request_termination(chosen.emr, one, unprotect=unprotect, note="another cluster of this flow; ")
    if not cluster.has_ended:
        cluster = terminate(chosen, cluster, detach=detach, unprotect=unprotect)
    _print(chosen, cluster, format_)
    return Exit.OK


def _print(chosen: Chosen, cluster: Cluster, format_: str) -> None:
    from flowspec.cli.termination import leftovers_of
    from flowspec.document.escaping import visible
    from flowspec.report.runs import cluster_document

    left = leftovers_of(chosen, cluster)
    if format_ == "json":
        document = {**cluster_document(cluster), "leftovers": [asdict(one) for one in left]}
        print_json(document, chosen.secrets)
        return
    print_result(f"cluster {cluster.id}: {cluster.state}")
    for one in left:
        print_result(f"  stays: {one.kind} {visible(one.name)}", secrets=chosen.secrets)
