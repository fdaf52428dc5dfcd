"""`flowspec prices show` and `flowspec prices update`: the prices that estimates use."""

from __future__ import annotations

import shlex

import click

from flowspec.cli.exits import Exit
from flowspec.cli.options import CONNECTION_WITHOUT_SPEC, output_format
from flowspec.cli.output import ewarn, print_json, print_result
from flowspec.cli.specs import Connection
from flowspec.errors import number_of


@click.group("prices", epilog="Example: flowspec prices update --region eu-west-1")
def command() -> None:
    """Show the prices that estimates use, and read today's prices of a region from AWS."""


@command.command(
    "show",
    short_help="Show prices, each with its date and source.",
    epilog="Example: flowspec prices show m5.xlarge r6g.2xlarge --region us-east-1",
)
@click.argument("types", nargs=-1, metavar="[TYPE]...")
@click.option(
    "--region", metavar="REGION", help="Show the prices of this region; default: of all regions in the tables."
)
@output_format("text", "json")
def show(types: tuple[str, ...], region: str | None, format_: str) -> int:
    """Show prices, each with its date and source: from your own table, else from the one that comes with flowspec.

    Without a TYPE, all prices are shown, those of EBS volumes included.
    """
    from flowspec.errors import NothingFound
    from flowspec.facts.price_table import RegionPrices
    from flowspec.facts.prices import instance_prices, priced_regions, volume_rates
    from flowspec.report.json_text import as_json
    from flowspec.report.prices import Shown, price_documents, price_lines

    command = ["flowspec", "prices", "update", *(["--region", region] if region else [])]
    if region and region not in priced_regions():
        raise NothingFound(f"no prices of region {region} are known", remedy=shlex.join(command))
    shown = []
    for one in [region] if region else priced_regions():
        prices = instance_prices(one)
        known = {name: prices[name] for name in types or prices if name in prices}
        shown.append(Shown(one, RegionPrices(known, {} if types else volume_rates(one))))
    lacking = [name for name in types if all(name not in one.prices.types for one in shown)]
    if any(one.prices.types for one in shown):
        print_result(as_json(price_documents(shown)) if format_ == "json" else price_lines(shown))
    for name in lacking:
        update_it = shlex.join([*command, "--types", name])
        ewarn(f"no price of {name} is known; try: {update_it}")
    return Exit.ERROR if lacking else Exit.OK


@command.command(
    "update",
    short_help="Read the on-demand prices of a region from AWS.",
    epilog="Example: flowspec prices update --region eu-west-1 --types m7g.xlarge,r7g.xlarge",
)
@CONNECTION_WITHOUT_SPEC
@click.option(
    "--types",
    metavar="TYPE,...",
    default="",
    help="Read the prices of these instance types; default: of all that EMR offers.",
)
@output_format("text", "json")
def update(connection: Connection, types: str, format_: str) -> int:
    """Read the on-demand prices of a region from AWS, for all later estimates.

    They are written to prices.json in FLOWSPEC_HOME; prices of other types and regions stay. Needs the permission
    pricing:GetProducts.
    """
    from flowspec.backend.aws.client import connect
    from flowspec.backend.aws.pricing import find_prices
    from flowspec.cli.locate import bare_endpoint
    from flowspec.facts.price_table import own_table, update_own_table
    from flowspec.report.prices import Shown, price_documents

    # Before the network: a table that is damaged would not be replaced.
    own_table()
    emr = connect(bare_endpoint("emr", connection))
    found = find_prices(emr, [name.strip() for name in types.split(",") if name.strip()])
    path = update_own_table(emr.region, found.prices)
    for note in found.notes:
        ewarn(f"note: {note}")
    if format_ == "json":
        (document,) = price_documents([Shown(emr.region, found.prices)])
        print_json({**document, "table": str(path), "notes": list(found.notes)})
    else:
        rows, kinds = len(found.prices.types), len(found.prices.volumes)
        print_result(
            f"{number_of(rows, 'instance type')} and {number_of(kinds, 'type')} of volumes of {emr.region}: {path}"
        )
    return Exit.OK
