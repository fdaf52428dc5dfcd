"""`flowspec schema`: the JSON Schema of the spec."""

from __future__ import annotations

import click

from flowspec.cli.exits import Exit
from flowspec.cli.output import print_result


@click.command("schema", epilog="Example: flowspec schema > flowspec-v1.schema.json")
def command() -> int:
    """Print the JSON Schema of the spec: the reference of all its fields, for people and editors.

    The kinds of steps of installed plugins are in it.
    """
    from flowspec.document.schema import text

    print_result(text(), newline=False)
    return Exit.OK
