"""Runs a step's process as the worker does, without a worker: the same environment, folders and logs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flowspec.engines import command_for, jvm

needs_spark = pytest.mark.skipif(
    not (jvm.find_spark() and jvm.find_java()), reason="needs Spark and Java: pip install pyspark, Java 17"
)


@dataclass
class Step:
    """A step's folders: `s3` and `hdfs` stand for those file systems, `work` is its working directory."""

    s3: Path
    hdfs: Path
    work: Path
    logs: Path

    @classmethod
    def below(cls, folder: Path) -> Step:
        made = cls(*(folder / name for name in ("s3", "hdfs", "work", "logs")))
        for place in (made.s3, made.hdfs, made.work, made.logs):
            place.mkdir()
        return made

    def start(
        self, jar: str, *args: str, main_class: str | None = None, before: Sequence[str] = (), **members: Any
    ) -> subprocess.Popen[str]:
        syslog = self.logs / "syslog"
        command = command_for(jar, main_class, args, s3_root=self.s3, hdfs_root=self.hdfs, syslog=syslog, **members)
        return subprocess.Popen(
            [*before, *command.argv],
            cwd=self.work,
            env={**os.environ, **command.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, jar: str, *args: str, **members: Any) -> subprocess.CompletedProcess[str]:
        with self.start(jar, *args, **members) as process:
            out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)
