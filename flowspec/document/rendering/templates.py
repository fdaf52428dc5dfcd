"""Templates in scalars: Jinja, within bounds of work and size.

jinja2 compiles and runs the templates, in its sandbox and with the bounds of `flowspec.document.rendering.jinja`. A
template whose tags are all `{{ … }}` is first split. Its texts are kept unchanged, and plain names are looked up here.
Each other expression is compiled once for all templates that contain it. The result equals that of the whole template
(tests/document/rendering/test_jinja.py compares random ones). Specs that differ only in their texts share the compiled
expressions: 1,000 such specs are validated in a third of the time.

Two rules are flowspec's own: a scalar that is one `{{ expression }}` has that expression's value, with its type; in
text, booleans are written as YAML writes them, and null, lists and mappings are errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from flowspec.document.rendering.budget import MAX_TEXT, Budget
from flowspec.document.rendering.template_errors import TemplateError
from flowspec.document.rendering.values import MISSING, written

# The cost of compiling in steps: for each template, each character in a tag, and each character in text (measured: 12
# µs per character in long lists, 20 µs in chains of comparisons and loops, 0.2 µs in text).
_COMPILE, _PER_CHARACTER, _PER_LETTER = 500, 20, 0.3
_MAX_CACHED_LENGTH = 1_000
"""Templates of up to so many characters stay compiled for other documents."""


class _Tag(NamedTuple):
    """One `{{ … }}`: where it begins, its text, and the names when it is nothing but names with dots between."""

    offset: int
    text: str
    path: tuple[str, ...]


class _Split(NamedTuple):
    """A template taken apart: its texts and tags; the names that it is known to read; the tags to be compiled."""

    parts: tuple[str | _Tag, ...]
    names: frozenset[str]
    expressions: tuple[_Tag, ...]


def is_template(text: str) -> bool:
    """Returns True if a scalar with this text is a template."""
    return "{" in text and ("{{" in text or "{%" in text)


def names_in(text: str, budget: Budget | None = None) -> frozenset[str]:
    """Returns the names a template reads and does not set itself. Raises `TemplateError` when it can't be compiled."""
    budget = budget or Budget()
    split = _split(text)
    if split is None:
        return _compile_counted(text, budget).names  # type: ignore[no-any-return]
    return split.names.union(*(_compile_counted(tag.text, budget).names for tag in split.expressions))


def evaluate(text: str, names: Mapping[str, Any], budget: Budget | None = None) -> Any:
    """Returns the value of a template: of any plain type when it is exactly one expression, else text.

    Raises `TemplateError`: not parsable, an undefined name, something not allowed, too large.
    """
    budget = budget or Budget()
    budget.step(8 + len(text) // 100)
    if len(text) > MAX_TEXT:
        raise TemplateError("FS324", f"a template may be up to {MAX_TEXT} characters long")
    split = _split(text)
    if split is None:
        return _run_in_jinja(text, names, budget)
    if len(split.parts) == 1:
        return _value_of_part(split.parts[0], names, budget)
    return _join_texts([_text_of_part(part, names, budget) for part in split.parts], budget)


# --- templates whose tags are all {{ … }} ---

# Nothing in it can end the tag earlier or later for jinja2: no braces, no escapes.
_TAG = re.compile(r"(\{\{(?:[^{}\"'\\]|\"[^\"{}\\]*\"|'[^'{}\\]*')*\}\})")
_PATH = re.compile(r"\{\{\s*([A-Za-z]\w*(?:\.[A-Za-z]\w*)*)\s*\}\}", re.ASCII)
_OPENING = re.compile(r"\{[{%#]")
_BREAK = re.compile(r"\r\n?")
WORDS = frozenset(("true", "false", "none", "True", "False", "None", "not", "and", "or", "if", "else", "in", "is"))
"""Words that are not names in a Jinja expression."""

_METHODS = frozenset(dir(dict))


def _split(text: str) -> _Split | None:
    return _cached_split(text) if len(text) <= _MAX_CACHED_LENGTH else _split_tags(text)


def _split_tags(text: str) -> _Split | None:
    """Returns the texts and tags of a template; None when jinja2 has to compile it as a whole."""
    parts: list[str | _Tag] = []
    at = 0
    for index, part in enumerate(_TAG.split(text)):
        if index % 2:
            # A sign at the edge of a tag is about the space around it.
            if part[2] in "+-" or part[-3] in "+-":
                return None
            parts.append(_tag(at, part))
        elif part:
            if part.endswith("{") or _OPENING.search(part):
                return None
            parts.append(_BREAK.sub("\n", part))
        at += len(part)
    tags = [part for part in parts if isinstance(part, _Tag)]
    names = frozenset(tag.path[0] for tag in tags if tag.path)
    return _Split(tuple(parts), names, tuple(tag for tag in tags if not tag.path))


_cached_split = lru_cache(maxsize=4096)(_split_tags)


def _tag(offset: int, text: str) -> _Tag:
    found = _PATH.fullmatch(text)
    path = tuple(found[1].split(".")) if found else ()
    return _Tag(offset, text, () if WORDS.intersection(path[:1]) else path)


def _text_of_part(part: str | _Tag, names: Mapping[str, Any], budget: Budget) -> str:
    if isinstance(part, str):
        return part
    value = _value_of_part(part, names, budget)
    try:
        return written(value)
    except TemplateError as error:
        error.offset = part.offset
        raise


def _value_of_part(part: str | _Tag, names: Mapping[str, Any], budget: Budget) -> Any:
    if isinstance(part, str):
        return part
    budget.step(2)
    value = _look_up_path(part.path, names) if part.path else MISSING
    if value is not MISSING:
        return value
    try:
        return _run_in_jinja(part.text, names, budget)
    except TemplateError as error:
        error.offset = part.offset
        raise


def _look_up_path(path: tuple[str, ...], names: Mapping[str, Any]) -> Any:
    """Returns the value at the end of a path of keys; MISSING when jinja2 has to evaluate it."""
    value = names.get(path[0], MISSING)
    for key in path[1:]:
        if type(value) is not dict or key in _METHODS:
            return MISSING
        value = value.get(key, MISSING)
    return value


def _join_texts(parts: list[str], budget: Budget) -> str:
    budget.make(sum(map(len, parts)))
    return "".join(parts)


# --- all other templates ---


def _run_in_jinja(text: str, names: Mapping[str, Any], budget: Budget) -> Any:
    budget.step(10)
    compiled = _compile_counted(text, budget)
    if any(names.get(name) is MISSING for name in compiled.names):
        raise TemplateError("", "a variable has no value")
    from flowspec.document.rendering.jinja.running import run
    from flowspec.document.rendering.jinja.sandbox import Sandbox

    return run(compiled, names, Sandbox.for_budget(budget))


def _compile_counted(text: str, budget: Budget) -> Any:
    """Returns a compiled template; its cost counts once per document, whether it was compiled before or not."""
    compiled = budget.compiled.get(text)
    if compiled is None:
        if len(text) > MAX_TEXT:
            raise TemplateError("FS324", f"a template may be up to {MAX_TEXT} characters long")
        budget.step(_compile_cost(text))
        compiled = budget.compiled[text] = _compiled_short(text) if len(text) <= _MAX_CACHED_LENGTH else _compile(text)
    return compiled


def _compile_cost(text: str) -> int:
    inside, at = 0, _next_tag(text, 0)
    while at < len(text):
        end = text.find("}", at)
        end = end if end > 0 else len(text)
        inside += end - at
        at = _next_tag(text, end)
    return int(_COMPILE + _PER_CHARACTER * inside + _PER_LETTER * len(text))


def _next_tag(text: str, at: int) -> int:
    found = _OPENING.search(text, at)
    return found.start() if found else len(text)


def _compile(text: str) -> Any:
    from flowspec.document.rendering.jinja.compiler import compile_template

    return compile_template(text)


_compiled_short = lru_cache(maxsize=4096)(_compile)
