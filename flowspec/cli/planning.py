"""A spec, or a saved plan, on the command line -> its plan and the connection that carries it out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from flowspec.cli.output import Level, eprint_report, ewarn, print_warnings, wants_color
from flowspec.cli.policies import read_policies, violations_of
from flowspec.cli.specs import job_flow
from flowspec.errors import Diagnostic, SpecError, StalePlan
from flowspec.version import installed_version

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr
    from flowspec.document.job_flow import JobFlow
    from flowspec.document.text.tree import Document
    from flowspec.plan.changes import Plan
    from flowspec.request.compile import Request
    from flowspec.request.policy import Policy

# Options whose values are paths, which JSON has no type for.
_PATHS = "variable_files"


class Planned(NamedTuple):
    """A plan, the connection to carry it out by, and how it is made again; None for a saved plan, which is not.

    `preflight` returns a plan with what was found when it was looked up whether all that the plan names is there.
    `reads` answers again what EMR answered while the plan was made.
    """

    plan: Plan
    emr: Emr
    again: Callable[[], Plan] | None
    preflight: Callable[[Plan], Plan]
    flow: JobFlow
    reads: Emr


# Given to the apply of a saved plan: secrets are not in its file, a profile is that of one machine, policies only
# refuse, and no plan depends on whether bootstrap actions run on this machine.
_OF_THE_APPLY = ("assignments", _PATHS, "profile", "policy_files", "run_bootstrap")
ABOUT_WHAT_RUNS = ("replace", "if_changed", "rerun", "cancel_removed")


def make_plan(spec: Path | Document, **options: Any) -> Planned:
    """Makes the plan of a spec and prints its warnings. `options` are those of `flowspec apply` that shape a plan."""
    from flowspec.backend.aws.client import Endpoint, connect
    from flowspec.backend.aws.reads import SharedReads
    from flowspec.pipeline import plan_on, preflight_on

    converging = {name: options.pop(name) for name in ABOUT_WHAT_RUNS if name in options}
    run_bootstrap = options.pop("run_bootstrap", False)
    policies = read_policies(options.pop("policy_files", ()))
    # Before the connection is made: what is wrong with local files is said without credentials, too.
    flow, request = compile_spec(spec, policies, **options)
    emr = connect(Endpoint.of(flow, run_bootstrap=run_bootstrap))
    reads = SharedReads(emr)
    made = plan_on(reads, flow, request, **converging)
    again = partial(plan_on, emr, flow, request, **converging)
    return Planned(made, emr, again, partial(preflight_on, emr, flow, request), flow, reads)


def make_offline_plan(spec: Path, **options: Any) -> Plan:
    """Makes the plan of a spec without a call and prints its warnings. Secrets that are not given have placeholders.

    `options` are those of `make_plan`; the ones of `refuse_converging` have no effect.
    """
    from flowspec.pipeline import plan_offline

    policies = read_policies(options.pop("policy_files", ()))
    options = {name: value for name, value in options.items() if name not in ABOUT_WHAT_RUNS}
    return plan_offline(*compile_spec(spec, policies, placeholders=True, **options))


def refuse_converging(options: Mapping[str, Any]) -> None:
    """Raises click.UsageError for a given option about a running cluster, which an offline plan does not look at."""
    for name in ABOUT_WHAT_RUNS:
        if options[name]:
            raise click.UsageError(
                f"{_spelling(name)} and --offline exclude each other: an offline plan does not read the cluster"
            )


def _spelling(name: str) -> str:
    return "--from" if name == "first" else f"--{name.replace('_', '-')}"


def refuse_contradictions(options: Mapping[str, Any]) -> None:
    """Raises click.UsageError for options of which one says to run what the other may skip, or leaves out."""
    if options["if_changed"] and options["rerun"]:
        raise click.UsageError(
            "--if-changed skips a flow whose last run succeeded, --rerun says what runs again: leave out one of them"
        )
    if options["rerun"] and (options["first"] or options["only"]):
        raise click.UsageError("--rerun chooses the steps itself: leave out --from and --only, or --rerun")


def compile_spec(
    spec: Path | Document,
    policies: Sequence[Policy] = (),
    *,
    first: str | None = None,
    only: Collection[str] = (),
    warn: Callable[[Sequence[Diagnostic]], object] = print_warnings,
    **options: Any,
) -> tuple[JobFlow, Request]:
    """Compiles a spec, or those of its steps that `first` and `only` choose; `warn` gets its warnings.

    Raises SpecError for what is wrong with it or violates a policy.
    """
    from flowspec.request.compile import compile
    from flowspec.request.selection import select_steps

    flow = job_flow(spec, **options)
    request = select_steps(compile(flow), first=first, only=only)
    warn(request.warnings)
    if violated := violations_of(policies, flow, request):
        raise SpecError(violated)
    return flow, request


def add_preflight(plan: Plan, preflight: Callable[[Plan], Plan]) -> Plan:
    """Returns the plan with what its preflight found, unless all is well, which needs no line."""
    from flowspec.plan import findings

    found = preflight(plan)
    return found if any(one.level is not findings.Level.OK for one in found.preflight or ()) else plan


def eprint_plan(plan: Plan) -> None:
    """Prints the plan of an apply as progress on stderr; not what blocks it, which the apply raises as its error."""
    from flowspec.report.plans import as_text

    eprint_report(as_text(replace(plan, blocked=""), color=wants_color()), level=Level.PROGRESS)


def note_renamed(plan: Plan, emr: Emr) -> None:
    """Notes clusters that were started from the same file for a flow of another name, which a renamed spec forgets.

    For plans that start a cluster. Describes active clusters, since EMR lists no tags: an apply may cost that, a plan
    may not.
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


def plan_to_save(spec: Path, **options: Any) -> tuple[Planned, str]:
    """Makes a plan and the text of its file. Variables that are secret are not in it: give them again to `apply`."""
    from flowspec.plan.saved import write_plan

    # A plan is applied as of the moment at which it was made: `ds` and `ts` stay what was reviewed.
    options["date"] = options["date"] or datetime.now(timezone.utc).replace(microsecond=0, tzinfo=None)
    made = make_plan(spec, **options)
    public = [one for one in options["assignments"] if one.partition("=")[2] not in made.plan.secrets]
    saved = {
        **{name: value for name, value in options.items() if value not in (None, (), False) and name != "policy_files"},
        "spec": _portable(spec),
        "assignments": public,
        "date": options["date"].isoformat(),
        _PATHS: [_portable(path) for path in options[_PATHS]],
    }
    return made, write_plan(_content(made), saved)


def _portable(path: Path) -> str:
    """Returns the path as a plan file names it: relative below the working folder, for other checkouts."""
    whole, here = path.resolve(), Path.cwd()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(whole)


def remake_saved_plan(text: str, given: Mapping[str, Any]) -> Planned:
    """Makes the plan of a file again. Raises StalePlan, naming what moved, unless it is the one that was saved.

    Of the options `given` now, those in `_OF_THE_APPLY` count. Raises click.UsageError for others, unless the plan was
    made with the same ones.
    """
    from flowspec.plan.saved import edited_plan, read_plan, refuse_stale

    saved = read_plan(text, installed_version())
    try:
        spec, options = _options(saved.options, given)
    # By someone who made a checksum for it, too.
    except (KeyError, TypeError, ValueError) as error:
        raise edited_plan() from error
    if not spec.exists():
        raise StalePlan(
            f"the plan is of {spec}, which is not there (looked for in {Path.cwd()})",
            remedy="run apply in the folder in which the plan was made",
        )
    made = make_plan(spec, **options)
    refuse_stale(saved, _content(made))
    return made._replace(again=None)


def _options(saved: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
    """Returns the spec and the options to make a saved plan again.

    Raises KeyError, TypeError or ValueError for others.
    """
    kept = {
        **saved,
        "date": datetime.fromisoformat(saved["date"]),
        "rerun": tuple(saved.get("rerun", ())),
        "only": tuple(saved.get("only", ())),
    }
    options = {
        **given,
        **kept,
        "assignments": (*kept["assignments"], *given["assignments"]),
        _PATHS: (*map(Path, kept[_PATHS]), *given[_PATHS]),
        "profile": given["profile"] or kept.get("profile"),
    }
    unknown = options.keys() - {*given, "spec"}
    if unknown:
        raise KeyError(*unknown)
    _refuse_other(given, kept)
    return Path(options.pop("spec")), options


def _refuse_other(given: Mapping[str, Any], saved: Mapping[str, Any]) -> None:
    """Raises click.UsageError for an option by which another plan than the saved one would be made."""
    for name, value in given.items():
        if value and name not in _OF_THE_APPLY and value != saved.get(name):
            raise click.UsageError(f"{_spelling(name)} has no effect on a saved plan: leave it out")


def _content(made: Planned) -> dict[str, Any]:
    from flowspec.plan.saved import plan_content

    emr, hooks = made.emr, made.flow.fields.get("hooks")
    return plan_content(made.plan, tool=installed_version(), account=emr.account(), region=emr.region, hooks=hooks)
