"""`flowspec test`: runs flows on sample data, on embedded EMRs of their own, and compares what comes out."""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowspec.cli import print_error
from flowspec.cli.drafts import check_folder, refuse_spec, write_whole
from flowspec.cli.exits import Exit
from flowspec.cli.options import SPEC_PATH, NonEmptyPath, WholeNumber, output_format
from flowspec.cli.output import eprint, print_json, print_result, wants_color
from flowspec.cli.selection import SELECT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowspec.cases.running import CaseResult


@click.command("test", epilog="Example: flowspec test jobs -k wordcount --junit report.xml")
@click.argument("paths", nargs=-1, type=SPEC_PATH, metavar="[PATH]...")
@click.option("-k", "--name", "names", multiple=True, metavar="TEXT", help="Only cases with this text in their name.")
@SELECT
@click.option("--last-failed", is_flag=True, help="Only cases that failed last time; all, if none did.")
@click.option(
    "--base", metavar="REF", help="Only cases that a change since the merge base with this git revision touches."
)
@click.option("--update", is_flag=True, help="Write what comes out as the expected output.")
@click.option("--keep", is_flag=True, help="Keep the home of a failed case, with all its files and logs.")
@click.option(
    "-j", "--jobs", type=WholeNumber(min=1), metavar="N", help="Run so many cases at once; default: one per core."
)
@click.option(
    "--junit",
    callback=refuse_spec,
    type=NonEmptyPath(path_type=Path, dir_okay=False, writable=True),
    metavar="FILE",
    help="Write the results as JUnit XML, too; replaces FILE.",
)
@output_format("text", "json")
def command(  # noqa: PLR0917 - click passes options by name
    paths: tuple[Path, ...],
    names: tuple[str, ...],
    selects: tuple[str, ...],
    last_failed: bool,
    base: str | None,
    update: bool,
    keep: bool,
    jobs: int | None,
    junit: Path | None,
    format_: str,
) -> int:
    """Run flows on sample data, on this machine, without AWS, and compare what comes out.

    A case is a folder tests/NAME/ beside a spec, with a case.yaml, sample data and the expected output. PATH is such a
    folder, a spec, a folder with all below it, or a glob; default: the working directory. Each case runs in a home of
    its own; if one fails, the others go on.
    The steps are executed, so test only specs that you trust to run here.
    """
    from flowspec.cases.running import run_tests
    from flowspec.report import cases as report

    started = time.monotonic()

    def show(result: CaseResult) -> None:
        if format_ == "text":
            print_result(report.result_text(result, color=wants_color(sys.stdout)))
        if result.crash:
            print_error(result.crash)

    if junit:
        # Not only after all cases have run.
        check_folder(junit)
    run_cases = partial(run_tests, paths or (Path(),), names=names, select=selects, base=base, last_failed=last_failed)
    results = run_cases(update=update, keep=keep, jobs=jobs, on_result=show)
    if junit:
        write_whole(junit, report.as_junit(results).decode())
    if format_ == "json":
        print_json(report.as_document(results))
    elif results:
        eprint(report.summary_text(results, time.monotonic() - started))
    else:
        eprint(f"no case is touched by a change since {base}")
    return _exit_of(results)


def _exit_of(results: Sequence[CaseResult]) -> Exit:
    outcomes = {one.outcome.value for one in results}
    return Exit.USAGE if "invalid" in outcomes else Exit.ERROR if "failed" in outcomes else Exit.OK
