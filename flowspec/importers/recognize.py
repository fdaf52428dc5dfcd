"""Recognizes what kind of source a text is; and other files that people try, with the command that takes each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from flowspec.document.text.tree import Source
from flowspec.importers.dataflow_runner import is_file as is_dataflow_runner
from flowspec.importers.refusal import refuse

_SIGNS = (
    ("cloudformation", re.compile(r"^Resources\s*:|^AWSTemplateFormatVersion\b", re.MULTILINE)),
    (
        "terraform",
        re.compile(r"^\s*(resource|module)\s+\"?aws_emr_|^\s*(resource|variable|locals|provider)\b.*\{", re.MULTILINE),
    ),
    ("mrjob", re.compile(r"^runners\s*:", re.MULTILINE)),
    ("airflow", re.compile(r"\bEmrCreateJobFlowOperator\s*[(.]|^JOB_FLOW_OVERRIDES\b", re.MULTILINE)),
    (
        "aws-cli",
        re.compile(r"\bemr\s(.*\s)?create-cluster\b|\bcreate-cluster\s.*--(release-label|ami-version)\b", re.DOTALL),
    ),
)


def recognize_kind(source: Source) -> str:
    """Returns the kind of an import source; "request" for an object of no known kind, and for an empty text.

    Raises `SpecError` for a file of another kind, with the command that takes it.
    """
    if source.file.endswith((".tf", ".tf.json")):
        return "terraform"
    refuse_structured(source)
    if _is_json(source):
        return _recognize_json(source)
    kind = next((kind for kind, sign in _SIGNS if sign.search(source.text)), "")
    if not kind and source.text.strip():
        _refuse_first(source, _TEXTS)
        refuse(source, "nothing in this file says what it is", f"{_SOURCES}; --from KIND says which it is")
    return kind or "request"


def _is_json(source: Source) -> bool:
    return source.text.lstrip()[:1] in ("{", "[")


def _parse_json(source: Source) -> Any:
    """Returns the value of a JSON text; None for one that can't be read, which the reader of requests explains."""
    try:
        return json.loads(source.text)
    except (ValueError, RecursionError):
        return None


def _recognize_json(source: Source) -> str:
    value = _parse_json(source)
    members = value.keys() if isinstance(value, dict) else ()
    if is_dataflow_runner(value):
        return "dataflow-runner"
    for member, kind in (("JOB_FLOW_OVERRIDES", "airflow"), ("runners", "mrjob")):
        if member in members:
            return kind
    if "Resources" in members and "Instances" not in members:
        return "cloudformation"
    return "terraform" if {"resource", "planned_values", "terraform_version"} & set(members) else "request"


# --- files of other kinds ---


_SOURCES = (
    "import takes a RunJobFlow request in JSON, a script with `aws emr create-cluster`, CloudFormation, Terraform, "
    "an Airflow module with EmrCreateJobFlowOperator, a cluster of dataflow-runner, and mrjob.conf"
)
# Files of other kinds: the signs, all of which such a file has, then what it is, and what to do with it.
_STRUCTURED: tuple[tuple[str, ...], ...] = (
    (
        r"^service\s*:",
        r"^(provider|functions|resources|plugins)\s*:",
        "this is a serverless.yml of the Serverless Framework",
        "`serverless package` writes its CloudFormation template into .serverless/, which import takes",
    ),
    (
        r"^StartAt\s*:",
        r"^States\s*:",
        "this is a state machine of Step Functions",
        "import takes the Parameters of its createCluster state, as JSON in a file of its own",
    ),
    (
        r"^flowspec\s*:\s*v\d",
        "this is a spec already",
        "`flowspec validate` checks it, `flowspec compile` gives its request",
    ),
    (r"^apiVersion\s*:", r"^kind\s*:", "this is a Kubernetes manifest", _SOURCES),
    (r"^(-\s+)?hosts\s*:", r"^\s*tasks\s*:", "this is an Ansible playbook", _SOURCES),
)
_TEXTS: tuple[tuple[str, ...], ...] = (
    (
        r"\bEmrAddStepsOperator\s*[(.]",
        "this Airflow module adds steps to a cluster that exists; what is missing is an EmrCreateJobFlowOperator",
        "`flowspec import ID` imports a cluster by its id; add the steps to its spec",
    ),
    (
        r"\bEmr(Serverless\w+|Container)Operator\s*[(.]",
        "this Airflow module uses EMR Serverless or EMR on EKS, and makes no cluster of EMR on EC2",
        _SOURCES,
    ),
    (
        r"^(import\s|from\s+[\w.]+\s+import\s)|^#!.*python",
        "this is a Python script",
        "`flowspec migrate {file}` runs it with the AWS SDK answered on this machine, and writes specs of its requests",
    ),
    (
        r"\bemr\s+add-steps\b",
        "this script adds steps to a cluster that exists; what is missing is `aws emr create-cluster`",
        "put the steps into --steps of a create-cluster command and import that",
    ),
    (
        r"\bemr\s+[a-z]+-[a-z-]+",
        "this script has no `aws emr create-cluster` in it",
        "import takes the command that makes a cluster; what is done to it later belongs to the spec by hand",
    ),
    (
        r"^\s*(\S*/)?(hadoop|yarn)\s+(jar|streaming)\b|hadoop-streaming",
        "this is a script that runs Hadoop on a cluster, without the cluster itself",
        "what it runs is a step: begin with a spec that has `steps:` with the mapper, reducer, input and output",
    ),
    (
        r"^\s*(\S*/)?spark-submit\b",
        "this is a script that runs spark-submit on a cluster, without the cluster itself",
        "what it runs is a step: begin with a spec that has `steps:` with `type: spark`",
    ),
    (
        r"^#!.*\b(ba|z|k|da)?sh\b",
        "this is a shell script without `aws emr create-cluster`",
        "import takes the script that makes the cluster",
    ),
    (
        r"""\brequire\(['"](aws-sdk|@aws-sdk)|from\s+['"]@aws-sdk|import\s+software\.amazon|com\.amazonaws""",
        "this is a program that uses the AWS SDK",
        "import takes the request that it sends: write the parameters of RunJobFlow into a file as JSON",
    ),
    (
        r"^\s*[A-Za-z_]\w*\s*=\s*(\"|\[|\{|\d|true|false)",
        "this looks like values for Terraform's variables",
        "give it with the module: `flowspec import main.tf --var-file {file}`",
    ),
)


def refuse_structured(source: Source) -> None:
    """Raises `SpecError` for a file of YAML or JSON that is of another kind."""
    if _is_json(source):
        _refuse_values(source, _parse_json(source))
    else:
        _refuse_first(source, _STRUCTURED)


def _refuse_first(source: Source, others: tuple[tuple[str, ...], ...]) -> None:
    for *signs, what, hint in others:
        if all(re.search(sign, source.text, re.MULTILINE) for sign in signs):
            refuse(source, what, hint.replace("{file}", source.argument))


def _refuse_values(source: Source, value: Any) -> None:
    if isinstance(value, Mapping) and {"StartAt", "States"} <= value.keys():
        states = value["States"].items() if isinstance(value["States"], Mapping) else ()
        maker = next((json.dumps(name) for name, one in states if _makes_cluster(one)), "")
        command = f"`jq '.States.{maker}.Parameters' {source.argument} | flowspec import --request -`"
        hint = f"{command} takes them out" if maker else "the Parameters of a createCluster state"
        refuse(source, "this is a state machine of Step Functions, not a request", hint)
    if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        if "HadoopJarStep" in value[0] or ("Type" in value[0] and "Args" in value[0]):
            refuse(
                source,
                "this is a list of steps, as `aws emr add-steps --steps file://` takes it; the cluster is missing",
                "make it the Steps of a request, or --steps of a create-cluster command, and import that",
            )
        if "Classification" in value[0]:
            refuse(
                source,
                "this is a list of configurations; the cluster is missing",
                "make it the Configurations of a request, or --configurations of a create-cluster command",
            )


def _makes_cluster(state: Any) -> bool:
    resource = str(state.get("Resource")) if isinstance(state, Mapping) else ""
    return "elasticmapreduce:createCluster" in resource or "emr:runJobFlow" in resource
