"""argv -> stages -> stdout and stderr -> exit code. The only package that prints, and that knows exit codes.

Results go to stdout, progress and errors to stderr. Every command returns one of `exits.Exit`.

    commands    one module per command
    options     options that several commands share; `locate` finds the cluster that WHAT names
    follow      watching a run on the terminal
    crash       the last resort: no exception reaches the user as a traceback
"""

from __future__ import annotations

import gc
import io
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

import click

from flowspec.cli.exits import Exit
from flowspec.cli.output import eprint_report, wants_color
from flowspec.errors import FlowspecError, Locked, SpecError, StalePlan

# All commands in the order of their use, each with its summary; up to 63 characters fit on a line of 80 columns.
COMMANDS: Mapping[str, str] = {
    "validate": "Check specs offline: every error with its place and remedy.",
    "fmt": "Give specs one form; comments are kept.",
    "render": "Show a spec as it is for one target.",
    "compile": "Print the RunJobFlow request of a spec.",
    "import": "Turn a request, script, template or cluster into a spec.",
    "export": "Write a spec in the format of another tool.",
    "migrate": "Run a boto script, send nothing, and write specs from it.",
    "review": "Show what a change of the repository does to each flow.",
    "test": "Run flows on sample data, on this machine, and compare.",
    "graph": "Show the steps and the data that they read and write.",
    "iam": "Print the least IAM policies that a spec needs.",
    "plan": "Show what apply would do, and why.",
    "apply": "Submit a spec or join its run, and watch it.",
    "status": "Show a cluster and its steps.",
    "list": "List clusters.",
    "logs": "Print a step's logs.",
    "diagnose": "Say why a run failed, and what to try.",
    "wait": "Watch a run to its end.",
    "steps": "Add steps to a cluster that is there already.",
    "cancel": "Cancel a step, or all that are pending.",
    "resize": "Set the sizes of instance groups and fleets.",
    "protect": "Protect a cluster against termination.",
    "unprotect": "Lift the termination protection of a cluster.",
    "adopt": "Make a cluster that someone else made a spec's own.",
    "idle": "List the clusters that have nothing to do.",
    "destroy": "Terminate a cluster and wait until it is gone.",
    "unlock": "Remove the lock that an apply left on a cluster.",
    "emulator": "Serve the embedded EMR to any client on this machine.",
    "schema": "Print the JSON Schema of the spec, the reference of its fields.",
    "explain": "Explain a finding or a field of the spec, with examples.",
}
# `import` is a keyword of Python, so its module has another name.
_MODULES = {"import": "import_"}


class _LazyGroup(click.Group):
    """Imports the module of a command when that command is used, so that `--help` and each command start fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"flowspec.cli.commands.{_MODULES.get(cmd_name, cmd_name)}").command
        command.short_help = COMMANDS[cmd_name]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: flowspec apply examples/wordcount/job.yaml",
)
@click.version_option(package_name="flowspec", message="flowspec %(version)s")
def root() -> None:
    """One YAML file, one Amazon EMR job flow: on AWS, or really run on this machine."""


def run(argv: Sequence[str]) -> int:
    """Runs one command line and returns its exit code; errors are printed on stderr, never raised."""
    try:
        return _run(argv)
    except Exception as error:  # noqa: BLE001 - the last resort: whatever it is, users get a message and a log file
        from flowspec.cli.crash import crash_message

        eprint_report(crash_message(error))
        return Exit.ERROR


def _run(argv: Sequence[str]) -> int:
    try:
        # Not click's own main: it would exit with 1 where the reader of our output goes away.
        with root.make_context("flowspec", list(argv)) as context:
            return int(root.invoke(context) or 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except (click.ClickException, SpecError) as error:
        _print_mistakes(error)
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except (FlowspecError, OSError) as error:
        eprint_report(f"error: {_sentence(error)}")
        return _EXITS.get(type(error), Exit.ERROR)


_EXITS: dict[type[Exception], Exit] = {Locked: Exit.LOCKED, StalePlan: Exit.STALE_PLAN}


def _print_mistakes(error: click.ClickException | SpecError) -> None:
    from flowspec.report.diagnostics import as_text

    if isinstance(error, click.ClickException):
        shown = io.StringIO()
        error.show(shown)
        eprint_report(shown.getvalue().rstrip("\n"))
    else:
        eprint_report(as_text(error.diagnostics, color=wants_color()))


def _sentence(error: FlowspecError | OSError) -> str:
    from flowspec.document.escaping import visible

    if isinstance(error, FlowspecError):
        message = visible(error.message)
        return f"{message}\n  {visible(error.remedy)}" if error.remedy else message
    return visible(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error))


def main() -> None:
    """The `flowspec` command."""
    # Nearly all objects of a short command are those of imported modules, among which the garbage collector finds
    # nothing: with its usual threshold of 700 it takes 6 % of the CPU time of `apply`.
    gc.set_threshold(50_000, 10, 10)
    # CI runners and service managers stop us by SIGTERM: it is an interrupt like Ctrl-C, with the same choices.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run(sys.argv[1:]))
