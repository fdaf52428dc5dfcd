"""Records the failures of this folder: runs each `job.yaml` on the embedded EMR and keeps what it logged.

    python -m tests.backend.aws.failures.record [NAME...]

It needs Java 17 with its compiler, pyspark, moto and openssl. Paths of this machine are replaced, lines are not.
What can't fail here for real is in the cases whose `expected.json` says `"origin": "written"`: they are left as they are.
"""

from __future__ import annotations

import bz2
import gzip
import importlib.util
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import flowspec
from flowspec.engines.jvm import find_spark
from flowspec.emulator.state import paths

FAILURES = Path(__file__).parent
CHECKOUT = FAILURES.parents[3]
# As on a node of EMR.
HOME, INSTALLED, SITE = "/mnt/flowspec", "/opt/venv", "/opt/venv/lib/python3/site-packages"
LINES = ["12 north", "x south", "31 east"]
# The major version of the class files of a Java that is newer than any (Java Virtual Machine Specification, 4.1).
NEWER_THAN_ANY = 90


def main(names: list[str]) -> None:
    wanted = names or sorted(path.parent.name for path in FAILURES.glob("*/job.yaml"))
    home = Path(tempfile.mkdtemp(prefix="flowspec-record-")).resolve()
    try:
        os.environ.update(
            FLOWSPEC_HOME=str(home), PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        )
        make_data(home)
        make_jar(home / "s3/cases/failures.jar")
        with ThreadPoolExecutor(2) as pool:
            for line in pool.map(lambda name: record(home, name), wanted):
                print(line)
    finally:
        shutil.rmtree(home)


def make_data(home: Path) -> None:
    """Makes what the jobs read, in the bucket `cases`."""
    bucket = home / "s3/cases"
    files = {
        "lines/part-0": "\n".join(LINES).encode(),
        "many-lines/part-0": b"a line that is read by nobody\n" * 500_000,
        "latin-1/part-0": "café\n".encode("latin-1"),
        "existing/part-0": b"of yesterday\n",
        "days/monday/part-0": b"in a folder inside of the input\n",
        # Cut in the middle.
        "damaged/lines.gz": gzip.compress(random.Random(0).randbytes(100_000))[:50_000],
        "damaged/lines.bz2": bz2.compress("\n".join(LINES).encode())[:-20] + bytes(20),
        "not-gzip/lines.gz": "\n".join(LINES).encode(),
    }
    for name, content in files.items():
        (bucket / name).parent.mkdir(parents=True, exist_ok=True)
        (bucket / name).write_bytes(content)


def make_jar(jar: Path) -> None:
    """Compiles java/Failures.java; its classes differ from the source as the cases want it."""
    source = FAILURES / "java/Failures.java"
    spark = find_spark()
    assert spark, "needs pyspark"
    with tempfile.TemporaryDirectory() as folder:
        compile_java = ["javac", "-cp", f"{spark.jars}/*", "-d", folder]
        subprocess.run([*compile_java, str(source)], check=True)
        older = Path(folder, "Dependency.java")
        older.write_text("class Dependency {}\n")
        subprocess.run([*compile_java, str(older)], check=True)
        Path(folder, "Removed.class").unlink()
        newer = Path(folder, "Newer.class")
        content = bytearray(newer.read_bytes())
        content[6:8] = NEWER_THAN_ANY.to_bytes(2, "big")
        newer.write_bytes(content)
        subprocess.run(["jar", "cf", str(jar), "-C", folder, "."], check=True)


def record(home: Path, name: str) -> str:
    """Runs one case and replaces its logs and what EMR said (`ended.json`)."""
    case = FAILURES / name
    try:
        result = flowspec.run(case / "job.yaml", run_bootstrap=True)
    except flowspec.FlowspecError as error:
        return f"{name}: NOT RECORDED: {error}"
    cluster, step = result.cluster, result.cluster.steps[0]
    logs = case / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    bootstrap = cluster.reason_code == "BOOTSTRAP_FAILURE"
    source = paths.bootstrap_folder(home, cluster.id, 1) if bootstrap else paths.step_logs(home, cluster.id, step.id)
    logs.mkdir()
    for log in ("controller", "syslog", "stdout", "stderr"):
        # As bytes: reading text would replace carriage returns.
        if (source / log).is_file() and (text := anonymous(home, (source / log).read_bytes().decode("utf-8", "replace"))):
            (logs / log).write_bytes(text.encode())
    ended = {
        "state": cluster.state,
        "reason_code": cluster.reason_code,
        "reason": cluster.reason,
        "error_details": cluster.error_details,
        "step": {"state": step.state, "reason": step.reason, "message": step.message},
    }
    (case / "ended.json").write_text(anonymous(home, json.dumps(ended, indent=2, ensure_ascii=False)) + "\n")
    return f"{name}: {result.verdict.outcome.value}: {step.message[:100]}"


def anonymous(home: Path, text: str) -> str:
    """Replaces the paths and the name of this machine."""
    found = importlib.util.find_spec("pyspark")
    assert found and found.origin
    site = str(Path(found.origin).parent.parent)
    places = {str(home): HOME, site: SITE, str(CHECKOUT / ".venv"): INSTALLED, str(CHECKOUT): "/opt/flowspec"}
    for prefix in {sys.prefix, sys.base_prefix} - {"/usr"}:
        places[prefix] = INSTALLED
    for ours, shown in sorted(places.items(), key=lambda item: -len(item[0])):
        text = text.replace(ours, shown)
    return re.sub(rf"\b{re.escape(socket.gethostname())}\b", "ip-10-0-0-1", text)


if __name__ == "__main__":
    main(sys.argv[1:])
