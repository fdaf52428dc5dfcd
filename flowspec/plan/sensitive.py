"""Which tags and arguments of a cluster are secret, known to those who have its id and not its spec.

EMR keeps both as they were sent. An apply leaves the tag `flowspec:sensitive`: short digests of the addresses, not of
the values, of what the spec's secrets are in. A reader of the cluster finds the values there and masks them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import Any

from flowspec.document.masking import mask
from flowspec.plan.cluster import SENSITIVE_TAG, TAG_PREFIX, Cluster
from flowspec.plan.differences import token

_TAG_VALUE = 256
# All tags and arguments, where the tokens of those that are secret do not fit into a tag.
_ALL = "*"
_TOKEN = len(token(""))
# A shorter value of an option would be masked everywhere in a log, and tells little.
_TELLS_SOMETHING = 4


def sensitive_tokens(params: Mapping[str, Any], secrets: Collection[str], before: str = "") -> str:
    """The value of the tag for a RunJobFlow request, with what it said `before`; "" when nothing is secret."""
    if before == _ALL:
        return _ALL
    tags = {tag["Key"]: tag.get("Value", "") for tag in params.get("Tags", ())}
    steps = [(step["Name"], step.get("HadoopJarStep", {}).get("Args", ())) for step in params.get("Steps", ())]
    found = {token(address) for address, text in _texts(tags, steps) if mask(text, secrets) != text}
    tokens = "".join(sorted(found | _tokens(before)))
    return tokens if len(tokens) <= _TAG_VALUE else _ALL


def known_secrets(cluster: Cluster) -> frozenset[str]:
    """The tags' values and arguments of a cluster that its flow says are secret, and the values of such options."""
    marked = cluster.tags.get(SENSITIVE_TAG, "")
    tokens = _tokens(marked)
    texts = _texts(cluster.tags, [(step.name, step.args) for step in cluster.steps])
    secret = [text for address, text in texts if text and (marked == _ALL or token(address) in tokens)]
    values = (text.partition("=")[2] for text in secret if text.startswith("-"))
    return frozenset(chain(secret, (value for value in values if len(value) >= _TELLS_SOMETHING)))


def _tokens(value: str) -> set[str]:
    return {value[start : start + _TOKEN] for start in range(0, len(value), _TOKEN)}


def _texts(tags: Mapping[str, str], steps: Collection[tuple[str, Collection[str]]]) -> Iterator[tuple[str, str]]:
    """The address and the text of each tag and argument, but for flowspec's own tags."""
    yield from ((f"tags.{key}", value) for key, value in tags.items() if not key.startswith(TAG_PREFIX))
    for name, args in steps:
        yield from ((f"steps.{name}.{index}", text) for index, text in enumerate(args))
