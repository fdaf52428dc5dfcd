"""Checks of this machine: Python, packages, git, the home, Java, Spark and Hadoop."""

from __future__ import annotations

import platform
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

from flowspec.doctor.check import Check, State, Work, absent_check
from flowspec.doctor.needs import Needs
from flowspec.document.text.requires import unmet_requirements
from flowspec.engines import jvm
from flowspec.errors import FlowspecError
from flowspec.facts.folders import state_folder
from flowspec.version import installed_version

# Bytes. Beside its output, a step writes logs and sorted spills; with less free space, even small jobs fail.
_LITTLE = 1 << 30
# Spark 4.0 dropped Java 8 and 11 (its release notes); Spark 3.5 runs on 8, 11 and 17.
_JAVA_OF_SPARK_4 = 17
# Where pyproject.toml is, if flowspec is not installed.
_CHECKOUT = Path(__file__).parents[2]
_SPARK_REMEDY = "pip install pyspark, or set SPARK_HOME"


def machine_checks(needs: Needs) -> Iterator[Work]:
    """Yields the checks of this machine. Programs are looked for, and only asked for their versions."""
    local = needs.on_aws is False
    java = bool(needs.engines & {"spark", "hadoop"})
    system = f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    yield "python", partial(Check, "python", State.OK, system)
    yield "packages", _packages
    yield "git", partial(_program, "git", r"version (\S+)", "install git: `review` and `test --base` read its history")
    yield "home", partial(_home, needed=local)
    yield "disk", partial(_disk, needed=local)
    yield "java", partial(_java, needed=java)
    yield "spark", partial(_spark, needed="spark" in needs.engines)
    yield "hadoop", partial(_hadoop, needed="hadoop" in needs.engines)
    for name, reason in needs.refused:
        found, _, remedy = reason.partition("; ")
        yield f"step {name}", partial(Check, f"step {name}", State.MISSING, found, remedy)


def _packages() -> Check:
    unmet = unmet_requirements()
    if unmet is None:
        remedy = f"pip install {shlex.quote(str(_CHECKOUT))}"
        return Check("packages", State.UNCHECKED, "flowspec is not installed as a package", remedy)
    if unmet:
        remedy = f"pip install {' '.join(map(shlex.quote, unmet))}"
        return absent_check("packages", f"not as flowspec requires them: {', '.join(unmet)}", remedy, needed=True)
    return Check("packages", State.OK, f"flowspec {installed_version()}, and all that it requires")


def _program(name: str, pattern: str, remedy: str) -> Check:
    path = shutil.which(name)
    if path is None:
        return absent_check(name, f"there is no {name} on PATH", remedy, needed=False)
    version = _version([path, "--version"], pattern)
    if version is None:
        return absent_check(name, f"{path} fails", remedy, needed=False)
    return Check(name, State.OK, version)


def _version(command: Collection[str], pattern: str) -> str | None:
    """Returns the version that a program prints, "" for none; None when it fails, as macOS's `java` without a Java.

    Raises FlowspecError when it takes more than ten seconds.
    """
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, errors="replace", timeout=10, check=False)
    except subprocess.TimeoutExpired as error:
        raise FlowspecError(f"{shlex.join(command)} takes more than {error.timeout:g} s") from error
    except OSError:
        return None
    found = re.search(pattern, done.stdout + done.stderr)
    return None if done.returncode else found[1] if found else ""


def _home(*, needed: bool) -> Check:
    folder = state_folder()
    try:
        # Only writing a file gives a reliable answer: for root, access() allows writing to read-only mounts.
        with tempfile.TemporaryFile(dir=_nearest_existing(folder)):
            pass
    except OSError as error:
        remedy = "set FLOWSPEC_HOME to a folder you own"
        return absent_check("home", f"{folder} can't be written: {error.strerror}", remedy, needed=needed)
    return Check("home", State.OK, f"{folder} {'is writable' if folder.is_dir() else 'can be made'}")


def _disk(*, needed: bool) -> Check:
    folder = state_folder()
    free = shutil.disk_usage(_nearest_existing(folder)).free
    found = f"{free / (1 << 30):.1f} GiB free"
    if free < _LITTLE:
        remedy = "`flowspec emulator prune` removes what ended clusters left; FLOWSPEC_HOME names another folder"
        return absent_check("disk", f"only {found} at {folder}", remedy, needed=needed)
    return Check("disk", State.OK, found)


def _nearest_existing(folder: Path) -> Path:
    """Returns the folder, or the nearest one above that exists."""
    return next(one for one in (folder, *folder.parents) if one.exists())


def _java(*, needed: bool) -> Check:
    path, remedy = jvm.find_java(), jvm.JAVA_REMEDY
    if path is None:
        return absent_check("java", "there is no Java", remedy, needed=needed)
    version = _version([path, "-version"], r'version "([^"]+)"')
    if version is None:
        return absent_check("java", f"{path} fails", remedy, needed=needed)
    spark = jvm.find_spark()
    if spark and _major(spark.version("spark-core")) >= 4 and 0 < _major(version.removeprefix("1.")) < _JAVA_OF_SPARK_4:
        found = f"Java {version}, and Spark {spark.version('spark-core')} requires {_JAVA_OF_SPARK_4}"
        return absent_check("java", found, remedy, needed=needed)
    return Check("java", State.OK, f"{version or 'of unknown version'} ({path})")


def _major(version: str) -> int:
    found = re.match(r"\d+", version)
    return int(found[0]) if found else 0


def _spark(*, needed: bool) -> Check:
    spark = jvm.find_spark()
    if spark is None:
        return absent_check("spark", "there is no Spark", _SPARK_REMEDY, needed=needed)
    return Check("spark", State.OK, f"{spark.version('spark-core')} ({spark.home})")


def _hadoop(*, needed: bool) -> Check:
    if path := shutil.which("hadoop"):
        version = _version([path, "version"], r"Hadoop (\S+)")
        if version is None:
            return absent_check("hadoop", f"{path} fails", "repair it, or remove it from PATH", needed=needed)
        return Check("hadoop", State.OK, f"{version or 'of unknown version'} ({path})")
    spark = jvm.find_spark()
    if spark is None:
        return absent_check("hadoop", "there is neither a `hadoop` on PATH nor a Spark", _SPARK_REMEDY, needed=needed)
    return Check("hadoop", State.OK, f"{spark.version('hadoop-client-api')}, the client among Spark's jars")
