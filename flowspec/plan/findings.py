"""Findings of a preflight: facts about the account and the data of a plan, asked for before anything is submitted."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from flowspec.errors import Location
from flowspec.facts.api_model import KeyPath


class Level(str, Enum):
    """The result of a check. WRONG: the run would fail. UNCHECKED: the check was not allowed or not possible."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    UNCHECKED = "not checked"


class Finding(NamedTuple):
    """The outcome of one check: its `subject` ("step count words: s3://acme/in/"), what was found, and what to do.

    `path` is the path of the subject in the request, `value` the checked text there, and `location` its place in the
    spec. `unserved`: it is UNCHECKED because the endpoint does not serve the operation.
    """

    level: Level
    subject: str
    message: str = ""
    remedy: str = ""
    path: KeyPath = ()
    value: str = ""
    location: Location | None = None
    unserved: bool = False


def wrong(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Returns the findings that would make a run fail."""
    return tuple(one for one in found if one.level is Level.WRONG)
