"""Rules about texts that look right to people, but not to programs: tildes, and characters from a word processor."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from flowspec.document.checking.messages import Violation
from flowspec.document.checking.rules.view import Spec, texts_in
from flowspec.errors import shorten
from flowspec.facts.api_model import KeyPath

_COMMANDS = ("mapper", "combiner", "reducer")
# Files that Hadoop, Spark or Java opens by the given path.
_FILES = {
    "streaming": ("jar", "files", "archives", "libjars", "cache_files", "cache_archives"),
    "spark": ("application", "properties_file", "py_files", "jars", "files", "archives", "keytab"),
    "script": ("script",),
    "jar": ("jar",),
}
# Texts of a step that are not paths, or that programs may interpret in their own way.
_OTHERS = frozenset({"name", "cmdenv", "properties", "conf", "description", "hiveconf"})
_HOME = re.compile(r"~[\w.-]*/")
_QUOTED = re.compile(r"'[^']*(?:'|$)|\"[^\"]*(?:\"|$)")
_INTERPRETER = re.compile(r"(?:\S*/)?(?:python[\d.]*|pypy3?|perl|ruby|node|php|lua|Rscript|(?:ba|da|z)?sh)")
_SHELL = re.compile(r"(?:\S*/)?(?:ba|da|z|k)?sh")
# Options of a shell or another interpreter before code: `-c`, `-lc`, `-e`.
_CODE = re.compile(r"-\w*[ce]")


def odd_texts(spec: Spec) -> Iterator[Violation]:
    """Finds tildes that nothing expands, typographic quotes, and characters that look like spaces."""
    # One pass over all texts, which most specs end here: each more took 2 % of the time of `flowspec validate`.
    odd = [(path, key, text) for path, key, text in texts_in(spec) if "~" in text or not text.isascii()]
    if any("~" in text for _, _, text in odd):
        yield from _tildes(spec)
    for path, key, text in odd:
        if "description" not in (*path, key):
            yield from _pasted_characters((*path, key), text, is_command=key in _COMMANDS)


def _tildes(spec: Spec) -> Iterator[Violation]:
    """Reports paths that begin with a tilde: only a shell expands it, and EMR starts no shell.

    This is an error for the path of a program or of a file that a step opens (ProcessBuilder; GenericOptionsParser,
    validateFiles; spark-submit, Utils.resolveURI). Otherwise it is a warning: HDFS may have a folder with the name `~`,
    and a program may expand the tilde itself.
    """
    certain: set[KeyPath] = set()
    for path, word in _files_at_home(spec):
        certain.add(path)
        yield Violation(
            "FS408", path, f"nothing expands the tilde of '{shorten(word)}': no shell runs here", _FILE_HINT
        )
    for place, word in _words_at_home({key: spec.get(key) or () for key in ("steps", "bootstrap_actions")}):
        if place not in certain:
            yield Violation("FS238", place, f"nothing expands the tilde of '{shorten(word)}'", _PATH_HINT)


_FILE_HINT = "copy the file beside the spec and give its relative path; on a node of EMR, ~ is /home/hadoop"
_PATH_HINT = "write the absolute path: s3://…, hdfs:///user/hadoop/…, or /home/hadoop/… on a node"


def _files_at_home(spec: Spec) -> Iterator[tuple[KeyPath, str]]:
    """Yields the places and paths of programs and files that can't be found, since they begin with a tilde."""
    for index, step in enumerate(spec.get("steps") or ()):
        if not isinstance(step, dict):
            continue
        for key in _COMMANDS if step.get("type") == "streaming" else ():
            if word := _program_at_home(str(step.get(key, ""))):
                yield ("steps", index, key), word
        for key in _FILES.get(str(step.get("type")), ()):
            value = step.get(key)
            if isinstance(value, str) and _HOME.match(value):
                yield ("steps", index, key), value
            for at, one in enumerate(value if isinstance(value, list) else ()):
                if _HOME.match(str(one)):
                    yield ("steps", index, key, at), str(one)


def _program_at_home(command: str) -> str:
    """Returns the program of a command, or the script of its interpreter, if it begins with a tilde; else ""."""
    words = _QUOTED.sub(" '' ", command).split()
    if words and _INTERPRETER.fullmatch(words[0]):
        options = 1
        while options < len(words) and words[options].startswith("-") and not _CODE.fullmatch(words[options]):
            options += 1
        words = words[options:]
    return words[0] if words and _HOME.match(words[0]) else ""


def _words_at_home(parts: Spec) -> Iterator[tuple[KeyPath, str]]:
    """Yields the places of words that begin with a tilde, and the words; not those in code that a shell runs (-c)."""
    for path, key, text in texts_in(parts):
        place = (*path, key)
        if "~" not in text or not _OTHERS.isdisjoint(map(str, place)):
            continue
        words, at = _QUOTED.sub(" '' ", text).split() if key in _COMMANDS else [text], 0
        if isinstance(key, int):
            owner: Any = parts
            for one in path:
                owner = owner[one]
            # Only the words before it that `_is_code` needs: a list may be long.
            words, at = [*map(str, owner[max(0, key - _BEFORE) : key + 1])], min(key, _BEFORE)
        for number in range(at, len(words)):
            if _HOME.match(words[number]) and not _is_code(words[max(0, number - _BEFORE) : number]):
                yield place, words[number]


# The maximum number of words before a shell's code: `sudo`, the shell, its options.
_BEFORE = 4


def _is_code(before: Sequence[str]) -> bool:
    """Returns True if the next word is code that a shell runs (-c), in which the shell expands a tilde."""
    return bool(before) and bool(_CODE.fullmatch(before[-1])) and any(map(_SHELL.fullmatch, before[:-1]))


# -- characters with which word processors and web pages replace quotes and spaces

# Double and single quotes of English and German, and guillemets: an opening quote of one language closes in another.
_OPENING, _CLOSING = "“”„‟«\u2018\u2019\u201a", "”“»\u2019\u2018"
# In a command, quotes around one or more words; a single quote may be a search pattern.
_QUOTED_WORDS = re.compile(rf"(?:^|(?<=[\s=]))[{_OPENING}][^{_OPENING}{_CLOSING}]+[{_CLOSING}](?=\s|$)")
# NO-BREAK SPACE, FIGURE SPACE, ZERO WIDTH SPACE and joiners, NARROW NO-BREAK SPACE, IDEOGRAPHIC SPACE, BOM.
_SPACES = "\u00a0\u2007\u200b\u200c\u200d\u202f\u2060\u3000\ufeff"
_SPACE = re.compile(f"[{_SPACES}]")
_URI = re.compile(r"[a-z][a-z0-9+.-]*://")


def _pasted_characters(place: KeyPath, text: str, *, is_command: bool) -> Iterator[Violation]:
    """Warns of typographic quotes around a text, which are a part of the text for YAML, and of special spaces.

    Special spaces are reported at the ends of a text, and in commands, options and URIs. Elsewhere they may be wanted.
    """
    quoted = text if _is_in_quotes(text) else _quoted_words(text) if is_command else ""
    if quoted:
        message = f"the quotes of {shorten(quoted, 40)} are typographic, so they are a part of the text"
        yield Violation("FS017", place, message, "write straight quotes (\" or ') or none")
    elif space := _odd_space(text, anywhere=is_command or bool(re.match(r"-|" + _URI.pattern, text))):
        message = f"U+{ord(space):04X} in this text is not an ordinary space, even if it looks like one"
        yield Violation("FS017", place, message, "replace it with an ordinary space, or remove it")


def _is_in_quotes(text: str) -> bool:
    return len(text) > 2 and text[0] in _OPENING and text[-1] in _CLOSING


def _quoted_words(command: str) -> str:
    found = _QUOTED_WORDS.search(_QUOTED.sub(" ", command))
    return found[0] if found else ""


def _odd_space(text: str, *, anywhere: bool) -> str:
    """Returns the first special space in a text, or only at its ends; "" if there is none."""
    plain = text.strip(" \t\n")
    found = _SPACE.search(plain if anywhere else plain[:1] + plain[-1:])
    return found[0] if found else ""
