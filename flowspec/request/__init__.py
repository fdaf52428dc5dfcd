"""JobFlow -> the parameters of RunJobFlow, and the local files they speak of.

    compile     JobFlow -> Request: pure but for reading the local files that are to be hashed
    decompile   the parameters of RunJobFlow -> the text of a spec that compiles to them (a package of its own)

A request says exactly what the spec says, in the API's words; its digest is its identity.
"""

from __future__ import annotations

from flowspec.request.assets import Asset
from flowspec.request.compile import Request, compile

__all__ = ["Asset", "Request", "compile"]
