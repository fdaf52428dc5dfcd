"""The table of the friendlier shapes."""

from __future__ import annotations

from collections.abc import Mapping

from flowspec.request.shapes import applications, bootstrap_actions, configurations, instance_groups, steps, tags
from flowspec.request.shapes.shape import Shape

SHAPES: Mapping[str, Shape] = {
    "applications": applications,
    "bootstrap_actions": bootstrap_actions,
    "configurations": configurations,
    "instance_groups": instance_groups,
    "steps": steps,
    "tags": tags,
}
"""The module of each shape, by the schema's `x-shape`."""
