"""Writes the extracts of botocore's service models beside this file.

python -m flowspec.backend.aws.models.extract
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from flowspec.backend.aws.models.loader import MODELS

OPERATIONS = {
    "ec2": ("DescribeInstanceTypeOfferings", "DescribeKeyPairs", "DescribeSecurityGroups", "DescribeSubnets"),
    "iam": ("GetInstanceProfile", "GetRole", "ListAttachedRolePolicies", "SimulatePrincipalPolicy"),
}
"""The operations that `Emr.ask` calls, of the services whose model is large."""


def extract(model: Mapping[str, Any], operations: tuple[str, ...]) -> dict[str, Any]:
    """Returns what clients need of a service model for some operations: no documentation, and no enum, which botocore
    does not check.
    """
    kept = {name: model["operations"][name] for name in operations}
    names = {name for one in kept.values() for name in _shape_names(one, model["shapes"], set())}
    shapes = {name: model["shapes"][name] for name in sorted(names)}
    part = {"version": "2.0", "metadata": model["metadata"], "operations": kept, "shapes": shapes}
    return {name: _without_documentation(one) for name, one in part.items()}


def _shape_names(part: Any, shapes: Mapping[str, Any], seen: set[str]) -> Iterator[str]:
    """Yields the names of the shapes that a part of a model refers to, and of those that they refer to."""
    if isinstance(part, list):
        for one in part:
            yield from _shape_names(one, shapes, seen)
    if not isinstance(part, Mapping):
        return
    name = part.get("shape")
    if isinstance(name, str) and name not in seen:
        seen.add(name)
        yield name
        yield from _shape_names(shapes[name], shapes, seen)
    for one in part.values():
        yield from _shape_names(one, shapes, seen)


def _without_documentation(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_documentation(one) for one in part]
    if not isinstance(part, Mapping):
        return part
    # Members may have these names, too: their values are mappings.
    return {
        key: _without_documentation(one)
        for key, one in part.items()
        if key not in {"documentation", "enum"} or isinstance(one, Mapping)
    }


def main() -> None:
    """Writes a file for each service."""
    from botocore.loaders import Loader

    loader = Loader()
    for service, operations in OPERATIONS.items():
        folder = MODELS / service / loader.determine_latest_version(service, "service-2")
        folder.mkdir(parents=True, exist_ok=True)
        model = extract(loader.load_service_model(service, "service-2"), operations)
        (folder / "service-2.json").write_text(json.dumps(model, indent=1) + "\n")


if __name__ == "__main__":
    main()
