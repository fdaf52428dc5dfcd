"""`flowspec protect`: protects a cluster against termination."""

from __future__ import annotations

import click

from flowspec.cli.exits import Exit
from flowspec.cli.locate import CHOOSING, Looking, choose_one
from flowspec.cli.options import output_format
from flowspec.cli.output import print_json, print_result


@click.command("protect", epilog="Example: flowspec protect job.yaml")
@CHOOSING
@output_format("text", "json")
def command(what: str, format_: str, looking: Looking) -> int:
    """Protect a cluster against termination. WHAT is a spec, a cluster's id, or its name."""
    return set_protection(what, looking, format_, on=True)


def set_protection(what: str, looking: Looking, format_: str, *, on: bool) -> int:
    """Sets the termination protection of the cluster that WHAT names, and prints it."""
    from flowspec.backend.aws.manage.ending import protect

    chosen = choose_one(what, looking)
    changed = protect(chosen.emr, chosen.cluster_id, on=on)
    if format_ == "json":
        print_json({"cluster": chosen.cluster_id, "termination_protected": on, "changed": changed})
    else:
        state = "protected against termination" if on else "not protected against termination"
        print_result(f"cluster {chosen.cluster_id}: {state}{'' if changed else ' (it was so before)'}")
    return Exit.OK
