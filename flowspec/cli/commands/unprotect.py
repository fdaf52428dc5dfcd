"""`flowspec unprotect`: lifts termination protection."""

from __future__ import annotations

import click

from flowspec.cli.commands.protect import set_protection
from flowspec.cli.locate import CHOOSING, Looking
from flowspec.cli.options import output_format


@click.command("unprotect", epilog="Example: flowspec unprotect job.yaml")
@CHOOSING
@output_format("text", "json")
def command(what: str, format_: str, looking: Looking) -> int:
    """Remove the termination protection of a cluster. WHAT is a spec, a cluster's id, or its name."""
    return set_protection(what, looking, format_, on=False)
