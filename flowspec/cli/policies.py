"""The option `--policy`: an organisation's own rules, held against a compiled request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowspec.errors import Diagnostic

if TYPE_CHECKING:
    from flowspec.document.job_flow import JobFlow
    from flowspec.request.compile import Request
    from flowspec.request.policy import Policy

POLICY = click.option(
    "--policy",
    "policy_files",
    multiple=True,
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="JSON Schema (JSON or YAML) that the request must satisfy too; may be repeated.",
)


def read_policies(files: Sequence[Path]) -> list[Policy]:
    """Reads policy files. Raises SpecError when one can't be read, or is no self-contained JSON Schema."""
    if not files:
        return []
    from flowspec.request import policy

    return [policy.read(file) for file in files]


def violations_of(policies: Sequence[Policy], flow: JobFlow, request: Request) -> tuple[Diagnostic, ...]:
    """Returns the violations of all policies by a request, each at its place in the spec."""
    if not policies:
        return ()
    from flowspec.request.policy import violations

    return tuple(one for policy in policies for one in violations(policy, flow, request))
