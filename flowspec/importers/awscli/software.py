"""The software options of create-cluster: applications, bootstrap actions, steps and EMRFS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from flowspec.facts.api_model import Json, input_shape
from flowspec.importers.awscli.command import Call, Members, key_and_value
from flowspec.importers.placeholders import PLACEHOLDER
from flowspec.importers.shapes import members_that_are_set
from flowspec.request.steps import hive, pig, spark, streaming
from flowspec.request.steps.target import StepTarget, debugging_step

_STEP_NAMES = {
    "custom_jar": "Custom JAR",
    "streaming": "Streaming program",
    "hive": "Hive program",
    "pig": "Pig program",
    "impala": "Impala program",
    "spark": "Spark application",
}
# The AWS CLI's types of steps that run the same program as a kind of step of a spec.
_INVOCATIONS = {
    "streaming": streaming.invocation,
    "hive": hive.invocation,
    "pig": pig.invocation,
    "spark": spark.invocation,
}
_EMRFS_MEMBERS = {
    *("Consistent", "RetryCount", "RetryPeriod", "SSE", "Encryption", "ProviderType", "KMSKeyId", "Args"),
    *("CustomProviderLocation", "CustomProviderClass"),
}
_EMRFS_KMS = "com.amazon.ws.emr.hadoop.fs.cse.KMSEncryptionMaterialsProvider"


@dataclass
class _Software:
    """Converts the applications and the like, in the CLI's order."""

    target: StepTarget
    steps: list[Json] = field(default_factory=list)
    actions: list[Json] = field(default_factory=list)
    products: list[Json] = field(default_factory=list)
    more: Json = field(default_factory=dict)

    def install(self, name: str, on_failure: str, *words: str) -> None:
        """Adds a step in which an AMI installs an application."""
        self.steps.append(_step(name, on_failure, self.target.script_runner, list(words)))


def read_software(call: Call) -> Json:
    """Returns the members of the request for what runs on the cluster."""
    made = _Software(call.target)
    if made.target.pre_emr4 and not call.region:
        call.notes.append(f"no --region is given: the jars are those of region {made.target.region}")
    if call.choice("enable-debugging"):
        made.steps.append(debugging_step(made.target))
    if call.has("applications"):
        _applications(call, made)
    if call.has("restore-from-hbase-backup"):
        made.steps.append(_hbase_restore(call))
    if call.has("bootstrap-actions"):
        made.actions += _bootstrap_actions(call)
    if call.has("emrfs"):
        _emrfs(call, made)
    if call.has("steps"):
        _refuse_steps_without_application(call)
        made.steps += read_steps(call)
    return made.more | members_that_are_set(
        NewSupportedProducts=made.products, BootstrapActions=made.actions, Steps=made.steps
    )


def _shape_with_args() -> Any:
    """Returns the shape of what has Args among texts."""
    jar = input_shape().members["Steps"].member.members["HadoopJarStep"].members
    return Members({"Args": jar["Args"]})


def _applications(call: Call, made: _Software) -> None:
    applications = call.objects("applications", _shape_with_args())
    for one in applications:
        call.required(one, "Name", "an application")
    if not made.target.pre_emr4:
        made.more["Applications"] = applications
        return
    for one in applications:
        if PLACEHOLDER.search(one["Name"]):
            call.refuse(
                "what an AMI's application becomes depends on its name", "write it", call.options["applications"].at
            )
        _install_application(one, made, call.text("ami-version") or "")


def _install_application(application: Json, made: _Software, ami_version: str) -> None:
    """Adds an application of an AMI: steps, bootstrap actions or a product."""
    name, args = application["Name"].lower(), application.get("Args")
    library = made.target.library
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
        made.actions.append(_action("Install Ganglia", _bootstrap_action_uri(made, "install-ganglia")))
    elif name == "hbase":
        made.actions.append(_action("Install HBase", _bootstrap_action_uri(made, "setup-hbase")))
        jar = "hbase.jar" if ami_version >= "3.0" else "hbase-0.92.0.jar"
        words = ["emr.hbase.backup.Main", "--start-master"]
        made.steps.append(_step("Start HBase", "TERMINATE_CLUSTER", f"/home/hadoop/lib/{jar}", words))
    elif name == "impala":
        words = ["--base-path", f"s3://{made.target.region}.elasticmapreduce", "--impala-version", "latest"]
        words += [] if args is None else ["--impala-conf", ",".join(args)]
        made.actions.append(_action("Install Impala", library("impala/setup-impala"), words))
    else:
        made.products.append({"Name": name, "Args": args or []})


def _bootstrap_action_uri(made: _Software, name: str) -> str:
    return f"s3://{made.target.region}.elasticmapreduce/bootstrap-actions/{name}"


def _action(name: str, path: str, args: list[str] | None = None) -> Json:
    return {"Name": name, "ScriptBootstrapAction": {"Path": path, **members_that_are_set(Args=args)}}


def _bootstrap_actions(call: Call) -> list[Json]:
    out = []
    for one in call.objects("bootstrap-actions", _shape_with_args()):
        path = call.required(one, "Path", "a bootstrap action")
        name = one.get("Name")
        out.append(_action("Bootstrap action" if name is None else name, path, one.get("Args")))
        call.note_unread(one, {"Name", "Path", "Args"}, "--bootstrap-actions")
    return out


def _hbase_restore(call: Call) -> Json:
    given = call.object("restore-from-hbase-backup", None)
    call.note_unread(given, {"Dir", "BackupVersion"}, "--restore-from-hbase-backup")
    words = ["emr.hbase.backup.Main", "--restore", "--backup-dir", call.required(given, "Dir", "the backup")]
    if given.get("BackupVersion") is not None:
        words += ["--backup-version", given["BackupVersion"]]
    return _step("Restore HBase", "CANCEL_AND_WAIT", "/home/hadoop/lib/hbase.jar", words)


def _step(name: str, on_failure: str, jar: str, args: list[str] | None) -> Json:
    return {
        "Name": name,
        "ActionOnFailure": on_failure,
        "HadoopJarStep": {"Jar": jar, **members_that_are_set(Args=args)},
    }


def _refuse_steps_without_application(call: Call) -> None:
    applications = call.objects("applications", _shape_with_args()) if call.has("applications") else []
    present = {str(one.get("Name")).lower() for one in applications}
    for one in call.objects("steps", _shape_with_args()):
        kind = str(one.get("Type", "")).lower()
        if kind in ("hive", "pig", "impala") and kind not in present:
            at = call.options["steps"].at
            call.refuse(f"a {kind} step needs its application", f"add Name={kind.title()} to --applications", at)


def read_steps(call: Call) -> list[Json]:
    """Returns the steps of --steps, which `aws emr add-steps` has too."""
    return [_build_step(call, one) for one in call.objects("steps", _shape_with_args())]


def _build_step(call: Call, given: Json) -> Json:
    kind, target = str(given.get("Type") or "custom_jar").lower(), call.target
    if kind not in _STEP_NAMES or (kind == "impala" and not target.pre_emr4):
        call.refuse(f"there is no step of type {given['Type']}", f"there are {', '.join(map(str.upper, _STEP_NAMES))}")
    name, action = given.get("Name"), given.get("ActionOnFailure")
    jar, args = _jar_and_args(call, given, kind, target)
    step = _step(_STEP_NAMES[kind] if name is None else name, "CONTINUE" if action is None else action, jar, args)
    if kind == "custom_jar":
        properties = given["Properties"].split(",") if given.get("Properties") is not None else []
        step["HadoopJarStep"] |= members_that_are_set(
            MainClass=given.get("MainClass"), Properties=[key_and_value(one) for one in properties]
        )
    logs = members_that_are_set(LogUri=given.get("LogUri"), EncryptionKeyArn=given.get("EncryptionKeyArn"))
    if logs:
        step["StepMonitoringConfiguration"] = {"S3MonitoringConfiguration": logs}
    known = {"Type", "Name", "ActionOnFailure", "Args", "LogUri", "EncryptionKeyArn"}
    own = {"Jar", "MainClass", "Properties"} if kind == "custom_jar" else set()
    call.note_unread(given, known | own, "--steps")
    return step


def _jar_and_args(call: Call, given: Json, kind: str, target: StepTarget) -> tuple[str, list[str] | None]:
    if kind == "custom_jar":
        return call.required(given, "Jar", "a step"), given.get("Args")
    args: list[str] = call.required(given, "Args", f"a {kind} step")
    if kind == "impala":  # on AMIs only, and no kind of step of a spec
        invocation = target.program(target.library("impala/setup-impala"), "--run-impala-script")
    else:
        invocation = _INVOCATIONS[kind](target)
    return invocation.jar, [*invocation.head, *args]


# --- EMRFS ---


def _emrfs(call: Call, made: _Software) -> None:
    given = call.object("emrfs", _shape_with_args())
    call.note_unread(given, _EMRFS_MEMBERS, "--emrfs")
    properties = dict(_emrfs_properties(call, given))
    custom = _member_is(given, "Encryption", "CLIENTSIDE") and _member_is(given, "ProviderType", "CUSTOM")
    if not made.target.pre_emr4:
        if custom:
            properties["fs.s3.cse.encryptionMaterialsProvider.uri"] = given["CustomProviderLocation"]
        configurations = call.json("configurations") if call.has("configurations") else []
        if not isinstance(configurations, list) or not all(isinstance(one, dict) for one in configurations):
            call.refuse("--configurations is a list of objects", "", call.options["configurations"].at)
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
    made.actions.append(_action("Setup EMRFS", _bootstrap_action_uri(made, "configure-hadoop"), words))


def _emrfs_properties(call: Call, given: Json) -> Iterator[tuple[str, str]]:
    if "Consistent" in given:
        yield "fs.s3.consistent", _lower(given["Consistent"])
        for key, name in (("RetryCount", "retryCount"), ("RetryPeriod", "retryPeriodSeconds")):
            if key in given:
                yield f"fs.s3.consistent.{name}", str(given[key])
    if "SSE" in given or _member_is(given, "Encryption", "SERVERSIDE"):
        yield "fs.s3.enableServerSideEncryption", _lower(given.get("SSE", True))
    if _member_is(given, "Encryption", "CLIENTSIDE"):
        yield from _client_side_properties(call, given)
    for word in given.get("Args", []):
        key, _, value = word.partition("=")
        yield key, value


def _client_side_properties(call: Call, given: Json) -> Iterator[tuple[str, str]]:
    yield "fs.s3.cse.enabled", "true"
    provider = "fs.s3.cse.encryptionMaterialsProvider"
    if _member_is(given, "ProviderType", "KMS"):
        yield provider, _EMRFS_KMS
        yield "fs.s3.cse.kms.keyId", call.required(given, "KMSKeyId", "--emrfs with KMS")
    elif _member_is(given, "ProviderType", "CUSTOM"):
        call.required(given, "CustomProviderLocation", "--emrfs with a provider of your own")
        yield provider, call.required(given, "CustomProviderClass", "--emrfs with a provider of your own")
    else:
        call.refuse("client-side encryption needs ProviderType", "KMS or Custom", call.options["emrfs"].at)


def _member_is(given: Json, key: str, value: str) -> bool:
    return str(given.get(key, "")).upper() == value


def _lower(value: Any) -> str:
    return str(value).lower()
