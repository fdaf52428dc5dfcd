"""Reads a shell script into its commands: lists of words, with placeholders where the shell would put a value.

Nothing is run and no environment is read. Quotes, comments, continued lines, here documents, redirections and word
splitting follow POSIX's Shell Command Language (chapter 2), arrays follow bash.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from flowspec.document.text.tree import Place, Source
from flowspec.importers.awscli.cursor import Cursor
from flowspec.importers.awscli.effects import ASSIGNED, DECLARING, Loop, Shell, names_calculated
from flowspec.importers.awscli.outputs import RANGE, expand_range, output_of
from flowspec.importers.awscli.parsed import Function, Script, Word
from flowspec.importers.awscli.variables import Variables, is_split
from flowspec.importers.awscli.windows import as_posix
from flowspec.importers.placeholders import PLACEHOLDER, safe_name

_ARRAY = re.compile(r"(?P<name>[A-Za-z_]\w*)(?P<more>\+?)=", re.ASCII)
_ALL_ITEMS = re.compile(r"(?P<name>[A-Za-z_]\w*)\[[@*]\](?:[:+-].*)?", re.DOTALL | re.ASCII)
_ALL_ARGUMENTS = re.compile(r"\$(?:@|\{@(?::(?P<first>[0-9]{1,3}))?\})")
_PLAIN = re.compile(r"\$(?:\{(?P<braced>[A-Za-z_]\w*)\}|(?P<name>[A-Za-z_]\w*))", re.ASCII)
_STRUCTURED = re.compile(r"\s*[\[{]|file://|[\w-]+=")
_OPENING, _CLOSING = {"if", "for", "while", "until", "case", "select"}, {"fi", "done", "esac"}
_LEADING = {"then", "else", "elif", "do", "!", "{", "}", *_OPENING - {"for", "case", "select"}, *_CLOSING}
# A script nests three or four; each level costs one more look at the text.
_DEEPEST = 20
_CONTINUED = re.compile(r"\\[ \t]*\r?\n")
_NAMED = re.compile(r"\$(?:(?P<name>[A-Za-z_]\w*)|(?P<position>[0-9@*#?!$-]))", re.ASCII)
_BRACED = re.compile(r"(?P<name>[A-Za-z_]\w*|[0-9])(?P<how>:?[-=?+]|$)(?P<word>.*)", re.DOTALL | re.ASCII)
_REDIRECTED = re.compile(r"(?P<how>[<>]{1,3}[&|]?)[ \t]*(?P<quote>[\"']?)(?P<file>[^\s;|&()\"']*)(?P=quote)[^\s;|&()]*")
_DEFINED = re.compile(r"\(\s*\)\s*(?=\{)")
# `$(<FILE)` is `$(cat FILE)` (Bash Reference Manual, "Command Substitution").
_REDIRECTED_ONLY = re.compile(r"^\s*<\s*(?=[^\s<(])")
_COMMENT = re.compile(r"\s*#[^\n]*\s*")
# With parentheses that do not balance within, bash takes the first two for subshells.
_ARITHMETIC = re.compile(r"\(\(((?:[^\n\"'`()]|\([^\n\"'`()]*\)){1,200}?)\)\)")
_WORD_ENDS = re.compile(r"[\s;|&)]|$")
_BRACES = re.compile(rf"\{{([\w./:-]*(?:,[\w./:-]*)+)\}}(?={_WORD_ENDS.pattern})", re.ASCII)
_LEAVES_LOOP = re.compile(r"\b(break|continue)\b")
# Loops and calls of functions are followed up to these numbers, far above what launch scripts have.
_MOST_ROUNDS, _MOST_CALLS, _MOST_CHARACTERS = 200, 200, 300_000
_BREAKS = "\n;&|()"


def parse(source: Source) -> Script:
    """Reads the commands of a script. A quote that is never closed reaches to the end, and its word says so.

    Raises RecursionError for substitutions that are nested too deeply.
    """
    text = as_posix(source.file, source.text.replace("\r\n", "\n"))
    first = _read(source, text, set())
    # Only now is it known which variables a later line of a loop changes.
    return _read(source, text, first.uncertain) if first.uncertain else first


def _read(source: Source, text: str, uncertain: set[str]) -> Script:
    script = Script(uncertain=uncertain)
    variables = Variables(script)
    _Reader(source, text, 1, variables).run()
    for trap in script.traps:
        _Reader(source, trap.text, trap.at.line, variables.for_same_shell(), depth=1).run()
    # A library of functions calls none of them.
    for one in list(script.functions.values()):
        if not one.called:
            _Reader(source, one.body, one.line, variables.for_same_shell(), depth=1).run()
    return script


class _Reader(Cursor):
    """Reads one text; `line` is the number of its first line in the source, `depth` that of substitutions around it."""

    def __init__(
        self,
        source: Source,
        text: str,
        line: int,
        variables: Variables,
        *,
        depth: int = 0,
        lists: bool = False,
        args: list[str] | None = None,
        folder: str | None = ".",
        blocks: int = 0,
        scanning: bool = False,
    ) -> None:
        if depth > _DEEPEST:
            raise RecursionError
        super().__init__(text, line)
        self.source = source
        self.script, self.variables = variables.script, variables
        self.depth, self.lists = depth, lists
        self.variables.here = lambda: self.line(min(self.at, len(self.text)))
        self.shell = Shell(self.variables, args, folder, blocks, self._follow)
        # Those that end with the subshells around the place.
        self.folders: list[str | None] = []
        # While a function's end is looked for, nothing is taken from its body.
        self.scanning, self.braces, self.closed = scanning, 0, False
        self.jump: int | None = None
        self.word: list[str] | None = None
        # Whether the last expansion is the known output of a command.
        self.is_output = False
        self.is_pattern = False
        self.unclosed: Place | None = None
        self.begin = 0
        self.words: list[Word] = []

    def run(self) -> None:
        while self.at < len(self.text):
            self._read_next()
            if self.at >= len(self.text):
                self._end_command()
                self.at, self.jump = (self.at, None) if self.jump is None else (self.jump, None)

    def _read_next(self) -> None:
        char = self.text[self.at]
        continued = _CONTINUED.match(self.text, self.at)
        if continued:
            self.at = continued.end()
        elif char in " \t\r" or (self.lists and char == "\n"):
            self._end_word()
            self.at += 1
        elif char == "(" and self.word is not None and _ARRAY.fullmatch("".join(self.word)):
            self._read_array("".join(self.word))
        elif char == "(" and (self._read_function_definition() or self._read_arithmetic()):
            pass
        elif char in _BREAKS:
            self._read_separator(char)
        elif char == "#" and self.word is None:
            self.skip_comment()
        elif char in "<>":
            self._read_redirection()
        else:
            self._read_word_part(char)

    def _read_separator(self, char: str) -> None:
        self._end_command()
        if self.jump is not None:
            self.at, self.jump, self.shell.depends = self.jump, None, False
            return
        if char == "(":
            self.folders.append(self.shell.folder)
        elif char == ")" and self.folders:
            self.shell.folder = self.folders.pop()
        self.shell.end_command(self.text[self.at : self.at + 2])
        if char == "\n" and self.resume:
            self.at, self.resume = self.resume, 0
        else:
            self.at += 2 if self.shell.depends else 1

    def _read_word_part(self, char: str) -> None:
        if self.word is None:
            self.word, self.begin = [], self.at
        begin = self.at
        if char == "'":
            self.word.append(self.take_until("'"))
            self._check_closed(begin)
        elif self.text.startswith("$'", self.at):
            self.word.append(self.take_ansi_c())
            self._check_closed(begin)
        elif char == '"' or self.text.startswith('$"', self.at):
            # `$"…"` is translated by a script that has a catalog of messages.
            self.at += char == "$"
            self._read_quoted()
            self._check_closed(begin)
        elif (char == "$" and self._take_split_variable()) or (char == "{" and self._take_brace_expansion()):
            pass
        elif char in "$`":
            self.is_output = False
            made = self._read_expansion()
            if self.is_output and is_split(made) and not self._is_in_assignment():
                self._add_split(made)
            elif made or self.word:
                self.word.append(made)
            else:
                # Without quotes, nothing is no word.
                self.word = None
        else:
            self.is_pattern = self.is_pattern or char in "*?" or (char == "~" and not self.word)
            if char == "\\":
                self.at += 1
            self.word.append(self.text[self.at : self.at + 1])
            self.at += 1

    def _check_closed(self, begin: int) -> None:
        """Notes the quote that began at a place if the text ended before it was closed."""
        if self.at > len(self.text):
            self.unclosed = self.unclosed or self._place(begin, 1)
            self.script.unclosed = self.script.unclosed or self.unclosed

    def _read_quoted(self) -> None:
        assert self.word is not None
        self.at += 1
        while self.at < len(self.text) and self.text[self.at] != '"':
            char = self.text[self.at]
            if char == "\\" and self.text[self.at + 1 : self.at + 2] in ('"', "\\", "$", "`", "\n"):
                self.word.append(self.text[self.at + 1].replace("\n", ""))
                self.at += 2
            elif char == "$" and (self._take_array_items() or self._take_structured_variable()):
                pass
            elif char in "$`":
                self.word.append(self._read_expansion())
            else:
                self.word.append(char)
                self.at += 1
        self.at += 1

    def _read_redirection(self) -> None:
        if self.word is not None and "".join(self.word).isdigit():
            self.word = None
        self._end_word()
        here = self.take_here_document()
        if here:
            # It is data, not commands.
            line = self.line(here.start)
            self.shell.stdin = self._nested_reader(here.text, line).expand_text() if here.is_template else here.text
            return
        matched = _REDIRECTED.match(self.text, self.at)
        assert matched
        if matched["how"] in (">", ">>", ">|"):
            file, is_literal = matched["file"], matched["quote"] == "'"
            file = file if is_literal else self._nested_reader(file, self.line(self.at)).expand_text()
            self.shell.target = (file, matched["how"] == ">>")
        self.script.diversions += matched["how"][0] == ">"
        self.at = matched.end()

    def expand_text(self) -> str:
        """Returns the text with what the shell replaces in a here document, where quotes are none."""
        out: list[str] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in "$`":
                out.append(self._read_expansion())
                continue
            if char == "\\" and self.text[self.at + 1 : self.at + 2] in ("$", "`", "\\", "\n"):
                self.at += 1
                char = self.text[self.at].replace("\n", "")
            out.append(char)
            self.at += 1
        return "".join(out)

    def _nested_reader(self, text: str, line: int, **more: Any) -> _Reader:
        """Returns a reader of a text within this one, in the same shell."""
        return _Reader(
            self.source,
            text,
            line,
            more.pop("variables", None) or self.variables.for_same_shell(),
            depth=self.depth + 1,
            **{"args": self.shell.args, "folder": self.shell.folder, "scanning": self.scanning, **more},
        )

    # --- functions and loops ---

    def _read_function_definition(self) -> bool:
        """Takes `NAME() { … }`, whose body is read where it is called."""
        found = _DEFINED.match(self.text, self.at)
        name = "".join(self.word or ()) or (self.words[-1].text if self.words else "")
        bounded = self.script.characters <= _MOST_CHARACTERS
        if not found or self.scanning or not bounded or not re.fullmatch(r"[\w.:-]+", name):
            return False
        line = self.line(found.end())
        scanner = _Reader(
            self.source, self.text[found.end() :], line, Variables(Script()), depth=self.depth + 1, scanning=True
        )
        scanner.run_to_end_of_block()
        if not scanner.closed:
            # Each one that is never closed is looked for to the end of the script.
            self.script.characters += scanner.at
            return False
        body = self.text[found.end() : found.end() + scanner.at].strip()
        self.word, self.words = None, []
        self.script.functions[name] = Function(body.removeprefix("{").removesuffix("}"), line)
        self.at = found.end() + scanner.at
        return True

    def _read_arithmetic(self) -> bool:
        """Takes `(( … ))`."""
        found = _ARITHMETIC.match(self.text, self.at)
        if not found:
            return False
        for name in names_calculated(found[1]):
            self.variables.forget(name, "((")
        self.at = found.end()
        return True

    def run_to_end_of_block(self) -> None:
        """Reads up to the `}` that closes the `{` at the beginning."""
        self.braces = 0
        while self.at < len(self.text):
            self._read_next()
            if self.closed:
                return
        self._end_command()

    def _follow(self, text: str, line: int, **more: Any) -> bool:
        """Reads a text that is run in the place of a command. False if that would be too deep or too much."""
        self.script.calls += 1
        self.script.characters += len(text)
        bounded = self.script.calls <= _MOST_CALLS and self.script.characters <= _MOST_CHARACTERS
        if not bounded or self.depth >= _DEEPEST - 2 or self.scanning:
            return False
        reader = self._nested_reader(text, line, blocks=int(self.shell.is_conditional), **more)
        reader.run()
        self.shell.folder = reader.shell.folder
        return True

    def _begin_loop(self, words: list[Word]) -> None:
        """Takes `for NAME in WORDS` round by round, where all words are known and nothing leaves it before its end."""
        texts = [word.text for word in words[3:]]
        if self.scanning or len(words) < 4 or words[2].text != "in" or any(map(PLACEHOLDER.search, texts)):
            return
        self.script.rounds += len(texts)
        self.script.characters += len(self.text) * len(texts)
        bounded = self.script.rounds <= _MOST_ROUNDS and self.script.characters <= _MOST_CHARACTERS
        if not bounded or any(set(text) & set("*?[{~") for text in texts) or _LEAVES_LOOP.search(self.text, self.at):
            return
        self.variables.literals[words[1].text] = texts[0]
        self.shell.begin_rounds(Loop(words[1].text, texts[1:], self.at, self.shell.blocks))

    def _end_loop(self) -> None:
        """Goes back from `done` for the next word."""
        if self.shell.loops and self.shell.loops[-1].blocks == self.shell.blocks:
            loop = self.shell.loops.pop()
            if not loop.rest:
                return
            self.variables.literals[loop.name] = loop.rest[0]
            self.shell.loops.append(loop._replace(rest=loop.rest[1:]))
            # The `do` after it is read again, and its block is still open.
            self.jump = loop.at
            self.shell.open_block()

    # --- what the shell would replace ---

    def _take_split_variable(self) -> bool:
        """Takes an unquoted variable whose value is known to be several words, options or nothing, word by word."""
        if self._take_array_items():
            return True
        name, text, end = self._plain_variable()
        if text is None or self._is_in_assignment() or not is_split(text):
            return False
        self.at = end
        self._add_split(self.variables.expand_split(name, text))
        return True

    def _take_brace_expansion(self) -> bool:
        """Takes `NAME={a,b}` and `NAME={1..3}` as bash does: one word for each."""
        listed, counted = _BRACES.match(self.text, self.at), RANGE.match(self.text, self.at)
        found = listed or counted
        if not found or self._is_in_assignment():
            return False
        self.at = found.end()
        before, self.word = self.word or [], None
        items = listed[1].split(",") if listed else None
        if counted and _WORD_ENDS.match(self.text, self.at):
            items = expand_range(counted)
        if items is None:
            items = [self.variables.add("words", f"the words of `{found[0]}`")]
        self._add_words(["".join([*before, item]) for item in items], joined=True)
        return True

    def _take_structured_variable(self) -> bool:
        """Takes `"$NAME"` that holds an object, a list, a pair or the name of a file: its form says what is meant."""
        name, text, end = self._plain_variable()
        is_whole = not self.word and self.text[self.at - 1] == '"' and self.text.startswith('"', end)
        if text is None or not is_whole or not _STRUCTURED.match(text):
            return False
        self.at = end
        self.word = [self.variables.expand_split(name, text)]
        return True

    def _plain_variable(self) -> tuple[str, str | None, int]:
        """Returns the variable that `$NAME` or `${NAME}` here is, its value (None: not certain), and its end."""
        named = _PLAIN.match(self.text, self.at)
        if named is None:
            return "", None, self.at
        name = named["braced"] or named["name"]
        return name, self.variables.certain_value(name), named.end()

    def _take_array_items(self) -> bool:
        """Takes `${NAME[@]}` of a known array, or `$@` of a function that is called, item by item."""
        passed = _ALL_ARGUMENTS.match(self.text, self.at)
        if passed and self.shell.args is not None:
            self.at = passed.end()
            self._add_words(self.shell.args[max(int(passed["first"] or 1) - 1, 0) :], joined=True)
            return True
        if not self.text.startswith("${", self.at):
            return False
        before = self.at
        named = _ALL_ITEMS.fullmatch(self.take_enclosed("{", "}"))
        items = self.variables.arrays.get(named["name"]) if named else None
        if named is None or items is None or named["name"] in self.script.uncertain:
            self.at = before
            return False
        self.script.split.add(safe_name(named["name"]))
        # What is added to an empty array is known only when the script runs.
        self._add_words(items or [self.variables.add(named["name"], named[0])], joined=True)
        return True

    def _add_split(self, text: str) -> None:
        """Adds a text without quotes, word by word; spaces at its ends separate it from what is around it."""
        self._add_words(text.split(), joined=not text[:1].isspace())
        if text[-1:].isspace():
            self._end_word()

    def _add_words(self, pieces: Sequence[str], *, joined: bool) -> None:
        """Adds words; the first belongs to the word that has begun if they are `joined`."""
        begin = self.begin
        for number, piece in enumerate(pieces):
            if (number or not joined) and self.word:
                self._end_word()
            self.begin = begin
            self.word = [*(self.word or []), piece]
        if not pieces and not self.word:
            self.word = None

    def _is_in_assignment(self) -> bool:
        """Returns True if the word that has begun is an assignment, where nothing is split."""
        earlier = all(word.text in DECLARING | _LEADING or ASSIGNED.fullmatch(word.text) for word in self.words)
        return earlier and bool(self.word) and bool(ASSIGNED.match("".join(self.word or ())))

    def _read_array(self, begun: str) -> None:
        """Reads `NAME=( … )`."""
        assigned = _ARRAY.fullmatch(begun)
        assert assigned
        line = self.line(self.at)
        self.at -= 1
        reader = self._nested_reader(self.take_enclosed("(", ")"), line, lists=True)
        self.word = None
        name, more = assigned.groups()
        self.variables.assign_items(name, reader.items(), self.shell.reached, added=bool(more))

    def _read_expansion(self) -> str:
        if self.text[self.at] == "`" or self.text.startswith("$(", self.at):
            return self._read_substitution(
                self.take_until("`") if self.text[self.at] == "`" else self.take_enclosed("(", ")")
            )
        if self.text.startswith("${", self.at):
            return self._expand_braced(self.take_enclosed("{", "}"))
        named = _NAMED.match(self.text, self.at)
        if not named:
            self.at += 1
            return "$"
        self.at = named.end()
        return self.variables.refer(named["name"]) if named["name"] else self._positional(named["position"])

    def _positional(self, position: str) -> str:
        """Returns the value of `$1`, `$@` and the like."""
        if self.shell.args is not None and position in "123456789@*":
            return self._argument(position)
        return self.variables.add(f"arg{position}" if position.isdigit() else "args", f"${position}")

    def _argument(self, position: str) -> str:
        """Returns the value of `$1` or `$@` within a function that is called here."""
        assert self.shell.args is not None
        if position in "@*":
            return " ".join(self.shell.args)
        return self.shell.args[int(position) - 1] if int(position) <= len(self.shell.args) else ""

    def _read_substitution(self, command: str) -> str:
        if _COMMENT.fullmatch(command):
            return ""
        command = _REDIRECTED_ONLY.sub("cat ", command)
        line = self.line(self.at) - command.count("\n")
        before, diversions = len(self.script.commands), self.script.diversions
        if not command.startswith("("):
            # What is assigned in there ends with it.
            self._nested_reader(command, line, variables=self.variables.for_subshell()).run()
        # Output that goes elsewhere, or is joined by another IFS, is not known.
        is_plain = self.script.diversions == diversions and not self.variables.is_set("IFS")
        printed = output_of(self.script.commands[before:]) if is_plain else None
        self.script.diversions = diversions
        if printed is not None:
            self.is_output = True
            return printed
        shown = " ".join(command[:400].split())[:80]
        name = command if re.fullmatch(r"\w{1,80}", command) else "output"
        made = self.variables.add(name, f"the output of `{shown}`", fresh=bool(re.search(r"\bemr\s", command[:400])))
        holder = PLACEHOLDER.sub(r"\1", made)
        self.script.outputs[holder] = self.script.commands[before:]
        self.script.substitutions[holder] = command
        return made

    def _expand_braced(self, inner: str) -> str:
        simple = _BRACED.fullmatch(inner)
        if not simple:
            return self.variables.add(re.sub(r"\W.*", "", inner.lstrip("#!"), flags=re.DOTALL), f"${{{inner}}}")
        name, how = simple["name"], simple["how"]
        has_default = how in (":-", "-", ":=", "=")
        is_argument = name.isdigit() and name != "0" and self.shell.args is not None
        if is_argument and (has_default or how in ("", ":?", "?")):
            return self._argument(name) or (simple["word"] if has_default else "")
        name = f"arg{name}" if name.isdigit() else name
        # `[ -z "${NAME:-}" ]` asks whether there is a value: an empty one is not its default.
        is_asked = not simple["word"] and bool(self.words) and self.words[0].text in ("[", "[[", "test")
        is_known = not is_asked and not re.search(r"[$`'\"\\]", simple["word"])
        if has_default and is_known and name not in self.variables.texts:
            self.variables.texts[name] = simple["word"]
        elif how in (":+", "+"):
            return self.variables.add(name, f"${{{inner}}}")
        return self.variables.refer(name)

    # --- words and commands ---

    def _end_word(self) -> None:
        if self.word is not None:
            self.words.append(Word("".join(self.word), self._place(self.begin), self.unclosed, self.is_pattern))
            self.word, self.unclosed, self.is_pattern = None, None, False

    def _place(self, at: int, length: int | None = None) -> Place:
        """Returns the place of a part of the text, which is as long as the rest of its line without a length."""
        before = self.text.rfind("\n", 0, at)
        line = self.line(at)
        rest = max(len(self.source.line(line)) - at + before + 1, 1)
        return Place(self.source, line, at - before, rest if length is None else length)

    def items(self) -> list[str]:
        """Returns the texts of all words, as those of an array."""
        while self.at < len(self.text):
            self._read_next()
        self._end_word()
        return [word.text for word in self.words]

    def _end_command(self) -> None:
        self._end_word()
        is_local = bool(self.words) and self.words[0].text in ("local", "declare", "typeset")
        self.shell.run(self._strip_reserved_words(self.words), is_local=is_local)
        self.words = []

    def _strip_reserved_words(self, words: list[Word]) -> list[Word]:
        """Returns a command without the reserved words before it, which open and close branches and loops."""
        while words and words[0].text in _LEADING | _OPENING:
            first = words[0].text
            self.braces += (first == "{") - (first == "}")
            self.closed = first == "}" and self.braces == 0
            if first in _OPENING:
                self.shell.open_block()
                if first not in _LEADING:
                    if first == "for":
                        self._begin_loop(words)
                    return words
            if first in _CLOSING and self.shell.blocks > 0:
                if first == "done":
                    self._end_loop()
                self.shell.close_block()
            self.shell.take_reserved_word(first)
            words = words[1:]
        return words
