"""Compares the request of a spec with the running cluster and lists what has to be done."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from flowspec.cost.budget import budget_notes, estimate_of, refuse_over_budget
from flowspec.document.nearest import not_found
from flowspec.errors import Location, SpecError
from flowspec.facts.api_model import KeyPath
from flowspec.facts.limits import MAX_STEPS, MAX_STEPS_LISTED
from flowspec.facts.mutability import row_of
from flowspec.facts.rules.common import Params
from flowspec.facts.rules.steps import concurrent_steps_continue
from flowspec.plan.changes import Action, ApiCall, Assessment, Change, Plan
from flowspec.plan.cluster import MANAGED_TAG, STEPS_TAG, Step
from flowspec.plan.command_lines import Place, command_line_at
from flowspec.plan.comparison.differences import Difference, snake, tokens_in
from flowspec.plan.comparison.fields import Comparison, compare_fields
from flowspec.plan.converge import calls_of, changes_of, ending_calls, intent_calls, needs_replacement, tag_calls
from flowspec.plan.identity import (
    hidden_digests,
    identity_tags,
    observed_digest,
    read_hidden_digests,
    steps_digest,
    unreadable,
)
from flowspec.plan.lines import blast_radius, step_lines, submission_lines, upload_lines, without_secret
from flowspec.plan.runs.launches import alternatives, launch_notes, made_by
from flowspec.plan.runs.supervision import StepPolicy, policy_tags, retagging_calls, step_policies, supervision_notes
from flowspec.plan.runs.unattended import settings_tags, unattended_changes
from flowspec.plan.steps import StepChanges, compare_steps, step_identity
from flowspec.request.graph import find_misordered_steps
from flowspec.request.instances import lives_on
from flowspec.request.origins import locate
from flowspec.request.selection import all_steps

if TYPE_CHECKING:
    from flowspec.cost.estimate import Estimate
    from flowspec.document.job_flow import JobFlow
    from flowspec.plan.cluster import Cluster
    from flowspec.plan.findings import Finding
    from flowspec.request.compile import Request


def make_plan(
    jobflow: JobFlow,
    request: Request,
    cluster: Cluster | None = None,
    assessment: Assessment | None = None,
    *,
    replace: bool = False,
    rerun: Collection[str] = (),
    cancel_removed: bool = False,
    now: datetime | None = None,
    region: str | None = None,
) -> Plan:
    """Compares a request with `cluster`, the flow's active cluster if there is one.

    `assessment` is what the backend reports about the request (`assess`); `replace` allows terminating a cluster that
    can't be changed to match the request. On a long-running cluster, `rerun` names steps to run again ("failed": all
    that failed), and `cancel_removed` cancels steps that the spec no longer has. `now` is the time of the plan, from
    which the age of a cluster is computed; `region` is the region of a flow without one. Raises SpecError when a step
    can't run on the backend, before earlier steps have run, and when the cluster may cost more than the budget. Raises
    NothingFound for a name in `rerun` that no step has.
    """
    assessment = assessment or Assessment()
    refuse_unsupported(jobflow, request, assessment)
    refuse_unknown_names(rerun, request.params)
    cost = estimate_of(jobflow, request.params, region)
    fallback = alternatives(jobflow, request.params)
    refuse_over_budget(jobflow, cost, fallback, region)
    refuse_misordered(jobflow, request)
    submission = _plan_submission(jobflow, request, assessment, fallback=fallback, cost=cost)
    place = dataclasses.replace(jobflow, region=jobflow.region or region)
    choices = _Choices(replace, frozenset(rerun), cancel_removed, request.selected, now, place)
    plan = submission if cluster is None else _plan_for_cluster(submission, cluster, choices)
    plan = _add_supervision(plan, jobflow, cluster)
    if cluster is not None and cluster.others:
        plan = dataclasses.replace(plan, notes=(*plan.notes, _others_note(cluster)))
    plan = dataclasses.replace(plan, notes=(*plan.notes, *budget_notes(jobflow, cost)))
    return dataclasses.replace(plan, changes=tuple(as_shown(one, jobflow, request) for one in plan.changes))


def _plan_submission(
    jobflow: JobFlow,
    request: Request,
    assessment: Assessment,
    *,
    fallback: tuple[Mapping[str, Any], ...],
    cost: Estimate | None,
) -> Plan:
    """Returns the plan for a flow that has no active cluster: one RunJobFlow."""
    # On this machine, only files that are made from other files have to be staged.
    uploads = tuple(one for one in request.assets if jobflow.traits.stages_files or one.packages)
    return Plan(
        flow=jobflow.name,
        target=jobflow.target,
        digest=request.digest,
        source=str(jobflow.path),
        request=request.params,
        changes=tuple(submission_lines(request.params, uploads, assessment)),
        calls=(ApiCall("RunJobFlow", request.params),),
        uploads=uploads,
        remarks=assessment.remarks,
        warnings=request.warnings,
        secrets=request.secrets,
        fallback=fallback,
        launch_retries=jobflow.fields.get("launch_retries", 0),
        cost=cost,
        omitted=request.omitted,
        options=jobflow.options,
    )


def as_shown(change: Change, jobflow: JobFlow, request: Request) -> Change:
    """Returns a change with its place in the spec, and without secrets."""
    return change._replace(
        location=change.location or _location_of(change.path, None, jobflow, request),
        before=without_secret(change, request.secrets),
    )


def _add_supervision(plan: Plan, jobflow: JobFlow, cluster: Cluster | None) -> Plan:
    """Returns the plan with the policies for its watchers, and the calls that tag a living cluster with them."""
    wanted = plan.request
    # The tags of a long-running cluster cover all steps of the spec that may be on it.
    steps = all_steps(wanted.get("Steps", ()), plan.omitted) if lives_on(wanted) else wanted.get("Steps", ())
    policies = step_policies(jobflow, {"Steps": steps})
    plan = dataclasses.replace(plan, supervision=tuple({**policy_tags(policies), **settings_tags(jobflow)}.items()))
    if cluster is not None and cluster.id in {plan.joins, plan.converges}:
        plan = _add_tag_changes(plan, jobflow, policies, cluster)
    return dataclasses.replace(
        plan,
        notes=(
            *plan.notes,
            *(supervision_notes(policies, wanted.get("Steps", ())) if _watches_steps(plan) else ()),
            *_launch_notes(plan, jobflow),
            *_hook_notes(plan, jobflow),
        ),
    )


def _add_tag_changes(plan: Plan, jobflow: JobFlow, policies: Mapping[str, StepPolicy], cluster: Cluster) -> Plan:
    """Returns the plan that changes the tags for watchers, too, before it adds the steps that these concern.

    Policies of ended steps are removed with the next change; they don't cause a change themselves.
    """
    added = {one.path[1] for one in plan.changes if one.action is Action.SUBMIT}
    there = {index: step for index, step in enumerate(plan.request.get("Steps", ())) if index not in added}
    lines = tuple(unattended_changes(jobflow, policies, cluster, there))
    if not lines and not plan.converges:
        return plan
    calls = [*retagging_calls(dict(plan.supervision), cluster), *plan.calls]
    made = dataclasses.replace(plan, changes=(*plan.changes, *lines), joins=None, converges=cluster.id)
    if plan.joins:
        made = dataclasses.replace(made, observed=observed_digest(cluster, plan.secrets))
        calls += tag_calls((), identity_tags(made), cluster)
    return dataclasses.replace(made, calls=tuple(calls))


def _watches_steps(plan: Plan) -> bool:
    """Returns True if the apply of the plan submits steps, or waits for some."""
    return plan.awaits != () or any(call.operation in {"RunJobFlow", "AddJobFlowSteps"} for call in plan.calls)


def _hook_notes(plan: Plan, jobflow: JobFlow) -> Iterator[str]:
    hooks = [one for found in jobflow.fields.get("hooks", {}).values() for one in found]
    if hooks and not _watches_steps(plan):
        yield "its hooks are not run, because no step is submitted or waited for"
    elif hooks:
        yield "its hooks are run by the `apply` or `flowspec wait SPEC` that sees the end"
    for command in (one["command"] for one in hooks if "command" in one):
        yield f"a hook runs a command on the machine that watches, if --allow-commands is given: {' '.join(command)}"


def _launch_notes(plan: Plan, jobflow: JobFlow) -> Iterator[str]:
    # For a living cluster, nothing is launched.
    if not plan.converges and not (plan.joins and lives_on(plan.request)):
        yield from launch_notes(plan.launch_retries, jobflow.fields.get("fallback", ()))


def refuse_unknown_names(rerun: Collection[str], wanted: Mapping[str, Any]) -> None:
    """Raises NothingFound for a name in `rerun` that no step of the request `wanted` has."""
    names = [step["Name"] for step in wanted.get("Steps", ())]
    for name in rerun:
        if name != "failed" and name not in names:
            raise not_found(f"the spec has no step {name!r} to run again", name, names)


class _Choices(NamedTuple):
    """The options of a plan beside the spec (see `make_plan`); `place` is where its commands look for clusters."""

    replace: bool
    rerun: frozenset[str]
    cancel_removed: bool
    selected: frozenset[int] | None
    now: datetime | None
    place: Place


def with_preflight(plan: Plan, found: Iterable[Finding], jobflow: JobFlow, request: Request) -> Plan:
    """Returns the plan with what its preflight found, each finding at its place in the spec."""
    located = (one._replace(location=_location_of(one.path, one.value or None, jobflow, request)) for one in found)
    return dataclasses.replace(plan, preflight=tuple(located))


def _location_of(path: KeyPath, value: str | None, jobflow: JobFlow, request: Request) -> Location | None:
    """Returns the place in the spec of a value of the request; None where the spec has none."""
    if not path or not request.origins:
        return None
    found = locate(jobflow, request.origins, path, value)
    return jobflow.document.nearest(found).at.location if found else None


def _plan_for_cluster(submission: Plan, cluster: Cluster, choices: _Choices) -> Plan:
    """Returns the plan for a flow that has an active cluster."""
    wanted = submission.request
    # A run: the cluster ends with its steps.
    if cluster.live is None or not (lives_on(wanted) or cluster.keep_alive):
        return _join_or_replace(submission, cluster, choices)
    made = dataclasses.replace(submission, request=made_by(cluster, submission.request, submission.fallback))
    comparison = _compare_members(made.request, cluster, submission.secrets)
    fixed = [one for one in comparison.differences if needs_replacement(one)]
    if fixed:
        return _plan_replacement(submission, cluster, fixed, choices)
    steps = compare_steps(
        wanted.get("Steps", ()),
        cluster,
        rerun=choices.rerun,
        cancel_removed=choices.cancel_removed,
        known=cluster.tags.get(STEPS_TAG)
        == steps_digest({"Steps": all_steps(wanted.get("Steps", ()), submission.omitted)}, submission.secrets),
        selected=choices.selected,
        omitted=[one.config for one in submission.omitted],
    )
    omitted = zip(submission.omitted, steps.under_way, strict=True)
    made = dataclasses.replace(made, omitted=tuple(one._replace(under_way=still) for one, still in omitted))
    return _plan_changes(made, cluster, comparison, steps)


def _others_note(cluster: Cluster) -> str:
    others, have = ", ".join(cluster.others), "has" if len(cluster.others) == 1 else "have"
    return (
        f"{others} {have} the tags of this flow, too: cluster {cluster.id}, the earliest, is the one that flowspec uses"
    )


def _compare_members(params: Mapping[str, Any], cluster: Cluster, secrets: Collection[str]) -> Comparison:
    """Compares the members of a request with those of a cluster; notes what can't be known.

    Members that EMR never gives back are compared by their digests.
    """
    assert cluster.live is not None
    found = compare_fields(params, cluster.live, tokens_in(cluster.tags.get(MANAGED_TAG, "")))
    hidden, known = unreadable(params), read_hidden_digests(cluster.tags)
    if not hidden:
        return found
    if known:
        digests = hidden_digests(params, secrets)
        changed = [
            Difference((name,), snake(name), "(another value)", value, row_of(name))
            for name, value in hidden.items()
            if known.get(name) != digests[name]
        ]
        return Comparison((*found.differences, *changed), found.notes)
    note = f"{', '.join(map(snake, hidden))}: EMR never shows it, and the cluster's tags don't say what it was"
    return Comparison(found.differences, (*found.notes, note))


def _join_or_replace(submission: Plan, cluster: Cluster, choices: _Choices) -> Plan:
    """Joins a run of the same request, compared by digest or else by each field; plans to replace another run."""
    joined = dataclasses.replace(submission, changes=(), calls=(), uploads=(), joins=cluster.id)
    if cluster.digest == submission.digest:
        return joined
    if cluster.live is None:
        return _plan_replacement(submission, cluster, (), choices)
    wanted = made_by(cluster, submission.request, submission.fallback)
    comparison = _compare_members(wanted, cluster, submission.secrets)
    wanted_steps = [step_identity(one) for one in wanted.get("Steps", ())]
    if wanted_steps != [step_identity(one) for one in cluster.live.params.get("Steps", ())]:
        step = Difference(("Steps",), "steps", "(others)", "(those of the spec)", row_of("Steps"))
        comparison = Comparison((*comparison.differences, step), comparison.notes)
    if not comparison.differences:
        return joined
    return _plan_replacement(submission, cluster, comparison.differences, choices)


def _plan_changes(submission: Plan, cluster: Cluster, comparison: Comparison, steps: StepChanges) -> Plan:
    """Returns a plan that changes the running cluster, or joins it if there is nothing to change."""
    wanted = submission.request
    differences = comparison.differences
    changes = [*(line for one in differences for line in changes_of(one)), *step_lines(wanted, steps)]
    calls = [*calls_of(differences, cluster), *step_calls(wanted, steps, cluster)]
    ending = list(ending_calls(differences, cluster))
    assert cluster.live is not None
    # The cluster keeps a level that the spec leaves open.
    level = wanted.get(_LEVEL) or cluster.live.params.get(_LEVEL, 1)
    blocked, remedy = why_steps_are_not_added(wanted, steps, cluster.id, level)
    plan = dataclasses.replace(
        submission,
        changes=tuple(changes),
        calls=(),
        uploads=submission.uploads if steps.add else (),
        joins=None if changes else cluster.id,
        converges=cluster.id if changes else None,
        observed=observed_digest(cluster, submission.secrets),
        awaits=tuple(one.id for one in steps.awaits),
        failed=tuple(one.id for one in steps.failed),
        notes=(*comparison.notes, *_step_notes(steps)),
        blocked=blocked,
        remedy=remedy,
    )
    if not changes:
        return plan
    identity = identity_tags(plan)
    calls = [*intent_calls(identity, cluster), *calls, *tag_calls(differences, identity, cluster), *ending]
    return dataclasses.replace(plan, changes=(*upload_lines(plan.uploads), *changes), calls=tuple(calls))


def step_calls(wanted: Mapping[str, Any], steps: StepChanges, cluster: Cluster) -> Iterator[ApiCall]:
    """Yields the calls that cancel and add the steps of a comparison, each with as many steps as EMR allows."""
    if steps.cancel:
        yield ApiCall("CancelSteps", {"ClusterId": cluster.id, "StepIds": [one.id for one in steps.cancel]})
    role = {"ExecutionRoleArn": wanted["StepExecutionRoleArn"]} if wanted.get("StepExecutionRoleArn") else {}
    added = [wanted["Steps"][index] for index in steps.add]
    for start in range(0, len(added), MAX_STEPS):
        batch = added[start : start + MAX_STEPS]
        yield ApiCall("AddJobFlowSteps", {"JobFlowId": cluster.id, "Steps": batch, **role})


def _step_notes(steps: StepChanges) -> Iterator[str]:
    yield from map(failed_note, steps.failed)
    for one in steps.extra:
        yield f"step {one.name} ({one.id}) is {one.state} and not in the spec: --cancel-removed cancels it"


def failed_note(step: Step) -> str:
    """Returns the note about an unsuccessful step, with the option that runs it again."""
    return f"step {step.name} ({step.id}) is {step.state}: --rerun failed runs it again"


_LEVEL = "StepConcurrencyLevel"


def why_steps_are_not_added(
    wanted: Mapping[str, Any], steps: StepChanges, cluster_id: str, level: int
) -> tuple[str, str]:
    """Returns why steps can't be added to a cluster that runs `level` steps at once, and the remedy.

    Two empty texts if they can.
    """
    if names := ", ".join(repr(wanted["Steps"][index]["Name"]) for index in steps.unknown):
        return (
            f"EMR shows only the latest {MAX_STEPS_LISTED} steps of the cluster; whether {names} ran before can't be "
            "known",
            "name the steps to run (again) with --rerun NAME",
        )
    added = [wanted["Steps"][index] for index in steps.add]
    refused = concurrent_steps_continue.check(Params({_LEVEL: level, "Steps": added}))
    if names := ", ".join(repr(added[int(one.path[1])]["Name"]) for one in refused):
        return (
            f"cluster {cluster_id} runs {level} steps at once, and EMR adds none to it that would not let the others "
            f"continue after a failure: {names}",
            f"on_failure: CONTINUE for these steps, or apply {snake(_LEVEL)}: 1",
        )
    return "", ""


def _plan_replacement(submission: Plan, cluster: Cluster, differences: Sequence[Difference], choices: _Choices) -> Plan:
    """Returns a plan that ends the cluster and starts another; each difference that forces it has a line."""
    lost = blast_radius(cluster, choices.now)
    lines = [line for one in differences for line in changes_of(one)]
    if not lines:
        lines = [Change(Action.REPLACE, "request", cluster.digest[:12] or "unknown", submission.digest[:12])]
    forced = [
        line._replace(
            action=Action.REPLACE,
            address=f"cluster {cluster.id}: {line.address}",
            # The loss is mentioned once.
            reason="forces replacement" if index else f"forces replacement: {lost}",
        )
        for index, line in enumerate(lines)
    ]
    blocked, remedy = _why_not_replaced(cluster, choices)
    return dataclasses.replace(
        submission,
        changes=(*forced, *submission.changes),
        calls=(ApiCall("TerminateJobFlows", {"JobFlowIds": [cluster.id]}), *submission.calls),
        replaces=cluster.id,
        blocked=blocked,
        remedy=remedy,
    )


def _why_not_replaced(cluster: Cluster, choices: _Choices) -> tuple[str, str]:
    """Returns why a cluster can't be replaced, and the remedy; two empty texts if it can."""
    command = partial(command_line_at, choices.place)
    if not choices.replace:
        busy = any(not step.has_ended for step in cluster.steps)
        wait = f"wait for it ({command('wait', cluster.id)}), " if busy else ""
        return (
            f"cluster {cluster.id} of this flow is {cluster.state}, made from another request",
            f"{wait}end it ({command('destroy', cluster.id)}), or let this apply end it with --replace",
        )
    if cluster.termination_protected:
        problem = f"cluster {cluster.id} must be replaced, but is protected against termination"
        return problem, f"end it first: {command('destroy', cluster.id, '--unprotect')}"
    return "", ""


def refuse_misordered(jobflow: JobFlow, request: Request) -> None:
    """Raises SpecError when a step reads data that only a later step writes."""
    if found := find_misordered_steps(jobflow, request):
        raise SpecError(found)


def refuse_unsupported(jobflow: JobFlow, request: Request, assessment: Assessment) -> None:
    """Raises SpecError for the steps that can't run on the backend."""
    names = [step["Name"] for step in request.params.get("Steps", ())]
    found = [
        jobflow.document.diagnostic("FS501", ("steps", index), f"step '{names[index]}' can't run here: {reason}")
        for index, reason in assessment.unsupported.items()
    ]
    if found:
        raise SpecError(found)
