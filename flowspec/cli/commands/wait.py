"""`flowspec wait`: watches a run to its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowspec.cli.locate import CHOOSING, Looking, choose, is_spec
from flowspec.cli.options import ALLOW_COMMANDS, WATCHING, output_format
from flowspec.cli.output import ewarn
from flowspec.cli.specs import job_flow
from flowspec.errors import FlowspecError

if TYPE_CHECKING:
    from flowspec.backend.aws.watch import Watch
    from flowspec.cli.locate import Chosen
    from flowspec.cli.options import OnInterrupt
    from flowspec.document.job_flow import JobFlow


@click.command("wait", epilog="Example: flowspec wait job.yaml --timeout 3600")
@CHOOSING
@WATCHING
@ALLOW_COMMANDS
@output_format("text", "json")
def command(  # noqa: PLR0917 - click passes options by name
    what: str, looking: Looking, timeout: float | None, on_interrupt: OnInterrupt, allow_commands: bool, format_: str
) -> int:
    """Watch a run to its end, with the timeouts and retries of its steps. WHAT is a spec, a cluster's id, or its name.

    Hooks are run, and the budget is watched, only when WHAT is a spec, since both are only in the spec.
    """
    from flowspec.cli.follow import follow, hooks_of

    chosen = choose(what, looking)
    flow = _flow(Path(what), chosen, looking) if is_spec(what) else None
    watch = _watch(flow, chosen)
    secrets = chosen.secrets | (flow.secrets if flow else frozenset())
    hooks = hooks_of(flow, chosen.emr, allow_commands=allow_commands, secrets=secrets) if flow else None
    return follow(chosen, timeout=timeout, on_interrupt=on_interrupt, format_=format_, watch=watch, hooks=hooks)


def _flow(spec: Path, chosen: Chosen, looking: Looking) -> JobFlow | None:
    """Reads the spec of a run; returns None, with a note, when it is not valid, or a variable has no value here."""
    try:
        return job_flow(spec, looking.rendering, looking.connection)
    except FlowspecError as error:
        message = "hooks are not run, and the budget is not watched, the spec can't be read"
        ewarn(f"note: {message}: {error.message}", secrets=chosen.secrets)
        return None


def _watch(flow: JobFlow | None, chosen: Chosen) -> Watch:
    """Returns the function that watches the run; it warns when the budget that the spec has for it is used up."""
    from flowspec.backend.aws.watch import watch

    if flow is None or "run" not in flow.fields.get("budget", {}):
        return watch
    # Imported here: the prices take 4 ms, and most specs have no budget.
    from flowspec.cli.overrun import cost_by_request, with_budget_warning
    from flowspec.plan.runs.launches import alternatives
    from flowspec.request.compile import compile

    try:
        params = compile(flow).params
    except FlowspecError as error:
        ewarn(f"note: the budget is not watched: {error.message}", secrets=flow.secrets | chosen.secrets)
        return watch
    return with_budget_warning(
        watch, flow, cost_by_request(flow, params, alternatives(flow, params), chosen.emr.region)
    )
