"""`flowspec apply`: submits a spec, or joins its run, and watches it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowspec.cli.locate import Chosen
from flowspec.cli.options import CONNECTION, DETACH, REPLACE, SPEC, STAGING, VARIABLES, WATCHING, output_format
from flowspec.cli.output import eprint
from flowspec.cli.planning import planned

if TYPE_CHECKING:
    from flowspec.cli.options import OnInterrupt


@click.command("apply", epilog="Example: flowspec apply job.yaml --target prod --var day=2026-11-22")
@SPEC
@VARIABLES
@CONNECTION
@STAGING
@REPLACE
@DETACH
@WATCHING
@click.option("--run-bootstrap", is_flag=True, help="Local backend: run bootstrap actions on this machine, too.")
@output_format("text", "json")
def command(
    spec: Path, detach: bool, timeout: float | None, on_interrupt: OnInterrupt, format_: str, **options: Any
) -> int:
    """Submit a spec, or join the run that is already there; watch it; say why it failed."""
    from flowspec.backend.aws.apply import apply
    from flowspec.cli.follow import follow, print_detached
    from flowspec.report import plans

    made, emr = planned(spec, **options)
    # Without what blocks it: apply raises that as its error.
    eprint(plans.as_text(replace(made, blocked="")))
    applied = apply(made, emr, notify=partial(eprint, secrets=made.secrets))
    eprint(f"{'joined' if applied.joined else 'started'} cluster {applied.cluster_id}")
    chosen = Chosen(emr, applied.cluster_id, made.secrets)
    if detach:
        return print_detached(chosen, format_)
    return follow(chosen, timeout=timeout, on_interrupt=on_interrupt, format_=format_)
