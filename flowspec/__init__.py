"""flowspec turns one YAML file into one Amazon EMR job flow, and keeps the two the same.

A spec becomes a running job flow in seven stages. Each stage is a function that takes the immutable value of the
stage before it and returns another one.

    text ─load→ Document ─render→ Document ─validate→ JobFlow ─compile→ Request
         ─make_plan→ Plan ─apply→ Applied ─watch→ events

- `load` reads YAML and keeps the location of each value.
- `render` selects a target, resolves variables, expands loops and conditions, and fills in templates.
- `validate` checks the result against the schema and the rules that a schema can't express.
- `compile` turns it into the parameters of RunJobFlow; it adds nothing that was not asked for.
- `make_plan` compares them with the running cluster, which `observe` reads, and lists what would be done and why.
- `apply` does what the plan says, and submits exactly one cluster.
- `watch` follows the cluster to its end; `judge` and `diagnose` say how it ended, and why.

The stages up to `make_plan` change nothing and run no program; those up to `compile` send nothing. `connect` opens
the connection that the later stages need: to AWS, to another endpoint, or to the embedded EMR of this machine.

For the common case all of that is one call:

    import flowspec

    result = flowspec.run("job.yaml", target="laptop", variables={"day": "2026-11-22"})
    print(result.cluster.id, result.verdict.outcome.value)

And stage by stage (`plan_on` reads the cluster and calls `make_plan`):

    import flowspec

    job = flowspec.validate(flowspec.render(flowspec.load("job.yaml"), target="laptop"))
    request = flowspec.compile(job)
    emr = flowspec.connect(flowspec.Endpoint.of(job))
    plan = flowspec.plan_on(emr, job, request)
    applied = flowspec.apply(plan, emr)
    for event in flowspec.watch(emr, applied.cluster_id):
        if isinstance(event, flowspec.StepChanged):
            print(event.step.name, event.step.state)
        elif isinstance(event, flowspec.Ended) and event.verdict.outcome is not flowspec.Outcome.SUCCEEDED:
            print(flowspec.diagnose(event.cluster, event.verdict, flowspec.logs_of(emr, event.cluster)))

Other functions need no spec: `list_clusters` and `idle_clusters` find clusters, and `resize`, `protect`, `add_steps`,
`cancel` and `destroy` change them. `import_cluster` writes a spec from a cluster, and `adopt` lets a spec manage one.

`make_report(emr, cluster.id).as_html()` reports a run as one page: when its steps ran, why it failed, and what
differs from the last successful run of its flow.

For many flows, `plan_all` lists the clusters of each EMR once and makes all plans, `apply_all` carries them out, and
`find_orphans` finds the clusters whose specs were removed.

`run_tests` runs the cases of specs on sample data (`flowspec test`); `flowspec.testing.emr` connects the boto3 clients
of a test with the embedded EMR.

Values are frozen. A dict or list in them (`Request.params`, `Plan.request`, `ApiCall.params`) is a new copy at each
read, so that a digest always matches. Errors are `FlowspecError`: `SpecError` for an invalid document, with all its
`Diagnostic`s, and `ServiceError` for what EMR or S3 refuses.
"""

from __future__ import annotations

from importlib import import_module

# Type checkers know this name, too. Importing `typing` and `errors` takes some 15 ms, and Ctrl-C during that time would
# show a traceback (see `__main__`).
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from flowspec.backend.aws.call_errors import OutcomeUnknown
    from flowspec.backend.aws.client import Emr, Endpoint, connect
    from flowspec.backend.aws.diagnosis.diagnose import Cause, Diagnosis, diagnose
    from flowspec.backend.aws.events import ClusterChanged, Ended, StepChanged, StepProgress
    from flowspec.backend.aws.logs import Logs, logs_of
    from flowspec.backend.aws.manage.adoption import Adoption, adopt, plan_adoption
    from flowspec.backend.aws.manage.ending import Leftover, destroy, leftovers, protect, unprotect
    from flowspec.backend.aws.manage.inventory import IdleCluster, Listing, end_idle, idle_clusters, list_clusters
    from flowspec.backend.aws.manage.orphans import Orphans, find_orphans
    from flowspec.backend.aws.manage.resize import Resize, resize, wait_for_sizes
    from flowspec.backend.aws.manage.steps import AddedSteps, add_steps, cancel
    from flowspec.backend.aws.observe import describe, observe
    from flowspec.backend.aws.submission.apply import Applied, apply
    from flowspec.backend.aws.submission.cancellation import CancelledStep
    from flowspec.backend.aws.verdict import Outcome, Verdict, judge
    from flowspec.backend.aws.watch import Event, watch
    from flowspec.cases.running import CaseOutcome, CaseResult, run_tests
    from flowspec.document.checking.validate import validate
    from flowspec.document.job_flow import JobFlow
    from flowspec.document.rendering.render import render
    from flowspec.document.text.parse import load
    from flowspec.document.text.tree import Document
    from flowspec.errors import Diagnostic, FlowspecError, Location, ServiceError, Severity, SpecError
    from flowspec.exporters.exported import Exported, export
    from flowspec.facts.backends import BackendName
    from flowspec.fleet import FlowPlan, FlowRun, apply_all, plan_all
    from flowspec.inspection.run_facts import Cost
    from flowspec.pipeline import RunResult, import_cluster, make_report, plan_on, run
    from flowspec.plan.changes import Action, ApiCall, Assessment, Change, Plan
    from flowspec.plan.cluster import Cluster, Step
    from flowspec.plan.compare import make_plan
    from flowspec.report.page.run_report import RunReport
    from flowspec.request.assets import Asset
    from flowspec.request.compile import Request, compile

__all__ = [
    "Action",
    "AddedSteps",
    "Adoption",
    "ApiCall",
    "Applied",
    "Assessment",
    "Asset",
    "BackendName",
    "CancelledStep",
    "CaseOutcome",
    "CaseResult",
    "Cause",
    "Change",
    "Cluster",
    "ClusterChanged",
    "Cost",
    "Diagnosis",
    "Diagnostic",
    "Document",
    "Emr",
    "Ended",
    "Endpoint",
    "Event",
    "Exported",
    "FlowPlan",
    "FlowRun",
    "FlowspecError",
    "IdleCluster",
    "JobFlow",
    "Leftover",
    "Listing",
    "Location",
    "Logs",
    "Orphans",
    "Outcome",
    "OutcomeUnknown",
    "Plan",
    "Request",
    "Resize",
    "RunReport",
    "RunResult",
    "ServiceError",
    "Severity",
    "SpecError",
    "Step",
    "StepChanged",
    "StepProgress",
    "Verdict",
    "add_steps",
    "adopt",
    "apply",
    "apply_all",
    "cancel",
    "compile",
    "connect",
    "describe",
    "destroy",
    "diagnose",
    "end_idle",
    "export",
    "find_orphans",
    "idle_clusters",
    "import_cluster",
    "judge",
    "leftovers",
    "list_clusters",
    "load",
    "logs_of",
    "make_plan",
    "make_report",
    "observe",
    "plan_adoption",
    "plan_all",
    "plan_on",
    "protect",
    "render",
    "resize",
    "run",
    "run_tests",
    "unprotect",
    "validate",
    "wait_for_sizes",
    "watch",
]

# Imported when first used: `flowspec --help` needs none of them, and only a connection needs boto3.
_HOMES = {
    "flowspec.backend.aws.submission.apply": ("Applied", "apply"),
    "flowspec.backend.aws.call_errors": ("OutcomeUnknown",),
    "flowspec.backend.aws.client": ("Emr", "Endpoint", "connect"),
    "flowspec.backend.aws.diagnosis.diagnose": ("Cause", "Diagnosis", "diagnose"),
    "flowspec.backend.aws.logs": ("Logs", "logs_of"),
    "flowspec.backend.aws.manage.adoption": ("Adoption", "adopt", "plan_adoption"),
    "flowspec.backend.aws.manage.ending": ("Leftover", "destroy", "leftovers", "protect", "unprotect"),
    "flowspec.backend.aws.manage.inventory": (
        "IdleCluster",
        "Listing",
        "end_idle",
        "idle_clusters",
        "list_clusters",
    ),
    "flowspec.backend.aws.manage.orphans": ("Orphans", "find_orphans"),
    "flowspec.backend.aws.manage.resize": ("Resize", "resize", "wait_for_sizes"),
    "flowspec.backend.aws.manage.steps": ("AddedSteps", "add_steps", "cancel"),
    "flowspec.backend.aws.submission.cancellation": ("CancelledStep",),
    "flowspec.backend.aws.observe": ("describe", "observe"),
    "flowspec.backend.aws.verdict": ("Outcome", "Verdict", "judge"),
    "flowspec.backend.aws.events": ("ClusterChanged", "Ended", "StepChanged", "StepProgress"),
    "flowspec.backend.aws.watch": ("Event", "watch"),
    "flowspec.cases.running": ("CaseOutcome", "CaseResult", "run_tests"),
    "flowspec.document.job_flow": ("JobFlow",),
    "flowspec.document.text.parse": ("load",),
    "flowspec.document.rendering.render": ("render",),
    "flowspec.document.text.tree": ("Document",),
    "flowspec.document.checking.validate": ("validate",),
    "flowspec.errors": ("Diagnostic", "FlowspecError", "Location", "ServiceError", "Severity", "SpecError"),
    "flowspec.exporters.exported": ("Exported", "export"),
    "flowspec.facts.backends": ("BackendName",),
    "flowspec.fleet": ("FlowPlan", "FlowRun", "apply_all", "plan_all"),
    "flowspec.inspection.run_facts": ("Cost",),
    "flowspec.pipeline": ("RunResult", "import_cluster", "make_report", "plan_on", "run"),
    "flowspec.plan.changes": ("Action", "ApiCall", "Assessment", "Change", "Plan"),
    "flowspec.plan.cluster": ("Cluster", "Step"),
    "flowspec.plan.compare": ("make_plan",),
    "flowspec.report.page.run_report": ("RunReport",),
    "flowspec.request.assets": ("Asset",),
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
