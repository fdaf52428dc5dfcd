"""The service: a table of operations over the store.

Every call first marks the clusters it concerns as TERMINATED_WITH_ERRORS if their worker is dead, then runs its
operation in one transaction, and after the commit starts or wakes the workers concerned. The service keeps no state in
memory, so any number of services in any number of processes may use one home. Calls that read neither create a home
nor need one that can be written to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from flowspec.emulator import faults
from flowspec.emulator.api import catalogue, clusters, groups, jobflows, policies, scaling, security, steps, tags
from flowspec.emulator.api.calls import Call, Operation
from flowspec.emulator.api.declined import not_implemented
from flowspec.emulator.errors import EmrError, validation
from flowspec.emulator.state import clock, paths
from flowspec.emulator.state.snapshot import must_copy
from flowspec.emulator.state.store import Store
from flowspec.emulator.worker import supervisor
from flowspec.errors import FlowspecError
from flowspec.facts import states
from flowspec.interrupts import interrupts_held_back

__all__ = ["EmrError", "Service"]

OPERATIONS: Mapping[str, Operation] = {
    **clusters.OPERATIONS,
    **jobflows.OPERATIONS,
    **steps.OPERATIONS,
    **groups.OPERATIONS,
    **scaling.OPERATIONS,
    **policies.OPERATIONS,
    **tags.OPERATIONS,
    **security.OPERATIONS,
    **catalogue.OPERATIONS,
}
_READS = ("Describe", "List", "Get")


class Service:
    """An EMR service for one `region`, with its state in the folder `home`.

    With `run_bootstrap`, clusters run their bootstrap actions; else they skip them, because such scripts are
    written for disposable machines. EMR's delays are divided by `time_scale` (see `clock`). `inject` lists
    faults (see `faults`). With an `s3_url`, clusters use that S3 endpoint for s3://. With
    `instant`, clusters have no worker: they are WAITING at once, and steps COMPLETED without being run. `start_worker`
    starts the worker of a cluster (default: `supervisor.start`), given the home, the cluster's id and the descriptor
    of the lock that the worker inherits. Without `account_rules` (as for `backend: local`), a request may lack roles,
    a release and instances, because nothing here needs them. `open_store` lends the connection to the store for a call
    (default: a new one, which is closed after it).

    Raises FlowspecError for an invalid time scale or fault.
    """

    def __init__(
        self,
        home: Path,
        *,
        region: str = "us-east-1",
        run_bootstrap: bool = False,
        inject: str = "",
        time_scale: float = 1.0,
        s3_url: str | None = None,
        start_worker: Callable[[Path, str, int], None] | None = None,
        account_rules: bool = True,
        instant: bool = False,
        open_store: Callable[[], AbstractContextManager[Store]] | None = None,
    ) -> None:
        self.home = home.absolute()
        self.region = region
        self.run_bootstrap = run_bootstrap
        self.inject = inject
        self.time_scale = clock.checked_scale(time_scale)
        self._faults = faults.parse(inject, OPERATIONS)
        self.s3_url = s3_url
        self.start_worker = start_worker or supervisor.start
        self.account_rules = account_rules
        self.instant = instant
        self._open_store = open_store or partial(Store, self.home)

    def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Runs an API operation (e.g. "RunJobFlow"); returns the members of its answer, times in epoch seconds.

        Raises EmrError where EMR would refuse, FlowspecError if the home can't be used, and AnswerLost if an
        injected fault suppresses the answer.
        """
        carry_out = OPERATIONS.get(operation)
        if carry_out is None:
            raise not_implemented(operation)
        reads = operation.startswith(_READS)
        try:
            with ExitStack() as at_exit:
                with self._store_for(reads) as store:
                    injected = (self._faults, self._faults_of_cluster(store, operation, params))
                    for fault in injected:
                        fault.before(operation)
                    supervisor.fail_orphans(store, self.home, _concerned(store, operation, params))
                    call = self._new_call(store, at_exit)
                    with store.reading() if reads else store.writing():
                        answer = carry_out(call, params)
                        if call.after_commit:
                            # Ctrl-C between the commit and the start of a worker would leave a cluster without one.
                            at_exit.enter_context(interrupts_held_back())
                # The store is closed: a process with a connection to it can't be forked (see `forking.can_fork`).
                for effect in call.after_commit:
                    effect()
                for fault in injected:
                    fault.after(operation)
            return answer
        except OSError as error:
            raise paths.os_error_to_user_error(self.home, error) from error

    def _store_for(self, reads: bool) -> AbstractContextManager[Store]:
        return Store(self.home, copy=True) if reads and must_copy(self.home) else self._open_store()

    def _faults_of_cluster(self, store: Store, operation: str, params: Mapping[str, Any]) -> faults.Faults:
        """Returns the faults of the cluster that a call names or creates."""
        try:
            if operation == "RunJobFlow":
                return faults.parse(faults.tagged(params), OPERATIONS)
            cluster = store.get("cluster", _cluster_named(params))
            return faults.parse(cluster.doc["inject"], OPERATIONS) if cluster else faults.Faults()
        except FlowspecError as error:
            raise validation(f"The tag {faults.TAG} is not valid: {error.sentence}") from error

    def _new_call(self, store: Store, at_exit: ExitStack) -> Call:
        return Call(
            store=store,
            home=self.home,
            region=self.region,
            run_bootstrap=self.run_bootstrap,
            time_scale=self.time_scale,
            inject=self.inject,
            s3_url=self.s3_url,
            account_rules=self.account_rules,
            instant=self.instant,
            now=clock.now(),
            start_worker=self.start_worker,
            at_exit=at_exit,
        )


def _concerned(store: Store, operation: str, params: Mapping[str, Any]) -> Iterable[str]:
    """Returns the ids of the living clusters whose state a call may read: those it names, else all."""
    if operation == "RunJobFlow":
        return ()
    named = _clusters_named(params)
    return store.with_worker(states.ALIVE, among=named or None)


def _cluster_named(params: Mapping[str, Any]) -> str:
    """Returns the id of the (first) cluster that a call names, "" if none."""
    return next(iter(_clusters_named(params)), "")


def _clusters_named(params: Mapping[str, Any]) -> list[str]:
    one = params.get("ClusterId") or params.get("JobFlowId") or params.get("ResourceId")
    return [str(one)] if one else [str(several) for several in params.get("JobFlowIds") or ()]
