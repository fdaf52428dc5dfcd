"""boto 2's classes for steps, and their conversion into steps of a request.

`jar`, `args` and `main_class` return what boto 2 sent for the AMIs that EMR had before release 4.0.0.
A request for a release gets the form that a spec's step has there (`flowspec.request.steps`).

Fixed, compared with boto 2: Hive and Pig steps take `action_on_failure`; Hadoop's generic options among the
`step_args` of a streaming step are put first, since Hadoop accepts them only there; on a release a command in S3
is shipped with `-files`; script-runner and its scripts come from the bucket of the connection's region.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from flowspec.request.assets import Files
from flowspec.request.steps.registry import compile_step
from flowspec.request.steps.streaming import AMI_JAR, GENERIC, generic_length
from flowspec.request.steps.target import DEFAULT_REGION, StepTarget

_AMI = StepTarget(pre_emr4=True)
_LIBRARY = f"s3n://{DEFAULT_REGION}.elasticmapreduce/libs/"


class Step:
    """The interface of a step: a `name`, an `action_on_failure`, and these three."""

    name: str
    action_on_failure: str

    def jar(self) -> str:
        """Returns the URI of the jar."""
        raise NotImplementedError

    def args(self) -> list[str]:
        """Returns the arguments."""
        raise NotImplementedError

    def main_class(self) -> str | None:
        """Returns the class to run, if the jar does not name it."""
        raise NotImplementedError


class JarStep(Step):
    """A step that runs a jar; `step_args` is a list, or one string that is the only argument."""

    def __init__(
        self,
        name: str,
        jar: str,
        main_class: str | None = None,
        action_on_failure: str = "TERMINATE_JOB_FLOW",
        step_args: str | Iterable[str] | None = None,
    ) -> None:
        self.name = name
        self._jar = jar
        self._main_class = main_class
        self.action_on_failure = action_on_failure
        self.step_args = [step_args] if isinstance(step_args, str) else step_args

    def jar(self) -> str:
        """Returns the URI of the jar."""
        return self._jar

    def args(self) -> list[str]:
        """Returns the arguments."""
        return list(self.step_args or ())

    def main_class(self) -> str | None:
        """Returns the class to run, if the jar does not name it."""
        return self._main_class


class StreamingStep(Step):
    """A step of Hadoop Streaming. Commands are shell commands, or URIs of programs in S3."""

    def __init__(
        self,
        name: str,
        mapper: str,
        reducer: str | None = None,
        combiner: str | None = None,
        action_on_failure: str = "TERMINATE_JOB_FLOW",
        cache_files: Iterable[str] | None = None,
        cache_archives: Iterable[str] | None = None,
        step_args: str | Iterable[str] | None = None,
        input: str | Iterable[str] | None = None,
        output: str | None = None,
        jar: str = AMI_JAR,
    ) -> None:
        self.name = name
        self.mapper = mapper
        self.reducer = reducer
        self.combiner = combiner
        self.action_on_failure = action_on_failure
        self.cache_files = cache_files
        self.cache_archives = cache_archives
        self.step_args = [step_args] if isinstance(step_args, str) else step_args
        self.input = input
        self.output = output
        self._jar = jar

    def jar(self) -> str:
        """Returns the jar of Hadoop Streaming."""
        return self._jar

    def main_class(self) -> None:
        """Returns None: the jar names its class."""

    def args(self) -> list[str]:
        """Returns the arguments, for the AMIs."""
        args: list[str] = compile_step(self.said({}, _as_list(self.step_args)), (), _AMI, _UnstagedFiles())["Args"]
        return args

    def on_release(self, target: StepTarget) -> dict[str, Any]:
        """Returns the HadoopJarStep for a release."""
        shipped, rest = _without_files(_as_list(self.step_args))
        own = {} if self._jar == AMI_JAR else {"jar": self._jar}
        return compile_step(self.said({**own, "files": shipped}, rest), (), target, _UnstagedFiles())

    def said(self, more: dict[str, Any], step_args: list[str]) -> dict[str, Any]:
        """Returns the step as a spec says it, with `more` in front; `step_args` stand before its commands."""
        given = {
            "mapper": self.mapper,
            "combiner": self.combiner,
            "reducer": self.reducer,
            "args": None if self.reducer else ["-jobconf", "mapred.reduce.tasks=0"],
            "input": _as_list(self.input),
            "output": self.output,
            "cache_files": _as_list(self.cache_files),
            "cache_archives": _as_list(self.cache_archives),
        }
        fields = {key: value for key, value in given.items() if value}
        return {"type": "streaming", **more, "generic_args": _generic_first(step_args), **fields}

    def __repr__(self) -> str:
        names = ("name", "mapper", "reducer", "action_on_failure", "cache_files", "cache_archives", "step_args")
        values = [f"{name}={getattr(self, name)!r}" for name in (*names, "input", "output")]
        return f"{type(self).__module__}.{type(self).__name__}({', '.join(values)}, jar={self._jar!r})"


class ScriptRunnerStep(JarStep):
    """A step that runs a script: the first of its `step_args`."""

    ScriptRunnerJar = f"{_LIBRARY}script-runner/script-runner.jar"

    def __init__(self, name: str, **kw: Any) -> None:
        super().__init__(name, self.ScriptRunnerJar, **kw)


class _InterpretedStep(ScriptRunnerStep):
    """A step of a script in Hive's or Pig's language, or one that installs the interpreter."""

    program: ClassVar[str]
    BaseArgs: ClassVar[list[str]]

    def _run(self, script: str, versions: str, args: str | Iterable[str] | None) -> list[str]:
        head = [*self.BaseArgs, f"--{self.program}-versions", versions, f"--run-{self.program}-script"]
        return [*head, "--args", "-f", script, *_as_list(args)]

    def _install(self, versions: str) -> list[str]:
        return [*self.BaseArgs, f"--install-{self.program}", f"--{self.program}-versions", versions]

    def on_release(self, target: StepTarget) -> dict[str, Any]:
        """Returns the HadoopJarStep for a release.

        Raises ValueError for an installation, of which there is none there.
        """
        words = self.args()
        if "--args" in words:
            _, script, *args = words[words.index("--args") + 1 :]
            return compile_step({"type": self.program, "script": script, "args": args}, (), target, _UnstagedFiles())
        name = self.program.title()
        raise ValueError(
            f"{self.name}: a release has {name} when it is among its applications; leave this step out and "
            f"give run_jobflow api_params={{'Applications.member.1.Name': {name!r}}}"
        )


class PigBase(_InterpretedStep):
    """The common part of Pig steps."""

    program = "pig"
    BaseArgs: ClassVar = [f"{_LIBRARY}pig/pig-script", "--base-path", f"{_LIBRARY}pig/"]


class InstallPigStep(PigBase):
    """A step that installs Pig, on the AMIs."""

    InstallPigName = "Install Pig"

    def __init__(self, pig_versions: str = "latest", *, action_on_failure: str = "TERMINATE_JOB_FLOW") -> None:
        step_args = self._install(pig_versions)
        super().__init__(self.InstallPigName, step_args=step_args, action_on_failure=action_on_failure)


class PigStep(PigBase):
    """A step that runs a Pig script."""

    def __init__(
        self,
        name: str,
        pig_file: str,
        pig_versions: str = "latest",
        pig_args: Iterable[str] = (),
        *,
        action_on_failure: str = "TERMINATE_JOB_FLOW",
    ) -> None:
        step_args = self._run(pig_file, pig_versions, pig_args)
        super().__init__(name, step_args=step_args, action_on_failure=action_on_failure)


class HiveBase(_InterpretedStep):
    """The common part of Hive steps."""

    program = "hive"
    BaseArgs: ClassVar = [f"{_LIBRARY}hive/hive-script", "--base-path", f"{_LIBRARY}hive/"]


class InstallHiveStep(HiveBase):
    """A step that installs Hive, on the AMIs."""

    InstallHiveName = "Install Hive"

    def __init__(
        self,
        hive_versions: str = "latest",
        hive_site: str | None = None,
        *,
        action_on_failure: str = "TERMINATE_JOB_FLOW",
    ) -> None:
        site = [] if hive_site is None else [f"--hive-site={hive_site}"]
        step_args = [*self._install(hive_versions), *site]
        super().__init__(self.InstallHiveName, step_args=step_args, action_on_failure=action_on_failure)


class HiveStep(HiveBase):
    """A step that runs a Hive script."""

    def __init__(
        self,
        name: str,
        hive_file: str,
        hive_versions: str = "latest",
        hive_args: Iterable[str] | None = None,
        *,
        action_on_failure: str = "TERMINATE_JOB_FLOW",
    ) -> None:
        step_args = self._run(hive_file, hive_versions, hive_args)
        super().__init__(name, step_args=step_args, action_on_failure=action_on_failure)


# --- a step -> what the API wants ---


def depends_on_release(step: Any) -> bool:
    """Returns True if a step has another form on releases than on AMIs."""
    return hasattr(step, "on_release")


def step_config(step: Any, target: StepTarget) -> dict[str, Any]:
    """Returns the StepConfig of a step: ours, or any object that has what `Step` has."""
    return {
        "Name": step.name,
        "ActionOnFailure": step.action_on_failure,
        "HadoopJarStep": step.on_release(target)
        if depends_on_release(step) and not target.pre_emr4
        else _jar_and_args(step, target),
    }


def _jar_and_args(step: Any, target: StepTarget) -> dict[str, Any]:
    main_class = step.main_class()
    jar, *args = _use_regional_library(step, target, [step.jar(), *step.args()])
    return {"Jar": jar, **({"MainClass": main_class} if main_class else {}), "Args": args}


def _use_regional_library(step: Any, target: StepTarget, words: list[str]) -> list[str]:
    """Returns the words of a step, with libraries from the region's bucket in place of that in boto 2's constants."""
    if not isinstance(step, ScriptRunnerStep):
        return words
    return [target.library(word.removeprefix(_LIBRARY)) if word.startswith(_LIBRARY) else word for word in words]


class _UnstagedFiles(Files):
    """The files of a step, none of which is staged: boto 2 staged nothing, and its paths are those of the cluster."""

    def __init__(self) -> None:
        self.found = []

    @property
    def default_packages(self) -> None:
        """None: boto 2 packed nothing."""

    def absolute(self, text: str, at: Any = ()) -> Path:  # noqa: ARG002 - as Files has it
        """Returns the path itself."""
        return Path(text)

    def data_path(self, text: str, at: Any) -> str:  # noqa: ARG002
        """Returns the path itself."""
        return text

    def asset(self, text: str, at: Any) -> None:
        """Returns None: the file is left as it is."""

    def report(self, *finding: Any, **more: Any) -> None:
        """Reports nothing: two files of one name are refused by Hadoop, as before."""


def _as_list(value: str | Iterable[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _generic_first(words: list[str]) -> list[str]:
    """Returns the arguments with Hadoop's generic options before all others, each kind in its own order."""
    generic: list[str] = []
    others: list[str] = []
    at = 0
    while at < len(words):
        length = generic_length(words[at])
        end = at + (length or 1)
        (generic if length else others).extend(words[at:end])
        at = end
    return generic + others


def _without_files(words: list[str]) -> tuple[list[str], list[str]]:
    """Returns the files of -files, and the other arguments: Hadoop takes one -files only, which also ships commands."""
    if GENERIC["files"].flag not in words[:-1]:
        return [], words
    at = words.index(GENERIC["files"].flag)
    more, rest = _without_files(words[at + 2 :])
    return [*words[at + 1].split(","), *more], [*words[:at], *rest]
