"""`flowspec destroy`: terminates a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import chain
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
    from flowspec.cli.termination import after_request, describe_loss, request_termination

    try:
        chosen = choose(what, looking, ours=True)
    except NotStarted as error:
        # Nothing is left to do, as of a folder of specs.
        print_result("null" if format_ == "json" else error.message)
        return Exit.OK
    clusters = {id_: describe(chosen.emr, id_) for id_ in (chosen.cluster_id, *chosen.others)}
    active = [one for one in clusters.values() if not one.has_ended]
    if active:
        confirm(f"{'; '.join(f'Cluster {describe_loss(one)}' for one in active)}. Terminate?", yes=yes)
    # A protected one first: it is refused before any other has ended.
    for one in sorted(active, key=lambda one: not one.termination_protected):
        note = "another cluster of this flow; " if one.id in chosen.others else ""
        request_termination(chosen.emr, one, unprotect=unprotect, note=note)
    for one in active:
        clusters[one.id] = after_request(replace(chosen, cluster_id=one.id), detach=detach)
    _print(chosen, list(clusters.values()), format_)
    return Exit.OK


def _print(chosen: Chosen, clusters: Sequence[Cluster], format_: str) -> None:
    """Prints the state of the clusters of a flow, and what they leave behind; in JSON the state of the first one."""
    from flowspec.cli.termination import leftovers_of
    from flowspec.document.escaping import visible
    from flowspec.report.runs import cluster_document

    left = {one.id: leftovers_of(chosen, one) for one in clusters}
    if format_ == "json":
        leftovers = [asdict(one) for one in dict.fromkeys(chain.from_iterable(left.values()))]
        print_json({**cluster_document(clusters[0]), "leftovers": leftovers}, chosen.secrets)
        return
    for cluster in clusters:
        print_result(f"cluster {cluster.id}: {cluster.state}")
        for one in left[cluster.id]:
            print_result(f"  stays: {one.kind} {visible(one.name)}", secrets=chosen.secrets)
