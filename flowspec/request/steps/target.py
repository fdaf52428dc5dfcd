"""The form of a step: the jar that runs programs on the master node, by release and region."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

HadoopJarStep: TypeAlias = "Mapping[str, Any]"
"""RunJobFlow's HadoopJarStepConfig: Jar, and perhaps MainClass, Args, Properties."""

COMMAND_RUNNER = "command-runner.jar"
# The region in which script-runner.jar is looked for when a spec names none, as the AWS CLI does.
DEFAULT_REGION = "us-east-1"


class Invocation(NamedTuple):
    """The program that a step runs: the `jar`, and the arguments (`head`) before those of the program."""

    jar: str
    head: tuple[str, ...] = ()

    def step(self, args: Iterable[str]) -> dict[str, Any]:
        """Returns the HadoopJarStep that runs the program with these arguments."""
        return {"Jar": self.jar, "Args": [*self.head, *args]}

    def args_of(self, step: HadoopJarStep) -> list[str] | None:
        """Returns the program's arguments in a HadoopJarStep; None when the step runs something else."""
        if step.keys() != {"Jar", "Args"} or step["Jar"] != self.jar:
            return None
        size = len(self.head)
        return step["Args"][size:] if tuple(step["Args"][:size]) == self.head else None


class StepTarget(NamedTuple):
    """The target that decides the form of a step.

    `pre_emr4`: it runs on an AMI from before release 4.0.0, which has no command-runner.jar. `region` is
    that of the S3 bucket with EMR's own programs.
    """

    pre_emr4: bool
    region: str = DEFAULT_REGION

    @classmethod
    def of(cls, fields: Mapping[str, Any], region: str | None) -> StepTarget:
        """Returns the target of a spec with these members.

        A hadoop_version alone means an AMI too, since releases don't take it. A spec with none of
        release_label, ami_version and hadoop_version compiles as for the newest release.
        """
        is_ami = "ami_version" in fields or ("hadoop_version" in fields and "release_label" not in fields)
        return cls(is_ami, region or DEFAULT_REGION)

    def library(self, path: str) -> str:
        """Returns the URI of a file in the region's bucket of EMR's programs."""
        return f"s3://{self.region}.elasticmapreduce/libs/{path}"

    @property
    def script_runner(self) -> str:
        """The URI of the region's script-runner.jar, which downloads and runs a script on the master node."""
        return self.library("script-runner/script-runner.jar")

    def program(self, *head: str) -> Invocation:
        """Returns the step that runs a program of the master node, with its first arguments."""
        return Invocation(self.script_runner if self.pre_emr4 else COMMAND_RUNNER, head)


def debugging_step(target: StepTarget) -> dict[str, Any]:
    """Returns the StepConfig that `enable_debugging` adds, as the AWS CLI writes it for --enable-debugging."""
    program = target.library("state-pusher/0.1/fetch") if target.pre_emr4 else "state-pusher-script"
    return {
        "Name": "Setup Hadoop Debugging",
        "ActionOnFailure": "TERMINATE_CLUSTER",
        "HadoopJarStep": target.program().step([program]),
    }
