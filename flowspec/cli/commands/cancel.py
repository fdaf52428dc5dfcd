"""`flowspec cancel`: cancels a step, or all that are pending."""

from __future__ import annotations

from dataclasses import asdict

import click

from flowspec.cli.confirm import confirm
from flowspec.cli.exits import Exit
from flowspec.cli.locate import CHOOSING, Looking, choose_one
from flowspec.cli.options import YES, Name, complete_with, compose_options, output_format
from flowspec.cli.output import Level, eprint_report, print_json, print_result


@click.command("cancel", epilog="Example: flowspec cancel job.yaml 'count words'")
@compose_options(
    CHOOSING,
    click.argument("step", required=False, type=Name(), metavar="[STEP]", shell_complete=complete_with("steps")),
)
@click.option("--force", is_flag=True, help="Kill the process of a running step, instead of interrupting it.")
@YES
@output_format("text", "json")
def command(*, what: str, looking: Looking, step: str | None, force: bool, yes: bool, format_: str) -> int:
    """Cancel a step, or without STEP all pending steps, and print EMR's answer on each.

    WHAT is a spec, a cluster's id, or its name; STEP an id or a name. Exits with 1 when EMR refuses one.
    """
    from flowspec.backend.aws.manage.steps import steps_to_cancel
    from flowspec.backend.aws.submission.cancellation import cancel_steps
    from flowspec.document.escaping import visible
    from flowspec.report import runs

    chosen = choose_one(what, looking)
    found = steps_to_cancel(chosen.emr, chosen.cluster_id, step or "")
    if found and not step:
        eprint_report("\n".join(runs.step_line(one) for one in found), level=Level.WARNING, secrets=chosen.secrets)
        number = f"the {len(found)} pending steps" if len(found) > 1 else "the pending step"
        confirm(f"Cancel {number} of cluster {chosen.cluster_id}?", yes=yes, unasked=False)
    answers = cancel_steps(chosen.emr, chosen.cluster_id, found, force=force)
    if format_ == "json":
        document = {"cluster": chosen.cluster_id, "steps": [asdict(one) for one in answers]}
        print_json(document, chosen.secrets)
    for one in answers if format_ == "text" else ():
        # EMR ends a running step some time after it has answered.
        result = ": cancellation requested" if one.accepted else f" is not cancelled: {visible(one.reason)}"
        print_result(f"step {one.id} {visible(one.name)}{result}", secrets=chosen.secrets)
    if not answers and format_ == "text":
        print_result(f"cluster {chosen.cluster_id}: no step is pending")
    return Exit.OK if all(one.accepted for one in answers) else Exit.ERROR
