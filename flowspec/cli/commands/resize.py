"""`flowspec resize`: sets the sizes of instance groups and fleets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import click

from flowspec.cli.exits import Exit
from flowspec.cli.locate import CHOOSING, Looking, choose_one
from flowspec.cli.options import DETACH, LOCK_TIMEOUT, compose_options, output_format
from flowspec.cli.output import eprint, print_json, print_result
from flowspec.cli.times import Seconds

if TYPE_CHECKING:
    from flowspec.backend.aws.manage.resize import Resize

_TIMEOUT = click.option(
    "--timeout", type=Seconds(), metavar="SECONDS", help="Stop waiting after SECONDS; default: never."
)


@click.command("resize", epilog="Example: flowspec resize job.yaml CORE=10 TASK:spot=0")
@compose_options(CHOOSING, click.argument("sizes", nargs=-1, required=True, metavar="ROLE[:NAME]=N..."))
@DETACH
@_TIMEOUT
@LOCK_TIMEOUT
@output_format("text", "json")
def command(  # noqa: PLR0917 - click passes options by name
    what: str,
    sizes: tuple[str, ...],
    detach: bool,
    timeout: float | None,
    lock_timeout: float,
    format_: str,
    looking: Looking,
) -> int:
    """Set the sizes of instance groups and fleets, and wait until they have them.

    WHAT is a spec, a cluster's id, or its name. Sizes are CORE=10, TASK=4 (where there is one task group, or one with
    instances), TASK:NAME=4, or a group's id; of fleets CORE:on-demand=4 and CORE:spot=8. A size that a scaling
    policy changes can't be set. The next apply sets the sizes in the spec, so change the spec, too.
    """
    from flowspec.backend.aws.manage.resize import resize, wait_for_sizes

    wanted = dict(map(_parse_size, sizes))
    if len(wanted) < len(sizes):
        raise click.UsageError("a size is given twice")
    chosen = choose_one(what, looking)
    notify = partial(eprint, secrets=chosen.secrets)
    found = resize(chosen.emr, chosen.cluster_id, wanted, lock_timeout=lock_timeout, notify=notify)
    if detach:
        return _print(chosen.cluster_id, found, format_, Exit.OK)
    try:
        found = wait_for_sizes(chosen.emr, chosen.cluster_id, found, timeout=timeout, notify=notify)
    except KeyboardInterrupt:
        eprint(f"EMR continues to resize cluster {chosen.cluster_id}")
        return Exit.INTERRUPTED
    reached = all(one.reached for one in found)
    return _print(chosen.cluster_id, found, format_, Exit.OK if reached else Exit.TIMED_OUT)


def _parse_size(text: str) -> tuple[str, int]:
    address, separator, count = text.rpartition("=")
    if not separator or not address or not (count.isascii() and count.isdigit()):
        raise click.BadParameter(f"{text!r} is not a size: write CORE=10 or TASK:NAME=4", param_hint="ROLE=N")
    return address, int(count)


def _print(cluster_id: str, found: Sequence[Resize], format_: str, code: Exit) -> int:
    from flowspec.document.escaping import visible

    if format_ == "json":
        print_json({"cluster": cluster_id, "exit_code": int(code), "sizes": [asdict(one) for one in found]})
        return code
    for one in found:
        what = "size" if one.member == "InstanceCount" else one.member
        change = f"{one.before} -> {one.after}" if one.before != one.after else f"{one.after} already"
        print_result(f"{visible(one.address)}: {what} {change}")
    return code
