"""argv -> stages -> stdout and stderr -> exit code. The only package that prints, and that knows exit codes.

Results go to stdout, progress and errors to stderr. Every command returns one of `exits.Exit`.

    commands                             one module per command
    options, selection, policies, times  options that several commands share, and their values
    run_options                          those of commands that compile, plan or apply a spec
    specs, planning                      a spec as the options say: rendered, validated, compiled, planned
    locate                               WHAT -> the cluster that it names
    fleet, fleet_apply, fleet_destroy    many specs at a time; `cores` spreads files over the cores
    termination                          ends a cluster and waits until it is gone
    pruning                              ends the clusters of a folder whose specs are gone
    applied, follow, overrun             apply a plan and watch its run, or any run; warn about its budget
    output, github                       stdout and stderr with secrets masked, comments on pull requests
    drafts                               files that commands write
    confirm                              questions before what can't be undone
    completion, candidates               shell completion; names in specs and of clusters
    exits                                the exit codes
    crash                                turns unexpected exceptions into a message and a file with the traceback
"""

from __future__ import annotations

import atexit
import errno
import gc
import io
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from flowspec.cli.exits import Exit
from flowspec.cli.output import (
    Level,
    eprint_report,
    escape_unencodable,
    mask_from_now_on,
    print_result,
    set_least_level,
    wait_for_readers,
    wants_color,
)
from flowspec.errors import FlowspecError, Locked, NothingFound, SpecError, StalePlan
from flowspec.interrupts import INTERRUPTS

if TYPE_CHECKING:
    from types import FrameType

    from click.shell_completion import CompletionItem

# All commands in the order of their use, each with its summary; up to 63 characters fit on a line of 80 columns.
COMMANDS: Mapping[str, str] = {
    "init": "Write a first spec, with sample data and a test.",
    "doctor": "Check that this machine and AWS have what specs need.",
    "validate": "Check specs offline: every error with its place and remedy.",
    "fmt": "Format specs in one style; comments are kept.",
    "render": "Show a spec as it is for one target.",
    "compile": "Print the RunJobFlow request of a spec.",
    "import": "Turn a request, script, template or cluster into a spec.",
    "export": "Write a spec in the format of another tool.",
    "migrate": "Run a boto script, send nothing, and write specs from it.",
    "review": "Show what a change of the repository does to each flow.",
    "test": "Run flows on sample data, on this machine, and compare.",
    "graph": "Show the steps and the data that they read and write.",
    "iam": "Print least-privilege IAM policies for a spec.",
    "prices": "Show the prices for estimates, or read newer ones from AWS.",
    "plan": "Show what apply would change, and why.",
    "apply": "Start or change the cluster of a spec, and watch its run.",
    "drift": "Show which running clusters differ from their specs.",
    "status": "Show a cluster and its steps.",
    "list": "List clusters.",
    "logs": "Print a step's logs.",
    "diagnose": "Say why a run failed, and what to try.",
    "report": "Show a run as one HTML page, with logs and causes.",
    "wait": "Watch a run to its end.",
    "steps": "Add steps to an existing cluster.",
    "cancel": "Cancel one step, or all pending steps.",
    "resize": "Set the sizes of instance groups and fleets.",
    "protect": "Protect a cluster against termination.",
    "unprotect": "Remove the termination protection of a cluster.",
    "adopt": "Let a spec manage a cluster that was started without it.",
    "idle": "List clusters that are running and have nothing to do.",
    "destroy": "Terminate a cluster and wait until it is gone.",
    "unlock": "Remove the lock that an apply left on a cluster.",
    "staging": "List staged files in S3, and delete unused ones.",
    "emulator": "Serve the embedded EMR to any client on this machine.",
    "schema": "Print the JSON Schema of the spec, the reference of its fields.",
    "explain": "Explain a finding or a field of the spec, with examples.",
    "completion": "Print a script that makes a shell complete what is typed.",
}
# The headings of `flowspec --help`, each before a command.
_HEADINGS: Mapping[str, str] = {
    "init": "Get started",
    "validate": "Write specs",
    "import": "Convert from and to other tools",
    "review": "Check what specs do",
    "plan": "Run specs",
    "status": "Look at runs",
    "steps": "Manage clusters",
    "emulator": "More",
}
# `import` is a keyword of Python, so its module has another name.
_MODULES = {"import": "import_"}


class _LazyGroup(click.Group):
    """Imports the module of a command when that command is used, so that `--help` and each command start fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            _refuse_misspelt(cmd_name, ctx)
            return None
        command: click.Command = import_module(f"flowspec.cli.commands.{_MODULES.get(cmd_name, cmd_name)}").command
        command.short_help = COMMANDS[cmd_name]
        _add_quiet(command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        # Not click's, which imports all commands for their summaries.
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        # Of one width, so that the summaries of all sections are in one column.
        width = max(map(len, COMMANDS))
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, summary in COMMANDS.items():
            heading = _HEADINGS.get(name) or next(reversed(sections))
            sections.setdefault(heading, []).append((name.ljust(width), summary))
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)


def _refuse_misspelt(name: str, context: click.Context) -> None:
    """Raises UsageError for a name that is like that of a command; for any other, click lists none."""
    from flowspec.document.nearest import did_you_mean

    if hint := did_you_mean(name, COMMANDS):
        raise click.UsageError(f"No such command {name!r}: {hint}", context)


def _be_quieter(_: click.Context, __: click.Parameter, times: int) -> None:
    """Raises the level of messages; before and behind the name of a command the option adds up to nothing more."""
    if times:
        set_least_level(Level(min(times, Level.ERROR)))


def _quiet_option() -> click.Option:
    return click.Option(
        ["-q", "--quiet"],
        count=True,
        expose_value=False,
        callback=_be_quieter,
        help="No progress on stderr; -qq: errors only.",
    )


def _add_quiet(command: click.Command) -> None:
    """Gives a command, and the commands of a group, the option `-q`."""
    if isinstance(command, click.Group):
        for one in command.commands.values():
            _add_quiet(one)
    if all("--quiet" not in one.opts for one in command.params):
        command.params.append(_quiet_option())


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    params=[_quiet_option()],
    epilog="Start with: flowspec init wordcount --template streaming",
)
@click.version_option(package_name="flowspec", message="flowspec %(version)s")
def root() -> None:
    """Describe an Amazon EMR job flow in one YAML file, and run it on AWS or on this machine."""


def run(argv: Sequence[str]) -> int:
    """Runs one command line and returns its exit code; errors are printed on stderr, never raised."""
    try:
        return _run(argv)
    except Exception as error:  # noqa: BLE001 - the last resort: whatever it is, users get a message and a log file
        return print_error(error)


def _run(argv: Sequence[str]) -> int:
    set_least_level(Level.PROGRESS)
    mask_from_now_on(())
    try:
        # Not click's own main: it would exit with 1 where the reader of our output goes away.
        with root.make_context("flowspec", list(argv)) as context:
            return int(root.invoke(context) or 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except (click.ClickException, FlowspecError, OSError) as error:
        return print_error(error)


def print_error(error: Exception) -> Exit:
    """Prints any error on stderr, and returns its exit code."""
    if isinstance(error, click.ClickException | SpecError):
        _print_user_error(error)
        return Exit.USAGE
    if isinstance(error, FlowspecError | OSError):
        eprint_report(f"error: {_error_text(error)}")
        return _EXITS.get(type(error), Exit.ERROR)
    from flowspec.cli.crash import crash_message

    eprint_report(crash_message(error))
    return Exit.ERROR


_EXITS: dict[type[Exception], Exit] = {Locked: Exit.LOCKED, StalePlan: Exit.STALE_PLAN, NothingFound: Exit.USAGE}


def _print_user_error(error: click.ClickException | SpecError) -> None:
    from flowspec.report.diagnostics import as_text

    if isinstance(error, click.ClickException):
        shown = io.StringIO()
        error.show(shown)
        eprint_report(shown.getvalue().rstrip("\n"))
    else:
        eprint_report(as_text(error.diagnostics, color=wants_color()))


def _error_text(error: FlowspecError | OSError) -> str:
    from flowspec.document.escaping import visible

    if isinstance(error, FlowspecError):
        message = visible(error.message)
        return f"{message}\n  {visible(error.remedy)}" if error.remedy else message
    message = visible(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error))
    return f"{message}\n  {_REMEDIES[error.errno]}" if error.errno in _REMEDIES else message


# For errors that have nothing to do with the file or program that is named.
_REMEDIES = {
    errno.EAGAIN: "no process can be started: raise their limit (ulimit -u, pids.max of a container), or end others",
    errno.EMFILE: "raise the limit of open files of a process: ulimit -n",
    errno.ENFILE: "end other processes: this machine has no more open files",
    errno.ENOMEM: "end other processes, or give this one more memory (ulimit -v, the limit of a container)",
    errno.ENOSPC: "free space on that disk",
    errno.EDQUOT: "free space in your quota of that disk",
}


def _complete(instruction: str) -> int:
    """Answers a script of `flowspec completion`; whatever fails, nothing is shown in the middle of a command line."""
    from flowspec.cli.completion import answer

    try:
        print_result(answer(root, instruction))
    except Exception:  # noqa: BLE001 - see above
        return Exit.ERROR
    return Exit.OK


def main() -> None:
    """The `flowspec` command."""
    # Nearly all objects of a short command are those of imported modules, among which the garbage collector finds
    # nothing: with its usual threshold of 700 it takes 6 % of the CPU time of `apply`, and as much with 50,000, which
    # is reached twice. A run that is watched for hours frees its cycles after some 30 MB of them.
    gc.set_threshold(200_000, 10, 10)
    escape_unencodable()
    wait_for_readers()
    if instruction := os.environ.get("_FLOWSPEC_COMPLETE"):
        _exit(_complete(instruction))
    # These are interrupts like Ctrl-C, with the same choices: a process that just ended would leave its lock.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Below nohup it stays ignored.
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _interrupt_once)
    _exit(run(sys.argv[1:]))


def _interrupt_once(number: int, _: FrameType | None) -> NoReturn:
    # Of a terminal that is closed both the kernel and the shell tell; the second would interrupt the clean-up.
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _exit(status: int) -> NoReturn:
    """Ends the process after the exit handlers, without Python's clean-up of all modules, which takes 10 ms."""
    # The verdict is the exit code: an interrupt from here on would print the traceback of an exit handler, or end the
    # process by its signal.
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
    # Profilers and measurements of coverage write their results in exit handlers.
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream and not stream.closed:
                stream.flush()
    except OSError:
        status = status or Exit.ERROR
    os._exit(status)
