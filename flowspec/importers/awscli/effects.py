"""The effects of a script's commands on the shell: assignments, builtins, files that are written, functions called."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from posixpath import basename, isabs, join
from typing import NamedTuple

from flowspec.importers.awscli.conditions import MOST_WORDS, outcome
from flowspec.importers.awscli.parsed import PROFILES, REGIONS, Command, Word
from flowspec.importers.awscli.paths import follow_path
from flowspec.importers.awscli.variables import Reached, Variables
from flowspec.importers.placeholders import PLACEHOLDER, placeholder_name

ASSIGNED = re.compile(r"(?P<name>[A-Za-z_]\w*)(?P<more>\+?)=(?P<value>.*)", re.DOTALL | re.ASCII)
DECLARING = {"export", "local", "readonly", "declare", "typeset", "env"}
# What `(( ))` and `let` assign, and an assignment to one item of an array.
_CALCULATED = re.compile(
    r"(?:\+\+|--)\s*([A-Za-z_]\w*)|([A-Za-z_]\w*)\s*(?:\+\+|--|(?:[-+*/%&|^]|<<|>>)?=(?!=))", re.ASCII
)
_ITEM_ASSIGNED = re.compile(r"([A-Za-z_]\w*)\[[^]]*\]\+?=.*", re.DOTALL | re.ASCII)
# What is in a condition that asks whether a variable has a value: `-z "$NAME"`, `"$NAME" = ""`.
_ASKS_FOR_VALUE = frozenset({"-z", "-n", ""})
_READING = {"read", "mapfile", "readarray"}
_COPYING = {"cp", "mv", "ln", "install", "rsync", "sponge"}
_SAVING = ("-o", "-O", "--output", "--output-document")
# Options that take a value, as -M of perl and -f of sed, are not among the letters before it.
_IN_PLACE = re.compile(r"-[aEnlprsuwz0-9]*i.*|--in-place.*")


class Loop(NamedTuple):
    """A loop over known words: its variable, the words to come, where its body begins, and the blocks around it."""

    name: str
    rest: list[str]
    at: int
    blocks: int


class Shell:
    """The state of a shell at a place of its script.

    `args` are those of the function that is called, `folder` is where commands run (None: not known), `blocks` the
    number of branches and loops that are open, `loops` those of them that are read round by round; `depends` says
    whether the command depends on the one before it (&&, ||). `stdin` is the here document that the command reads,
    `target` the file that it writes and whether it appends. `follow` reads a text that is run in the place of a
    command; it returns False if that would be too deep or too much.
    """

    def __init__(
        self,
        variables: Variables,
        args: list[str] | None,
        folder: str | None,
        blocks: int,
        follow: Callable[..., bool],
    ) -> None:
        self.script, self.variables = variables.script, variables
        self.args, self.folder, self.blocks = args, folder, blocks
        self.loops: list[Loop] = []
        self.depends = False
        self.negated, self.in_condition = False, False
        # Of the blocks, and of what stands before && or ||: whether it is run with the defaults of all variables.
        self._outcomes: list[bool | None] = [None] * blocks
        self._dependence: bool | None = None
        self._result: bool | None = None
        self.stdin: str | None = None
        self.target: tuple[str, bool] | None = None
        self._follow = follow

    @property
    def reached(self) -> Reached:
        """The way in which an assignment at the place is reached."""
        return Reached(self.is_conditional, self.is_default)

    @property
    def is_conditional(self) -> bool:
        """True in a branch, in a loop that is not read round by round, and after && and ||."""
        return self.blocks > len(self.loops) or self.depends

    @property
    def is_default(self) -> bool | None:
        """True if the place is reached with the defaults of all variables, False if not; None: not known."""
        outcomes = [*self._outcomes, *([self._dependence] if self.depends else [])]
        return False if False in outcomes else None if None in outcomes else True

    def open_block(self) -> None:
        """Begins a branch or a loop."""
        self.blocks += 1
        self._outcomes.append(None)

    def close_block(self) -> None:
        """Ends the innermost branch or loop."""
        self.blocks -= 1
        self._outcomes.pop()

    def begin_rounds(self, loop: Loop) -> None:
        """Makes a loop of the innermost block that is read round by round."""
        self.loops.append(loop)
        self._outcomes[-1] = True

    def take_reserved_word(self, word: str) -> None:
        """Follows a reserved word of a branch: its condition begins or ends, or it is the other branch."""
        self.negated = word == "!" and not self.negated
        if word in ("if", "then"):
            self.in_condition = word == "if"
        elif word in ("else", "elif") and self._outcomes:
            before = self._outcomes[-1]
            self._outcomes[-1] = None if before is None or word == "elif" else not before

    def end_command(self, operator: str) -> None:
        """Follows what stands after a command: &&, ||, or any other end."""
        depended, self.depends = self.depends, operator in ("&&", "||")
        if not self.depends:
            self._result = None
            return
        self._dependence = None if depended or self._result is None else self._result == (operator == "&&")
        if self.in_condition:
            self._outcomes[-1], self.in_condition = None, False

    def _note_result(self, words: list[Word]) -> None:
        """Keeps whether a command succeeds with the defaults of all variables, where that is known."""
        given = [word.text for word in words[: MOST_WORDS + 1]]
        texts = [self.variables.text_by_default(one) for one in given]
        if _ASKS_FOR_VALUE.intersection(given):
            texts = [self._text_if_unset(one) if text is None else text for one, text in zip(given, texts, strict=True)]
        found = None if None in texts else outcome([text or "" for text in texts])
        self._result = not found if self.negated and found is not None else found
        if self.in_condition and self._outcomes:
            self._outcomes[-1] = self._result

    def _text_if_unset(self, text: str) -> str | None:
        name = placeholder_name(text)
        return "" if name and self.variables.has_no_value(name) else None

    def run(self, words: list[Word], *, is_local: bool) -> None:
        """Carries out a command; one that is not the shell's own is kept. `is_local`: it declares local variables."""
        if words:
            self._note_result(words)
        self.negated = False
        rest, given, exported = self._apply_assignments(words, is_local=is_local)
        if rest and not exported and not self._run_builtin(rest) and not self._call_function(rest):
            self._record_command(rest, given)
        self._note_file(rest)
        self.stdin, self.target = None, None

    def _apply_assignments(self, words: list[Word], *, is_local: bool) -> tuple[list[Word], dict[str, str], bool]:
        """Applies the assignments before a command.

        Returns the words of the command, the variables that it alone is given, and True where they are exported or
        declared, which makes arguments of all words after it.
        """
        given: dict[str, str] = {}
        # What comes before a command applies to that command only.
        calls = any(word.text not in DECLARING and not ASSIGNED.fullmatch(word.text) for word in words)
        exported = False
        while words and (words[0].text in DECLARING or ASSIGNED.fullmatch(words[0].text)):
            assigned = ASSIGNED.fullmatch(words[0].text)
            exported = exported or words[0].text in DECLARING - {"env"}
            if assigned and (exported or not calls):
                self._assign(words[0], is_local=is_local)
            elif assigned:
                given[assigned["name"]] = assigned["value"]
            words = words[1:]
            while exported and words and words[0].text.startswith("-"):
                words = words[1:]
        return words, given, exported

    def _record_command(self, words: list[Word], given: dict[str, str]) -> None:
        """Records a command for the import, with the variables of AWS that are in force for it."""
        environment = {
            name: self.variables.refer(name) if name in self.script.uncertain else text
            for name in (*REGIONS, *PROFILES)
            if (text := given.get(name, self.variables.texts.get(name))) is not None
        }
        self.script.commands.append(Command(words, environment, self.is_conditional, self.folder, self.stdin))

    def _assign(self, word: Word, *, is_local: bool) -> None:
        assigned = ASSIGNED.fullmatch(word.text)
        assert assigned
        # What a function assigns in a subshell ends with its call, too.
        local = self.args is not None and (is_local or self.variables.is_subshell)
        name, more, value = assigned.groups()
        self.script.diversions += name == "IFS"
        self.variables.assign(name, value, self.reached, added=bool(more), local=local)

    def _run_builtin(self, words: list[Word]) -> bool:
        """Applies what a builtin of the shell does to the commands after it. Returns False for another command."""
        first = words[0].text
        if first == "cd":
            self._change_folder(words)
        elif first == "eval":
            text = " ".join(self.variables.resolve(word.text) for word in words[1:])
            if not self._follow(text, words[0].at.line) or PLACEHOLDER.fullmatch(text):
                self._note_unread(words[0], "what `eval` runs there is not imported")
        elif first == "trap" and len(words) > 2 and {"EXIT", "0"} & {word.text for word in words[2:]}:
            self.script.traps.append(words[1])
        elif first == "shift" and self.args and not self.is_conditional:
            self.args = self.args[int(words[1].text) if len(words) > 1 and words[1].text.isdigit() else 1 :]
        elif first == "read" and self.stdin is not None and words[-1].text.isidentifier():
            self.variables.texts[words[-1].text] = self.script.texts[words[-1].text] = self.stdin.strip()
        elif first in ("source", ".") and len(words) > 1:
            file = PLACEHOLDER.sub(r"${\1}", self._path(words[1].text) or words[1].text)
            remedy = "put its text in the place of this line"
            self._note_unread(words[0], f"{file} is not read, so what it sets is not imported: {remedy}")
        else:
            self._note_variables_set(words)
            return False
        return True

    def _note_variables_set(self, words: list[Word]) -> None:
        """Notes which variables a builtin of the shell sets to what is not known here, or unsets."""
        first = words[0].text
        if first == "unset":
            for word in words[1:]:
                self.script.note(word.text, f"line {word.at.line}: ${word.text} is unset; check its value")
        for name in _names_set(words):
            # A loop over known words gives its variable one of them after the other.
            if first != "for" or name not in self.variables.literals:
                self.variables.forget(name, first.partition("=")[0])

    def _note_unread(self, at: Word, text: str) -> None:
        """Adds a note on commands that are not read, any of which may set a variable."""
        self.script.note("", f"line {at.at.line}: {text}")

    def _change_folder(self, words: list[Word]) -> None:
        """Carries out `cd FOLDER`, if each run of the script goes to the same folder below or beside its own."""
        to = words[1].text if len(words) > 1 else "~"
        name, is_filled = follow_path(self.script, to, self.folder)
        unknown = name is None or is_filled or isabs(name) or PLACEHOLDER.search(name) or to[:1] in "~-"
        self.folder = None if unknown or (self.is_conditional and name != self.folder) else name

    def _call_function(self, words: list[Word]) -> bool:
        """Reads the body of a function where it is called. False for another command."""
        function = self.script.functions.get(words[0].text)
        if not function:
            return False
        if "emr" in [word.text for word in words]:
            # A function that runs the command it is given (`run aws emr …`), or stands in for `aws` itself.
            function.called = True
            return False
        if not self._follow(function.body, function.line, args=[word.text for word in words[1:]]):
            return False
        function.called = True
        return True

    def _note_file(self, words: list[Word]) -> None:
        """Keeps what a command writes into a file, where it is a here document; else, that it is written."""
        first, *rest = [word.text for word in words] or [""]
        changed = filter(None, map(self._path, _files_changed(first, rest)))
        self.script.files |= dict.fromkeys(changed)
        tee = [one for one in rest if not one.startswith("-")] if first == "tee" else []
        target, more = self.target or (tee[0] if tee else "", False)
        name = self._path(target) if target else None
        if name is None:
            return
        text = self.stdin if first in ("cat", "tee") and len(rest) == len(tee) else None
        old = self.script.files.get(name, "") if more else ""
        known = text is not None and old is not None and not self.is_conditional
        self.script.files[name] = f"{old}{text}" if known else None

    def _path(self, text: str) -> str | None:
        return follow_path(self.script, text, self.folder).name


def _names_set(words: list[Word]) -> list[str]:
    """Returns the names of what may be variables whose values a builtin of the shell sets."""
    first, *rest = [word.text for word in words]
    if first in ("for", "select"):
        return rest[:1]
    if first == "let":
        return names_calculated(" ".join(rest))
    if first == "printf":
        return rest[1:2] if rest[:1] == ["-v"] else []
    item = _ITEM_ASSIGNED.fullmatch(first)
    return [item[1]] if item else rest if first in _READING else []


def names_calculated(text: str) -> list[str]:
    """Returns the names of the variables that an arithmetic expression assigns."""
    return [before or after for before, after in _CALCULATED.findall(text)]


def _files_changed(program: str, args: list[str]) -> list[str]:
    """Returns the files that a command writes because its arguments name them: copies, and texts changed in place."""
    names = [one for one in args if not one.startswith("-")]
    if program in ("sed", "perl"):
        return names if any(map(_IN_PLACE.fullmatch, args)) else []
    if program in ("curl", "wget"):
        return [file for option, file in pairwise(args) if option in _SAVING]
    if program == "aws" and names[:2] == ["s3", "cp"]:
        program, names = "cp", names[2:4]
    if program not in _COPYING or not names:
        return []
    return [names[-1], *(join(names[-1], basename(one)) for one in names[:-1])]
