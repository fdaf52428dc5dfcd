"""Masks secrets in everything that is shown: whole values (`mask`) and streams (`MaskingWriter`)."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, AnyStr

from flowspec.document.escaping import visible
from flowspec.errors import CUT

MASK = "(sensitive)"
# Messages are shortened to less.
_LONGEST_CUT = 500
# Masking a secret of one or two letters would mask half of every sentence, and so reveal the secret.
_MIN_INNER_LENGTH = 3


def mask(value: Any, secrets: Collection[str]) -> Any:
    """Returns `value` (text, or lists and mappings of it) with every secret in it replaced by MASK."""
    if not secrets:
        return value
    if isinstance(value, str):
        if value in _forms(frozenset(secrets)):
            return MASK
        return _mask_text(value, _inner_forms(frozenset(secrets)))
    if isinstance(value, Mapping):
        return {mask(key, secrets): mask(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask(item, secrets) for item in value]
    # A number can also be a secret; it is found by its text.
    return MASK if str(value) in secrets else value


def mask_bytes(content: bytes, secrets: Collection[str], hidden: int = 0) -> bytes:
    """Returns `content` as `MaskingWriter` passes it on."""
    shown = bytearray()
    writer = MaskingWriter(shown.extend, secrets, hidden)
    writer.write(content)
    writer.close()
    return bytes(shown)


class MaskingWriter:
    """Passes a stream on to `sink` with every secret in it replaced by MASK, also one that arrives in pieces.

    Bytes that may be the beginning of a secret are held back until the next `write`, or until `close`, which passes
    them on unchanged. All other bytes are passed on at once. Text is encoded as UTF-8.

    The first `hidden` bytes are searched but not passed on. A reader that starts in the middle of a log reads
    `lookback_length(secrets)` more bytes before that place and hides them, so that it never shows the end of a secret
    that began before.
    """

    def __init__(self, sink: Callable[[bytes], object], secrets: Collection[str], hidden: int = 0) -> None:
        self._sink = sink
        self._forms = [form.encode() for form in _inner_forms(frozenset(secrets))]
        self._held = b""
        # This many bytes at the beginning of what is held belong to a secret that was replaced already.
        self._replaced = hidden

    def write(self, data: bytes | str) -> None:
        """Takes the next piece of the stream."""
        self._held += data.encode() if isinstance(data, str) else data
        # The longest end of it that is the beginning of a secret is held back.
        self._pass_on(len(self._held) - max((_overlap(self._held, form) for form in self._forms), default=0))

    def close(self) -> None:
        """Ends the stream: what was held back is passed on."""
        self._pass_on(len(self._held))

    def _pass_on(self, limit: int) -> None:
        if not limit:
            return
        shown, position, replaced = bytearray(), 0, 0
        for start, end in _merge(_spans_of(self._held, self._forms), self._replaced):
            if start >= limit:
                break
            shown += self._held[position:start]
            if start or not self._replaced:
                shown += MASK.encode()
            position, replaced = min(end, limit), max(0, end - limit)
        shown += self._held[position:limit]
        self._held, self._replaced = self._held[limit:], replaced
        if shown:
            self._sink(bytes(shown))


def lookback_length(secrets: Collection[str]) -> int:
    """Returns how many bytes before a place a secret can begin if it ends after that place."""
    return max((len(form.encode()) - 1 for form in _inner_forms(frozenset(secrets))), default=0)


# Each value of a document is searched for the same secrets; the set changes only when a derived secret is added.
@lru_cache(maxsize=4)
def _forms(secrets: frozenset[str]) -> frozenset[str]:
    """Returns the texts that show a secret: itself, its lines, and each as a shell's word, in JSON, and printed."""
    texts = {text for secret in secrets for text in (secret, *_lines(secret)) if text}
    return frozenset(
        form for text in texts for form in (text, _shell_form(text), json.dumps(text)[1:-1], visible(text))
    )


@lru_cache(maxsize=4)
def _inner_forms(secrets: frozenset[str]) -> list[str]:
    """Returns the forms that are looked for inside of longer texts."""
    return [form for form in _forms(secrets) if len(form) >= _MIN_INNER_LENGTH]


def _lines(secret: str) -> list[str]:
    """Returns the lines of a secret of several lines, which programs print one at a time, or indented."""
    lines = secret.splitlines()
    return [line.strip() for line in lines] if len(lines) > 1 else []


def _shell_form(secret: str) -> str:
    quoted = shlex.quote(secret)
    return quoted[1:-1] if quoted != secret else secret


def _mask_text(text: str, known: Sequence[str]) -> str:
    shown, position = "", 0
    for start, end in _merge([*_spans_of(text, known), *_cut_off(text, known)]):
        shown += text[position:start] + MASK
        position = end
    return shown + text[position:]


def _spans_of(text: AnyStr, known: Iterable[AnyStr]) -> Iterator[tuple[int, int]]:
    """Yields the stretches of `text` that are a secret."""
    # Most secrets are in no text: without this test, a spec with 3,000 secrets and 1,000 findings took 7 s instead of
    # 1.
    return (span for form in known if form in text for span in _occurrences(text, form))


def _cut_off(text: str, known: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yields the stretches of a text that are the beginning of a secret whose rest was left out (`errors.shorten`)."""
    for at, _ in _occurrences(text, CUT):
        before = text[max(0, at - _LONGEST_CUT) : at]
        size = max((_overlap(before, form) for form in known if form[:_MIN_INNER_LENGTH] in before), default=0)
        if size >= _MIN_INNER_LENGTH:
            yield at - size, at


def _merge(found: Iterable[tuple[int, int]], replaced: int = 0) -> Iterator[tuple[int, int]]:
    """Yields stretches in order. Overlapping ones are merged, since each would reveal a part of the other.

    The first `replaced` characters are such a stretch.
    """
    start, end = 0, replaced
    for begin, stop in sorted(found):
        if begin >= end:
            if end:
                yield start, end
            start = begin
        end = max(end, stop)
    if end:
        yield start, end


def _occurrences(text: AnyStr, form: AnyStr) -> Iterator[tuple[int, int]]:
    """Yields the stretches of `text` that `form` covers, in order; where it overlaps itself, all of that is one."""
    start = text.find(form)
    while start >= 0:
        # Not one by one: in a row of equal letters, a form begins at each letter, and each search takes the form's
        # length.
        last = start
        while (later := text.rfind(form, last + 1, last + 2 * len(form) - 1)) >= 0:
            last = later
        yield start, last + len(form)
        start = text.find(form, last + len(form))


def _overlap(text: AnyStr, form: AnyStr) -> int:
    """Returns the length of the longest end of `text` that `form`, which is longer, begins with."""
    return next((size for size in range(min(len(form) - 1, len(text)), 0, -1) if text.endswith(form[:size])), 0)
