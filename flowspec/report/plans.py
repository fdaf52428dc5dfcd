"""A plan, as text and as JSON."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

from flowspec.document.masking import mask
from flowspec.plan.changes import Action, Change, Plan
from flowspec.report.runs import printable

_COUNTED = {
    Action.REPLACE: ("cluster to replace", "clusters to replace"),
    Action.CREATE: ("to create", "to create"),
    Action.UPDATE: ("to change", "to change"),
    Action.DELETE: ("to remove", "to remove"),
    Action.SUBMIT: ("step to submit", "steps to submit"),
    Action.UPLOAD: ("file to upload", "files to upload"),
}


def as_text(plan: Plan) -> str:
    """The plan for people: a line for each change, its reason, and a count; secrets masked."""
    where = f" on target {plan.target}" if plan.target else ""
    lines = [f"{plan.flow}{where}", ""]
    # Masked before joining: shell quoting may split a secret, and the mask would not find it.
    lines += [_line(change, plan.secrets) for change in plan.changes]
    if plan.joins:
        lines += [f"  = cluster {plan.joins} is already running this request (same digest)"]
    lines += [f"  local run: {printable(remark)}" for remark in plan.remarks]
    lines += ["", "Plan: " + (", ".join(_counts(plan)) if plan.has_changes else "nothing to do") + "."]
    if plan.blocked:
        lines += [f"Blocked: {plan.blocked}", f"  {plan.remedy}"]
    return str(mask("\n".join(lines), plan.secrets))


def _line(change: Change, secrets: Collection[str]) -> str:
    value = mask(change.after, secrets)
    after = shlex.join(map(str, value)) if isinstance(change.after, tuple) else value
    what = f": {_moved(change, after)}" if after or change.before else ""
    reason = f"  ({change.reason})" if change.reason else ""
    return printable(f"  {change.action.value} {change.address}{what}{reason}")


def _moved(change: Change, after: Any) -> str:
    if change.before is None:
        return str(after)
    return str(change.before) if change.after is None else f"{change.before} → {after}"


def _counts(plan: Plan) -> Iterator[str]:
    counted = Counter(change.action for change in plan.changes)
    for action, (one, many) in _COUNTED.items():
        if counted[action]:
            yield f"{counted[action]} {one if counted[action] == 1 else many}"


def as_json(plan: Plan) -> str:
    """The plan for programs; `version` says which shape this is. Secrets are masked."""
    document: dict[str, Any] = {
        "version": plan.version,
        "flow": plan.flow,
        "target": plan.target,
        "digest": plan.digest,
        "source": plan.source,
        "has_changes": plan.has_changes,
        "joins": plan.joins,
        "replaces": plan.replaces,
        "blocked": plan.blocked,
        "remarks": list(plan.remarks),
        "changes": [
            {
                "action": change.action.value,
                "address": change.address,
                "before": change.before,
                "after": change.after,
                "reason": change.reason,
            }
            for change in plan.changes
        ],
        "calls": [{"operation": call.operation, "params": call.params} for call in plan.calls],
        "uploads": [{"path": str(a.path), "uri": a.uri, "size": a.size} for a in plan.uploads],
    }
    return json.dumps(mask(document, plan.secrets), indent=2, ensure_ascii=False)
