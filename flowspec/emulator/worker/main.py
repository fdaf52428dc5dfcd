"""The worker: the process that is a cluster.

    python -m flowspec.emulator.worker.main HOME CLUSTER_ID [LOCK]

    STARTING -> BOOTSTRAPPING -> RUNNING <-> WAITING -> TERMINATING -> TERMINATED / TERMINATED_WITH_ERRORS

It has one thread and one loop. It sleeps until a child ends, a call wakes it through the pipe, or a time
has come; then it takes in what ended, reads its orders from the store, and starts, signals or ends what
they say. LOCK is the descriptor of the cluster's lock, inherited from the call that made the cluster.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from flowspec.emulator import faults as drills
from flowspec.emulator.api import groups, scaling
from flowspec.emulator.state import clock, ids, instances, lifecycle
from flowspec.emulator.state import paths as place
from flowspec.emulator.state.store import Record, Store
from flowspec.emulator.worker import execution, logs, processes
from flowspec.emulator.worker import supervisor as workers
from flowspec.emulator.worker.execution import CannotStart, Running
from flowspec.errors import FlowspecError
from flowspec.facts import states

_log = logging.getLogger("flowspec.emulator.worker.main")

# Not the way news travels (that is the pipe): only a bound, should a wake be lost with a killed caller.
_LONGEST_SLEEP = 5.0
_RETRY_SECONDS = (0.0, 0.1, 0.5, 1.0)
RESERVED_BYTES = 256 * 1024

_T = TypeVar("_T")


class Asked(Exception):
    """The worker itself was asked to end (SIGTERM: a shutdown of the machine, or someone's kill)."""


class Alarm:
    """What the worker sleeps on: ended children, signals, and the pipe that calls write to.

    `lock` is the file that stands for the cluster: once it is removed, no call reaches the worker any more.
    """

    def __init__(self, pipe: Path, lock: Path) -> None:
        self._lock = lock
        self._children, waker = os.pipe()
        os.set_blocking(self._children, False)
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._ask)
        self.asked = False
        self._watched = [self._children]
        self._longest = _LONGEST_SLEEP
        try:
            if not pipe.exists():
                os.mkfifo(pipe, 0o600)
            # Opened for both directions, so that it never reads as closed when a caller has gone.
            self._watched.append(os.open(pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError as error:
            _log.warning("no named pipe can be had here, the store is looked at ten times a second: %s", error)
            self._longest = 0.1

    def _ask(self, *_: object) -> None:
        self.asked = True

    def sleep(self, seconds: float | None) -> None:
        """Sleeps until something happens, at most `seconds`.

        Raises Asked after a SIGTERM, FileNotFoundError when the cluster's folder was removed.
        """
        longest = self._longest if seconds is None else max(0.0, min(seconds, self._longest))
        ready, _, _ = select.select(self._watched, [], [], longest)
        for descriptor in ready:
            os.read(descriptor, 4096)
        if self.asked:
            self.asked = False
            # Once is enough: what follows is the end.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            raise Asked
        with contextlib.suppress(PermissionError):
            self._lock.stat()


class Worker:
    """A cluster at work: the processes it runs now, by the id of their step."""

    def __init__(self, home: Path, cluster_id: str, store: Store, alarm: Alarm) -> None:
        self._home = home
        self._cluster_id = cluster_id
        self._store = store
        self._alarm = alarm
        self._running: dict[str, Running] = {}
        asked = self._cluster().doc
        self._drills = drills.parse(f"{asked['drills']},{asked['inject']}")

    def run(self) -> None:
        """Takes the cluster from STARTING to its end."""
        _log.info("pid %d works for cluster %s", os.getpid(), self._cluster_id)
        self._start_slowly()
        if self._bootstrap():
            self._serve()
        self._end(self._running.values())
        self._take_in_ended()
        self.clear_away()
        ended = self._change(lambda cluster: lifecycle.end(self._store, cluster))
        _log.info("%s %s", ended.state, ended.doc["reason"])

    def fail(self, why: str) -> None:
        """Ends the cluster because of what happened to the worker itself."""
        self._end(self._running.values())
        self.clear_away()
        cluster = self._change(lambda cluster: lifecycle.fail(self._store, cluster, "INTERNAL_ERROR", why))
        for step_id, running in self._running.items():
            execution.finish(running, "Step")
            logs.publish_step(self._home, cluster, self._step(step_id))

    def clear_away(self) -> None:
        """Leaves no process and no temporary file behind, those of finished steps included."""
        workers.clear_away(self._home, self._cluster_id)
        processes.kill_adopted()

    # -- bootstrap

    def _start_slowly(self) -> None:
        """The drill `slow-start`: the cluster stays STARTING, unless it is asked to end or a fleet gives up."""
        cluster = self._cluster()
        until = cluster.created + clock.span(self._drills.slow_start, cluster.doc["time_scale"])
        for timeout, fleet in groups.spot_timeouts(self._store, cluster):
            if timeout < until:
                self._stay_starting(timeout)
                self._change(partial(self._give_up_spot, fleet))
        self._stay_starting(until)

    def _stay_starting(self, until: float) -> None:
        while (left := until - clock.now()) > 0 and self._cluster().state == "STARTING":
            self._alarm.sleep(left)

    def _give_up_spot(self, fleet: Record, cluster: Record) -> None:
        if cluster.state == "STARTING":
            groups.give_up_spot(self._store, cluster, fleet)

    def _bootstrap(self) -> bool:
        """Goes through BOOTSTRAPPING; whether the cluster came out of it ready."""
        cluster = self._change(self._enter_bootstrapping)
        if cluster.state != "BOOTSTRAPPING":
            return False
        actions = cluster.doc["request"].get("BootstrapActions", ())
        if self._drills.bootstrap_failure:
            self._drill_bootstrap(actions)
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
            scaling.settle(self._store, cluster, clock.now())

    def _drill_bootstrap(self, actions: Sequence[Mapping[str, Any]]) -> None:
        """The drill `bootstrap-failure`, in EMR's words for a failed action and for a master that can't be set up."""
        instance = self._master_instance(self._cluster())
        what = "bootstrap action 1 returned a non-zero return code" if actions else "application provisioning failed"
        name = actions[0]["Name"] if actions else ""
        why = f"On the master instance ({instance}), {what}"
        self._fail_bootstrap("BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE", why, instance, name)

    def _master_instance(self, cluster: Record) -> str:
        return ids.ec2_instance_id(instances.master(self._store, cluster).id, instances.MASTER_NUMBER)

    def _bootstrap_action(self, cluster: Record, number: int, name: str) -> bool:
        instance = self._master_instance(cluster)
        try:
            running = execution.start_bootstrap(self._home, cluster, number)
        except CannotStart as error:
            why = f"On the master instance ({instance}), bootstrap action {number} failed to start: {error}"
            self._fail_bootstrap("BOOTSTRAP_FAILURE_BA_DOWNLOAD_FAILED_PRIMARY", why, instance, name)
            return False
        while running.exit_code() is None:
            self._alarm.sleep(None)
            if self._cluster().state == "TERMINATING":
                self._end([running])
                return False
        code = execution.finish(running, "Bootstrap action")
        logs.publish_bootstrap(self._home, cluster, number, instance)
        if code != 0:
            why = f"On the master instance ({instance}), bootstrap action {number} returned a non-zero return code"
            self._fail_bootstrap("BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE", why, instance, name)
        return code == 0

    def _fail_bootstrap(self, error_code: str, why: str, instance: str, name: str) -> None:
        data = [{"instance-id": instance, **({"bootstrap-action": name} if name else {})}]
        detail = {"ErrorCode": error_code, "ErrorData": data, "ErrorMessage": why}

        def change(cluster: Record) -> None:
            cluster.doc["errors"].append(detail)
            instances.fail_master(self._store, cluster, "BOOTSTRAP_FAILURE", why, clock.now())
            lifecycle.begin_termination(self._store, cluster, "BOOTSTRAP_FAILURE", why, with_errors=True)

        self._change(change)

    # -- steps

    def _serve(self) -> None:
        while True:
            self._take_in_ended()
            orders = self._write(lambda cluster: lifecycle.next_orders(self._store, cluster, self._running.keys()))
            if orders.stop:
                return
            for step_id, option in orders.cancel.items():
                self._cancel(step_id, option)
            for step in orders.start:
                self._start(step)
            # What could not be started has ended already, and is taken in before any sleep.
            if all(step.id in self._running for step in orders.start):
                self._alarm.sleep(orders.wait)

    def _start(self, step: Record) -> None:
        cluster = self._cluster()
        try:
            self._running[step.id] = execution.start_step(self._home, cluster, self._drilled(step))
        except CannotStart as error:
            self._step_over(step.id, execution.NOT_STARTED, str(error))

    def _drilled(self, step: Record) -> Record:
        """The step as it is to run: the drill `step-failure` puts a failing one in its place."""
        number = self._store.count("step", cluster_id=step.cluster_id, up_to=step.seq)
        if number in self._drills.spot_loss:
            self._change(self._lose_instances)
        fails = number in self._drills.step_failure
        return replace(step, doc={**step.doc, "jar": drills.FAILING_STEP}) if fails else step

    def _lose_instances(self, cluster: Record) -> None:
        lost = instances.reclaim(self._store, cluster, clock.now())
        _log.info("drill: reclaimed %s", ", ".join(lost) or "nothing, for there is no such instance")

    def _cancel(self, step_id: str, option: str) -> None:
        if option == "TERMINATE_PROCESS":
            self._running[step_id].kill()
        else:
            self._running[step_id].ask()

    def _take_in_ended(self) -> None:
        for step_id, running in list(self._running.items()):
            if running.exit_code() is not None:
                del self._running[step_id]
                if running.asked:
                    processes.kill_noted(running.folder / "process")
                    processes.kill_marked(processes.STEP_ID, step_id)
                self._step_over(step_id, execution.finish(running, "Step"))
        processes.collect_adopted([running.process.pid for running in self._running.values()])

    def _step_over(self, step_id: str, code: int, not_started: str = "") -> None:
        _log.info("step %s ended with exit status %d", step_id, code)
        cluster, step = self._cluster(), self._step(step_id)
        failure: dict[str, str] = {}
        if not_started:
            folder = place.step_logs(self._home, cluster.id, step_id)
            logs.write_controller(folder, f"WARN Step could not be started: {not_started}")
            log_file = logs.published_uri(cluster, step, "controller") or str(folder / "controller")
            reason = logs.reason_of(not_started, "The step can't run here.")
            failure = {"Reason": reason, "Message": not_started, "LogFile": log_file}
        elif code != 0:
            failure = logs.failure_details(self._home, cluster, step, code)
        place.remove_scratch(self._home, step_id)
        # Published first: who sees that the step is over finds its logs.
        logs.publish_step(self._home, cluster, step)

        def change(cluster: Record) -> None:
            lifecycle.step_over(self._store, cluster, self._step(step_id), succeeded=code == 0, failure=failure)

        self._change(change)

    # -- the end

    def _end(self, ending: Iterable[Running]) -> None:
        """Has processes end, gently and after the grace not so, and waits until they have."""
        running = list(ending)
        for process in running:
            process.ask()
        deadline = time.monotonic() + execution.GRACE_SECONDS
        while any(process.exit_code() is None for process in running):
            left = deadline - time.monotonic()
            if left > 0:
                self._alarm.sleep(left)
            else:
                for process in running:
                    process.kill()
                self._alarm.sleep(None)

    # -- the store

    def _cluster(self) -> Record:
        cluster = self._store.get("cluster", self._cluster_id)
        assert cluster is not None, "the cluster stays in the store while its worker holds the lock"
        return cluster

    def _step(self, step_id: str) -> Record:
        step = self._store.get("step", step_id)
        assert step is not None, "so do its steps"
        return step

    def _change(self, change: Callable[[Record], None]) -> Record:
        """Carries out a change of the cluster, unless it has ended; gives it as it then is."""

        def unless_ended(cluster: Record) -> Record:
            if cluster.state in states.ALIVE:
                change(cluster)
            return cluster

        return self._write(unless_ended)

    def _write(self, change: Callable[[Record], _T]) -> _T:
        """Carries out a change in a transaction; on a full disk more than once, with room made in between."""
        for seconds in _RETRY_SECONDS:
            try:
                return self._write_once(change)
            except FlowspecError as error:
                _log.warning("what happened could not be stored yet: %s", error)
            place.reserve(self._home, self._cluster_id).unlink(missing_ok=True)
            with contextlib.suppress(FlowspecError):
                self._store.make_room()
            time.sleep(seconds)
        return self._write_once(change)

    def _write_once(self, change: Callable[[Record], _T]) -> _T:
        with self._store.writing():
            return change(self._cluster())


def main(argv: list[str]) -> int:
    """Runs the worker of a cluster; 0 when it could bring the cluster to its end, whichever that was."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    home, cluster_id = Path(argv[0]), argv[1]
    if not _hold_lock(home, cluster_id, int(argv[2]) if len(argv) > 2 else None):
        _log.error("cluster %s has a worker already", cluster_id)
        return 1
    processes.adopt_orphans()
    alarm = Alarm(place.wake_pipe(home, cluster_id), place.worker_lock(home, cluster_id))
    with reserved_space(place.reserve(home, cluster_id)), Store(home) as store:
        return _run(Worker(home, cluster_id, store, alarm))


@contextlib.contextmanager
def reserved_space(reserve: Path) -> Iterator[None]:
    """Holds room on the disk for what is stored last. Where there is too little for it, it takes none at all."""
    try:
        try:
            reserve.write_bytes(bytes(RESERVED_BYTES))
        except OSError:
            reserve.unlink(missing_ok=True)
        yield
    finally:
        reserve.unlink(missing_ok=True)


def _hold_lock(home: Path, cluster_id: str, inherited: int | None) -> bool:
    lock = workers.take_lock(home, cluster_id) if inherited is None else inherited
    if lock is None:
        return False
    # No child may hold the lock: it would make a dead worker look alive.
    os.set_inheritable(lock, False)
    return True


def _run(worker: Worker) -> int:
    try:
        worker.run()
        return 0
    except Asked:
        return _last_words(worker, "the worker process of the embedded EMR was asked to end (SIGTERM)")
    except (OSError, FlowspecError) as error:
        _log.exception("the worker can't go on")
        return _last_words(worker, f"the worker process of the embedded EMR could not go on: {error}")
    finally:
        worker.clear_away()


def _last_words(worker: Worker, why: str) -> int:
    """Ends the cluster with errors. On a full disk that may fail, too; then the next call buries the worker."""
    try:
        worker.fail(why)
    except (OSError, FlowspecError) as error:
        _log.warning("the end could not be stored: %s", error)
        return 1
    return 0


def _main() -> NoReturn:
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    _main()
