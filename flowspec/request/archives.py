"""A directory as an archive: the same bytes for the same content, on every machine.

The archive is a zip without compression, since what zlib makes of a text differs from version to
version. Names are sorted, times are 1980-01-01, and of the mode only "executable" is kept. Sizes and
checksums stand before the content: java.util.zip.ZipInputStream takes nothing else for stored members.

What `.flowspecignore` names is left out. It is read in the directory itself and beside the spec, and
has the patterns of gitignore that people know: `#` comments, `!` takes back, a trailing `/` means
directories, a `/` before or within starts at the file's own folder, `*`, `?`, `[…]` and `**`.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from flowspec.errors import FlowspecError

IGNORE_FILE = ".flowspecignore"
MAX_MEMBERS = 65_535
MAX_BYTES = (1 << 32) - 1
BLOCK = 1 << 20

# What says nothing about the content and differs from machine to machine.
_ALWAYS = (".git/", "__pycache__/", "*.pyc", ".DS_Store", IGNORE_FILE)


class PackingError(FlowspecError):
    """A directory can't be packed: the message says why."""


class Member(NamedTuple):
    """A file to pack: its name in the archive and where it is."""

    name: str
    path: Path


def members(folder: Path, beside: Path) -> tuple[Member, ...]:
    """The files of a directory, sorted by name; `beside` is the spec's folder.

    Raises PackingError for what is no file or has no name that can be written down, and OSError for what can't be read.
    """
    rules = [
        *(rule for line in _ALWAYS if (rule := _rule(line, folder))),
        *_rules(beside),
        *(_rules(folder) if folder != beside else ()),
    ]
    found = []
    for path in _files(folder, rules, ()):
        name = path.relative_to(folder).as_posix()
        if not name.isprintable():
            raise PackingError(f"a file in it has a name that can't be written down: {name!r}")
        found.append(Member(name, path))
        if len(found) > MAX_MEMBERS:
            raise PackingError(f"there are more than {MAX_MEMBERS} files in it")
    return tuple(sorted(found))


def _files(folder: Path, rules: list[_Rule], above: tuple[str, ...]) -> Iterator[Path]:
    here = os.path.realpath(folder)
    if here in above:
        raise PackingError(f"the link {folder.name} leads back to where it stands")
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        path = Path(entry.path)
        if _is_ignored(path, entry.is_dir(), rules):
            continue
        if entry.is_dir():
            yield from _files(path, rules, (*above, here))
        elif entry.is_file():
            yield path
        else:
            raise PackingError(f"{entry.name} in it is not a regular file")


# --- .flowspecignore ---


class _Rule(NamedTuple):
    folder: Path
    pattern: tuple[str, ...]
    takes_back: bool
    directories_only: bool


def _rules(folder: Path) -> list[_Rule]:
    try:
        lines = (folder / IGNORE_FILE).read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
    return [rule for line in lines if (rule := _rule(line, folder))]


def _rule(line: str, folder: Path) -> _Rule | None:
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    takes_back, text = text.startswith("!"), text.removeprefix("!")
    directories_only, text = text.endswith("/"), text.rstrip("/")
    start = () if "/" in text else ("**",)
    return _Rule(folder, (*start, *text.lstrip("/").split("/")), takes_back, directories_only)


def _is_ignored(path: Path, is_directory: bool, rules: Iterable[_Rule]) -> bool:
    ignored = False
    for rule in rules:
        meant = (is_directory or not rule.directories_only) and path.is_relative_to(rule.folder)
        if meant and _fits(path.relative_to(rule.folder).parts, rule.pattern):
            ignored = not rule.takes_back
    return ignored


def _fits(names: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Whether a path fits; all ways are followed at once, so that no pattern takes long."""
    states = _onward({0}, pattern)
    for name in names:
        stay = {at for at in states if pattern[at : at + 1] == ("**",)}
        step = {at + 1 for at in states - stay if at < len(pattern) and fnmatchcase(name, pattern[at])}
        states = _onward(stay | step, pattern)
    return len(pattern) in states


def _onward(states: set[int], pattern: tuple[str, ...]) -> set[int]:
    """`**` may also stand for nothing."""
    for at in range(len(pattern)):
        if at in states and pattern[at] == "**":
            states = states | {at + 1}
    return states


# --- zip ---

_UTF8 = 0x800
_UNIX_2_0 = 0x0314
_DAY_ONE = 0x21
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")


def packed(files: Iterable[Member]) -> Iterator[bytes]:
    """The bytes of the archive, block by block; no file is held in memory.

    Raises OSError for what can't be read and PackingError when it grows beyond 4 GiB or changes meanwhile.
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
    """The content of a file, a megabyte at a time."""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


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
