"""Finds the secret names, tags and arguments of a cluster, for readers who have its id and not its spec.

EMR keeps them unchanged. An apply writes the tag `flowspec:sensitive`: short digests of the addresses of values with
secrets, not of the values. A reader of the cluster finds the values at these addresses and masks them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

from flowspec.document.masking import mask
from flowspec.facts.limits import TAG_VALUE
from flowspec.plan.cluster import SENSITIVE_TAG, TAG_PREFIX, Cluster
from flowspec.plan.comparison.differences import token, tokens_in

# The value for all names, tags and arguments, if the tokens of the secret ones do not fit into a tag.
_EVERY_TEXT = "*"
# A shorter value of an option would be masked everywhere in a log, and reveals little.
_MIN_VALUE_LENGTH = 4


def sensitive_tokens(params: Mapping[str, Any], secrets: Collection[str], before: str = "") -> str:
    """Returns the value of the tag for a RunJobFlow request, including its value `before`; "" if nothing is secret."""
    if before == _EVERY_TEXT:
        return _EVERY_TEXT
    tags = {tag["Key"]: tag.get("Value", "") for tag in params.get("Tags", ())}
    steps = [(step["Name"], step.get("HadoopJarStep", {}).get("Args", ())) for step in params.get("Steps", ())]
    texts = _addressed_texts(params.get("Name", ""), tags, steps)
    found = {token(address) for address, text in texts if mask(text, secrets) != text}
    tokens = "".join(sorted(found | tokens_in(before)))
    return tokens if len(tokens) <= TAG_VALUE.most else _EVERY_TEXT


def known_secrets(cluster: Cluster) -> frozenset[str]:
    """Returns the names, tags' values and arguments of a cluster that its flow says are secret, and values of options.

    A name that contains a secret is secret as a whole, since the tag does not record the part.
    """
    marked = cluster.tags.get(SENSITIVE_TAG, "")
    tokens = tokens_in(marked)
    texts = _addressed_texts(cluster.name, cluster.tags, [(step.name, step.args) for step in cluster.steps])
    secret = [text for address, text in texts if text and (marked == _EVERY_TEXT or token(address) in tokens)]
    values = (text.partition("=")[2] for text in secret if text.startswith("-"))
    return frozenset(chain(secret, (value for value in values if len(value) >= _MIN_VALUE_LENGTH)))


def without_secrets(cluster: Cluster) -> Cluster:
    """Returns a cluster for a list; its name and tags are masked if its flow marks them as secret."""
    secrets = known_secrets(cluster)
    return replace(cluster, name=mask(cluster.name, secrets), tags=mask(cluster.tags, secrets)) if secrets else cluster


def _addressed_texts(
    name: str, tags: Mapping[str, str], steps: Collection[tuple[str, Collection[str]]]
) -> Iterator[tuple[str, str]]:
    """Yields the address and the text of each name, tag and argument, except flowspec's own tags."""
    yield "name", name
    yield from ((f"tags.{key}", value) for key, value in tags.items() if not key.startswith(TAG_PREFIX))
    for step, args in steps:
        yield f"steps.{step}", step
        yield from ((f"steps.{step}.{index}", text) for index, text in enumerate(args))
