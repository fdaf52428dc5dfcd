"""The service: a table of operations over the store.

Every call first marks the clusters it concerns as TERMINATED_WITH_ERRORS if their worker is dead, then runs its
operation in one transaction, and after the commit starts or wakes the workers concerned. The service keeps no state in
memory, so any number of services in any number of processes may use one home. Calls that read neither create a home
nor need one that can be written to.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from flowspec.emulator import faults
from flowspec.emulator.api import catalogue, clusters, groups, jobflows, policies, scaling, security, steps, tags
from flowspec.emulator.api.calls import Call, Operation, Settings
from flowspec.emulator.api.declined import not_implemented
from flowspec.emulator.errors import EmrError, validation
from flowspec.emulator.state import clock, paths
from flowspec.emulator.state.paths import NotWritable
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

_log = logging.getLogger(__name__)


@dataclass(eq=False, kw_only=True)
class Service(Settings):
    """An EMR service.

    `open_store` lends the connection to the store for a call (default: a new one, which is closed after it).

    Raises FlowspecError for an invalid time scale or fault.
    """

    open_store: Callable[[], AbstractContextManager[Store]] | None = None

    def __post_init__(self) -> None:
        self.home = self.home.absolute()
        self.time_scale = clock.checked_scale(self.time_scale)
        self._faults = faults.parse(self.inject, OPERATIONS)

    def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Runs an API operation (e.g. "RunJobFlow"); returns the members of its answer.

        Times, in `params` as well, are in seconds since 1970.

        Raises EmrError where EMR would refuse, FlowspecError if the home can't be used, and AnswerLost if an
        injected fault suppresses the answer.
        """
        carry_out = OPERATIONS.get(operation)
        if carry_out is None:
            raise not_implemented(operation)
        reads = operation.startswith(_READS)
        try:
            with ExitStack() as at_exit:
                with self._store_for(operation, params, reads) as store:
                    injected = (self._faults, self._faults_of_cluster(store, operation, params))
                    for fault in injected:
                        fault.before(operation)
                    call = Call(self, store, at_exit, clock.now())
                    with store.reading() if reads else store.writing():
                        answer = carry_out(call, params)
                        if call.after_commit:
                            # Ctrl-C between the commit and the start of a worker would leave a cluster without one.
                            at_exit.enter_context(interrupts_held_back())
                # The store is closed: a process with a connection to it can't be forked (see `starting.can_fork`).
                for effect in call.after_commit:
                    effect()
                for fault in injected:
                    fault.after(operation)
            return answer
        except OSError as error:
            raise paths.os_error_to_user_error(self.home, error) from error

    @contextmanager
    def _store_for(self, operation: str, params: Mapping[str, Any], reads: bool) -> Iterator[Store]:
        """Yields the store for a call; a copy for a call that reads, where the home can't be written to."""
        copy = reads and must_copy(self.home)
        with ExitStack() as opened:
            try:
                store = opened.enter_context(self._open_checked(operation, params, copy))
            except (NotWritable, OSError) as error:
                if copy or not reads:
                    raise
                # On a full disk, where the end of a cluster can't be stored, nor SQLite make its files.
                _log.warning("%s reads a copy of the store: %s", operation, error)
                store = opened.enter_context(self._open_checked(operation, params, copy=True))
            yield store

    @contextmanager
    def _open_checked(self, operation: str, params: Mapping[str, Any], copy: bool) -> Iterator[Store]:
        """Opens the store, or a copy, and ends the clusters in it whose worker died."""
        lent = Store(self.home, copy=True) if copy else self.open_store() if self.open_store else Store(self.home)
        with lent as store:
            supervisor.fail_orphans(store, self.home, _clusters_to_check(store, operation, params))
            yield store

    def _faults_of_cluster(self, store: Store, operation: str, params: Mapping[str, Any]) -> faults.Faults:
        """Returns the faults of the (first) cluster that a call names, or of the one that it creates."""
        try:
            if operation == "RunJobFlow":
                return faults.parse(faults.read_tag(params), OPERATIONS)
            cluster = store.get("cluster", next(iter(_clusters_named(params)), ""))
            return faults.parse(cluster.doc["inject"], OPERATIONS) if cluster else faults.Faults()
        except FlowspecError as error:
            raise validation(f"The tag {faults.TAG} is not valid: {error.sentence}") from error


def _clusters_to_check(store: Store, operation: str, params: Mapping[str, Any]) -> Iterable[str]:
    """Returns the ids of the living clusters whose state a call may read: those it names, else all."""
    if operation == "RunJobFlow":
        return ()
    named = _clusters_named(params)
    return store.with_worker(states.ALIVE, among=named or None)


def _clusters_named(params: Mapping[str, Any]) -> list[str]:
    one = params.get("ClusterId") or params.get("JobFlowId") or params.get("ResourceId")
    return [str(one)] if one else [str(several) for several in params.get("JobFlowIds") or ()]
