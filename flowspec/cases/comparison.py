"""Compares expected with actual output, and writes the actual output as the expected one."""

from __future__ import annotations

import bz2
import gzip
import os
import shutil
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import diff_bytes, unified_diff
from itertools import zip_longest
from pathlib import Path

from flowspec.errors import number_of
from flowspec.facts.files import replace_file

# The number of shown lines of a difference, of missing lines, and of extra lines.
_SHOWN, _LISTED = 12, 5
# Lines after the first wrong one that are compared closely: difflib takes quadratic time.
_WINDOW, _BEFORE = 60, 2
_WIDEST = 160
_OPENERS = {".gz": gzip.decompress, ".bz2": bz2.decompress}
_PACKERS: dict[str, Callable[[bytes], bytes]] = {".gz": lambda text: gzip.compress(text, mtime=0), ".bz2": bz2.compress}


def difference(expected: Path, actual: Path, *, in_any_order: bool) -> str:
    """Returns how an output differs from the expected file or folder, "" when it does not. Raises OSError.

    A folder is compared with a folder file by file, a file with all the files of the output in the order of their
    names. With `in_any_order` the lines of all files are compared as a multiset.
    """
    if not actual.exists():
        return "there is no such output"
    if in_any_order:
        return _difference_of_lines(_all_lines(expected), _all_lines(actual))
    if expected.is_dir():
        return _difference_of_folders(expected, actual)
    return _difference_of_texts(_joined_content(expected), _joined_content(actual))


def write_expected(expected: Path, actual: Path, *, in_any_order: bool) -> None:
    """Makes an expected file or folder like an output; each file is written whole or not at all. Raises OSError.

    A new one is a file if its name has a suffix; otherwise a folder if the output is a folder.
    """
    if expected.is_dir() and actual.is_file() and not in_any_order:
        shutil.rmtree(expected)
    is_file = expected.is_file() or (not expected.exists() and (bool(expected.suffix) or actual.is_file()))
    if is_file:
        text = (
            b"".join(sorted(line + b"\n" for line in _all_lines(actual))) if in_any_order else _joined_content(actual)
        )
        _write(expected, _PACKERS.get(expected.suffix, bytes)(text))
        return
    old, new = _files(expected), _files(actual)
    for name in old.keys() - new.keys():
        old[name].unlink()
    for name, path in new.items():
        if (expected / name).is_dir():  # without data by now
            shutil.rmtree(expected / name)
        _write(expected / name, path.read_bytes())
    if not new:
        # git keeps no empty folder.
        _write(expected / ".gitkeep", b"")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(Path(os.path.realpath(path)), content)  # a link stays one


def _files(path: Path) -> dict[str, Path]:
    """Returns the data files of an output by their names in it, sorted, without Hadoop's own files (_SUCCESS)."""
    if not path.is_dir():
        return {path.name: path} if path.exists() else {}
    found = {}
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if _is_data(name)]
        for name in filter(_is_data, names):
            file = Path(folder, name)
            found[file.relative_to(path).as_posix()] = file
    return dict(sorted(found.items()))


def _is_data(name: str) -> bool:
    # As Hadoop's FileInputFormat reads a folder (hiddenFileFilter).
    return not name.startswith(("_", "."))


def _joined_content(path: Path) -> bytes:
    return b"".join(_read_content(file) for file in _files(path).values())


def _all_lines(path: Path) -> list[bytes]:
    """Returns the lines of all files: the last one of a file may have no newline at its end."""
    return [line for file in _files(path).values() for line in _lines(_read_content(file))]


def _read_content(file: Path) -> bytes:
    data = file.read_bytes()
    try:
        return _OPENERS[file.suffix](data) if file.suffix in _OPENERS else data
    except (OSError, EOFError, ValueError, zlib.error):
        # The file is damaged, or only its name is that of a compressed file.
        return data


def _lines(text: bytes) -> list[bytes]:
    return text.removesuffix(b"\n").split(b"\n") if text else []


def _difference_of_folders(expected: Path, actual: Path) -> str:
    wanted, found = _files(expected), _files(actual)
    if not actual.is_dir():
        return "it is a file, a folder is expected"
    differences = [f"there is no {_printable(os.fsencode(name))}" for name in wanted if name not in found]
    differences += [f"{_printable(os.fsencode(name))} is not expected" for name in found if name not in wanted]
    for name in [name for name in wanted if name in found]:
        text = _difference_of_texts(_read_content(wanted[name]), _read_content(found[name]))
        if text:
            return "\n".join([*_limit_lines(differences), f"{_printable(os.fsencode(name))}: {text}"])
    return "\n".join(_limit_lines(differences))


def _difference_of_texts(wanted: bytes, found: bytes) -> str:
    if wanted == found:
        return ""
    ours, theirs = _lines(wanted), _lines(found)
    first = next((at for at, (one, two) in enumerate(zip_longest(ours, theirs)) if one != two), None)
    if first is None:
        cut = "output" if wanted.endswith(b"\n") else "expected file"
        return f"the {cut} has no newline at its end"
    start = max(0, first - _BEFORE)
    diff = _diff(ours[start : first + _WINDOW], theirs[start : first + _WINDOW])
    if first < min(len(ours), len(theirs)) and _printable(ours[first]) == _printable(theirs[first]):
        # They are long, or one has the escape of a byte as its text.
        at = next(at for at, (one, two) in enumerate(zip_longest(ours[first], theirs[first])) if one != two)
        diff.insert(0, f"  the lines are shown alike: they differ from byte {at + 1} on")
    counts = (
        f"{_number_of_lines(ours)} expected, {len(theirs)} found"
        if len(ours) != len(theirs)
        else _number_of_lines(ours)
    )
    return "\n".join([f"differs from line {first + 1} on ({counts})", *_limit_lines(diff, _SHOWN)])


def _diff(ours: Sequence[bytes], theirs: Sequence[bytes]) -> list[str]:
    shown = list(diff_bytes(unified_diff, [*ours], [*theirs], n=_BEFORE, lineterm=b""))[2:]
    return [f"  {chr(line[0])}{_printable(line[1:])}" for line in shown if not line.startswith(b"@@")]


def _difference_of_lines(wanted: Iterable[bytes], found: Iterable[bytes]) -> str:
    ours, theirs = Counter(wanted), Counter(found)
    if ours == theirs:
        return ""
    missing, added = sorted((ours - theirs).elements()), sorted((theirs - ours).elements())
    differences = [f"{_number_of_lines(missing)} missing, {len(added)} not expected"]
    differences += _limit_lines([f"  -{_printable(line)}" for line in missing], _LISTED)
    differences += _limit_lines([f"  +{_printable(line)}" for line in added], _LISTED)
    return "\n".join(differences)


def _number_of_lines(lines: Sequence[object]) -> str:
    return number_of(len(lines), "line")


def _limit_lines(lines: Iterable[str], most: int = _SHOWN) -> Iterator[str]:
    listed = list(lines)
    yield from listed[:most]
    if len(listed) > most:
        yield f"  … and {len(listed) - most} more"


def _printable(line: bytes) -> str:
    """Returns a line for people, without control characters except tabs, which such data often contains."""
    text = line.decode("utf-8", "backslashreplace")
    shown = "".join(char if char.isprintable() or char == "\t" else repr(char)[1:-1] for char in text[:_WIDEST])
    return f"{shown}…" if len(text) > _WIDEST else shown
