"""`flowspec list`: the clusters of an EMR."""

from __future__ import annotations

from datetime import datetime

import click

from flowspec.cli.exits import Exit
from flowspec.cli.locate import LOOKING_WITHOUT_SPEC, Looking, bare_endpoint, looked_in
from flowspec.cli.options import Choice, WholeNumber, output_format
from flowspec.cli.output import ewarn, print_json, print_result
from flowspec.cli.times import parse_moment
from flowspec.errors import number_of
from flowspec.facts.states import ALIVE, ENDED

# DescribeCluster, one for each cluster that is shown, is answered once a second for the whole account (Service
# Quotas): with a burst of ten, a hundred take a minute and a half.
_LIMIT = 100


@click.command("list", epilog="Example: flowspec list --since 7d --state TERMINATED_WITH_ERRORS --region us-east-1")
@LOOKING_WITHOUT_SPEC
@click.option("--all", "ended", is_flag=True, help="Ended clusters, too.")
@click.option("--state", "states", type=Choice([*ALIVE, *ENDED]), multiple=True, help="In this state; may be repeated.")
@click.option(
    "--since",
    "--created-after",
    callback=parse_moment,
    metavar="TIME",
    help="Created at or after TIME: 2026-11-28, 2026-11-28T10:00:00Z, or 12h for twelve hours ago.",
)
@click.option("--until", "--created-before", callback=parse_moment, metavar="TIME", help="Created at or before TIME.")
@click.option(
    "--name", default="*", metavar="PATTERN", help="With a name like this: * stands for any text, ? for one character."
)
@click.option("--tag", "tags", multiple=True, metavar="KEY[=VALUE]", help="With this tag; may be repeated.")
@click.option(
    "--limit",
    type=WholeNumber(min=1),
    default=_LIMIT,
    show_default=True,
    metavar="N",
    help="Show only the newest N clusters.",
)
@output_format("text", "json")
def command(  # noqa: PLR0917 - click passes options by name
    ended: bool,
    states: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    name: str,
    tags: tuple[str, ...],
    limit: int,
    looking: Looking,
    format_: str,
) -> int:
    """List clusters with their flow, target and spec: those of the embedded EMR, or of AWS with --backend emr.

    Clusters that have ended are shown with --all, or when a state of them is asked for; EMR knows them for two
    months.
    """
    from flowspec.backend.aws.client import connect
    from flowspec.backend.aws.manage.inventory import list_clusters
    from flowspec.report import clusters

    wanted = dict(map(_tag, tags))
    if len(wanted) < len(set(tags)):
        raise click.UsageError("--tag: a key is given twice, and a cluster has one value for each")
    emr = connect(bare_endpoint(looking.backend, looking.connection))
    found = list_clusters(
        emr,
        states=states or (() if ended else ALIVE),
        created_after=since,
        created_before=until,
        name=name,
        tags=wanted,
        limit=limit,
    )
    if format_ == "json":
        print_json([clusters.summary_document(one) for one in found.clusters])
    else:
        print_result(clusters.table(found.clusters))
        if not found.clusters:
            which = "no such cluster" if name != "*" or tags or since or until or states else "no cluster"
            where = looked_in(emr)
            active = f"{which} is active {where}; --all shows those that have ended, too"
            ewarn(f"note: {f'there is {which} {where}' if ended or states else active}")
            # A key may have this character, so the tag is valid. `--select` takes tag=KEY:VALUE.
            if mistaken := next((key for key, value in wanted.items() if value is None and ":" in key), ""):
                ewarn(f"note: the value of a tag follows an equals sign: --tag {mistaken.replace(':', '=', 1)}")
    if found.unread:
        ewarn(f"note: these are the newest; {number_of(found.unread, 'older cluster')} not looked at: see --limit")
    return Exit.OK


def _tag(text: str) -> tuple[str, str | None]:
    key, separator, value = text.partition("=")
    return key, value if separator else None
