"""Writes the flowspec commands that outputs suggest, so that they work when they are copied."""

from __future__ import annotations

import shlex
from typing import Protocol

from flowspec.facts.backends import Traits


class Place(Protocol):
    """The place of clusters, as a job flow or an endpoint has it."""

    @property
    def traits(self) -> Traits:
        """The properties of its backend."""

    @property
    def region(self) -> str | None:
        """Its AWS region."""

    @property
    def profile(self) -> str | None:
        """The AWS profile to reach it with."""

    @property
    def endpoint_url(self) -> str | None:
        """The URL that takes its calls, if it is not AWS's."""


def command_line_at(place: Place, verb: str, *arguments: str) -> str:
    """Returns a flowspec command with the options that select the EMR of `place`."""
    used = {name: getattr(place, name) for name in place.traits.connection_settings}
    options = [word for name, value in used.items() if value for word in (f"--{name.replace('_', '-')}", value)]
    # For an id or a name without any of them, this machine is looked at.
    if place.traits.on_aws and not options:
        options = ["--backend", "emr"]
    return shlex.join(["flowspec", verb, *arguments, *options])
