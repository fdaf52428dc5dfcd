"""`flowspec apply`: submits a spec, or joins its run, and watches it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowspec.cli.options import ALLOW_COMMANDS, DETACH, LOCK_TIMEOUT, WATCHING, YES, output_format
from flowspec.cli.output import eprint, ewarn
from flowspec.cli.planning import (
    Planned,
    add_preflight,
    eprint_plan,
    make_plan,
    note_renamed,
    refuse_contradictions,
    remake_saved_plan,
)
from flowspec.cli.run_options import PLANNING, Following
from flowspec.cli.selection import names_many, text_of_saved_plan

if TYPE_CHECKING:
    from flowspec.cli.options import OnInterrupt
    from flowspec.plan.changes import Plan


@click.command("apply", epilog="Example: flowspec apply job.yaml --target prod --var day=2026-11-22")
@PLANNING
@DETACH
@ALLOW_COMMANDS
@WATCHING
@LOCK_TIMEOUT
@click.option(
    "--skip-preflight",
    is_flag=True,
    help="Submit without checking that what the spec names exists; default: check, and refuse if something is missing.",
)
@click.option(
    "--run-bootstrap", is_flag=True, help="Run bootstrap actions, too, with `backend: local`; default: skip them."
)
@click.option("--prune", is_flag=True, help="Terminate clusters whose specs are no longer in the folder; asks first.")
@YES
@output_format("text", "json")
def command(  # noqa: PLR0917 - click passes options by name
    paths: tuple[Path, ...],
    detach: bool,
    timeout: float | None,
    on_interrupt: OnInterrupt,
    lock_timeout: float,
    skip_preflight: bool,
    allow_commands: bool,
    format_: str,
    selects: tuple[str, ...],
    jobs: int,
    prune: bool,
    yes: bool,
    **options: Any,
) -> int:
    """Start the cluster of a spec, or change its running cluster to match the spec; watch the run to its end.

    If a run of the same request is active, it is joined. A long-running cluster is changed in place; a change that EMR
    can't make is refused without --replace. When the run fails, the probable cause is shown.

    SPEC is a file, a folder (the specs in it and below it) or a glob. If one of several flows fails, the others go on,
    and the exit code is the worst one. SPEC may be a plan saved by `flowspec plan -o FILE`: exactly that is done, or
    refused if something has changed since.
    """
    refuse_contradictions(options)
    following = Following(detach, timeout, on_interrupt, lock_timeout, skip_preflight, allow_commands)
    if prune or names_many(paths, selects):
        from flowspec.cli.fleet_apply import apply_specs

        return apply_specs(paths, selects, following, jobs=jobs, prune=prune, yes=yes, format_=format_, **options)
    (spec,) = paths
    return _apply_one(spec, following, format_, options)


def _apply_one(spec: Path, following: Following, format_: str, options: dict[str, Any]) -> int:
    from flowspec.backend.aws.submission.apply import apply
    from flowspec.pipeline import refuse_wrong

    made, emr, again, preflight, flow, reads = _read_plan(spec, options)
    if not (following.skip_preflight or made.blocked):
        made = add_preflight(made, preflight)
    eprint_plan(made)
    refuse_wrong(made)
    note_renamed(made, reads)
    notify, warn = partial(eprint, secrets=made.secrets), partial(ewarn, secrets=made.secrets)
    if not following.detach:
        # Before anything runs: after a Ctrl-C while modules are imported nobody would say how to re-attach.
        from flowspec.cli.applied import follow_applied, watch_with_budget
        from flowspec.cli.follow import hooks_of, print_rerun_hint

        watch = watch_with_budget(made, flow, emr)
        hooks = hooks_of(flow, emr, allow_commands=following.allow_commands, secrets=made.secrets)
    replan, lock_timeout = again and partial(_replan_and_print, again), following.lock_timeout
    applied = apply(made, emr, replan=replan, lock_timeout=lock_timeout, notify=notify, warn=warn)
    if not made.skipped:
        eprint(f"{'joined' if applied.joined else 'started'} cluster {applied.cluster_id}")
    if following.detach:
        from flowspec.cli.detached import print_detached

        return print_detached(emr, applied.cluster_id, format_, joined=applied.joined, skipped=made.skipped)
    code = follow_applied(applied, made, emr, following=following, hooks=hooks, watch=watch, format_=format_)
    # A saved plan, which can't be made again, is of what did run.
    if again:
        print_rerun_hint(made, code)
    return code


def _replan_and_print(replan: Callable[[], Plan]) -> Plan:
    """Makes the plan again and prints it."""
    made = replan()
    eprint_plan(made)
    return made


def _read_plan(spec: Path, options: dict[str, Any]) -> Planned:
    if spec.is_file():
        text = text_of_saved_plan(spec)
        return remake_saved_plan(text, options) if text else make_plan(spec, **options)
    from flowspec.document.text.parse import document_of, read
    from flowspec.plan.saved import is_plan_file

    # A pipe of the shell, such as `<(sops -d plan.json)`, can be read once.
    source = read(spec)
    if is_plan_file(source.text):
        return remake_saved_plan(source.text, options)
    return make_plan(document_of(source), **options)
