"""A Terraform module -> the request that its aws_emr_cluster means.

The module may be HCL or JSON, the output of `terraform show -json` for a plan or a state, or a state file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flowspec.document.text.tree import Place, Source
from flowspec.importers.placeholders import Wanted, placeholder_name
from flowspec.importers.refusal import choose, load_json, refuse
from flowspec.importers.terraform import hcl
from flowspec.importers.terraform.configuration import Module, given_values, load_module, module_files
from flowspec.importers.terraform.context import Context, TooMuchWork
from flowspec.importers.terraform.instances import Instance, Resource, without_indexes
from flowspec.importers.terraform.request import add_part, request_of
from flowspec.importers.terraform.shown import is_shown, owners, shown_resources
from flowspec.importers.terraform.syntax import Body, SyntaxFault

_CLUSTER = "aws_emr_cluster"
_PARTS = ("aws_emr_instance_group", "aws_emr_instance_fleet", "aws_emr_managed_scaling_policy")
_LAST_INDEX = re.compile(r"\[[^][]*\]$")


def is_module(folder: Path) -> bool:
    """Returns True if a folder holds Terraform files."""
    return bool(module_files(folder))


def read(
    source: Source, folder: Path, cluster: str = "", *, var_files: Sequence[Path] = (), settings: Sequence[str] = ()
) -> Wanted:
    """Returns the request of a cluster of a module; of several, `cluster` names one. Raises `SpecError`.

    `source` is a file, whose folder's other files are the rest of the module, or that folder itself. `var_files` and
    `settings` are the values of Terraform's options -var-file and -var.
    """
    context = Context(_readable(folder))
    try:
        shown = _shown(source)
        if shown is not None:
            return _wanted(source, *_shown_resources(source, shown, context), cluster, context)
        resources = _read_configuration(source, folder, context, var_files, settings)
        return _wanted(source, resources, {}, cluster, context)
    except TooMuchWork:
        refuse(source, "its expressions take too much work", "write out locals that refer to each other many times")


def _readable(folder: Path) -> tuple[Path, ...]:
    """Returns the folders whose files a configuration may read: its own, and the repository that it is in."""
    own = folder.resolve()
    repository = next((one for one in (own, *own.parents) if (one / ".git").exists()), None)
    return (own, repository) if repository else (own,)


# --- sources ---


def _shown(source: Source) -> dict[str, Any] | None:
    """Returns the plan or state that a source is; None for a configuration."""
    if source.text.lstrip()[:1] != "{" or source.file.endswith(".tf"):
        return None
    value = load_json(source)
    return value if isinstance(value, dict) and is_shown(value) else None


def _shown_resources(
    source: Source, shown: dict[str, Any], context: Context
) -> tuple[list[Resource], dict[str, list[str]]]:
    """Returns the resources of a plan or state, and the references to clusters among them."""
    try:
        return shown_resources(shown, context), owners(shown)
    except (AttributeError, LookupError, TypeError):
        refuse(source, "this is not a plan or state of Terraform", "`terraform show -json` writes one")


def _read_configuration(
    source: Source, folder: Path, context: Context, var_files: Sequence[Path], settings: Sequence[str]
) -> list[Resource]:
    """Returns the clusters of a configuration with what belongs to them; a file's own come before those of others."""
    own = None if Path(source.file).is_dir() else _parse_own_file(source, context)
    # Other than a file of a module, what is read from stdin has no files beside it.
    beside = own is None or source.file.endswith((".tf", ".tf.json"))
    module = (
        load_module(folder, "", context.note, {Path(source.file).name: own} if own else {})
        if beside
        else Module(folder)
    )
    if own is not None and not (beside and (folder / Path(source.file).name).is_file()):
        module.add(own)
    try:
        given = given_values(module, context, var_files, settings, beside=beside)
    except SyntaxFault as fault:
        refuse(source, str(fault), "--var takes NAME=VALUE")
    resources = list(Instance(module, context, given).resources((_CLUSTER,), _PARTS))
    if own is None:
        return resources
    declared = {block.labels for block in own.of("resource")}
    calls = {f"module.{block.labels[0]}" for block in own.of("module") if block.labels}
    here = [
        one
        for one in resources
        if one.kind == _CLUSTER
        and (tuple(one.key.split(".")[-2:]) in declared or one.address.startswith(tuple(calls) or ("\0",)))
    ]
    return [*here, *(one for one in resources if one.kind != _CLUSTER)] if here or not resources else resources


def _parse_own_file(source: Source, context: Context) -> Body:
    try:
        body, faults = hcl.read(source.text, Path(source.file).name)
    except SyntaxFault as fault:
        at = Place(source, fault.line, 1, 1) if fault.line else None
        what = str(fault) if "JSON" in str(fault) else f"this is not Terraform's language: {fault}"
        refuse(source, what, at=at)
    for fault_ in faults:
        context.note(fault_)
    return body


# --- the cluster and its parts ---


def _wanted(
    source: Source, resources: list[Resource], links: dict[str, list[str]], wanted: str, context: Context
) -> Wanted:
    clusters = [one for one in resources if one.kind == _CLUSTER]
    if not clusters:
        refuse(
            source, f"there is no {_CLUSTER} in it", "; ".join(context.notes[:3]) or "other resources are not job flows"
        )
    found = clusters[choose(source, _names(clusters), wanted)]
    params = request_of(found, context)
    for part in (one for one in resources if one.kind in _PARTS):
        if _belongs_to_cluster(part, found, context, links):
            add_part(params, part, context)
        elif not any(_belongs_to_cluster(part, one, context, links) for one in clusters):
            context.note(f"{part.address} is not imported: it is for another cluster, as far as can be known here")
    _note_lifecycle(found, context)
    region, profile = _read_provider(found, context)
    context.note_missing_values()
    variables = context.names.variables_in([params, region, profile])
    return Wanted(params, variables, region, tuple(context.notes), profile)


def _read_provider(cluster: Resource, context: Context) -> tuple[str, str]:
    """Returns the region and profile of a cluster's provider; a plan or a state does not have them."""
    if cluster.provider is None:
        return "", ""
    for one in cluster.provider.notes():
        context.note(one)
    return cluster.provider.setting("region"), cluster.provider.setting("profile")


def _names(clusters: list[Resource]) -> list[str]:
    """Returns the names for --cluster: the resource's name where only one has it, else the address."""
    short = [one.key.rpartition(".")[2] for one in clusters]
    return [
        name if short.count(name) == 1 else one.address.removeprefix(f"{_CLUSTER}.")
        for name, one in zip(short, clusters, strict=True)
    ]


def _belongs_to_cluster(part: Resource, cluster: Resource, context: Context, links: dict[str, list[str]]) -> bool:
    """Returns True if a part's cluster_id is that of the cluster; in a state both have the id, in a plan neither."""
    owner = part.values.get("cluster_id")
    if owner is not None and owner == cluster.values.get("id"):
        return True
    known = context.names.variables.get(placeholder_name(owner) or "")
    if known and known.rules.get("description") in {
        f"in Terraform: {one}.id" for one in (cluster.address, cluster.key)
    }:
        return True
    references = links.get(without_indexes(part.address), [])
    return any(_refers_to_cluster(one, part.address, cluster.address) for one in references)


def _refers_to_cluster(reference: str, part: str, cluster: str) -> bool:
    """Returns True if a reference in a plan is to a cluster; one by `each.key` is to that of the same key."""
    address = without_indexes(cluster)
    if without_indexes(reference) not in (address, f"{address}.id"):
        return False
    own, index = _LAST_INDEX.search(cluster), _LAST_INDEX.search(reference.removesuffix(".id"))
    same = index or _LAST_INDEX.search(part)
    return own is None or same is None or own[0] == same[0]


def _note_lifecycle(cluster: Resource, context: Context) -> None:
    for block in cluster.body.of("lifecycle") if cluster.body else ():
        ignored = block.body.attributes.get("ignore_changes")
        if ignored is not None:
            shown = " ".join(ignored.text.split()).strip("[ ]")
            context.note(f"{block.body.place()}: Terraform ignores changes of {shown}; flowspec compares them")
    for block in cluster.body.of("provisioner") if cluster.body else ():
        context.note(f"{block.body.place()}: the provisioner is not imported: it runs where Terraform runs")
