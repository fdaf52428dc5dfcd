"""The form of key-value pairs as lines between the mappers and the reducers.

- *plain*: `key TAB value`, for text keys that end at the first TAB. Whole lines may be sorted, which is
  the order of the keys because TAB is below every byte of a key; where a key has bytes below TAB, keys
  are compared alone.
- *coded*: `order TAB key TAB value`, each with its control characters escaped, for everything else
  (comparators, numbers as keys, keys with a TAB in them). `order` is bytes whose plain order is wanted.

Hadoop does not promise the order of values whose keys compare equal. Here it is the order of the lines. With a
comparator (`Layout.order`), it is the order in which a map task wrote the pairs: if the comparator finds two keys
equal, the rest of the key must not decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from flowspec.engines.streaming.hadoop.classes import LONG, NULL
from flowspec.engines.streaming.hadoop.records import Pair, Writable, as_bytes

_CONTROL = re.compile(rb"[\x00-\x0a]")
_ESCAPED = re.compile(rb"\x01(.)", re.DOTALL)
_LONG_OFFSET = 1 << 63


def escape(text: bytes) -> bytes:
    """Returns text without control characters up to LF, in the same order as before."""
    if not _CONTROL.search(text):
        return text
    return _CONTROL.sub(lambda found: bytes((1, found[0][0] + 32)), text)


def unescape(text: bytes) -> bytes:
    """Returns the text that `escape` was given."""
    if b"\x01" not in text:
        return text
    return _ESCAPED.sub(lambda found: bytes((found[1][0] - 32,)), text)


class Layout(NamedTuple):
    """The form of pairs as lines. `order` gives the bytes a text key is ordered by (None: its own)."""

    plain: bool
    key_class: str
    value_class: str
    order: Callable[[bytes], bytes] | None = None

    def encode(self, key: Writable, value: Writable) -> bytes:
        """Returns the line of a pair, LF included."""
        if self.plain:
            return b"%b\t%b\n" % (as_bytes(key), as_bytes(value))
        return b"%b\t%b\t%b\n" % (self._sort_key(key), escape(as_bytes(key)), escape(as_bytes(value)))

    def decode(self, line: bytes) -> Pair:
        """Returns the pair of a line without its LF."""
        if self.plain:
            key, _, value = line.partition(b"\t")
            return key, value
        _, raw_key, raw_value = line.split(b"\t")
        return _parse_writable(unescape(raw_key), self.key_class), _parse_writable(
            unescape(raw_value), self.value_class
        )

    def key(self, line: bytes) -> Writable:
        """Returns the key of a line; in the plain layout the line may have no TAB yet."""
        return line.partition(b"\t")[0] if self.plain else self.decode(line)[0]

    def _sort_key(self, key: Writable) -> bytes:
        if isinstance(key, int):
            return b"%020d" % (key + _LONG_OFFSET)
        text = as_bytes(key)
        return escape(self.order(text) if self.order else text)


def _parse_writable(text: bytes, name: str) -> Writable:
    if name == NULL:
        return None
    return int(text) if name == LONG else text
