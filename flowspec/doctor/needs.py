"""Reads from a request what a spec needs of this machine and of AWS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flowspec.document.job_flow import JobFlow
from flowspec.engines import engine_of, unsupported
from flowspec.facts.ids import role_name
from flowspec.facts.uris import is_s3, split_s3
from flowspec.request.compile import Request


class Needs(NamedTuple):
    """The needs of a spec; without one, `on_aws` is None and nothing is needed.

    `engines` run its steps on this machine, and `refused` are the steps that none can run, with the reason. `roles`
    and `profiles` are names in IAM, `buckets` those that its files and logs go to.
    """

    on_aws: bool | None = None
    engines: frozenset[str] = frozenset()
    refused: tuple[tuple[str, str], ...] = ()
    roles: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()

    @classmethod
    def of(cls, flow: JobFlow, request: Request) -> Needs:
        """Returns what a flow needs on its target's backend. Sends no calls and reads no state."""
        params = request.params
        on_aws = flow.traits.on_aws
        if not on_aws:
            jars = [(one["Name"], _jar(one["HadoopJarStep"])) for one in params.get("Steps", ())]
            refused = ((name, unsupported(*jar)) for name, jar in jars)
            return cls(
                on_aws,
                frozenset(engine_of(*jar) for _, jar in jars),
                tuple((name, reason) for name, reason in refused if reason),
            )
        return cls(
            on_aws,
            roles=_names(params, "ServiceRole", "AutoScalingRole"),
            profiles=_names(params, "JobFlowRole"),
            buckets=tuple(dict.fromkeys(_buckets(flow, request))),
        )


def _jar(step: Mapping[str, Any]) -> tuple[str, str | None, list[str]]:
    return step["Jar"], step.get("MainClass"), step.get("Args", [])


def _names(params: Mapping[str, Any], *members: str) -> tuple[str, ...]:
    """Returns the names of roles."""
    return tuple(role_name(params[member]) for member in members if params.get(member))


def _buckets(flow: JobFlow, request: Request) -> Iterator[str]:
    uris = [flow.staging] if request.assets else []
    for uri in (*uris, request.params.get("LogUri")):
        if uri and is_s3(uri):
            yield split_s3(uri)[0]
