"""Rules about steps and bootstrap actions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowspec.facts.limits import CONCURRENCY, MAX_BOOTSTRAP_ACTIONS, MAX_STEP_CHARACTERS, MAX_STEPS
from flowspec.facts.rules.common import (
    Breach,
    Params,
    doubtful,
    has_three_masters,
    integer,
    items,
    mappings,
    refused,
    text,
)

_TERMINATE = ("TERMINATE_CLUSTER", "TERMINATE_JOB_FLOW")

TOO_MANY_STEPS = (
    "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') for cluster exceeded."
)
"""EMR's words (gchq/sleeper#4607)."""


@refused("FS208", "botocore, RunJobFlow: Steps; gchq/sleeper#4607")
def step_count(params: Params) -> Iterator[Breach]:
    """A request has up to 256 steps."""
    count = len(items(params, "Steps"))
    if count > MAX_STEPS:
        yield Breach(("Steps",), TOO_MANY_STEPS, values={"count": count, "most": MAX_STEPS})


@refused("FS209", "EMR Management Guide, bootstrap actions; AWS CLI, constants")
def bootstrap_action_count(params: Params) -> Iterator[Breach]:
    """A cluster has up to 16 bootstrap actions."""
    count = len(items(params, "BootstrapActions"))
    if count > MAX_BOOTSTRAP_ACTIONS:
        words = f"The number of bootstrap actions must not exceed {MAX_BOOTSTRAP_ACTIONS}."
        yield Breach(("BootstrapActions",), words, values={"count": count, "most": MAX_BOOTSTRAP_ACTIONS})


@refused("FS260", "botocore, AddJobFlowSteps", aws_only=True)
def step_length(params: Params) -> Iterator[Breach]:
    """The strings of a step's HadoopJarStep have up to 10,240 characters together."""
    for index, step in mappings(params, "Steps"):
        length = step_characters(step["HadoopJarStep"]) if "HadoopJarStep" in step else 0
        if length > MAX_STEP_CHARACTERS:
            words = f"The total number of characters in a step may not exceed {MAX_STEP_CHARACTERS}."
            yield Breach(("Steps", index), words, values={"length": length, "most": MAX_STEP_CHARACTERS})


def step_characters(jar: Any) -> int:
    """Returns the number of characters in all strings of a HadoopJarStep."""
    if isinstance(jar, str):
        return len(jar)
    inner = jar.values() if isinstance(jar, dict) else jar if isinstance(jar, list | tuple) else ()
    return sum(map(step_characters, inner))


@refused("FS279", "botocore, RunJobFlow: StepConcurrencyLevel")
def concurrency_level(params: Params) -> Iterator[Breach]:
    """StepConcurrencyLevel is 1 to 256."""
    level = integer(params.get("StepConcurrencyLevel"))
    if level is not None and not CONCURRENCY.admits(level):
        words = f"StepConcurrencyLevel must be between {CONCURRENCY.least} and {CONCURRENCY.most}."
        values = {
            "name": "step_concurrency_level",
            "value": level,
            "least": CONCURRENCY.least,
            "most": CONCURRENCY.most,
        }
        yield Breach(("StepConcurrencyLevel",), words, values=values)


@doubtful("FS249", "EMR API reference, StepConfig: AddJobFlowSteps refuses it, of RunJobFlow it is not known")
def concurrent_steps_continue(params: Params) -> Iterator[Breach]:
    """If several steps run at once, a failed step must let the others continue."""
    level = integer(params.get("StepConcurrencyLevel")) or 1
    for index, step in mappings(params, "Steps") if level > 1 else ():
        if step.get("ActionOnFailure") not in (None, "CONTINUE"):
            yield Breach(("Steps", index, "ActionOnFailure"), values={"level": level})


@doubtful("FS246", "EMR Management Guide, termination protection")
def failed_step_of_protected_cluster(params: Params) -> Iterator[Breach]:
    """A failed step does not terminate a long-running cluster that is protected."""
    given = params.instances
    protected = given.get("TerminationProtected") is True or has_three_masters(params)
    if given.get("KeepJobFlowAliveWhenNoSteps") is not True or not protected:
        return
    for index, step in mappings(params, "Steps"):
        if text(step.get("ActionOnFailure")) in _TERMINATE:
            yield Breach(("Steps", index, "ActionOnFailure"))
