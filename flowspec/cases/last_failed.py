"""Remembers which cases failed in the last run, in the user's state folder, for `--last-failed`."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from flowspec.emulator.state.paths import os_error_to_user_error, prepare
from flowspec.facts.files import locked, replace_file
from flowspec.facts.folders import state_folder

_FILE = "failed-cases.json"


def last_failed() -> frozenset[str]:
    """Returns the real paths of the case.yaml files that failed when they were run last."""
    with _locked() as file:
        return _read(file)


def remember(ran: Collection[Path], failed: Collection[Path]) -> None:
    """Notes which of the cases that were run failed; the others are remembered as they are."""
    with _locked() as file:
        kept = _read(file) - {os.path.realpath(one) for one in ran}
        text = json.dumps(sorted(kept | {os.path.realpath(one) for one in failed}), indent=1)
        replace_file(file, text.encode("utf-8", "surrogateescape"))


def _read(file: Path) -> frozenset[str]:
    try:
        return frozenset(json.loads(file.read_text("utf-8", "surrogateescape")))
    except (FileNotFoundError, ValueError, TypeError):
        return frozenset()


@contextmanager
def _locked() -> Iterator[Path]:
    """Yields the file while no other process changes it. Raises FlowspecError when the folder can't be used."""
    folder = state_folder()
    prepare(folder)
    try:
        with locked(folder / f"{_FILE}.lock"):
            yield folder / _FILE
    except OSError as error:
        raise os_error_to_user_error(folder, error) from error
