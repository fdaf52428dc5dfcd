"""`flowspec status`: a cluster and its steps."""

from __future__ import annotations

import click

from flowspec.cli.exits import Exit
from flowspec.cli.locate import CHOOSING, Looking, choose, read_settled_cluster
from flowspec.cli.options import output_format
from flowspec.cli.output import eprint, ewarn, print_json, print_result


@click.command("status", epilog="Example: flowspec status job.yaml")
@CHOOSING
@click.option("--cost", is_flag=True, help="Add what its instances have cost so far, by public prices.")
@output_format("text", "json")
def command(what: str, cost: bool, format_: str, looking: Looking) -> int:
    """Show a cluster and its steps. WHAT is a spec, a cluster's id, or its name."""
    from flowspec.backend.aws.command_lines import command_line
    from flowspec.backend.aws.spending import spent
    from flowspec.backend.aws.verdict import Outcome, failure_of
    from flowspec.report import costs, runs

    chosen = choose(what, looking)
    cluster = read_settled_cluster(chosen)
    for other in chosen.others:
        shown_by = command_line("status", chosen.emr, other)
        ewarn(f"note: cluster {other} has the tags of this flow, too; `{shown_by}` shows it")
    if cost and not chosen.emr.endpoint.traits.is_paid:
        raise click.UsageError("--cost is for clusters on EMR: on this machine nothing is paid")
    paid = spent(chosen.emr, chosen.cluster_id) if cost else None
    if format_ == "json":
        more = {"cost": costs.actual_document(paid)} if paid else {}
        print_json({**runs.cluster_document(cluster), **more}, chosen.secrets)
    else:
        shown = [runs.status(cluster), *([costs.actual_line(paid)] if paid else [])]
        print_result("\n".join(shown), secrets=chosen.secrets)
        if failure := failure_of(cluster):
            did = "ended" if failure.outcome is Outcome.CANCELLED else "failed"
            eprint(f"`{command_line('diagnose', chosen.emr, cluster.id)}` says why it {did}")
    return Exit.OK
