"""Runs the jobs recorded from real Hadoop, and lists in what the engine differs.

A case is a folder of `golden/` with a `case.json`, its input and commands, and `expected/`; tokens in it are
replaced by paths ({CASE}, {OUT}, {CWD}) or match the digits of a job id ({JOB}, {N}). `golden/README.md` has the format.
"""

import bz2
import gzip
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowspec.engines.counters import parse_counters

REPOSITORY = Path(__file__).parents[3]
RECORDED = Path(__file__).parent / "golden"
CASES = sorted(path.parent for path in RECORDED.glob("*/case.json"))
DIGITS = {"{JOB}": r"(local)?\d+_\d+", "{N}": r"\d+"}
INFLATE = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".deflate": zlib.decompress}


@dataclass(frozen=True)
class Job:
    """A recorded job, laid out to be run: its arguments, with the tokens filled in, and where things are.

    `recorded` is the folder of the output that Hadoop wrote; `expected` the facts of `case.json`.
    """

    recorded: Path
    expected: dict[str, Any]
    tokens: dict[str, str]
    args: list[str]
    output: Path
    cwd: Path

    def differences(self, status: int, log: str) -> list[str]:
        """One line for each way in which the result is not what Hadoop's was; `log` is all that was logged."""
        found = _different("exit status", self.expected["exit_status"], status, log)
        if not self.expected["exit_status"]:
            found += _output_differences(self.recorded, self.output, self.expected, self.tokens)
        found += _failure_differences(self.expected, self.output, log, self.tokens)
        return found + _counter_differences(self.expected, log)


def lay_out(case: Path, scratch: Path) -> Job:
    """Copies the case into the folder `scratch`, so that what runs may write where it likes."""
    expected = json.loads((case / "case.json").read_text())
    copy, output, cwd = scratch / "case", scratch / "out", scratch / "cwd"
    shutil.copytree(case, copy, ignore=shutil.ignore_patterns("expected"), copy_function=_unpack)
    if (case / "expected").exists():
        shutil.copytree(case / "expected", scratch / "expected", copy_function=_unpack)
    for name in expected.get("empty_dirs", []):
        (copy / name).mkdir(exist_ok=True)
    if (copy / "preexisting-output").exists():
        shutil.copytree(copy / "preexisting-output", output)
    cwd.mkdir()
    tokens = {"{CASE}": str(copy), "{OUT}": str(output), "{CWD}": str(cwd)}
    return Job(
        scratch / "expected", expected, tokens, [_filled(word, tokens) for word in expected["args"]], output, cwd
    )


def _unpack(source: str, target: str) -> None:
    """Copies a file with its mode; one that is kept as NAME.xz arrives as NAME."""
    if source.endswith(".xz"):
        Path(target).with_suffix("").write_bytes(lzma.decompress(Path(source).read_bytes()))
    else:
        shutil.copy2(source, target)


def differences(case: Path, scratch: Path) -> list[str]:
    """Runs the case as a process of its own; one line for each way in which the result is not what Hadoop's was."""
    job = lay_out(case, scratch)
    ran = run(job.args, job.cwd)
    found = job.differences(ran.returncode, ran.stderr.decode("utf-8", "replace"))
    # Shipped files are taken away again.
    return found + _different("left in the working directory", [], sorted(path.name for path in job.cwd.iterdir()))


def run(
    words: list[str], cwd: Path, environment: dict[str, str] | None = None, before: Sequence[str] = ()
) -> subprocess.CompletedProcess[bytes]:
    """Run the engine as a process, from `cwd`, with more variables than the few it gets, `before` it other words."""
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONPATH": str(REPOSITORY)}
    env |= {name: value for name, value in os.environ.items() if name == "HOME"} | (environment or {})
    command = [*before, sys.executable, "-m", "flowspec.engines.streaming", *words]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, check=False, timeout=60)


def _filled(text: str, tokens: dict[str, str]) -> str:
    for token, value in tokens.items():
        text = text.replace(token, value)
    return text


def _different(what: str, wanted: object, got: object, more: str = "") -> list[str]:
    return [] if wanted == got else [f"{what}: wanted {wanted!r}, got {got!r} {more}"]


def _pattern(text: str) -> re.Pattern[str]:
    parts = re.split(r"(\{JOB\}|\{N\})", text)
    return re.compile("".join(DIGITS.get(part, re.escape(part)) for part in parts), re.DOTALL)


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    return INFLATE[path.suffix](data) if path.suffix in INFLATE else data


def _output_differences(wanted: Path, output: Path, expected: dict, tokens: dict[str, str]) -> list[str]:
    found: list[str] = []
    names = sorted(path.name for path in wanted.iterdir()) if wanted.exists() else []
    found += _different("files", names, sorted(path.name for path in output.iterdir()) if output.exists() else None)
    for name in names if not found else []:
        want, got = _content(wanted / name), _content(output / name)
        if b"{" in want:
            text = _filled(want.decode("utf-8", "surrogateescape"), tokens)
            if _pattern(text).fullmatch(got.decode("utf-8", "surrogateescape")):
                continue
            want = text.encode("utf-8", "surrogateescape")
        if expected.get("compare") == "sorted_lines":
            want, got = (b"\n".join(sorted(data.split(b"\n"))) for data in (want, got))
        found += _different(name, want[:3000], got[:3000]) or _different(f"{name} (length)", len(want), len(got))
    return found


def _failure_differences(expected: dict, output: Path, log: str, tokens: dict[str, str]) -> list[str]:
    found: list[str] = []
    if expected["exit_status"]:
        found += _different("output exists", expected["output_exists_after"], output.exists())
        if "output_after" in expected and output.exists():
            names = sorted(path.name + ("/" if path.is_dir() else "") for path in output.iterdir())
            found += _different("output", sorted(expected["output_after"]), names)
    forms = expected.get("error_key_variants") or [expected.get("error_key", [])]
    forms = [form if isinstance(form, list) else [form] for form in forms]
    if not any(all(_logged(key, log, tokens) for key in form) for form in forms):
        found.append(f"not logged: {forms} in {log}")
    return found


def _logged(key: str, log: str, tokens: dict[str, str]) -> bool:
    """A line of the log is the key, or ends with it behind its time stamp."""
    pattern = _pattern(_filled(key, tokens))
    stamp = r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} )?"
    return any(re.fullmatch(stamp + pattern.pattern, line, re.DOTALL) for line in re.split(r"\n", log))


def _counter_differences(expected: dict, log: str) -> list[str]:
    if "counters" not in expected:
        return []
    counters = parse_counters(log)
    framework = dict(expected["counters"])
    own = {name: group for name, group in counters.items() if name in framework or not _is_frameworks(name)}
    return _different("counters", framework, own)


def _is_frameworks(group: str) -> bool:
    return group.startswith(("File Input Format Counters", "File Output Format Counters"))
