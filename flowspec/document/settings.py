"""Settings beside specs, in `flowspec.toml` or in `[tool.flowspec]` of `pyproject.toml`: severities of findings.

    [severity]             # in pyproject.toml: [tool.flowspec.severity]
    security = "warning"   # all security rules that are off by default
    FS222 = "error"        # one finding: error, warning, info or off

The nearest file counts, from the spec's folder up to the root of its repository.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from flowspec.document.catalog import CATALOG
from flowspec.document.nearest import did_you_mean
from flowspec.document.text.parse import conflict_in, read, tree_around, upwards
from flowspec.document.text.tree import Source
from flowspec.errors import Diagnostic, Severity, SpecError

SECURITY = ("FS611", "FS612", "FS613", "FS614", "FS615")
"""The rules of security (`flowspec.document.checking.rules.security`)."""

OFF = frozenset({"FS611", "FS612", "FS613", "FS615"})
"""The rules that report nothing without a setting, because many correct clusters break them."""

_SECTION = "severity"
_LEVELS: Mapping[str, Severity | None] = {**{one.value: one for one in Severity}, "off": None}


class Settings(NamedTuple):
    """The severity of each finding that has one of its own; None: it is not reported."""

    severities: Mapping[str, Severity | None] = dict.fromkeys(OFF)

    def reports(self, rule_id: str) -> bool:
        """Returns False if the findings of a rule that EMR does not enforce are not reported."""
        return self.severities.get(rule_id, Severity.INFO) is not None

    def applied(self, found: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
        """Yields findings with their severities. An error stays an error: settings can't allow what EMR refuses."""
        for one in found:
            if one.id not in self.severities or (one.severity is Severity.ERROR and one.id not in SECURITY):
                yield one
            elif level := self.severities[one.id]:
                yield replace(one, severity=level)


def settings_for(spec: Path) -> Settings:
    """Reads the settings that apply to a spec. Raises SpecError when the file is invalid."""
    for one in _folders(os.path.abspath(os.path.dirname(spec))):  # noqa: PTH100, PTH120 - as in `upwards`
        for name, section in (("flowspec.toml", ()), ("pyproject.toml", ("tool", "flowspec"))):
            file = os.path.join(one, name)  # noqa: PTH118
            if os.path.isfile(file) and (found := _read_once(file, section)) is not None:  # noqa: PTH113
                return found
    return Settings()


@lru_cache(maxsize=64)
def _folders(folder: str) -> tuple[str, ...]:
    """Returns a folder and those around it, up to the root of its repository; found once for all the specs in it."""
    folder = os.path.realpath(folder)
    root = tree_around(folder)
    return tuple(one for one in upwards(folder) if one.startswith(root))


def _read_once(file: str, section: tuple[str, ...]) -> Settings | None:
    """Reads a file again only when it has changed: parsing TOML takes a millisecond, as long as validating a spec."""
    state = os.stat(file)  # noqa: PTH116
    return _read(file, section, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=16)
def _read(file: str, section: tuple[str, ...], mtime: int, size: int) -> Settings | None:  # noqa: ARG001 - of the key
    """Returns the settings of a file; None when it has no such section."""
    source = read(file, "FS603")
    data: Any = _toml(source)
    for key in section:
        data = data.get(key) if isinstance(data, dict) else None
    if data is None:
        return None
    known = data.get(_SECTION, {}) if isinstance(data, dict) else None
    if not isinstance(known, dict) or set(data) - {_SECTION}:
        raise _invalid(source, f"the settings are a table `{_SECTION}`, and nothing else")
    out: dict[str, Severity | None] = dict.fromkeys(OFF)
    # The group first, so that one of its rules can have another severity.
    for id_, level in sorted(known.items(), key=lambda pair: pair[0] != "security"):
        if id_ != "security" and id_ not in CATALOG:
            raise _invalid(source, f"there is no finding {id_}", did_you_mean(id_, CATALOG))
        if level not in _LEVELS:
            raise _invalid(source, f"{id_} is {level!r}", f"one of {', '.join(_LEVELS)}")
        out |= dict.fromkeys(SECURITY if id_ == "security" else (id_,), _LEVELS[level])
    return Settings(out)


def _toml(source: Source) -> Any:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        if conflict := conflict_in(source, "FS603"):
            raise SpecError([conflict]) from None
        raise _invalid(source, f"not TOML: {error}") from None


def _invalid(source: Source, message: str, hint: str = "") -> SpecError:
    return SpecError([source.diagnostic("FS603", message, hint=hint)])
