"""The value of a difference between a request and a running cluster, from which a plan is made."""

from __future__ import annotations

import base64
import hashlib
import re
from enum import Enum
from typing import Any, NamedTuple

from flowspec.facts.api_model import KeyPath
from flowspec.facts.mutability import Row

_TOKEN_LENGTH = 5


class Kind(str, Enum):
    """The kind of a difference: a value to set, a thing to add, or one to remove."""

    SET = "set"
    ADD = "add"
    REMOVE = "remove"


class Difference(NamedTuple):
    """One member that is not as wanted.

    `path` leads to it in the wanted request (as far as the request goes), `address` names it for people, `resource`
    is the id of the instance group or fleet that it belongs to ("" for the cluster's own).
    """

    path: KeyPath
    address: str
    before: Any
    after: Any
    row: Row
    kind: Kind = Kind.SET
    resource: str = ""

    @property
    def operation(self) -> str:
        """The operation of EMR that makes it as wanted, "" if there is none."""
        return self.row.undo if self.kind is Kind.REMOVE else self.row.operation


def token(address: str) -> str:
    """Returns a short name of a stated member: 30 bits of its sha256 in base64.

    51 of them fit into the value of one tag.

    Tags may hold letters, digits and `+ - = . _ : / @`, so that all of base64 is allowed in them (EC2, tag rules).
    """
    return base64.b64encode(hashlib.sha256(address.encode()).digest()).decode()[:_TOKEN_LENGTH]


def tokens_in(value: str) -> frozenset[str]:
    """Returns the tokens in the value of a tag, where they follow each other without a mark."""
    return frozenset(value[start : start + _TOKEN_LENGTH] for start in range(0, len(value), _TOKEN_LENGTH))


def snake(name: str) -> str:
    """Returns the spec's name of a member: ReleaseLabel -> release_label, OSReleaseLabel -> os_release_label."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
