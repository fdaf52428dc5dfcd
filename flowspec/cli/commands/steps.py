"""`flowspec steps add`: adds steps to an existing cluster."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowspec.cli.exits import Exit, exit_of
from flowspec.cli.locate import CHOOSING, Chosen, Looking, choose_one, is_spec
from flowspec.cli.options import DETACH, LOCK_TIMEOUT, SPEC_PATH, STAGING, WATCHING, compose_options, output_format
from flowspec.cli.output import eprint, print_json, print_result, print_warnings
from flowspec.cli.specs import Connection, Rendering, job_flow
from flowspec.errors import number_of

if TYPE_CHECKING:
    from flowspec.backend.aws.manage.steps import AddedSteps
    from flowspec.cli.options import OnInterrupt
    from flowspec.document.job_flow import JobFlow
    from flowspec.document.text.tree import Document, Items

_FILE = click.argument("file", type=SPEC_PATH, metavar="FILE")


@click.group("steps", epilog="Example: flowspec steps add j-2AXXXXXXGAPLF more.yaml")
def command() -> None:
    """Add steps to an existing cluster."""


@command.command(
    "add",
    short_help="Add steps of a file to a cluster, each once.",
    epilog="Example: flowspec steps add job.yaml more.yaml --var day=2026-11-28",
)
@compose_options(CHOOSING, _FILE)
@STAGING
@click.option("--rerun", multiple=True, metavar="failed|NAME", help="Run a step again, or all that failed.")
@LOCK_TIMEOUT
@DETACH
@WATCHING
@output_format("text", "json")
def add(  # noqa: PLR0917 - click passes options by name
    what: str,
    looking: Looking,
    file: Path,
    staging: str | None,
    rerun: tuple[str, ...],
    lock_timeout: float,
    detach: bool,
    timeout: float | None,
    on_interrupt: OnInterrupt,
    format_: str,
) -> int:
    """Add the steps of FILE that the cluster does not have yet, and watch them.

    WHAT is a spec, a cluster's id, or its name; FILE is a spec, or a list of steps as in a spec. The cluster has a step
    already if one of the same name runs the same command. Variables, target and --staging belong to FILE. For a list of
    steps they are those of the spec WHAT; if WHAT is an id or a name, each --var declares a variable.
    """
    from flowspec.backend.aws.manage.steps import add_steps
    from flowspec.backend.aws.verdict import judge_steps
    from flowspec.cli.follow import follow
    from flowspec.plan.compare import failed_note
    from flowspec.request.compile import compile

    chosen, flow = _choose_and_load(what, looking, file, staging)
    request = compile(flow)
    print_warnings(request.warnings)
    chosen = replace(chosen, secrets=chosen.secrets | request.secrets)
    notify = partial(eprint, secrets=chosen.secrets)
    steps = add_steps(
        chosen.emr, chosen.cluster_id, flow, request, rerun=rerun, lock_timeout=lock_timeout, notify=notify
    )
    for one in steps.failed:
        notify(f"note: {failed_note(one)}")
    awaited = (*steps.awaits, *steps.added)
    if detach or not awaited:
        _print(chosen, steps, format_)
        return Exit.OK if detach else exit_of(judge_steps(steps.failed).outcome)
    eprint(
        f"added {len(steps.added)} of {number_of(len(request.params['Steps']), 'step')} to cluster {chosen.cluster_id}"
    )
    chosen = replace(chosen, steps=awaited, failed=tuple(one.id for one in steps.failed))
    return follow(chosen, timeout=timeout, on_interrupt=on_interrupt, format_=format_)


def _print(chosen: Chosen, steps: AddedSteps, format_: str) -> None:
    if format_ == "json":
        failed = [one.id for one in steps.failed]
        document = {"cluster": chosen.cluster_id, "added": steps.added, "awaits": steps.awaits, "failed": failed}
        print_json(document)
        return
    for one in steps.added:
        print_result(one)
    if not (steps.added or steps.failed):
        eprint(f"cluster {chosen.cluster_id} has all these steps already")


def _choose_and_load(what: str, looking: Looking, file: Path, staging: str | None) -> tuple[Chosen, JobFlow]:
    """Returns the cluster, and the flow that has the steps to add."""
    from flowspec.backend.aws.client import Endpoint
    from flowspec.document.rendering.step_list import load_steps, with_steps
    from flowspec.document.text.parse import load
    from flowspec.document.text.tree import Items

    of_cluster = looking if is_spec(what) else looking._replace(rendering=Rendering())
    found: Document | Items = load_steps(file)
    if isinstance(found, Items) and is_spec(what):
        found = with_steps(load(Path(what)), file, found)
    if isinstance(found, Items):
        chosen = choose_one(what, of_cluster)
        return chosen, _flow_of_list(chosen, file, found, looking.rendering, staging)
    flow = job_flow(found, looking.rendering, looking.connection, staging=staging)
    return choose_one(what, of_cluster, endpoint=Endpoint.of(flow)), flow


def _flow_of_list(chosen: Chosen, file: Path, steps: Items, rendering: Rendering, staging: str | None) -> JobFlow:
    """Makes the flow of a list of steps, for a cluster named by its id or name, with the cluster's own release."""
    from flowspec.backend.aws.observe import read_back
    from flowspec.document.rendering.step_list import steps_alone

    cluster = read_back(chosen.emr, chosen.cluster_id, steps=False)
    assert cluster.live is not None
    endpoint, params = chosen.emr.endpoint, cluster.live.params
    given = {
        "release_label": params.get("ReleaseLabel"),
        "ami_version": params.get("AmiVersion"),
        "region": chosen.emr.region if "region" in endpoint.traits.connection_settings else None,
        "log_uri": params.get("LogUri"),
    }
    names = [text.partition("=")[0] for text in rendering.assignments]
    header = {
        "flowspec": "v1",
        "name": cluster.name,
        **({"variables": {name: {"type": "string"} for name in names}} if names else {}),
        "backend": endpoint.backend,
        **{key: value for key, value in given.items() if value},
    }
    # A list of steps goes to the cluster's endpoint, no matter what the connection options say.
    return job_flow(steps_alone(file, steps, header), rendering, Connection(), staging=staging, emr_rules=False)
