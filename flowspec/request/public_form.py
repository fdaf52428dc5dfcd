"""A request without its secrets, for digests that others may see: those in tags and in plan files.

With a digest of the request, anyone could check guesses of a secret: the rest of the request is readable, and a
password from a list of a million is found in a second. A key is not possible, because two machines that apply one spec
would both need it. So only 12 bits of a secret's own digest are included: a changed secret is missed once in 4,096
times, and of a million guesses some 240 remain. These bits depend only on the secret, so a hundred requests with the
same secret reveal no more than one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from flowspec.document.masking import mask

# In hexadecimal digits, of 4 bits each.
_DIGEST_LENGTH = 3
# Members of KerberosAttributes that are always secret.
_PASSWORDS = ("KdcAdminPassword", "CrossRealmTrustPrincipalPassword", "ADDomainJoinPassword")


def public_form(params: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Any]:
    """Returns the parameters with their secrets masked, and 12 bits of the digest of each secret that is in them."""
    found = sorted(one for one in {*secrets, *_passwords(params)} if mask(params, {one}) != params)
    digests = {hashlib.sha256(one.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH] for one in found}
    return {"params": mask(params, found), "secrets": sorted(digests)}


def _passwords(params: Mapping[str, Any]) -> Iterator[str]:
    attributes = params.get("KerberosAttributes") or {}
    yield from (attributes[name] for name in _PASSWORDS if attributes.get(name))
