"""Installed packages that add kinds of steps, rules and importers, found by their entry points.

    [project.entry-points."flowspec.steps"]
    sqoop = "acme_flowspec.sqoop"        # type: sqoop; a module, or an object, as `StepPlugin`
    [project.entry-points."flowspec.rules"]
    owner = "acme_flowspec.owner:check"  # a function, as `RulePlugin`
    [project.entry-points."flowspec.importers"]
    ini = "acme_flowspec.ini"            # flowspec import --from ini; as `ImporterPlugin`

Their code also runs in `validate`, like that of any installed package that a program imports; a spec can't contain a
plugin. An exception in one becomes a FlowspecError that names it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

from flowspec.errors import FlowspecError

STEPS, RULES, IMPORTERS = "flowspec.steps", "flowspec.rules", "flowspec.importers"
_NEEDED = {STEPS: ("SCHEMA", "compile", "recognize"), RULES: (), IMPORTERS: ("recognizes", "read")}


class StepPlugin(Protocol):
    """A kind of step. `step` has the rendered `fields`, `file(key)` for staged files, and the `target`'s release.

    `SCHEMA` has the `properties` of its own keys, and which of them are `required`, in JSON Schema;
    `{"$ref": "#/$defs/text"}` is text, for which a plain scalar counts as it is written.
    """

    SCHEMA: Mapping[str, Any]

    def compile(self, step: Any, /) -> dict[str, Any]:
        """Returns the HadoopJarStep of a step of this kind."""

    def recognize(self, step: Mapping[str, Any], target: Any, /) -> dict[str, Any] | None:
        """Returns the keys of a step that compiles to this HadoopJarStep, for `import`; None when it is another."""


class Finding(NamedTuple):
    """A finding of a rule; `path` is the place in the spec, such as ("steps", 0, "name")."""

    path: tuple[str | int, ...]
    message: str
    hint: str = ""
    is_error: bool = False


RulePlugin: TypeAlias = "Callable[[Mapping[str, Any]], Iterable[Finding]]"
"""Gets a rendered spec as plain data, without values that the schema refuses; must not change it."""


class ImporterPlugin(Protocol):
    """Reads a format of its own."""

    def recognizes(self, name: str, text: str, /) -> bool:
        """Returns whether a file of this name with this text is of its format."""

    def read(self, text: str, folder: Path, /) -> Mapping[str, Any]:
        """Returns the parameters of RunJobFlow. Raises ValueError with what is wrong; `folder` is that of the file."""


@cache
def plugins(group: str) -> Mapping[str, Any]:
    """Returns the plugins of a group by their names. Raises FlowspecError for one that can't be loaded."""
    if not _is_any_installed():
        return {}
    from importlib.metadata import entry_points

    found: dict[str, Any] = {}
    for point in sorted(entry_points(group=group), key=lambda one: one.name):
        of = point.dist.name if point.dist else point.value
        with failing(group, f"{point.name} of {of}"):
            loaded = point.load()
            missing = [name for name in _NEEDED[group] if not hasattr(loaded, name)]
            if missing or not (_NEEDED[group] or callable(loaded)):
                raise TypeError(f"{point.value} has no {', '.join(missing)}" if missing else "it is not a function")
            if point.name in found:
                raise TypeError("another plugin has this name")
        found[point.name] = loaded
    return found


@contextmanager
def failing(group: str, name: str) -> Iterator[None]:
    """Turns exceptions of a plugin, except flowspec's own errors, into a FlowspecError that names the plugin."""
    try:
        yield
    except FlowspecError:
        raise
    except Exception as error:
        message = f"plugin {name} ({group}) fails: {type(error).__name__}: {error}"
        raise FlowspecError(message, remedy="fix, upgrade or uninstall its package") from error


def _is_any_installed() -> bool:
    """Returns True if an installed package may have an entry point of flowspec's.

    Reads what importlib.metadata would read. To import that takes 20 ms and more, a tenth of `flowspec validate`; this
    takes 1 ms for 100 packages.
    """
    return any(_has_entry_point(Path(folder or ".")) for folder in sys.path)


def _has_entry_point(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            names = [one.name for one in entries if one.name.endswith((".dist-info", ".egg-info"))]
    except OSError:
        return False
    for name in names:
        try:
            with open(f"{folder}/{name}/entry_points.txt", "rb") as file:  # noqa: PTH123 - a Path costs twice as much
                if b"[flowspec." in file.read():
                    return True
        except OSError:
            continue
    return False
