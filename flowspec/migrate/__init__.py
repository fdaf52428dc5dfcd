"""Runs a script that launches job flows, without launching any: what it asks EMR for is written down.

    run         the script in a process of its own -> the calls that it made
    job_flows   those calls -> what each job flow asks for, what was done to it later folded in

In that process (`launcher`) every client of the AWS SDK is answered here: EMR by a `recorder`, other services
by samples (`samples`); `boto` is flowspec's own (`boto2`), and no connection is opened.
"""

from __future__ import annotations

from flowspec.migrate.folding import job_flows
from flowspec.migrate.running import Run, run

__all__ = ["Run", "job_flows", "run"]
