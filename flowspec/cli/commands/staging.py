"""`flowspec staging`: the local files that applies have uploaded to S3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from flowspec.cli.confirm import confirm
from flowspec.cli.exits import Exit
from flowspec.cli.locate import bare_endpoint
from flowspec.cli.options import SPEC_PATH, YES, compose_options, output_format
from flowspec.cli.output import Level, eprint, eprint_report, print_json, print_result
from flowspec.cli.run_options import PLANNING_ON_EMR, Planning
from flowspec.cli.times import parse_span
from flowspec.errors import FlowspecError
from flowspec.facts.uris import is_s3_folder

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr, Endpoint
    from flowspec.backend.aws.manage.staged import Deletion, StagedFile

_SPEC_OPTIONS = compose_options(click.argument("specs", nargs=-1, type=SPEC_PATH, metavar="[SPEC]..."), PLANNING_ON_EMR)


class _Folder(NamedTuple):
    """A staging folder, the EMR whose clusters use it, and the specs that name files in it, by the files' hashes."""

    emr: Emr
    uri: str
    named: Mapping[str, str]

    def users(self) -> dict[str, str]:
        """Returns the active clusters and given specs that use files, by the files' hashes."""
        from flowspec.backend.aws.manage.staged import hashes_in_use

        return {**self.named, **hashes_in_use(self.emr)}


@click.group("staging", epilog="Example: flowspec staging prune jobs/ --older-than 30d --dry-run")
def command() -> None:
    """List the local files that `apply` has uploaded to S3, and delete those that nothing uses.

    With `backend: local`, files are used in place and nothing is staged; `flowspec emulator prune` removes what ended
    clusters left on this machine.
    """


@command.command(
    "list",
    short_help="List the staged files, and what uses each.",
    epilog="Example: flowspec staging list job.yaml --target prod",
)
@_SPEC_OPTIONS
@output_format("text", "json")
def list_command(specs: tuple[Path, ...], planning: Planning, format_: str) -> int:
    """List the staged files, and what uses each: an active cluster of the region, or a SPEC.

    The folder is that of --staging, else the `staging` of the SPECs' target.
    """
    from flowspec.backend.aws.manage.staged import staged_files
    from flowspec.report import staging

    folder = _folder(specs, planning)
    files, users = list(staged_files(folder.emr, folder.uri)), folder.users()
    if format_ == "json":
        print_json([staging.document(one, users) for one in files])
    else:
        print_result(f"{staging.as_text(files, users)}\n{staging.total(files)} below {folder.uri}")
    return Exit.OK


def _upload_limit(context: click.Context, option: click.Parameter, value: str) -> datetime:
    """Returns the time before which a file was uploaded that is that old."""
    from flowspec.backend.aws.manage.staged import LEAST_AGE

    found = parse_span(context, option, value)
    if found < LEAST_AGE:
        raise click.BadParameter(f"it is at least {LEAST_AGE.days}d: an apply may be about to use a younger file")
    try:
        return datetime.now(timezone.utc) - found
    except OverflowError as error:
        raise click.BadParameter(f"{value} ago is before the year 1") from error


@command.command("prune", epilog="Example: flowspec staging prune job.yaml --older-than 60d --dry-run")
@_SPEC_OPTIONS
@click.option(
    "--older-than",
    "before",
    callback=_upload_limit,
    default="30d",
    show_default=True,
    metavar="SPAN",
    help="Delete files uploaded at least this long ago; 8d or more.",
)
@click.option("--dry-run", is_flag=True, help="List what would be deleted, and delete nothing.")
@YES
@output_format("text", "json")
def prune_command(  # noqa: PLR0917 - click passes options by name
    specs: tuple[Path, ...], planning: Planning, before: datetime, dry_run: bool, yes: bool, format_: str
) -> int:
    """Delete staged files that are old and that nothing uses.

    These are kept: files that active clusters of the region use, whoever started them (files that only completed steps
    use are not kept); files that the SPECs use; and objects whose names are not FOLDER/SHA256/NAME. `apply` uploads a
    file again if it was staged more than 7 days ago, so a file that a new run uses is never old enough. Clusters in
    other regions or accounts that use the folder are not seen.
    """
    from flowspec.backend.aws.manage.staged import staged_files
    from flowspec.report import staging

    folder = _folder(specs, planning)
    files, users = list(staged_files(folder.emr, folder.uri)), folder.users()
    doomed = [one for one in files if one.modified < before and one.sha256 not in users]
    pages: list[Deletion] = []
    if doomed and not dry_run:
        eprint_report(staging.as_text(doomed, users), level=Level.WARNING)
        confirm(f"Delete {staging.total(doomed)}?", yes=yes, unasked=False)
        # The answer may have taken some time.
        users = folder.users()
        doomed = [one for one in doomed if one.sha256 not in users]
        pages = list(_delete_pages(folder, doomed, before))
    return _print(folder, files, doomed, pages, format_, dry_run=dry_run)


# Of 1000 files, which S3 mostly refuses for one reason; --format json has all.
_MOST_SHOWN = 10


def _delete_pages(folder: _Folder, doomed: Sequence[StagedFile], before: datetime) -> Iterator[Deletion]:
    """Deletes files and yields each page; prints what S3 refuses, and how much was deleted when it is stopped."""
    from flowspec.backend.aws.manage.staged import delete_staged
    from flowspec.report import staging

    done: list[StagedFile] = []
    try:
        for page in delete_staged(folder.emr, folder.uri, doomed, before=before):
            done += page.deleted
            for one in page.refused[:_MOST_SHOWN]:
                eprint(f"{one.uri}: not deleted: {one.code}: {one.message}", level=Level.ERROR)
            if len(page.refused) > _MOST_SHOWN:
                eprint(f"and {len(page.refused) - _MOST_SHOWN} more were not deleted", level=Level.ERROR)
            yield page
    except (FlowspecError, KeyboardInterrupt):
        eprint(f"stopped; deleted by then: {staging.total(done)}", level=Level.ERROR)
        raise


def _print(
    folder: _Folder,
    files: Sequence[StagedFile],
    doomed: Sequence[StagedFile],
    pages: Sequence[Deletion],
    format_: str,
    *,
    dry_run: bool,
) -> Exit:
    from flowspec.report import staging

    deleted = [one for page in pages for one in page.deleted]
    refused = [one for page in pages for one in page.refused]
    if format_ == "json":
        chosen = doomed if dry_run else deleted
        found = {
            "staging": folder.uri,
            "dry_run": dry_run,
            "found": {"files": len(files), "bytes": sum(one.size for one in files)},
            "deleted": [staging.document(one, {}) for one in chosen],
            "bytes": sum(one.size for one in chosen),
            "refused": [one._asdict() for one in refused],
        }
        print_json(found)
    elif dry_run and doomed:
        print_result(staging.as_text(doomed, {}))
    if format_ == "text":
        what = f"would delete {staging.total(doomed)}" if dry_run else f"deleted {staging.total(deleted)}"
        print_result(f"{what}, of {staging.total(files)} below {folder.uri}")
    return Exit.ERROR if refused else Exit.OK


def _folder(specs: Sequence[Path], planning: Planning) -> _Folder:
    """Returns the staging folder of specs, or the one that is given.

    Raises FlowspecError when they have several, or none.
    """
    from flowspec.backend.aws.client import connect

    found: dict[tuple[Endpoint, str], dict[str, str]] = {}
    if specs:
        found = _folders_of(specs, planning)
    elif planning.staging:
        found = {(bare_endpoint("emr", planning.connection), planning.staging): {}}
    if not found:
        raise click.UsageError("name specs, or the folder with --staging s3://bucket/folder/")
    if len(found) > 1:
        folders = ", ".join(sorted({uri for _, uri in found}))
        raise FlowspecError(
            f"the specs stage in {len(found)} places: {folders}", remedy="name only specs of one folder"
        )
    (((endpoint, uri), named),) = found.items()
    return _Folder(connect(endpoint), uri, named)


def _folders_of(specs: Sequence[Path], planning: Planning) -> dict[tuple[Endpoint, str], dict[str, str]]:
    """Returns where specs stage their files, with the hashes of the files that they name now, and which spec does."""
    from flowspec.backend.aws.client import Endpoint
    from flowspec.cli.planning import compile_spec
    from flowspec.document.discovery import find_flows

    found: dict[tuple[Endpoint, str], dict[str, str]] = {}
    for spec in find_flows(specs):
        flow, request = compile_spec(spec, planning, placeholders=True, warn=lambda _: None)
        if not flow.traits.stages_files:
            where = f"target '{flow.target}'" if flow.target else "the spec"
            raise FlowspecError(
                f"{spec}: {where} runs on this machine, where files are used in place and not staged",
                remedy="choose a target that runs on EMR with --target; `flowspec emulator prune` cleans up here",
            )
        if flow.staging:
            if not is_s3_folder(flow.staging):
                refused = f"{spec}: the staging '{flow.staging}' is not an S3 folder"
                raise FlowspecError(refused, remedy="write s3://bucket/folder/")
            named = found.setdefault((Endpoint.of(flow), flow.staging), {})
            named |= {one.sha256: str(spec) for one in request.assets}
    return found
