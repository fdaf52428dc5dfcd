"""`flowspec import`: turns a request, a command or a template into a spec, offline; and a cluster, by its id."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowspec.cli.drafts import draft_file, draft_option, print_notes, write_draft
from flowspec.cli.exits import Exit
from flowspec.cli.locate import LOOKING_WITHOUT_SPEC, Looking, bare_endpoint
from flowspec.cli.options import Name, NonEmptyPath
from flowspec.facts.ids import CLUSTER_ID

if TYPE_CHECKING:
    from flowspec.importers.decompile.draft import Decompiled

_LARGEST = 10_000_000
_KINDS = "request, aws-cli, cloudformation, terraform, airflow, dataflow-runner, mrjob, or a plugin's"


@click.command("import", epilog="Example: flowspec import create-cluster.sh -o job.yaml")
@click.argument("file", type=Name(), required=False)
@click.option("--request", type=Name(), metavar="FILE", help="FILE is a request: the same as --from request FILE.")
@click.option(
    "--from", "kind", metavar="KIND", help=f"The kind of FILE: {_KINDS}; default: found out from its content."
)
@click.option(
    "--cluster", default="", metavar="NAME", help="Name or number of the cluster to import, if FILE has several."
)
@click.option(
    "--var",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a variable of Terraform or a parameter of CloudFormation; may be repeated.",
)
@click.option(
    "--var-file",
    "var_files",
    multiple=True,
    type=NonEmptyPath(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Read variables or parameters from FILE, as Terraform and CloudFormation do.",
)
@draft_option("SPEC", "Write the spec here; default, and for -: stdout.")
@click.option("--force", is_flag=True, help="Replace SPEC if it exists.")
@click.option("--keep-secrets", is_flag=True, help="Write passwords and keys into the spec, instead of variables.")
@LOOKING_WITHOUT_SPEC
def command(  # noqa: PLR0917 - click passes them by name
    file: str | None,
    request: str | None,
    kind: str | None,
    cluster: str,
    settings: tuple[str, ...],
    var_files: tuple[Path, ...],
    output: Path | None,
    force: bool,
    keep_secrets: bool,
    looking: Looking,
) -> int:
    """Turn a request, script, template or cluster into a spec that compiles to the same request.

    FILE (- for stdin) is a RunJobFlow request as JSON (boto3's run_job_flow parameters), a script with an
    `aws emr create-cluster` command, a CloudFormation template, a Terraform file or folder, an Airflow module with
    EmrCreateJobFlowOperator, a cluster file of dataflow-runner, or mrjob.conf. Nothing is run or
    sent. FILE may also be the id of a cluster, live or ended: a plan of its spec shows no differences from it.
    """
    from flowspec.document.nearest import did_you_mean
    from flowspec.importers.decompile.draft import write_spec
    from flowspec.importers.sources import importer_names, read

    output = draft_file(output, force=force)
    here = output.parent if output else Path()
    if file and CLUSTER_ID.fullmatch(file) and not Path(file).exists():
        from flowspec.backend.aws.client import connect
        from flowspec.pipeline import import_cluster

        emr = connect(bare_endpoint(looking.backend, looking.connection))
        return _print(import_cluster(emr, file, folder=here, keep_secrets=keep_secrets), (), output)
    if looking.backend or any(looking.connection):
        raise click.UsageError("--region, --profile, --endpoint-url and --backend are for a cluster's id")
    file, kind = _source(file, request, kind)
    if kind and kind not in importer_names():
        hint = did_you_mean(kind, importer_names()) or f"the kinds are {', '.join(importer_names())}"
        raise click.BadParameter(f"{kind!r} is not a kind of file: {hint}", param_hint="--from")
    name = "<stdin>" if file == "-" else file
    folder = Path() if file == "-" else Path(file) if Path(file).is_dir() else Path(file).parent
    data = _read_content(file)
    wanted = read(name, data, kind=kind, folder=folder, cluster=cluster, var_files=var_files, settings=settings)
    made = write_spec(wanted, folder=here, origin=Path(name).resolve().name, keep_secrets=keep_secrets)
    return _print(made, wanted.notes, output)


def _print(made: Decompiled, notes: Sequence[str], output: Path | None) -> int:
    write_draft(output, made.text)
    print_notes(made, notes)
    return Exit.OK


def _source(file: str | None, request: str | None, kind: str | None) -> tuple[str, str]:
    """Returns the file to read and its kind; "" if the kind is to be recognised."""
    if (file is None) == (request is None):
        raise click.UsageError("name one FILE to import")
    if request is not None and kind not in (None, "request"):
        raise click.UsageError(f"--request and --from {kind} exclude each other")
    return (request, "request") if request is not None else (str(file), kind or "")


def _read_content(file: str) -> bytes:
    if file == "-":
        if sys.stdin is None:
            raise click.BadParameter("there is no standard input", param_hint="FILE")
        data = sys.stdin.buffer.read(_LARGEST + 1)
    elif Path(file).is_dir():
        from flowspec.importers.terraform.module import is_module

        if not is_module(Path(file)):
            raise click.BadParameter(f"{file} is a directory, not a file", param_hint="FILE")
        return b""
    else:
        path = Path(file)
        if not path.exists():
            raise click.BadParameter(f"there is no file {file}", param_hint="FILE")
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise click.BadParameter(f"{file} is larger than {_LARGEST // 1_000_000} MB", param_hint="FILE")
    return data
