"""Pairs the flows of two revisions and compares them, each at each of its targets."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flowspec.cost.budget import estimate_of, over_budget, unchecked_budget_notes
from flowspec.document.checking.validate import validate
from flowspec.document.discovery import is_spec, specs_below
from flowspec.document.rendering.extends import target_names
from flowspec.document.rendering.render import render
from flowspec.document.text.parse import load
from flowspec.document.text.tree import diagnostics_to_show
from flowspec.errors import Diagnostic, FlowspecError, NothingFound, Severity, SpecError
from flowspec.plan.changes import Action, Assessment, Change
from flowspec.plan.command_lines import command_line_at
from flowspec.plan.lines import submission_lines
from flowspec.plan.runs.unattended import compare_specs, new_commands
from flowspec.request.compile import Request, compile
from flowspec.request.graph import find_misordered_steps
from flowspec.request.instances import lives_on
from flowspec.review.compare import compare_requests, has_same_names
from flowspec.review.git import Repository
from flowspec.review.touched import Touched, bases
from flowspec.review.trees import Trees

if TYPE_CHECKING:
    from flowspec.cost.estimate import Estimate
    from flowspec.document.job_flow import JobFlow

NEW, GONE, CHANGED, SAME, INVALID = "new", "gone", "changed", "same", "invalid"
_STILL_INVALID = "invalid in both revisions, for the same reasons, so that it is not compared"


@dataclass(frozen=True)
class FlowReview:
    """A flow at one target. `status` is new, gone, changed, same, or invalid (at head, so it can't be compared).

    `findings` are those of the later revision that the earlier one had not. `moved_from` is the earlier path of a spec
    that was renamed ("" if it was not), `earlier_flow` the earlier name of a flow that is gone or has another name.
    `left` is the command line that ends a running cluster of that name, which no spec manages now; "" for none. `costs`
    are the estimates of both revisions' clusters.
    """

    path: str
    target: str
    flow: str
    status: str
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    findings: tuple[Diagnostic, ...] = ()
    moved_from: str = ""
    lives_on: bool = False
    earlier_flow: str = ""
    left: str = ""
    costs: tuple[Estimate | None, Estimate | None] = (None, None)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def replaces(self) -> bool:
        """True if the changes can't be made on a running cluster of the flow."""
        return self.lives_on and any(one.action is Action.REPLACE for one in self.changes)


@dataclass(frozen=True)
class Review:
    """The result for the commits from `base` (the merge base) to `head`: the flows that differ or have findings."""

    base: str
    head: str
    flows: tuple[FlowReview, ...]
    compared: int
    notes: tuple[str, ...] = ()


class Given(NamedTuple):
    """The values for variables, as the command line gives them."""

    variables: Mapping[str, str] = {}
    variable_files: tuple[Path, ...] = ()
    now: datetime | None = None


class _Pair(NamedTuple):
    """The paths of a spec in both revisions. `is_base`: others extend it, so that it need not be a flow by itself."""

    before: str | None
    after: str | None
    is_base: bool = False


Each = Callable[[Callable[[_Pair], "list[FlowReview]"], Sequence[_Pair]], Iterable["list[FlowReview]"]]


def compare_revisions(
    folder: Path,
    base: str,
    *,
    head: str = "HEAD",
    paths: Sequence[str] = (),
    given: Given = Given(),  # noqa: B008 - immutable
    each: Each = map,
) -> Review:
    """Compares the specs of two revisions of the repository that `folder` is in; needs git, but no network.

    `base` is where a change is to go (`origin/main`): the commit at which `head` parted from it is compared. `paths`
    (relative to the repository's root) limit it to specs there and below. `each` maps a function over the specs, in
    processes if it likes. Raises NothingFound when a revision does not exist, or has no such path.
    """
    repository = Repository.containing(folder)
    later = repository.commit(head)
    earlier = repository.merge_base(repository.commit(base), later)
    with tempfile.TemporaryDirectory(prefix="flowspec-review-") as name:
        # Where the temporary folder is behind a link, the paths of files would not begin with it.
        trees = Trees(repository, Path(name).resolve())
        roots = (trees.write(earlier, "base"), trees.write(later, "head"))
        changed = repository.changed(earlier, later)
        pairs = _pairs(roots, changed, [_relative(path, repository.root, roots) for path in paths])
        touched = _find_touched(roots[1], changed, trees.links, given, repository.root)
        compared = [one for one in pairs if one.before != one.after or touched.concerns(str(one.after))]
        work = partial(_review_pair, roots=roots, given=given, repository=repository.root)
        flows = _clear_managed([flow for found in each(work, compared) for flow in found])
        notes = (*trees.notes, *_uncommitted_note(repository, later, pairs), *_still_invalid_notes(flows))
        reported = tuple(one for one in flows if one.status != SAME or one.findings)
        return Review(earlier, later, reported, len(flows), notes)


def _clear_managed(flows: Sequence[FlowReview]) -> list[FlowReview]:
    """Returns the flows, without `left` where another spec of the later revision has the earlier name."""
    managed = {(one.flow, one.target): one for one in flows if one.status != GONE}
    return [
        one if managed.get((one.earlier_flow, one.target), one) is one else dataclasses.replace(one, left="")
        for one in flows
    ]


def _uncommitted_note(repository: Repository, head: str, pairs: Sequence[_Pair]) -> Iterator[str]:
    if head != repository.commit("HEAD"):
        return
    specs = {one.after for one in pairs}
    paths = repository.uncommitted(one for one in repository.entries(head) if one.path in specs)
    if paths:
        yield f"{', '.join(paths)}: changes that are not committed are not seen by the review"


def _pairs(roots: tuple[Path, Path], changed: Mapping[str, str], paths: Sequence[str]) -> list[_Pair]:
    """Returns the specs of both revisions; one that was moved is paired with its earlier path."""
    found = [_specs(root, paths) for root in roots]
    # Of a spec that moved into the paths, or out of them, the other name is elsewhere.
    before, after = (
        sorted({*ours, *_moved_paths(root, {*theirs} - {*ours}, changed)})
        for root, ours, theirs in zip(roots, found, reversed(found), strict=True)
    )
    extended = {*bases(roots[0], before), *bases(roots[1], after)} - {*paths}
    known = {*before}
    pairs = []
    for path in after:
        earlier = path if path in known else changed.get(path)
        pairs.append(_Pair(earlier if earlier in known else None, path, path in extended))
    paired = {one.before for one in pairs}
    return pairs + [_Pair(path, None, path in extended) for path in before if path not in paired]


def _moved_paths(root: Path, paths: set[str], changed: Mapping[str, str]) -> set[str]:
    """Returns the paths that specs of the other revision have in this one, where they have moved."""
    others = {changed[path] for path in paths & changed.keys()} - paths
    return others & {*_specs(root, ())} if others else others


def _find_touched(root: Path, changed: Mapping[str, str], links: set[str], given: Given, repository: Path) -> Touched:
    values = [*map(str, given.variables.values()), *os.environ.values()]
    files = [_file_at_revision(file, root, repository) for file in given.variable_files]
    return Touched(root, changed, links, values, files)


def _still_invalid_notes(flows: Iterable[FlowReview]) -> Iterator[str]:
    for path in dict.fromkeys(one.path for one in flows if one.notes == (_STILL_INVALID,)):
        yield f"{path}: {_STILL_INVALID}"


def _relative(path: str, top: Path, roots: tuple[Path, Path]) -> str:
    """Returns a path from the top of the repository, which at least one of the revisions has."""
    name = os.path.normpath(os.path.relpath(os.path.realpath(path), top) if Path(path).is_absolute() else path)
    if name.split("/", 1)[0] == "..":
        raise NothingFound(f"{path} is not in the repository {top}")
    if not any(os.path.lexists(root / name) for root in roots):
        raise NothingFound(f"neither revision has '{path}'", remedy=f"a path is relative to the top, {top}")
    return name


def _specs(root: Path, paths: Sequence[str]) -> list[str]:
    wanted = [root / path for path in paths] or [root]
    found = [path for one in wanted for path in ([one] if one.is_file() and is_spec(one) else specs_below(one))]
    return sorted({path.relative_to(root).as_posix() for path in found})


class _Side(NamedTuple):
    """A flow at one target in one revision; without a request if it is invalid there."""

    findings: tuple[Diagnostic, ...]
    jobflow: JobFlow | None = None
    request: Request | None = None
    cost: Estimate | None = None


def _review_pair(pair: _Pair, *, roots: tuple[Path, Path], given: Given, repository: Path) -> list[FlowReview]:
    sides = [
        _load_sides(root, path, given, repository) for root, path in zip(roots, (pair.before, pair.after), strict=True)
    ]
    before, after = sides
    if pair.is_base and not any(side.jobflow for side in (*before.values(), *after.values())):
        # Its errors are reported at each spec that extends it.
        return []
    moved = pair.before if pair.before and pair.after and pair.before != pair.after else ""
    path = str(pair.after or pair.before)
    before, after = _match_targets(before, after)
    return [
        _review_flow(path, target, before.get(target), after.get(target), moved or "") for target in {**before, **after}
    ]


def _match_targets(before: dict[str, _Side], after: dict[str, _Side]) -> tuple[dict[str, _Side], dict[str, _Side]]:
    """Matches the sides of both revisions by target, where one of them can't be read and so names no target.

    An earlier one is compared with each target of the later one. A later one is invalid once, whatever the targets
    were: else the flows of a spec with a merge conflict would be reported as gone.
    """
    if before and after and _is_unreadable(after):
        return {"": next(iter(before.values()))}, after
    if after and _is_unreadable(before):
        return dict.fromkeys(after, before[""]), after
    return before, after


def _is_unreadable(sides: Mapping[str, _Side]) -> bool:
    return [*sides] == [""] and sides[""].jobflow is None


def _review_flow(path: str, target: str, before: _Side | None, after: _Side | None, moved: str) -> FlowReview:
    made = partial(FlowReview, path, target, moved_from=moved)
    if after is None:
        assert before is not None
        name = before.jobflow.name if before.jobflow else path
        gone = (Change(Action.DELETE, f"flow {name}"),)
        return made(name, GONE, gone, earlier_flow=name, left=_destroy_command(before), costs=(before.cost, None))
    findings = (*_new_findings(before, after), *_new_command_findings(before, after))
    if after.jobflow is None or after.request is None:
        if findings or before is None:
            return made(path, INVALID, findings=findings)
        return made(path, SAME, notes=(_STILL_INVALID,))
    params = after.request.params
    made = partial(
        made,
        after.jobflow.name,
        findings=findings,
        secrets=after.request.secrets,
        lives_on=lives_on(params),
        costs=(before.cost if before else None, after.cost),
    )
    if before is None or before.request is None:
        note = ("the earlier revision is invalid, so that nothing can be compared",) if before else ()
        lines = (*submission_lines(params, (), Assessment()), *compare_specs(None, after.jobflow))
        return made(NEW, lines, (*note, *unchecked_budget_notes(after.jobflow, after.cost)))
    assert before.jobflow is not None
    changes, notes = compare_requests(before.request, after.request, after.jobflow, before.jobflow)
    notes = (*notes, *unchecked_budget_notes(after.jobflow, after.cost)) if changes else notes
    secrets = after.request.secrets | before.request.secrets
    made = partial(made, CHANGED if changes or moved else SAME, tuple(changes), notes, secrets=secrets)
    if has_same_names(before.jobflow, after.jobflow):
        return made()
    return made(earlier_flow=before.jobflow.name, left=_destroy_command(before))


def _destroy_command(before: _Side) -> str:
    """Returns the command line that ends the cluster of a flow, if it is long-running; else ""."""
    flow, request = before.jobflow, before.request
    if flow is None or request is None or not lives_on(request.params):
        return ""
    return command_line_at(flow, "destroy", flow.cluster_name)


def _new_findings(before: _Side | None, after: _Side) -> tuple[Diagnostic, ...]:
    """Returns the findings that the earlier revision had not; those of a line that has only moved are not new."""
    known = {(one.id, one.message, one.source) for one in before.findings} if before else set()
    new = (one for one in after.findings if (one.id, one.message, one.source) not in known)
    return tuple(one for one in new if one.severity is not Severity.INFO)


def _new_command_findings(before: _Side | None, after: _Side) -> tuple[Diagnostic, ...]:
    """Returns a finding on each command that a hook would run, and that no hook ran before."""
    flow = after.jobflow
    if flow is None:
        return ()
    what = "a hook runs a command on the machine that watches the run"
    hint = "it runs only where apply or wait has --allow-commands: read it as code of this repository"
    found = [
        flow.document.diagnostic("FS503", place, f"{what}: {command}", hint=hint)
        for place, command in new_commands(before.jobflow if before else None, flow)
    ]
    return diagnostics_to_show(found, flow.target, flow.secrets)


def _load_sides(root: Path, path: str | None, given: Given, repository: Path) -> dict[str, _Side]:
    """Returns a spec at each of its targets ("": it has none)."""
    if path is None:
        return {}
    with _working_directory(root):
        files = tuple(_file_at_revision(file, root, repository) for file in given.variable_files)
        try:
            names = target_names(path)
        except SpecError as error:
            sides = {"": _Side(error.diagnostics)}
        else:
            given = given._replace(variable_files=files)
            sides = {name: _load_side(root, path, name or None, given) for name in names or [""]}
        return {
            name: side._replace(findings=_with_relative_findings(side.findings, root)) for name, side in sides.items()
        }


def _load_side(root: Path, path: str, target: str | None, given: Given) -> _Side:
    try:
        document = render(
            load(path),
            target=target,
            variables=given.variables,
            variable_files=given.variable_files,
            now=given.now,
            placeholders=True,
        )
        jobflow = validate(document)
        request = _with_relative_paths(compile(jobflow), root)
    except SpecError as error:
        return _Side(error.diagnostics)
    except (FlowspecError, OSError) as error:
        return _Side((Diagnostic("FS001", f"{path}: {error}", None),))
    cost = estimate_of(jobflow, request.params)
    found = (*request.warnings, *over_budget(jobflow, cost), *find_misordered_steps(jobflow, request))
    return _Side(found, jobflow, request, cost)


def _file_at_revision(file: Path, root: Path, repository: Path) -> Path:
    """Returns a variable file of the repository as the revision has it; any other as it is."""
    absolute = Path(os.path.realpath(file))
    return root / absolute.relative_to(repository) if absolute.is_relative_to(repository) else absolute


def _with_relative_findings(findings: Iterable[Diagnostic], root: Path) -> tuple[Diagnostic, ...]:
    """Returns findings whose texts name files by their paths in the repository: the folder of a revision is temporary.

    Two revisions have other folders, so that a finding of both would be new in the later one.
    """

    def relative(text: str) -> str:
        return text.replace(f"{root}/", "").replace(str(root), "the repository")

    return tuple(
        dataclasses.replace(
            one, message=relative(one.message), hint=relative(one.hint), notes=tuple(map(relative, one.notes))
        )
        for one in findings
    )


def _with_relative_paths(request: Request, root: Path) -> Request:
    """Returns the request with local files as paths in the repository, to compare those of two revisions."""
    text = json.dumps(request.params)
    prefix = json.dumps(f"{root}/")[1:-1]
    params: dict[str, Any] = json.loads(text.replace(prefix, ""))
    return dataclasses.replace(request, params=params)


@contextmanager
def _working_directory(folder: Path) -> Iterator[None]:
    """Makes a folder the current one for a block: paths in messages are then those of the repository."""
    earlier = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(earlier)
