"""Writes the command lines that an output suggests."""

from __future__ import annotations

import shlex

from flowspec.backend.aws.client import Emr


def command_line(verb: str, emr: Emr, *arguments: str) -> str:
    """Returns a flowspec command about clusters, with the options that select their EMR; a spec may have set these."""
    settings = {"region": emr.region, "profile": emr.endpoint.profile, "endpoint_url": emr.endpoint.endpoint_url}
    used = {name: settings[name] for name in emr.backend.connection_settings}
    options = [word for name, value in used.items() if value for word in (f"--{name.replace('_', '-')}", value)]
    return shlex.join(["flowspec", verb, *arguments, *options])
