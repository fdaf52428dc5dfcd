"""A request -> a DAG of Airflow with an EmrCreateJobFlowOperator."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flowspec.exporters.job import Job, write_placeholders
from flowspec.importers.placeholders import map_texts
from flowspec.request.instances import lives_on

_MODULE = '''\
"""The job flow {title} as a DAG of Airflow; needs apache-airflow-providers-amazon."""

from datetime import datetime

from airflow import DAG
from airflow.providers.amazon.aws.operators.emr import EmrCreateJobFlowOperator
from airflow.providers.amazon.aws.sensors.emr import EmrJobFlowSensor

{secrets}JOB_FLOW_OVERRIDES = {overrides}

with DAG(dag_id={dag!r}, start_date=datetime(2024, 1, 1), schedule=None, catchup=False) as dag:
    # Without a connection of EMR's, whose extra fields Airflow would add to the request.
    create = EmrCreateJobFlowOperator(
        task_id="create_job_flow", job_flow_overrides=JOB_FLOW_OVERRIDES, emr_conn_id=None{region}
    )
    wait = EmrJobFlowSensor(task_id="wait", job_flow_id=create.output{waiting})
    create >> wait
'''
# Airflow, DAG: callbacks of a run.
INSTEAD = {
    "hooks.on_success": "on_success_callback of the DAG can do it",
    "hooks.on_failure": "on_failure_callback of the DAG can do it",
}
_WIDTH = 100
_SECRETS = "# Airflow masks variables whose names tell of a secret: airflow variables set NAME VALUE.\n"


def write(job: Job) -> str:
    """Returns the module. Secrets are variables of Airflow, read when the task runs."""
    kept = lives_on(job.params)
    return _MODULE.format(
        title=re.sub(r'[\\"\x00-\x1f]', " ", job.name),
        secrets=_SECRETS if job.secrets else "",
        overrides=_literal(map_texts(job.params, _template)),
        dag=re.sub(r"[^\w.-]+", "-", job.name, flags=re.ASCII).strip("-") or "job-flow",
        region=f", region_name={job.region!r}" if job.region else "",
        waiting=', target_states=["WAITING"]' if kept else "",
    )


def _literal(value: Any, indent: str = "") -> str:
    """Returns a value as Python source, on one line if it is short."""
    if not isinstance(value, dict | list) or len(repr(value)) + len(indent) <= _WIDTH:
        return repr(value)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    lines = "".join(f"{indent}    {item},\n" for item in _items(value, f"{indent}    "))
    return f"{opening}\n{lines}{indent}{closing}"


def _items(value: Any, indent: str) -> Iterator[str]:
    for item in value:
        yield f"{item!r}: {_literal(value[item], indent)}" if isinstance(value, dict) else _literal(item, indent)


def _template(value: str) -> str:
    """Returns a template that Airflow renders to the given text: Airflow renders all texts, but no keys."""
    text = write_placeholders(value, _quoted, lambda name: f"{{{{ var.value.{name} }}}}")
    # A text that ends with .json is a file to Airflow (template_ext); Jinja drops a newline at the end.
    # A brace before an expression would be a part of it.
    return re.sub(r"\{?(\.json|\n)\Z", _expression, text)


def _quoted(text: str) -> str:
    # A brace at the end may be followed by a reference. Jinja makes \n of all line ends.
    return re.sub(r"\{([{%#\r]|\Z)|\r", _expression, text)


def _expression(found: re.Match[str]) -> str:
    return f"{{{{ {found[0]!r} }}}}"
