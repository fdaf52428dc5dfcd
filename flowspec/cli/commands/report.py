"""`flowspec report`: a run as one page to look at and to pass on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowspec.cli.drafts import refuse_spec, write_whole
from flowspec.cli.exits import Exit
from flowspec.cli.locate import CHOOSING, Looking, choose
from flowspec.cli.options import NonEmptyPath, output_format
from flowspec.cli.output import eprint, ewarn, print_result

if TYPE_CHECKING:
    from flowspec.report.page.run_report import RunReport


@click.command("report", epilog="Example: flowspec report job.yaml -o run.html")
@CHOOSING
@click.option(
    "-o",
    "--output",
    callback=refuse_spec,
    type=NonEmptyPath(path_type=Path, dir_okay=False, readable=False, writable=True, allow_dash=True),
    metavar="FILE",
    help="Write it to this file, and replace what is there; default, and for -: stdout.",
)
@output_format("html", "json", "markdown")
def command(what: str, output: Path | None, format_: str, looking: Looking) -> int:
    """Show a run as one page: timeline, counters, logs, and why it failed. WHAT is a spec, a cluster's id, or its name.

    The page needs no network and no other file. It also shows what differs from the last run of the flow that
    succeeded. For a running cluster it shows what there is so far.
    """
    from flowspec.pipeline import make_report

    chosen = choose(what, looking)
    report = make_report(chosen.emr, chosen.cluster_id, secrets=chosen.secrets)
    for note in report.notes:
        ewarn(f"note: {note}", secrets=report.secrets)
    text = _report_text(report, format_)
    if output is None or str(output) == "-":
        print_result(text)
    else:
        write_whole(output, text if text.endswith("\n") else f"{text}\n")
        eprint(f"wrote {output}")
    return Exit.OK


def _report_text(report: RunReport, format_: str) -> str:
    from flowspec.report.json_text import as_json

    if format_ == "json":
        return as_json(report.as_document())
    return report.as_markdown() if format_ == "markdown" else report.as_html()
