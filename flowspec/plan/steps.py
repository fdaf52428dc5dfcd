"""Decides which steps of a request have to be added to a long-running cluster.

A step is identified by its name and by what it runs (jar, main class, arguments, properties). If the cluster already
has the step as pending, running or completed, it is not added. Local scripts are staged under the hash of their
content, so a changed script makes another step.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from flowspec.facts.limits import MAX_STEPS_LISTED
from flowspec.plan.cluster import Cluster, Step

_LIVE = frozenset({"PENDING", "RUNNING", "COMPLETED", "CANCEL_PENDING"})
_CANCELLABLE = frozenset({"PENDING", "RUNNING"})


class StepChanges(NamedTuple):
    """Indexes of the wanted steps to add, steps to cancel, and failed steps that are left as they are.

    `extra` are active steps that the request does not have, and that are not cancelled. `awaits` are wanted steps that
    exist and have not ended. `unknown` holds the indexes of steps that may have run before the steps that EMR still
    lists. `under_way` says for each omitted step whether it exists and has not ended.
    """

    add: tuple[int, ...] = ()
    cancel: tuple[Step, ...] = ()
    failed: tuple[Step, ...] = ()
    awaits: tuple[Step, ...] = ()
    unknown: tuple[int, ...] = ()
    extra: tuple[Step, ...] = ()
    under_way: tuple[bool, ...] = ()


def step_identity(config: Mapping[str, Any]) -> str:
    """Returns the name of a StepConfig and the sha256 (hex) of what it runs."""
    jar = config.get("HadoopJarStep", {})
    properties = {pair.get("Key", ""): pair.get("Value", "") for pair in jar.get("Properties", ())}
    runs = [jar.get("Jar"), jar.get("MainClass") or "", list(jar.get("Args", ())), properties]
    digest = hashlib.sha256(json.dumps(runs, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{config.get('Name', '')}\n{digest}"


def compare_steps(
    wanted: Sequence[Mapping[str, Any]],
    cluster: Cluster,
    *,
    rerun: Collection[str],
    cancel_removed: bool = False,
    known: bool = False,
    selected: Collection[int] | None = None,
    omitted: Sequence[Mapping[str, Any]] = (),
) -> StepChanges:
    """Compares the steps of a request with those of a live cluster, both oldest first.

    `rerun` holds names of steps to run again, or "failed" for all that failed, were cancelled or interrupted. `known`
    says that an apply has submitted exactly these steps before, so a step that EMR no longer lists is not new.
    `selected` are the indexes of steps that the user has named: they run again unless they are active. `omitted` are
    the other steps of the spec, which are not changed.
    """
    there = _by_identity(cluster)
    # Among equal steps, the omitted ones come first.
    left = [attempts.pop(0) if (attempts := there.get(step_identity(one))) else None for one in omitted]
    under_way = tuple(one is not None and not one.has_ended for one in left)
    add: list[int] = []
    failed: list[Step] = []
    awaits: list[Step] = []
    unknown: list[int] = []
    for index, config in enumerate(wanted):
        attempts = there.get(step_identity(config), [])
        # The k-th of equal steps in the request is the k-th on the cluster.
        latest = attempts.pop(0) if attempts else None
        again = selected is not None and index in selected and (latest is None or latest.has_ended)
        named = again or config.get("Name") in rerun
        if latest is None and history_is_cut(cluster) and not named:
            unknown += [] if known else [index]
        elif latest is None or named or (latest.state not in _LIVE and "failed" in rerun):
            add.append(index)
        elif latest.state not in _LIVE:
            failed.append(latest)
        elif not latest.has_ended:
            awaits.append(latest)
    extra = tuple(step for rest in there.values() for step in rest if step.state in _CANCELLABLE)
    cancel, extra = (extra, ()) if cancel_removed else ((), extra)
    return StepChanges(tuple(add), cancel, tuple(failed), tuple(awaits), tuple(unknown), extra, under_way)


def history_is_cut(cluster: Cluster) -> bool:
    """Returns True if a cluster may have had steps before those that EMR lists."""
    return len(cluster.steps) >= MAX_STEPS_LISTED


def _by_identity(cluster: Cluster) -> dict[str, list[Step]]:
    """Returns the steps of a cluster by identity. Failed attempts that a later attempt repeats are left out."""
    found: dict[str, list[Step]] = {}
    for config, step in surviving_steps(cluster):
        found.setdefault(step_identity(config), []).append(step)
    return found


def surviving_steps(cluster: Cluster) -> list[tuple[Mapping[str, Any], Step]]:
    """Returns the steps of a cluster with their StepConfigs, oldest first, without attempts that a later one repeats.

    Those are attempts that failed. `cluster` is one that was read back.
    """
    configs = cluster.live.params.get("Steps", ()) if cluster.live else ()
    attempts: dict[str, list[tuple[int, Step]]] = {}
    for index, (config, step) in enumerate(zip(configs, cluster.steps, strict=True)):
        earlier = attempts.setdefault(step_identity(config), [])
        if earlier and earlier[-1][1].state not in _LIVE:
            earlier.pop()
        earlier.append((index, step))
    kept = sorted((pair for found in attempts.values() for pair in found), key=lambda pair: pair[0])
    return [(configs[index], step) for index, step in kept]
