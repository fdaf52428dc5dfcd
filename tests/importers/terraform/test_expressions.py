"""Terraform's expressions: each as Terraform itself evaluates it.

`expressions.json` has what Terraform made of them, so that the comparison needs no Terraform; where it is installed,
it is asked again. FLOWSPEC_REWRITE=1 writes the file anew.
"""

import json
import os
from pathlib import Path

import pytest

from flowspec.importers.placeholders import PLACEHOLDER
from flowspec.importers.terraform import hcl
from flowspec.importers.terraform.configuration import load_module
from flowspec.importers.terraform.context import Context
from flowspec.importers.terraform.instances import Instance
from flowspec.importers.terraform.values import Unknown
from tests.importers.terraform import judge
from tests.importers.terraform.expressions import FILES, VARIABLES, expressions

RECORDED = Path(__file__).parent / "expressions.json"
REWRITE = bool(os.environ.get("FLOWSPEC_REWRITE"))


def instance(folder):
    folder.mkdir(exist_ok=True)
    (folder / "main.tf").write_text(VARIABLES)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    context = Context((folder.resolve(),))
    return Instance(load_module(folder, "", context.note), context, {})


def evaluated(text, folder):
    """The value that the importer has for an expression, with the defaults; `Unknown` where it claims none."""
    made = instance(folder)
    return made.context.fill_placeholders(made.scope.value(hcl.expression(text)))


@pytest.mark.skipif(judge.provider() is None, reason="Terraform is not installed on this machine")
def test_the_recorded_values_are_terraforms(tmp_path):
    folder = tmp_path / "m"
    instance(folder)
    outputs = "".join(
        f'output "o{at}" {{\n  value = jsonencode({{ v = (\n{text}\n) }})\n}}\n'
        for at, text in enumerate(expressions())
    )
    (folder / "outputs.tf").write_text(outputs)
    judge.terraform(folder, "apply", "-auto-approve", "-no-color", "-input=false")
    found = json.loads(judge.terraform(folder, "output", "-json"))
    made = {text: json.loads(found[f"o{at}"]["value"])["v"] for at, text in enumerate(expressions())}
    if REWRITE:
        RECORDED.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert made == json.loads(RECORDED.read_text("utf-8"))


@pytest.mark.parametrize("text", expressions())
def test_an_expression(text, tmp_path):
    assert evaluated(text, tmp_path / "m") == json.loads(RECORDED.read_text("utf-8"))[text]


@pytest.mark.parametrize(
    "text",
    [
        "timestamp()",
        "uuid()",
        "1 / 3",
        "aws_x.y[count.index].arn",
        "upper(data.aws_region.here.name)",
        'var.apps == ["Spark", "Hive"]',
        'regex("(a)\\\\1", "aa")',
        'regex("(?P<a>x)(y)?", "x")',
        'format("%g", 12345678.9)',
        'format("%05s", "ab")',
        'format("%#o", 8)',
        'tonumber("1_000")',
        'parseint("0xff", 16)',
        'parseint("1_0", 10)',
        "range(1, 4, -1)",
        "sum([])",
        "index([true], 1)",
        "toset([true, 1])",
        "log(9, 3)",
        'file("../secret")',
        'file("/etc/hostname")',
        "nope(1)",
        "local.nope",
        "range(2000)",
        'format("%d", 1.5)',
        'provider::aws::arn_parse("arn:aws:s3:::x")',
        'bcrypt("x")',
        'var.apps["x"]',
        'aws_x.y.z == "a" ? 1 : 2',
        "[for a in aws_x.y.z : a]",
        'coalesce("", null)',
        'yamldecode("yes")',
        'yamldecode("{a: 012, b: 1}")',
        'yamldecode("[2024-01-01]")',
        'yamldecode("{on: push}")',
        'yamldecode("{a: 1, a: 2}")',
        'yamldecode("a: &x {b: 1}\\nc: {<<: *x}")',
        'yamldecode("")',
        'csvdecode("")',
        'csvdecode("a,a\\n1,2\\n")',
        'csvdecode("a,b\\n1\\n")',
    ],
)
def test_what_is_not_known_is_never_a_value(text, tmp_path):
    (tmp_path / "secret").write_text("x")
    made = instance(tmp_path / "m")
    value = made.scope.value(hcl.expression(text))
    assert PLACEHOLDER.search(str(value))
    with pytest.raises(Unknown):
        made.context.fill_placeholders(value)
    name = PLACEHOLDER.findall(json.dumps(value, ensure_ascii=False))[0]
    assert made.context.names.variables[name].rules["description"].startswith("in Terraform: ")


@pytest.mark.parametrize(
    "text", ['format("%9999999999d", 1)', 'format("%.9999999999f", 1)', 'indent(9999999999, "a\\nb")']
)
def test_a_text_that_would_fill_the_memory_is_not_made(text, tmp_path):
    with pytest.raises(Unknown):
        evaluated(text, tmp_path)


def test_regular_expressions_take_little_time_on_any_text(tmp_path):
    """Python's own engine would take hours for the first: four times as long for each two letters more."""
    optional = "a?" * 40 + "a" * 40
    assert evaluated(f'replace("{"a" * 40}", "/{optional}/", "b")', tmp_path) == "b"
    with pytest.raises(Unknown):
        evaluated(f'[for i in range(1000) : replace("{"a" * 9000}", "/(a?){{500}}b/", "c")]', tmp_path)
