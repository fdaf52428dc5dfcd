"""`flowspec list`: the clusters of an EMR."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from flowspec.cli.exits import Exit
from flowspec.cli.locate import BACKEND, bare_endpoint
from flowspec.cli.options import CONNECTION, output_format
from flowspec.cli.output import print_result

if TYPE_CHECKING:
    from flowspec.facts.backends import BackendName


@click.command("list", epilog="Example: flowspec list --all --region us-east-1")
@CONNECTION
@BACKEND
@click.option("--all", "ended", is_flag=True, help="Ended clusters, too.")
@output_format("text", "json")
def command(ended: bool, backend: BackendName | None, format_: str, **options: Any) -> int:
    """List clusters: those of the embedded EMR, or of AWS with --backend emr."""
    from flowspec.backend.aws.client import connect
    from flowspec.backend.aws.observe import summaries
    from flowspec.plan.cluster import age
    from flowspec.report import runs

    found = sorted(summaries(connect(bare_endpoint(backend, **options)), ended=ended), key=age)
    print_result(
        runs.as_json([runs.summary_document(one) for one in found]) if format_ == "json" else runs.table(found)
    )
    return Exit.OK
