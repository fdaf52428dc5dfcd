"""The embedded EMR: a service with EMR's API that really runs the steps, on this machine.

A call arrives from a boto3 client in this process (`in_process`) or over HTTP (`http`), is validated against
the API's model (`api.wire`) and reaches `api.service`: a table of operations, one function each, grouped by
subject (`clusters`, `steps`, `groups`, `scaling`, `policies`, `tags`, `security`, `catalogue`, `jobflows`;
unsupported operations are listed in `declined`). An operation reads and writes `state.store`, one SQLite file
in the home folder (`state.paths`), inside one transaction. `api.request_validation` refuses invalid requests;
`state.lifecycle` holds the state machines of clusters and steps.

RunJobFlow starts a worker (`worker.main`): one detached process per cluster, a fork where that is safe
(`worker.starting`, `worker.fork_server`). It runs bootstrap actions and steps (`worker.execution`,
`worker.processes`; `flowspec.engines` chooses the program that runs a step), writes and publishes their logs
(`worker.logs`), and drives the cluster's state machine to its end. The command line that started the worker may
exit. Every call first detects dead workers by their released locks and marks their clusters as failed
(`worker.supervisor`). Where the home can't be written to, calls that read work on a copy of the store
(`state.snapshot`). `prune` removes the files of ended clusters; `temporary` makes a home that lasts as long as a
test.

`s3://` is a folder tree in the home, or another S3 endpoint: then each cluster has a tree of its own, which is
downloaded before a step and uploaded after it (`worker.s3_sync`, `worker.s3_sync_wrapper`).

Instances are simulated: the times at which each was requested, becomes ready and leaves are stored, and its
state is computed from them and the scalable clock (`state.instances`, `state.clock`). `state.capacity` holds sizes
within the limits of policies, `state.spot` ends the wait for spot instances. `faults` injects failures.

For `backend: local`, `state.submissions` serializes submissions, and `state.changes` waits for changes of a cluster.

Submodules are imported lazily.
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
