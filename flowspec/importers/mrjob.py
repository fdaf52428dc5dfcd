"""mrjob.conf -> the request of the clusters that mrjob makes with it.

Facts from mrjob 0.7.4: image_version 6.0.0 and m5.xlarge (m4.large before 5.13.0) where nothing is said, groups that
are named like their roles, Hadoop beside any other application, one step at a time.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from flowspec.document.text.parse import compose, resolve
from flowspec.document.text.tree import Items, Node, Scalar, Source
from flowspec.errors import SpecError
from flowspec.facts.api_model import Json, input_shape
from flowspec.importers.decompile.request_file import decode_source
from flowspec.importers.names import Names
from flowspec.importers.placeholders import Wanted
from flowspec.importers.refusal import refuse
from flowspec.importers.shapes import convert_members, members_that_are_set

_DEFAULT_VERSION = "6.0.0"
_PLAIN = {
    "image_id": "CustomAmiId",
    "ebs_root_volume_gb": "EbsRootVolumeSize",
    "emr_configurations": "Configurations",
}
_READ = {
    *(*_PLAIN, "image_version", "release_label", "cloud_tmp_dir", "cloud_log_dir", "zone", "instance_fleets", "subnet"),
    *("instance_groups", "instance_type", "bootstrap_actions", "ec2_key_pair", "max_concurrent_steps", "applications"),
    *("enable_emr_debugging", "additional_emr_info", "iam_instance_profile", "iam_service_role", "tags", "region"),
    *("pool_clusters", "max_mins_idle", "extra_cluster_params"),
    *(f"{role}_instance_{what}" for role in ("master", "core", "task") for what in ("type", "bid_price")),
    *("num_core_instances", "num_task_instances"),
}
# Options that may be given as a single item, and those that are mappings.
_LISTS = ("bootstrap_actions", "applications")
_MAPPINGS = ("tags", "extra_cluster_params")
# The YAML parser reads a tag as a function of CloudFormation: `!clear x` is {Fn::clear: x}.
_CLEAR = "Fn::clear"
# What mrjob does with each job, not with its cluster.
_OF_JOBS = {
    *("cmdenv", "jobconf", "setup", "py_files", "upload_files", "upload_archives", "upload_dirs", "python_bin"),
    *("libjars", "hadoop_extra_args", "hadoop_streaming_jar", "interpreter", "sh_bin", "spark_args", "spark_master"),
    *("task_python_bin", "steps_python_bin", "steps_interpreter", "spark_submit_bin", "spark_deploy_mode", "mapper"),
    "cloud_upload_part_size",
}
# How mrjob itself works: nothing of it is asked of EMR.
_OF_MRJOB = {
    *("cleanup", "cleanup_on_failure", "check_cluster_every", "cloud_fs_sync_secs", "cloud_part_size_mb", "label"),
    *("owner", "local_tmp_dir", "output_dir", "ssh_bin", "ssh_tunnel", "ssh_bind_ports", "ssh_tunnel_is_open"),
    *("ec2_key_pair_file", "pool_name", "pool_wait_minutes", "pool_jitter_seconds", "pool_timeout_minutes"),
    *("max_clusters_in_pool", "cluster_id", "min_available_mb", "min_available_virtual_cores", "emr_endpoint"),
    *("s3_endpoint", "iam_endpoint", "ssh_add_bin", "aws_access_key_id", "aws_secret_access_key", "aws_session_token"),
    *("read_logs", "emr_action_on_failure"),
}


class _Cleared(NamedTuple):
    """A value with the tag !clear: the values of its option in earlier files do not count."""

    value: Any


def read(source: Source, folder: Path, _cluster: str = "") -> Wanted:
    """Returns the request of the emr runner of an mrjob.conf, YAML or JSON, with the files that it includes.

    `folder` is the folder of the file: only files in it or below are included. Raises `SpecError`.
    """
    notes = list[str]()
    found = [one for one in _read_options(source, folder, {Path(source.file).resolve()}, notes) if one is not None]
    if not found:
        refuse(source, "this mrjob.conf has no runner emr", "runners: {emr: {…}} is what makes clusters")
    options = _combine(found)
    reader = _Reader(source, options, Names())
    params = reader.request(Path(source.file).stem.strip(".<>") or "mrjob")
    made, more = convert_members(params, input_shape())
    region = str(options.get("region") or "us-west-2")
    return Wanted(made, reader.names.variables_in(made), region, (*notes, *reader.notes, *more))


def _read_options(source: Source, folder: Path, met: set[Path], notes: list[str]) -> list[Json | None]:
    """Returns the options of the files that a file includes, and then its own; None for a file without a runner emr.

    Files in `met` are not read again.
    """
    root, errors = compose(source, functions=True)
    if errors:
        raise SpecError(errors)
    conf = _value_of(root, source) if root is not None else None
    runners = conf.get("runners") if isinstance(conf, Mapping) else None
    options = runners.get("emr") if isinstance(runners, Mapping) else None
    found: list[Json | None] = [dict(options) if isinstance(options, Mapping) else None]
    includes = conf.get("include") if isinstance(conf, Mapping) else None
    for name in reversed(includes if isinstance(includes, list) else [includes] if includes else []):
        try:
            file = (Path(source.file).parent / str(name)).resolve()
            if file in met:
                continue
            met.add(file)
            data = file.read_bytes() if folder.resolve() in file.parents and file.is_file() else None
        # A name that no file can have (ValueError), or a link to itself (RuntimeError before Python 3.13).
        except (OSError, ValueError, RuntimeError):
            data = None
        if data is None:
            notes.append(f"include is not followed: what {json.dumps(name)} says is not imported")
        else:
            found = [*_read_options(decode_source(str(file), data), folder, met, notes), *found]
    return found


def _value_of(node: Node, source: Source) -> Any:
    """Returns a node as plain data; values with the tag !clear are _Cleared. Raises `SpecError` for other tags."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [_without_clear(_value_of(one, source)) for one in node.items]
    for key, (_, value) in node.entries.items():
        if key == _CLEAR:
            if isinstance(value, Scalar) and value.plain:
                return _Cleared(resolve(value.text))
            return _Cleared(_without_clear(_value_of(value, source)))
        if key.startswith("Fn::"):
            refuse(source, f"the tag !{key.removeprefix('Fn::')} is not one of mrjob's", "", value.at)
    return {key: _value_of(value, source) for key, (_, value) in node.entries.items()}


def _without_clear(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_clear(item) for key, item in value.items()}
    return value.value if isinstance(value, _Cleared) else value


def _combine(found: Sequence[Json]) -> Json:
    """Combines the options of several files: lists are joined; later entries of mappings, and other values, win."""
    out: Json = {}
    for key, given in ((key, given) for options in found for key, given in options.items()):
        value = given.value if isinstance(given, _Cleared) else given
        if value is not given:
            out.pop(key, None)
        if key in _MAPPINGS and isinstance(value, dict) and isinstance(out.get(key, {}), dict):
            entries = {**out.get(key, {}), **value}
            out[key] = {name: one for name, one in entries.items() if one != _Cleared(None)}
        elif key in (*_LISTS, "emr_configurations") and key in out and value is not None:
            out[key] = [*_as_list(out[key]), *_as_list(value)]
        elif value is not None:
            out[key] = value
    return {key: _without_clear(value) for key, value in out.items()}


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


class _Reader:
    """Reads the options of the emr runner; what is not taken over is a note."""

    def __init__(self, source: Source, options: Json, names: Names) -> None:
        self.source, self.options, self.names, self.notes = source, options, names, list[str]()
        options |= {name: [options[name]] for name in _LISTS if isinstance(options.get(name), str)}
        for name in (*_LISTS, *_MAPPINGS):
            kind, what = (list, "a list") if name in _LISTS else (dict, "a mapping")
            if not isinstance(options.get(name, kind()), kind):
                refuse(source, f"{name} has to be {what}")
        self.version = str(options.get("release_label") or options.get("image_version") or _DEFAULT_VERSION)

    def request(self, name: str) -> Json:
        """Returns the parameters of RunJobFlow."""
        given = self.options
        version = self.version.removeprefix("emr-")
        release = {"AmiVersion": version} if _version_numbers(version) < (4,) else {"ReleaseLabel": f"emr-{version}"}
        out: Json = {"Name": name, "LogUri": self._logs(), **release, "VisibleToAllUsers": True}
        out |= {member: given[key] for key, member in _PLAIN.items() if given.get(key)}
        out["Instances"] = self._instances()
        out["StepConcurrencyLevel"] = given.get("max_concurrent_steps", 1)
        out["BootstrapActions"] = self._actions()
        out["Applications"] = [{"Name": one} for one in self._applications()]
        tags = sorted((str(key), str(value)) for key, value in given.get("tags", {}).items())
        out["Tags"] = [{"Key": key, "Value": value} for key, value in tags]
        out["JobFlowRole"] = given.get("iam_instance_profile") or self._created_role("iam_instance_profile")
        out["ServiceRole"] = given.get("iam_service_role") or self._created_role("iam_service_role")
        info = given.get("additional_emr_info")
        out["AdditionalInfo"] = info if isinstance(info, str) else json.dumps(info) if info else None
        if given.get("pool_clusters"):
            self._set_idle_timeout(out)
        self._add_extra(out)
        self._note_others()
        return {key: value for key, value in out.items() if value not in (None, [], "")}

    def _created_role(self, option: str) -> str:
        return self.names.stand_in(f"mrjob creates its own role if {option} is not set", option)

    def _logs(self) -> str:
        logs = self.options.get("cloud_log_dir")
        temporary = self.options.get("cloud_tmp_dir")
        if logs or temporary:
            return f"{str(logs).rstrip('/')}/" if logs else f"{str(temporary).rstrip('/')}/logs/"
        return self.names.stand_in("mrjob chooses a bucket of its own if cloud_log_dir is not set", "log_uri")

    def _instances(self) -> Json:
        given = self.options
        out: Json = {}
        if given.get("instance_fleets"):
            out["InstanceFleets"] = given["instance_fleets"]
        else:
            out["InstanceGroups"] = given.get("instance_groups") or self._groups()
        placement, subnets = members_that_are_set(AvailabilityZone=given.get("zone")), given.get("subnet")
        out |= members_that_are_set(Placement=placement, Ec2KeyName=given.get("ec2_key_pair"))
        if isinstance(subnets, list) and len(subnets) > 1:
            out["Ec2SubnetIds"] = subnets
        elif subnets:
            out["Ec2SubnetId"] = subnets[0] if isinstance(subnets, list) else subnets
        return out

    def _groups(self) -> list[Json]:
        workers = {role: count for role in ("core", "task") if (count := self.options.get(f"num_{role}_instances"))}
        return [self._group(role, count, not workers) for role, count in {"master": 1, **workers}.items()]

    def _group(self, role: str, count: Any, alone: bool) -> Json:
        default = "m5.xlarge" if _version_numbers(self.version.removeprefix("emr-")) >= (5, 13) else "m4.large"
        # `instance_type` is that of the nodes that run tasks: the master only where it is alone.
        common = self.options.get("instance_type") if role != "master" or alone else None
        bid = self.options.get(f"{role}_instance_bid_price")
        out = {
            "InstanceCount": count,
            "InstanceRole": role.upper(),
            "InstanceType": self.options.get(f"{role}_instance_type") or common or default,
            "Market": "SPOT" if bid else "ON_DEMAND",
            "Name": role,
        }
        return {**out, "BidPrice": str(bid)} if bid else out

    def _applications(self) -> list[str]:
        named = {str(one) for one in self.options.get("applications", ())}
        if named and not any(one.lower() == "hadoop" for one in named):
            named.add("Hadoop")
        return sorted(named)

    def _actions(self) -> list[Json]:
        actions = []
        for number, text in enumerate(self.options.get("bootstrap_actions", ())):
            path, *args = self._split_words(text)
            actions.append({"Name": f"action {number}", "ScriptBootstrapAction": {"Path": path, "Args": args}})
            if "://" not in path:
                self.notes.append(f"the bootstrap action {path} is a local file: which mrjob uploads")
        return actions

    def _split_words(self, text: Any) -> list[str]:
        """Returns the words of a bootstrap action, which mrjob splits as a shell does."""
        reason = "a path is wanted"
        try:
            words = shlex.split(text) if isinstance(text, str) else []
        except ValueError as error:
            words, reason = [], str(error)
        if not words:
            refuse(self.source, f"the bootstrap action {json.dumps(text)} can't be read: {reason}")
        return words

    def _set_idle_timeout(self, out: Json) -> None:
        out["Instances"]["KeepJobFlowAliveWhenNoSteps"] = True
        minutes = self.options.get("max_mins_idle", 10.0)
        try:
            out["AutoTerminationPolicy"] = {"IdleTimeout": int(float(minutes) * 60)}
        except (TypeError, ValueError, OverflowError):
            refuse(self.source, f"max_mins_idle is not a number: {minutes!r}")
        self.notes.append(
            f"mrjob's own script ends a pooled cluster after {minutes} idle minutes: here auto_termination_policy"
        )

    def _add_extra(self, out: Json) -> None:
        """Lays the members of `extra_cluster_params` over the request; null deletes one."""
        given = self.options.get("extra_cluster_params", {})
        for path, value in sorted((str(path), value) for path, value in given.items()):
            *owners, last = path.split(".")
            owner: Any = out
            for one in owners:
                owner = owner.setdefault(one, {})
                if not isinstance(owner, dict):
                    refuse(self.source, f"{path} in extra_cluster_params: {one} has no members")
            owner[last] = value
            if value is None:
                del owner[last]

    def _note_others(self) -> None:
        for key, value in self.options.items():
            if key.startswith("bootstrap") and key != "bootstrap_actions":
                if value:
                    note = f"{key} is not imported: mrjob makes a script of it; write it as a bootstrap action"
                    self.notes.append(note)
            elif key in _OF_JOBS:
                self.notes.append(f"{key} is not imported: it belongs to the steps of each job")
            elif key not in _READ | _OF_MRJOB:
                self.notes.append(f"{key} is not imported: it is not a known option of mrjob")
        if self.options.get("enable_emr_debugging"):
            self.notes.append("enable_emr_debugging is not imported: enable_debugging: true is the spec's word")
        self.notes.append("the steps are those of each job: `flowspec migrate` records them from a script of mrjob's")


def _version_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
