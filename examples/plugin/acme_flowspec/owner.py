"""The rule that each flow has an owner."""

from flowspec.plugins import Finding


def check(spec):
    """Gets the rendered spec as plain data."""
    if "owner" not in spec.get("tags", {}):
        yield Finding(("tags",) if "tags" in spec else (), "nobody owns this flow", "give it a tag `owner`")
