"""The embedded EMR: a service with EMR's API that really runs the steps, on this machine.

A call comes in from a boto3 client in this process (`transport`) or over HTTP (`endpoint`), is held against
the API's model (`wire`) and reaches the `service`: a table of operations, one function each, grouped by
subject (`clusters`, `steps`, `groups`, `scaling`, `policies`, `tags`, `security`, `catalogue`, `jobflows`;
those that are not here are named in `declined`). An operation works on the `store`, one SQLite file in the
`home`, inside one transaction; what a request must not ask for is said in `admission`, what may follow what
in `lifecycle`.

RunJobFlow starts a `worker`: one detached process for each cluster, which runs bootstrap actions and steps
(`execution`, `processes`; which program does a step's work is the business of `flowspec.engines`), writes
and publishes their `logs`, and moves the cluster on until it ends. It needs no one: the command line that
started it may go. A worker that dies is noticed by its free lock at the next call, whichever that is, and
its cluster is ended with a reason (`workers`). What ended clusters leave, `prune` removes.

`s3://` is a folder tree in the home; or an S3 elsewhere, which a tree of the cluster's own mirrors: fetched
from before a step, put to after it (`mirrored`, `mirror`).

No machine stands behind an instance: when each comes and goes is kept, and where it stands follows from the
`clock`, which can be scaled (`instances`). What shall go wrong is asked for by `drills`.

Nothing is imported here until it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowspec.emulator.api.service import EmrError, Service
    from flowspec.emulator.in_process import attach

__all__ = ["EmrError", "Service", "attach"]

_PLACES = {"EmrError": "api.service", "Service": "api.service", "attach": "in_process"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
