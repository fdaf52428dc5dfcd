"""Text -> Document: strict YAML 1.2 core, every value with its place. The only module that uses PyYAML.

Events are read (from libyaml if PyYAML has it) and built into nodes here, without recursion. So nothing is constructed
from tags, aliases are counted before they multiply, and one mistake does not hide the next. Scalars are resolved as
YAML 1.2 says: `no`, `on`, `12:30` and `2024-01-01` are strings. Stricter than the standard on purpose: digits that
begin with 0 (account numbers, dates) and `.inf`, `.nan` stay strings as well, and a key given twice is an error.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from flowspec.document.text.remedies import remedy
from flowspec.document.text.requires import check_requires
from flowspec.document.text.tree import (
    MAX_FINDINGS,
    Document,
    Items,
    Mapping,
    Node,
    Place,
    Scalar,
    Source,
    too_many_findings,
)
from flowspec.errors import Diagnostic, SpecError

MAX_BYTES = 10_000_000
# Bytes that are read first: making a buffer for MAX_BYTES takes 16 µs, three times as long as reading most specs.
_FIRST_READ = 100_000
# libyaml reads ahead, and since PyYAML 6.0.4 it refuses very deep documents before it returns their first events.
_TOO_DEEP_FOR_LIBYAML = "exceeded maximum nesting depth"
MAX_DEPTH = 100
MAX_ALIASED = 50_000
# Characters of the longest text that is parsed once more for the words of an error: by PyYAML itself, which is slow.
_MAX_REPARSED = 200_000

_CORE = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,4000})$|0x[0-9a-fA-F]{1,4000}$|0o[0-7]{1,4000}$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# The characters that YAML calls printable, so not NUL or escape sequences.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
# As git writes it, before the name of a revision.
_CONFLICT = "<<<<<<< "
# Places where YAML requires a space: before a key or an item, and after its colon or dash. Text that is copied from web
# pages and chats may have other spaces there.
_ODD_SPACE = re.compile("^ *(?:(?:[^\\s#][^#]*)?[:-])? *([\u00a0\u2007\u200b\u202f\u3000\ufeff])")
# The parser notices a key without a colon only in a later line, and a quote that is not closed only at the end.
_NOTICED_LATE = ("could not find expected ':'", "found unexpected end of stream")
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2212\u2022"
"""Characters that look like the hyphen at the beginning of a list item; text copied from web pages has them."""
_ODD_DASH = re.compile(f"^ *([{DASHES}])[ \\t]")
_UNQUOTED = re.compile(r"^\s*(?:- +)*(?:[^\s'\"#{][^'\"#{]*?: +)?(\{[{%].*?)\s*$")


def _parser(text: str) -> Any:
    """Returns a source of events: libyaml's parser, some ten times as fast, or PyYAML's own."""
    import yaml

    return (yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)(text)


_NOUN, _BEGINS = "a job flow", "a spec begins with `flowspec: v1` and a `name:`"


def load(path: str | os.PathLike[str], *, noun: str = _NOUN, begins: str = _BEGINS) -> Document:
    """Reads one spec file (UTF-8 YAML, up to 10 MB), or another document, which is `noun` and how it `begins`.

    Raises `SpecError` when there is no usable document; other findings (a key given twice, an unquoted template) are
    kept in `Document.diagnostics`, so that all are reported together.
    """
    return document_of(read(path), noun=noun, begins=begins)


def document_of(source: Source, *, noun: str = _NOUN, begins: str = _BEGINS) -> Document:
    """Returns the document of a text, as `load` does for a file."""
    root, found = compose(source)
    if root is None or (isinstance(root, Scalar) and root.value is None and not root.failed):
        raise SpecError([source.diagnostic("FS004", "the file is empty", hint=begins)])
    if not isinstance(root, Mapping):
        kind = "a list" if isinstance(root, Items) else "a single value"
        message = f"{noun} is a mapping, this is {kind}"
        raise SpecError([*found, source.diagnostic("FS005", message, root.at, hint=begins)])
    refuse_saved_plan(source, root)
    if "requires" in root.entries:
        check_requires(root)
    return Document(Path(source.file), source, root, tuple(found))


PLAN_FORMAT = "flowspec-plan"
"""The value of `format` in the file of a saved plan."""


def refuse_saved_plan(source: Source, root: Node) -> None:
    """Raises SpecError for a saved plan: it is valid YAML, like all JSON, but not a spec."""
    kind = root.get("format") if isinstance(root, Mapping) else None
    if isinstance(kind, Scalar) and kind.value == PLAN_FORMAT:
        hint = f"`flowspec apply {shlex.quote(source.file)}` applies it"
        raise SpecError([source.diagnostic("FS016", "this is a saved plan, not a spec", kind.at, hint=hint)])


def tree_of(path: Path) -> Path:
    """Returns the folder that must contain all files of a spec: its git repository, else its own folder."""
    return Path(tree_around(os.path.dirname(os.path.realpath(path))))  # noqa: PTH120


def tree_around(folder: str) -> str:
    """Returns the git repository that a folder, named without links, is in; else the folder itself."""
    return next((one for one in upwards(folder) if os.path.exists(f"{one}/.git")), folder)  # noqa: PTH110


def upwards(folder: str) -> Iterator[str]:
    """Yields a folder and all its parents, as texts: `Path` takes five times as long, which matters for many files."""
    yield folder
    while (above := os.path.dirname(folder)) != folder:  # noqa: PTH120
        yield above
        folder = above


def read(path: str | os.PathLike[str], id: str = "FS001") -> Source:  # noqa: A002 - it is the word for it
    """Returns the text of a file; raises `SpecError` if it is not text, or (with `id`) can't be read."""
    name = os.fspath(path)
    blank = Source(name)
    real = _target_outside(name)
    if real:
        hint, note = (
            "name the file itself",
            "error messages show lines of the file, and the link may have been created by someone else",
        )
        message = f"{name} is a link that leads out of its repository or folder, to {real}"
        raise SpecError([blank.diagnostic(id, message, hint=hint, notes=(note,))])
    # Opening a FIFO waits for a writer, perhaps for ever. FIFOs of the shell have a writer: `<(command)`.
    odd = "" if _is_of_shell(name) else odd_kind(name)
    if odd and odd != _DIRECTORY:
        raise SpecError([blank.diagnostic(id, f"{name}: this is {odd}, not a file", notes=("name a regular file",))])
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            data = file.read(_FIRST_READ)
            if len(data) == _FIRST_READ:
                data += file.read(MAX_BYTES + 1 - _FIRST_READ)
    except OSError as error:
        reason, *hints = _explain_os_error(error, name)
        raise SpecError([blank.diagnostic(id, f"{name}: {reason}", notes=tuple(filter(None, hints)))]) from None
    if len(data) > MAX_BYTES:
        raise SpecError([blank.diagnostic("FS010", f"the file is larger than {MAX_BYTES // 1_000_000} MB")])
    return _decode(name, data)


def _target_outside(name: str) -> str:
    """Returns the target of a link that leads out of its repository, or its folder; else "".

    A pull request can make job.yaml a link to ~/.netrc, and an error would show its lines in the log of CI. The shell's
    own names (/dev/stdin, and /dev/fd/63 for `<(command)`) are also links, but safe ones.
    """
    if "\0" in name or not os.path.islink(name) or _is_of_shell(name):  # noqa: PTH114
        return ""
    real = os.path.realpath(name)
    return "" if Path(real).is_relative_to(tree_around(os.path.realpath(Path(name).parent))) else real


def _is_of_shell(name: str) -> bool:
    return os.path.abspath(name).startswith(("/dev/", "/proc/"))  # noqa: PTH100


_DIRECTORY = "a directory"
_ODD_KINDS = {
    stat.S_IFDIR: _DIRECTORY,
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def odd_kind(path: str | os.PathLike[str]) -> str:
    """Returns the kind of what is at a path, such as "a directory"; "" for a regular file, and for nothing."""
    try:
        return _ODD_KINDS.get(stat.S_IFMT(os.stat(path).st_mode), "")  # noqa: PTH116
    except (OSError, ValueError):
        return ""


def _explain_os_error(error: OSError, name: str) -> tuple[str, ...]:
    """Returns what is wrong with a file, and hints, some of which may be empty."""
    if isinstance(error, FileNotFoundError):
        from flowspec.document.nearest import similar_file

        return "there is no such file", similar_file(Path(name)), "relative paths start at the current folder"
    if isinstance(error, IsADirectoryError):
        return "this is a directory, not a file", "name the file in it, such as job.yaml"
    if isinstance(error, PermissionError):
        return "permission denied", "make it readable for the user that runs flowspec"
    return error.strerror or str(error), ""


def _decode(name: str, data: bytes) -> Source:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        message = f"byte 0x{data[error.start]:02x} is not UTF-8 text"
        raise _not_text_error(Source(name, before), message, len(before), "a spec is YAML, saved as UTF-8") from None
    source = Source(name, text)
    odd = _UNPRINTABLE.search(text)
    if odd:
        message = f"the character U+{ord(odd[0]):04X} is not text"
        raise _not_text_error(source, message, odd.start(), "remove it: YAML allows no control characters")
    return source


def _not_text_error(source: Source, message: str, offset: int, remedy: str) -> SpecError:
    before = Source(source.file, source.text[:offset]).lines
    # The line itself is not shown: it may contain anything.
    at = Place(Source(source.file), len(before), len(before[-1]) + 1)
    return SpecError([source.diagnostic("FS002", message, at, notes=(remedy,))])


def compose(source: Source, *, functions: bool = False) -> tuple[Node | None, list[Diagnostic]]:
    """Returns the one document of a text as nodes (None: there is none), and what was found on the way.

    With `functions` a tag is the short form of one of CloudFormation's: `!Sub x` is {Fn::Sub: x}. Raises `SpecError` at
    the place where the text can't be parsed any further.
    """
    import yaml

    composer = _Composer(source, functions)
    parser = _parser(source.text)
    try:
        handlers = composer.handlers()
        for event in iter(parser.get_event, None):
            if handle := handlers.get(type(event)):
                handle(event)
    except yaml.YAMLError as error:
        explained = _explain_syntax_error(source, error)
        raise SpecError(
            [*(one for one in composer.found if one.sort_key[:3] != explained.sort_key[:3]), explained]
        ) from None
    finally:
        parser.dispose()
    return composer.root, composer.found


def events(source: Source) -> Iterator[Any]:
    """Yields PyYAML's events of a text that `compose` has taken."""
    parser = _parser(source.text)
    try:
        yield from iter(parser.get_event, None)
    finally:
        parser.dispose()


def _explain_syntax_error(source: Source, error: Any) -> Diagnostic:
    if getattr(error, "problem", "") == _TOO_DEEP_FOR_LIBYAML:
        mark = error.problem_mark
        return _too_deep_finding(source, Place(source, mark.line + 1, mark.column + 1))
    if conflict := conflict_in(source):
        return conflict
    error = _as_pyyaml_error(source.text, error)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    context = getattr(error, "context_mark", None)
    for seen in (mark, context):
        template = _UNQUOTED.match(source.line(seen.line + 1)) if seen else None
        if seen and template:
            at = Place(source, seen.line + 1, template.start(1) + 1, len(template[1]))
            return _unquoted_template(source, at, template[1])
    problem = getattr(error, "problem", None) or str(error)
    if problem.startswith(_NOTICED_LATE) and context:
        mark = context
    at = Place(source, mark.line + 1, mark.column + 1) if mark else Place(source, 1, 1)
    opened = f"{error.context}, which began in line {context.line + 1}" if context and error.context else ""
    if odd := _odd_character(source, context.line + 1 if context else at.line, at.line):
        character = source.line(odd.line)[odd.column - 1]
        meant = "hyphen" if character in DASHES else "space"
        at, hint = odd, f"this is not an ordinary {meant} (U+{ord(character):04X}): replace it with one"
    else:
        line = source.line(at.line)
        hint = remedy(f"{opened} {problem}", line[: at.column - 1], line[at.column - 1 :])
    return source.diagnostic("FS003", f"not YAML: {problem}", at, hint=hint, notes=(opened,) if opened else ())


def _odd_character(source: Source, first: int, last: int) -> Place | None:
    """Returns the place of the first character in these lines that only looks like YAML's space or hyphen."""
    # The mistake because of which the parser failed may be in the line above.
    for number in range(max(1, min(first, last - 1)), last + 1):
        if found := _ODD_SPACE.match(source.line(number)) or _ODD_DASH.match(source.line(number)):
            return Place(source, number, found.start(1) + 1, 1)
    return None


def conflict_in(source: Source, id: str = "FS003") -> Diagnostic | None:  # noqa: A002
    """Returns a finding for the first merge conflict that git has left in a text which can't be parsed."""
    number = next((number for number, line in enumerate(source.lines, 1) if line.startswith(_CONFLICT)), 0)
    if not number:
        return None
    at = Place(source, number, 1, len(source.line(number)))
    hint = "keep one of the two sides, and remove the three lines that git has put around them"
    return source.diagnostic(id, "a merge conflict is not resolved", at, hint=hint)


def _too_deep_finding(source: Source, at: Place) -> Diagnostic:
    return source.diagnostic("FS010", f"nested deeper than {MAX_DEPTH} levels", at)


def _as_pyyaml_error(text: str, error: Any) -> Any:
    """Returns PyYAML's own error for one of libyaml, so that messages do not depend on what is installed."""
    import yaml

    if yaml.__with_libyaml__ and len(text) < _MAX_REPARSED:
        try:
            for _ in iter(yaml.SafeLoader(text).get_event, None):
                pass
        except yaml.YAMLError as own_error:
            return own_error
    return error


def _unquoted_template(source: Source, at: Place, text: str) -> Diagnostic:
    message = "YAML does not read a template without quotes as text"
    return source.diagnostic(
        "FS008", message, at, hint=f'quote it: "{text}"' if '"' not in text else f"quote it: '{text}'"
    )


# Digits of an integer; no number in a spec needs as many.
_MAX_DIGITS = 1_000


def resolve(text: str) -> Any:
    """Returns a plain scalar's value by the YAML 1.2 core schema: None, bool, int, float or str."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "-+.0123456789":
        return text
    if _INT.match(text):
        # Python reads no longer integers (sys.set_int_max_str_digits), and EMR's have 64 bits: it stays text, like
        # 1e999.
        return int(text, 0) if len(text) <= _MAX_DIGITS else text
    if _FLOAT.match(text):
        number = float(text)
        return number if abs(number) != float("inf") else text
    return text


class _Frame:
    """A collection that is still open: a mapping when it has `entries`, else a list."""

    __slots__ = ("anchor", "at", "entries", "flow", "function", "items", "key", "size", "template")

    def __init__(self, at: Place, anchor: str | None, flow: bool, is_map: bool, function: str) -> None:
        self.at, self.anchor, self.flow, self.function = at, anchor, flow, function
        self.entries: dict[str, tuple[Scalar, Node]] | None = {} if is_map else None
        self.items: list[Node] = []
        self.key: Node | None = None
        self.size = 1
        self.template = False


class _Composer:
    """Builds nodes from events."""

    def __init__(self, source: Source, functions: bool) -> None:
        self.source, self.functions = source, functions
        self.root: Node | None = None
        self.found: list[Diagnostic] = []
        self._open: list[_Frame] = []
        self._anchors: dict[str, tuple[Node, int] | None] = {}
        self._aliased = 0
        self._documents = 0

    def handlers(self) -> dict[type, Callable[[Any], None]]:
        """Returns the method for each type of event. Not cached: a reference cycle would leave the tree to the GC."""
        import yaml

        return {
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
            yaml.MappingStartEvent: self._start,
            yaml.SequenceStartEvent: self._start,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.DocumentStartEvent: self._document,
        }

    def _place(self, event: Any) -> Place:
        start, end = event.start_mark, event.end_mark
        line, column = start.line, start.column
        if line == end.line:
            return Place(self.source, line + 1, column + 1, end.column - column)
        return Place(self.source, line + 1, column + 1, max(len(self.source.line(line + 1)) - column, 0))

    def _fail(self, id: str, message: str, at: Place, hint: str = "") -> NoReturn:  # noqa: A002
        raise SpecError([*self.found, self.source.diagnostic(id, message, at, hint=hint)])

    def _report(self, found: Diagnostic) -> None:
        if len(self.found) == MAX_FINDINGS:
            raise SpecError([too_many_findings(self.source, MAX_FINDINGS), *self.found])
        self.found.append(found)

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            at = Place(self.source, event.start_mark.line + 1, 1, 3)
            self._fail("FS012", "a second document begins here", at, "one file holds one job flow")

    def _scalar(self, event: Any) -> None:
        at = self._place(event)
        text, is_plain = event.value, not event.style
        if event.tag is None:
            node: Node = Scalar(resolve(text) if is_plain else text, text, at, is_plain)
        elif function := self._function(event):
            node = _function_mapping(function, Scalar(text, text, at, is_plain))
        else:
            node = Scalar(self._value_of_tagged(event, at), text, at, is_plain)
        self._add(node, 1, event.anchor)

    def _value_of_tagged(self, event: Any, at: Place) -> Any:
        if event.tag in ("!", f"{_CORE}str"):
            return event.value
        value = resolve(event.value)
        wanted = {"int": int, "float": float, "bool": bool, "null": type(None)}.get(event.tag.removeprefix(_CORE))
        if wanted is float and type(value) is int:
            return float(value)
        if wanted is not type(value):
            self._unknown_tag(event, at)
        return value

    def _function(self, event: Any) -> str:
        """Returns the function that a tag calls; "" for none."""
        if not self.functions or not re.fullmatch(r"![A-Za-z]\w*", event.tag):
            return ""
        name = str(event.tag[1:])
        return name if name in ("Ref", "Condition") else f"Fn::{name}"

    def _unknown_tag(self, event: Any, at: Place) -> None:
        name = f"!!{event.tag.removeprefix(_CORE)}" if event.tag.startswith(_CORE) else event.tag
        message = f"the tag {name} is not supported"
        self._report(self.source.diagnostic("FS007", message, at, hint="write the value itself, without a tag"))

    def _alias(self, event: Any) -> None:
        at = self._place(event)
        if event.anchor not in self._anchors:
            hint = "put quotes around a text that begins with *, or write the value itself"
            self._fail("FS013", f"there is no anchor &{event.anchor} before this alias", at, hint)
        known = self._anchors[event.anchor]
        if known is None:
            self._fail("FS013", f"the alias *{event.anchor} is within the value that it repeats", at)
        node, size = known
        self._aliased += size
        if self._aliased > MAX_ALIASED:
            self._fail(
                "FS009",
                f"aliases stand for more than {MAX_ALIASED} values",
                at,
                "write out the values instead of using aliases",
            )
        self._add(node, size, None)

    def _start(self, event: Any) -> None:
        at = self._place(event)
        is_map = type(event).__name__ == "MappingStartEvent"
        function = "" if event.tag is None else self._function(event)
        if not function and event.tag not in (None, "!", f"{_CORE}map" if is_map else f"{_CORE}seq"):
            self._unknown_tag(event, at)
        if len(self._open) >= MAX_DEPTH:
            raise SpecError([*self.found, _too_deep_finding(self.source, at)])
        if event.anchor:
            self._anchors[event.anchor] = None
        self._open.append(_Frame(at, event.anchor, bool(event.flow_style), is_map, function))

    def _end(self, event: Any) -> None:
        frame = self._open.pop()
        node: Node
        if frame.entries is None:
            node = Items(tuple(frame.items), frame.at)
        elif frame.template:
            node = self._template(frame, event)
        else:
            node = Mapping(frame.entries, _first_key(frame))
        if frame.function:
            node = _function_mapping(frame.function, node)
        self._add(node, frame.size, frame.anchor)

    def _template(self, frame: _Frame, event: Any) -> Scalar:
        at = frame.at
        line = self.source.line(at.line)[at.column - 1 :]
        text = line[: event.end_mark.column - at.column + 1] if event.end_mark.line + 1 == at.line else line
        at = Place(self.source, at.line, at.column, len(text))
        self._report(_unquoted_template(self.source, at, text))
        return Scalar(None, text, at, failed=True)

    def _add(self, node: Node, size: int, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = (node, size)
        if not self._open:
            self.root = node
            return
        frame = self._open[-1]
        frame.size += size
        if frame.entries is None:
            frame.items.append(node)
        elif frame.key is None:
            frame.key = node
        else:
            self._entry(frame, frame.key, node)
            frame.key = None

    def _entry(self, frame: _Frame, key: Node, value: Node) -> None:
        entries = frame.entries
        assert entries is not None
        if not isinstance(key, Scalar) or key.failed:
            self._odd_key(frame, key)
        elif key.plain and key.text == "<<":
            hint = "write the keys themselves: YAML 1.2 has no merge keys"
            self._report(self.source.diagnostic("FS014", "a merge key (<<)", key.at, hint=hint))
        elif key.text in entries:
            first = entries[key.text][0].at
            message = f"the key '{key.text}' is given twice"
            note = f"the first one is in line {first.line}"
            self._report(self.source.diagnostic("FS006", message, key.at, hint="keep one", notes=(note,)))
        else:
            entries[key.text] = (key, value)

    def _odd_key(self, frame: _Frame, key: Node) -> None:
        at = frame.at
        if frame.flow and self.source.line(at.line)[at.column - 1 :].startswith("{{"):
            frame.template = True
        elif not isinstance(key, Scalar):
            self._report(self.source.diagnostic("FS011", "a key is a plain word, not a list or a mapping", key.at))


def _function_mapping(function: str, argument: Node) -> Mapping:
    at = argument.at
    return Mapping({function: (Scalar(function, function, at), argument)}, at)


def _first_key(frame: _Frame) -> Place:
    """Returns the place that points at a mapping: its first key in block style, else its brace."""
    for key, _ in (frame.entries or {}).values():
        return frame.at if frame.flow else key.at
    return frame.at
