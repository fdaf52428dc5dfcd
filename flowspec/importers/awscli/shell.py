"""The text of a shell script -> its commands, as lists of words, with placeholders where the shell would put a value.

Nothing is run and no environment is read. Quotes, comments, continued lines, here documents and redirections
are understood as POSIX's Shell Command Language (chapter 2) has them; what a loop or a function does is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from flowspec.document.tree import Place, Source
from flowspec.importers.decompile.placeholders import PLACEHOLDER, Variable, placeholder, safe_name, substitute

_ASSIGNED = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<value>.*)", re.DOTALL | re.ASCII)
_DECLARING = {"export", "local", "readonly", "declare", "typeset", "env"}
_CONTINUED = re.compile(r"\\[ \t]*\r?\n")
_NAMED = re.compile(r"\$(?:(?P<name>[A-Za-z_]\w*)|(?P<position>[0-9@*#?!$-]))", re.ASCII)
_BRACED = re.compile(r"(?P<name>[A-Za-z_]\w*|[0-9])(?P<how>:?[-=?+]|$)(?P<word>.*)", re.DOTALL | re.ASCII)
_HEREDOC = re.compile(
    r"<<-?[ \t]*(['\"]?)(?P<end>\w+)\1[^\n]*\n(?P<body>.*?)^\t*(?P=end)[ \t]*$", re.DOTALL | re.MULTILINE
)
_REDIRECTED = re.compile(r"[<>]{1,3}[&|]?[ \t]*[^\s;|&()]*")
_BREAKS = "\n;&|()"


class Word(NamedTuple):
    """A word as the shell hands it on, with placeholders, and its place."""

    text: str
    at: Place


@dataclass
class Script:
    """Commands in the order in which they end (one within `$( )` before that around it), and the variables met."""

    commands: list[list[Word]] = field(default_factory=list)
    variables: dict[str, Variable] = field(default_factory=dict)


def parse(source: Source) -> Script:
    """The commands of a script. Raises nothing: a quote that is never closed reaches to the end."""
    script = Script()
    _Reader(source, source.text.replace("\r\n", "\n"), 1, script, {}).run()
    return script


class _Reader:
    """Reads one text; `line` is the number of its first line in the source, `values` what was assigned so far."""

    def __init__(self, source: Source, text: str, line: int, script: Script, values: dict[str, str | None]) -> None:
        self.source, self.text, self.first, self.script, self.values = source, text, line, script, values
        self.at = 0
        self.word: list[str] | None = None
        self.begin = 0
        self.words: list[Word] = []

    def run(self) -> None:
        while self.at < len(self.text):
            self._step()
        self._end_command()

    def _step(self) -> None:
        char = self.text[self.at]
        continued = _CONTINUED.match(self.text, self.at)
        if continued:
            self.at = continued.end()
        elif char in " \t\r":
            self._end_word()
            self.at += 1
        elif char in _BREAKS:
            self._end_command()
            self.at += 1
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
        document = _HEREDOC.match(self.text, self.at)
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

    # --- what the shell would replace ---

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
        """What stands in the brackets that begin after the `$` here."""
        depth, at, quote = 0, self.at + 1, ""
        while at < len(self.text):
            char = self.text[at]
            if quote:
                quote = "" if char == quote else quote
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
        line = self.first + self.text.count("\n", 0, self.at) - command.count("\n")
        if not command.startswith("("):
            _Reader(self.source, command, line, self.script, self.values).run()
        shown = " ".join(command.split())[:80]
        return self._made(command if re.fullmatch(r"\w+", command) else "output", f"the output of `{shown}`")

    def _braced(self, inner: str) -> str:
        simple = _BRACED.fullmatch(inner)
        if not simple:
            return self._made(re.sub(r"\W.*", "", inner.lstrip("#!"), flags=re.DOTALL), f"${{{inner}}}")
        name, how = simple["name"], simple["how"]
        name = f"arg{name}" if name.isdigit() else name
        if (
            how in (":-", "-", ":=", "=")
            and self.values.get(name) is None
            and not re.search(r"[$`'\"\\]", simple["word"])
        ):
            self.values[name] = simple["word"]
        elif how in (":+", "+"):
            return self._made(name, f"${{{inner}}}")
        return self._variable(name)

    def _variable(self, name: str) -> str:
        known = safe_name(name)
        rules = {} if known == name else {"description": f"${name} of the script"}
        self.script.variables.setdefault(known, Variable(default=self.values.get(name), rules=rules))
        return placeholder(known)

    def _made(self, name: str, description: str) -> str:
        """A variable for what has no name in the script, or one already taken."""
        rules = {"description": description}
        stem, number = safe_name(name), 1
        known = stem
        while known in self.script.variables and self.script.variables[known].rules != rules:
            number += 1
            known = f"{stem}_{number}"
        self.script.variables.setdefault(known, Variable(rules=rules))
        return placeholder(known)

    # --- words and commands ---

    def _end_word(self) -> None:
        if self.word is not None:
            before = self.text.rfind("\n", 0, self.begin)
            line = self.first + self.text.count("\n", 0, self.begin)
            at = Place(
                self.source, line, self.begin - before, max(len(self.source.line(line)) - self.begin + before + 1, 1)
            )
            self.words.append(Word("".join(self.word), at))
            self.word = None

    def _end_command(self) -> None:
        self._end_word()
        words = self.words
        while words and (words[0].text in _DECLARING or _ASSIGNED.fullmatch(words[0].text)):
            self._assign(words[0].text)
            words = words[1:]
        if words:
            self.script.commands.append(words)
        self.words = []

    def _assign(self, text: str) -> None:
        assigned = _ASSIGNED.fullmatch(text)
        if not assigned:
            return
        known = {name: one.default for name, one in self.script.variables.items() if one.default is not None}
        value = substitute(assigned["value"], known)
        self.values[assigned["name"]] = None if PLACEHOLDER.search(value) else value
