"""Rules across fields. Each is a small function over the rendered spec; its findings carry its id.

An error is what EMR certainly refuses, or what certainly can't work there; everything else is a
warning. What the schema found wrong has been taken out of the data before, so a rule only has to cope
with what is absent. Each rule's docstring names the source of the fact; `flowspec explain` tells it.
"""

from __future__ import annotations

from collections.abc import Iterator

from flowspec.document.messages import Finding
from flowspec.document.rules import cluster, instances, releases, steps
from flowspec.document.rules.common import Rule, Spec

RULES: tuple[Rule, ...] = (*instances.RULES, *cluster.RULES, *steps.RULES, *releases.RULES)


def broken(spec: Spec) -> Iterator[Finding]:
    """Everything the rules have against a spec."""
    for rule in RULES:
        yield from rule(spec)
