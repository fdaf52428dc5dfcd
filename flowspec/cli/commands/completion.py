"""`flowspec completion`: prints the script that makes a shell complete command lines."""

from __future__ import annotations

import click

from flowspec.cli.completion import SHELLS, script
from flowspec.cli.exits import Exit
from flowspec.cli.output import print_result


@click.command("completion", epilog="Example: flowspec completion bash >> ~/.bashrc")
@click.argument("shell", type=click.Choice(tuple(SHELLS)))
@click.pass_context
def command(context: click.Context, shell: str) -> int:
    """Print the script that makes a shell complete commands, options, targets, steps, variables and clusters.

    For bash (4.4 and newer), put eval "$(flowspec completion bash)" into ~/.bashrc; for zsh the same, with zsh, into
    ~/.zshrc after compinit; for fish, write the script to ~/.config/fish/completions/flowspec.fish.
    """
    print_result(script(context.find_root().command, shell), newline=False)
    return Exit.OK
