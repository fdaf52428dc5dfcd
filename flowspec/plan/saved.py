"""Plans as files: the plan and its inputs, so that `apply` does exactly what was planned, or refuses.

A file contains no secret, and no calls that would be made blindly: `apply` makes the plan again from the same spec,
options and cluster, and compares it with the file. If they differ, it names the differences and does nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flowspec.document.masking import mask
from flowspec.document.text.parse import PLAN_FORMAT
from flowspec.errors import StalePlan
from flowspec.plan.changes import PLAN_VERSION, Plan
from flowspec.plan.runs.unattended import SETTINGS_TAG, read_settings

# Some editors write it at the beginning of a file.
_BOM = "\ufeff"
_PLAN_AGAIN = "make the plan again: flowspec plan SPEC -o FILE"


class SavedPlan(NamedTuple):
    """A plan that was read from a file. `options` are those of the command that made it."""

    options: Mapping[str, Any]
    content: Mapping[str, Any]


def plan_content(plan: Plan, *, tool: str, account: str, region: str, hooks: Any) -> dict[str, Any]:
    """Returns the inputs and effects of a plan as JSON data, with its secrets masked; `hooks` are those of its spec."""
    content = {
        "tool": tool,
        "account": account,
        "region": region,
        "flow": plan.flow,
        "target": plan.target,
        "digest": plan.digest,
        "assets": {one.name: one.sha256 for one in plan.uploads},
        "cluster": plan.converges or plan.replaces or plan.joins or plan.resumes,
        "observed": plan.observed,
        "blocked": plan.blocked,
        "changes": [[one.action.value, one.address, one.before, one.after] for one in plan.changes],
        "calls": [[one.operation, one.params] for one in plan.calls],
        "watching": {
            "hooks": hooks,
            "supervision": [list(one) for one in plan.supervision],
            "fallback": [dict(one) for one in plan.fallback],
            "launch_retries": plan.launch_retries,
        },
    }
    masked: dict[str, Any] = json.loads(json.dumps(mask(content, plan.secrets)))
    return masked


def write_plan(content: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """Returns the text of a plan file."""
    body = {"format": PLAN_FORMAT, "version": PLAN_VERSION, "options": dict(options), "plan": dict(content)}
    return json.dumps({**body, "checksum": _checksum(body)}, indent=2, ensure_ascii=False) + "\n"


def is_plan_file(text: str) -> bool:
    """Returns True if a text is a plan file, of any version, complete or not."""
    # Not by its first key: a tool that formats JSON may have sorted the keys.
    return (
        text.lstrip(f"{_BOM} \t\r\n").startswith("{")
        and re.search(rf'"format"\s*:\s*"{PLAN_FORMAT}"', text) is not None
    )


def read_plan(text: str, tool: str) -> SavedPlan:
    """Reads a plan file. Raises StalePlan when it was edited, cut short, or written by another version than `tool`.

    Another version may have options that this one does not know.
    """
    try:
        document = json.loads(text.removeprefix(_BOM))
        body = {key: value for key, value in document.items() if key != "checksum"}
        whole = document.get("checksum") == _checksum(body)
        version, read = document["version"], SavedPlan(document["options"], document["plan"])
        wrote = document["plan"].get("tool", tool)
    # Someone who edited the file may also have computed a new checksum.
    except (ValueError, AttributeError, KeyError, RecursionError):
        whole = False
    if not whole:
        raise edited_plan()
    if version != PLAN_VERSION:
        raise StalePlan(f"the plan file has version {version}, not {PLAN_VERSION}", remedy=_PLAN_AGAIN)
    if wrote != tool:
        raise StalePlan(f"the plan is stale: flowspec was {wrote} and is {tool}", remedy=_PLAN_AGAIN)
    return read


def edited_plan() -> StalePlan:
    """Returns the error for a plan file that was changed after it was written."""
    return StalePlan("the plan file was changed or cut short after it was written", remedy=_PLAN_AGAIN)


def refuse_stale(saved: SavedPlan, now: Mapping[str, Any]) -> None:
    """Raises StalePlan, which names the changes, unless the plan made again equals the saved plan."""
    try:
        changes = list(_list_changes(saved.content, now))
    # Someone who edited the file may also have computed a new checksum.
    except (AttributeError, TypeError, ValueError) as error:
        raise edited_plan() from error
    if changes:
        raise StalePlan(f"the plan is stale: {'; '.join(changes)}", remedy=_PLAN_AGAIN)


_CAUSES = {
    "account": "the account was {} and is {}",
    "region": "the region was {} and is {}",
    "flow": "the flow was {} and is {}",
    "target": "the target was {} and is {}",
    "cluster": "the flow's cluster was {} and is {}",
}


def _list_changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for key, sentence in _CAUSES.items():
        if then.get(key) != now.get(key):
            yield sentence.format(then.get(key) or "none", now.get(key) or "none")
    if then.get("digest") != now.get("digest"):
        yield "the request has changed: the spec, a variable or a local file"
    elif then.get("assets") != now.get("assets"):
        yield "local files have changed"
    if then.get("observed") != now.get("observed"):
        changes = list(_list_cluster_changes(then, now)) if then.get("digest") == now.get("digest") else []
        yield f"the cluster has changed: {', '.join(changes)}" if changes else "the cluster has changed"
    elif then.get("calls") != now.get("calls"):
        yield "other calls would be made"
    if then.get("watching") != now.get("watching"):
        names = _list_changed_settings(then.get("watching", {}), now.get("watching", {}))
        yield f"other settings of its runs: {', '.join(names)}"


def _list_cluster_changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yields the present values of the cluster that now need another change, or none, to match the spec."""
    old, new = ({row[1]: row for row in plan.get("changes", ())} for plan in (then, now))
    for address in dict.fromkeys((*old, *new)):
        if address not in new:
            yield f"{address} already matches the spec"
        elif old.get(address) != new[address]:
            before = new[address][2]
            yield f"{address} is {before} now" if isinstance(before, str) else address


def _list_changed_settings(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yields the changed settings that EMR does not know, by their addresses in the spec."""
    tags, tags_now = dict(then.get("supervision", ())), dict(now.get("supervision", ()))
    old, new = read_settings(tags), read_settings(tags_now)
    changed = [address for address in dict.fromkeys((*old, *new)) if old.get(address) != new.get(address)]
    yield from changed
    for key in ("hooks", "fallback", "launch_retries"):
        # The texts in the tags contain no secrets.
        if then.get(key) != now.get(key) and not any(one.partition(".")[0] == key for one in changed):
            yield key
    if {**tags, SETTINGS_TAG: ""} != {**tags_now, SETTINGS_TAG: ""}:
        yield "timeout, retry or skip_on_exit of a step"


def _checksum(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
