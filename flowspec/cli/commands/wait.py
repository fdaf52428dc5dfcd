"""`flowspec wait`: watches a run to its end."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowspec.cli.locate import CHOOSING, choose, is_spec
from flowspec.cli.options import ALLOW_COMMANDS, WATCHING, job_flow, output_format
from flowspec.cli.output import ewarn
from flowspec.errors import FlowspecError

if TYPE_CHECKING:
    from flowspec.backend.aws.runs.hooks import Hooks
    from flowspec.cli.locate import Chosen
    from flowspec.cli.options import OnInterrupt


@click.command("wait", epilog="Example: flowspec wait job.yaml --timeout 3600")
@CHOOSING
@WATCHING
@ALLOW_COMMANDS
@output_format("text", "json")
def command(
    what: str,
    timeout: float | None,
    on_interrupt: OnInterrupt,
    allow_commands: bool,
    format_: str,
    **options: Any,
) -> int:
    """Watch a run to its end, and look after its steps. WHAT is a spec, a cluster's id, or its name.

    Hooks are in the spec: they are run when WHAT is one.
    """
    from flowspec.cli.follow import follow

    chosen = choose(what, **options)
    hooks = _hooks(Path(what), chosen, allow_commands, options) if is_spec(what) else None
    return follow(chosen, timeout=timeout, on_interrupt=on_interrupt, format_=format_, hooks=hooks)


def _hooks(spec: Path, chosen: Chosen, allow_commands: bool, options: dict[str, Any]) -> Hooks | None:
    """The hooks of a spec; None, with a note, when it is not valid, or a variable has no value here."""
    from flowspec.backend.aws.runs.hooks import Hooks

    try:
        flow = job_flow(spec, **{name: value for name, value in options.items() if name != "backend"})
    except FlowspecError as error:
        ewarn(f"note: hooks are not run, the spec can't be read: {error.message}", secrets=chosen.secrets)
        return None
    return Hooks(flow, chosen.emr, partial(ewarn, secrets=flow.secrets | chosen.secrets), allow_commands)
