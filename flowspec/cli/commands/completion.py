"""`flowspec completion`: prints the script that makes a shell complete command lines."""

from __future__ import annotations

import click

from flowspec.cli.completion import SHELLS, script
from flowspec.cli.exits import Exit
from flowspec.cli.options import Choice
from flowspec.cli.output import print_result


@click.command("completion", epilog="Example: flowspec completion fish > ~/.config/fish/completions/flowspec.fish")
@click.argument("shell", type=Choice(tuple(SHELLS)))
@click.pass_context
def command(context: click.Context, shell: str) -> int:
    """Print the script that makes a shell complete commands, options, targets, steps, variables and clusters.

    For bash (4.4 and newer), add the line eval "$(flowspec completion bash)" to ~/.bashrc. For zsh, add eval
    "$(flowspec completion zsh)" to ~/.zshrc, after compinit. For fish, see the example below.
    """
    print_result(script(context.find_root().command, shell), newline=False)
    return Exit.OK
