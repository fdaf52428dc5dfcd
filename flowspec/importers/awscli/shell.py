"""Reads a shell script into its commands: lists of words, with placeholders where the shell would put a value.

Nothing is run and no environment is read. Quotes, comments, continued lines, here documents, redirections and word
splitting follow POSIX's Shell Command Language (chapter 2), arrays follow bash. A variable that is assigned in a branch
or a loop has no certain value: it stays a variable without a default, and a note names each such assignment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from flowspec.document.tree import Place, Source
from flowspec.importers.awscli.windows import as_posix
from flowspec.importers.decompile.placeholders import PLACEHOLDER, Variable, placeholder, safe_name, substitute

_ASSIGNED = re.compile(r"(?P<name>[A-Za-z_]\w*)(?P<more>\+?)=(?P<value>.*)", re.DOTALL | re.ASCII)
_DECLARING = {"export", "local", "readonly", "declare", "typeset", "env"}
_ARRAY = re.compile(r"(?P<name>[A-Za-z_]\w*)(?P<more>\+?)=", re.ASCII)
_ALL_ITEMS = re.compile(r"(?P<name>[A-Za-z_]\w*)\[[@*]\](?:[:+-].*)?", re.DOTALL | re.ASCII)
_PLAIN = re.compile(r"\$(?:\{(?P<braced>[A-Za-z_]\w*)\}|(?P<name>[A-Za-z_]\w*))", re.ASCII)
# A value that the shell splits, or an option.
_SEVERAL = re.compile(r"[ \t\n]|^-")
_STRUCTURED = re.compile(r"\s*[\[{]|file://|[\w-]+=")
_OPENING, _CLOSING = {"if", "for", "while", "until", "case", "select"}, {"fi", "done", "esac"}
_LEADING = {"then", "else", "elif", "do", "!", "{", "}", *_OPENING - {"for", "case", "select"}, *_CLOSING}
# A script nests three or four; each level costs one more look at the text.
_DEEPEST = 20
_CONTINUED = re.compile(r"\\[ \t]*\r?\n")
_NAMED = re.compile(r"\$(?:(?P<name>[A-Za-z_]\w*)|(?P<position>[0-9@*#?!$-]))", re.ASCII)
_BRACED = re.compile(r"(?P<name>[A-Za-z_]\w*|[0-9])(?P<how>:?[-=?+]|$)(?P<word>.*)", re.DOTALL | re.ASCII)
_HEREDOC = re.compile(
    r"<<-?[ \t]*(['\"]?)(?P<end>\w+)\1[^\n]*\n(?P<body>.*?)^\t*(?P=end)[ \t]*$", re.DOTALL | re.MULTILINE
)
_HEREDOC_BEGUN = re.compile(r"<<-?[ \t]*(['\"]?)(?P<end>\w+)\1")
_REDIRECTED = re.compile(r"[<>]{1,3}[&|]?[ \t]*[^\s;|&()]*")
_BREAKS = "\n;&|()"


class Word(NamedTuple):
    """A word as the shell hands it on, with placeholders, and its place."""

    text: str
    at: Place


class Command(NamedTuple):
    """A command's words, AWS's variables that it is called with, and whether it is in a branch or a loop."""

    words: list[Word]
    environment: Mapping[str, str]
    conditional: bool = False


@dataclass
class Script:
    """Commands in the order in which they end (one within `$( )` before that around it), and the variables met.

    `outputs` gives for a variable that holds the output of commands what those commands are, `texts` what was last
    assigned to each; `split` names those that were replaced by their words, and `notes` tell of assignments
    whose effect is not certain, by variable.
    """

    commands: list[Command] = field(default_factory=list)
    variables: dict[str, Variable] = field(default_factory=dict)
    outputs: dict[str, list[Command]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    uncertain: set[str] = field(default_factory=set)
    split: set[str] = field(default_factory=set)
    notes: list[tuple[str, str]] = field(default_factory=list)

    def note(self, name: str, text: str) -> None:
        """Adds a note on a variable, once."""
        if (safe_name(name), text) not in self.notes:
            self.notes.append((safe_name(name), text))

    def notes_on(self, names: Iterable[str]) -> list[str]:
        """The notes on the variables of these names, on those that they are made of, and on those that were split."""
        known, found = set(), [*names, *self.split]
        while found:
            name = found.pop()
            if name not in known:
                known.add(name)
                found += PLACEHOLDER.findall(self.texts.get(name, ""))
        return [text for name, text in self.notes if name in known]


def parse(source: Source) -> Script:
    """Reads the commands of a script. A quote that is never closed reaches to the end.

    Raises RecursionError for substitutions that are nested too deeply.
    """
    text = as_posix(source.file, source.text.replace("\r\n", "\n"))
    first = Script()
    _Reader(source, text, 1, first, _Values()).run()
    if not first.uncertain:
        return first
    # Only now is it known which variables a later line of a loop changes.
    script = Script(uncertain=first.uncertain)
    _Reader(source, text, 1, script, _Values()).run()
    return script


@dataclass
class _Values:
    """The variables assigned so far: texts with placeholders, and arrays of them."""

    texts: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, list[str]] = field(default_factory=dict)

    def copy(self) -> _Values:
        return _Values(dict(self.texts), dict(self.arrays))


class _Reader:
    """Reads one text; `line` is the number of its first line in the source, `depth` that of substitutions around it."""

    def __init__(
        self,
        source: Source,
        text: str,
        line: int,
        script: Script,
        values: _Values,
        *,
        depth: int = 0,
        lists: bool = False,
    ) -> None:
        if depth > _DEEPEST:
            raise RecursionError
        self.source, self.text, self.first, self.script, self.values = source, text, line, script, values
        self.depth, self.lists = depth, lists
        self.at = 0
        self.word: list[str] | None = None
        self.begin = 0
        self.words: list[Word] = []
        # How many branches and loops are open; whether the command depends on the one before it (&&, ||).
        self.blocks = 0
        self.depends = False
        self._counted = (0, 0)
        self._open_ends: set[str] = set()

    def run(self) -> None:
        while self.at < len(self.text):
            self._step()
        self._end_command()

    def _step(self) -> None:
        char = self.text[self.at]
        continued = _CONTINUED.match(self.text, self.at)
        if continued:
            self.at = continued.end()
        elif char in " \t\r" or (self.lists and char == "\n"):
            self._end_word()
            self.at += 1
        elif char == "(" and self.word is not None and _ARRAY.fullmatch("".join(self.word)):
            self._array("".join(self.word))
        elif char in _BREAKS:
            self._end_command()
            self.depends = self.text.startswith(("&&", "||"), self.at)
            self.at += 2 if self.depends else 1
        elif char == "#" and self.word is None:
            end = self.text.find("\n", self.at)
            self.at = end if end >= 0 else len(self.text)
        elif char in "<>":
            self._redirection()
        else:
            self._part(char)

    def _part(self, char: str) -> None:
        if self.word is None:
            self.word, self.begin = [], self.at
        if char == "'":
            self.word.append(self._until("'"))
        elif char == '"':
            self._quoted()
        elif char == "$" and self._split():
            pass
        elif char in "$`":
            self.word.append(self._expansion())
        else:
            if char == "\\":
                self.at += 1
            self.word.append(self.text[self.at : self.at + 1])
            self.at += 1

    def _until(self, quote: str) -> str:
        end = self.text.find(quote, self.at + 1)
        end = end if end >= 0 else len(self.text)
        inner, self.at = self.text[self.at + 1 : end], end + 1
        return inner

    def _quoted(self) -> None:
        assert self.word is not None
        self.at += 1
        while self.at < len(self.text) and self.text[self.at] != '"':
            char = self.text[self.at]
            if char == "\\" and self.text[self.at + 1 : self.at + 2] in ('"', "\\", "$", "`", "\n"):
                self.word.append(self.text[self.at + 1].replace("\n", ""))
                self.at += 2
            elif char == "$" and (self._items() or self._whole()):
                pass
            elif char in "$`":
                self.word.append(self._expansion())
            else:
                self.word.append(char)
                self.at += 1
        self.at += 1

    def _redirection(self) -> None:
        if self.word is not None and "".join(self.word).isdigit():
            self.word = None
        self._end_word()
        document = self._here_document()
        if document:
            # What follows on its line belongs to the command; the body is data.
            line_end = self.text.index("\n", self.at)
            body_end = document.end()
            rest = self.text[self.at : line_end]
            after = re.sub(r"<<-?[ \t]*\S+", "", rest, count=1)
            blank = "\n" * self.text.count("\n", line_end, body_end)
            self.text = self.text[: self.at] + after.ljust(1) + blank + self.text[body_end:]
            return
        matched = _REDIRECTED.match(self.text, self.at)
        assert matched
        self.at = matched.end()

    def _here_document(self) -> re.Match[str] | None:
        begun = _HEREDOC_BEGUN.match(self.text, self.at)
        if not begun or begun["end"] in self._open_ends:
            return None
        document = _HEREDOC.match(self.text, self.at)
        if not document:
            # It is not found further down either; without this, many such beginnings cost their square.
            self._open_ends.add(begun["end"])
        return document

    # --- what the shell would replace ---

    def _split(self) -> bool:
        """Takes an unquoted variable whose value is known to be several words, options or nothing, word by word."""
        if self._items():
            return True
        named = _PLAIN.match(self.text, self.at)
        text = self._certain(named["braced"] or named["name"]) if named else None
        if named is None or text is None or self._assigning() or (text and not _SEVERAL.search(text)):
            return False
        self.at = named.end()
        text = self._opened(named["braced"] or named["name"], text)
        self._take(text.split(), joined=not text[:1].isspace())
        if text[-1:].isspace():
            self._end_word()
        return True

    def _certain(self, name: str) -> str | None:
        return None if name in self.script.uncertain else self.values.texts.get(name)

    def _opened(self, name: str, text: str, depth: int = 0) -> str:
        """A text that is split, with the variables in it that are several words themselves replaced."""
        self.script.split.add(safe_name(name))
        for inner in PLACEHOLDER.findall(text) if depth < _DEEPEST else ():
            held = self._certain(inner)
            if held is not None and (not held or _SEVERAL.search(held)):
                text = text.replace(placeholder(inner), self._opened(inner, held, depth + 1))
        return text

    def _whole(self) -> bool:
        """Takes `"$NAME"` that holds an object, a list, a pair or the name of a file: its form says what is meant."""
        named = _PLAIN.match(self.text, self.at)
        text = self._certain(named["braced"] or named["name"]) if named else None
        if named is None or text is None or self.word or not self.text.startswith('"', named.end()):
            return False
        if self.text[self.at - 1] != '"' or not _STRUCTURED.match(text):
            return False
        self.at = named.end()
        self.word = [self._opened(named["braced"] or named["name"], text)]
        return True

    def _items(self) -> bool:
        """Takes `${NAME[@]}` of a known array, item by item."""
        if not self.text.startswith("${", self.at):
            return False
        before = self.at
        named = _ALL_ITEMS.fullmatch(self._enclosed("{", "}"))
        items = self.values.arrays.get(named["name"]) if named else None
        if named is None or items is None or named["name"] in self.script.uncertain:
            self.at = before
            return False
        self.script.split.add(safe_name(named["name"]))
        self._take(items, joined=True)
        return True

    def _take(self, pieces: Sequence[str], *, joined: bool) -> None:
        """Adds words; the first belongs to the word that has begun if they are `joined`."""
        begin = self.begin
        for number, piece in enumerate(pieces):
            if (number or not joined) and self.word:
                self._end_word()
            self.begin = begin
            self.word = [*(self.word or []), piece]
        if not pieces and not self.word:
            self.word = None

    def _assigning(self) -> bool:
        """True if the word that has begun is an assignment, where nothing is split."""
        earlier = all(word.text in _DECLARING | _LEADING or _ASSIGNED.fullmatch(word.text) for word in self.words)
        return earlier and bool(self.word) and bool(_ASSIGNED.match("".join(self.word or ())))

    def _array(self, begun: str) -> None:
        """Reads `NAME=( … )`."""
        assigned = _ARRAY.fullmatch(begun)
        assert assigned
        line = self._line(self.at)
        self.at -= 1
        reader = _Reader(
            self.source, self._enclosed("(", ")"), line, self.script, self.values, depth=self.depth + 1, lists=True
        )
        items = reader.items()
        self.word = None
        name, known = assigned["name"], self.values.arrays.get(assigned["name"], [])
        if self._is_conditional():
            added = items if assigned["more"] else _without(items, known)
            self._note_conditional(name, " ".join(items if added is None else added), added=added is not None)
        else:
            self.values.arrays[name] = [*known, *items] if assigned["more"] else items

    def _expansion(self) -> str:
        if self.text[self.at] == "`" or self.text.startswith("$(", self.at):
            return self._output(self._until("`") if self.text[self.at] == "`" else self._enclosed("(", ")"))
        if self.text.startswith("${", self.at):
            return self._braced(self._enclosed("{", "}"))
        if self.text.startswith("$'", self.at):
            self.at += 1
            return self._until("'").replace("\\n", "\n").replace("\\t", "\t")
        named = _NAMED.match(self.text, self.at)
        if not named:
            self.at += 1
            return "$"
        self.at = named.end()
        if named["name"]:
            return self._variable(named["name"])
        return self._made(f"arg{named['position']}" if named["position"].isdigit() else "args", named[0])

    def _enclosed(self, opening: str, closing: str) -> str:
        """Returns the text in the brackets that begin after this `$`."""
        depth, at, quote = 0, self.at + 1, ""
        while at < len(self.text):
            char = self.text[at]
            if char == "\\" and quote != "'":
                at += 1
            elif quote:
                quote = "" if char == quote else quote
            elif char == "#" and opening == "(" and self.text[at - 1].isspace():
                # An apostrophe in a comment is no quote.
                end = self.text.find("\n", at)
                at = (end if end >= 0 else len(self.text)) - 1
            elif char in "'\"":
                quote = char
            else:
                depth += (char == opening) - (char == closing)
            at += 1
            if depth == 0 and not quote:
                break
        inner, self.at = self.text[self.at + 2 : at - 1], at
        return inner

    def _output(self, command: str) -> str:
        line = self._line(self.at) - command.count("\n")
        before = len(self.script.commands)
        if not command.startswith("("):
            # What is assigned in there ends with it.
            _Reader(self.source, command, line, self.script, self.values.copy(), depth=self.depth + 1).run()
        shown = " ".join(command[:400].split())[:80]
        name = command if re.fullmatch(r"\w{1,80}", command) else "output"
        made = self._made(name, f"the output of `{shown}`", fresh=bool(re.search(r"\bemr\s", command[:400])))
        self.script.outputs[PLACEHOLDER.sub(r"\1", made)] = self.script.commands[before:]
        return made

    def _braced(self, inner: str) -> str:
        simple = _BRACED.fullmatch(inner)
        if not simple:
            return self._made(re.sub(r"\W.*", "", inner.lstrip("#!"), flags=re.DOTALL), f"${{{inner}}}")
        name, how = simple["name"], simple["how"]
        name = f"arg{name}" if name.isdigit() else name
        if (
            how in (":-", "-", ":=", "=")
            and name not in self.values.texts
            and not re.search(r"[$`'\"\\]", simple["word"])
        ):
            self.values.texts[name] = simple["word"]
        elif how in (":+", "+"):
            return self._made(name, f"${{{inner}}}")
        return self._variable(name)

    def _variable(self, name: str) -> str:
        known = safe_name(name)
        rules = {} if known == name else {"description": f"${name} of the script"}
        default = self._plain(self._certain(name))
        met = self.script.variables.setdefault(known, Variable(default=default, rules=rules))
        if met.default is not None and default is not None and met.default != default:
            self._note_second(name)
        return placeholder(known)

    def _plain(self, text: str | None) -> str | None:
        """A text with the defaults of its variables; None where one of them has none."""
        if text is None:
            return None
        known = {name: one.default for name, one in self.script.variables.items() if one.default is not None}
        value = substitute(text, known)
        return None if PLACEHOLDER.search(value) else str(value)

    def _made(self, name: str, description: str, *, fresh: bool = False) -> str:
        """A variable for what has no name in the script, or one already taken; `fresh`: never one made before."""
        rules = {"description": description}
        stem, number = safe_name(name), 1
        known = stem
        while known in self.script.variables and (fresh or self.script.variables[known].rules != rules):
            number += 1
            known = f"{stem}_{number}"
        self.script.variables.setdefault(known, Variable(rules=rules))
        return placeholder(known)

    # --- words and commands ---

    def _end_word(self) -> None:
        if self.word is not None:
            before = self.text.rfind("\n", 0, self.begin)
            line = self._line(self.begin)
            at = Place(
                self.source, line, self.begin - before, max(len(self.source.line(line)) - self.begin + before + 1, 1)
            )
            self.words.append(Word("".join(self.word), at))
            self.word = None

    def _line(self, at: int) -> int:
        """The line of the source that a place is in; counts on from the last place asked for."""
        place, lines = self._counted if self._counted[0] <= at else (0, 0)
        lines += self.text.count("\n", place, at)
        self._counted = (at, lines)
        return self.first + lines

    def items(self) -> list[str]:
        """The texts of all words, as those of an array."""
        while self.at < len(self.text):
            self._step()
        self._end_word()
        return [word.text for word in self.words]

    def _end_command(self) -> None:
        self._end_word()
        words = self._without_reserved(self.words)
        environment = {name: text for name, text in self.values.texts.items() if name.startswith("AWS_")}
        given: dict[str, str] = {}
        exported = False
        while words and (words[0].text in _DECLARING or _ASSIGNED.fullmatch(words[0].text)):
            assigned = _ASSIGNED.fullmatch(words[0].text)
            exported = exported or words[0].text in _DECLARING - {"env"}
            if assigned and (exported or not _calls(words)):
                self._assign(words[0])
            elif assigned:
                given[assigned["name"]] = assigned["value"]
            words = words[1:]
            while exported and words and words[0].text.startswith("-"):
                words = words[1:]
        if words and not exported:
            self._note_loop_variable(words)
            in_force = environment | given
            told = {name: self._variable_in(name, text) for name, text in in_force.items() if name.startswith("AWS_")}
            self.script.commands.append(Command(words, told, self._is_conditional()))
        self.words = []

    def _without_reserved(self, words: list[Word]) -> list[Word]:
        """A command without the reserved words before it, which open and close branches and loops."""
        while words and words[0].text in _LEADING | _OPENING:
            if words[0].text in _OPENING:
                self.blocks += 1
                if words[0].text not in _LEADING:
                    return words
            self.blocks -= words[0].text in _CLOSING and self.blocks > 0
            words = words[1:]
        return words

    def _note_loop_variable(self, words: list[Word]) -> None:
        first = words[0].text
        names = words[1:2] if first in ("for", "select") else words[1:] if first == "read" else []
        for word in names:
            if re.fullmatch(r"[A-Za-z_]\w*", word.text) and word.text in self.values.texts:
                self.script.uncertain.add(word.text)
                self.script.note(word.text, f"line {word.at.line}: `{first}` sets ${word.text}: give its value")

    def _is_conditional(self) -> bool:
        return self.blocks > 0 or self.depends

    def _variable_in(self, name: str, text: str) -> str:
        return self._variable(name) if name in self.script.uncertain else text

    def _assign(self, word: Word) -> None:
        assigned = _ASSIGNED.fullmatch(word.text)
        assert assigned
        name, value = assigned["name"], assigned["value"]
        old = self.values.texts.get(name)
        own = placeholder(safe_name(name))
        if assigned["more"]:
            value = own + value
        if self._is_conditional():
            added = own in value and old is not None
            self._note_conditional(name, value.replace(own, "").strip() if added else value, added=added)
            return
        if old is not None and own in value:
            value = value.replace(own, old)
        elif old is not None and old != value:
            self._note_second(name)
        self.values.texts[name] = self.script.texts[name] = value

    def _note_conditional(self, name: str, text: str, *, added: bool) -> None:
        shown = PLACEHOLDER.sub(r"${\1}", text)[:80]
        line = self._line(min(self.at, len(self.text)))
        if added:
            self.script.note(name, f"line {line}: a branch or loop adds `{shown}` to ${name}, which is not imported")
            return
        self.script.uncertain.add(name)
        # Enough to tell which commands it comes from.
        self.script.texts[name] = self.script.texts.get(name, "") + text
        self.script.note(
            name, f"line {line}: a branch or loop sets ${name} to `{shown}`: it is a variable without a default"
        )

    def _note_second(self, name: str) -> None:
        line = self._line(min(self.at, len(self.text)))
        self.script.note(name, f"line {line}: ${name} is assigned for a second time; check its value")


def _calls(words: list[Word]) -> bool:
    """True if a command follows the assignments, which then apply to that command only."""
    return any(word.text not in _DECLARING and not _ASSIGNED.fullmatch(word.text) for word in words)


def _without(items: list[str], known: list[str]) -> list[str] | None:
    """Returns what a longer list adds to a known one; None if it does not begin with it."""
    return items[len(known) :] if known and items[: len(known)] == known else None
