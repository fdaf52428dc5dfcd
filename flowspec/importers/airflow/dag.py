"""The EMR operators of an Airflow module -> the request of the cluster that they make.

Facts from apache-airflow-providers-amazon 8 and 9: `job_flow_overrides` of EmrCreateJobFlowOperator are the parameters
of RunJobFlow, laid over the extra fields of its `emr_conn_id`; `steps` of EmrAddStepsOperator are those of
AddJobFlowSteps; both are templated with Jinja.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from flowspec.document.text.tree import Place, Source
from flowspec.facts.api_model import input_shape
from flowspec.importers.airflow.definitions import assigned_names, functions
from flowspec.importers.airflow.expressions import Expressions
from flowspec.importers.airflow.templates import rendered
from flowspec.importers.decompile.placeholders import PLACEHOLDER, Wanted, placeholder_name
from flowspec.importers.later_calls import fold
from flowspec.importers.names import Names
from flowspec.importers.refusal import choose, refuse
from flowspec.importers.shapes import fitted, known_members

Json = dict[str, Any]

_CREATE, _ADD, _END = "EmrCreateJobFlowOperator", "EmrAddStepsOperator", "EmrTerminateJobFlowOperator"
# These only wait or ask.
_WAITS = ("Sensor",)


class _Task(NamedTuple):
    """A call of an operator: its class, keyword arguments and line."""

    kind: str
    arguments: Mapping[str, ast.expr]
    line: int


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


def read(source: Source, _folder: Path, cluster: str = "") -> Wanted:
    """Returns the request of a module's EmrCreateJobFlowOperator, or of its JOB_FLOW_OVERRIDES and SPARK_STEPS.

    `source` is a Python module, which is parsed and not run, or JSON with those two members. Of several operators
    `cluster` names one, by its task_id or number. Raises `SpecError`.
    """
    if source.text.lstrip()[:1] == "{":
        return _read_json(source)
    module = _parsed(source)
    tree = ast.parse(source.text)
    tasks = list(_tasks(tree))
    created = [task for task in tasks if task.kind == _CREATE]
    if created:
        task = created[choose(source, [_task_id(module, one) for one in created], cluster)]
        overrides = module.value(task, "job_flow_overrides")
        params = _fitted(module, overrides if isinstance(overrides, dict) else {}, task.line)
        if not isinstance(overrides, dict):
            module.notes.append(
                f"line {task.line}: job_flow_overrides is not imported: it is known only when the module runs"
            )
        params.setdefault("Instances", {})
        _note_connection(module, task)
        for other in tasks:
            _take_over(module, other, task, created, params)
        region = module.value(task, "region_name") or ""
    else:
        params, region = _from_names(module), ""
    return _wanted(module, params, region if isinstance(region, str) else "")


def _parsed(source: Source) -> _Module:
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError) as error:
        line, column = getattr(error, "lineno", None) or 1, getattr(error, "offset", None) or 1
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        refuse(source, f"this is not Python: {reason}", "", Place(source, line, column, 1))
    names, notes = Names(), list[str]()
    expressions = Expressions(source.text, assigned_names(tree), names, functions(tree))
    params: Any = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("DAG", "dag"):
            params = next((expressions.value(one.value) for one in node.keywords if one.arg == "params"), params)
    return _Module(source, expressions, names, params if isinstance(params, dict) else {}, notes)


def _tasks(tree: ast.Module) -> Iterator[_Task]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for node in sorted(calls, key=lambda one: one.lineno):
        func = node.func.value if isinstance(node.func, ast.Attribute) and node.func.attr == "partial" else node.func
        kind = ast.unparse(func).rpartition(".")[2]
        if kind.startswith("Emr"):
            yield _Task(kind, {one.arg: one.value for one in node.keywords if one.arg}, node.lineno)


def _task_id(module: _Module, task: _Task) -> str:
    return str(module.value(task, "task_id") or f"line {task.line}")


def _take_over(module: _Module, other: _Task, task: _Task, created: list[_Task], params: Json) -> None:
    if other.kind == _CREATE or other.kind.endswith(_WAITS):
        return
    said = f"line {other.line}: {other.kind}"
    owner = other.arguments.get("job_flow_id")
    shown = ast.unparse(owner) if owner is not None else ""
    if len(created) > 1 and _task_id(module, task) not in shown:
        module.notes.append(f"{said} is not imported: its cluster is not certain")
    elif other.kind == _ADD:
        steps = module.value(other, "steps")
        if isinstance(steps, list):
            made = _fitted(module, {"Steps": steps}, other.line)
            fold(params, "AddJobFlowSteps", {"Steps": made.get("Steps", [])})
            module.notes.append(f"{said}: its steps are imported, in the order of the file")
        else:
            module.notes.append(f"{said} is not imported: its steps are known only when the module runs")
    elif other.kind == _END:
        note = fold(params, "TerminateJobFlows", {})
        module.notes.extend([f"{said}: {note.replace('the script', 'the DAG')}"] if note else [])
    else:
        module.notes.append(f"{said} is not imported")


def _note_connection(module: _Module, task: _Task) -> None:
    connection = module.value(task, "emr_conn_id") if "emr_conn_id" in task.arguments else "emr_default"
    if connection is not None:
        module.notes.append(
            f"line {task.line}: what the connection {connection} of Airflow adds to the request is not imported"
        )


def _from_names(module: _Module) -> Json:
    """Returns a module that has only the values, under the names of Airflow's documentation or any others."""
    assigned = module.expressions.assigned
    values = {
        name: module.expressions.value(node) for name, node in assigned.items() if isinstance(node, ast.Dict | ast.List)
    }
    flows = [name for name, one in values.items() if isinstance(one, dict) and "Instances" in one]
    if len(flows) != 1:
        several = f"there are several clusters, and no {_CREATE} tells which: {', '.join(flows)}"
        none = f"neither an {_CREATE} nor a JOB_FLOW_OVERRIDES that is written out is in it"
        remedy = "`flowspec migrate` runs a script and records what it asks EMR for"
        refuse(module.source, several if flows else none, remedy)
    line = assigned[flows[0]].lineno
    params = _fitted(module, rendered(values[flows[0]], module.names, module.params), line)
    for name, one in values.items():
        if isinstance(one, list) and one and all(isinstance(step, dict) and "HadoopJarStep" in step for step in one):
            made = _fitted(module, {"Steps": rendered(one, module.names, module.params)}, assigned[name].lineno)
            if one != values[flows[0]].get("Steps"):
                fold(params, "AddJobFlowSteps", made)
                module.notes.append(f"line {assigned[name].lineno}: the steps of {name} are among the steps")
    return params


def _read_json(source: Source) -> Wanted:
    try:
        given = json.loads(source.text)
    except (ValueError, RecursionError) as error:
        refuse(source, f"this is not JSON: {str(error)[:200]}")
    names = Names()
    module = _Module(source, Expressions("", {}, names), names, {}, [])
    params = _fitted(module, rendered(given.get("JOB_FLOW_OVERRIDES", {}), names, {}), 1)
    steps = rendered(given.get("SPARK_STEPS", []), names, {})
    if steps:
        fold(params, "AddJobFlowSteps", _fitted(module, {"Steps": steps}, 1))
    return _wanted(module, params, "")


def _wanted(module: _Module, params: Json, region: str) -> Wanted:
    shown = json.dumps([params, region], ensure_ascii=False)
    used = {name: one for name, one in module.names.variables.items() if name in PLACEHOLDER.findall(shown)}
    return Wanted(params, used, region, tuple(dict.fromkeys(module.notes)))


def _fitted(module: _Module, value: Any, line: int) -> Json:
    """Returns a value in the types of the API.

    What they do not have and what only Airflow knows is left out, each with a note.
    """
    made, unknown = known_members(fitted(value, input_shape()), input_shape())
    module.notes.extend([f"line {line}: {path} is not imported: RunJobFlow has no such member" for path in unknown])
    out: Json = _pruned(module, made, input_shape(), "", line)
    return out


def _pruned(module: _Module, value: Any, shape: Any, path: str, line: int) -> Any:
    """Removes the placeholders that are in the place of an object or a list."""
    kind = getattr(shape, "type_name", "")
    if isinstance(value, dict) and kind in ("structure", "map"):
        members = getattr(shape, "members", {})
        pairs = (
            (key, item, members.get(key, getattr(shape, "value", None)), f"{path}.{key}") for key, item in value.items()
        )
        return {
            key: _pruned(module, item, inner, where, line)
            for key, item, inner, where in pairs
            if not _is_lost(module, item, inner, where, line)
        }
    if isinstance(value, list) and kind == "list":
        items = [(item, f"{path}[{index}]") for index, item in enumerate(value)]
        return [
            _pruned(module, item, shape.member, where, line)
            for item, where in items
            if not _is_lost(module, item, shape.member, where, line)
        ]
    return value


def _is_lost(module: _Module, value: Any, shape: Any, path: str, line: int) -> bool:
    structured = getattr(shape, "type_name", "") in ("structure", "list", "map")
    wrapped = isinstance(value, list) and len(value) == 1 and placeholder_name(value[0]) and structured
    name = placeholder_name(value[0] if wrapped else value)
    member = getattr(shape, "member", None)
    if not structured or not name or (wrapped and getattr(member, "type_name", "string") == "string"):
        return False
    text = module.names.variables[name].rules.get("description", name)
    module.notes.append(f"line {line}: {path.removeprefix('.')} is not imported: it is known only {text}")
    return True
