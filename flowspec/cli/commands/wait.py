"""`flowspec wait`: watches a run to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from flowspec.cli.locate import CHOOSING, choose
from flowspec.cli.options import WATCHING, output_format

if TYPE_CHECKING:
    from flowspec.cli.options import OnInterrupt


@click.command("wait", epilog="Example: flowspec wait job.yaml --timeout 3600")
@CHOOSING
@WATCHING
@output_format("text", "json")
def command(what: str, timeout: float | None, on_interrupt: OnInterrupt, format_: str, **options: Any) -> int:
    """Watch a run to its end. WHAT is a spec, a cluster's id, or its name."""
    from flowspec.cli.follow import follow

    chosen = choose(what, **options)
    return follow(chosen, timeout=timeout, on_interrupt=on_interrupt, format_=format_)
