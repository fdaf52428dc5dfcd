"""argv -> stages -> stdout and stderr -> exit code. The only room that prints, and that knows exit codes.

Results go to stdout, progress and errors to stderr. Every command returns one of `exits.Exit`.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

import click

from flowspec.cli import imports, offline, runs, views
from flowspec.cli.emulator import emulator
from flowspec.cli.exits import Exit
from flowspec.cli.explain import explain
from flowspec.cli.migrate import migrate
from flowspec.cli.output import say, wants_color
from flowspec.errors import FlowspecError, ServiceError, SpecError


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: flowspec apply examples/wordcount/job.yaml",
)
@click.version_option(package_name="flowspec", message="flowspec %(version)s")
def cli() -> None:
    """One YAML file, one Amazon EMR job flow: on AWS, or really run on this machine."""


for command in (
    offline.validate,
    offline.render,
    offline.compile_,
    imports.import_,
    migrate,
    runs.plan,
    runs.apply,
    views.status,
    views.list_,
    views.logs,
    runs.wait,
    runs.destroy,
    emulator,
    offline.schema,
    explain,
):
    cli.add_command(command)


def run(argv: Sequence[str]) -> int:
    """Runs one command line and returns its exit code; errors are told on stderr."""
    try:
        # Not click's own main: it would exit with 1 where the reader of our output goes away.
        with cli.make_context("flowspec", list(argv)) as context:
            return int(cli.invoke(context) or 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except (click.ClickException, SpecError) as error:
        _show_mistakes(error)
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except (FlowspecError, OSError) as error:
        say(f"error: {_sentence(error)}")
        return Exit.ERROR


def _show_mistakes(error: click.ClickException | SpecError) -> None:
    from flowspec.report.diagnostics import as_text

    if isinstance(error, click.ClickException):
        error.show()
    else:
        say(as_text(error.diagnostics, color=wants_color()))


def _sentence(error: FlowspecError | OSError) -> str:
    if isinstance(error, FlowspecError):
        message = _quoting(error) if isinstance(error, ServiceError) else error.message
        return f"{message}\n  {error.remedy}" if error.remedy else message
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)


def _quoting(error: ServiceError) -> str:
    """A service quotes what it was sent: names may hold anything."""
    from flowspec.report.runs import printable

    return printable(error.message)


def main() -> None:
    """The `flowspec` command."""
    # CI runners and service managers stop us by SIGTERM: it is an interrupt like Ctrl-C, with the same choices.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run(sys.argv[1:]))
