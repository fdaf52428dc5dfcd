"""The worker process of a cluster.

    python -m flowspec.emulator.worker.main HOME CLUSTER_ID [LOCK]

    STARTING -> BOOTSTRAPPING -> RUNNING <-> WAITING -> TERMINATING -> TERMINATED / TERMINATED_WITH_ERRORS

A single thread sleeps until a child exits, a call writes to the wake pipe or a timeout expires; then it records
finished steps, reads from the store what to do next, and starts, signals or kills processes. LOCK is the
descriptor of the cluster's lock, inherited from the call that created the cluster.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from flowspec.emulator import faults
from flowspec.emulator.state import capacity, clock, ids, instances, lifecycle, paths, spot
from flowspec.emulator.state.store import Record, Store
from flowspec.emulator.worker import execution, logs, processes, supervisor
from flowspec.emulator.worker.execution import CannotStart, Running
from flowspec.emulator.worker.wake_event import TerminationRequested, WakeEvent
from flowspec.engines.exit_status import NOT_STARTED
from flowspec.errors import FlowspecError
from flowspec.facts import states

_log = logging.getLogger("flowspec.emulator.worker.main")

# Waits between attempts to write on a full disk: 1.6 s in all, so that a step that frees its files can help.
_RETRY_SECONDS = (0.0, 0.1, 0.5, 1.0)
# A few times what the final transactions of a cluster with 256 steps append to the write-ahead log.
RESERVED_BYTES = 256 * 1024

_T = TypeVar("_T")


class Worker:
    """Runs one cluster; `_running` holds the processes of its running steps by step id."""

    def __init__(self, home: Path, cluster_id: str, store: Store, wake: WakeEvent) -> None:
        self._home = home
        self._cluster_id = cluster_id
        self._store = store
        self._wake = wake
        self._running: dict[str, Running] = {}
        # Taken once, as the machine's date may be changed later; not from clock.now(), which is rounded.
        self._to_elapsed = clock.elapsed() - time.time()
        doc = self._cluster().doc
        self._faults = faults.parse(f"{doc['faults']},{doc['inject']}")

    def run(self) -> None:
        """Runs the cluster from STARTING to its end."""
        _log.info("pid %d runs cluster %s", os.getpid(), self._cluster_id)
        self._start_slowly()
        self._await_first_step()
        if self._is_provisioned() and self._bootstrap():
            self._serve()
        self._terminate(self._running.values())
        self._collect_exited()
        self.kill_leftovers()
        ended = self._change(lambda cluster: lifecycle.end(self._store, cluster))
        _log.info("%s %s", ended.state, ended.doc["reason"])

    def fail(self, why: str) -> None:
        """Ends the cluster with errors because the worker itself can't continue; `why` is shown to users."""
        try:
            self._terminate(self._running.values())
        finally:
            self.kill_leftovers()
        for step_id, running in self._running.items():
            execution.finish(running, "Step")
            logs.publish_step(self._home, self._cluster(), self._step(step_id))
        self._change(lambda cluster: lifecycle.fail(self._store, cluster, "INTERNAL_ERROR", why))

    def kill_leftovers(self) -> None:
        """Kills all remaining processes and removes temporary files, including those of finished steps."""
        supervisor.kill_leftovers(self._home, self._cluster_id)
        processes.kill_adopted()

    # -- bootstrap

    def _is_provisioned(self) -> bool:
        """Returns False for the fault `no-capacity`, after it ended a cluster whose instances are not available."""
        cluster = self._cluster()
        lacking = self._faults.find_missing_capacity(cluster.doc["request"])
        if not lacking or cluster.state != "STARTING":
            return True
        why = f"The cluster could not be provisioned: EC2 has insufficient capacity for {lacking}"
        detail = {"ErrorCode": "INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ", "ErrorData": [], "ErrorMessage": why}

        def change(cluster: Record) -> None:
            cluster.doc["errors"].append(detail)
            lifecycle.begin_termination(self._store, cluster, "INTERNAL_ERROR", why, with_errors=True)

        self._change(change)
        return False

    def _start_slowly(self) -> None:
        """Keeps the cluster STARTING until its end or a fleet's spot timeout: the fault `slow-start`."""
        cluster = self._cluster()
        until = cluster.created + clock.span(self._faults.slow_start, cluster.doc["time_scale"])
        for timeout, fleet in spot.spot_timeouts(self._store, cluster):
            if timeout < until:
                self._stay_starting(timeout)
                self._change(partial(self._give_up_spot, fleet))
        self._stay_starting(until)

    def _await_first_step(self) -> None:
        """Keeps a transient cluster without steps STARTING for a moment, until a step is added."""
        cluster = self._cluster()
        until = cluster.created + clock.span(lifecycle.FIRST_STEP_SECONDS, cluster.doc["time_scale"])
        steps = partial(self._store.find, "step", cluster_id=self._cluster_id, limit=1)
        self._stay_starting(until, lambda: not (self._cluster().doc["keep_alive"] or steps()))

    def _stay_starting(self, until: float, wanted: Callable[[], bool] = lambda: True) -> None:
        deadline = until + self._to_elapsed
        while (left := deadline - clock.elapsed()) > 0 and self._cluster().state == "STARTING" and wanted():
            self._wake.sleep(left)

    def _give_up_spot(self, fleet: Record, cluster: Record) -> None:
        if cluster.state == "STARTING":
            spot.give_up_spot(self._store, cluster, fleet)

    def _bootstrap(self) -> bool:
        """Runs the BOOTSTRAPPING phase; returns whether the cluster is ready afterwards."""
        cluster = self._change(self._enter_bootstrapping)
        if cluster.state != "BOOTSTRAPPING":
            return False
        actions = cluster.doc["request"].get("BootstrapActions", ())
        if self._faults.bootstrap_failure:
            self._inject_bootstrap_failure(actions)
            return False
        if actions and not cluster.doc["run_bootstrap"]:
            _log.info("bootstrap actions are recorded and not run (%d)", len(actions))
            actions = ()
        for number, action in enumerate(actions, 1):
            if not self._bootstrap_action(cluster, number, action["Name"]):
                return False
        return self._change(self._leave_bootstrapping).state != "TERMINATING"

    def _enter_bootstrapping(self, cluster: Record) -> None:
        if cluster.state == "STARTING":
            lifecycle.set_state(self._store, cluster, "BOOTSTRAPPING", "Running bootstrap actions")

    def _leave_bootstrapping(self, cluster: Record) -> None:
        if cluster.state == "BOOTSTRAPPING":
            lifecycle.set_state(self._store, cluster, "RUNNING", "Running step")
            capacity.settle(self._store, cluster, clock.now())

    def _inject_bootstrap_failure(self, actions: Sequence[Mapping[str, Any]]) -> None:
        """Injects `bootstrap-failure`, with EMR's texts for a failed action and for a master that can't be set up."""
        what = "bootstrap action 1 returned a non-zero return code" if actions else "application provisioning failed"
        name = actions[0]["Name"] if actions else ""
        self._fail_bootstrap("BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE", what, name)

    def _master_instance(self) -> str:
        master = instances.master(self._store, self._cluster())
        return ids.ec2_instance_id(master.id, instances.MASTER_NUMBER)

    def _bootstrap_action(self, cluster: Record, number: int, name: str) -> bool:
        try:
            running = execution.start_bootstrap(self._home, cluster, number)
        except CannotStart as error:
            what = f"bootstrap action {number} failed to start: {error}"
            self._fail_bootstrap("BOOTSTRAP_FAILURE_BA_DOWNLOAD_FAILED_PRIMARY", what, name)
            return False
        try:
            while running.exit_code() is None and self._cluster().state != "TERMINATING":
                self._wake.sleep(None)
        finally:
            # Also if the worker itself is asked to stop.
            if running.exit_code() is None:
                self._terminate([running])
            code = execution.finish(running, "Bootstrap action")
            logs.publish_bootstrap(self._home, cluster, number, self._master_instance())
        if self._cluster().state == "TERMINATING":
            return False
        if code != 0:
            what = f"bootstrap action {number} returned a non-zero return code"
            self._fail_bootstrap("BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE", what, name)
        return code == 0

    def _fail_bootstrap(self, error_code: str, what: str, name: str) -> None:
        """Ends the cluster: `what` failed on its master instance; `name` is the bootstrap action's, "" without one."""
        instance = self._master_instance()
        why = f"On the master instance ({instance}), {what}"
        data = [{"instance-id": instance, **({"bootstrap-action": name} if name else {})}]
        detail = {"ErrorCode": error_code, "ErrorData": data, "ErrorMessage": why}

        def change(cluster: Record) -> None:
            cluster.doc["errors"].append(detail)
            instances.fail_master(self._store, cluster, why, clock.now())
            lifecycle.begin_termination(self._store, cluster, "BOOTSTRAP_FAILURE", why, with_errors=True)

        self._change(change)

    # -- steps

    def _serve(self) -> None:
        while True:
            self._collect_exited()
            actions = self._write(lambda cluster: lifecycle.next_actions(self._store, cluster, self._running.keys()))
            if actions.stop:
                return
            for step_id, option in actions.cancel.items():
                self._cancel(step_id, option)
            for step in actions.start:
                self._start(step)
            # A step that could not be started has ended, and the next one may start: do not sleep.
            if all(step.id in self._running for step in actions.start):
                self._wake.sleep(actions.wait)

    def _start(self, step: Record) -> None:
        cluster = self._cluster()
        try:
            self._running[step.id] = execution.start_step(self._home, cluster, self._with_faults(step))
        except CannotStart as error:
            self._on_step_exit(step.id, NOT_STARTED, str(error))

    def _with_faults(self, step: Record) -> Record:
        """Injects the faults for this step's number; returns a failing step in its place for `step-failure`."""
        number = self._store.count("step", cluster_id=step.cluster_id, up_to=step.seq)
        if number in self._faults.spot_loss:
            self._change(self._lose_instances)
        fails = number in self._faults.step_failure
        return replace(step, doc={**step.doc, "jar": faults.FAILING_STEP}) if fails else step

    def _lose_instances(self, cluster: Record) -> None:
        lost = instances.lose_spot_instances(self._store, cluster, clock.now())
        _log.info("fault spot-loss: reclaimed %s", ", ".join(lost) or "nothing: no spot or core instance is running")

    def _cancel(self, step_id: str, option: str) -> None:
        if option == "TERMINATE_PROCESS":
            self._running[step_id].kill()
        else:
            self._running[step_id].terminate()

    def _collect_exited(self) -> None:
        for step_id, running in list(self._running.items()):
            if running.exit_code() is not None:
                del self._running[step_id]
                if running.signalled:
                    processes.kill_noted(running.folder / "process")
                    processes.kill_marked(processes.STEP_ID, step_id)
                self._on_step_exit(step_id, execution.finish(running, "Step"))
        processes.collect_adopted([running.process.pid for running in self._running.values()])

    def _on_step_exit(self, step_id: str, code: int, not_started: str = "") -> None:
        _log.info("step %s ended with exit status %d", step_id, code)
        cluster, step = self._cluster(), self._step(step_id)
        failure: dict[str, str] = {}
        if not_started:
            folder = paths.step_logs(self._home, cluster.id, step_id)
            logs.write_controller(folder, f"WARN Step could not be started: {not_started}")
            log_file = logs.published_uri(cluster, step, "controller") or str(folder / "controller")
            reason = logs.reason_of(not_started, "The step can't run here.")
            failure = {"Reason": reason, "Message": not_started, "LogFile": log_file}
        elif code != 0:
            failure = logs.failure_details(self._home, cluster, step, code)
        paths.remove_scratch(self._home, step_id)
        # Published before the state changes, so that a client that sees the step's end finds its logs.
        logs.publish_step(self._home, cluster, step)

        def change(cluster: Record) -> None:
            lifecycle.on_step_exit(self._store, cluster, self._step(step_id), succeeded=code == 0, failure=failure)

        self._change(change)

    # -- the end

    def _terminate(self, running: Collection[Running]) -> None:
        """Sends SIGTERM, then SIGKILL after the grace period, and waits."""
        for one in running:
            one.terminate()
        deadline = time.monotonic() + execution.GRACE_SECONDS
        while any(one.exit_code() is None for one in running):
            left = deadline - time.monotonic()
            if left > 0:
                self._wake.sleep(left)
            else:
                for one in running:
                    one.kill()
                self._wake.sleep(None)

    # -- the store

    def _cluster(self) -> Record:
        cluster = self._store.get("cluster", self._cluster_id)
        assert cluster is not None, "a cluster whose worker holds the lock is not pruned"
        return cluster

    def _step(self, step_id: str) -> Record:
        step = self._store.get("step", step_id)
        assert step is not None, "steps are pruned with their cluster"
        return step

    def _change(self, change: Callable[[Record], None]) -> Record:
        """Applies a change to the cluster in a transaction, unless it has ended; returns the cluster."""

        def unless_ended(cluster: Record) -> Record:
            if cluster.state in states.ALIVE:
                change(cluster)
            return cluster

        return self._write(unless_ended)

    def _write(self, change: Callable[[Record], _T]) -> _T:
        """Runs `change` in a transaction; on a full disk retries after releasing the reserved space."""
        for seconds in _RETRY_SECONDS:
            try:
                return self._write_once(change)
            except FlowspecError as error:
                _log.warning("writing to the store failed: %s", error)
            paths.reserve(self._home, self._cluster_id).unlink(missing_ok=True)
            with contextlib.suppress(FlowspecError):
                self._store.restart_log()
            time.sleep(seconds)
        return self._write_once(change)

    def _write_once(self, change: Callable[[Record], _T]) -> _T:
        with self._store.writing():
            return change(self._cluster())


def main(argv: list[str]) -> int:
    """Runs the worker of a cluster; returns 0 if it stored the cluster's end, whichever that was."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    home, cluster_id = Path(argv[0]), argv[1]
    if not _hold_lock(home, cluster_id, int(argv[2]) if len(argv) > 2 else None):
        _log.error("cluster %s has a worker already", cluster_id)
        return 1
    processes.become_worker()
    wake = WakeEvent(paths.wake_pipe(home, cluster_id), paths.worker_lock(home, cluster_id))
    # A worker that is not a fork begins with the mask of its caller, which holds interrupts back at that moment.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    with reserved_space(paths.reserve(home, cluster_id)), Store(home) as store:
        return _run(Worker(home, cluster_id, store, wake))


@contextlib.contextmanager
def reserved_space(reserve: Path) -> Iterator[None]:
    """Reserves disk space so that the final state can be written when the disk is full; none if it is already."""
    try:
        try:
            reserve.write_bytes(bytes(RESERVED_BYTES))
        except OSError:
            reserve.unlink(missing_ok=True)
        yield
    finally:
        reserve.unlink(missing_ok=True)


def _hold_lock(home: Path, cluster_id: str, inherited: int | None) -> bool:
    lock = supervisor.take_lock(home, cluster_id) if inherited is None else inherited
    if lock is None:
        return False
    # A child that inherited the lock would make a dead worker look alive.
    os.set_inheritable(lock, False)
    return True


def _run(worker: Worker) -> int:
    """Runs a cluster to its end. In any case, no process of the cluster remains."""
    try:
        worker.run()
        return 0
    except TerminationRequested:
        return _fail_cluster(worker, "the worker process of the embedded EMR was terminated (SIGTERM)")
    except (OSError, FlowspecError) as error:
        _log.exception("the worker can't continue")
        return _fail_cluster(worker, f"{supervisor.WORKER_FAILED}: {error}")
    except BaseException:
        worker.kill_leftovers()
        raise


def _fail_cluster(worker: Worker, why: str) -> int:
    """Ends the cluster with errors. If that fails too (full disk), the next call does it."""
    try:
        worker.fail(why)
    except (OSError, FlowspecError) as error:
        _log.warning("the cluster's end could not be stored: %s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
