"""A parsed shell script: its commands, as words with placeholders, its variables, files and functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from flowspec.document.text.tree import Place
from flowspec.importers.names import Names
from flowspec.importers.placeholders import PLACEHOLDER, Variable, placeholder_name, safe_name

# The environment of the AWS CLI, in the order in which it (2.x for the region) and botocore look at it.
REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
PROFILES = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")


class Word(NamedTuple):
    """A word as the shell hands it on, with placeholders, its place, and that of a quote in it that is never closed.

    `is_pattern` is True if it may stand for the names of files, or for a home folder.
    """

    text: str
    at: Place
    unclosed: Place | None = None
    is_pattern: bool = False


class Command(NamedTuple):
    """A command's words, AWS's variables that it is called with, and whether it is in a branch or a loop.

    `folder` is where it runs, relative to the folder of the script (None: unknown); `stdin` is the here document that
    it reads.
    """

    words: list[Word]
    environment: Mapping[str, str]
    conditional: bool = False
    folder: str | None = "."
    stdin: str | None = None


@dataclass
class Function:
    """A function of the script: its body, the line of it, and whether it was called."""

    body: str
    line: int
    called: bool = False


@dataclass
class Script:
    """Commands in the order in which they end (one within `$( )` before that around it), and the variables met.

    `outputs` gives for a variable that holds the output of commands what those commands are, and `substitutions` the
    text within its `$( )`; `texts` gives what was last assigned to each; `uncertain` names those that a branch or loop
    assigns, `forgotten` those that a command sets to what is not known, `split` those that were replaced by their
    words, and `notes` tell of assignments whose effect is not certain, by variable; `given` tells which the script's
    arguments set. `files` are those that the script writes, with what a here document puts into them (None: not
    known), `unclosed` is the place of the first quote that is never closed. The last members are of use while a script
    is read: its functions, what it does at its end (`trap`), how much was read more than once, and how often output
    was redirected or IFS was set.
    """

    commands: list[Command] = field(default_factory=list)
    names: Names = field(default_factory=Names)
    outputs: dict[str, list[Command]] = field(default_factory=dict)
    substitutions: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    uncertain: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)
    split: set[str] = field(default_factory=set)
    notes: dict[tuple[str, str], None] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)
    files: dict[str, str | None] = field(default_factory=dict)
    unclosed: Place | None = None
    functions: dict[str, Function] = field(default_factory=dict)
    traps: list[Word] = field(default_factory=list)
    rounds: int = 0
    calls: int = 0
    characters: int = 0
    diversions: int = 0

    @property
    def variables(self) -> dict[str, Variable]:
        """The variables met, by name."""
        return self.names.variables

    def aliases(self, text: str) -> Iterator[str]:
        """Yields the variable that is the whole text, the one that is the whole value of that, and so on, each once."""
        seen = set[str]()
        while (name := placeholder_name(text)) and name not in seen:
            seen.add(name)
            yield name
            text = self.texts.get(name, "")

    def single_value(self, name: str) -> str | None:
        """Returns the value of a variable to which the script gives one only; None without one."""
        text, known = self.texts.get(name), self.variables.get(name)
        if not text or known is None or name in self.uncertain:
            return None
        return text if text == known.default or placeholder_name(text) else None

    def note(self, name: str, text: str) -> None:
        """Adds a note on a variable, once; without a name it is one on any."""
        self.notes[name and safe_name(name), text] = None

    def notes_on(self, names: Iterable[str]) -> list[str]:
        """Returns the notes on these variables, on those that they are made of, and on those that were split."""
        known = follow_names([*names, *self.split], lambda name: PLACEHOLDER.findall(self.texts.get(name, "")))
        given = [text for name, text in self.given.items() if name in self.split]
        return [*(text for name, text in self.notes if not name or name in known), *given]


def follow_names(names: Iterable[str], names_in_value: Callable[[str], Iterable[str]]) -> set[str]:
    """Returns names of variables, and those that their values are made of, directly or through others."""
    known, found = set[str](), [*names]
    while found:
        name = found.pop()
        if name not in known:
            known.add(name)
            found += names_in_value(name)
    return known
