"""A request without its secrets, for digests that others may see: those in tags and in plan files.

Whoever can guess a secret can confirm the guess by its digest: all the rest of the request can be read, and a password
out of a list of a million is found in a second. There is no key to hide it with, either, which two machines that apply
one spec would both have. So a secret counts only by 12 bits of its own digest: a changed one is missed once in 4,096
times, and of a million guesses some 240 remain. They depend on the secret alone, not on what surrounds it: of a
hundred requests with one secret, none tells more than the first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from flowspec.document.masking import mask

# In hexadecimal digits, of 4 bits each.
_DIGEST_LENGTH = 3
# Members of KerberosAttributes, secret whether the spec says so or not.
_PASSWORDS = ("KdcAdminPassword", "CrossRealmTrustPrincipalPassword", "ADDomainJoinPassword")


def public_form(params: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Any]:
    """Returns the parameters with their secrets masked, and 12 bits of the digest of each secret that is in them."""
    found = sorted(one for one in {*secrets, *_passwords(params)} if mask(params, {one}) != params)
    digests = {hashlib.sha256(one.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH] for one in found}
    return {"params": mask(params, found), "secrets": sorted(digests)}


def _passwords(params: Mapping[str, Any]) -> Iterator[str]:
    attributes = params.get("KerberosAttributes") or {}
    yield from (attributes[name] for name in _PASSWORDS if attributes.get(name))
