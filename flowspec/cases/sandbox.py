"""Case -> the job flow as it is to run in the case's home: sample data is put in place, inputs are checked.

A target of EMR is run as it would be sent there: local files are "staged", which here means put into the folder tree
of s3://. Where a target is local, relative paths of data are below the home instead of beside the spec.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flowspec.backend.local.fidelity import assess
from flowspec.cases.case import Case, refuse_unusable
from flowspec.document.checking.validate import validate
from flowspec.document.job_flow import JobFlow
from flowspec.document.rendering.render import render
from flowspec.document.text.parse import load
from flowspec.document.text.tree import Document, NodePath
from flowspec.emulator.state.paths import s3_root
from flowspec.engines import data_paths
from flowspec.engines.paths import FileSystems
from flowspec.errors import FlowspecError, SpecError
from flowspec.facts.uris import is_s3
from flowspec.plan.compare import make_plan
from flowspec.request.assets import Asset, Files, is_relative
from flowspec.request.compile import Request, compile
from flowspec.request.packages import for_this_machine

# For a spec whose staging is given on the command line; nothing is sent there.
_STAGING = "s3://flowspec-test-staging/"
_GLOB = frozenset("*?[{")
_NO_PLACE = "an s3:// URI without * ? [ { will do, or a relative path where the target's backend is local"


@dataclass(frozen=True)
class Sandbox:
    """A case's job flow and request, and the home that they belong to."""

    case: Case
    home: Path
    flow: JobFlow
    request: Request

    def locate(self, uri: str, at: NodePath) -> Path:
        """Returns the path of an output or input in the home. Raises SpecError for what is not in it."""
        return _locate_in_home(self.case, self.flow, self.home, uri, at)

    def path_in_spec(self, uri: str) -> str:
        """Returns a path of the request as the spec has it."""
        # The folder that the spec's relative paths of data start from.
        root = f"{Path(Files(self.flow).data_path('x', ())).parent}/"
        return uri.removeprefix("file:").removeprefix(root) if root in uri else uri


def document_of(case: Case) -> Document:
    """Renders a case's spec, without the environment. Raises SpecError."""
    return render(load(case.spec), target=case.target, variables=case.variables, environ={}, now=case.now)


def job_flow_of(case: Case) -> JobFlow:
    """Renders and validates a case's spec. Raises SpecError."""
    flow = validate(document_of(case))
    return replace(flow, staging=flow.staging or _STAGING)


def prepare(case: Case, home: Path) -> Sandbox:
    """Puts the sample data and the flow's files into a home, and compiles the flow.

    Raises SpecError for an invalid spec, for sample data that can't be used, and for an input that is not given.
    """
    flow = replace(job_flow_of(case), data_root=home / "data")
    for uri, sample in case.inputs.items():
        at = ("inputs", uri)
        refuse_unusable(case, sample, at)
        _copy_sample(sample, _locate_in_home(case, flow, home, uri, at), uri)
    request = compile(flow)
    # Making a plan refuses steps that can't run on this machine.
    make_plan(flow, request, None, assess(request.params))
    for asset in request.assets:
        if flow.traits.stages_files or asset.packages:
            _stage(asset, home)
    sandbox = Sandbox(case, home, flow, request)
    _refuse_missing_inputs(sandbox)
    return sandbox


def _locate_in_home(case: Case, flow: JobFlow, home: Path, uri: str, at: NodePath) -> Path:
    if is_s3(uri) and not _GLOB & set(uri):
        try:
            return FileSystems(Path("/"), s3=s3_root(home)).locate(uri)
        except FlowspecError as error:
            raise SpecError([case.document.diagnostic("FS803", at, error.sentence, key=True)]) from None
    if not flow.traits.stages_files and is_relative(uri) and not _GLOB & set(uri):
        files = Files(flow)
        path = Path(files.data_path(uri, ()))
        if not files.found:
            return path
    message = f"'{uri}' is not in the home of a case"
    raise SpecError([case.document.diagnostic("FS803", at, message, key=True, notes=(_NO_PLACE,))])


def _copy_sample(sample: Path, to: Path, uri: str) -> None:
    """Copies a sample file or folder to its place in the home."""
    if sample.is_file():
        to = to / sample.name if uri.endswith("/") else to
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sample, to)
        return
    for folder, _, names in os.walk(sample):
        here = to / os.path.relpath(folder, sample)
        here.mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copyfile(Path(folder, name), here / name)


def _stage(asset: Asset, home: Path) -> None:
    path = FileSystems(Path("/"), s3=s3_root(home)).locate(asset.uri)
    if asset.packages is not None:
        from flowspec.backend.packing import put_archive

        # Packages for EMR's Python may not run here. They are kept in the user's home, since each case has its own
        # home.
        here = for_this_machine(asset.packages)
        put_archive(asset._replace(packages=here, sha256=here.key), path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.writelines(asset.content())


def _refuse_missing_inputs(sandbox: Sandbox) -> None:
    """Raises SpecError for steps that read what neither the case nor an earlier step provides, or write elsewhere."""
    found = []
    given = [Files(sandbox.flow).data_path(uri, ()) for uri in sandbox.case.inputs]
    there = [_qualify(uri) for uri in (*given, *(asset.uri for asset in sandbox.request.assets))]
    for name, jar in _steps(sandbox.request.params):
        paths = data_paths(jar["Jar"], jar.get("MainClass"), jar.get("Args", ()))
        if paths is None:
            # Only the program knows whether it reads or writes these.
            there += [_qualify(word) for word in jar.get("Args", ()) if "://" in word]
            continue
        for uri in dict.fromkeys(paths.reads):
            if not _may_match(_qualify(uri), there):
                found.append(_missing_input_diagnostic(sandbox, name, sandbox.path_in_spec(uri)))
        for uri in map(_qualify, paths.writes):
            if uri.startswith("file:") and not Path(uri[len("file:") :]).is_relative_to(sandbox.home):
                message = f"step '{name}' writes to {uri[len('file:') :]}, outside of the home of the case"
                hint = "write to s3://, or to a relative path"
                found.append(sandbox.case.document.diagnostic("FS803", (), message, hint=hint))
        there += map(_qualify, paths.writes)
    if found:
        raise SpecError(found)


def _steps(params: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for step in params.get("Steps", ()):
        yield step["Name"], step["HadoopJarStep"]


def _missing_input_diagnostic(sandbox: Sandbox, step: str, uri: str) -> Any:
    message = f"step '{step}' reads {uri}, and the case provides nothing there"
    hint = f"inputs: {{{uri}: FOLDER}}"
    return sandbox.case.document.diagnostic("FS801", ("inputs",), message, hint=hint, key=True)


def _qualify(uri: str) -> str:
    """Returns a path as a full URI, its scheme s3 for s3n and s3a; unchanged if it is no path of Hadoop's."""
    try:
        full = FileSystems(Path("/"), s3=Path("/"), hdfs=Path("/")).qualify(uri)
    except FlowspecError:
        return uri
    return f"s3:{full.partition(':')[2]}" if is_s3(full) else full


def _may_match(uri: str, there: Iterable[str]) -> bool:
    """Returns True if a path or glob may match something below one of the places, or above it."""
    stem = uri[: min((at for at, letter in enumerate(uri) if letter in _GLOB), default=len(uri))]
    whole = stem == uri
    for place in there:
        if _is_below(stem, place) or (_is_below(place, stem) if whole else place.startswith(stem)):
            return True
    return False


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
