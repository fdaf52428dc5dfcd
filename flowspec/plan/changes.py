"""A plan as data: what would happen, why, and which calls carry it out. Frozen and equal by value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from flowspec.errors import Diagnostic

if TYPE_CHECKING:
    from flowspec.request.assets import Asset

PLAN_VERSION = 1


class Action(str, Enum):
    """What happens to the thing at a change's address; the values are the symbols shown."""

    CREATE = "+"
    UPDATE = "~"
    DELETE = "-"
    REPLACE = "-/+"
    SUBMIT = ">"
    UPLOAD = "^"


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a plan: `address` names the thing, `reason` says why; values as in the request.

    `path` leads to the wanted value in the RunJobFlow request, () where the request has none.
    """

    action: Action
    address: str
    before: Any = None
    after: Any = None
    reason: str = ""
    path: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One EMR operation to call, with its parameters, in the order of the plan."""

    operation: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What `apply` would do for one flow on one target.

    `joins` is the running cluster that already is what the spec asks for; `replaces` the one that has to
    go first. `blocked` says why the plan may not be applied as it stands ("" if it may), `remedy` what
    would unblock it. `remarks` say what is different on this machine from the cluster asked for.
    """

    flow: str
    target: str
    digest: str
    source: str
    request: Mapping[str, Any]
    changes: tuple[Change, ...] = ()
    calls: tuple[ApiCall, ...] = ()
    uploads: tuple[Asset, ...] = ()
    joins: str | None = None
    replaces: str | None = None
    blocked: str = ""
    remedy: str = ""
    remarks: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    version: int = PLAN_VERSION

    @property
    def has_changes(self) -> bool:
        """Whether applying it would change anything."""
        return bool(self.calls)
