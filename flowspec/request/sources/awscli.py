"""`aws emr create-cluster …` in a script -> the request that the AWS CLI sends for it.

What the CLI adds, leaves out and renames is that of aws-cli 1.46, `awscli/customizations/emr/`: it keeps the
cluster alive and visible unless told otherwise, names what has no name, and turns the kinds of steps and the
applications of AMIs into jars and bootstrap actions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from flowspec.emr.shapes import input_shape
from flowspec.request.decompile.holes import HOLE, Wanted, hole_of
from flowspec.request.sources.refusal import choose, refuse
from flowspec.request.sources.shapes import fitted, parsed_json
from flowspec.request.sources.shell import Script, Word, parse
from flowspec.request.sources.shorthand import ShorthandError
from flowspec.request.sources.shorthand import parse as parse_shorthand
from flowspec.request.steps import COMMAND_RUNNER, OLD_STREAMING, World, debugging_step
from flowspec.spec.document import Source
from flowspec.spec.nearest import did_you_mean

Json = dict[str, Any]

_FLAGS = {
    "auto-terminate",
    "no-auto-terminate",
    "use-default-roles",
    "termination-protected",
    "no-termination-protected",
    "unhealthy-node-replacement",
    "no-unhealthy-node-replacement",
    "visible-to-all-users",
    "no-visible-to-all-users",
    "enable-debugging",
    "no-enable-debugging",
    "extended-support",
    "no-extended-support",
    "session-enabled",
    "no-session-enabled",
}
_TEXTS = {
    "additional-info": "AdditionalInfo",
    "log-uri": "LogUri",
    "os-release-label": "OSReleaseLabel",
    "log-encryption-kms-key-id": "LogEncryptionKmsKeyId",
    "service-role": "ServiceRole",
    "auto-scaling-role": "AutoScalingRole",
    "scale-down-behavior": "ScaleDownBehavior",
    "security-configuration": "SecurityConfiguration",
    "custom-ami-id": "CustomAmiId",
    "repo-upgrade-on-boot": "RepoUpgradeOnBoot",
    "step-execution-role-arn": "StepExecutionRoleArn",
}
_NUMBERS = {
    "ebs-root-volume-size": "EbsRootVolumeSize",
    "ebs-root-volume-iops": "EbsRootVolumeIops",
    "ebs-root-volume-throughput": "EbsRootVolumeThroughput",
}
_OBJECTS = {
    "kerberos-attributes": "KerberosAttributes",
    "managed-scaling-policy": "ManagedScalingPolicy",
    "auto-termination-policy": "AutoTerminationPolicy",
    "monitoring-configuration": "MonitoringConfiguration",
}
_SWITCHES = {"extended-support": "ExtendedSupport", "session-enabled": "SessionEnabled"}
_LISTS = {"instance-groups", "instance-fleets", "bootstrap-actions", "applications", "steps", "placement-group-configs"}
_OTHERS = {
    "release-label",
    "ami-version",
    "instance-type",
    "instance-count",
    "name",
    "configurations",
    "step-concurrency-level",
}
_SINGLE = {*_TEXTS, *_NUMBERS, *_OBJECTS, *_OTHERS, "ec2-attributes", "emrfs", "restore-from-hbase-backup"}
# What says how to call EMR, or what to print: no part of the request.
_GLOBAL = {
    *("region", "profile", "endpoint-url", "output", "query", "color", "ca-bundle", "cli-read-timeout"),
    *("cli-connect-timeout", "cli-binary-format", "cluster-id", "cluster-ids"),
}
_GLOBAL_FLAGS = {
    *("debug", "no-verify-ssl", "no-paginate", "no-sign-request", "no-cli-pager", "no-cli-auto-prompt"),
    *("cli-auto-prompt", "no-cli-pager", "v2-debug"),
}
_KNOWN = {*_FLAGS, *_SINGLE, *_LISTS, "tags", *_GLOBAL, *_GLOBAL_FLAGS}

_EC2 = {"KeyName": "Ec2KeyName"}
_EC2_MEMBERS = (
    *("KeyName", "SubnetId", "SubnetIds", "EmrManagedMasterSecurityGroup", "EmrManagedSlaveSecurityGroup"),
    *("ServiceAccessSecurityGroup", "AdditionalMasterSecurityGroups", "AdditionalSlaveSecurityGroups"),
)
_STEP_NAMES = {
    "custom_jar": "Custom JAR",
    "streaming": "Streaming program",
    "hive": "Hive program",
    "pig": "Pig program",
    "impala": "Impala program",
    "spark": "Spark application",
}
# What is looked into here, before the model judges the request.
_TEXT_KEYS = {
    *("Name", "Type", "ActionOnFailure", "Jar", "Properties", "InstanceGroupType", "Path", "Dir", "BackupVersion"),
    *("KMSKeyId", "CustomProviderLocation", "CustomProviderClass"),
}
_EMRFS_KMS = "com.amazon.ws.emr.hadoop.fs.cse.KMSEncryptionMaterialsProvider"
_MOST_BYTES = 10_000_000


class _Given(NamedTuple):
    """An option of the command: its words, and where it stands."""

    words: list[Word]
    at: Word


@dataclass
class _Call:
    """One create-cluster command."""

    source: Source
    folder: Path
    at: Word
    options: dict[str, _Given] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def has(self, name: str) -> bool:
        """Whether the option is there."""
        return name in self.options

    def text(self, name: str) -> str | None:
        """The text of an option of one value; from its file, where it names one."""
        given = self.options.get(name)
        return self.content(given.words[0]) if given else None

    def content(self, word: Word) -> str:
        """A value, or what is in the file that it names as `file://`."""
        scheme, mark, path = word.text.partition("://")
        if not mark or scheme not in ("file", "fileb", "http", "https"):
            return word.text
        if scheme.startswith("http"):
            self.refuse(f"{word.text} is not fetched", "download it, and name it as file://NAME", word)
        if HOLE.search(path):
            self.refuse("the name of this file is only known to the shell", "write the name itself", word)
        return self._file(path, word)

    def _file(self, path: str, word: Word) -> str:
        folder = self.folder.resolve()
        file = (folder / Path(path)).resolve()
        if folder not in file.parents:
            self.refuse(f"{path} is not below the folder of the script", "put it beside the script", word)
        try:
            return file.read_bytes()[:_MOST_BYTES].decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            self.refuse(f"{path} can't be read: {reason}", "paths are taken from the script's folder", word)

    def objects(self, name: str, shape: Any) -> list[Json]:
        """An option that is a list of objects, in JSON or shorthand; `shape` is botocore's of one of them."""
        given = self.options[name]
        words = given.words
        if len(words) == 1:
            text = self.content(words[0]).strip()
            if text[:1] == "[":
                return [self._an_object(one, words[0]) for one in self._json(text, words[0])]
            words = [Word(text, words[0].at)]
        return [self._object(word.text, word, shape) for word in words]

    def object(self, name: str, shape: Any) -> Json:
        """An option that is an object, in JSON or shorthand."""
        word = self.options[name].words[0]
        return self._object(self.content(word), word, shape)

    def _object(self, text: str, word: Word, shape: Any) -> Json:
        if text.strip()[:1] in ("{", "["):
            return self._an_object(self._json(text, word), word)
        if hole_of(text):
            self.refuse("only the shell knows what this stands for", "write the value itself", word)
        try:
            made: Json = fitted(parse_shorthand(text), shape)
        except ShorthandError as error:
            self.refuse(f"neither JSON nor shorthand: {error}", "", word)
        return self._an_object(made, word)

    def _an_object(self, value: Any, word: Word) -> Json:
        if not isinstance(value, dict):
            self.refuse("an object is wanted, in JSON or shorthand", "", word)
        for key in _TEXT_KEYS & value.keys():
            if not isinstance(value[key], str):
                self.refuse(f"{key} is one text", "quotes keep a text with commas together", word)
        if not all(isinstance(arg, str) for arg in _listed(value.get("Args", []))):
            self.refuse("Args is a list of texts", "put numbers in quotes", word)
        return value

    def json(self, name: str) -> Any:
        """An option that is JSON."""
        word = self.options[name].words[0]
        return self._json(self.content(word), word)

    def _json(self, text: str, word: Word) -> Any:
        try:
            return parsed_json(text)
        except (ValueError, RecursionError) as error:
            self.refuse(f"this is not JSON: {str(error)[:200]}", "", word)

    def choice(self, name: str) -> bool:
        """`--name` or `--no-name`; false when neither is given."""
        if self.has(name) and self.has(f"no-{name}"):
            self.refuse(f"--{name} and --no-{name} exclude each other", "keep one", self.options[name].at)
        return self.has(name)

    def refuse(self, message: str, hint: str = "", at: Word | None = None) -> NoReturn:
        """Raises `SpecError` about a word of the command."""
        refuse(self.source, message, hint, (at or self.at).at)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [None]


def read(source: Source, folder: Path, cluster: str = "") -> Wanted:
    """What the create-cluster command of a script asks for. `folder`: where its file:// paths begin.

    Of several commands `cluster` names one, by its --name or number. Raises `SpecError`.
    """
    script = parse(source)
    calls = [call for words in script.commands if (call := _call(words, source, folder))]
    if not calls:
        refuse(source, "no `aws emr create-cluster` stands in it", "give the command, or the script it is in")
    names = [_name_of(call) for call in calls]
    call = calls[choose(source, names, cluster)]
    params = _request(call)
    steps = _added_steps(script, source, folder) if len(calls) == 1 else []
    if steps:
        params["Steps"] = [*params.get("Steps", []), *steps]
        call.notes.append("the steps that `aws emr add-steps` adds in the script are among the steps")
    region = call.text("region") or ""
    used = set(HOLE.findall(json.dumps([params, region], ensure_ascii=False)))
    variables = {name: one for name, one in script.variables.items() if name in used}
    return Wanted(params, variables, region, tuple(call.notes))


def _name_of(call: _Call) -> str:
    name = call.text("name")
    return "Development Cluster" if name is None else name


def _call(words: list[Word], source: Source, folder: Path, command: str = "create-cluster") -> _Call | None:
    """The command in a list of words, whatever stands before it (`time`, `sudo`, a prompt)."""
    texts = [word.text for word in words]
    start = next((index for index, text in enumerate(texts) if text == "aws" or text.endswith("/aws")), None)
    if start is None or command not in texts[start:] or "emr" not in texts[start : texts.index(command, start)]:
        return None
    at = texts.index(command, start)
    call = _Call(source, folder, words[at])
    rest = [word for index, word in enumerate(words[start + 1 :], start + 1) if index != at]
    rest.pop(next(index for index, word in enumerate(rest) if word.text == "emr"))
    _take_options(call, rest)
    return call


def _take_options(call: _Call, words: list[Word]) -> None:
    """Sorts the words of a command into its options, as argparse does."""
    while words:
        word, *words = words
        name, assigned, value = word.text.removeprefix("--").partition("=")
        if not word.text.startswith("--"):
            _stray(call, word)
            continue
        if name not in _KNOWN:
            call.refuse(f"--{name} is no option of create-cluster", did_you_mean(name, _KNOWN), word)
        values = [Word(value, word.at)] if assigned else []
        if name not in _FLAGS | _GLOBAL_FLAGS and not assigned:
            count = next((index for index, one in enumerate(words) if _is_option(one)), len(words))
            count = count if name in _LISTS | {"tags"} else min(count, 1)
            values, words = words[:count], words[count:]
            if not values:
                call.refuse(f"--{name} wants a value", "", word)
        call.options[name] = _Given(values, word)


def _is_option(word: Word) -> bool:
    return re.fullmatch(r"--?[a-z][\w-]*(=.*)?", word.text, re.DOTALL) is not None


def _stray(call: _Call, word: Word) -> None:
    if not HOLE.search(word.text):
        call.refuse(f"'{word.text[:60]}' belongs to no option", "a value with blanks in it wants quotes", word)
    name = hole_of(word.text) or "variable"
    call.notes.append(f"${name} stands among the options in line {word.at.line}: what it adds is not imported")


# --- the request ---


def _request(call: _Call) -> Json:
    _refuse_contradictions(call)
    instances = _instances(call)
    params: Json = {"Name": _name_of(call)}
    params |= _release(call)
    params |= {member: text for name, member in _TEXTS.items() if (text := call.text(name))}
    params["VisibleToAllUsers"] = call.choice("visible-to-all-users") or not call.has("no-visible-to-all-users")
    params["Tags"] = _tags(call)
    params["Instances"] = instances
    params |= _roles(call)
    params |= _software(call)
    params |= {
        member: fitted(text, input_shape().members[member])
        for name, member in _NUMBERS.items()
        if (text := call.text(name))
    }
    for name, member in _OBJECTS.items():
        if call.has(name):
            params |= _said(member, call.object(name, _shape(member)))
    if call.has("placement-group-configs"):
        params |= _said(
            "PlacementGroupConfigs",
            call.objects("placement-group-configs", input_shape().members["PlacementGroupConfigs"].member),
        )
    if call.has("step-concurrency-level"):
        params["StepConcurrencyLevel"] = fitted(
            call.text("step-concurrency-level"), input_shape().members["StepConcurrencyLevel"]
        )
    for name, member in _SWITCHES.items():
        if call.has(name) or call.has(f"no-{name}"):
            params[member] = call.choice(name)
    return params


def _shape(member: str) -> Any:
    return input_shape().members.get(member)


def _said(member: str, value: Any) -> Json:
    """The CLI sends nothing for what is empty."""
    return {member: value} if value else {}


def _refuse_contradictions(call: _Call) -> None:
    for one, other in (
        ("release-label", "ami-version"),
        ("use-default-roles", "service-role"),
        ("instance-groups", "instance-fleets"),
        ("instance-groups", "instance-type"),
        ("instance-groups", "instance-count"),
    ):
        if call.has(one) and call.has(other):
            call.refuse(f"--{one} and --{other} exclude each other", "keep one", call.options[other].at)
    if not call.has("release-label") and not call.has("ami-version"):
        call.refuse("neither --release-label nor --ami-version is given", "give one of them")
    if not any(map(call.has, ("instance-groups", "instance-fleets", "instance-type"))):
        call.refuse("no instances are named", "give --instance-groups, --instance-fleets or --instance-type")
    if call.choice("enable-debugging") and not call.has("log-uri"):
        call.refuse("--enable-debugging needs --log-uri", "", call.options["enable-debugging"].at)


def _release(call: _Call) -> Json:
    if not call.has("release-label"):
        return _said("AmiVersion", call.text("ami-version"))
    out: Json = {"ReleaseLabel": call.text("release-label")}
    if call.has("configurations"):
        out["Configurations"] = call.json("configurations")
    return out


def _tags(call: _Call) -> list[Json]:
    if not call.has("tags"):
        return []
    words = [call.content(word) for word in call.options["tags"].words]
    if len(words) == 1 and words[0].lstrip()[:1] == "[":
        words = call.json("tags")
    pairs = (word.partition("=") for word in words)
    return [{"Key": key, "Value": value} for key, _, value in pairs]


# --- instances ---


def _instances(call: _Call) -> Json:
    shapes = input_shape().members["Instances"].members
    out: Json = {}
    if call.has("instance-fleets"):
        fleets = call.objects("instance-fleets", shapes["InstanceFleets"].member)
        out["InstanceFleets"] = [_fleet(call, one, shapes["InstanceFleets"].member.members) for one in fleets]
    elif call.has("instance-groups"):
        groups = call.objects("instance-groups", shapes["InstanceGroups"].member)
        out["InstanceGroups"] = [_group(call, one) for one in groups]
    else:
        out["InstanceGroups"] = _uniform(call)
    out["KeepJobFlowAliveWhenNoSteps"] = not call.choice("auto-terminate")
    out["TerminationProtected"] = call.choice("termination-protected")
    if call.has("unhealthy-node-replacement") or call.has("no-unhealthy-node-replacement"):
        out["UnhealthyNodeReplacement"] = call.choice("unhealthy-node-replacement")
    if call.has("ec2-attributes"):
        out |= _ec2(_ec2_attributes(call))
    return out


def _uniform(call: _Call) -> list[Json]:
    """--instance-type and --instance-count: one master, and the others are core nodes."""
    count = call.text("instance-count") or "1"
    if HOLE.search(count):
        call.notes.append("--instance-count is a variable in the script; here it counts the core nodes, one fewer")
    elif not re.fullmatch(r"-?[0-9]+", count):
        call.refuse(f"--instance-count wants a number, this is '{count[:40]}'", "", call.options["instance-count"].at)
    groups: list[tuple[str, int | str]] = [("MASTER", 1)]
    if HOLE.search(count) or int(count) > 1:
        groups.append(("CORE", count if HOLE.search(count) else int(count) - 1))
    kind = call.text("instance-type")
    return [
        {"InstanceType": kind, "InstanceCount": number, "InstanceRole": role, "Name": role, "Market": "ON_DEMAND"}
        for role, number in groups
    ]


def _group(call: _Call, given: Json) -> Json:
    role = _required(call, given, "InstanceGroupType", "an instance group")
    out = {
        "Name": given.get("Name", role),
        "InstanceType": _required(call, given, "InstanceType", "an instance group"),
        "InstanceCount": _required(call, given, "InstanceCount", "an instance group"),
        "InstanceRole": _upper(role),
        "Market": "SPOT" if "BidPrice" in given else "ON_DEMAND",
    }
    if given.get("BidPrice", "OnDemandPrice") != "OnDemandPrice":
        out["BidPrice"] = given["BidPrice"]
    more = ("EbsConfiguration", "AutoScalingPolicy", "Configurations", "CustomAmiId")
    out |= {key: given[key] for key in more if key in given}
    _note_unread(call, given, {*out, "InstanceGroupType", "BidPrice"} - {"Market"}, "--instance-groups")
    return out


def _upper(text: str) -> str:
    return text if HOLE.search(text) else text.upper()


def _fleet(call: _Call, given: Json, members: Mapping[str, Any]) -> Json:
    role = _required(call, given, "InstanceFleetType", "an instance fleet")
    out = {"Name": role, **{key: value for key, value in given.items() if key in members}}
    _note_unread(call, given, set(out), "--instance-fleets")
    return out


def _required(call: _Call, given: Json, key: str, what: str) -> Any:
    if not given.get(key):
        call.refuse(f"{what} lacks {key}", did_you_mean(key, given))
    return given[key]


def _note_unread(call: _Call, given: Json, known: set[str], option: str) -> None:
    for key in given:
        if key not in known:
            call.notes.append(f"{key} in {option} is left out, as the AWS CLI leaves it out: it knows no such member")


def _ec2_attributes(call: _Call) -> Json:
    texts = _ec2_shape()
    return call.object("ec2-attributes", texts)


class _Members(NamedTuple):
    """Stands in for a structure of botocore."""

    members: Mapping[str, Any]
    type_name: str = "structure"


def _ec2_shape() -> Any:
    """What --ec2-attributes takes: members of Instances under names of their own."""
    instances = input_shape().members["Instances"].members
    zones = instances["Placement"].members
    own = {key: instances[_EC2.get(key, f"Ec2{key}" if key.startswith("Subnet") else key)] for key in _EC2_MEMBERS}
    return _Members({**own, **zones})


def _ec2(given: Json) -> Json:
    out: Json = {}
    for key in _EC2_MEMBERS:
        member = _EC2.get(key, f"Ec2{key}" if key.startswith("Subnet") else key)
        out |= _said(member, given.get(key))
    for key in ("AvailabilityZone", "AvailabilityZones"):
        if key in given:
            out["Placement"] = _said(key, given[key])
    return out


def _roles(call: _Call) -> Json:
    given = _ec2_attributes(call) if call.has("ec2-attributes") else {}
    known = {*_EC2_MEMBERS, "AvailabilityZone", "AvailabilityZones", "InstanceProfile"}
    _note_unread(call, given, known, "--ec2-attributes")
    for one, other in (("SubnetId", "SubnetIds"), ("AvailabilityZone", "AvailabilityZones")):
        if one in given and other in given:
            call.refuse(f"{one} and {other} exclude each other", "keep one", call.options["ec2-attributes"].at)
    if not call.has("use-default-roles"):
        return _said("JobFlowRole", given.get("InstanceProfile"))
    if "InstanceProfile" in given:
        message = "--use-default-roles and InstanceProfile exclude each other"
        call.refuse(message, "keep one", call.options["ec2-attributes"].at)
    return {"ServiceRole": "EMR_DefaultRole", "JobFlowRole": "EMR_EC2_DefaultRole"}


# --- applications, bootstrap actions, steps ---


@dataclass
class _Software:
    """What the applications and the like become, in the CLI's order."""

    world: World
    steps: list[Json] = field(default_factory=list)
    actions: list[Json] = field(default_factory=list)
    products: list[Json] = field(default_factory=list)
    more: Json = field(default_factory=dict)

    def install(self, name: str, on_failure: str, *words: str) -> None:
        """A step in which an AMI installs an application."""
        self.steps.append(_step(name, on_failure, self.world.script_runner, list(words)))


def _software(call: _Call) -> Json:
    made = _Software(World(not call.has("release-label"), _region(call), False))
    if call.choice("enable-debugging"):
        made.steps.append(debugging_step(made.world))
    if call.has("applications"):
        _applications(call, made)
    if call.has("restore-from-hbase-backup"):
        made.steps.append(_hbase_restore(call))
    if call.has("bootstrap-actions"):
        made.actions += _bootstrap_actions(call)
    if call.has("emrfs"):
        _emrfs(call, made)
    if call.has("steps"):
        made.steps += _steps(call, made.world)
    out = {**made.more, **_said("NewSupportedProducts", made.products)}
    return out | _said("BootstrapActions", made.actions) | _said("Steps", made.steps)


def _region(call: _Call) -> str:
    """The region, which the jars of AMIs name; the CLI takes it from the configuration when it isn't said."""
    region = call.text("region")
    if not region and not call.has("release-label"):
        call.notes.append("no --region is said: the jars named are those of us-east-1")
    return region or "us-east-1"


def _with_args() -> Any:
    """The shape of what has Args among texts."""
    jar = input_shape().members["Steps"].member.members["HadoopJarStep"].members
    return _Members({"Args": jar["Args"]})


def _applications(call: _Call, made: _Software) -> None:
    applications = call.objects("applications", _with_args())
    for one in applications:
        _required(call, one, "Name", "an application")
    if not made.world.old:
        made.more["Applications"] = applications
        return
    for one in applications:
        _installed(one, made, call.text("ami-version") or "")


def _installed(application: Json, made: _Software, ami_version: str) -> None:
    """An application of an AMI: steps, bootstrap actions or a product."""
    name, args = application["Name"].lower(), application.get("Args")
    library = made.world.library
    if name in ("hive", "pig"):
        script, base = library(f"{name}/{name}-script"), library(name)
        made.install(
            f"Install {name.title()}", "TERMINATE_CLUSTER",
            script, f"--install-{name}", "--base-path", base, f"--{name}-versions", "latest",
        )  # fmt: skip
        site = next((arg for arg in args or () if "--hive-site" in arg), None)
        if site and name == "hive":
            # The CLI forgets the region here.
            base = "s3://us-east-1.elasticmapreduce/libs/hive"
            made.install(
                "Install Hive Site Configuration", "CANCEL_AND_WAIT",
                script, "--base-path", base, "--install-hive-site", site, "--hive-versions", "latest",
            )  # fmt: skip
    elif name == "ganglia":
        made.actions.append(_action("Install Ganglia", _actions_of(made, "install-ganglia")))
    elif name == "hbase":
        made.actions.append(_action("Install HBase", _actions_of(made, "setup-hbase")))
        jar = "hbase.jar" if ami_version >= "3.0" else "hbase-0.92.0.jar"
        words = ["emr.hbase.backup.Main", "--start-master"]
        made.steps.append(_step("Start HBase", "TERMINATE_CLUSTER", f"/home/hadoop/lib/{jar}", words))
    elif name == "impala":
        words = ["--base-path", f"s3://{made.world.region}.elasticmapreduce", "--impala-version", "latest"]
        words += [] if args is None else ["--impala-conf", ",".join(args)]
        made.actions.append(_action("Install Impala", library("impala/setup-impala"), words))
    else:
        made.products.append({"Name": name, "Args": args or []})


def _actions_of(made: _Software, name: str) -> str:
    return f"s3://{made.world.region}.elasticmapreduce/bootstrap-actions/{name}"


def _action(name: str, path: str, args: list[str] | None = None) -> Json:
    return {"Name": name, "ScriptBootstrapAction": {"Path": path, **_said("Args", args)}}


def _bootstrap_actions(call: _Call) -> list[Json]:
    out = []
    for one in call.objects("bootstrap-actions", _with_args()):
        path = _required(call, one, "Path", "a bootstrap action")
        name = one.get("Name")
        out.append(_action("Bootstrap action" if name is None else name, path, one.get("Args")))
        _note_unread(call, one, {"Name", "Path", "Args"}, "--bootstrap-actions")
    return out


def _hbase_restore(call: _Call) -> Json:
    given = call.object("restore-from-hbase-backup", None)
    words = ["emr.hbase.backup.Main", "--restore", "--backup-dir", _required(call, given, "Dir", "the backup")]
    if given.get("BackupVersion") is not None:
        words += ["--backup-version", given["BackupVersion"]]
    return _step("Restore HBase", "CANCEL_AND_WAIT", "/home/hadoop/lib/hbase.jar", words)


def _step(name: str, on_failure: str, jar: str, args: list[str] | None) -> Json:
    return {"Name": name, "ActionOnFailure": on_failure, "HadoopJarStep": {"Jar": jar, **_said("Args", args)}}


def _steps(call: _Call, world: World) -> list[Json]:
    applications = call.objects("applications", _with_args()) if call.has("applications") else []
    present = {str(one.get("Name")).lower() for one in applications}
    steps = call.objects("steps", _with_args())
    for one in steps:
        kind = str(one.get("Type", "")).lower()
        if kind in ("hive", "pig", "impala") and kind not in present:
            at = call.options["steps"].at
            call.refuse(f"a {kind} step needs its application", f"add Name={kind.title()} to --applications", at)
    return [_built_step(call, one, world) for one in steps]


def _built_step(call: _Call, given: Json, world: World) -> Json:
    kind = str(given.get("Type") or "custom_jar").lower()
    if kind not in _STEP_NAMES or (kind == "impala" and not world.old):
        call.refuse(f"there is no step of type {given['Type']}", f"there are {', '.join(map(str.upper, _STEP_NAMES))}")
    name, action = given.get("Name"), given.get("ActionOnFailure")
    jar, args = _jar_and_args(call, given, kind, world)
    step = _step(_STEP_NAMES[kind] if name is None else name, "CONTINUE" if action is None else action, jar, args)
    if kind == "custom_jar":
        step["HadoopJarStep"] |= _said("MainClass", given.get("MainClass"))
        step["HadoopJarStep"] |= _said("Properties", _properties(given.get("Properties")))
    monitoring = _said("LogUri", given.get("LogUri")) | _said("EncryptionKeyArn", given.get("EncryptionKeyArn"))
    if monitoring:
        step["StepMonitoringConfiguration"] = {"S3MonitoringConfiguration": monitoring}
    known = {"Type", "Name", "ActionOnFailure", "Args", "LogUri", "EncryptionKeyArn"}
    own = {"Jar", "MainClass", "Properties"} if kind == "custom_jar" else set()
    _note_unread(call, given, known | own, "--steps")
    return step


def _jar_and_args(call: _Call, given: Json, kind: str, world: World) -> tuple[str, list[str] | None]:
    if kind == "custom_jar":
        return _required(call, given, "Jar", "a step"), given.get("Args")
    args: list[str] = _required(call, given, "Args", f"a {kind} step")
    if not world.old:
        words = {
            "streaming": ["hadoop-streaming"],
            "spark": ["spark-submit"],
            "hive": ["hive-script", "--run-hive-script", "--args"],
            "pig": ["pig-script", "--run-pig-script", "--args"],
        }
        return COMMAND_RUNNER, [*words[kind], *args]
    if kind == "streaming":
        return OLD_STREAMING, args
    return world.script_runner, [*_old_words(kind, world), *args]


def _old_words(kind: str, world: World) -> list[str]:
    """What an AMI's script-runner runs for a kind of step."""
    if kind == "spark":
        return ["/home/hadoop/spark/bin/spark-submit"]
    if kind == "impala":
        return [world.library("impala/setup-impala"), "--run-impala-script"]
    return [world.library(f"{kind}/{kind}-script"), f"--run-{kind}-script", f"--{kind}-versions", "latest", "--args"]


def _properties(text: str | None) -> list[Json]:
    if text is None:
        return []
    pairs = (one.partition("=") for one in text.split(","))
    return [{"Key": key, "Value": value} for key, _, value in pairs]


def _added_steps(script: Script, source: Source, folder: Path) -> list[Json]:
    """The steps of the `aws emr add-steps` commands of the script."""
    world = World(False, "us-east-1", False)
    added = [call for words in script.commands if (call := _call(words, source, folder, "add-steps"))]
    return [_built_step(call, one, world) for call in added for one in call.objects("steps", _with_args())]


# --- EMRFS ---


def _emrfs(call: _Call, made: _Software) -> None:
    given = call.object("emrfs", _with_args())
    properties = dict(_emrfs_properties(call, given))
    custom = _is(given, "Encryption", "CLIENTSIDE") and _is(given, "ProviderType", "CUSTOM")
    if not made.world.old:
        if custom:
            properties["fs.s3.cse.encryptionMaterialsProvider.uri"] = given["CustomProviderLocation"]
        configurations = call.json("configurations") if call.has("configurations") else []
        if any(one.get("Classification") == "emrfs-site" for one in configurations):
            call.refuse("--emrfs and emrfs-site in --configurations exclude each other", "keep one")
        emrfs = {"Classification": "emrfs-site", "Properties": properties}
        made.more["Configurations"] = [*configurations, emrfs]
        return
    if custom:
        words = ["-s", given["CustomProviderLocation"], "-d", "/usr/share/aws/emr/auxlib", "-f"]
        made.actions.append(_action("S3 get", "file:/usr/share/aws/emr/scripts/s3get", words))
    pairs = (f"{key}={value}" if value else key for key, value in properties.items())
    words = [word for pair in pairs for word in ("-e", pair)]
    made.actions.append(_action("Setup EMRFS", _actions_of(made, "configure-hadoop"), words))


def _emrfs_properties(call: _Call, given: Json) -> Iterator[tuple[str, str]]:
    if "Consistent" in given:
        yield "fs.s3.consistent", _lower(given["Consistent"])
        for key, name in (("RetryCount", "retryCount"), ("RetryPeriod", "retryPeriodSeconds")):
            if key in given:
                yield f"fs.s3.consistent.{name}", str(given[key])
    if "SSE" in given or _is(given, "Encryption", "SERVERSIDE"):
        yield "fs.s3.enableServerSideEncryption", _lower(given.get("SSE", True))
    if _is(given, "Encryption", "CLIENTSIDE"):
        yield from _client_side(call, given)
    for word in given.get("Args", []):
        key, _, value = word.partition("=")
        yield key, value


def _client_side(call: _Call, given: Json) -> Iterator[tuple[str, str]]:
    yield "fs.s3.cse.enabled", "true"
    provider = "fs.s3.cse.encryptionMaterialsProvider"
    if _is(given, "ProviderType", "KMS"):
        yield provider, _EMRFS_KMS
        yield "fs.s3.cse.kms.keyId", _required(call, given, "KMSKeyId", "--emrfs with KMS")
    elif _is(given, "ProviderType", "CUSTOM"):
        _required(call, given, "CustomProviderLocation", "--emrfs with a provider of your own")
        yield provider, _required(call, given, "CustomProviderClass", "--emrfs with a provider of your own")
    else:
        call.refuse("client-side encryption wants ProviderType", "KMS or Custom", call.options["emrfs"].at)


def _is(given: Json, key: str, value: str) -> bool:
    return str(given.get(key, "")).upper() == value


def _lower(value: Any) -> str:
    return str(value).lower()
