"""The forms of the ids of clusters and steps, which distinguish an id from a name; names of roles in ARNs.

Source of the ids: the examples of EMR's API reference (j-3TVXXXXXXX7UG, s-2SGI252SQ5YT); it states no length.
"""

from __future__ import annotations

import re

CLUSTER_ID = re.compile(r"j-[0-9A-Z]+")
STEP_ID = re.compile(r"s-[0-9A-Z]+")


def role_name(given: str) -> str:
    """Returns the name of a role or instance profile that is given by name or ARN, which ends with it behind a path."""
    return given.rpartition("/")[2]
