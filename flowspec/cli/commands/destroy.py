"""`flowspec destroy`: terminates a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from flowspec.cli.confirm import confirm
from flowspec.cli.exits import Exit
from flowspec.cli.locate import CHOOSING, Chosen, choose
from flowspec.cli.options import DETACH, YES, output_format
from flowspec.cli.output import eprint, ewarn, print_result

if TYPE_CHECKING:
    from flowspec.backend.aws.manage.ending import Leftover
    from flowspec.plan.cluster import Cluster


@click.command("destroy", epilog="Example: flowspec destroy job.yaml")
@CHOOSING
@DETACH
@click.option("--unprotect", is_flag=True, help="Lift termination protection first.")
@YES
@output_format("text", "json")
def command(what: str, detach: bool, unprotect: bool, yes: bool, format_: str, **options: Any) -> int:
    """Terminate a cluster, wait until it is gone, and list what it leaves behind.

    WHAT is a spec, a cluster's id, or its name. On a terminal it asks first.
    """
    from flowspec.backend.aws.apply import destroy
    from flowspec.backend.aws.observe import describe
    from flowspec.cli.follow import wait_until_terminated

    chosen = choose(what, ours=True, **options)
    cluster = describe(chosen.emr, chosen.cluster_id)
    clusters = [*(describe(chosen.emr, one) for one in chosen.others), cluster]
    active = [one for one in clusters if not one.has_ended]
    if active:
        confirm(f"{'; '.join(map(_loss, active))}. Terminate?", yes=yes)
    for one in active:
        destroy(chosen.emr, one, unprotect=unprotect)
        other = "another cluster of this flow; " if one is not cluster else ""
        eprint(f"cluster {one.id}: {other}termination requested")
    if active and not detach:
        cluster = wait_until_terminated(chosen)
    _print(chosen, cluster, format_)
    return Exit.OK


def _loss(cluster: Cluster) -> str:
    """Says for the question what is lost with a cluster."""
    from flowspec.document.escaping import visible

    left = [step for step in cluster.steps if not step.has_ended]
    steps = f", {len(left)} steps are not over" if left else ""
    return f"Cluster {cluster.id} ({visible(cluster.name)}) is {cluster.state}{steps}"


def _left(chosen: Chosen, cluster: Cluster) -> Sequence[Leftover]:
    """Returns what stays; prints a note where that can't be read, since the cluster is gone all the same."""
    from flowspec.backend.aws.manage.ending import leftovers
    from flowspec.errors import FlowspecError

    try:
        return leftovers(chosen.emr, cluster)
    except FlowspecError as error:
        ewarn(f"note: what it leaves behind could not be read: {error.sentence}", secrets=chosen.secrets)
        return ()


def _print(chosen: Chosen, cluster: Cluster, format_: str) -> None:
    from flowspec.document.escaping import visible
    from flowspec.document.masking import mask
    from flowspec.report.runs import as_json, cluster_document

    left = _left(chosen, cluster)
    if format_ == "json":
        document = {**cluster_document(cluster), "leftovers": [asdict(one) for one in left]}
        print_result(as_json(mask(document, chosen.secrets)))
        return
    print_result(f"cluster {cluster.id}: {cluster.state}")
    for one in left:
        print_result(f"  stays: {one.kind} {visible(one.name)}", secrets=chosen.secrets)
