"""Commands that change or follow a cluster: plan, apply, wait, destroy."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowspec.cli.exits import Exit
from flowspec.cli.locate import CHOOSING, Chosen, choose
from flowspec.cli.offline import show_warnings
from flowspec.cli.options import CONNECTION, SPEC, STAGING, VARIABLES, WATCHING, endpoint, job_flow, output_format
from flowspec.cli.output import result, say

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr
    from flowspec.plan.changes import Plan

REPLACE = click.option("--replace", is_flag=True, help="End a running cluster that was made from another request.")
DETACH = click.option("--detach", is_flag=True, help="Return as soon as it is accepted; don't watch.")


@click.command(epilog="Example: flowspec plan job.yaml --target prod --exit-code")
@SPEC
@VARIABLES
@CONNECTION
@STAGING
@REPLACE
@click.option("--exit-code", is_flag=True, help="Exit with 3 when there are changes.")
@output_format("text", "json")
def plan(spec: Path, replace: bool, exit_code: bool, format_: str, **options: Any) -> int:
    """Show what apply would do, and why. Nothing is changed and nothing is run."""
    from flowspec.report import plans

    made, _ = _plan(spec, replace=replace, run_bootstrap=False, **options)
    result(plans.as_json(made) if format_ == "json" else plans.as_text(made))
    return Exit.CHANGES if exit_code and made.has_changes else Exit.OK


def _plan(spec: Path, *, replace: bool, run_bootstrap: bool, **options: Any) -> tuple[Plan, Emr]:
    from flowspec.backend.aws.client import connect
    from flowspec.backend.aws.observe import observe
    from flowspec.plan.compare import make_plan
    from flowspec.request.compile import compile

    flow = job_flow(spec, **options)
    show_warnings(flow.warnings)
    request = compile(flow)
    emr = connect(endpoint(flow, run_bootstrap=run_bootstrap))
    running = observe(emr, flow.name, flow.target, name=request.params["Name"])
    return make_plan(flow, request, running, replace=replace), emr


@click.command(epilog="Example: flowspec apply job.yaml --target prod --var day=2026-11-22")
@SPEC
@VARIABLES
@CONNECTION
@STAGING
@REPLACE
@DETACH
@WATCHING
@click.option("--run-bootstrap", is_flag=True, help="Local backend: run bootstrap actions on this machine, too.")
@output_format("text", "json")
def apply(spec: Path, detach: bool, timeout: float | None, on_interrupt: str, format_: str, **options: Any) -> int:
    """Submit a spec, or join the run that is already there; watch it; say why it failed."""
    from flowspec.backend.aws.apply import apply as apply_plan
    from flowspec.cli.follow import follow, handed_over
    from flowspec.report import plans

    made, emr = _plan(spec, **options)
    # What blocks it is said by the error that applying it is.
    say(plans.as_text(replace(made, blocked="")))
    applied = apply_plan(made, emr, notify=partial(say, secrets=made.secrets))
    say(f"{'joined' if applied.joined else 'started'} cluster {applied.cluster_id}")
    chosen = Chosen(emr, applied.cluster_id, made.secrets)
    if detach:
        return handed_over(chosen, format_)
    return follow(chosen, timeout=timeout, on_interrupt=on_interrupt, format_=format_)


@click.command(epilog="Example: flowspec wait job.yaml --timeout 3600")
@CHOOSING
@WATCHING
@output_format("text", "json")
def wait(what: str, timeout: float | None, on_interrupt: str, format_: str, **options: Any) -> int:
    """Watch a run to its end. WHAT is a spec, a cluster's id, or its name."""
    from flowspec.cli.follow import follow

    chosen = choose(what, **options)
    return follow(chosen, timeout=timeout, on_interrupt=on_interrupt, format_=format_)


@click.command(epilog="Example: flowspec destroy job.yaml")
@CHOOSING
@DETACH
@click.option("--unprotect", is_flag=True, help="Lift termination protection first.")
@output_format("text", "json")
def destroy(what: str, detach: bool, unprotect: bool, format_: str, **options: Any) -> int:
    """Terminate a cluster and wait until it is gone. WHAT is a spec, a cluster's id, or its name."""
    from flowspec.backend.aws.apply import destroy as terminate
    from flowspec.backend.aws.observe import describe
    from flowspec.cli.follow import follow_to_the_grave
    from flowspec.report.runs import as_json, cluster_document

    chosen = choose(what, **options)
    for cluster_id in chosen.others:
        terminate(chosen.emr, describe(chosen.emr, cluster_id), unprotect=unprotect)
        say(f"cluster {cluster_id}: another one of this flow; termination asked for")
    cluster = describe(chosen.emr, chosen.cluster_id)
    if not cluster.has_ended:
        terminate(chosen.emr, cluster, unprotect=unprotect)
        say(f"cluster {cluster.id}: termination asked for")
        if not detach:
            cluster = follow_to_the_grave(chosen)
    if format_ == "json":
        result(as_json(cluster_document(cluster)))
    else:
        result(f"cluster {cluster.id}: {cluster.state}")
    return Exit.OK
