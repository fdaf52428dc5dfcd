"""The option `--policy`: an organisation's own rules, checked against a compiled request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowspec.cli.options import NonEmptyPath
from flowspec.errors import Diagnostic, NothingFound

if TYPE_CHECKING:
    from flowspec.document.job_flow import JobFlow
    from flowspec.request.compile import Request
    from flowspec.request.policy import Policy

POLICY = click.option(
    "--policy",
    "policy_files",
    multiple=True,
    type=NonEmptyPath(path_type=Path, readable=False),
    metavar="PATH",
    help="JSON Schema (JSON or YAML), or a folder of them, that the request must satisfy; may be repeated.",
)


def read_policies(files: Sequence[Path]) -> list[Policy]:
    """Reads policy files. Raises SpecError when one can't be read, or is no self-contained JSON Schema."""
    if not files:
        return []
    from flowspec.request import policy

    return [policy.read(file) for path in files for file in _policy_files(path)]


def _policy_files(path: Path) -> list[Path]:
    """Returns the file itself, or the policies in a folder by name. Raises NothingFound for a folder without one."""
    if not path.is_dir():
        return [path]
    found = sorted(one for one in path.iterdir() if one.suffix in {".json", ".yaml", ".yml"})
    if not found:
        raise NothingFound(f"{path} contains no policy", remedy="a policy is a JSON Schema in a .json or .yaml file")
    return found


def violations_of(policies: Sequence[Policy], flow: JobFlow, request: Request) -> tuple[Diagnostic, ...]:
    """Returns the violations of all policies by a request, each at its place in the spec."""
    if not policies:
        return ()
    from flowspec.request.policy import violations

    return tuple(one for policy in policies for one in violations(policy, flow, request))
