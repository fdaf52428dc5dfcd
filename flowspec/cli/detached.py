"""Prints the result of `apply --detach`, without the modules that watch a run, which take 30 ms to import."""

from __future__ import annotations

from flowspec.backend.aws.client import Emr
from flowspec.backend.aws.command_lines import command_line
from flowspec.cli.exits import Exit
from flowspec.cli.output import eprint, print_json, print_result


def print_detached(emr: Emr, cluster_id: str, format_: str, *, joined: bool, skipped: str) -> int:
    """Prints the cluster's id, and how to re-attach to it; in JSON, also whether it was there before, or had ended."""
    if format_ == "json":
        print_json({"cluster": cluster_id, "joined": joined, "skipped": skipped})
    else:
        print_result(cluster_id)
        if not skipped:
            eprint(f"detached; re-attach with: {command_line('wait', emr, cluster_id)}")
    return Exit.OK
