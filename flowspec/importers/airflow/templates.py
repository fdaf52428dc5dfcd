"""Jinja in the templated fields of Airflow's operators -> placeholders of variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flowspec.importers.names import Names
from flowspec.importers.placeholders import Variable, map_texts

_EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_LITERAL = re.compile(r"""\s*(['"])((?:[^'"\\]|\\[nr])*)\1\s*""")
_NAMED = re.compile(
    r"""\s*(?:var\.value\.(?:get\(\s*['"](?P<got>[^'"]+)['"].*\)|(?P<value>\w+))|params\.(?P<param>\w+)"""
    r"""|params\[['"](?P<item>[^'"]+)['"]\])\s*"""
)
_ADDED = re.compile(r"\s*macros\.ds_add\(\s*ds\s*,\s*(-?[0-9]{1,4})\s*\)\s*")
# What Airflow fills in for the day of a run, in the words of the spec's own templates.
_DATES = {
    "ds": ("date", "{{ ds }}"),
    "ds_nodash": ("date_digits", "{{ ds | strftime('%Y%m%d') }}"),
    "yesterday_ds": ("date_yesterday", "{{ ds | days(-1) }}"),
    "tomorrow_ds": ("date_tomorrow", "{{ ds | days(1) }}"),
    "ts": ("time", "{{ ts }}"),
    "execution_date": ("time", "{{ ts }}"),
    "logical_date": ("time", "{{ ts }}"),
}


def rendered(value: Any, names: Names, params: Mapping[str, Any]) -> Any:
    """Returns a value with a placeholder for each template in its texts; Airflow renders no keys.

    `params` are those of the DAG, with their defaults.
    """
    return map_texts(value, lambda text: _rendered_text(text, names, params))


def _rendered_text(text: str, names: Names, params: Mapping[str, Any]) -> str:
    # As Jinja reads a template.
    text = re.sub(r"\r\n?", "\n", text).removesuffix("\n")
    if re.search(r"\{[%#]", _EXPRESSION.sub("", text)):
        return names.stand_in(f"in Airflow: {text}", "text")
    return _EXPRESSION.sub(lambda found: _expression(found[1], names, params), text)


def _expression(text: str, names: Names, params: Mapping[str, Any]) -> str:
    literal, named, date = _LITERAL.fullmatch(text), _NAMED.fullmatch(text), _DATES.get(text.strip())
    added = _ADDED.fullmatch(text)
    if added:
        date = (f"date_{added[1].replace('-', 'less_')}", f"{{{{ ds | days({added[1]}) }}}}")
    if literal:
        return literal[2].replace(r"\n", "\n").replace(r"\r", "\r")
    if date:
        name, template = date
        return names.placeholder_for(
            name, name, Variable(template=template, rules={"description": f"{text.strip()} of Airflow"})
        )
    if not named:
        return names.stand_in(f"in Airflow: {text.strip()}", text.strip() if text.strip().isidentifier() else "value")
    variable = named["got"] or named["value"]
    if variable:
        return names.stand_in(f"the variable {variable} of Airflow", variable)
    param = named["param"] or named["item"]
    default = params.get(param)
    return names.stand_in(f"the parameter {param} of the DAG", param, None if default is None else str(default))
