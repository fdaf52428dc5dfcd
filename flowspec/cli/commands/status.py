"""`flowspec status`: a cluster and its steps."""

from __future__ import annotations

from typing import Any

import click

from flowspec.cli.exits import Exit
from flowspec.cli.locate import CHOOSING, choose
from flowspec.cli.options import output_format
from flowspec.cli.output import ewarn, print_result


@click.command("status", epilog="Example: flowspec status job.yaml")
@CHOOSING
@output_format("text", "json")
def command(what: str, format_: str, **options: Any) -> int:
    """Show a cluster and its steps. WHAT is a spec, a cluster's id, or its name."""
    from flowspec.backend.aws.observe import describe
    from flowspec.document.masking import mask
    from flowspec.report import runs

    chosen = choose(what, **options)
    cluster = describe(chosen.emr, chosen.cluster_id)
    for other in chosen.others:
        ewarn(f"note: cluster {other} has the tags of this flow, too; `flowspec status {other}` shows it")
    if format_ == "json":
        print_result(runs.as_json(mask(runs.cluster_document(cluster), chosen.secrets)))
    else:
        print_result(runs.status(cluster), secrets=chosen.secrets)
    return Exit.OK
