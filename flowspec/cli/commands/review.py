"""`flowspec review`: what a change of a repository does to each flow."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowspec.cli.cores import map_on_cores
from flowspec.cli.exits import Exit
from flowspec.cli.options import DATE, Name, NonEmptyPath, gather, output_format
from flowspec.cli.output import Level, eprint_report, ewarn, print_result, wants_color
from flowspec.cli.specs import Rendering, pairs_of

if TYPE_CHECKING:
    from flowspec.review.review import Review


@click.command("review", epilog="Example: flowspec review --base origin/main --format markdown jobs/")
@click.argument("paths", nargs=-1, type=Name(), metavar="[PATH...]")
@click.option(
    "--base",
    required=True,
    metavar="REV",
    help="Branch or commit to merge into, such as origin/main; HEAD is compared with their merge base.",
)
@click.option(
    "--head",
    default="HEAD",
    show_default=True,
    metavar="REV",
    help="Commit with the change; what is not committed is not seen.",
)
@click.option(
    "--var", "assignments", multiple=True, metavar="NAME=VALUE", help="Set a variable of the specs; may be repeated."
)
@click.option(
    "--var-file",
    "variable_files",
    multiple=True,
    type=NonEmptyPath(path_type=Path),
    metavar="FILE",
    help="YAML or JSON file with values of variables, of each revision if it is in the repository; may be repeated.",
)
@DATE
@gather(Rendering)
@click.option(
    "--live",
    is_flag=True,
    help="Show also what apply would change for each flow; needs credentials, and HEAD checked out.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 3 when a flow changes; default: with 0.")
@click.option(
    "--comment",
    is_flag=True,
    help="In GitHub Actions: write it to the pull request, too, as one comment that is kept up to date.",
)
@output_format("text", "markdown", "json", "github", "sarif")
def command(  # noqa: PLR0917 - click passes options by name
    paths: tuple[str, ...],
    base: str,
    head: str,
    rendering: Rendering,
    live: bool,
    exit_code: bool,
    comment: bool,
    format_: str,
) -> int:
    """Show what a change of the repository does to each flow: its request, hooks, policies and cost. Offline.

    Two commits are compared, at each target of each spec; no program of either is run. PATH is a spec or a folder of
    specs, relative to the top of the repository; default: all specs.
    """
    from flowspec.report import diagnostics, reviews
    from flowspec.review.review import INVALID, Given, compare_revisions

    given = Given(pairs_of(rendering.assignments), rendering.variable_files, rendering.now)
    made = compare_revisions(Path(), base, head=head, paths=paths, given=given, each=map_on_cores)
    color = format_ == "text" and wants_color(sys.stdout)
    formats: dict[str, Callable[[Review], str]] = {
        "text": partial(reviews.as_text, color=color),
        "markdown": reviews.as_markdown,
        "json": reviews.as_json,
        "github": lambda made: diagnostics.as_github(reviews.findings(made)),
        "sarif": lambda made: diagnostics.as_sarif(reviews.findings(made)),
    }
    print_result(formats[format_](made), newline=format_ != "github", ci_commands=format_ == "github")
    if live:
        # A document on stdout is followed by nothing.
        show = partial(eprint_report, level=Level.PROGRESS) if format_ in {"json", "sarif"} else print_result
        _print_plans(made, rendering, show, color=color)
    if comment:
        _post(reviews.as_markdown(made), reviews.MARKER)
    if any(flow.status == INVALID for flow in made.flows):
        return Exit.USAGE
    return Exit.CHANGES if exit_code and made.flows else Exit.OK


def _post(body: str, marker: str) -> None:
    from flowspec.cli import github

    try:
        eprint_report(github.post_comment(github.from_environment(), github.pull_request(), body, marker))
    except github.Forbidden as error:
        ewarn(f"note: no comment: {error.message}. The token of a pull request from a fork may only read")


def _print_plans(made: Review, rendering: Rendering, show: Callable[[str], None], *, color: bool) -> None:
    """Shows what apply would do with each flow of the working tree that the review has found changed."""
    from flowspec.cli.planning import make_plan
    from flowspec.cli.run_options import Planning
    from flowspec.errors import FlowspecError
    from flowspec.report import plans
    from flowspec.review.git import Repository
    from flowspec.review.review import CHANGED, NEW

    root = Repository.containing(Path()).root
    for flow in made.flows:
        if flow.status not in {NEW, CHANGED}:
            continue
        try:
            planning = Planning(rendering._replace(target=flow.target or None))
            plan = make_plan(Path(os.path.relpath(root / flow.path)), planning).plan
        except FlowspecError as error:
            ewarn(f"{flow.path}: no live plan: {error.message}")
        else:
            show(f"\n{plans.as_text(plan, color=color)}")
