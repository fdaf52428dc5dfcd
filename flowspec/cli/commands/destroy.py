"""`flowspec destroy`: terminates a cluster."""

from __future__ import annotations

from typing import Any

import click

from flowspec.cli.exits import Exit
from flowspec.cli.locate import CHOOSING, choose
from flowspec.cli.options import DETACH, output_format
from flowspec.cli.output import eprint, print_result


@click.command("destroy", epilog="Example: flowspec destroy job.yaml")
@CHOOSING
@DETACH
@click.option("--unprotect", is_flag=True, help="Lift termination protection first.")
@output_format("text", "json")
def command(what: str, detach: bool, unprotect: bool, format_: str, **options: Any) -> int:
    """Terminate a cluster and wait until it is gone. WHAT is a spec, a cluster's id, or its name."""
    from flowspec.backend.aws.apply import destroy
    from flowspec.backend.aws.observe import describe
    from flowspec.cli.follow import wait_until_terminated
    from flowspec.report.runs import as_json, cluster_document

    chosen = choose(what, **options)
    for cluster_id in chosen.others:
        destroy(chosen.emr, describe(chosen.emr, cluster_id), unprotect=unprotect)
        eprint(f"cluster {cluster_id}: another cluster of this flow; termination requested")
    cluster = describe(chosen.emr, chosen.cluster_id)
    if not cluster.has_ended:
        destroy(chosen.emr, cluster, unprotect=unprotect)
        eprint(f"cluster {cluster.id}: termination requested")
        if not detach:
            cluster = wait_until_terminated(chosen)
    if format_ == "json":
        print_result(as_json(cluster_document(cluster)))
    else:
        print_result(f"cluster {cluster.id}: {cluster.state}")
    return Exit.OK
