"""`flowspec apply`: submits a spec, or joins its run, and watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowspec.cli.locate import Chosen
from flowspec.cli.options import (
    CONNECTION,
    CONVERGING,
    DETACH,
    LOCK_TIMEOUT,
    SPEC,
    STAGING,
    VARIABLES,
    WATCHING,
    output_format,
)
from flowspec.cli.output import eprint, eprint_report
from flowspec.cli.planning import Planned, planned, saved_plan
from flowspec.cli.policies import POLICY

if TYPE_CHECKING:
    from flowspec.cli.options import OnInterrupt
    from flowspec.plan.changes import Plan


@click.command("apply", epilog="Example: flowspec apply job.yaml --target prod --var day=2026-11-22")
@SPEC
@VARIABLES
@CONNECTION
@STAGING
@CONVERGING
@POLICY
@DETACH
@WATCHING
@LOCK_TIMEOUT
@click.option("--skip-preflight", is_flag=True, help="Submit without looking first whether what it names is there.")
@click.option("--run-bootstrap", is_flag=True, help="Local backend: run bootstrap actions on this machine, too.")
@output_format("text", "json")
def command(  # noqa: PLR0917 - click passes options by name
    spec: Path,
    detach: bool,
    timeout: float | None,
    on_interrupt: OnInterrupt,
    lock_timeout: float,
    skip_preflight: bool,
    format_: str,
    **options: Any,
) -> int:
    """Submit a spec, converge or join what runs already; watch it; say why it failed.

    SPEC may be a plan that `flowspec plan -o FILE` has saved: exactly that is done, or refused when it is stale.
    """
    from flowspec.backend.aws.apply import apply
    from flowspec.cli.follow import follow, print_detached
    from flowspec.pipeline import refuse_wrong
    from flowspec.report import plans

    made, emr, again, preflight = _made(spec, options)
    if not (skip_preflight or made.blocked):
        made = _looked_ahead(made, preflight)
    # Without what blocks it: apply raises that as its error.
    eprint_report(plans.as_text(replace(made, blocked="")))
    refuse_wrong(made)
    notify = partial(eprint, secrets=made.secrets)
    applied = apply(made, emr, replan=again and partial(_shown, again), lock_timeout=lock_timeout, notify=notify)
    eprint(f"{'joined' if applied.joined else 'started'} cluster {applied.cluster_id}")
    chosen = Chosen(emr, applied.cluster_id, made.secrets, steps=applied.steps)
    if detach:
        return print_detached(chosen, format_, joined=applied.joined)
    return follow(chosen, timeout=timeout, on_interrupt=on_interrupt, format_=format_)


def _looked_ahead(plan: Plan, preflight: Callable[[Plan], Plan]) -> Plan:
    """The plan with what its preflight found, unless all is well, which needs no line."""
    from flowspec.plan.findings import Level

    found = preflight(plan)
    return found if any(one.level is not Level.OK for one in found.preflight or ()) else plan


def _shown(again: Callable[[], Plan]) -> Plan:
    """Makes the plan again and shows it."""
    from flowspec.report import plans

    made = again()
    eprint_report(plans.as_text(replace(made, blocked="")))
    return made


def _made(spec: Path, options: dict[str, Any]) -> Planned:
    if spec.suffix == ".json":
        from flowspec.plan.saved import is_plan_file

        text = spec.read_text("utf-8")
        if is_plan_file(text):
            return saved_plan(text, options)
    return planned(spec, **options)
