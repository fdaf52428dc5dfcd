"""EMR's rules about a RunJobFlow request: each once, for `validate` and for the embedded EMR.

A rule is a check over the parameters of RunJobFlow that yields breaches. Where EMR is known to refuse, the
breach has EMR's words: `validate` reports an error and the embedded EMR answers with them. Elsewhere
`validate` warns and the embedded EMR accepts. The words for users, in the terms of a spec, are in
`flowspec.document.checking.rules`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowspec.facts.rules import cluster, fleets, hardware, instances, releases, steps
from flowspec.facts.rules.common import Breach, Params, Rule

__all__ = ["RULES", "Breach", "Params", "Rule", "breaches", "refused_by_id"]

# In the order of the modules, and of the rules in each: the embedded EMR answers with the first one that refuses.
RULES: tuple[Rule, ...] = tuple(
    one
    for module in (instances, fleets, hardware, cluster, steps, releases)
    for one in vars(module).values()
    if isinstance(one, Rule)
)


def breaches(request: Mapping[str, Any], *, aws: bool) -> Iterator[tuple[Rule, Breach]]:
    """Yields every breach of the rules by a request; without the rules that concern an AWS account if not `aws`."""
    params = Params(request)
    for rule in RULES:
        if aws or not rule.aws_only:
            for breach in rule.check(params):
                yield rule, breach


def refused_by_id() -> dict[str, bool]:
    """Maps the id of each rule to True if EMR is known to refuse what breaks it."""
    return {rule.id: rule.refused for rule in RULES}
