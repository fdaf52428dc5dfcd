"""Jinja in the templated fields of Airflow's operators -> placeholders of variables."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from flowspec.importers.names import Names
from flowspec.importers.placeholders import Variable, map_texts, safe_name

_EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_LITERAL = re.compile(r"""\s*(['"])((?:[^'"\\]|\\[nr])*)\1\s*""")
_NAMED = re.compile(
    r"""\s*(?:var\.value\.(?:get\(\s*(['"])(?P<got>[^'"]+)\1(?P<default>.*)\)|(?P<value>\w+))|params\.(?P<param>\w+)"""
    r"""|params\[['"](?P<item>[^'"]+)['"]\])\s*"""
)
_DEFAULT = re.compile(r"""\s*,\s*(?:default_var\s*=\s*|default\s*=\s*)?(['"])(?P<text>[^'"\\]*)\1\s*""")
_ADDED = re.compile(r"\s*macros\.ds_add\(\s*ds\s*,\s*(-?[0-9]{1,4})\s*\)\s*")
_MOMENT = r"(?:dag_run\.)?(?:execution_date|logical_date|data_interval_start)"
# A date in a form of the module's own; flowspec's strftime has these directives, too.
_FORM = r"""(?P<quote>['"])(?P<form>(?:[^'"%\\{}]|%[YmdHMSjy])+)(?P=quote)"""
_DS_FORMAT = r"""macros\.ds_format\(\s*ds\s*,\s*["']%Y-%m-%d["']\s*,"""
_FORMATTED = re.compile(rf"\s*(?:{_MOMENT}\.strftime\(|{_DS_FORMAT})\s*{_FORM}\s*\)\s*")
_FILTERED = re.compile(rf"\s*{_MOMENT}\s*\|\s*(?P<filter>ds|ds_nodash|ts|ts_nodash)\s*")
# What Airflow fills in for the day of a run, in the words of the spec's own templates.
_DATES = {
    "ds": ("date", "{{ ds }}"),
    "ds_nodash": ("date_digits", "{{ ds | strftime('%Y%m%d') }}"),
    "yesterday_ds": ("date_yesterday", "{{ ds | days(-1) }}"),
    "tomorrow_ds": ("date_tomorrow", "{{ ds | days(1) }}"),
    "ts": ("time", "{{ ts | strftime('%Y-%m-%dT%H:%M:%S+00:00') }}"),
    "ts_nodash": ("time_digits", "{{ ts | strftime('%Y%m%dT%H%M%S') }}"),
}


def rendered(value: Any, names: Names, params: Mapping[str, tuple[Any, str]]) -> Any:
    """Returns a value with a placeholder for each template in its texts; Airflow renders no keys.

    `params` are those of the DAG and of the operator: the default of each, and whose it is.
    """
    return map_texts(value, lambda text: _rendered_text(text, names, params))


def _rendered_text(text: str, names: Names, params: Mapping[str, tuple[Any, str]]) -> str:
    # As Jinja reads a template.
    text = re.sub(r"\r\n?", "\n", text).removesuffix("\n")
    if re.search(r"\{[%#]", _EXPRESSION.sub("", text)):
        return names.stand_in(f"in Airflow: {text}", "text")
    return _EXPRESSION.sub(lambda found: _expression(found[1], names, params), text)


def _expression(text: str, names: Names, params: Mapping[str, tuple[Any, str]]) -> str:
    literal, named, date = _LITERAL.fullmatch(text), _NAMED.fullmatch(text), _date(text)
    if literal:
        return literal[2].replace(r"\n", "\n").replace(r"\r", "\r")
    if date:
        name, template = date
        return names.placeholder_for(
            template, name, Variable(template=template, rules={"description": f"{text.strip()} of Airflow"})
        )
    if not named:
        return names.stand_in(f"in Airflow: {text.strip()}", _name_of(text))
    variable = named["got"] or named["value"]
    if variable:
        default = _DEFAULT.fullmatch(named["default"] or "")
        return names.stand_in(f"the variable {variable} of Airflow", variable, default["text"] if default else None)
    param = named["param"] or named["item"]
    value, owner = params.get(param, (None, "the DAG"))
    return names.stand_in(f"the parameter {param} of {owner}", param, None if value is None else str(value))


def _date(text: str) -> tuple[str, str] | None:
    """Returns a name for the day or time of a run in this form, and the template of the spec for it."""
    added, formatted, filtered = _ADDED.fullmatch(text), _FORMATTED.fullmatch(text), _FILTERED.fullmatch(text)
    if added:
        return f"date_{added[1].replace('-', 'less_')}", f"{{{{ ds | days({added[1]}) }}}}"
    if formatted:
        form = formatted["form"]
        return f"date_{safe_name(form)}", f"{{{{ ts | strftime('{form}') }}}}"
    return _DATES.get(filtered["filter"] if filtered else text.strip())


def _name_of(text: str) -> str:
    try:
        return name_for(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "value"


def name_for(node: ast.expr) -> str:
    """Returns the most useful name in an expression: a variable, an attribute, or the key of a lookup."""
    key: ast.expr | None = None
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.BinOp(op=ast.BitOr(), left=left):  # a filter of Jinja
            return name_for(left)
        case ast.Subscript(slice=key):
            pass
        case ast.Call(func=ast.Attribute(attr="get"), args=[key, *_]):
            pass
        case ast.Call(func=ast.Attribute(attr="xcom_pull")):
            key = next(iter([*node.args, *(one.value for one in node.keywords)]), None)
        case ast.Call(func=ast.Attribute(value=owner)):
            return name_for(owner)
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else "value"
