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
from flowspec.importers.airflow.aliases import last_name, operator_name, parameters
from flowspec.importers.airflow.definitions import Definitions, read_definitions
from flowspec.importers.airflow.expressions import Expressions
from flowspec.importers.airflow.templates import rendered
from flowspec.importers.later_calls import fold
from flowspec.importers.names import Names
from flowspec.importers.placeholders import PLACEHOLDER, Wanted
from flowspec.importers.refusal import choose, load_json, refuse
from flowspec.importers.shapes import convert_members

_CREATE, _ADD, _END = "EmrCreateJobFlowOperator", "EmrAddStepsOperator", "EmrTerminateJobFlowOperator"
# Methods that make several tasks of one operator.
_MAPPING = ("expand", "expand_kwargs")
_GROUPS = ("TaskGroup", "task_group")
# These only wait or ask.
_WAITS = "Sensor"


class _Task(NamedTuple):
    """A call of an operator: its class, and the loops that it is in, the outer ones first.

    `mapped` is the call of `expand` or `expand_kwargs` on it. `function` is the name of the function with parameters
    that it is in; "" without one.
    """

    kind: str
    call: ast.Call
    loops: tuple[ast.For | ast.While, ...]
    mapped: ast.Call | None = None
    function: str = ""

    @property
    def repeated(self) -> str:
        """The loop, mapping or function that may make several tasks of it; "" without one."""
        in_function = f"in the function {self.function}" if self.function else ""
        return "in a loop" if self.loops else "mapped" if self.mapped else in_function

    @property
    def arguments(self) -> Mapping[str, ast.expr]:
        """The keyword arguments."""
        return {one.arg: one.value for one in self.call.keywords if one.arg}

    @property
    def line(self) -> int:
        """The line that the call begins in."""
        return self.call.lineno


class _Module(NamedTuple):
    """A module. `params` are those of its DAG, with their defaults; `default_args` are the DAG's."""

    source: Source
    expressions: Expressions
    names: Names
    params: Mapping[str, Any]
    notes: list[str]
    default_args: Mapping[str, Any] = {}

    def value(self, task: _Task, argument: str) -> Any:
        """Returns an argument as Airflow renders it; None where it is not given."""
        node = task.arguments.get(argument)
        found = self.default_args.get(argument) if node is None else self.expressions.value(node)
        return self._rendered(task, found)

    def _rendered(self, task: _Task, value: Any) -> Any:
        node = task.arguments.get("params")
        own: Any = {} if node is None else self.expressions.value(node)
        params = {name: (one, "the DAG") for name, one in self.params.items()}
        if isinstance(own, dict):
            params |= {name: (one, f"the operator in line {task.line}") for name, one in own.items()}
        return rendered(value, self.names, params)

    def each_value(self, task: _Task, argument: str) -> list[Any]:
        """Returns an argument in each round of the task's loop, or of each of its mapped tasks, as Airflow renders it.

        Returns nothing if the values are not certain.
        """
        node, loop = task.arguments.get(argument), task.loops[0] if len(task.loops) == 1 else None
        if node is None and task.mapped and not task.loops:
            values = self._mapped_values(task.mapped, argument)
        elif node is None or task.mapped or not isinstance(loop, ast.For):
            values = []
        else:
            values = self.expressions.each_round(loop, node)
        return [self._rendered(task, one) for one in values]

    def _mapped_values(self, mapped: ast.Call, argument: str) -> list[Any]:
        """Returns an argument of the tasks that `expand(ARGUMENT=[…])` or `expand_kwargs([{…}])` makes."""
        if mapped.keywords:
            nodes = [one.value for one in mapped.keywords]
            values = self.expressions.value(nodes[0]) if [one.arg for one in mapped.keywords] == [argument] else None
            return values if isinstance(values, list) else []
        rows: Any = self.expressions.value(mapped.args[0]) if mapped.args else None
        certain = isinstance(rows, list) and all(isinstance(one, dict) and argument in one for one in rows)
        return [one[argument] for one in rows] if certain else []


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
        _note_several_clusters(module, task)
        for other in tasks:
            _take_over(module, other, task, created, params)
        region = module.value(task, "region_name") or ""
    else:
        params, region = _request_from_names(module), ""
    return _wanted(module, params, region if isinstance(region, str) else "")


def _read_overrides(module: _Module, task: _Task) -> Json:
    overrides = module.value(task, "job_flow_overrides")
    if not isinstance(overrides, dict):
        node = task.arguments.get("job_flow_overrides")
        hint = "import the request itself, a JSON file with the parameters of RunJobFlow"
        if task.loops or (task.mapped and node is None):
            message = f"the operator is {task.repeated}: it makes several clusters"
        elif node is not None:
            why = module.expressions.explain_unknown(node)
            message = f"job_flow_overrides is known only when the module runs: {why}"
        else:
            message = "the operator has no job_flow_overrides: its request is in a connection of Airflow"
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
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    dags = [one for one in calls if last_name(one.func) in ("DAG", "dag")]
    groups = [one for one in calls if last_name(one.func) in _GROUPS]
    # The keyword None is `**…`, which may contain them.
    own = [one for one in groups if any(each.arg in ("default_args", None) for each in one.keywords)]
    params = _shared_argument(expressions, dags, "params")
    default_args = _shared_argument(expressions, [*dags, *own], "default_args")
    return _Module(source, expressions, names, params, [], default_args)


def _shared_argument(expressions: Expressions, calls: list[ast.Call], name: str) -> Mapping[str, Any]:
    """Returns a dict that is an argument of all these calls; {} where it is not known, or they differ."""
    nodes = [next((one.value for one in call.keywords if one.arg == name), None) for call in calls]
    values = [{} if node is None else expressions.value(node) for node in nodes]
    return values[0] if values and isinstance(values[0], dict) and all(one == values[0] for one in values) else {}


def _tasks(tree: ast.Module) -> Iterator[_Task]:
    nodes = [*ast.walk(tree)]
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    loops = [node for node in nodes if isinstance(node, ast.For | ast.While)]
    methods = [(node.func, node) for node in calls if isinstance(node.func, ast.Attribute)]
    mapped = {id(func.value): node for func, node in methods if func.attr in _MAPPING}
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef) and parameters(node)]
    within = {id(node): one.name for one in functions for line in one.body for node in ast.walk(line)}
    around: dict[int, tuple[ast.For | ast.While, ...]] = {}
    # `ast.walk` gives outer loops first.
    for loop in loops:
        for line in loop.body:
            around |= {id(node): (*around.get(id(node), ()), loop) for node in ast.walk(line)}
    for node in sorted(calls, key=lambda one: one.lineno):
        if kind := operator_name(node):
            yield _Task(kind, node, around.get(id(node), ()), mapped.get(id(node)), within.get(id(node), ""))


def _task_id(module: _Module, task: _Task) -> str:
    name = str(module.value(task, "task_id") or f"line {task.line}")
    return PLACEHOLDER.sub(r"{\1}", name)


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
        mapped = {one.arg: one.value for one in task.mapped.keywords} if task.mapped else {}
        node = task.arguments.get("steps") or mapped.get("steps")
        why = f": {module.expressions.explain_unknown(node)}" if node is not None else ""
        yield f" is not imported: its steps are known only when the module runs{why}"
        return
    made = _convert_to_api_types(module, {"Steps": steps}, task.line)
    role = module.value(task, "execution_role_arn")
    lost = fold(params, "AddJobFlowSteps", {"Steps": made.get("Steps", []), "ExecutionRoleArn": role})
    rounds = (
        f"of the {number_of(len(each), 'round')} of its loop"
        if task.loops
        else f"of its {number_of(len(each), 'task')}"
    )
    order = f"once, though it is {task.repeated}" if task.repeated else "in the order of the file"
    order = f"for each {rounds}" if unrolled else order
    yield f": its steps are imported, {order}"
    if lost:
        yield f": {lost}"


def _refers_to_task(module: _Module, owner: ast.expr | None, task: _Task) -> bool:
    """Returns True if a job_flow_id names the task, by its task_id or by the variable that holds the operator."""
    named = [name for name, node in module.expressions.defined.assigned.items() if node is task.call]
    shown = ast.unparse(owner) if owner is not None else ""
    return any(re.search(rf"\b{re.escape(one)}\b", shown) for one in (_task_id(module, task), *named))


def _note_connection(module: _Module, task: _Task) -> None:
    given = {**module.default_args, **task.arguments}
    connection = module.value(task, "emr_conn_id") if "emr_conn_id" in given else "emr_default"
    if connection is not None:
        module.notes.append(
            f"line {task.line}: what the connection {connection} of Airflow adds to the request is not imported"
        )


def _note_several_clusters(module: _Module, task: _Task) -> None:
    if task.repeated:
        told = "one cluster is imported, with variables for what others may have of their own"
        module.notes.append(f"line {task.line}: {_CREATE} is {task.repeated}: {told}")


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
