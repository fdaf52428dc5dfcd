"""`flowspec iam`: the least-privilege IAM policies that a spec needs."""

from __future__ import annotations

from pathlib import Path

import click

from flowspec.cli.exits import Exit
from flowspec.cli.options import SPEC, Choice
from flowspec.cli.output import eprint, print_json
from flowspec.cli.planning import compile_spec
from flowspec.cli.run_options import PLANNING_OFFLINE, Planning


def _account(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value and not (value.isascii() and value.isdigit() and len(value) == _DIGITS):
        raise click.BadParameter(f"'{value}' is not the id of an AWS account, which is {_DIGITS} digits")
    return value


_DIGITS = 12


@click.command("iam", epilog="Example: flowspec iam job.yaml --target prod --for apply > policy.json")
@SPEC
@PLANNING_OFFLINE
@click.option(
    "--for",
    "whom",
    type=Choice(("both", "apply", "instances")),
    default="both",
    show_default=True,
    help="Whose policy: of the identity that runs `apply`, or of the role of the instance profile.",
)
@click.option(
    "--account", default="", callback=_account, metavar="ID", help="The AWS account id to write into ARNs; default: *."
)
def command(spec: Path, whom: str, account: str, planning: Planning) -> int:
    """Print the least-privilege IAM policies that a spec needs, as JSON. Offline, without credentials."""
    from flowspec.backend.aws.permissions import permissions_of

    flow, request = compile_spec(spec, planning, placeholders=True)
    made = permissions_of(flow, request, account)
    both = {"apply": made.apply, "instances": made.instances}
    print_json(both if whom == "both" else both[whom], request.secrets)
    for note in made.notes:
        eprint(f"note: {note}", secrets=request.secrets)
    return Exit.OK
