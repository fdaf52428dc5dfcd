"""Compares the requests of a flow in two revisions, by the same table of members as a plan does."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowspec.facts.mutability import row_of
from flowspec.plan.changes import Action, Change
from flowspec.plan.cluster import Live
from flowspec.plan.compare import location_of
from flowspec.plan.converge import changes_of, needs_replacement
from flowspec.plan.differences import Difference, Kind, snake, token
from flowspec.plan.fields import compare_fields, stated
from flowspec.plan.groups import expand_shorthand
from flowspec.plan.lines import without_secret
from flowspec.plan.steps import step_identity

if TYPE_CHECKING:
    from flowspec.document.job_flow import JobFlow
    from flowspec.request.compile import Request

_REPLACES = "only a new cluster has it"
_KEPT = "a running cluster keeps it"
_ELSEWHERE = frozenset({"Instances", "Tags", "Steps"})
_MACHINES = frozenset({"InstanceGroups", "InstanceFleets"})


def compare_requests(before: Request, after: Request, jobflow: JobFlow) -> tuple[list[Change], tuple[str, ...]]:
    """Returns what `after`, the request of `jobflow`, changes against `before`, and notes on what can't be seen.

    Of a flow that lives on, a change that a running cluster can't take has the action REPLACE, and the others name the
    operation that makes it. Values that may be secrets are masked.
    """
    then, now = _as_read_back(expand_shorthand(before.params)), after.params
    instances = then.get("Instances", {})
    live = Live(then, ids=("",) * len(instances.get("InstanceGroups") or instances.get("InstanceFleets") or ()))
    # All that the earlier revision stated was its own, so that what it lacks now is a difference.
    compared = compare_fields(now, live, [token(address) for address in stated(then)])
    differences = [*compared.differences, *_unseen(then, expand_shorthand(now), compared.differences)]
    lives_on = any(one.get("Instances", {}).get("KeepJobFlowAliveWhenNoSteps") for one in (then, now))
    changes = [change for one in differences for change in _changes(one, lives_on)]
    changes += [*_steps(then.get("Steps", ()), now.get("Steps", ())), *_files(before, after)]
    return [_placed(one, after, jobflow) for one in changes], compared.notes


def _as_read_back(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The request with the market of each group that EMR chooses when none is given (API: InstanceGroupConfig)."""
    for group in params.get("Instances", {}).get("InstanceGroups", ()):
        group.setdefault("Market", "SPOT" if group.get("BidPrice") else "ON_DEMAND")
    return params


def _changes(difference: Difference, lives_on: bool) -> Iterator[Change]:
    for change in changes_of(difference):
        if not lives_on:
            # Each run has a cluster of its own: there is none to change by an operation, or to replace.
            yield dataclasses.replace(change, reason="")
        elif difference.kind is Kind.REMOVE and not (difference.row.undo or difference.row.operation):
            yield dataclasses.replace(change, reason=_KEPT)
        elif needs_replacement(difference):
            yield dataclasses.replace(change, action=Action.REPLACE, reason=_REPLACES)
        else:
            yield change


def _unseen(then: Mapping[str, Any], now: Mapping[str, Any], seen: Sequence[Difference]) -> Iterator[Difference]:
    """The members that a comparison with a cluster leaves out: those that are gone, and those that EMR never shows."""
    known = {one.path[:2] if one.path[:1] == ("Instances",) else one.path[:1] for one in seen}
    # A policy that is gone has no path.
    addresses = {one.address for one in seen}
    pairs = [((name,), name, then.get(name), now.get(name)) for name in _names(then, now) - _ELSEWHERE]
    inner, outer = then.get("Instances", {}), now.get("Instances", {})
    names = _names(inner, outer) - _MACHINES
    pairs += [(("Instances", name), f"Instances.{name}", inner.get(name), outer.get(name)) for name in names]  # type: ignore[misc]
    for path, member, before, after in sorted(pairs, key=lambda pair: pair[1]):
        address = snake(path[-1])
        if before != after and path not in known and address not in addresses:
            kind = Kind.ADD if before is None else Kind.REMOVE if after is None else Kind.SET
            if kind is not Kind.REMOVE and member not in _HIDDEN:
                # The same in another spelling, or a stated default.
                continue
            yield Difference(path if after is not None else (), address, before, after, row_of(member), kind)


# Compared by their digest alone on a cluster (`flowspec.plan.identity`).
_HIDDEN = frozenset({"AdditionalInfo", "Instances.HadoopVersion"})


def _names(*mappings: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name for one in mappings for name in one)


def _steps(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    """Steps that are new or gone, and of those that keep their name what they run now."""
    gone = list(before)
    new: list[tuple[int, Mapping[str, Any]]] = []
    for index, step in enumerate(after):
        same = next((one for one in gone if step_identity(one) == step_identity(step)), None)
        if same is None:
            new.append((index, step))
            continue
        gone.remove(same)
        yield from _members(same, step, index, ("ActionOnFailure",))
    for index, step in new:
        earlier = next((one for one in gone if one.get("Name") == step.get("Name")), None)
        if earlier is None:
            yield Change(Action.SUBMIT, f"step {step['Name']}", after=_command(step), path=("Steps", index))
            continue
        gone.remove(earlier)
        yield from _members(earlier, step, index, ("ActionOnFailure",))
        one, other = earlier.get("HadoopJarStep", {}), step.get("HadoopJarStep", {})
        yield from _members(one, other, index, ("Jar", "MainClass", "Args", "Properties"), step["Name"])
    for step in gone:
        yield Change(Action.DELETE, f"step {step['Name']}", before=_command(step))


def _command(step: Mapping[str, Any]) -> tuple[str, ...]:
    jar = step.get("HadoopJarStep", {})
    return (str(jar.get("Jar", "")), *jar.get("Args", ()))


def _members(
    before: Mapping[str, Any], after: Mapping[str, Any], index: int, names: Sequence[str], step: str = ""
) -> Iterator[Change]:
    for name in names:
        one, other = before.get(name), after.get(name)
        if one != other:
            address = f"step {step or after.get('Name')}: {snake(name)}"
            yield Change(Action.UPDATE, address, _shown(one), _shown(other), path=("Steps", index))


def _shown(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    return None if value is None else str(value)


def _files(before: Request, after: Request) -> Iterator[Change]:
    """Local files whose content differs: on a target that stages none, nothing else in the request shows it."""
    earlier = {asset.name: asset.sha256 for asset in before.assets}
    for asset in after.assets:
        old = earlier.get(asset.name)
        if old is not None and old != asset.sha256:
            yield Change(Action.UPLOAD, f"file {asset.name}", old[:12], asset.sha256[:12], "its content")


def _placed(change: Change, request: Request, jobflow: JobFlow) -> Change:
    return dataclasses.replace(
        change, location=location_of(change, jobflow, request), before=without_secret(change, request.secrets)
    )
