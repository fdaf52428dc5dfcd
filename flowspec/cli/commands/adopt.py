"""`flowspec adopt`: puts a flow's tags on a cluster that someone else made."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from flowspec.cli.confirm import confirm
from flowspec.cli.exits import Exit
from flowspec.cli.options import LOCK_TIMEOUT, SPEC, YES, complete_with, compose_options, output_format
from flowspec.cli.output import Level, eprint, eprint_report, print_result, wants_color
from flowspec.cli.planning import compile_spec
from flowspec.cli.run_options import PLANNING_ON_EMR, Planning
from flowspec.facts.ids import CLUSTER_ID


@click.command("adopt", epilog="Example: flowspec adopt j-2AXXXXXXGAPLF job.yaml --target prod")
@compose_options(click.argument("cluster_id", metavar="CLUSTER", shell_complete=complete_with("cluster_ids")), SPEC)
@PLANNING_ON_EMR
@LOCK_TIMEOUT
@YES
@output_format("text", "json")
def command(  # noqa: PLR0917 - click passes options by name
    cluster_id: str, spec: Path, planning: Planning, lock_timeout: float, yes: bool, format_: str
) -> int:
    """Let a spec manage a cluster that was started without it, from the next plan and apply on.

    CLUSTER is its id. The differences are shown first; only tags are changed. If EMR can't change a difference in
    place, the command refuses: `flowspec import CLUSTER` writes a spec without differences.
    """
    from flowspec.backend.aws.client import Endpoint, connect
    from flowspec.backend.aws.manage.adoption import adopt, plan_adoption
    from flowspec.report import plans

    if not CLUSTER_ID.fullmatch(cluster_id):
        raise click.BadParameter(f"{cluster_id!r} is not a cluster id: write j-…", param_hint="CLUSTER")
    flow, request = compile_spec(spec, planning)
    emr = connect(Endpoint.of(flow))
    found = plan_adoption(emr, cluster_id, flow, request)
    done = found.is_done
    if not done:
        eprint_report(plans.as_text(found.plan, color=wants_color()), level=Level.PROGRESS)
        if not found.plan.replaces:
            confirm(f"Let flow {flow.name} manage cluster {cluster_id}?", yes=yes)
        notify = partial(eprint, secrets=request.secrets)
        found = adopt(emr, cluster_id, flow, request, lock_timeout=lock_timeout, notify=notify)
    if format_ == "json":
        print_result(plans.as_json(found.plan))
        return Exit.OK
    result = "belongs to this flow already" if done else f"now belongs to flow {flow.name}"
    print_result(f"cluster {cluster_id} {result}")
    eprint_report(plans.as_text(found.plan, color=wants_color()), level=Level.PROGRESS)
    return Exit.OK
