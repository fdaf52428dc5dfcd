"""Reads requirements files of pip: what is asked for, where, and whether it can be packed without running anything.

Only wheels are packed: building a source distribution runs its code. So everything that needs a build (`-e`, folders,
repositories, sdists, `--no-binary`) is refused. `${NAME}` is also refused, since a file could use it to send an
environment variable anywhere. Source of the format: pip's "Requirements File Format".
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from flowspec.request.archives import is_inside

# Files of applications with hundreds of packages and their hashes have 200 kB.
_MAX_CHARACTERS = 4_000_000
# Files that include each other in pairs are read 2^n times; projects have some ten.
_MAX_FILES = 100
# The maximum number of findings, for a file that is not a requirements file.
_MAX_PROBLEMS = 20
# Characters of a requirement without its hashes; a name has some 100, a URL with its signature some 1,000.
_MAX_REQUIREMENT_LENGTH = 4_000
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+(?=@)")
# The look-behinds let a search begin once in a run of spaces: at each of them it took minutes for 300,000.
_COMMENT = re.compile(r"(^|(?<!\s)\s+)#.*$")
_VARIABLE = re.compile(r"\$\{\w+\}")
_HASH = re.compile(r"(?<!\s)\s+--hash[= ](\S+)")
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*):", re.IGNORECASE)

_CONSTRAINTS = ("-c", "--constraint")
_FILES = ("-r", "--requirement", *_CONSTRAINTS)
_VALUES = {
    "-i": "--index-url",
    "--index-url": "--index-url",
    "--extra-index-url": "--extra-index-url",
    "-f": "--find-links",
    "--find-links": "--find-links",
    "--trusted-host": "--trusted-host",
}
_SWITCHES = ("--no-index", "--pre", "--require-hashes", "--prefer-binary")
_RUNS_CODE = "only wheels are packed, since building a package runs its code"
_SETTINGS = ("--config-settings", "--config-setting", "--global-option", "--build-option", "--install-option")
_BUILT = ("-e", "--editable", "--no-binary", *_SETTINGS)
_BUILD_A_WHEEL = "build a wheel (python -m build --wheel), put it into a folder and add --find-links FOLDER"


class Problem(NamedTuple):
    """A requirement that can't be packed: `id` in the catalog, a message that begins with file:line, and a remedy."""

    id: str
    message: str
    hint: str = ""


class Entry(NamedTuple):
    """One requirement. `text` is what pip is given; `path` is a local wheel in place of one from an index.

    `place` is file:line. `is_pinned`: it allows one version only.
    """

    requirement: Requirement | None
    text: str
    hashes: tuple[str, ...]
    place: str
    is_pinned: bool
    path: Path | None = None

    @property
    def root(self) -> Requirement:
        """The parsed requirement; for a local wheel, a requirement of its name (PEP 427)."""
        return self.requirement or Requirement(self.path.name.partition("-")[0] if self.path else self.text)

    @property
    def name(self) -> str:
        """The name of the package, as indexes write it."""
        return canonical_name(self.root.name)

    def applies(self, environment: Mapping[str, str]) -> bool:
        """Returns True if the requirement's marker holds in an environment (PEP 508)."""
        marker = self.requirement.marker if self.requirement else None
        return marker is None or marker.evaluate({**environment, "extra": ""})


class Option(NamedTuple):
    """An option of pip: its long name, its value as it is written ("" for a switch), and the folder that it names."""

    name: str
    value: str = ""
    folder: Path | None = None


@dataclass(frozen=True)
class Requirements:
    """The content of a requirements file and of those that it includes. `files` are all files that were read."""

    path: Path
    entries: tuple[Entry, ...] = ()
    constraints: tuple[Entry, ...] = ()
    options: tuple[Option, ...] = ()
    files: tuple[Path, ...] = ()
    problems: tuple[Problem, ...] = field(default=(), compare=False)

    @property
    def wheels(self) -> tuple[Path, ...]:
        """The local wheels that may be packed, by name: those that are named, and those in folders."""
        named = {one.path for one in self.entries if one.path}
        folders = (one.folder for one in self.options if one.folder)
        found = {path for folder in folders for path in folder.glob("*.whl")}
        return tuple(sorted(named | found, key=lambda path: (path.name, str(path))))

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts that pip is given; they may have passwords in URLs."""
        return (*(one.value for one in self.options), *(one.text for one in (*self.entries, *self.constraints)))

    @property
    def is_offline(self) -> bool:
        """True if packages come from local folders only, whose content determines the versions."""
        links = [one for one in self.options if one.name == "--find-links"]
        return any(one.name == "--no-index" for one in self.options) and all(one.folder for one in links)

    @property
    def unpinned(self) -> tuple[Entry, ...]:
        """The requirements that may be packed in another version tomorrow."""
        return () if self.is_offline else tuple(one for one in self.entries if not one.is_pinned)


def without_credentials(text: str) -> str:
    """Returns the text with `***` for user and password in URLs."""
    return _CREDENTIALS.sub("***", text)


def credentials(text: str) -> Iterator[str]:
    """Yields user and password of the URLs in a text, together and each."""
    for found in _CREDENTIALS.findall(text):
        yield from filter(None, {found, *found.split(":")[1:]})


def read_requirements(path: Path, tree: Path) -> Requirements:
    """Reads a file and those that it includes, without running or asking anything.

    Files and wheels outside of `tree` are refused: findings quote lines. What is wrong is in `problems`.
    """
    reader = _Reader(path.parent, tree)
    reader.read(path, constraints=False, above=())
    return Requirements(
        path,
        tuple(reader.entries),
        tuple(reader.constraints),
        tuple(dict.fromkeys(reader.options)),
        tuple(dict.fromkeys(reader.files)),
        tuple(reader.problems),
    )


class _LineError(Exception):
    """A line that can't be used; the problem without its place."""

    def __init__(self, message: str, hint: str = "", id: str = "FS282") -> None:  # noqa: A002
        super().__init__(message)
        self.id, self.message, self.hint = id, message, hint


class _Reader:
    """Collects the content of the files; `root` is the folder that places are written relative to."""

    def __init__(self, root: Path, tree: Path) -> None:
        self.root, self.tree = root, tree
        self.entries: list[Entry] = []
        self.constraints: list[Entry] = []
        self.options: list[Option] = []
        self.files: list[Path] = []
        self.problems: list[Problem] = []

    def read(self, path: Path, *, constraints: bool, above: tuple[str, ...]) -> None:
        self.files.append(path)
        if len(self.files) > _MAX_FILES:
            raise OSError(f"{_MAX_FILES} files are included already")
        # Done once for the file: this saves a third of the time for 50,000 lines.
        shown, above = self._relative_name(path), (*above, os.path.realpath(path))
        for number, line in _lines(_read_text(path)):
            place = f"{shown}:{number}"
            if len(self.problems) >= _MAX_PROBLEMS:
                return
            try:
                self._process_line(line, path, place, constraints=constraints, above=above)
            except _LineError as refused:
                message = without_credentials(f"{place}: {refused.message}")
                self.problems.append(Problem(refused.id, message, refused.hint))

    def _relative_name(self, path: Path) -> str:
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)

    def _process_line(self, line: str, path: Path, place: str, *, constraints: bool, above: tuple[str, ...]) -> None:
        if found := _VARIABLE.search(line):
            hint = "give pip the index and its password by its own settings: PIP_INDEX_URL, pip.conf, a keyring"
            raise _LineError(f"{found[0]} is not replaced by a variable of the environment", hint)
        if not line.startswith("-"):
            self._add(line, path, place, constraints=constraints)
            return
        name, value = _split_option(line)
        if name in _BUILT:
            raise _LineError(f"{name} is not possible: {_RUNS_CODE}", _BUILD_A_WHEEL)
        if name in _FILES:
            self._include(self._local_path(value, path), constraints=constraints or name in _CONSTRAINTS, above=above)
        elif name in _VALUES:
            self.options.append(self._option_with_value(_VALUES[name], value, path))
        elif name in _SWITCHES and not value:
            self.options.append(Option(name))
        elif (name, value) != ("--only-binary", ":all:"):  # only wheels are packed anyway
            known = ", ".join(("-r", "-c", *dict.fromkeys(_VALUES.values()), *_SWITCHES))
            raise _LineError(f"the option {name} is not known here", f"these are: {known}")

    def _include(self, path: Path, *, constraints: bool, above: tuple[str, ...]) -> None:
        if os.path.realpath(path) in above:
            raise _LineError(f"{self._relative_name(path)} includes itself")
        try:
            self.read(path, constraints=constraints, above=above)
        except OSError as error:
            raise _LineError(
                f"{self._relative_name(path)} can't be read: {(error.strerror or str(error)).lower()}"
            ) from error

    def _local_path(self, text: str, path: Path) -> Path:
        if not text or "\0" in text or _URL.match(text):
            raise _LineError(f"'{text}' is not a local file", "copy it beside the spec")
        found = path.parent / text
        if not is_inside(found, self.tree):
            raise _LineError(f"'{text}' is outside of the spec's folder tree", f"that is {self.tree}", "FS407")
        return found

    def _option_with_value(self, name: str, value: str, path: Path) -> Option:
        if not value:
            raise _LineError(f"{name} has no value")
        if name == "--find-links" and value.lower().startswith("file:"):
            raise _LineError("a file: URL may be outside of the spec's folder tree", "name the folder by its path")
        if name != "--find-links" or _URL.match(value):
            return Option(name, value)
        folder = self._local_path(value, path)
        if not folder.is_dir():
            raise _LineError(f"there is no folder '{value}'", "put wheels into one")
        return Option(name, value, folder)

    def _add(self, line: str, path: Path, place: str, *, constraints: bool) -> None:
        hashes = tuple(sorted(_HASH.findall(line)))
        text = _HASH.sub("", line).strip()
        if len(text) > _MAX_REQUIREMENT_LENGTH:
            raise _LineError(
                f"more than {_MAX_REQUIREMENT_LENGTH:,} characters are not a requirement", "write it as NAME==VERSION"
            )
        entry = self._wheel(text, hashes, path, place) if _is_path(text) else _parse_requirement(text, hashes, place)
        (self.constraints if constraints else self.entries).append(entry)

    def _wheel(self, text: str, hashes: tuple[str, ...], path: Path, place: str) -> Entry:
        if not text.endswith(".whl"):
            raise _LineError(f"'{text}' would have to be built: {_RUNS_CODE}", _BUILD_A_WHEEL)
        wheel = self._local_path(text, path)
        if not wheel.is_file():
            raise _LineError(f"there is no file '{text}'")
        return Entry(None, text, hashes, place, True, wheel)


def _parse_requirement(text: str, hashes: tuple[str, ...], place: str) -> Entry:
    if _URL.match(text) or re.match(r"\S+\s+--", text):
        raise _LineError(f"'{text}' does not name a package", f"write it as NAME==VERSION; {_RUNS_CODE}")
    try:
        found = Requirement(text)
        # A marker may be well-formed and still have no value here: one on `extras`, or os_name ~= "b".
        if found.marker:
            found.marker.evaluate({"extra": ""})
    except (InvalidRequirement, UndefinedComparison, UndefinedEnvironmentName) as error:
        reason = str(error).splitlines()[0]
        raise _LineError(f"'{text}' is not a requirement: {reason}", "write it as NAME==VERSION") from None
    if found.url and found.url.lower().startswith("file:"):
        raise _LineError("a file: URL may be outside of the spec's folder tree", "name the wheel by its relative path")
    if found.url and not found.url.partition("#")[0].endswith(".whl"):
        raise _LineError(f"'{found.url}' is not a wheel: {_RUNS_CODE}", "name a .whl, or NAME==VERSION")
    versions = list(found.specifier)
    is_pinned = any(one.operator in ("==", "===") and not one.version.endswith(".*") for one in versions)
    return Entry(found, _without_marker(found), hashes, place, is_pinned or bool(found.url))


def _without_marker(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{f' @ {requirement.url}' if requirement.url else requirement.specifier}"


def canonical_name(name: str) -> str:
    """Returns the name of a package as indexes compare it (PEP 503)."""
    return canonicalize_name(name)


def _is_path(text: str) -> bool:
    return text.startswith((".", "/", "~", "file:")) or (text.endswith(".whl") and "@" not in text)


def _split_option(line: str) -> tuple[str, str]:
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise _LineError(f"{line.split(maxsplit=1)[0]}: {error}".lower()) from None
    name, equals, value = words[0].partition("=")
    if not name.startswith("--") and len(name) > len("-r"):
        # -rother.txt
        name, value = name[:2], name[2:]
    rest = words[1:]
    if not equals and not value and rest:
        value, *rest = rest
    if rest:
        raise _LineError(f"{name} is followed by more than its value", "one option in a line")
    return name, value


def _read_text(path: Path) -> str:
    mode = path.stat().st_mode
    # Reading a pipe would wait for its writer.
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError("not a regular file")
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        text = file.read(_MAX_CHARACTERS + 1)
    if len(text) > _MAX_CHARACTERS:
        raise OSError(f"more than {_MAX_CHARACTERS:,} characters")
    return text


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yields the lines that are not empty, joined and without comments, with the numbers of their first lines."""
    parts: list[str] = []
    begins = 0
    for number, line in enumerate(text.splitlines(), 1):
        begins = begins if parts else number
        is_joined = line.endswith("\\") and not _COMMENT.match(line)
        parts.append(line[:-1] if is_joined else line)
        if is_joined:
            continue
        # A comment in a joined line ends it, as in pip.
        whole = _COMMENT.sub("", " ".join(parts)).strip()
        parts = []
        if whole:
            yield begins, whole
    if whole := _COMMENT.sub("", " ".join(parts)).strip():
        yield begins, whole


# --- what installed packages need in turn ---


class Package(NamedTuple):
    """An unpacked package: its canonical name, version, and what it requires (Requires-Dist), one a line."""

    name: str
    version: str
    requires: tuple[str, ...]

    @classmethod
    def of(cls, name: str, version: str, requires: Sequence[str]) -> Package:
        """Returns a package of this name as its metadata writes it."""
        return cls(canonical_name(name), version, tuple(requires))


def missing_packages(
    roots: Sequence[Requirement], packages: Mapping[str, Package], environment: Mapping[str, str]
) -> tuple[list[str], set[str]]:
    """Returns the requirements that no package meets in an environment, and the names of the packages that are needed.

    pip evaluates markers for the Python that runs it, whatever --python-version says. Those of `roots` do not count.
    """
    missing: list[str] = []
    seen: set[tuple[str, frozenset[str]]] = set()
    queue = [*roots]
    while queue:
        requirement = queue.pop()
        name, extras = canonical_name(requirement.name), frozenset(requirement.extras)
        package = packages.get(name)
        if package is None or not requirement.specifier.contains(package.version, prereleases=True):
            missing.append(_without_marker(requirement))
        elif (name, extras) not in seen:
            seen.add((name, extras))
            queue += _dependencies_of(package, extras, environment)
    return sorted(set(missing)), {name for name, _ in seen}


def _dependencies_of(package: Package, extras: frozenset[str], environment: Mapping[str, str]) -> Iterator[Requirement]:
    for text in package.requires:
        one = Requirement(text)
        marker = one.marker
        if marker is None or any(marker.evaluate({**environment, "extra": extra}) for extra in ("", *extras)):
            yield one
