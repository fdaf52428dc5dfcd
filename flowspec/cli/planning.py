"""A spec on the command line -> its plan and the connection to carry it out by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowspec.cli.options import job_flow
from flowspec.cli.output import print_warnings

if TYPE_CHECKING:
    from flowspec.backend.aws.client import Emr
    from flowspec.plan.changes import Plan


def planned(spec: Path, *, replace: bool, run_bootstrap: bool = False, **options: Any) -> tuple[Plan, Emr]:
    """Makes the plan of a spec and prints its warnings."""
    from flowspec.backend.aws.client import Endpoint, connect
    from flowspec.pipeline import plan_on
    from flowspec.request.compile import compile

    flow = job_flow(spec, **options)
    print_warnings(flow.warnings)
    # Before the connection is made: what is wrong with local files is said without credentials, too.
    request = compile(flow)
    emr = connect(Endpoint.of(flow, run_bootstrap=run_bootstrap))
    return plan_on(emr, flow, request, replace=replace), emr
