"""Options that several commands share, the types of their values, and the records that hold them."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar, cast, get_args

import click

from flowspec.cli.specs import Connection, Rendering
from flowspec.cli.times import Day, Seconds

OnInterrupt: TypeAlias = Literal["detach", "cancel", "terminate"]
Command = TypeVar("Command", bound=Callable[..., Any])
Record = TypeVar("Record")


def complete_with(by: str) -> Callable[[click.Context, click.Parameter, str], Any]:
    """Returns the callback that completes a parameter by a function of `flowspec.cli.candidates`."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> Any:
        from flowspec.cli import candidates

        return getattr(candidates, by)(context, parameter, incomplete)

    return complete


class WholeNumber(click.IntRange):
    """A whole number in a range, called so in click's message about other text, not "integer range"."""

    name = "whole number"


class _NotEmpty(click.ParamType):  # type: ignore[type-arg]  # click 8.1 has no parameter
    """Refuses an empty text, such as a shell variable without a value: as a path, it is the working folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the value. Raises BadParameter for an empty one."""
        if value == "":
            self.fail("it is empty: has a variable of the shell no value?", param, ctx)
        return super().convert(value, param, ctx)


class Name(_NotEmpty, type(click.STRING)):  # type: ignore[misc]  # click 8.1 does not export the class
    """A name, an id, a URL, or a path that is used as text."""


class NonEmptyPath(_NotEmpty, click.Path):
    """The path of a file or folder."""


class _SpecPath(NonEmptyPath):
    """The path of a spec, or of a folder of specs; shells complete it by YAML files."""

    shell_complete = staticmethod(complete_with("specs"))  # type: ignore[assignment]


SPEC_PATH = _SpecPath(path_type=Path, readable=False)
SPEC = click.argument("spec", type=SPEC_PATH, metavar="SPEC")
TARGET = click.option(
    "-t",
    "--target",
    metavar="NAME",
    help="Target of the spec; default: the one marked default.",
    shell_complete=complete_with("targets"),
)


class Choice(click.Choice):  # type: ignore[type-arg]  # click 8.1 has no parameter
    """One of several words; the message about another word suggests the nearest."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the word. Raises BadParameter for any other text."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            from flowspec.document.nearest import nearest

            # By a part of it, too: `clii` is not like `aws-cli`.
            words = {part: one for one in self.choices for part in (*one.split("-"), one)}
            found = words.get(nearest(str(value), words))
            self.fail(f"{error.message}{f' Did you mean {found!r}?' if found else ''}", param, ctx)


def compose_options(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Returns one decorator that adds all these options, in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def gather(record: type[Any], *options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Returns a decorator that adds these options, in this order, and passes the command one record of their values.

    The parameter has the name of the record in lower case: `rendering` for a Rendering. The record also gets the values
    of options, and the records, that decorators above it add.
    """

    def decorate(command: Command) -> Command:
        @wraps(command)
        def call(**values: Any) -> Any:
            gathered = {record.__name__.lower(): take(record, values)}
            return command(**values, **gathered)

        return compose_options(*options)(cast("Command", call))

    return decorate


def take(record: Callable[..., Record], values: dict[str, Any]) -> Record:
    """Moves values of options into a new record; a field without an option keeps its default."""
    names: tuple[str, ...] = record._fields  # type: ignore[attr-defined]
    return record(**{name: values.pop(name) for name in names if name in values})


DATE = click.option(
    "--date",
    type=Day(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="The day that `ds` and `ts` mean in the spec; default: now, in UTC.",
)
VARIABLES = gather(
    Rendering,
    TARGET,
    click.option(
        "--var",
        "assignments",
        multiple=True,
        metavar="NAME=VALUE",
        help="Set a variable of the spec; may be repeated.",
        shell_complete=complete_with("variables"),
    ),
    click.option(
        "--var-file",
        "variable_files",
        multiple=True,
        type=NonEmptyPath(path_type=Path, readable=False),
        metavar="FILE",
        help="YAML or JSON file with values of variables; may be repeated.",
    ),
    DATE,
)

step_option = partial(click.option, type=Name(), metavar="STEP", shell_complete=complete_with("steps"))
"""Makes an option that names a step."""
STEP = partial(step_option, "--step", "wanted")
"""Makes the option `--step`, with its help."""


class CommandWithStep(click.Command):
    """A command with the option `--step`: its error says so if a step is given without it, as for `flowspec cancel`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses the words as click does, and refuses those that are too many with the hint."""
        ctx.allow_extra_args = True
        extra = super().parse_args(ctx, args)
        if extra and not ctx.resilient_parsing:
            word = shlex.quote(extra[0])
            ctx.fail(f"Got unexpected extra argument {word}: a step is named by its option, --step {word}")
        return extra


def _check_staging(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    from flowspec.facts.uris import is_s3_folder

    if value is not None and not is_s3_folder(value):
        raise click.BadParameter(f"{value!r} is not an S3 folder: write s3://bucket/folder/")
    return value


STAGING = click.option(
    "--staging",
    callback=_check_staging,
    metavar="URI",
    help="S3 folder to upload local files to; default: the target's `staging`.",
)


def _connection_options(of_spec: str) -> Callable[[Command], Command]:
    default = f"default: {of_spec}"
    return gather(
        Connection,
        click.option(
            "--region", type=Name(), metavar="REGION", help=f"AWS region; {default}that of the AWS configuration."
        ),
        click.option("--profile", type=Name(), metavar="PROFILE", help=f"AWS profile; {default}as boto3 chooses."),
        click.option("--endpoint-url", type=Name(), metavar="URL", help=f"Send EMR and S3 calls to URL; {default}AWS."),
    )


CONNECTION = _connection_options("that of the spec's target, else ")
CONNECTION_WITHOUT_SPEC = _connection_options("")

WATCHING = compose_options(
    click.option(
        "--timeout",
        type=Seconds(),
        metavar="SECONDS",
        help="Stop watching after SECONDS, all launches together, and exit with 6; the run goes on. Default: never.",
    ),
    click.option(
        "--on-interrupt",
        type=Choice(get_args(OnInterrupt)),
        default="detach",
        show_default=True,
        help="What Ctrl-C does: leave the run alone, cancel its steps, or terminate its cluster.",
    ),
)

ALLOW_COMMANDS = click.option(
    "--allow-commands",
    is_flag=True,
    envvar="FLOWSPEC_ALLOW_COMMANDS",
    show_envvar=True,
    help="Run the commands of the spec's hooks on this machine; default: skip them.",
)
DETACH = click.option(
    "--detach", is_flag=True, help="Return as soon as EMR has accepted the request; default: wait for the end."
)


LOCK_TIMEOUT = click.option(
    "--lock-timeout",
    type=Seconds(),
    default=0.0,
    metavar="SECONDS",
    help="Wait up to SECONDS while another command changes the same cluster; default: fail at once.",
)
YES = click.option("--yes", is_flag=True, help="Don't ask for confirmation.")


def output_format(*choices: str) -> Callable[[Command], Command]:
    """Returns the option `--format`; the first choice is the default."""
    return click.option(
        "--format",
        "format_",
        type=Choice(choices),
        default=choices[0],
        show_default=True,
        help="Format of the output.",
    )
