"""A directory as an archive: the same bytes for the same content, on every machine.

The archive is a zip without compression, since the output of zlib differs from version to version. Names are sorted,
times are 1980-01-01, and of the mode only "executable" is kept. Sizes and checksums come before the content, because
java.util.zip.ZipInputStream requires this for stored members.

What `.flowspecignore` names is left out. It is read in the directory itself and beside the spec, and is written
as a .gitignore, whose rules pathspec knows. One differs: `!` takes back a file in a folder that is left out, too.
A folder named .git is never packed, nor is anything that a link leads to outside of the spec's repository.
"""

from __future__ import annotations

import os
import re
import struct
import warnings
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flowspec.document.rendering.patterns import re2_error
from flowspec.errors import FlowspecError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".flowspecignore"
# The limits of a zip without ZIP64 extensions: counts have 16 bits, sizes and offsets 32 bits.
MAX_MEMBERS = 65_535
MAX_BYTES = (1 << 32) - 1
BLOCK = 1 << 20

_MAX_IGNORE_FILE = 100_000  # characters
_GIT = ".git"
# Files that are not content, and that differ from machine to machine.
_DEFAULT_PATTERNS = ("__pycache__/", "*.pyc", ".DS_Store", IGNORE_FILE)


class PackingError(FlowspecError):
    """A directory can't be packed: the message says why, and `hint` is the remedy."""

    hint = f"leave it out by a {IGNORE_FILE}"


class IgnoreFileError(PackingError):
    """An ignore file can't be used: the message names it, and its line."""

    hint = "the lines are those of a .gitignore"


class OutsideError(PackingError):
    """A link in the directory leads to a file that must not be uploaded: the message names both."""


class Member(NamedTuple):
    """A file to pack: its name in the archive and where it is."""

    name: str
    path: Path


def is_inside(path: Path, tree: Path) -> bool:
    """Returns True if the real path of a path is below a folder, and not in a .git there."""
    real = Path(os.path.realpath(path))
    return real.is_relative_to(tree) and _GIT not in real.relative_to(tree).parts


def members(folder: Path, beside: Path, tree: Path | None = None) -> tuple[Member, ...]:
    """Returns the files of a directory, sorted by name; `beside` is the spec's folder.

    Links have to lead to something below `tree` (None: anywhere).

    Raises OutsideError if a link does not, IgnoreFileError for unusable patterns, PackingError for special files and
    names that can't be stored, and OSError for unreadable files.
    """
    rules = [_rules(folder, _DEFAULT_PATTERNS), *_rules_of(beside), *(_rules_of(folder) if folder != beside else ())]
    found = []
    for path in _Walk(rules, tree).files(folder, ()):
        name = path.relative_to(folder).as_posix()
        if not name.isprintable():
            raise PackingError(f"a file in it has a name that can't be written down: {name!r}")
        found.append(Member(name, path))
        if len(found) > MAX_MEMBERS:
            raise PackingError(f"there are more than {MAX_MEMBERS} files in it")
    return tuple(sorted(found))


class _Walk(NamedTuple):
    """A walk through a directory that skips the ignored files."""

    rules: Sequence[_Rules]
    tree: Path | None

    def files(self, folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
        here = os.path.realpath(folder)
        if here in above:
            raise PackingError(f"the link {folder.name} leads back to a folder that contains it")
        has_exceptions = any(rules.has_exceptions for rules in self.rules)
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
        for entry in listed:
            path = Path(entry.path)
            is_left_out = entry.name == _GIT or self._is_ignored(path, entry.is_dir())
            if is_left_out and not (has_exceptions and entry.is_dir() and entry.name != _GIT):
                continue
            if entry.is_symlink() and self.tree and not is_inside(path, self.tree):
                raise OutsideError(f"the link {entry.name} in it leads to {os.path.realpath(path)}")
            if entry.is_dir():
                yield from self.files(path, (*above, here))
            elif entry.is_file():
                yield path
            else:
                raise PackingError(f"{entry.name} in it is not a regular file")

    def _is_ignored(self, path: Path, is_directory: bool) -> bool:
        answers = (rules.excludes(path, is_directory) for rules in reversed(self.rules))
        return next((one for one in answers if one is not None), False)


# --- .flowspecignore ---


class _Rules(NamedTuple):
    """The patterns of one ignore file, about paths below its folder."""

    folder: Path
    patterns: GitIgnoreSpec

    @property
    def has_exceptions(self) -> bool:
        return any(one.include is False for one in self.patterns.patterns)

    def excludes(self, path: Path, is_directory: bool) -> bool | None:
        """Returns True if the last matching pattern excludes a path, False if it includes it; None without a match."""
        if not path.is_relative_to(self.folder):
            return None
        name = path.relative_to(self.folder).as_posix() + ("/" if is_directory else "")
        # A name need not be valid Unicode, but texts for RE2 must be.
        return self.patterns.check_file(name.encode("utf-8", "replace").decode()).include


def _rules_of(folder: Path) -> list[_Rules]:
    try:
        with (folder / IGNORE_FILE).open(encoding="utf-8", errors="replace") as file:
            text = file.read(_MAX_IGNORE_FILE + 1)
    except FileNotFoundError:
        return []
    if len(text) > _MAX_IGNORE_FILE:
        raise IgnoreFileError(f"{folder / IGNORE_FILE} has more than {_MAX_IGNORE_FILE:,} characters")
    return [_rules(folder, text.splitlines())]


def _rules(folder: Path, lines: Sequence[str]) -> _Rules:
    if patterns := _patterns(lines):
        return _Rules(folder, patterns)
    bad = next((number for number, line in enumerate(lines, 1) if not _patterns([line])), None)
    place = (
        f"{folder / IGNORE_FILE}:{bad}: {lines[bad - 1][:100]!r} is" if bad else f"{folder / IGNORE_FILE}: these are"
    )
    raise IgnoreFileError(f"{place} {'not a pattern of a .gitignore' if bad else 'too many patterns'}")


def _patterns(lines: Sequence[str]) -> GitIgnoreSpec | None:
    """Returns the patterns of these lines; None when they can't be used.

    They are matched by RE2, since Python's `re` needs exponential time for patterns such as `*a*a*a*a*a*b`.
    """
    from pathspec import GitIgnoreSpec

    with warnings.catch_warnings():
        # pathspec also compiles each pattern with `re`, which warns about `[[`.
        warnings.simplefilter("ignore", FutureWarning)
        try:
            return GitIgnoreSpec.from_lines(lines, backend="re2")
        except (ValueError, re.error, re2_error()):
            return None


# --- zip ---

# Words of the ZIP file format (APPNOTE): names are in UTF-8; attributes are of Unix, by version 2.0 of the format;
# 1980-01-01, the first day that a date of MS-DOS can be.
_UTF8 = 0x800
_UNIX_2_0 = 0x0314
_DAY_ONE = 0x21
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")


def packed(files: Iterable[Member]) -> Iterator[bytes]:
    """Yields the bytes of the archive, block by block; no file is held in memory.

    Raises OSError for unreadable files, and PackingError if the archive grows beyond 4 GiB or a file changes meanwhile.
    """
    offset, count, central = 0, 0, []
    for name, path in files:
        crc, size = _checksum(path)
        text = name.encode()
        if offset + size + len(text) + _LOCAL.size > MAX_BYTES:
            raise PackingError("it makes an archive of more than 4 GiB")
        common = (_UTF8, 0, 0, _DAY_ONE, crc, size, size, len(text), 0)
        mode = 0o100755 if path.stat().st_mode & 0o111 else 0o100644
        entry = _CENTRAL.pack(b"PK\1\2", _UNIX_2_0, 20, *common, 0, 0, 0, mode << 16, offset)
        central.append(entry + text)
        yield _LOCAL.pack(b"PK\3\4", 20, *common) + text
        yield from _content(path, size)
        offset += _LOCAL.size + len(text) + size
        count += 1
    listing = b"".join(central)
    yield listing + _END.pack(b"PK\5\6", 0, 0, count, count, len(listing), offset, 0)


def blocks(path: Path) -> Iterator[bytes]:
    """Yields the content of a file, a megabyte at a time."""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def hash_of(path: Path) -> str:
    """Returns the sha256 (hex) of a file's content."""
    import hashlib

    digest = hashlib.sha256()
    for block in blocks(path):
        digest.update(block)
    return digest.hexdigest()


def _checksum(path: Path) -> tuple[int, int]:
    crc = size = 0
    for block in blocks(path):
        crc, size = zlib.crc32(block, crc), size + len(block)
    return crc, size


def _content(path: Path, size: int) -> Iterator[bytes]:
    for block in blocks(path):
        size -= len(block)
        yield block
    if size:
        raise PackingError(f"{path.name} in it changes while it is read")
