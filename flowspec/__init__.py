"""flowspec: one YAML file, one Amazon EMR job flow, kept the same.

A spec becomes a running job flow in seven steps, each a function that hands an immutable value to the
next; none reaches back.

    text ─load→ Document ─render→ Document ─validate→ JobFlow ─compile→ Request
         ─plan→ Plan ─apply→ Applied ─watch→ events

- `load` reads YAML and remembers where everything stands.
- `render` picks a target, resolves variables, writes loops and conditions out, fills templates in.
- `validate` checks the result against the schema and the rules that no schema can tell.
- `compile` turns it into the parameters of RunJobFlow; it adds nothing that was not asked for.
- `make_plan` compares them with the cluster that runs (`observe` reads it) and says what would happen, and why.
- `apply` does what the plan says, so that exactly one cluster comes of it.
- `watch` follows the cluster to its end; `judge` and `diagnose` say how it ended, and why.

Up to `plan`, nothing is changed and nothing is run; up to `compile`, nobody is asked. `connect` opens the
connection that the later steps need: to AWS, to another endpoint, or to the embedded EMR of this machine.

    import flowspec

    job = flowspec.validate(flowspec.render(flowspec.load("job.yaml"), target="laptop"))
    emr = flowspec.connect(flowspec.Endpoint(job.backend, job.region))
    plan = flowspec.make_plan(job, flowspec.compile(job), flowspec.observe(emr, job.name, job.target))
    for event in flowspec.watch(emr, flowspec.apply(plan, emr).cluster_id):
        print(event)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flowspec.errors import Diagnostic, FlowspecError, Location, ServiceError, Severity, SpecError

if TYPE_CHECKING:
    from flowspec.backend.aws.apply import Applied, apply
    from flowspec.backend.aws.client import Emr, Endpoint, connect
    from flowspec.backend.aws.diagnose import Diagnosis, diagnose
    from flowspec.backend.aws.observe import describe, observe
    from flowspec.backend.aws.verdict import Outcome, Verdict, judge
    from flowspec.backend.aws.watch import Event, watch
    from flowspec.document.job_flow import JobFlow
    from flowspec.document.parse import load
    from flowspec.document.render import render
    from flowspec.document.tree import Document
    from flowspec.document.validate import validate
    from flowspec.plan.changes import Plan
    from flowspec.plan.cluster import Cluster
    from flowspec.plan.compare import make_plan
    from flowspec.request.compile import Request, compile

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
    "make_plan",
    "observe",
    "render",
    "validate",
    "watch",
]

# Loaded when first asked for: `flowspec --help` needs none of them, and boto3 is only ever paid for by its users.
_HOMES = {
    "flowspec.backend.aws.apply": ("Applied", "apply"),
    "flowspec.backend.aws.client": ("Emr", "Endpoint", "connect"),
    "flowspec.backend.aws.diagnose": ("Diagnosis", "diagnose"),
    "flowspec.backend.aws.observe": ("describe", "observe"),
    "flowspec.backend.aws.verdict": ("Outcome", "Verdict", "judge"),
    "flowspec.backend.aws.watch": ("Event", "watch"),
    "flowspec.document.job_flow": ("JobFlow",),
    "flowspec.document.parse": ("load",),
    "flowspec.document.render": ("render",),
    "flowspec.document.tree": ("Document",),
    "flowspec.document.validate": ("validate",),
    "flowspec.plan.changes": ("Plan",),
    "flowspec.plan.cluster": ("Cluster",),
    "flowspec.plan.compare": ("make_plan",),
    "flowspec.request.compile": ("Request", "compile"),
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
