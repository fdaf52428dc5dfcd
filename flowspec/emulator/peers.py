"""Finds the user of the process at the other end of a loopback connection (Linux).

Every user of a machine can connect to its loopback interface, and a client of the emulator can run programs as the user
who started it. The kernel reports the owner of one TCP socket by netlink (sock_diag(7)), which takes 0.1 ms. It lists
the owners of all in /proc/net/tcp and /proc/net/tcp6 (proc(5)), which takes 10 ms with 3,000 connections, many of them
recently closed.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

Address = tuple[str, int]

# tcp6 has the sockets of clients that connect to ::ffff:127.0.0.1 (Java does by default).
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_MAPPED_PREFIX = "0000000000000000FFFF0000"
# Columns: local address, remote address, uid, inode.
_LOCAL, _REMOTE, _UID, _INODE = 1, 2, 7, 9

# From linux/netlink.h, linux/sock_diag.h and linux/inet_diag.h: a header of messages (length, type, flags, sequence
# number, port); a request (family, protocol, two bytes, states); what names a socket (two ports, two addresses of 16
# bytes, an interface, a cookie of which all bits mean none); and what precedes and follows it in an answer.
_HEADER, _REQUEST = struct.Struct("=IHHII"), struct.Struct("=BBBBI")
_SOCKET = struct.Struct("=4s16s16sI8s")
_ANSWER = struct.Struct(f"=4x{_SOCKET.size}s12xII")
_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST = 4, 20, 1


def can_identify_peers() -> bool:
    """Returns whether this system lists the owners of TCP sockets."""
    return _TABLES[0].is_file()


def uid_of_peer(client: Address, server: Address) -> int | None:
    """Returns the uid that owns the client's socket of an IPv4 connection; None if it is closed or not listed."""
    found = _uid_by_netlink(client, server)
    return _uid_in_tables(client, server) if found is None else found


def _uid_by_netlink(client: Address, server: Address) -> int | None:
    """Asks for one socket; None where it is closed, or the kernel can't be asked (sandboxes, no module tcp_diag)."""
    ports = struct.pack("!HH", client[1], server[1])
    addresses = [socket.inet_aton(one).ljust(16, b"\0") for one, _ in (client, server)]
    request = _REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF)
    request += _SOCKET.pack(ports, *addresses, 0, b"\xff" * 8)
    header = _HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 0, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
            kernel.send(header + request)
            answer = kernel.recv(1 << 12)
    except (AttributeError, OSError):
        return None
    if len(answer) < _HEADER.size + _ANSWER.size or _HEADER.unpack_from(answer)[1] != _SOCK_DIAG_BY_FAMILY:
        return None
    named, uid, inode = _ANSWER.unpack_from(answer, _HEADER.size)
    # Where the socket is gone, the kernel answers with one that listens on its port, which has no remote port.
    return int(uid) if inode and named.startswith(ports) else None


def _uid_in_tables(client: Address, server: Address) -> int | None:
    for table in _TABLES:
        try:
            with table.open(encoding="ascii") as lines:
                found = _find(lines, _encode_address(client), _encode_address(server))
        except FileNotFoundError:
            # tcp6, on a kernel without IPv6.
            continue
        if found is not None:
            return found
    return None


def _find(lines: Iterable[str], client: str, server: str) -> int | None:
    for line in lines:
        columns = line.split()
        if (_without_ipv6_prefix(columns[_LOCAL]), _without_ipv6_prefix(columns[_REMOTE])) == (client, server):
            # A socket that its process has closed has inode 0 and uid 0, whoever owned it: not root's.
            return int(columns[_UID]) if columns[_INODE] != "0" else None
    return None


def _without_ipv6_prefix(address: str) -> str:
    return address.removeprefix(_MAPPED_PREFIX)


def _encode_address(address: Address) -> str:
    """Encodes an address as the tables do: the 32-bit word in host byte order, and the port, in hexadecimal."""
    word = int.from_bytes(socket.inet_aton(address[0]), sys.byteorder)
    return f"{word:08X}:{address[1]:04X}"
