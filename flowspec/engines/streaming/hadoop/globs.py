"""Globs over the file systems of a step: `*`, `?`, `[a-z]`, `[^x]`, `{a,b}`, and a backslash before them.

Sources: org.apache.hadoop.fs.Globber (the walk), GlobExpander (braces with a slash in them), GlobPattern
(one component as a regular expression).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowspec.engines.paths import FileSystems, split_uri

_ESCAPED = re.compile(r"\\(.)")
# A pattern with a range up to U+10FFFF takes 5 ms to compile, so this one names the ASCII characters.
_NOT_IN_A_PATH = re.compile(r"""[\x00-\x20"#%<>?\[\\\]^`{|}\x7f]""")


class BadPattern(Exception):
    """The glob can't be read; the text is Hadoop's."""


def glob(uri: str, files: FileSystems) -> list[str] | None:
    """Returns the URIs that a glob matches, sorted; None for a plain path to nowhere. Raises `BadPattern`."""
    scheme, authority, path = split_uri(uri)
    base = f"{scheme}:" if scheme == "file" else f"{scheme}://{authority}"
    found: list[str] = []
    patterns = expand_braces(path)
    wild = len(patterns) > 1
    for pattern in patterns:
        components = [_Component(text) for text in pattern.split("/") if text]
        wild = wild or any(component.pattern for component in components)
        found += _expand_components(base, components, files)
    return sorted(found, key=_sort_key) if found or wild else None


def _sort_key(uri: str) -> bytes:
    """Returns the key by which java.net.URI orders paths: UTF-16, with escapes for what may not stand in a path."""
    return _NOT_IN_A_PATH.sub(lambda found: f"%{ord(found[0]):02X}", uri).encode("utf-16-be", "surrogatepass")


def _expand_components(base: str, components: list[_Component], files: FileSystems) -> Iterator[str]:
    if not components:
        if files.locate(base).exists():
            yield base
        return
    head, *rest = components
    if not head.pattern:
        yield from _expand_components(f"{base}/{head.text}", rest, files)
        return
    directory = files.locate(base)
    if directory.is_dir():
        for name in sorted(path.name for path in directory.iterdir()):
            if head.pattern.fullmatch(name) and (not rest or (directory / name).is_dir()):
                yield from _expand_components(f"{base}/{name}", rest, files)


class _Component:
    """One component of a path: a `pattern` where it has wildcards, else the `text` it stands for."""

    def __init__(self, text: str) -> None:
        self.pattern = component_pattern(text)
        self.text = _ESCAPED.sub(r"\1", text)


def expand_braces(pattern: str) -> list[str]:
    """Returns the readings of `{a/b,c}`: braces with a slash in them, outermost first. Raises `BadPattern`."""
    span = _braces_with_slash(pattern)
    if not span:
        return [pattern]
    start, end = span
    parts, depth, at = [""], 0, start + 1
    while at < end:
        character = pattern[at]
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "\\":
            at += 1
            character = pattern[at]
        elif character == "," and not depth:
            parts.append("")
            character = ""
        parts[-1] += character
        at += 1
    return [text for part in parts for text in expand_braces(pattern[:start] + part + pattern[end + 1 :])]


def _braces_with_slash(pattern: str) -> tuple[int, int] | None:
    depth = start = at = 0
    slash = False
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            at += 1
            if at == len(pattern):
                raise BadPattern(
                    f"Illegal file pattern: An escaped character does not present for glob {pattern} at {at}"
                )
        elif character == "{":
            start = start if depth else at
            depth += 1
        elif character == "}" and depth:
            depth -= 1
            if not depth and slash:
                return start, at
        slash = slash or (character == "/" and depth > 0)
        at += 1
    return None


def component_pattern(glob: str) -> re.Pattern[str] | None:
    """Returns one component as a regular expression; None where it has no wildcard. Raises `BadPattern`."""
    out: list[str] = []
    in_set, depth, wild = False, 0, False
    characters = iter(enumerate(glob))
    for at, character in characters:
        if character == "\\":
            escaped = next(characters, None)
            if not escaped:
                raise _pattern_error("Missing escaped character", len(glob), glob)
            out.append(f"\\{escaped[1]}")
            continue
        if character == "[" and in_set:
            raise _pattern_error("Unclosed character class", at, glob)
        wild = wild or character in "*?[{"
        out.append(_regexp_of(character, glob[at - 1 : at], in_set=in_set, depth=depth))
        depth += 1 if character == "{" else -1 if character == "}" and depth else 0
        in_set = character == "[" or (in_set and character != "]")
    if in_set or depth:
        raise _pattern_error("Unclosed character class" if in_set else "Unclosed group", len(glob), glob)
    compiled = _compile_pattern("".join(out))
    return compiled if wild else None


def _regexp_of(character: str, before: str, *, in_set: bool, depth: int) -> str:
    if character in ".$()|+":
        return "\\" + character
    if character == "^":
        return "^" if in_set else "\\^"
    if character == "!":
        return "^" if in_set and before == "[" else "!"
    if character == ",":
        return "|" if depth else ","
    if character == "}":
        return ")" if depth else "}"
    return {"*": ".*", "?": ".", "{": "(?:"}.get(character, character)


def _pattern_error(message: str, at: int, glob: str) -> BadPattern:
    return BadPattern(f"Illegal file pattern: error parsing regexp: {message} at pos {at}: `{glob}`")


def _compile_pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.DOTALL)
    except re.error as error:
        if error.msg.startswith("bad character range"):
            said = f"invalid character class range: `{error.msg.removeprefix('bad character range ')}`"
        elif error.msg.startswith(("bad escape", "invalid group reference")):
            said = f"invalid escape sequence: `\\{error.msg[-1]}`"
        else:
            said = f"missing closing ]: `{text[error.pos or 0 :]}`"
        raise BadPattern(f"Illegal file pattern: error parsing regexp: {said}") from error
