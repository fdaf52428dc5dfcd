"""Secrets that would be uploaded by mistake: private keys and AWS credentials in files to be staged.

Sources: RFC 7468 (the text form of private keys), the IAM user guide ("Understanding unique ID
prefixes": AKIA and ASIA are access keys; a secret access key has 40 characters of base64).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# A secret can stand across two blocks; none of the patterns is longer than this.
_OVERLAP = 512

_PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_SECRET = rb"([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"
_NAMED = re.compile(
    rb"(?:secret[._-]?(?:access)?[._-]?key|aws[._-]?secret)[\w.-]{0,20}[\"']?\s{0,4}[:=]\s{0,4}[\"']?" + _SECRET,
    re.IGNORECASE,
)
_WITH_ID = re.compile(rb"(?<![A-Za-z0-9])A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])[^\0]{0,200}?(?<![A-Za-z0-9/+])" + _SECRET)

# What has to be there for a pattern to match: looking for it is many times as fast.
_PATTERNS = (
    ((b"PRIVATE KEY",), _PRIVATE_KEY, "a private key"),
    ((b"ecret", b"ECRET"), _NAMED, "an AWS secret access key"),
    ((b"AKIA", b"ASIA"), _WITH_ID, "an AWS access key with its secret"),
)


def find_secret(blocks: Iterable[bytes]) -> str:
    """What secret there is in a file's content, and in which line; "" when none is found."""
    tail, line = b"", 1
    for block in blocks:
        text = tail + block
        for words, pattern, what in _PATTERNS:
            match = _first(pattern, text) if any(word in text for word in words) else None
            if match:
                line += text.count(b"\n", 0, match.start())
                return f"{what}, in line {line}"
        tail = text[-_OVERLAP:]
        line += text.count(b"\n", 0, len(text) - len(tail))
    return ""


def _first(pattern: re.Pattern[bytes], text: bytes) -> re.Match[bytes] | None:
    """The first match that is not one of the documentation's, or a row of x."""
    for match in pattern.finditer(text):
        secret = match[1] if pattern.groups else b""
        if not pattern.groups or (b"EXAMPLE" not in match[0] and len(set(secret)) > 9):
            return match
    return None
