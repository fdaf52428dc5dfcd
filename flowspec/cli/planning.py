"""A spec, or a saved plan, on the command line -> its plan and the connection that carries it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from flowspec.cli.options import take
from flowspec.cli.output import Level, eprint_report, ewarn, print_warnings, wants_color
from flowspec.cli.policies import read_policies, violations_of
from flowspec.cli.run_options import Converging, Planning, Selecting
from flowspec.cli.specs import Connection, Rendering, job_flow
from flowspec.errors import Diagnostic, SpecError, StalePlan
from flowspec.version import installed_version

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr
    from flowspec.document.job_flow import JobFlow
    from flowspec.document.text.tree import Document
    from flowspec.plan.changes import Plan
    from flowspec.request.compile import Request
    from flowspec.request.policy import Policy


class Planned(NamedTuple):
    """A plan, and the connection to carry it out. `again` makes the plan again; it is None for a saved plan.

    `preflight` checks that everything in a plan exists, and returns the plan with the findings. `reads` repeats EMR's
    answers from when the plan was made, without new calls.
    """

    plan: Plan
    emr: Emr
    again: Callable[[], Plan] | None
    preflight: Callable[[Plan], Plan]
    flow: JobFlow
    reads: Emr


def make_plan(spec: Path | Document, planning: Planning, *, run_bootstrap: bool = False) -> Planned:
    """Makes the plan of a spec and prints its warnings."""
    from flowspec.backend.aws.client import Endpoint, connect
    from flowspec.backend.aws.reads import SharedReads
    from flowspec.pipeline import plan_on, preflight_on

    # Before the connection is made, so that errors in local files are reported without credentials, too.
    flow, request = compile_spec(spec, planning)
    emr = connect(Endpoint.of(flow, run_bootstrap=run_bootstrap))
    reads = SharedReads(emr)
    converging = planning.converging._asdict()
    made = plan_on(reads, flow, request, **converging)
    again = partial(plan_on, emr, flow, request, **converging)
    return Planned(made, emr, again, partial(preflight_on, emr, flow, request), flow, reads)


def refuse_converging(converging: Converging) -> None:
    """Raises click.UsageError for an option about a running cluster, which an offline plan does not read."""
    for name, value in converging._asdict().items():
        if value:
            raise click.UsageError(
                f"{_spelling(name)} and --offline exclude each other: an offline plan does not read the cluster"
            )


def _spelling(name: str) -> str:
    return "--from" if name == "first" else f"--{name.replace('_', '-')}"


def refuse_contradictions(converging: Converging, selecting: Selecting) -> None:
    """Raises click.UsageError if one option runs steps that another option may skip, or leaves out."""
    if converging.if_changed and converging.rerun:
        raise click.UsageError(
            "--if-changed skips a flow whose last run succeeded, --rerun says what runs again: leave out one of them"
        )
    if converging.rerun and any(selecting):
        raise click.UsageError("--rerun chooses the steps itself: leave out --from and --only, or --rerun")


def compile_spec(
    spec: Path | Document,
    planning: Planning,
    policies: Sequence[Policy] | None = None,
    *,
    placeholders: bool = False,
    warn: Callable[[Sequence[Diagnostic]], object] = print_warnings,
) -> tuple[JobFlow, Request]:
    """Compiles a spec with its chosen steps; `warn` gets its warnings.

    `policies` are the policies of the options, if they have been read already. Raises SpecError for errors in the spec,
    and for violations of a policy.
    """
    from flowspec.request.compile import compile
    from flowspec.request.selection import select_steps

    policies = read_policies(planning.policy_files) if policies is None else policies
    rendering, connection, staging, *_ = planning
    flow = job_flow(spec, rendering, connection, staging=staging, placeholders=placeholders)
    request = select_steps(compile(flow), first=planning.selecting.first, only=planning.selecting.only)
    warn(request.warnings)
    if violated := violations_of(policies, flow, request):
        raise SpecError(violated)
    return flow, request


def add_preflight(planned: Planned, *, skip: bool) -> Planned:
    """Returns the plan with the findings of its preflight; unchanged if all of them are OK."""
    from flowspec.plan import findings

    if skip or planned.plan.blocked:
        return planned
    found = planned.preflight(planned.plan)
    is_well = all(one.level is findings.Level.OK for one in found.preflight or ())
    return planned if is_well else planned._replace(plan=found)


def eprint_plan(plan: Plan) -> None:
    """Prints the plan of an apply as progress on stderr, without `blocked`, which the apply raises as an error."""
    from flowspec.report.plans import as_text

    eprint_report(as_text(replace(plan, blocked=""), color=wants_color()), level=Level.PROGRESS)


def note_renamed(plan: Plan, emr: Emr) -> None:
    """Prints a note for each cluster that the same file started under another flow name: a renamed spec loses it.

    Only for plans that start a cluster. It describes all active clusters, since EMR lists no tags. An apply may take
    the time for these calls, but a plan may not.
    """
    from flowspec.backend.aws.command_lines import command_line
    from flowspec.backend.aws.observe import find_from_source
    from flowspec.backend.aws.submission.apply import source_of
    from flowspec.plan.cluster import FLOW_TAG

    if plan.joins or plan.converges or plan.replaces:
        return
    for one in find_from_source(emr, partial(source_of, Path(plan.source)), flow=plan.flow, target=plan.target):
        ewarn(
            f"note: cluster {one.id} ({one.state}) was started from {plan.source} as flow {one.tags[FLOW_TAG]}; "
            f"if that is this flow under an earlier name, end it with: {command_line('destroy', emr, one.id)}",
        )


def plan_to_save(spec: Path, planning: Planning) -> tuple[Planned, str]:
    """Makes a plan and the text of its file, without secret variables: they must be given again to `apply`."""
    from flowspec.plan.saved import write_plan

    # A saved plan keeps the time at which it was made, so `ds` and `ts` have the reviewed values.
    rendering = planning.rendering
    date = rendering.date or datetime.now(timezone.utc).replace(microsecond=0, tzinfo=None)
    made = make_plan(spec, planning._replace(rendering=rendering._replace(date=date)))
    saved = {
        **{name: value for name, value in _options_of(planning).items() if value not in (None, (), False)},
        "spec": _portable(spec),
        "assignments": rendering.public_assignments(made.flow.document),
        "date": date.isoformat(),
        "variable_files": [_portable(path) for path in rendering.variable_files],
    }
    return made, write_plan(_content(made), saved)


def _options_of(planning: Planning) -> dict[str, Any]:
    """Returns the options with which a plan is made again; without policies, which never change a plan."""
    parts = (planning.rendering, planning.connection, planning.converging, planning.selecting)
    return {name: value for part in parts for name, value in part._asdict().items()} | {"staging": planning.staging}


def _portable(path: Path) -> str:
    """Returns the path as a plan file names it: relative below the working folder, for other checkouts."""
    whole, here = path.resolve(), Path.cwd()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(whole)


def remake_saved_plan(text: str, given: Planning, *, run_bootstrap: bool = False) -> Planned:
    """Makes the plan of a file again. Raises StalePlan, which names the changes, if it differs from the saved plan.

    Of the options `given` now, those in `_GIVEN_AGAIN` and policies count. Raises click.UsageError for others, unless
    the plan was made with the same ones.
    """
    from flowspec.plan.saved import edited_plan, read_plan, refuse_stale

    saved = read_plan(text, installed_version())
    try:
        spec, planning = _read_options(saved.options, given)
    # Someone who edited the file may also have computed a new checksum.
    except (KeyError, TypeError, ValueError) as error:
        raise edited_plan() from error
    if not spec.exists():
        raise StalePlan(
            f"the plan is of {spec}, which is not there (looked for in {Path.cwd()})",
            remedy="run apply in the folder in which the plan was made",
        )
    made = make_plan(spec, planning, run_bootstrap=run_bootstrap)
    refuse_stale(saved, _content(made))
    return made._replace(again=None)


# Options that the apply of a saved plan accepts: its file has no secrets, and profiles differ between machines.
_GIVEN_AGAIN = ("assignments", "variable_files", "profile")


def _read_options(saved: Mapping[str, Any], given: Planning) -> tuple[Path, Planning]:
    """Returns the spec and the options to make a saved plan again.

    Raises KeyError, TypeError or ValueError for others.
    """
    kept = {
        **saved,
        "date": datetime.fromisoformat(saved["date"]),
        "rerun": tuple(saved.get("rerun", ())),
        "only": tuple(saved.get("only", ())),
    }
    now = _options_of(given)
    options = {
        **now,
        **kept,
        "assignments": (*kept["assignments"], *now["assignments"]),
        "variable_files": (*map(Path, kept["variable_files"]), *now["variable_files"]),
        "profile": now["profile"] or kept.get("profile"),
    }
    spec = Path(options.pop("spec"))
    rendering, connection = take(Rendering, options), take(Connection, options)
    converging, selecting = take(Converging, options), take(Selecting, options)
    planning = Planning(rendering, connection, options.pop("staging"), converging, selecting, given.policy_files)
    if options:
        raise KeyError(*options)
    _refuse_other(now, kept)
    return spec, planning


def _refuse_other(now: Mapping[str, Any], saved: Mapping[str, Any]) -> None:
    """Raises click.UsageError for an option by which another plan than the saved one would be made."""
    for name, value in now.items():
        if value and name not in _GIVEN_AGAIN and value != saved.get(name):
            raise click.UsageError(f"{_spelling(name)} has no effect on a saved plan: leave it out")


def _content(made: Planned) -> dict[str, Any]:
    from flowspec.plan.saved import plan_content

    emr, hooks = made.emr, made.flow.fields.get("hooks")
    return plan_content(made.plan, tool=installed_version(), account=emr.account(), region=emr.region, hooks=hooks)
