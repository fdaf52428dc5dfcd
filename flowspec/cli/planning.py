"""A spec, or a saved plan, on the command line -> its plan and the connection to carry it out by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from flowspec.cli.options import job_flow
from flowspec.cli.output import eprint, print_warnings
from flowspec.cli.policies import read_policies, violations_of
from flowspec.errors import SpecError, StalePlan
from flowspec.version import installed_version

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr
    from flowspec.document.job_flow import JobFlow
    from flowspec.plan.changes import Plan
    from flowspec.request.compile import Request

# Options whose values are paths, which JSON has no type for.
_PATHS = "variable_files"


class Planned(NamedTuple):
    """A plan, the connection to carry it out by, and how it is made again; None for a saved plan, which is not.

    `preflight` returns a plan with what was found when it was looked up whether all that the plan names is there.
    """

    plan: Plan
    emr: Emr
    again: Callable[[], Plan] | None
    preflight: Callable[[Plan], Plan]


_CONVERGING = ("replace", "rerun", "cancel_removed")


def planned(spec: Path, **options: Any) -> Planned:
    """Makes the plan of a spec and prints its warnings. `options` are those of `flowspec apply` that shape a plan."""
    from flowspec.backend.aws.client import Endpoint, connect
    from flowspec.pipeline import plan_on, preflight_on

    converging = {name: options.pop(name) for name in _CONVERGING}
    run_bootstrap = options.pop("run_bootstrap", False)
    # Before the connection is made: what is wrong with local files is said without credentials, too.
    flow, request = _compiled(spec, **options)
    emr = connect(Endpoint.of(flow, run_bootstrap=run_bootstrap))
    again = partial(plan_on, emr, flow, request, **converging)
    made = again()
    if not (made.joins or made.converges or made.replaces):
        _note_renamed(emr, made)
        _note_namesakes(emr, made)
    return Planned(made, emr, again, partial(preflight_on, emr, flow, request))


def planned_offline(spec: Path, **options: Any) -> Plan:
    """Makes the plan of a spec as if nothing ran, without credentials and without a call; prints its warnings.

    Secrets that are not given have placeholders. Raises click.UsageError for options about a running cluster.
    """
    from flowspec.backend.protocol import backend_of
    from flowspec.plan.compare import make_plan

    for name in _CONVERGING:
        if options.pop(name):
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} is about what runs, which a plan with --offline does not look at")
    flow, request = _compiled(spec, placeholders=True, **options)
    made = make_plan(flow, request, None, backend_of(flow.backend).assess(request.params))
    return replace(made, notes=(*made.notes, "made offline: not compared with what runs or is staged already"))


def _compiled(spec: Path, **options: Any) -> tuple[JobFlow, Request]:
    """Compiles a spec and prints its warnings. Raises SpecError for what is wrong with it or violates a policy."""
    from flowspec.request.compile import compile

    policies = read_policies(options.pop("policy_files", ()))
    flow = job_flow(spec, **options)
    request = compile(flow)
    print_warnings(flow.warnings)
    if violated := violations_of(policies, flow, request):
        raise SpecError(violated)
    return flow, request


def _note_renamed(emr: Emr, plan: Plan) -> None:
    """Notes clusters that were started from the same file for a flow of another name, which a renamed spec forgets."""
    from flowspec.backend.aws.apply import source_of
    from flowspec.backend.aws.observe import find_from_source
    from flowspec.plan.cluster import FLOW_TAG

    for one in find_from_source(emr, source_of(Path(plan.source)), flow=plan.flow, target=plan.target):
        eprint(
            f"note: cluster {one.id} ({one.state}) was started from {plan.source} as flow {one.tags[FLOW_TAG]}; "
            f"if that is this flow under an earlier name, end it with: flowspec destroy {one.id}"
        )


def _note_namesakes(emr: Emr, plan: Plan) -> None:
    """Notes active clusters with the name of the flow's but without its tags: an apply leaves them alone."""
    from flowspec.backend.aws.observe import find_namesakes

    for one in find_namesakes(emr, plan.request["Name"], flow=plan.flow, target=plan.target):
        eprint(
            f"note: cluster {one.id} ({one.state}) is called {one.name}, but has not the tags of this flow and target: "
            f"it is left alone; `flowspec adopt {one.id} {plan.source}` takes it over"
        )


def plan_to_save(spec: Path, **options: Any) -> tuple[Planned, str]:
    """Makes a plan and the text of its file. Variables that are secret are not in it: give them again to `apply`."""
    from flowspec.plan.saved import write_plan

    # A plan is applied as of the moment at which it was made: `ds` and `ts` stay what was reviewed.
    options["date"] = options["date"] or datetime.now(timezone.utc).replace(microsecond=0, tzinfo=None)
    made = planned(spec, **options)
    public = [one for one in options["assignments"] if one.partition("=")[2] not in made.plan.secrets]
    saved = {
        **{name: value for name, value in options.items() if value not in (None, (), False) and name != "policy_files"},
        "spec": _portable(spec),
        "assignments": public,
        "date": options["date"].isoformat(),
        _PATHS: [_portable(path) for path in options[_PATHS]],
    }
    return made, write_plan(_content(made.plan, made.emr), saved)


def _portable(path: Path) -> str:
    """The path as a plan file names it: relative below the working folder, so that another checkout can apply it."""
    whole, here = path.resolve(), Path.cwd()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(whole)


def saved_plan(text: str, given: Mapping[str, Any]) -> Planned:
    """Makes the plan of a file again. Raises StalePlan, naming what moved, unless it is the one that was saved.

    Of the options `given` now, variables and the profile count: secrets are not in the file.
    """
    from flowspec.plan.saved import read_plan, refuse_stale

    saved = read_plan(text)
    kept = dict(saved.options)
    spec = Path(kept.pop("spec"))
    if not spec.exists():
        raise StalePlan(
            f"the plan is of {spec}, which is not there (looked for in {Path.cwd()})",
            remedy="run apply in the folder in which the plan was made",
        )
    options = {
        **given,
        **kept,
        "date": datetime.fromisoformat(kept["date"]),
        "assignments": (*kept["assignments"], *given["assignments"]),
        _PATHS: (*map(Path, kept[_PATHS]), *given[_PATHS]),
        "rerun": tuple(kept.get("rerun", ())),
        "profile": given["profile"] or kept.get("profile"),
    }
    made = planned(spec, **options)
    refuse_stale(saved, _content(made.plan, made.emr))
    return made._replace(again=None)


def _content(plan: Plan, emr: Emr) -> dict[str, Any]:
    from flowspec.plan.saved import plan_content

    return plan_content(plan, tool=installed_version(), account=emr.account(), region=emr.region)
