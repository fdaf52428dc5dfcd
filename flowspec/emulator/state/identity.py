"""Distinguishes a home folder from its copies.

A copy (backup, snapshot, container layer) has the records, pid files and cluster ids of the original, but the
processes that they name belong to the original, and must survive what is done in the copy. So each home has a random
id, stored with the device and inode of its folder: a copy has another inode or another device, and gets a new id.
Clusters carry the id of the home in which they were created.

Moving a home within its file system keeps the id. A device number that changes at a reboot gives it a new one; by
then no process of the home is left.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from flowspec.emulator.state.paths import identity_file, layout_lock, os_error_to_user_error
from flowspec.facts.files import locked


def home_id(home: Path) -> str:
    """Returns the id of a home, creating one for a new home or a copy. Raises FlowspecError."""
    try:
        known = known_home_id(home)
        if known is not None:
            return known
        with locked(layout_lock(home)):
            # Another process may have written it while we waited.
            return known_home_id(home) or _create(home)
    except OSError as error:
        raise os_error_to_user_error(home, error) from error


def known_home_id(home: Path) -> str | None:
    """Returns the id of a home, None if it is a copy or has none yet. Raises OSError."""
    try:
        stored = json.loads(identity_file(home).read_text())
        valid = [stored["device"], stored["inode"]] == _location(home)
        return str(stored["id"]) if valid else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        # Missing, or not written to the end by a process that was killed.
        return None


def _create(home: Path) -> str:
    device, inode = _location(home)
    created = secrets.token_hex(8)
    identity_file(home).touch(mode=0o600)
    identity_file(home).write_text(json.dumps({"id": created, "device": device, "inode": inode}))
    return created


def _location(home: Path) -> list[int]:
    found = home.stat()
    return [found.st_dev, found.st_ino]
