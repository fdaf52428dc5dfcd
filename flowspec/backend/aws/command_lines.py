"""Writes the commands and options that an output suggests."""

from __future__ import annotations

from dataclasses import replace

from flowspec.backend.aws.client import Emr
from flowspec.plan.command_lines import command_line_at


def command_line(verb: str, emr: Emr, *arguments: str) -> str:
    """Returns a flowspec command about clusters, with the options that select their EMR; a spec may have set these."""
    return command_line_at(replace(emr.endpoint, region=emr.region), verb, *arguments)


def aws_hint(emr: Emr) -> str:
    """Returns how to make a command look for clusters on AWS; "" if it did."""
    return "" if emr.endpoint.traits.on_aws else "give --region to look on AWS"
