"""Scans files to be staged for secrets that would be uploaded by mistake: private keys and AWS credentials.

Sources: RFC 7468 (the text form of private keys), the IAM user guide ("Understanding unique ID
prefixes": AKIA and ASIA are access keys; a secret access key has 40 characters of base64).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# Forty random characters of base64 have at most nine different ones with a probability of 2e-24; fillers have few.
_MIN_CHARACTERS = 9
# Bytes of a block that are scanned again with the next one, for a secret across both; no pattern is longer.
_OVERLAP = 512

_PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_SECRET = rb"([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"
_NAMED = re.compile(
    rb"(?:secret[._-]?(?:access)?[._-]?key|aws[._-]?secret)[\w.-]{0,20}[\"']?\s{0,4}[:=]\s{0,4}[\"']?" + _SECRET,
    re.IGNORECASE,
)
_WITH_ID = re.compile(rb"(?<![A-Za-z0-9])A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])[^\0]{0,200}?(?<![A-Za-z0-9/+])" + _SECRET)

# Each pattern with words that a match contains: `in` is many times faster than a search for the pattern.
_PATTERNS = (
    ((b"PRIVATE KEY",), _PRIVATE_KEY, "a private key"),
    ((b"ecret", b"ECRET"), _NAMED, "an AWS secret access key"),
    ((b"AKIA", b"ASIA"), _WITH_ID, "an AWS access key with its secret"),
)


def find_secret(blocks: Iterable[bytes]) -> str:
    """Finds the first secret in a file's content; returns its kind and line, or "" when there is none."""
    tail, line = b"", 1
    for block in blocks:
        text = tail + block
        for words, pattern, what in _PATTERNS:
            match = _first_real_match(pattern, text) if any(word in text for word in words) else None
            if match:
                line += text.count(b"\n", 0, match.start())
                return f"{what}, in line {line}"
        tail = text[-_OVERLAP:]
        line += text.count(b"\n", 0, len(text) - len(tail))
    return ""


def _first_real_match(pattern: re.Pattern[bytes], text: bytes) -> re.Match[bytes] | None:
    """Returns the first match that is neither AWS's documented example (…EXAMPLE…) nor filler, such as a row of x."""
    for match in pattern.finditer(text):
        secret = match[1] if pattern.groups else b""
        if not pattern.groups or (b"EXAMPLE" not in match[0] and len(set(secret)) > _MIN_CHARACTERS):
            return match
    return None
