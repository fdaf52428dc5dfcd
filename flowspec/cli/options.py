"""Options that several commands share, and the values they stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, get_args

import click

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Endpoint
    from flowspec.document.job_flow import JobFlow
    from flowspec.document.text.tree import Document
    from flowspec.facts.backends import BackendName

OnInterrupt: TypeAlias = Literal["detach", "cancel", "terminate"]
Command = TypeVar("Command", bound=Callable[..., Any])


def completed(by: str) -> Callable[[click.Context, click.Parameter, str], Any]:
    """Returns the callback that completes a parameter by a function of `flowspec.cli.candidates`."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> Any:
        from flowspec.cli import candidates

        return getattr(candidates, by)(context, parameter, incomplete)

    return complete


class _SpecPath(click.Path):
    """The path of a spec, or of a folder of specs; shells complete it by YAML files."""

    shell_complete = staticmethod(completed("specs"))  # type: ignore[assignment]


SPEC_PATH = _SpecPath(path_type=Path, readable=False)
SPEC = click.argument("spec", type=SPEC_PATH, metavar="SPEC")
TARGET = click.option(
    "-t",
    "--target",
    metavar="NAME",
    help="Target of the spec; default: the one marked default.",
    shell_complete=completed("targets"),
)


def compose_options(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Returns one decorator that adds all these options, in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


DATE = click.option(
    "--date",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="The day that `ds` and `ts` mean in the spec; default: now, in UTC.",
)
VARIABLES = compose_options(
    TARGET,
    click.option(
        "--var",
        "assignments",
        multiple=True,
        metavar="NAME=VALUE",
        help="Set a variable of the spec; may be repeated.",
        shell_complete=completed("variables"),
    ),
    click.option(
        "--var-file",
        "variable_files",
        multiple=True,
        type=click.Path(path_type=Path, readable=False),
        metavar="FILE",
        help="YAML or JSON file with values of variables; may be repeated.",
    ),
    DATE,
)

STAGING = click.option(
    "--staging", metavar="URI", help="S3 folder to upload local files to; default: the target's `staging`."
)

CONNECTION = compose_options(
    click.option("--region", metavar="REGION", help="AWS region; default: the target's."),
    click.option("--profile", metavar="PROFILE", help="AWS profile; default: the target's."),
    click.option(
        "--endpoint-url", metavar="URL", help="Send EMR and S3 calls to URL; default: the target's, else AWS."
    ),
)

WATCHING = compose_options(
    click.option(
        "--timeout",
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        help="Stop watching after SECONDS, all launches together, and exit with 6; the run goes on. Default: never.",
    ),
    click.option(
        "--on-interrupt",
        type=click.Choice(get_args(OnInterrupt)),
        default="detach",
        show_default=True,
        help="What Ctrl-C does: leave the run alone, cancel its steps, or terminate its cluster.",
    ),
)


REPLACE = click.option(
    "--replace",
    is_flag=True,
    help="Terminate a cluster that can't be changed into the wanted one, and start another; default: refuse.",
)
CONVERGING = compose_options(
    REPLACE,
    click.option(
        "--rerun",
        multiple=True,
        metavar="failed|NAME",
        shell_complete=completed("reruns"),
        help="Run what failed again; on a cluster that ends with its steps, all that did not complete. NAME: a step.",
    ),
    click.option(
        "--cancel-removed",
        is_flag=True,
        help="Cancel pending and running steps that are no longer in the spec; default: leave them.",
    ),
)
ALLOW_COMMANDS = click.option(
    "--allow-commands",
    is_flag=True,
    envvar="FLOWSPEC_ALLOW_COMMANDS",
    show_envvar=True,
    help="Run the commands of the spec's hooks on this machine; default: skip them.",
)
SELECTING = compose_options(
    click.option(
        "--from", "first", metavar="STEP", help="Run the steps from this one on; earlier outputs must be there."
    ),
    click.option("--only", multiple=True, metavar="STEP", help="Run only the steps of this name; may be repeated."),
)
DETACH = click.option(
    "--detach", is_flag=True, help="Return as soon as EMR has accepted it; default: watch the run to its end."
)


LOCK_TIMEOUT = click.option(
    "--lock-timeout",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Wait up to SECONDS for another apply that changes the same cluster; default: fail at once.",
)
YES = click.option("--yes", is_flag=True, help="Don't ask for confirmation.")


def output_format(*choices: str) -> Callable[[Command], Command]:
    """Returns the option `--format`; the first choice is the default."""
    return click.option(
        "--format",
        "format_",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="Format of the output.",
    )


def rendered(
    spec: Path | Document,
    *,
    target: str | None,
    assignments: tuple[str, ...],
    variable_files: tuple[Path, ...],
    date: datetime | None,
    placeholders: bool = False,
) -> Document:
    """Loads and renders a spec as the options say, with `placeholders` for secrets that are not given."""
    from flowspec.document.rendering.render import render
    from flowspec.document.text.parse import load

    now = date.replace(tzinfo=timezone.utc) if date else None
    return render(
        load(spec) if isinstance(spec, Path) else spec,
        target=target,
        variables=pairs_of(assignments),
        variable_files=variable_files,
        now=now,
        placeholders=placeholders,
    )


def target_names(spec: Path) -> list[str]:
    """Returns the names of a spec's targets, those of its base files too. Raises SpecError when it can't be read."""
    from flowspec.document.rendering.extends import extended
    from flowspec.document.text.parse import load
    from flowspec.document.text.tree import Mapping

    targets = extended(load(spec)).root.get("targets")
    return list(targets.entries) if isinstance(targets, Mapping) else []


_TARGETS_OWN = ("region", "profile", "endpoint_url", "staging")


def job_flow(spec: Path | Document, *, emr_rules: bool = True, **options: Any) -> JobFlow:
    """Loads, renders and validates a spec; the connection options override its target's.

    `emr_rules` is that of `validate`.
    Raises click.UsageError for an option that means nothing to the target's backend.
    """
    from flowspec.document.checking.validate import validate

    given = {name: value for name in _TARGETS_OWN if (value := options.pop(name, None))}
    flow = validate(rendered(spec, **options), emr_rules=emr_rules)
    _refuse_unused(flow.backend, flow.target, given)
    return replace(flow, **given)


@dataclass(frozen=True, slots=True)
class Identity:
    """The names and the endpoint by which a flow's clusters are found.

    `name` is the clusters' Name; it differs from `flow` only if `api_params` sets it.
    """

    flow: str
    target: str
    name: str
    endpoint: Endpoint
    secrets: frozenset[str]


def identity(spec: Path, **options: Any) -> Identity:
    """Reads from a spec what identifies its flow; the rest of it may be invalid, and variables may be missing."""
    from flowspec.backend.aws.client import Endpoint
    from flowspec.document.checking.validate import validate
    from flowspec.document.text.tree import Scalar

    given = {name: value for name in _TARGETS_OWN if (value := options.pop(name, None))}
    document = rendered(spec, **options)

    def field(*path: str) -> Any:
        node = document.find(path)
        return node.value if isinstance(node, Scalar) and not node.failed else None

    undecided = document.declared is not None and document.declared.get("targets") and not document.target
    if undecided or not isinstance(field("name"), str):
        validate(document)  # raises SpecError with what is wrong
    backend: BackendName = field("backend") or "emr"
    _refuse_unused(backend, document.target, given)
    connection = {name: given.get(name) or field(name) for name in _TARGETS_OWN if name != "staging"}
    name = field("api_params", "Name") or field("name")
    return Identity(field("name"), document.target, name, Endpoint(backend, **connection), document.secrets)


def _refuse_unused(backend: BackendName, target: str, given: dict[str, str]) -> None:
    """Raises click.UsageError for an option that the target's backend has no use for."""
    from flowspec.backend.protocol import backend_of

    used = backend_of(backend).connection_settings
    for name in ("endpoint_url", "profile"):
        if name in given and name not in used:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(
                f"{option} means nothing on this machine, where target '{target}' runs: choose another with --target"
            )


def pairs_of(assignments: tuple[str, ...]) -> dict[str, str]:
    """Returns the values of `--var NAME=VALUE` by name. Raises click.BadParameter for one without a `=`."""
    pairs = {}
    for assignment in assignments:
        name, separator, value = assignment.partition("=")
        if not separator:
            raise click.BadParameter(f"{assignment!r} has no '=': write --var {assignment}=VALUE", param_hint="--var")
        pairs[name] = value
    return pairs
