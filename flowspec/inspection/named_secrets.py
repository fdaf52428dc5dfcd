"""Finds values of a cluster whose names show that they are secret: `--password X`, `-D a.secret.key=X`.

Reports are passed on, so these values are masked in them, too. `flowspec.plan.sensitive` finds the values that a spec
declares as sensitive; this module finds those that no spec declares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flowspec.document.masking import MASK
from flowspec.plan.cluster import Cluster
from flowspec.plan.lines import NAMES_A_SECRET

# These values are masked everywhere, also in logs, so paths and common words are excluded.
_SURELY = re.compile(r"(?=.*\d)[^\s/]{6,}")
# An option, property or variable; not the beginning of a URI or of a command.
_NAME = re.compile(r"[\w.-]+")


def named_secrets(cluster: Cluster) -> frozenset[str]:
    """Returns the values in the arguments and the configuration of a cluster that are secret by their names."""
    found = {value for step in cluster.steps for _, value in _options(step.args)}
    found |= set(_properties(cluster.live.params)) if cluster.live else set()
    return frozenset(value for value in found if _SURELY.fullmatch(value))


def mask_named_secrets(value: Any) -> Any:
    """Returns plain data in which texts are masked if their key names a secret."""
    if isinstance(value, Mapping):
        if NAMES_A_SECRET.search(str(value.get("Key", ""))):
            return {**value, "Value": MASK}
        return {key: MASK if _is_secret(key, item) else mask_named_secrets(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    return [mask_named_secrets(item) for item in value] if isinstance(value, list | tuple) else value


def mask_named_options(words: Sequence[str]) -> list[str]:
    """Returns arguments in which the values of options are masked if the option's name names a secret."""
    shown = list(words)
    for index, value in _options(words):
        shown[index] = words[index].removesuffix(value) + MASK
    return shown


def _is_secret(key: str, value: Any) -> bool:
    return isinstance(value, str) and NAMES_A_SECRET.search(key) is not None


def _options(words: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yields the word's index and the value of each secret option: `--token=X`, `--token X`, `-D a.token=X`."""
    for index, word in enumerate(words):
        name, sign, value = word.partition("=")
        if _NAME.fullmatch(name) and NAMES_A_SECRET.search(name):
            if sign and value:
                yield index, value
            elif not sign and name.startswith("-") and words[index + 1 :] and not words[index + 1].startswith("-"):
                yield index + 1, words[index + 1]


def _properties(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        named = {**value, str(value["Key"]): value.get("Value")} if "Key" in value else value
        yield from (item for key, item in named.items() if _is_secret(key, item))
        yield from (found for item in value.values() for found in _properties(item))
    elif isinstance(value, list | tuple):
        yield from (found for item in value for found in _properties(item))
