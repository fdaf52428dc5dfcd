"""Writes the flowspec commands that outputs suggest, so that they work when they are copied."""

from __future__ import annotations

import shlex
from typing import Protocol

from flowspec.facts.backends import Traits


class Place(Protocol):
    """An EMR, as a job flow or an endpoint names it; it has an attribute for each of its connection settings."""

    @property
    def traits(self) -> Traits:
        """The properties of its backend."""


def command_line_at(place: Place, verb: str, *arguments: str) -> str:
    """Returns a flowspec command with the options that select this EMR."""
    used = {name: getattr(place, name) for name in place.traits.connection_settings}
    options = [word for name, value in used.items() if value for word in (f"--{name.replace('_', '-')}", value)]
    # Without any of these options, a command looks for an id or a name on this machine.
    if place.traits.on_aws and not options:
        options = ["--backend", "emr"]
    return shlex.join(["flowspec", verb, *arguments, *options])
