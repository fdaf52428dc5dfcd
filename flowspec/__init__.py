"""flowspec: one YAML file, one Amazon EMR job flow, kept the same.

A spec becomes a running job flow in seven steps, each a function that hands an immutable value to the
next; none reaches back.

    text ─load→ Document ─render→ Document ─validate→ JobFlow ─compile→ Request
         ─plan→ Plan ─apply→ Applied ─watch→ events

- `load` reads YAML and remembers where everything stands.
- `render` picks a target, resolves variables, writes loops and conditions out, fills templates in.
- `validate` checks the result against the schema and the rules that no schema can tell.
- `compile` turns it into the parameters of RunJobFlow; it adds nothing that was not asked for.
- `plan` compares them with the cluster that runs (`observe` reads it) and says what would happen, and why.
- `apply` does what the plan says, so that exactly one cluster comes of it.
- `watch` follows the cluster to its end; `judge` and `diagnose` say how it ended, and why.

Up to `plan`, nothing is changed and nothing is run; up to `compile`, nobody is asked. `connect` opens the
connection that the later steps need: to AWS, to another endpoint, or to the embedded EMR of this machine.

    import flowspec

    job = flowspec.validate(flowspec.render(flowspec.load("job.yaml"), target="laptop"))
    emr = flowspec.connect(flowspec.Endpoint(job.backend, job.region))
    plan = flowspec.plan(job, flowspec.compile(job), flowspec.observe(emr, job.name, job.target))
    for event in flowspec.watch(emr, flowspec.apply(plan, emr).cluster_id):
        print(event)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flowspec.errors import Diagnostic, FlowspecError, Location, ServiceError, Severity, SpecError

# Not lazy as the others are: this function has its package's name, and must be what `flowspec.plan` means.
from flowspec.plan import Plan, plan

if TYPE_CHECKING:
    from flowspec.emr.apply import Applied, apply
    from flowspec.emr.client import Emr, Endpoint, connect
    from flowspec.emr.diagnose import Diagnosis, diagnose
    from flowspec.emr.observe import describe, observe
    from flowspec.emr.verdict import Outcome, Verdict, judge
    from flowspec.emr.watch import Event, watch
    from flowspec.plan.cluster import Cluster
    from flowspec.request import Request, compile
    from flowspec.spec import Document, JobFlow, load, render, validate

__all__ = [
    "Applied",
    "Cluster",
    "Diagnosis",
    "Diagnostic",
    "Document",
    "Emr",
    "Endpoint",
    "Event",
    "FlowspecError",
    "JobFlow",
    "Location",
    "Outcome",
    "Plan",
    "Request",
    "ServiceError",
    "Severity",
    "SpecError",
    "Verdict",
    "apply",
    "compile",
    "connect",
    "describe",
    "diagnose",
    "judge",
    "load",
    "observe",
    "plan",
    "render",
    "validate",
    "watch",
]

# Loaded when first asked for: `flowspec --help` needs none of them, and boto3 is only ever paid for by its users.
_HOMES = {
    "flowspec.emr.apply": ("Applied", "apply"),
    "flowspec.emr.client": ("Emr", "Endpoint", "connect"),
    "flowspec.emr.diagnose": ("Diagnosis", "diagnose"),
    "flowspec.emr.observe": ("describe", "observe"),
    "flowspec.emr.verdict": ("Outcome", "Verdict", "judge"),
    "flowspec.emr.watch": ("Event", "watch"),
    "flowspec.plan.cluster": ("Cluster",),
    "flowspec.request": ("Request", "compile"),
    "flowspec.spec": ("Document", "JobFlow", "load", "render", "validate"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'flowspec' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
