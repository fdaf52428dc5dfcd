"""Rules about what a text holds that looks right to people only: a tilde, and characters pasted from a document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from flowspec.document.checking.messages import Violation
from flowspec.document.checking.rules.view import Spec, texts_in
from flowspec.errors import shorten
from flowspec.facts.api_model import KeyPath

_COMMANDS = ("mapper", "combiner", "reducer")
# Files that Hadoop, Spark or Java opens by the path that it is given.
_FILES = {
    "streaming": ("jar", "files", "archives", "libjars", "cache_files", "cache_archives"),
    "spark": ("application", "properties_file", "py_files", "jars", "files", "archives", "keytab"),
    "script": ("script",),
    "jar": ("jar",),
}
# Texts of a step that programs may read as they like, or that are no paths.
_OTHERS = frozenset({"name", "cmdenv", "properties", "conf", "description", "hiveconf"})
_HOME = re.compile(r"~[\w.-]*/")
_QUOTED = re.compile(r"'[^']*(?:'|$)|\"[^\"]*(?:\"|$)")
_INTERPRETER = re.compile(r"(?:\S*/)?(?:python[\d.]*|pypy3?|perl|ruby|node|php|lua|Rscript|(?:ba|da|z)?sh)")
_SHELL = re.compile(r"(?:\S*/)?(?:ba|da|z|k)?sh")
# Options of a shell and of others after which code follows: `-c`, `-lc`, `-e`.
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
    """Reports paths that begin with a tilde: it is a shell that expands it, and EMR starts no shell.

    An error where a program is started or a file is opened by that path (ProcessBuilder; GenericOptionsParser,
    validateFiles; spark-submit, Utils.resolveURI). Else a warning: HDFS may have a folder of this name, and a program
    may expand it itself.
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
_PATH_HINT = "write the whole path: s3://…, hdfs:///user/hadoop/…, or /home/hadoop/… on a node"


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
    """Yields the places and the words that begin with a tilde, without those that a shell reads after its -c."""
    for path, key, text in texts_in(parts):
        place = (*path, key)
        if "~" not in text or not _OTHERS.isdisjoint(map(str, place)):
            continue
        words, at = _QUOTED.sub(" '' ", text).split() if key in _COMMANDS else [text], 0
        if isinstance(key, int):
            owner: Any = parts
            for one in path:
                owner = owner[one]
            # A list may be long.
            words, at = [*map(str, owner[max(0, key - _BEFORE) : key + 1])], min(key, _BEFORE)
        for number in range(at, len(words)):
            if _HOME.match(words[number]) and not _is_code(words[max(0, number - _BEFORE) : number]):
                yield place, words[number]


# Words before a shell's code: the shell, its options.
_BEFORE = 4


def _is_code(before: Sequence[str]) -> bool:
    """Returns True if a word comes after -c of a shell, in which the shell expands a tilde."""
    return bool(before) and bool(_CODE.fullmatch(before[-1])) and any(map(_SHELL.fullmatch, before[:-1]))


# -- characters that word processors and web pages put in place of others

# Double and single ones of English and German, and guillemets: an opening one of one language closes in another.
_OPENING, _CLOSING = "“”„‟«\u2018\u2019\u201a", "”“»\u2019\u2018"
# In a command, quotes around a word or several; one alone may be what is looked for.
_QUOTED_WORDS = re.compile(rf"(?:^|(?<=[\s=]))[{_OPENING}][^{_OPENING}{_CLOSING}]+[{_CLOSING}](?=\s|$)")
# NO-BREAK SPACE, FIGURE SPACE, ZERO WIDTH SPACE and joiners, NARROW NO-BREAK SPACE, IDEOGRAPHIC SPACE, BOM.
_SPACES = "\u00a0\u2007\u200b\u200c\u200d\u202f\u2060\u3000\ufeff"
_SPACE = re.compile(f"[{_SPACES}]")
_URI = re.compile(r"[a-z][a-z0-9+.-]*://")


def _pasted_characters(place: KeyPath, text: str, *, is_command: bool) -> Iterator[Violation]:
    """Warns of typographic quotes around a text, which YAML takes for a part of it, and of spaces that are none.

    The latter at the ends of a text, in commands, options and URIs: elsewhere they may be meant.
    """
    quoted = text if _is_in_quotes(text) else _quoted_words(text) if is_command else ""
    if quoted:
        message = f"the quotes of {shorten(quoted, 40)} are typographic ones: they are a part of the text"
        yield Violation("FS017", place, message, "write straight quotes (\" or ') or none")
    elif space := _odd_space(text, anywhere=is_command or bool(re.match(r"-|" + _URI.pattern, text))):
        message = f"U+{ord(space):04X} in this text looks like a space, or like nothing, but is a character of it"
        yield Violation("FS017", place, message, "write an ordinary space in its place, or nothing")


def _is_in_quotes(text: str) -> bool:
    return len(text) > 2 and text[0] in _OPENING and text[-1] in _CLOSING


def _quoted_words(command: str) -> str:
    found = _QUOTED_WORDS.search(_QUOTED.sub(" ", command))
    return found[0] if found else ""


def _odd_space(text: str, *, anywhere: bool) -> str:
    """Returns the first character that looks like a space and is none, in a text or only at its ends; "" without."""
    plain = text.strip(" \t\n")
    found = _SPACE.search(plain if anywhere else plain[:1] + plain[-1:])
    return found[0] if found else ""
