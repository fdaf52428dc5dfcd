"""The service: a table of operations over the store.

Every call first buries clusters whose worker has died, then runs its operation in one transaction, and
when that is committed starts or wakes the workers concerned. The service keeps nothing in memory, so any
number of them, in any number of processes, may work on one home.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flowspec.emulator import clock, clusters, instances, policies, steps, tags, workers
from flowspec.emulator import home as place
from flowspec.emulator.calls import Call, Operation
from flowspec.emulator.errors import EmrError
from flowspec.emulator.store import Store

__all__ = ["EmrError", "Service"]

OPERATIONS: Mapping[str, Operation] = {
    **clusters.OPERATIONS,
    **steps.OPERATIONS,
    **instances.OPERATIONS,
    **policies.OPERATIONS,
    **tags.OPERATIONS,
}
_READS = ("Describe", "List", "Get")


class Service:
    """An EMR whose state lives in the folder `home`, for one `region`.

    Clusters made with `run_bootstrap` run their bootstrap actions; others skip them, since such scripts
    are written for a machine that is thrown away. Clusters made with an `s3_url` have their s3:// there.
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
    ) -> None:
        self.home = home.absolute()
        self.region = region
        self.run_bootstrap = run_bootstrap
        self.inject = inject
        self.time_scale = time_scale
        self.s3_url = s3_url
        self._start_worker: Callable[[Path, str, int], None] = workers.start

    def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Carries out an API operation ("RunJobFlow") and gives the members of its answer, times in epoch seconds.

        Raises EmrError where EMR would refuse, FlowspecError when the home can't be used.
        """
        carry_out = OPERATIONS.get(operation)
        if carry_out is None:
            raise EmrError("UnknownOperationException", f"{operation} is not implemented by the embedded EMR")
        try:
            with Store(self.home) as store:
                workers.reap(store, self.home)
                return self._carry_out(carry_out, self._new_call(store), params, operation.startswith(_READS))
        except OSError as error:
            raise place.trouble(self.home, error) from error

    def _new_call(self, store: Store) -> Call:
        return Call(
            store, self.home, self.region, self.run_bootstrap, clock.now(), self._start_worker, s3_url=self.s3_url
        )

    def _carry_out(self, carry_out: Operation, call: Call, params: Mapping[str, Any], reads: bool) -> dict[str, Any]:
        with call.at_exit:
            with call.store.reading() if reads else call.store.writing():
                answer = carry_out(call, params)
            for effect in call.after_commit:
                effect()
        return answer
