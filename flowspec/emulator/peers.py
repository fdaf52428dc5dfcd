"""Finds the user of the process at the other end of a loopback connection (Linux).

Every user of a machine can connect to its loopback interface, and a client of the emulator can run programs as the
user who started it. The kernel lists the owner of each TCP socket in /proc/net/tcp and /proc/net/tcp6 (proc(5)).
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable
from pathlib import Path

Address = tuple[str, int]

# tcp6 has the sockets of clients that connect to ::ffff:127.0.0.1 (Java does by default).
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_MAPPED_PREFIX = "0000000000000000FFFF0000"
# Columns: local address, remote address, uid, inode.
_LOCAL, _REMOTE, _UID, _INODE = 1, 2, 7, 9


def can_identify_peers() -> bool:
    """Returns whether this system lists the owners of TCP sockets."""
    return _TABLES[0].is_file()


def uid_of_peer(client: Address, server: Address) -> int | None:
    """Returns the uid that owns the client's socket of an IPv4 connection; None if it is closed or not listed."""
    for table in _TABLES:
        try:
            with table.open(encoding="ascii") as lines:
                found = _find(lines, _encoded(client), _encoded(server))
        except FileNotFoundError:
            # tcp6, on a kernel without IPv6.
            continue
        if found is not None:
            return found
    return None


def _find(lines: Iterable[str], client: str, server: str) -> int | None:
    for line in lines:
        columns = line.split()
        if (_unmapped(columns[_LOCAL]), _unmapped(columns[_REMOTE])) == (client, server):
            # A socket that its process has closed has inode 0 and uid 0, whoever owned it: not root's.
            return int(columns[_UID]) if columns[_INODE] != "0" else None
    return None


def _unmapped(address: str) -> str:
    return address.removeprefix(_MAPPED_PREFIX)


def _encoded(address: Address) -> str:
    """Encodes an address as the tables do: the 32-bit word in host byte order, and the port, in hexadecimal."""
    word = int.from_bytes(socket.inet_aton(address[0]), sys.byteorder)
    return f"{word:08X}:{address[1]:04X}"
