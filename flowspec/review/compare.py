"""Compares the requests of a flow in two revisions, by the same table of members as a plan does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowspec.facts.mutability import row_of
from flowspec.plan.changes import Action, Change
from flowspec.plan.cluster import Live
from flowspec.plan.compare import as_shown
from flowspec.plan.comparison.differences import Difference, Kind, snake, token
from flowspec.plan.comparison.fields import ELSEWHERE, compare_fields, stated
from flowspec.plan.converge import changes_of, needs_replacement, value_text
from flowspec.plan.identity import HIDDEN_MEMBERS
from flowspec.plan.lines import command_of
from flowspec.plan.runs.unattended import compare_specs
from flowspec.plan.steps import step_identity
from flowspec.request.instances import expand_shorthand, lives_on, market_of

if TYPE_CHECKING:
    from flowspec.document.job_flow import JobFlow
    from flowspec.request.compile import Request

_REPLACES_NOTE = "only a new cluster has it"
_KEPT_NOTE = "a running cluster keeps it"
_MACHINES = frozenset({"InstanceGroups", "InstanceFleets"})


def has_same_names(earlier: JobFlow, jobflow: JobFlow) -> bool:
    """Returns True if an apply finds the earlier cluster, by the names of flow and cluster; else it is not changed."""
    return (earlier.name, earlier.cluster_name) == (jobflow.name, jobflow.cluster_name)


def compare_requests(
    before: Request, after: Request, jobflow: JobFlow, earlier: JobFlow
) -> tuple[list[Change], tuple[str, ...]]:
    """Returns what `after`, the request of `jobflow`, changes against `before`, that of `earlier`, and notes.

    Settings of the specs outside of the requests are compared, too; the notes are about invisible differences.

    On a long-running cluster, a change that EMR can't make has the action REPLACE, and the others name their operation.
    Values that may be secrets are masked.
    """
    lasting = has_same_names(earlier, jobflow) and (lives_on(expand_shorthand(before.params)) or lives_on(after.params))
    changes, notes = compare_params(before.params, after.params, lasting=lasting)
    changes += [*_file_changes(before, after), *compare_specs(earlier, jobflow)]
    return [as_shown(one, jobflow, after) for one in changes], notes


def compare_params(
    before: Mapping[str, Any], after: Mapping[str, Any], *, lasting: bool = False
) -> tuple[list[Change], tuple[str, ...]]:
    """Returns what the RunJobFlow request `after` changes against `before`, and notes on what can't be seen.

    Either may be one that a cluster was read back as. `lasting`: the cluster is long-running, so that changes name the
    operation that makes them. Secrets are not masked.
    """
    then, now = _as_read_back(expand_shorthand(before)), after
    instances = then.get("Instances", {})
    live = Live(
        _with_lists(then), ids=("",) * len(instances.get("InstanceGroups") or instances.get("InstanceFleets") or ())
    )
    # Everything in the earlier revision was set by it, so members that are missing now are differences.
    compared = compare_fields(now, live, [token(address) for address in stated(then)])
    differences = [*compared.differences, *_uncompared_differences(then, expand_shorthand(now), compared.differences)]
    changes = [change for one in differences for change in _changes_for(one, lasting)]
    changes += _step_changes(then.get("Steps", ()), now.get("Steps", ()))
    return changes, compared.notes


def _as_read_back(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the request with the market of each group that EMR chooses when none is given."""
    for group in params.get("Instances", {}).get("InstanceGroups", ()):
        group["Market"] = market_of(group)
    return params


def _with_lists(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the request with its one subnet or zone also as the list as which EMR gives it back."""
    instances = dict(params.get("Instances", {}))
    if subnet := instances.get("Ec2SubnetId"):
        instances["Ec2SubnetIds"] = [subnet]
    if zone := instances.get("Placement", {}).get("AvailabilityZone"):
        instances["Placement"] = {**instances["Placement"], "AvailabilityZones": [zone]}
    return {**params, "Instances": instances}


def _changes_for(difference: Difference, lasting: bool) -> Iterator[Change]:
    for change in changes_of(difference):
        if not lasting:
            # Each run has its own cluster, so there is no cluster to change or replace.
            yield change._replace(reason="")
        elif difference.kind is Kind.REMOVE and not (difference.row.undo or difference.row.operation):
            yield change._replace(reason=_KEPT_NOTE)
        elif needs_replacement(difference):
            yield change._replace(action=Action.REPLACE, reason=_REPLACES_NOTE)
        else:
            yield change


def _uncompared_differences(
    then: Mapping[str, Any], now: Mapping[str, Any], seen: Sequence[Difference]
) -> Iterator[Difference]:
    """Yields the members that a comparison with a cluster leaves out: those gone, and those that EMR never shows."""
    known = {one.path[:2] if one.path[:1] == ("Instances",) else one.path[:1] for one in seen}
    # A policy that is gone has no path.
    addresses = {one.address for one in seen}
    pairs = [((name,), name, then.get(name), now.get(name)) for name in _all_names(then, now) - ELSEWHERE]
    inner, outer = then.get("Instances", {}), now.get("Instances", {})
    names = _all_names(inner, outer) - _MACHINES
    pairs += [(("Instances", name), f"Instances.{name}", inner.get(name), outer.get(name)) for name in names]  # type: ignore[misc]
    for path, member, before, after in sorted(pairs, key=lambda pair: pair[1]):
        address = snake(path[-1])
        if before != after and path not in known and address not in addresses:
            kind = Kind.ADD if before is None else Kind.REMOVE if after is None else Kind.SET
            if kind is not Kind.REMOVE and member not in HIDDEN_MEMBERS:
                # The same value in another spelling, or a given default.
                continue
            yield Difference(path if after is not None else (), address, before, after, row_of(member), kind)


def _all_names(*mappings: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name for one in mappings for name in one)


def _step_changes(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    """Yields the steps that are new or gone, and the changes of those that keep their name."""
    earlier: dict[str, list[Mapping[str, Any]]] = {}
    for step in before:
        earlier.setdefault(step_identity(step), []).append(step)
    new = []
    for index, step in enumerate(after):
        if same := earlier.get(step_identity(step)):
            yield from _member_changes(same.pop(0), step, index, ("ActionOnFailure",))
        else:
            new.append((index, step))
    gone = [step for steps in earlier.values() for step in steps]
    for index, step in new:
        renewed = next((one for one in gone if one["Name"] == step["Name"]), None)
        if renewed is None:
            yield Change(Action.SUBMIT, f"step {step['Name']}", after=command_of(step), path=("Steps", index))
            continue
        gone.remove(renewed)
        yield from _member_changes(renewed, step, index, ("ActionOnFailure",))
        jars = (renewed["HadoopJarStep"], step["HadoopJarStep"])
        yield from _member_changes(*jars, index, ("Jar", "MainClass", "Args", "Properties"), step["Name"])
    for step in gone:
        yield Change(Action.DELETE, f"step {step['Name']}", before=command_of(step))


def _member_changes(
    before: Mapping[str, Any], after: Mapping[str, Any], index: int, names: Sequence[str], step: str = ""
) -> Iterator[Change]:
    for name in names:
        one, other = before.get(name), after.get(name)
        if one != other:
            address = f"step {step or after.get('Name')}: {snake(name)}"
            yield Change(Action.UPDATE, address, value_text(one), value_text(other), path=("Steps", index))


def _file_changes(before: Request, after: Request) -> Iterator[Change]:
    """Yields local files whose content differs: on a target that stages none, nothing else in the request shows it."""
    earlier = {asset.name: asset.sha256 for asset in before.assets}
    for asset in after.assets:
        old = earlier.get(asset.name)
        if old is not None and old != asset.sha256:
            yield Change(Action.UPLOAD, f"file {asset.name}", old[:12], asset.sha256[:12], "its content")
