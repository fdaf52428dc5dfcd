"""The parameters of RunJobFlow -> a spec that a person would have written: `flowspec import`.

    read        a file of JSON -> the parameters
    decompile   parameters -> Decompiled: the text of a spec that compiles to exactly these parameters

A spec is only handed out when it has proved itself: it is loaded, rendered, validated and compiled, and
what comes of it is compared with the request. What the spec's own words can't say goes to `api_params`.
"""

from __future__ import annotations

from flowspec.request.decompile.draft import Decompiled, decompile
from flowspec.request.decompile.holes import Wanted
from flowspec.request.decompile.reading import read

__all__ = ["Decompiled", "Wanted", "decompile", "read"]
