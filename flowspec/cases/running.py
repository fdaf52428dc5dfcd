"""Runs cases side by side, each in a home of its own, and judges what came out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from os import PathLike
from pathlib import Path
from threading import Event, Lock

from flowspec.cases.case import Case, load_case, refuse_overwriting, refuse_unusable
from flowspec.cases.comparison import difference, write_expected
from flowspec.cases.discovery import find_cases, name_of, select_by_conditions, select_changed
from flowspec.cases.execution import CompletedRun, execute
from flowspec.cases.last_failed import last_failed as failed_last
from flowspec.cases.last_failed import remember
from flowspec.cases.sandbox import Sandbox, prepare
from flowspec.document.masking import mask
from flowspec.document.selection import colon_hint
from flowspec.emulator.temporary import end_clusters, temporary_home
from flowspec.errors import Diagnostic, FlowspecError, NothingFound, SpecError
from flowspec.facts.machine import usable_cores

# Seconds between two polls of a cluster, each of which takes some 5 ms: short, as cases take about a second.
_INTERVAL = 0.05


class CaseOutcome(str, Enum):
    """The outcome of a case. INVALID: it could not be run, because the case or its spec is wrong."""

    PASSED = "passed"
    UPDATED = "updated"
    FAILED = "failed"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The result of a case: `name` is its folder, `path` its case.yaml, `seconds` how long it took.

    `problems` are texts about unexpected results, `diagnostics` the errors of a case that could not be run. `updated`
    are the expected files and folders that were written. `home` is the folder with the run's state, if it was kept.
    `crash` is the exception if an unexpected one ended the case.
    """

    name: str
    path: Path
    outcome: CaseOutcome
    seconds: float = 0.0
    problems: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    updated: tuple[Path, ...] = ()
    home: Path | None = None
    crash: Exception | None = field(default=None, repr=False, compare=False)

    @property
    def succeeded(self) -> bool:
        """True if all was as expected, or was written as expected."""
        return self.outcome in {CaseOutcome.PASSED, CaseOutcome.UPDATED}


def run_tests(
    paths: Sequence[str | PathLike[str]] = (".",),
    *,
    names: Sequence[str] = (),
    select: Sequence[str] = (),
    base: str | None = None,
    last_failed: bool = False,
    update: bool = False,
    keep: bool = False,
    jobs: int | None = None,
    on_result: Callable[[CaseResult], object] = lambda _: None,
) -> tuple[CaseResult, ...]:
    """Runs the cases at paths on embedded EMRs, as `flowspec test` does; returns their results in the cases' order.

    `names`: only cases with one of these texts in their names. `select`: only those whose flow is chosen by one of
    these conditions, as `--select` takes them (`name~^etl-,tag=team:data`). `base`: only those that differ from the
    merge base with this git revision. `last_failed`: only those that failed when they were run last; all if none did.
    `update` writes outputs as the expected ones instead of comparing them. `keep` leaves the homes of failed cases.
    `jobs` is how many run at once (default: the number of cores). `on_result` is called, in this thread, as each case
    ends.

    An exception (KeyboardInterrupt, too) ends all that is running. Raises SpecError for a path that is not there,
    NothingFound when there is no case, FlowspecError when `base` can't be compared with; a case that failed is a
    result.
    """
    cases = _choose_cases([Path(path) for path in paths], names, select, base, last_failed)
    turns = _Turns()
    results: dict[Path, CaseResult] = {}
    with ThreadPoolExecutor(jobs or usable_cores(), "case") as pool:
        try:
            futures = [pool.submit(_run, case, turns, update=update, keep=keep) for case in cases]
            for future in as_completed(futures):
                result = future.result()
                results[result.path] = result
                on_result(result)
        except BaseException:
            turns.stop()
            pool.shutdown(cancel_futures=True)
            raise
    # If the home can't be written, the results stay the same; `--last-failed` reports the problem.
    with suppress(FlowspecError):
        remember(cases, [one.path for one in results.values() if not one.succeeded])
    return tuple(results[case] for case in cases)


class _Stopped(Exception):
    """The tests were interrupted."""


class _Turns:
    """A lock that one thread holds while it works, and releases while it waits for its cluster.

    This costs nothing, as Python runs one thread at a time anyway. It is needed because modules are imported when they
    are first used: two threads that import packages with circular imports can get a package that is only partly loaded.
    """

    def __init__(self) -> None:
        self._turn, self._stopped = Lock(), Event()

    def __enter__(self) -> None:
        self._turn.acquire()

    def __exit__(self, *_: object) -> None:
        self._turn.release()

    def stop(self) -> None:
        """Makes all threads that wait, now or later, raise _Stopped."""
        self._stopped.set()

    def wait(self, _: float) -> None:
        """Gives the turn to others for a moment."""
        self._turn.release()
        try:
            self._stopped.wait(_INTERVAL)
        finally:
            self._turn.acquire()
        if self._stopped.is_set():
            raise _Stopped


def _choose_cases(
    paths: Sequence[Path], names: Sequence[str], select: Sequence[str], base: str | None, only_failed: bool
) -> list[Path]:
    cases = find_cases(paths)
    if not cases:
        where = ", ".join(map(str, paths))
        raise NothingFound(f"no case was found in {where}", remedy="a case is tests/NAME/case.yaml beside a spec")
    words = [word.casefold() for word in names]
    cases = [case for case in cases if not words or any(word in name_of(case).casefold() for word in words)]
    if not cases:
        raise NothingFound(
            f"no case's name contains {' or '.join(map(repr, names))}", remedy="names are paths of folders"
        )
    cases = select_by_conditions(cases, select)
    if not cases:
        message = f"no case is of a flow that is selected by {' or '.join(select)}"
        raise NothingFound(message, remedy=colon_hint(select))
    if only_failed:
        failed = failed_last()
        cases = [case for case in cases if os.path.realpath(case) in failed] or cases
    return cases if base is None else select_changed(cases, base)


def _run(path: Path, turns: _Turns, *, update: bool, keep: bool) -> CaseResult:
    started = time.monotonic()
    result = CaseResult(name_of(path), path, CaseOutcome.PASSED)
    with temporary_home(keep=lambda: keep and result.outcome is CaseOutcome.FAILED) as home:
        try:
            with turns:
                case = load_case(path)
                for one in case.expected:
                    refuse_unusable(case, one.path, one.at, may_be_missing=update)
                sandbox = prepare(case, home)
                ran = execute(sandbox, turns.wait)
            end_clusters(home)
            with turns:
                result = _compare_results(result, sandbox, ran, update=update)
        except SpecError as error:
            result = replace(result, outcome=CaseOutcome.INVALID, diagnostics=error.diagnostics)
        except FlowspecError as error:
            result = replace(result, outcome=CaseOutcome.FAILED, problems=(error.sentence,))
        except OSError as error:
            text = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            result = replace(result, outcome=CaseOutcome.FAILED, problems=(text,))
        except _Stopped:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the other cases are run
            problem = "an internal error ended the case"
            result = replace(result, outcome=CaseOutcome.FAILED, problems=(problem,), crash=error)
        if keep and result.outcome is CaseOutcome.FAILED:
            result = replace(result, home=home)
    return replace(result, seconds=time.monotonic() - started)


def _compare_results(result: CaseResult, sandbox: Sandbox, ran: CompletedRun, *, update: bool) -> CaseResult:
    """Returns the result by how the run ended, its counters and its outputs, with secrets masked."""
    problems = [*_end_problems(sandbox.case, ran), *_counter_problems(sandbox.case, ran)]
    if update and not problems:
        updated, problems = _update(sandbox)
        outcome = CaseOutcome.FAILED if problems else CaseOutcome.UPDATED if updated else CaseOutcome.PASSED
        return replace(result, outcome=outcome, problems=tuple(problems), updated=tuple(updated))
    # If the run itself failed, missing output is not the cause.
    problems = problems or _output_problems(sandbox)
    masked = tuple(str(mask(problem, sandbox.request.secrets)) for problem in problems)
    return replace(result, outcome=CaseOutcome.FAILED if problems else CaseOutcome.PASSED, problems=masked)


def _end_problems(case: Case, ran: CompletedRun) -> Iterator[str]:
    outcome, step = ran.verdict.outcome, ran.verdict.step
    diagnosis = ran.diagnosis
    failure_lines = (
        [line for lines in (diagnosis.facts, *diagnosis.excerpts.values()) for line in lines] if diagnosis else []
    )
    if outcome.exit_code != case.exit_code:
        advice = [f"try: {one}" for one in diagnosis.advice] if diagnosis else []
        first = f"the run ended with exit code {outcome.exit_code} ({outcome.value}), {case.exit_code} is expected"
        yield "\n".join([first, *(f"  {line}" for line in (*failure_lines, *advice))])
    elif case.fails and (step is None or step.name != case.fails):
        failed = f"step '{step.name}'" if step else "none"
        yield f"step '{case.fails}' should have failed, it was {failed}"
    elif case.message and not any(case.message in line for line in failure_lines):
        yield "\n".join(
            [f"'{case.message}' is not in the description of the failure:", *(f"  {line}" for line in failure_lines)]
        )


def _counter_problems(case: Case, ran: CompletedRun) -> Iterator[str]:
    names = [step.name for step in ran.cluster.steps]
    for step, groups in case.counters.items():
        if names.count(step) != 1:
            yield f"counters of step '{step}': {names.count(step)} steps have that name; there are {', '.join(names)}"
            continue
        for group, counters in groups.items():
            found = ran.counters.get(step, {}).get(group, {})
            for name, value in counters.items():
                if found.get(name) != value:
                    yield f"counter {name} ({group}) of step '{step}' is {found.get(name, 'missing')}, not {value}"


def _output_problems(sandbox: Sandbox) -> list[str]:
    problems = []
    for one in sandbox.case.expected:
        found = difference(one.path, sandbox.locate(one.uri, one.at), in_any_order=one.in_any_order)
        if found:
            problems.append(f"{one.uri}: {found}")
    return problems


def _update(sandbox: Sandbox) -> tuple[list[Path], list[str]]:
    """Writes the outputs as the expected ones; returns those that differed, and the outputs that are missing.

    Raises SpecError for one in whose place is what the case is made of.
    """
    updated, problems = [], []
    for one in sandbox.case.expected:
        actual = sandbox.locate(one.uri, one.at)
        if not actual.exists():
            problems.append(f"{one.uri}: there is no such output")
        elif not one.path.exists() or difference(one.path, actual, in_any_order=one.in_any_order):
            refuse_overwriting(sandbox.case, one.path, one.at)
            write_expected(one.path, actual, in_any_order=one.in_any_order)
            updated.append(one.path)
    return updated, problems
