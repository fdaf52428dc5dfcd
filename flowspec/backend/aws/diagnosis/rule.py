"""The type of a known cause of failures: the words in a log that identify it, and the explanation for the user."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

UNKNOWN = "unknown"
"""The id of the cause of a failure that no rule knows."""

CANCELLED = "cancelled"
"""The id of the cause of a run in which nothing failed."""

RERUN = "flowspec apply SPEC --rerun failed"
"""The command that repeats the failed and cancelled steps of a spec."""


class Weight(Enum):
    """The weight of a match of a rule.

    SPECIFIC: it is the cause, at any distance from the program's last lines. EXCEPTION: an exception of its own,
    which is the cause where it is the one that ended it. SYMPTOM: how the program ended; counts only if nothing says
    why.
    """

    SPECIFIC = 1
    EXCEPTION = 2
    SYMPTOM = 3


@dataclass(frozen=True, slots=True)
class Rule:
    """A known cause: `pattern` is searched for in a line, `source` is where its words come from.

    Named groups of the pattern may be used in `cause` and `advice`.
    """

    id: str
    pattern: re.Pattern[str]
    cause: str
    advice: str
    source: str
    weight: Weight = field(default=Weight.SPECIFIC)


def make_rule(id_: str, *words: str, cause: str, advice: str, source: str, weight: Weight = Weight.SPECIFIC) -> Rule:
    """Returns the rule of a cause that any of the `words`, each a regular expression, matches in a line."""
    return Rule(id_, re.compile("|".join(words)), cause, advice, source, weight)
