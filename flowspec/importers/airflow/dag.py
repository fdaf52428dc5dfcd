"""The EMR operators of an Airflow module -> the request of the cluster that they make.

Facts from apache-airflow-providers-amazon 8 and 9: `job_flow_overrides` of EmrCreateJobFlowOperator are the parameters
of RunJobFlow, laid over the extra fields of its `emr_conn_id`; `steps` of EmrAddStepsOperator are those of
AddJobFlowSteps; both are templated with Jinja.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from flowspec.document.text.tree import Place, Source
from flowspec.errors import number_of
from flowspec.facts.api_model import Json, input_shape
from flowspec.importers.airflow.definitions import Definitions, read_definitions
from flowspec.importers.airflow.expressions import Expressions
from flowspec.importers.airflow.templates import rendered
from flowspec.importers.later_calls import fold
from flowspec.importers.names import Names
from flowspec.importers.placeholders import Wanted
from flowspec.importers.refusal import choose, load_json, refuse
from flowspec.importers.shapes import convert_members

_CREATE, _ADD, _END = "EmrCreateJobFlowOperator", "EmrAddStepsOperator", "EmrTerminateJobFlowOperator"
# These only wait or ask.
_WAITS = "Sensor"


class _Task(NamedTuple):
    """A call of an operator: its class, and the loops that it is in, the outer ones first."""

    kind: str
    call: ast.Call
    loops: tuple[ast.For | ast.While, ...]

    @property
    def arguments(self) -> Mapping[str, ast.expr]:
        """The keyword arguments."""
        return {one.arg: one.value for one in self.call.keywords if one.arg}

    @property
    def line(self) -> int:
        """The line that the call begins in."""
        return self.call.lineno


class _Module(NamedTuple):
    source: Source
    expressions: Expressions
    names: Names
    params: Mapping[str, Any]
    notes: list[str]

    def value(self, task: _Task, argument: str) -> Any:
        """Returns an argument as Airflow renders it; None where it is not given."""
        node = task.arguments.get(argument)
        return None if node is None else rendered(self.expressions.value(node), self.names, self.params)

    def each_value(self, task: _Task, argument: str) -> list[Any]:
        """Returns an argument in each round of the task's loop, as Airflow renders it; nothing if not certain."""
        node, loop = task.arguments.get(argument), task.loops[0] if len(task.loops) == 1 else None
        if node is None or not isinstance(loop, ast.For):
            return []
        return [rendered(one, self.names, self.params) for one in self.expressions.each_round(loop, node)]


def read(source: Source, _folder: Path, cluster: str = "") -> Wanted:
    """Returns the request of a module's EmrCreateJobFlowOperator, or of its JOB_FLOW_OVERRIDES and SPARK_STEPS.

    `source` is a Python module, which is parsed and not run, or JSON with those two members. Of several operators
    `cluster` names one, by its task_id or number. Raises `SpecError`.
    """
    if source.text.lstrip()[:1] == "{":
        return _read_json(source)
    tree = _parse_python(source)
    module = _read_module(source, tree)
    tasks = list(_tasks(tree))
    created = [task for task in tasks if task.kind == _CREATE]
    if created:
        task = created[choose(source, [_task_id(module, one) for one in created], cluster)]
        params = _convert_to_api_types(module, _read_overrides(module, task), task.line)
        params.setdefault("Instances", {})
        _note_connection(module, task)
        for other in tasks:
            _take_over(module, other, task, created, params)
        region = module.value(task, "region_name") or ""
    else:
        params, region = _request_from_names(module), ""
    return _wanted(module, params, region if isinstance(region, str) else "")


def _read_overrides(module: _Module, task: _Task) -> Json:
    overrides = module.value(task, "job_flow_overrides")
    if not isinstance(overrides, dict):
        message = "job_flow_overrides is known only when the module runs"
        if not overrides:
            message = "the operator has no job_flow_overrides: its request is in a connection of Airflow"
        hint = "import the request itself, a JSON file with the parameters of RunJobFlow"
        refuse(module.source, message, hint, Place(module.source, task.line, 1, 1))
    return overrides


def _parse_python(source: Source) -> ast.Module:
    try:
        return ast.parse(source.text)
    except (SyntaxError, ValueError) as error:
        line, column = getattr(error, "lineno", None) or 1, getattr(error, "offset", None) or 1
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        refuse(source, f"this is not Python: {reason}", "", Place(source, line, column, 1))


def _read_module(source: Source, tree: ast.Module) -> _Module:
    names = Names()
    expressions = Expressions(source.text, names, read_definitions(tree))
    params: Any = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("DAG", "dag"):
            params = next((expressions.value(one.value) for one in node.keywords if one.arg == "params"), params)
    return _Module(source, expressions, names, params if isinstance(params, dict) else {}, [])


def _tasks(tree: ast.Module) -> Iterator[_Task]:
    calls, loops = [], []
    for node in ast.walk(tree):
        calls += [node] if isinstance(node, ast.Call) else []
        loops += [node] if isinstance(node, ast.For | ast.While) else []
    around: dict[int, tuple[ast.For | ast.While, ...]] = {}
    # `ast.walk` gives outer loops first.
    for loop in loops:
        for line in loop.body:
            around |= {id(node): (*around.get(id(node), ()), loop) for node in ast.walk(line)}
    for node in sorted(calls, key=lambda one: one.lineno):
        func = node.func.value if isinstance(node.func, ast.Attribute) and node.func.attr == "partial" else node.func
        kind = ast.unparse(func).rpartition(".")[2]
        if kind.startswith("Emr"):
            yield _Task(kind, node, around.get(id(node), ()))


def _task_id(module: _Module, task: _Task) -> str:
    return str(module.value(task, "task_id") or f"line {task.line}")


def _take_over(module: _Module, other: _Task, task: _Task, created: list[_Task], params: Json) -> None:
    if other.kind == _CREATE or other.kind.endswith(_WAITS):
        return
    label = f"line {other.line}: {other.kind}"
    owner = other.arguments.get("job_flow_id")
    if len(created) > 1 and not _refers_to_task(module, owner, task):
        module.notes.append(f"{label} is not imported: its cluster is not certain")
    elif other.kind == _ADD:
        module.notes.extend(f"{label}{note}" for note in _add_steps(module, other, params))
    elif other.kind == _END:
        note = fold(params, "TerminateJobFlows", {})
        module.notes.extend([f"{label}: {note.replace('the script', 'the DAG')}"] if note else [])
    else:
        module.notes.append(f"{label} is not imported")


def _add_steps(module: _Module, task: _Task, params: Json) -> Iterator[str]:
    """Adds the steps of an operator to the request; yields notes, each of which goes on after the operator's name."""
    each = module.each_value(task, "steps")
    unrolled = bool(each) and all(isinstance(one, list) for one in each)
    steps = [step for one in each for step in one] if unrolled else module.value(task, "steps")
    if not isinstance(steps, list):
        yield " is not imported: its steps are known only when the module runs"
        return
    made = _convert_to_api_types(module, {"Steps": steps}, task.line)
    role = module.value(task, "execution_role_arn")
    lost = fold(params, "AddJobFlowSteps", {"Steps": made.get("Steps", []), "ExecutionRoleArn": role})
    order = "once, though it is in a loop" if task.loops else "in the order of the file"
    order = f"for each of the {number_of(len(each), 'round')} of its loop" if unrolled else order
    yield f": its steps are imported, {order}"
    if lost:
        yield f": {lost}"


def _refers_to_task(module: _Module, owner: ast.expr | None, task: _Task) -> bool:
    """Returns True if a job_flow_id names the task, by its task_id or by the variable that holds the operator."""
    named = [name for name, node in module.expressions.defined.assigned.items() if node is task.call]
    shown = ast.unparse(owner) if owner is not None else ""
    return any(re.search(rf"\b{re.escape(one)}\b", shown) for one in (_task_id(module, task), *named))


def _note_connection(module: _Module, task: _Task) -> None:
    connection = module.value(task, "emr_conn_id") if "emr_conn_id" in task.arguments else "emr_default"
    if connection is not None:
        module.notes.append(
            f"line {task.line}: what the connection {connection} of Airflow adds to the request is not imported"
        )


def _request_from_names(module: _Module) -> Json:
    """Returns the request of a module without operators: the values of its names, which may be any."""
    assigned = module.expressions.defined.assigned
    # Those that are written out first: unknown parts of others are numbered after theirs.
    names = sorted(assigned, key=lambda name: not isinstance(assigned[name], ast.Dict | ast.List))
    values = {name: module.expressions.value(ast.Name(name)) for name in names}
    flows = [name for name, one in values.items() if isinstance(one, dict) and "Instances" in one]
    if len(flows) != 1:
        several = f"there are several clusters, and no {_CREATE} says which to import: {', '.join(flows)}"
        none = f"neither an {_CREATE} nor a JOB_FLOW_OVERRIDES that is written out is in it"
        remedy = "`flowspec migrate` runs a script and records what it asks EMR for"
        refuse(module.source, several if flows else none, remedy)
    line = assigned[flows[0]].lineno
    params = _convert_to_api_types(module, rendered(values[flows[0]], module.names, module.params), line)
    for name, one in values.items():
        # One that is made of others has their steps once more.
        if isinstance(assigned[name], ast.List) and _are_steps(one) and one != values[flows[0]].get("Steps"):
            line = assigned[name].lineno
            steps = rendered(one, module.names, module.params)
            fold(params, "AddJobFlowSteps", _convert_to_api_types(module, {"Steps": steps}, line))
            module.notes.append(f"line {line}: the steps of {name} are imported, too")
    return params


def _are_steps(value: Any) -> bool:
    every = value if isinstance(value, list) else []
    return every != [] and all(isinstance(one, dict) and "HadoopJarStep" in one for one in every)


def _read_json(source: Source) -> Wanted:
    given = load_json(source)
    flow, steps = given.pop("JOB_FLOW_OVERRIDES", {}), given.pop("SPARK_STEPS", [])
    if not isinstance(flow, dict):
        refuse(source, "JOB_FLOW_OVERRIDES has to be an object")
    names = Names()
    module = _Module(
        source, Expressions("", names, Definitions()), names, {}, [f"{key} is not imported" for key in given]
    )
    params = _convert_to_api_types(module, rendered(flow, names, {}), 1)
    if steps:
        fold(params, "AddJobFlowSteps", _convert_to_api_types(module, {"Steps": rendered(steps, names, {})}, 1))
    return _wanted(module, params, "")


def _wanted(module: _Module, params: Json, region: str) -> Wanted:
    return Wanted(params, module.names.variables_in([params, region]), region, tuple(dict.fromkeys(module.notes)))


def _convert_to_api_types(module: _Module, value: Any, line: int) -> Json:
    """Returns a value in the types of the API.

    What they do not have and what only Airflow knows is left out, each with a note.
    """
    made: Json
    made, notes = convert_members(value, input_shape(), module.names.variables)
    module.notes.extend(f"line {line}: {note}" for note in notes)
    return made
