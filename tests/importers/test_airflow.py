"""Modules of Airflow, which are parsed and never executed."""

import ast
import json
import re
import sys
import tracemalloc
from collections import Counter
from datetime import datetime, timezone
from typing import Any

import pytest

from flowspec.importers.airflow.definitions import read_definitions
from flowspec.importers.airflow.expressions import Expressions
from flowspec.importers.decompile.draft import write_spec
from flowspec.importers.names import Names
from flowspec.importers.placeholders import placeholder, placeholder_name
from tests import specs
from tests.importers.common import compiled, refusal, wanted

DAG = '''
"""A DAG as teams write it."""
import os
from datetime import timedelta
from airflow import DAG
from airflow.models import Variable
from airflow.providers.amazon.aws.operators.emr import (
    EmrAddStepsOperator, EmrCreateJobFlowOperator, EmrTerminateJobFlowOperator)
from airflow.providers.amazon.aws.sensors.emr import EmrStepSensor

raise SystemExit("never executed")

BUCKET: str = "acme-" + "data"
LOGS = f"s3://{BUCKET}/logs/"
KEY = Variable.get("ec2_key", default_var="ops")
SUBNET = os.environ["SUBNET_ID"]
TAGS = [{"Key": "team", "Value": "search"}]
BASE = {"ReleaseLabel": "emr-6.15.0", "Applications": [{"Name": app} for app in ["Spark"]]}

SPARK_STEPS = [
    {
        "Name": "load {{ ds }}",
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {
            "Jar": "command-runner.jar",
            "Args": ["spark-submit", "s3://%s/load.py" % BUCKET, "--day", "{{ ds }}", "--digits", "{{ ds_nodash }}",
                     "--table", "{{ params.table }}", "--user", "{{ var.value.db_user }}", "{{ macros.ds_add(ds, -1) }}"],
        },
    },
    {"Name": "done", "ActionOnFailure": "CONTINUE", "HadoopJarStep": {"Jar": "s3://{}/x.jar".format(BUCKET)}},
]

JOB_FLOW_OVERRIDES = {
    **{"Name": "etl"},
    "ReleaseLabel": "emr-6.15.0",
    "LogUri": LOGS,
    "Applications": [{"Name": "Spark"}],
    "Instances": {
        "InstanceGroups": [
            {"Name": "Primary", "Market": "ON_DEMAND", "InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
            {"Name": "Core", "Market": "SPOT", "InstanceRole": "CORE", "InstanceType": "m5.xlarge", "InstanceCount": 2},
        ],
        "KeepJobFlowAliveWhenNoSteps": True,
        "TerminationProtected": False,
        "Ec2KeyName": KEY,
        "Ec2SubnetId": SUBNET,
    },
    "JobFlowRole": "EMR_EC2_DefaultRole",
    "ServiceRole": "EMR_DefaultRole",
    "Tags": TAGS + [{"Key": "env", "Value": "prod"}],
    "Configurations": load_configurations("conf.json"),
    "Oops": 1,
}

with DAG("etl", params={"table": "orders"}) as dag:
    create = EmrCreateJobFlowOperator(
        task_id="create", job_flow_overrides=JOB_FLOW_OVERRIDES, aws_conn_id="aws_default", region_name="eu-west-1")
    add = EmrAddStepsOperator(task_id="add", job_flow_id=create.output, steps=SPARK_STEPS)
    wait = EmrStepSensor(task_id="wait", job_flow_id=create.output, step_id="x")
    end = EmrTerminateJobFlowOperator(task_id="end", job_flow_id=create.output)
    create >> add >> wait >> end
'''


def test_a_dag(tmp_path):
    source = wanted(DAG, name="dag.py")
    made = compiled(source, tmp_path, subnet_id="subnet-1", db_user="u", date_less_1="v", date="2024-01-02")
    assert (source.region, source.variables["ec2_key"].default) == ("eu-west-1", "ops")
    assert source.variables["table"].default == "orders"
    assert source.variables["db_user"].rules == {"description": "the variable db_user of Airflow"}
    assert made["LogUri"] == "s3://acme-data/logs/"
    assert made["Instances"]["Ec2KeyName"] == "ops"
    assert made["Instances"]["Ec2SubnetId"] == "subnet-1"
    assert made["Instances"]["KeepJobFlowAliveWhenNoSteps"] is False
    assert [tag["Key"] for tag in made["Tags"]] == ["team", "env"]
    load, done = made["Steps"]
    assert load["Name"] == "load 2024-01-02"
    assert load["HadoopJarStep"]["Args"][1:4] == ["s3://acme-data/load.py", "--day", "2024-01-02"]
    assert load["HadoopJarStep"]["Args"][-5:] == ["--table", "orders", "--user", "u", "v"]
    assert done["HadoopJarStep"]["Jar"] == "s3://acme-data/x.jar"
    assert source.notes == (
        'line 56: Configurations is not imported: its value is not known here: in the module: load_configurations("conf.json")',
        "line 56: Oops is not imported: RunJobFlow has no such member",
        "line 56: what the connection emr_default of Airflow adds to the request is not imported",
        "line 58: EmrAddStepsOperator: its steps are imported, in the order of the file",
        "line 60: EmrTerminateJobFlowOperator: the DAG terminates the cluster itself: here keep_alive is false, "
        "so that it ends after its last step",
    )


def test_the_day_of_a_run_is_the_specs_own_template(tmp_path):
    source = wanted(DAG, name="dag.py")
    made = compiled(source, tmp_path, subnet_id="subnet-1", db_user="u")
    text = (tmp_path / "job.yaml").read_text()
    assert '{type: string, default: "{{ ds }}", description: ds of Airflow}' in text
    assert "date" not in source.samples or made["Steps"][0]["Name"].startswith("load ")


def test_values_without_an_operator(tmp_path):
    overrides = {"Name": "n", "ReleaseLabel": "emr-6.15.0", "Instances": {"KeepJobFlowAliveWhenNoSteps": False}}
    steps = [{"Name": "s", "HadoopJarStep": {"Jar": "s3://b/x.jar"}}]
    module = f"JOB_FLOW_OVERRIDES = {overrides}\nSPARK_STEPS = {steps}\n"
    both = json.dumps({"JOB_FLOW_OVERRIDES": overrides, "SPARK_STEPS": steps})
    for text, name in ((module, "values.py"), (both, "values.json")):
        assert compiled(wanted(text, name=name), tmp_path) == {**overrides, "Steps": steps}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('"a" "b"', "ab"),
        ('"-".upper() + "x".upper()', "-X"),
        ('f"{1 + 1}"', placeholder("value")),
        ('"%s-%s" % ("a", "b")', "a-b"),
        ('"%999999999s" % "a"', placeholder("value")),
        ('"{0}{0}".format("a")', "aa"),
        ('"{0:>9999999999}".format("a")', placeholder("value")),
        ('"{0.__class__}".format("a")', placeholder("value")),
        ('{"k": ["a", "b"]}["k"][1]', "b"),
        ('"a" * 10**9', placeholder("value")),
        ("open('/etc/passwd').read()", placeholder("value")),
        ("[..., b'a', 1j][0]", placeholder("value")),
        ("CHANGED", placeholder("changed")),
        ("LOOPED", placeholder("looped")),
        ("SELF", placeholder("var_self")),
        ('str(7) + dict(a="b")["a"]', "7b"),
        ("made('a', 'b', mark='!')", "x-a:b!"),
        ("made()", placeholder("value")),
        ("endless('a')", placeholder("value")),
        ("branching('a')", "a"),
        ("branching('')", "b"),
        ("branching(unknown())", placeholder("value")),
        ("'-'.join(gathered(['a', 'skip', 'b']))", "0a-1b-x-more"),
        ("gathered(['a'], BIG)[0]", placeholder("value")),
        ("changes(BIG)[0]", placeholder("value")),
        ("keyed('a')['l'][1]", "a"),
        ("'a' if MARK == '?' else 'b'", "a"),
        ("'a' if MARK in ('!', '.') else 'b'", "b"),
        ("'a' if not unknown() else 'b'", placeholder("value")),
        ("'a' if [unknown()] else 'b'", "a"),
        ("'a' if not [unknown()] else 'b'", "b"),
        ("ended()", placeholder("value")),
        ("[one for one in BIG if one > 'l'][0]", "m"),
        ("[f'{at}{one}' for at, one in enumerate(BIG, 1)][2]", "3c"),
        ("sorted(zip(BIG, range(len(BIG))))[1][0]", "b"),
        ("int(os.getenv('N', 4))", placeholder("n")),
        ("decorated()", placeholder("value")),
        ('[f"{k}{v}" for k, v in {"a": "1", "b": "2"}.items()][1]', "b2"),
        ("str([one for one in range(3)][2])", "2"),
        ("str([one for one in range(10**9)][2])", placeholder("value")),
        ("[[[[a for a in BIG] for b in BIG] for c in BIG] for d in BIG][0][0][0][0]", placeholder("value")),
    ],
)
def test_expressions_are_evaluated_without_running_them(expression, expected):
    module = (
        'def made(first, *more, mark=MARK):\n    """Docs."""\n    name = PREFIX + first\n'
        "    return f'{name}:{more[0]}{mark}'\nPREFIX = 'x-'\nMARK = '?'\nBIG = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm']\n"
        "def endless(a):\n    return endless(a)\n"
        "def branching(a):\n    if a:\n        return a\n    return 'b'\n@cached\ndef decorated():\n    return 'a'\n"
        "def gathered(names, found=None):\n    number = 0\n    if found is None:\n        found = []\n"
        "    for at, name in enumerate(names):\n        if name == 'skip':\n            continue\n"
        "        found.append(f'{len(found)}{name}')\n    found += ['x']\n    found.extend(['more'])\n    return found\n"
        "def changes(some):\n    some.append('z')\n    return some\ndef ended():\n    continue\n"
        "def keyed(name):\n    made = {}\n    made['k'] = name\n    made.update({'l': ['m']})\n    made['l'].append(name)\n    return made\n"
        f"CHANGED = 'a'\nCHANGED = 'b'\nfor LOOPED in []:\n    pass\nSELF = SELF\n"
        f"JOB_FLOW_OVERRIDES = {{'Name': {expression}, 'Instances': {{}}}}\n"
    )
    # Each part that is not known has a name with a number of its own.
    assert re.sub(r"value_\d+", "value", wanted(module, name="m.py").params["Name"]) == expected


# Functions that change lists and dicts under several names, and what of them is not followed: Python itself tells
# what is right.
_FOLLOWED = [
    "x = ['a']\n    y = x\n    y.append('b')\n    return x",
    "x = ['a']\n    y = [*x]\n    y.append('b')\n    return [x, y]",
    "x = ['a']\n    y = {'k': x}\n    x.append('b')\n    return y",
    "x = [{}, {}]\n    for one in x:\n        one['a'] = 'b'\n    return x",
    "x = []\n    for one in ['a', 'b']:\n        for two in x:\n            pass\n        x.append(one)\n    return x",
    "x = wrapped(['a'])\n    x['k'].append('b')\n    return x",
    "return [{1: 'a'}.get(1), 1 in {1: 'a'}, {1: 'a', None: 'b'}]",
    "x = ['a']\n    if x:\n        return x\n    x.append('b')\n    return x",
    "x = ['a']\n    y = copy.deepcopy(x)\n    y.append('b')\n    return x",
    "x = ['a']\n    y = copy.deepcopy(x)\n    y += ['b']\n    return x",
    "x = ['a']\n    y = x.copy()\n    y.append('b')\n    return x",
    "x = {}\n    x.update({'a': 'b'}, c='d')\n    return x",
    "x = []\n    x.append(*['a'])\n    return x",
    "x = copy.deepcopy({'k': SHARED})\n    x['k'].append('b')\n    return [x, SHARED]",
    "x = dict({'a': 1}, b=2, **{'c': 3})\n    x['d']: int = 4\n    x |= {'e': 5}\n    del x['a']\n    return x",
    "x = fresh()\n    x['k'].append('b')\n    return x",
    "x = []\n    for one in ['a', 'b', 'c']:\n        if one == 'b':\n            break\n        x.append(one)\n    x.pop()\n    return x",
    "x, t = 'a', (1, 2)\n    x += 'b'\n    return [x, str(t), f'{t}', t == [1, 2], '%s' % [1], {k: v for k, v in [('a', t)]}]",
    "x = ['a', 'b']\n    first = x.pop(0)\n    return [first, x]",
    "x = {'a': 'b'}\n    return [x.pop('a'), x.pop('c', 'd'), x]",
    "x = ['a', 'b']\n    return {x.pop(): x.pop()}",
    "return keyed('n', a='b', c='d')",
]
_NOT_FOLLOWED = [
    "x = shared()\n    y = x.pop(0)\n    return shared()",
    "x = fill()\n    return fill()",
    "x = ['a']\n    y = x.pop(0) or 'b'\n    return [x, y]",
    "x = ['a', 'b', 'c']\n    return [x.pop() for _ in x]",
    "x = ['a', 'b', 'c']\n    return x.pop().replace('c', x.pop())",
    "x, y = ['a', 'b'], {'a': '1', 'b': '2'}\n    y[x.pop()] += '3'\n    return y",
    "x = ['a']\n    y = add(x)\n    return x",
    "x = ['a']\n    y = add_alias(x)\n    return x",
    "x = [{'a': 'b'}]\n    y = add_to_each(x)\n    return x",
    "x = ['a']\n    _ = [x.append(one) for one in 'bc']\n    return x",
    "x = ['a']\n    _ = x.append('b')\n    return x",
    "x = ['a']\n    for one in x:\n        if len(x) < 4:\n            x.append(one)\n    return x",
    "x = ['a']\n    y = x\n    for one in x:\n        if len(x) < 4:\n            y.append(one)\n    return x",
    "x = ['a']\n    for at, one in enumerate(x):\n        if len(x) < 4:\n            x.append(one)\n    return x",
    "x = {'k': ['a']}\n    for one in x['k']:\n        if len(x['k']) < 4:\n            x['k'].append(one)\n    return x['k']",
    "x, y = {'a': 1, 'b': 2}, []\n    for key, one in x.items():\n        x['b'] = 3\n        y.append(one)\n    return y",
    "x = shared()\n    x.append('a')\n    return shared()",
    "x = default()\n    x.append('a')\n    return x",
    "len = add\n    return len(['a'])",
    "x = f'{[unknown()]}'\n    return x",
    "return '%s' % [unknown()]",
    "return {unknown(): 'a', 'b': 'c'}['b']",
    "return f'{range(2)}' if range(2) == [0, 1] else 'a'",
    "x = {'a': [1]}\n    x[unknown()] = 2\n    return x",
    "return ['a'] is ['a']",
    "x = ['a']\n    y = getattr(x, 'append')('b')\n    return x",
    "x = ['a']\n    y = operator.setitem(x, 0, 'b')\n    return x",
    "x = ['a']\n    y = (one for one in x)\n    x.append('b')\n    return list(y)",
    "x = {'a': 1}\n    y = x.items()\n    x['b'] = 2\n    return list(y)",
]


@pytest.mark.parametrize("body", [*_FOLLOWED, *_NOT_FOLLOWED])
def test_a_value_that_changes_is_that_of_python_or_not_known(body):
    module = (
        "import copy\nimport operator\nSHARED = []\n"
        "def add(some):\n    some.append('z')\n    return some\n"
        "def add_alias(some):\n    other = some\n    other.insert(0, 'z')\n    return other\n"
        "def add_to_each(some):\n    for one in some:\n        one['z'] = 'z'\n    return some\n"
        "def shared():\n    return SHARED\n"
        "def default(some=[]):\n    return some\n"
        "def fill():\n    x = default()\n    x.append('a')\n    return [*x]\n"
        "def wrapped(some):\n    return {'k': some}\n"
        "def fresh():\n    return {'k': ['a']}\n"
        "def keyed(name, **more):\n    return {'Name': name, 'A': more.pop('a', 'x'), 'B': more.pop('b', 'x'), **more}\n"
        f"def made():\n    {body}\n"
    )
    found = value_of("made()", module)
    assert placeholder_name(found) if body in _NOT_FOLLOWED else found == python_value("made()", module)


def value_of(expression, module):
    """Evaluates an expression with the importer; returns the value after a round trip through JSON."""
    expressions = Expressions(module, Names(), read_definitions(ast.parse(module)))
    return json.loads(json.dumps(expressions.value(ast.parse(expression, mode="eval").body)))


def python_value(expression, module):
    """Evaluates an expression with Python; returns the value after a round trip through JSON: tuples become lists."""
    names: dict[str, Any] = {}
    exec(module, names)
    return json.loads(json.dumps(eval(expression, names)))


_OF_MODULES = [
    "X = ['a']\nprint(X)",
    "X = {'a': {'b': 1}}\nX.get('a')['b'] = 2",
    "X: dict = {'a': 1}\nX.update({'b': 2}, c=3)\nX |= {'d': 4}\nX['e'] = {'f': []}\nX['e']['f'] += [5]\nX.pop('a', None)",
    "B = {'a': {'b': 1}}\nX = copy.deepcopy(B)\nX['a']['b'] = 2\nX['c'] = {**B, 'd': 3}",
    "TAGS = ['t']\nX = {'tags': TAGS, 'more': {'a': 1}}\nX['name'] = 'n'\nX['more']['b'] = TAGS",
    "X = {}\nfor key in ['a', 'b', 'c']:\n    if key == 'b':\n        continue\n    X[key] = {'n': key}",
    "X = []\nfor at, one in enumerate(['a', 'b', 'c']):\n    name = f'{one}{at}'\n    if one == 'c':\n        break\n    X += [name]",
    "X = [{'n': 'a'}, {'n': 'b'}]\nfor one in X:\n    one['m'] = one['n'] + '!'\nX[0] = {}",
    "X = []\nfor at in [1, 2]:\n    one = [at]\n    X.append(one)\nfor at in []:\n    one = []\n    one.append(at)",
    "X = [1]\nif len([1, 2]) == 2:\n    X.append(2)\nelse:\n    X.append(3)",
    "A = 'x'\nA += 'y'\nX = [A, {k: v for k, v in {'a': 1}.items()}]",
    "def made(n):\n    return {'n': [n]}\nX = made('a')\nX['n'].append('b')",
    "from json import dumps\nX = {'a': 1}\nprint(dumps(X), len(X))",
    "from types import SimpleNamespace as Task\nX = [1]\ntask = Task(steps=X)\ntask.rule = 'x'\nid(task)",
    "X = 'a'.upper()\nid(X)\nr = range(2)\nY = [*r, *r]",
]
_OF_MODULES_NOT_FOLLOWED = [
    "X = [1]\ndef f(*, some=X):\n    some.append(2)\nf()",
    "X = [3]\nB = {'q': {}}\nC = B['q']\nC['x'] = X\nB['q']['x'].append(4)",
    "X = [3]\nB = {}\nB['x'] = X\nfor one in B.values():\n    one.append(4)",
    "X = [3]\nB = {}\nB.update(x=X)\nB['x'].append(4)",
    "X = {'z': [1]}\nB = itself(X)\nB['z'].append(2)",
    "X = [1]\nB = [[X]][0]\nB[0].append(2)",
    "X = ['a']\nY = {'k': X}\nY['k'].append('b')",
    "X = ['a']\nfor one in [X]:\n    one.append('b')",
    "X = [1]\nD = {'k': X}\nfor k, v in D.items():\n    v.append(2)",
    "X, Y = [1], [2]\na, b = X, Y\na.append(1)",
    "Y = [1]\nX = [1]\na, b = X, Y\na.append(1)",
    "X = [1]\ndef get():\n    return X\nget().append(1)",
    "A = [1]; X = A + []; A.append(2)",
    "X = [1]\ndef f():\n    y = {'k': X}\n    y['k'].append(1)\nf()",
    "X = [1]\n[one.append(3) for one in [X]]",
    "X = [1]\n(y := X).append(1)",
    "X = [1]\nadd = X.append\nadd(2)",
    "X = [1]\nlist.append(X, 2)",
    "X = [1]\nreverse_in_place(X)",
    "X = [1]\nadd = lambda some: some.append(2)\nadd(X)",
    "Y = []\nfor one in [1, 2]:\n    X = len(Y)\n    Y.append(one)",
    "from math import floor as str\nX = str(1.5)",
    "def f():\n    return 1\nf = lambda: 2\nX = f()",
    "X = [1]\nclass C:\n    X.append(2)",
    "X = [3, 1]\nX.sort()",
    "X = {'a': 1}\nX.__setitem__('a', 2)",
    "X = []\nfor at in [1, 2]:\n    one = [at]\n    X.append(one)\none.append(3)",
    "X = {'a': [1]}\nmatch X:\n    case {'a': found}:\n        found.append(2)",
    "X = [1]\ngetattr(X, 'append')(2)",
    "X = {'a': 1}\ny = operator.setitem(X, 'a', 2)",
    "X = [1]\nif operator.iadd(X, [2]):\n    pass",
    "X = [1]\n[*map(lambda some: some.append(2), [X])]",
    "X = [1]\n[*filter(lambda some: some.append(2), [X])]",
    "X = [1]\noperator.some, _ = X, 1\noperator.some.append(2)",
    "X = [1]\noperator.some: list = X\noperator.some.append(2)",
    "X = [1]\noperator.__dict__['some'] = X\noperator.some.append(2)",
    "X = [1]\n{'f': lambda some: some.append(2)}['f'](X)",
    "X = {'a': {}}\noperator.setitem(*X.values(), 'b', 2)",
    "X = [1]\nclass C:\n    def __init__(self, some):\n        self.some = some\n    def add(self):\n        self.some.append(2)\nC(X).add()",
    "X = [1]\nclass C:\n    some = X\nC.some.append(2)",
    "X = [1]\noperator.some = X\noperator.some.append(2)",
    "X = [1]\ndef made():\n    yield from [X]\nfor one in made():\n    one.append(2)",
    "X = [1]\nglobals()['X'] = [2]",
    "X = [1]\nexec('X.append(2)')",
    "def ident(some):\n    return some\nX = [1]\nident = reverse_in_place\nident(X)",
    "X = [1]\nfrom functools import partial\npartial(list.append, X)(2)",
    "X = [1]\nclass task:\n    def __init__(self, some):\n        some.append(2)\ntask(X)",
    "X = [1]\n(lambda: X)().append(2)",
    "X = [1]\nmatch {'a': 2}:\n    case {**X}:\n        pass",
    "one = (at for at in [1, 2])\nY = list(one)\nX = list(one)",
    "one = [zip([1], [2])]\nY = [*one[0]]\nX = [*one[0]]",
]


@pytest.mark.parametrize("module", [*_OF_MODULES, *_OF_MODULES_NOT_FOLLOWED])
def test_a_name_that_the_module_changes_is_that_of_python_or_not_known(module):
    text = f"import copy\nimport operator\ndef reverse_in_place(x): x.reverse()\n{module}\n"
    seen = text.replace("def reverse_in_place(x): x.reverse()", "from helpers import reverse_in_place")
    found = value_of("X", seen)
    assert placeholder_name(found) if module in _OF_MODULES_NOT_FOLLOWED else found == python_value("X", text)


_SHARED_PARTS = "".join(f"    x{at} = []\n" for at in range(19)) + "".join(
    f"    x{at}.append(x{at + 1})\n    x{at}.append(x{at + 1})\n" for at in range(18)
)


@pytest.mark.parametrize(
    "body",
    [
        f"{_SHARED_PARTS}    return lambda: x0",
        "    for _ in range(9999):\n" + "        1\n" * 60 + "    return 'a'",
        f"    return [unknown(lambda: at, '{'z' * 3000}') for at in range(5000)]",
    ],
    ids=["one text of parts that are shared", "statements that do nothing", "long texts that are not known"],
)
def test_work_that_makes_no_value_is_bounded(body):
    module = f"def made():\n{body}\nJOB_FLOW_OVERRIDES = {{'Instances': {{}}, 'Name': made()}}\n"
    assert refusal(module, "airflow").message == "its values grow too large"


def test_changes_that_are_too_many_to_be_followed_are_refused():
    module = "A = []\n" + "A[0].append([A])\n" * 1000 + "JOB_FLOW_OVERRIDES = {'Instances': {}}\n"
    assert refusal(module, "airflow").message == "its values grow too large"


def calls_to_read(lists):
    """Returns how many calls of Python's functions it takes to read a statement that changes so many lists."""
    module = ast.parse(
        "".join(f"x{at} = []\n" for at in range(lists))
        + "if True:\n"
        + "".join(f"    x{at}.append(1)\n    y{at} = 1\n" for at in range(lists))
    )
    seen = Counter()
    sys.setprofile(lambda _frame, event, _of: seen.update([event]))
    try:
        read_definitions(module)
    finally:
        sys.setprofile(None)
    return seen["call"]


def test_a_statement_that_changes_many_lists_is_gone_through_once():
    assert calls_to_read(100) < 2.5 * calls_to_read(50)


def test_steps_that_functions_and_comprehensions_make(tmp_path):
    module = """
def spark(name, *args):
    return {"Name": name, "ActionOnFailure": "CONTINUE",
            "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["spark-submit", f"s3://b/{name}.py", *args, secret(name)]}}

STEPS = [spark(name, "--day", "{{ ds }}") for name in ("extract", "load")]
STEPS += [spark("publish")]
with DAG("d") as dag:
    STEPS.append(spark("tell"))
    EmrCreateJobFlowOperator(task_id='c', job_flow_overrides={'Name': 'n', 'Instances': {}}, emr_conn_id=None)
    EmrAddStepsOperator(task_id='s', steps=STEPS)
"""
    source = wanted(module, name="m.py")
    assert [step["Name"] for step in source.params["Steps"]] == ["extract", "load", "publish", "tell"]
    values = {f"value{mark}": mark or "_1" for mark in ("", "_2", "_3", "_4")}
    args = [step["HadoopJarStep"]["Args"] for step in compiled(source, tmp_path, date="2024-01-02", **values)["Steps"]]
    assert args[1] == ["spark-submit", "s3://b/load.py", "--day", "2024-01-02", "_2"]
    assert args[3] == ["spark-submit", "s3://b/tell.py", "_4"]
    assert source.variables["value_4"].rules["description"] == "in the module: secret(name), name = tell"


@pytest.mark.parametrize("begun", ["[]", "made()", "list(BASE)"])
def test_a_list_that_grows_by_hundreds_of_statements(begun):
    added = "".join(f"STEPS.append({{'Name': 's{at}', 'HadoopJarStep': {{'Jar': 'x'}}}})\n" for at in range(200))
    module = (
        f"BASE = []\ndef made():\n    return []\nSTEPS = {begun}\n{added}STEPS += BASE\n"
        "EmrCreateJobFlowOperator(task_id='c', job_flow_overrides={'Name': 'n', 'Instances': {}})\n"
        "EmrAddStepsOperator(task_id='s', steps=STEPS)\n"
    )
    assert [step["Name"] for step in wanted(module, name="m.py").params["Steps"]] == [f"s{at}" for at in range(200)]


@pytest.mark.parametrize(
    ("grow", "names"),
    [
        ("for name in ['b', 'c']:\n    STEPS.append(step(name))", "abc"),
        (
            "for name in ['b', 'c']:\n    STEPS.append(step(name))\nSTEPS.append(step(''.join(['d', 'e'])))",
            ["a", "b", "c", "de"],
        ),
        ("for name in ['b', 'c']:\n    shown = name.upper()\n    STEPS.append(step(shown))", "aBC"),
        (
            "for one in ['b', 'c']:\n    for number in [1, 2]:\n        name, _ = f'{one}{number}', 0\n"
            "        STEPS.append(step(name))",
            ["a", "b1", "b2", "c1", "c2"],
        ),
        ("STEPS += [step(one + two) for one in ['b', 'c'] for two in [one, 'd']]", ["a", "bb", "bd", "cc", "cd"]),
        ("MORE = [step('b')]\nSTEPS += MORE", "ab"),
        ("for name in ['b']:\n    STEPS.append(step(name))\n    STEPS.append(step(name + '2'))", ["a", "b", "b2"]),
        ("STEPS[0] = step('c')", "c"),
        ("for one in STEPS:\n    one['Name'] = 'b'", "b"),
    ],
)
def test_steps_that_statements_add_to_a_list(grow, names):
    module = (
        "def step(name):\n    return {'Name': name, 'HadoopJarStep': {'Jar': 'x'}}\n"
        f"STEPS = [step('a')]\n{grow}\n"
        "EmrCreateJobFlowOperator(task_id='c', job_flow_overrides={'Name': 'n', 'Instances': {}})\n"
        "EmrAddStepsOperator(task_id='s', steps=STEPS)\n"
    )
    assert [step["Name"] for step in wanted(module, name="m.py").params["Steps"]] == [*names]


def test_the_name_of_a_loop_that_adds_steps_is_not_certain_after_it():
    module = (
        "STEPS = []\nJAR = 'x'\nfor JAR in ['y']:\n    STEPS.append({'Name': JAR})\n"
        "EmrCreateJobFlowOperator(task_id='c', job_flow_overrides={'Name': JAR, 'Instances': {}})\n"
    )
    assert wanted(module, name="m.py").params["Name"] == placeholder("jar")


@pytest.mark.parametrize(
    "change",
    [
        "MORE = []\nSTEPS += MORE\nMORE.append({'Name': 'b'})",
        "MORE = STEPS\nEXTRA = [{'Name': 'b'}]\nMORE += EXTRA",
        "for x in y:\n    STEPS.append(x)",
        "n = 0\nfor x in ['b']:\n    n = n + 1\n    STEPS.append({'Name': f'{x}{n}'})",
        "last = 'a'\nfor x in ['b']:\n    name = last\n    last = x\n    STEPS.append({'Name': name})",
        "for x in ['b']:\n    print(x)\n    STEPS.append({'Name': x})",
        "for x in ['b']:\n    for y in [x]:\n        pass\n    else:\n        STEPS.append({'Name': x})",
        "OTHER = STEPS + []\nSTEPS.append({})",
        "def add(steps):\n    steps.append({})\nadd(STEPS)",
        "def add(*, to):\n    to += [{}]\nadd(to=STEPS)",
        "OTHER = STEPS\nOTHER.append({})",
        "OTHER = STEPS[0]\nOTHER['Name'] = 'b'",
        "async def add(steps):\n    steps.append({})\nadd(STEPS)",
        "STEPS, other = [{}], 1",
        "for i, STEPS in y:\n    pass",
        "with steps() as STEPS:\n    pass",
        "try:\n    from m import steps as STEPS\nexcept ImportError:\n    pass",
        "del STEPS",
    ],
)
def test_a_list_that_the_module_changes_is_not_certain(change):
    module = (
        f"STEPS = [{{'Name': 'a', 'HadoopJarStep': {{'Jar': 'x'}}}}]\n{change}\n"
        "EmrCreateJobFlowOperator(task_id='c', job_flow_overrides={'Name': 'n', 'Instances': {}}, emr_conn_id=None)\n"
        "EmrAddStepsOperator(task_id='s', steps=STEPS)\n"
    )
    (note,) = wanted(module, name="m.py").notes
    assert ": EmrAddStepsOperator is not imported: its steps are known only when the module runs: STEPS" in note


@pytest.mark.parametrize("grown", ["STEPS", "MORE"])
def test_a_list_of_two_names_that_grows_is_not_certain(grown):
    module = (
        f"STEPS = MORE = []\n{grown}.append({{'Name': 'b', 'HadoopJarStep': {{'Jar': 'x'}}}})\n"
        "EmrCreateJobFlowOperator(task_id='c', job_flow_overrides={'Name': 'n', 'Steps': STEPS}, emr_conn_id=None)\n"
    )
    source = wanted(module, name="m.py")
    assert "Steps" not in source.params
    assert source.notes == ("line 3: Steps is not imported: its value is not known here: in the module: STEPS",)


@pytest.mark.parametrize(
    "grown", ["[*{0}, *{0}, *{0}, *{0}]", "[{0}, {0}, {0}, {0}]", "f'{{{0}}}{{{0}}}{{{0}}}{{{0}}}'"]
)
def test_values_that_grow_without_bounds_are_refused(grown):
    grow = "".join(f"A{at + 1} = {grown.format(f'A{at}')}\n" for at in range(14))
    module = "EmrCreateJobFlowOperator(task_id='c', job_flow_overrides={'Name': 'n', 'Steps': A14})\n"
    assert refusal(f"A0 = ['x']\n{grow}{module}", name="m.py").message == "its values grow too large"


@pytest.mark.parametrize("filled", ["LONG.replace('x', LONG)", "LONG.replace('x', '{0}').format(LONG)"])
def test_a_text_that_would_grow_too_long_is_not_made(filled):
    module = (
        f"LONG = '{'x' * 5000}'\n"
        f"EmrCreateJobFlowOperator(task_id='c', job_flow_overrides={{'Name': {filled}, 'Instances': {{}}}})\n"
    )
    tracemalloc.start()
    try:
        assert len(wanted(module, name="m.py").params["Name"]) < 100
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_one_of_several_operators_is_chosen():
    one = "{0} = EmrCreateJobFlowOperator(task_id='{0}', job_flow_overrides={{'Name': '{0}', 'Instances': {{}}}})\n"
    module = one.format("first") + one.format("second")
    module += "EmrTerminateJobFlowOperator(job_flow_id=second.output)\n"
    assert refusal(module, name="m.py").message == "2 clusters are in it"
    first, second = (wanted(module, name="m.py", cluster=name) for name in ("first", "second"))
    assert (first.params["Name"], second.params["Name"]) == ("first", "second")
    assert "line 3: EmrTerminateJobFlowOperator is not imported: its cluster is not certain" in first.notes
    assert second.params["Instances"]["KeepJobFlowAliveWhenNoSteps"] is False


def test_an_operator_belongs_to_the_cluster_that_its_job_flow_id_names():
    one = "{0} = EmrCreateJobFlowOperator(task_id='{1}', job_flow_overrides={{'Name': '{1}', 'Instances': {{}}}})\n"
    module = one.format("small", "etl") + one.format("big", "etl_big")
    module += "EmrAddStepsOperator(job_flow_id=big.output, steps=[{'Name': 'b', 'HadoopJarStep': {'Jar': 'x'}}])\n"
    module += "EmrTerminateJobFlowOperator(job_flow_id=\"{{ ti.xcom_pull('etl_big') }}\")\n"
    small, big = (wanted(module, name="m.py", cluster=name) for name in ("etl", "etl_big"))
    assert [step["Name"] for step in big.params["Steps"]] == ["b"]
    assert big.params["Instances"] == {"KeepJobFlowAliveWhenNoSteps": False}
    assert small.params == {"Name": "etl", "Instances": {}}


_ONCE, _STEP = "once, though it is in a loop", "steps=[{'Name': name, 'HadoopJarStep': {'Jar': 'x'}}]"
_LOOPS = {
    "over known items": ("for name in ('a', 'b'):\n", ["a", "b"], "for each of the 2 rounds of its loop"),
    "over pairs": ("for name, more in {'a': 1}.items():\n", ["a"], "for each of the 1 round of its loop"),
    "over items that are not known": ("for name in made():\n", [placeholder("name")], _ONCE),
    "with a name of the body": (
        "for one in ['a', 'b']:\n    name = one + '!'\n",
        [f"{placeholder('one')}!"],
        _ONCE,
    ),
    "in a loop": ("for one in ['a', 'b']:\n  for name in ['c', 'd']:\n", [placeholder("name")], _ONCE),
    "until something": ("while name():\n", [placeholder("name")], _ONCE),
}


@pytest.mark.parametrize(("loop", "names", "how"), _LOOPS.values(), ids=_LOOPS)
def test_steps_of_an_operator_in_a_loop_are_imported_for_each_round_that_is_known(loop, names, how):
    module = (
        "EmrCreateJobFlowOperator(task_id='c', job_flow_overrides={'Name': 'n', 'Instances': {}}, emr_conn_id=None)\n"
        f"{loop}    EmrAddStepsOperator(task_id='s', {_STEP})\n"
    )
    source = wanted(module, name="m.py")
    assert [step["Name"] for step in source.params["Steps"]] == names
    (note,) = source.notes
    assert note.endswith(f"EmrAddStepsOperator: its steps are imported, {how}")


def test_a_failure_action_of_a_variable_keeps_the_words_of_its_step(tmp_path):
    module = (
        "def step(name, **more):\n"
        "    return {'Name': name, 'ActionOnFailure': more.get('action', 'CONTINUE'), 'HadoopJarStep': {\n"
        "        'Jar': 'command-runner.jar', 'Args': ['spark-submit', 's3://a/b.py', '{{ run_id }}', ROWS['few']]}}\n"
        "JOB_FLOW_OVERRIDES = {'Name': 'n', 'ReleaseLabel': 'emr-7.5.0', 'Instances': {'InstanceGroups': [\n"
        "    {'InstanceRole': 'MASTER', 'InstanceType': 'm5.xlarge', 'InstanceCount': 1}]},\n"
        "    'Steps': [step('a'), step('b', action=Variable.get('act'))]}\n"
    )
    source = wanted(module, name="m.py")
    assert {name: one.rules["description"] for name, one in source.variables.items()} == {
        "act": "the variable act of Airflow",
        "few": "in the module: ROWS['few']",
        "run_id": "in Airflow: run_id",
    }
    compiled(source, tmp_path)
    text = (tmp_path / "job.yaml").read_text()
    assert "api_params" not in text
    assert 'on_failure: "{{ act }}"' in text


@pytest.mark.parametrize(("jar", "kind"), [("command-runner.jar", "command"), ("s3://acme/x.jar", "jar")])
def test_arguments_that_are_not_known_are_a_variable_of_their_step(tmp_path, jar, kind):
    step = f"{{'Name': 's', 'HadoopJarStep': {{'Jar': '{jar}', 'Args': words()}}}}"
    module = f"JOB_FLOW_OVERRIDES = {{'Name': 'n', 'ReleaseLabel': 'emr-7.5.0', 'Instances': {{}}, 'Steps': [{step}]}}"
    source = wanted(module, name="m.py")
    (variable,) = source.variables
    (made,) = compiled(source, tmp_path, **{variable: ["hive", "-f", "x"]})["Steps"]
    assert made["HadoopJarStep"] == {"Jar": jar, "Args": ["hive", "-f", "x"]}
    text = (tmp_path / "job.yaml").read_text()
    assert f"type: {kind}" in text
    assert f'args: "{{{{ {variable} }}}}"' in text


@pytest.mark.parametrize(
    ("args", "read"),
    [
        ("'s3-dist-cp --src s3://a/  --dest {0}'.format(TO).split()", ["s3-dist-cp", "--src", "s3://a/", "--dest", "hdfs:///x"]),
        ("'a, b'.split(', ')", ["a", "b"]),
        ("f'a {BY}'.split()", None),
        ("'a b'.split(BY)", None),
        ("'a b'.strip(BY).split()", None),
        ("'a b'.replace(BY, 'c').split()", None),
        ("'a'.split('')", None),
    ],
)  # fmt: skip
def test_arguments_that_are_split_from_one_text(args, read):
    module = (
        "TO = 'hdfs:///x'\nBY = os.environ['BY']\n"
        "EmrCreateJobFlowOperator(task_id='c', job_flow_overrides={'Name': 'n', 'Instances': {}, 'Steps': [\n"
        f"    {{'Name': 's', 'HadoopJarStep': {{'Jar': 'command-runner.jar', 'Args': {args}}}}}]}})\n"
    )
    (step,) = wanted(module, name="m.py").params["Steps"]
    made = step["HadoopJarStep"]["Args"]
    assert (made if isinstance(made, list) else None) == read


def test_a_variable_of_two_places_allows_what_both_take(tmp_path):
    spot = "{'TimeoutDurationMinutes': 9, 'TimeoutAction': Variable.get('act')}"
    module = (
        "JOB_FLOW_OVERRIDES = {'Name': 'n', 'ReleaseLabel': 'emr-7.5.0', 'Instances': {'InstanceFleets': [{\n"
        "    'InstanceFleetType': 'MASTER', 'InstanceTypeConfigs': [{'InstanceType': 'm5.xlarge'}],\n"
        f"    'TargetSpotCapacity': 1, 'LaunchSpecifications': {{'SpotSpecification': {spot}}}}}]}},\n"
        "    'Steps': [{'Name': 's', 'ActionOnFailure': Variable.get('act'), 'HadoopJarStep': {'Jar': 's3://b/x.jar'}}]}\n"
    )
    source = wanted(module, name="m.py")
    assert source.variables["act"].rules["enum"] == ["TERMINATE_CLUSTER"]
    compiled(source, tmp_path)


def test_an_idle_timeout_that_is_not_known_stays_in_its_place(tmp_path):
    module = (
        "JOB_FLOW_OVERRIDES = {'Name': 'n', 'ReleaseLabel': 'emr-7.5.0', 'Instances': {'InstanceGroups': [\n"
        "    {'InstanceRole': 'MASTER', 'InstanceType': 'm5.xlarge', 'InstanceCount': 1}]},\n"
        "    'AutoTerminationPolicy': {'IdleTimeout': int(timedelta(hours=1).total_seconds())}}\n"
    )
    compiled(wanted(module, name="m.py"), tmp_path)
    text = (tmp_path / "job.yaml").read_text()
    assert "api_params" not in text
    assert 'auto_termination_policy: {idle_timeout: "{{' in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("job_flow_overrides=made()", "job_flow_overrides is known only when the module runs: made()"),
        ("", "the operator has no job_flow_overrides: its request is in a connection of Airflow"),
    ],
)
def test_a_request_that_is_not_in_the_module_is_refused_at_its_operator(arguments, message):
    found = refusal(f"x = 1\nEmrCreateJobFlowOperator({arguments})\n", name="m.py")
    assert (found.message, found.location.line) == (message, 2)


def test_the_line_that_makes_a_request_uncertain_is_named():
    module = (
        "def made(name):\n    out = {'Instances': {}}\n    while name:\n        pass\n    return out\nX = made('a')\n"
    )
    found = refusal(f"{module}EmrCreateJobFlowOperator(job_flow_overrides=X)\n", name="m.py")
    assert found.message.endswith("runs: made('a') (line 3 is not evaluated: while name: pass)")


def test_a_mapped_request_is_refused():
    module = "EmrCreateJobFlowOperator.partial(task_id='c').expand(job_flow_overrides=[{}, {}])\n"
    assert refusal(module, name="m.py").message == "the operator is mapped: it makes several clusters"


CREATE = "EmrCreateJobFlowOperator(task_id='c', job_flow_overrides={'Name': 'n', 'Instances': {}}, emr_conn_id=None)\n"
STEP = "{'Name': 's', 'HadoopJarStep': {'Jar': %s}}"


@pytest.mark.parametrize(
    "mapping",
    [
        f"expand(steps=[[{STEP % 'one'}] for one in ['a', 'b']])",
        f"expand_kwargs([{{'steps': [{STEP % 'one'}]}} for one in ['a', 'b']])",
    ],
)
def test_the_steps_of_mapped_tasks_are_imported(mapping):
    source = wanted(f"{CREATE}EmrAddStepsOperator.partial(task_id='s').{mapping}\n", name="m.py")
    assert [one["HadoopJarStep"]["Jar"] for one in source.params["Steps"]] == ["a", "b"]
    assert source.notes == ("line 2: EmrAddStepsOperator: its steps are imported, for each of its 2 tasks",)


def test_a_request_of_a_loop_is_refused():
    module = (
        "for size in ['s', 'l']:\n"
        "    EmrCreateJobFlowOperator(task_id=f'create_{size}', job_flow_overrides=made(size))\n"
    )
    assert refusal(module, name="m.py").message == "the operator is in a loop: it makes several clusters"
    (note,) = refusal(module, name="m.py", cluster="2").notes
    assert note == "there are create_{size}"


@pytest.mark.parametrize(
    ("operator", "repeated"),
    [
        ("for size in SIZES:\n    EmrCreateJobFlowOperator(%s)", "in a loop"),
        ("def add(size):\n    EmrCreateJobFlowOperator(%s)", "in the function add"),
        ("size = 's'\ndef add(size):\n    EmrCreateJobFlowOperator(%s)", "in the function add"),
        ("EmrCreateJobFlowOperator.partial(%s).expand(region_name=REGIONS)", "mapped"),
    ],
)
def test_a_cluster_that_stands_for_several_is_noted(operator, repeated):
    arguments = "job_flow_overrides={'Name': size, 'Instances': {}}, emr_conn_id=None"
    source = wanted(f"{operator % arguments}\n", name="m.py")
    assert source.params["Name"] == placeholder("size")
    told = "one cluster is imported, with variables for what others may have of their own"
    (note,) = source.notes
    assert note.endswith(f": EmrCreateJobFlowOperator is {repeated}: {told}")


def test_the_steps_of_mapped_tasks_that_are_not_known_are_named():
    source = wanted(f"{CREATE}EmrAddStepsOperator.partial(task_id='s').expand(steps=made())\n", name="m.py")
    assert source.notes[0].endswith("its steps are known only when the module runs: made()")


def test_the_context_of_a_task_is_not_empty():
    module = (
        "@task\ndef made(**context):\n    return {'Name': context.get('x', 'none'), 'Instances': {}}\n"
        "EmrCreateJobFlowOperator(task_id='c', job_flow_overrides=made(), emr_conn_id=None)\n"
    )
    assert wanted(module, name="m.py").params["Name"] == placeholder("x")


@pytest.mark.parametrize("call", ["made()", "made('{{ ds }}')"])
def test_what_a_task_makes_of_the_day_of_the_run_is_not_known(call):
    module = (
        "@task\ndef made(ds=None):\n    return {'Name': ds.replace('-', ''), 'Instances': {}}\n"
        f"EmrCreateJobFlowOperator(task_id='c', job_flow_overrides={call}, emr_conn_id=None)\n"
    )
    source = wanted(module, name="m.py")
    (name,) = source.variables
    assert (source.params["Name"], source.variables[name].template) == (placeholder(name), "")


def test_the_steps_of_a_function_with_parameters_are_imported_once_with_a_note():
    module = f"{CREATE}@task_group\ndef add(jar):\n    EmrAddStepsOperator(task_id='s', steps=[{STEP % 'jar'}])\n"
    source = wanted(module, name="m.py")
    assert source.params["Steps"][0]["HadoopJarStep"]["Jar"] == placeholder("jar")
    assert source.notes[0].endswith("its steps are imported, once, though it is in the function add")


def test_a_task_that_returns_steps_gets_the_day_of_the_run():
    module = (
        "@dag(params={})\ndef flow():\n    @task\n    def made(jar, ds=None, ti=None):\n"
        f"        return [{{'Name': ds, 'HadoopJarStep': {{'Jar': jar}}}}]\n    {CREATE}"
        "    EmrAddStepsOperator(task_id='s', steps=made('x'))\n"
    )
    source = wanted(module, name="m.py")
    assert source.params["Steps"] == [{"Name": placeholder("date"), "HadoopJarStep": {"Jar": "x"}}]
    assert source.variables["date"].template == "{{ ds }}"


@pytest.mark.parametrize(
    ("expression", "name", "template"),
    [
        ("ts", "time", "{{ ts | strftime('%Y-%m-%dT%H:%M:%S+00:00') }}"),
        ("ts_nodash", "time_digits", "{{ ts | strftime('%Y%m%dT%H%M%S') }}"),
        ("data_interval_start | ds", "date", "{{ ds }}"),
        ("logical_date.strftime('%Y/%m/%d')", "date_Y_m_d", "{{ ts | strftime('%Y/%m/%d') }}"),
        ("macros.ds_format(ds, '%Y-%m-%d', '%Y%m')", "date_Y_m", "{{ ts | strftime('%Y%m') }}"),
        ("execution_date.strftime('%-d')", "execution_date", ""),
        ("execution_date", "execution_date", ""),
        ("data_interval_end | ds", "data_interval_end", ""),
        ("var.json.network.subnet", "subnet", ""),
        ("ti.xcom_pull(task_ids='choose', key='x')", "choose", ""),
        ("a b", "value", ""),
    ],
)
def test_a_template_of_a_run_becomes_that_of_the_spec_if_it_is_known(expression, name, template):
    module = f"EmrCreateJobFlowOperator(job_flow_overrides={{'Name': \"{{{{ {expression} }}}}\", 'Instances': {{}}}})\n"
    source = wanted(module, name="m.py")
    assert source.params["Name"] == placeholder(name)
    assert source.variables[name].template == template


def test_the_times_are_those_of_airflow(tmp_path):
    texts = "{{ ts }} {{ ts_nodash }} {{ logical_date.strftime('%Y-%m') }} {{ logical_date.strftime('%Y/%m') }}"
    module = f"EmrCreateJobFlowOperator(job_flow_overrides={{'Name': {texts!r}, 'Instances': {{}}}})\n"
    made = write_spec(wanted(module, name="m.py"), folder=tmp_path)
    name = specs.compiled(tmp_path, made.text, now=datetime(2024, 1, 31, 4, 5, 6, tzinfo=timezone.utc)).params["Name"]
    assert name == "2024-01-31T04:05:06+00:00 20240131T040506 2024-01 2024/01"


def test_parameters_have_the_defaults_of_the_dag_and_of_the_operator(tmp_path):
    module = (
        "KIND = Variable.get('kind')\n"
        "DAG(params={'a': Param('x', type='string'), 'b': Param(default=2), 'c': Param(KIND), 'd': 'of the DAG'})\n"
        "EmrCreateJobFlowOperator(job_flow_overrides={'Name': '{{ params.a }}{{ params.b }}{{ params.c }}"
        "{{ params.d }}{{ params.e }}', 'Instances': {}}, params={'d': 'own'}, emr_conn_id=None)\n"
    )
    source = wanted(module, name="m.py")
    assert compiled(source, tmp_path, kind="k", e="!")["Name"] == "x2kown!"
    assert source.variables["d"].rules["description"] == "the parameter d of the operator in line 3"


def test_the_default_of_a_variable_in_a_template_is_its_default():
    module = (
        "EmrCreateJobFlowOperator(job_flow_overrides={'Name': \"{{ var.value.get('a', 'b') }}\", 'Instances': {}})\n"
    )
    assert wanted(module, name="m.py").variables["a"].default == "b"


def test_default_args_are_those_of_the_operators():
    module = "ARGS = {'region_name': 'eu-west-1', 'emr_conn_id': None}\n%s\n" + CREATE.replace(", emr_conn_id=None", "")
    source = wanted(module % "DAG('a', default_args=ARGS)", name="m.py")
    assert (source.region, source.notes) == ("eu-west-1", ())
    # Of two DAGs, or in a group with its own, it is not certain which apply.
    assert wanted(module % "DAG('a', default_args=ARGS)\nDAG('b')", name="m.py").region == ""
    grouped = "DAG('a', default_args=ARGS)\nTaskGroup('g', default_args={'region_name': 'eu-west-2'})"
    assert wanted(module % grouped, name="m.py").region == ""
    assert wanted(module % "DAG('a', default_args=ARGS)\nTaskGroup('g')", name="m.py").region == "eu-west-1"


def test_what_is_no_python_is_refused_at_its_place():
    found = refusal("JOB_FLOW_OVERRIDES = {\n", name="m.py")
    assert (found.message, found.location.line) == ("this is not Python: '{' was never closed", 1)


def test_the_changes_of_values_without_an_operator_are_imported():
    module = "JOB_FLOW_OVERRIDES = {'Instances': {}}\nJOB_FLOW_OVERRIDES['Name'] = 'n'\n"
    assert wanted(module, name="m.py").params == {"Name": "n", "Instances": {}}
    copied = "import copy\nBASE = {'Instances': {}}\nJOB_FLOW_OVERRIDES = copy.deepcopy(BASE)\n"
    assert refusal(copied, "airflow").message.endswith("says which to import: BASE, JOB_FLOW_OVERRIDES")


def test_values_without_an_operator_are_those_of_one_cluster():
    assert refusal("JOB_FLOW_OVERRIDES = make()\n", name="m.py").message.startswith("neither an EmrCreateJobFlow")
    several = "JOB_FLOW_OVERRIDES = {'Instances': {}}\nOTHER = {'Instances': {}}\n"
    assert refusal(several, name="m.py").message.endswith("says which to import: JOB_FLOW_OVERRIDES, OTHER")


def test_the_execution_role_of_added_steps_is_noted():
    module = """
EmrCreateJobFlowOperator(task_id="c", job_flow_overrides={"Name": "x", "Instances": {}}, emr_conn_id=None)
EmrAddStepsOperator(task_id="s", execution_role_arn=ROLE, steps=[{"Name": "s", "HadoopJarStep": {"Jar": "s3://b/x.jar"}}])
"""
    assert wanted(module, "airflow").notes == (
        "line 3: EmrAddStepsOperator: its steps are imported, in the order of the file",
        "line 3: EmrAddStepsOperator: the execution role of steps that are added later is not imported: "
        "RunJobFlow has none for single steps",
    )


def test_other_members_of_a_json_file_are_noted():
    given = {"JOB_FLOW_OVERRIDES": {"Name": "x", "Instances": {}}, "HIVE_STEPS": [{"Name": "s"}]}
    assert wanted(json.dumps(given), "airflow").notes == ("HIVE_STEPS is not imported",)
    assert refusal('{"JOB_FLOW_OVERRIDES": []}', "airflow").message == "JOB_FLOW_OVERRIDES has to be an object"


def test_a_number_that_python_can_not_convert_is_not_known():
    source = wanted('JOB_FLOW_OVERRIDES = {"Name": f"{int(1e999)}", "Instances": {}}', "airflow")
    assert source.params["Name"] == placeholder("value")


def test_airflow_renders_no_keys_and_a_template_without_the_newline_at_its_end():
    configuration = {"Classification": "c", "Properties": {"{{ ds }}": "a\r\nb\n", "b": "x{{ '\\r\\n' }}\n\n"}}
    overrides = {"Name": "n", "Instances": {}, "Configurations": [configuration]}
    source = wanted(f"EmrCreateJobFlowOperator(task_id='c', job_flow_overrides={overrides!r})\n", name="m.py")
    (found,) = source.params["Configurations"]
    assert found["Properties"] == {"{{ ds }}": "a\nb", "b": "x\r\n\n"}
