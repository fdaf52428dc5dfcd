"""`flowspec unlock`: removes the lock that an apply left on a cluster."""

from __future__ import annotations

import click

from flowspec.cli.exits import Exit
from flowspec.cli.locate import CHOOSING, Looking, choose
from flowspec.cli.options import output_format
from flowspec.cli.output import print_json, print_result
from flowspec.document.escaping import visible


@click.command("unlock", epilog="Example: flowspec unlock job.yaml")
@CHOOSING
@output_format("text", "json")
def command(what: str, format_: str, looking: Looking) -> int:
    """Remove the lock of a cluster, whoever holds it. WHAT is a spec, a cluster's id, or its name."""
    from flowspec.backend.aws.submission.lock import unlock

    chosen = choose(what, looking)
    holder = unlock(chosen.emr, chosen.cluster_id)
    if format_ == "json":
        print_json({"cluster": chosen.cluster_id, "removed": holder})
        return Exit.OK
    print_result(
        f"cluster {chosen.cluster_id}: " + (f"removed the lock of {visible(holder)}" if holder else "not locked")
    )
    return Exit.OK
