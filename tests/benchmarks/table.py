"""Runs the benchmarks and prints a table: medians, the range of the ratios, and what else the machine did.

    python -m tests.benchmarks.table                            # everything, 5 rounds, 64 MiB of input
    python -m tests.benchmarks.table --only streaming --megabytes 256 --rounds 5
    python -m tests.benchmarks.table --only start,submission,endpoint,shapes

Each row runs flowspec and a peer in turn (ABAB), whole processes from start to exit, and gives the median of the
ratios of neighbours with the smallest and the largest, and the median ratio of their CPU time (user and system, of all
their processes), which other programs of the machine disturb less. Results are compared where both have one.

start: a job of one step, beside making a boto3 client. submission: `apply --detach` to an EMR that runs nothing, beside
a boto3 script that sends the same request. streaming: beside the same scripts in a pipeline parallelised
by hand for two cores. shapes: inputs that invite quadratic cost, beside a plain input of the same size. endpoint:
calls of `flowspec emulator`, beside moto's server, by the CPU time of the server and by the time of the caller.
clusters: calls and start of an emulator with many clusters in its home, beside one with 50, which fill a page.
validate: 1,000 specs beside check-jsonschema (pip install check-jsonschema), one beside the imports it stands on.
review: a branch in a repository of many specs, beside `validate` of all of them.
memory: the peak of all processes together (Linux), and the time, of a large sort beside `cat | sort | cat`.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import datetime
import hashlib
import os
import platform
import random
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

PROGRAMS = Path(sys.executable).parent
AWK_WORDS = "{ for (i = 1; i <= NF; i++) print $i }"
AWK_COUNT = "$0 != last { if (NR > 1) print last, n; last = $0; n = 0 } { n++ } END { print last, n }"
AWK_STATUS = '{ print $7 "\\t" $9 }'
PY_STATUS = "import sys\nfor line in sys.stdin:\n    f = line.split()\n    print(f[6], f[8], sep='\\t')\n"
PY_WORDS = "import sys\nfor line in sys.stdin:\n    for word in line.split():\n        print(word)\n"
PY_COUNT = (
    "import itertools, sys\nfor key, lines in itertools.groupby(sys.stdin):\n"
    "    print(key.rstrip(), sum(1 for _ in lines))\n"
)
HAND = """
mkfifo "$TMP/a" "$TMP/b"
head -c $CUT "$IN" | $MAP | sort > "$TMP/a" & tail -c +$((CUT + 1)) "$IN" | $MAP | sort > "$TMP/b" &
sort -m "$TMP/a" "$TMP/b" | $RED > "$OUT"; wait
"""
SPEC = """\
flowspec: v1
name: bench
targets: {here: {default: true, backend: local}}
release_label: emr-7.5.0
instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]
steps:
  - %s
"""
ON_EMR = """\
flowspec: v1
name: bench
backend: emr
region: us-east-1
endpoint_url: %s
release_label: emr-7.5.0
service_role: EMR_DefaultRole
job_flow_role: EMR_EC2_DefaultRole
keep_alive: false
instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]
steps: [{name: s, type: command, args: ['true'], on_failure: TERMINATE_CLUSTER}]
"""
BARE = """\
import json, sys, boto3
client = boto3.client("emr", region_name="us-east-1", endpoint_url=sys.argv[1])
print(client.run_job_flow(**json.load(open(sys.argv[2])))["JobFlowId"])
"""
COMBINED = ", input_format: org.apache.hadoop.mapred.lib.CombineTextInputFormat"
WITHOUT_OFFSETS = ", stream.map.input.ignoreKey: true, mapreduce.input.fileinputformat.split.maxsize: %d"
CLIENT = [sys.executable, "-c", "import boto3; boto3.client('emr', region_name='us-east-1')"]


PR_SET_CHILD_SUBREAPER = 36


class Took(NamedTuple):
    """Seconds from the start of a command to its exit, and of CPU time of all processes that it started."""

    wall: float
    cpu: float


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def wait_for_adopted() -> None:
    """Waits for the workers of clusters, which outlive the command that made them (Linux: adopted by this process)."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


class Bench:
    """Folders and rounds that the rows share."""

    def __init__(self, folder: Path, given: argparse.Namespace) -> None:
        self.folder = folder
        self.rounds, self.megabytes, self.sorted_megabytes = given.rounds, given.megabytes, given.sorted_megabytes
        self.inputs, self.clusters = given.inputs, given.clusters
        self.has_server = False
        own = {
            "LC_ALL": "C",
            "NO_COLOR": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "FLOWSPEC_HOME": str(folder / "home"),
        }
        self.env = {**os.environ, **own}
        # They would measure one write(2) for each print(), and compiling all modules.
        for name in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"):
            self.env.pop(name, None)

    def measure(self, command: list[str], **env: str) -> Took:
        started, used = time.perf_counter(), cpu_of_children()
        done = subprocess.run(command, env={**self.env, **env}, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{shlex.join(command)}:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
        wall = time.perf_counter() - started
        # A server would be waited for, too; its clusters have no workers.
        if not self.has_server:
            wait_for_adopted()
        return Took(wall, cpu_of_children() - used)

    def clear(self) -> None:
        """Removes the home, and the output, of the run before."""
        for name in ("home", "out"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def spec(self, step: str) -> Path:
        """Writes a spec with one step."""
        spec = self.folder / f"{hashlib.sha256(step.encode()).hexdigest()[:8]}.yaml"
        spec.write_text(SPEC % step)
        return spec

    def apply(self, spec: Path) -> Callable[[], Took]:
        """A whole run of `flowspec apply`, in a home of its own."""

        def run() -> Took:
            self.clear()
            return self.measure([str(PROGRAMS / "flowspec"), "apply", str(spec)])

        return run

    def job(
        self, source: Path, mapper: str, reducer: str, reduces: int = 1, properties: str = "", options: str = ""
    ) -> Path:
        """Writes a spec with one streaming step."""
        properties = f"properties: {{mapreduce.job.reduces: {reduces}{properties}}}, on_failure: TERMINATE_CLUSTER"
        where = f"input: '{source}', output: '{self.folder / 'out'}'{options}"
        return self.spec(
            f"{{name: s, type: streaming, mapper: '{mapper}', reducer: '{reducer}', {where}, {properties}}}"
        )

    def streaming(self, *job: Any) -> Callable[[], Took]:
        """A whole run of a streaming job; the arguments are those of `job`."""
        return self.apply(self.job(*job))

    def by_hand(self, source: Path, mapper: str, reducer: str) -> Callable[[], Took]:
        with source.open("rb") as file:
            file.seek(source.stat().st_size // 2)
            middle = file.tell() + len(file.readline())

        def run() -> Took:
            with tempfile.TemporaryDirectory(dir=self.folder) as temporary:
                names = {"IN": str(source), "MAP": mapper, "RED": reducer, "OUT": str(self.folder / "hand")}
                names["CUT"] = str(middle)
                return self.measure(["bash", "-euo", "pipefail", "-c", HAND], TMP=temporary, **names)

        return run

    def row(self, name: str, ours: Callable[[], Took], peer: Callable[[], Took], check: bool = False) -> None:
        pairs = []
        for _ in range(self.rounds):
            pairs.append((ours(), peer()))
            if check:
                self.compare(name)
        walls, cpus = ([(getattr(mine, kind), getattr(peers, kind)) for mine, peers in pairs] for kind in Took._fields)
        show(name, walls, "s", cpus)

    def compare(self, name: str) -> None:
        ours = [line.rstrip() for part in (self.folder / "out").glob("part-*") for line in part.open("rb")]
        peers = [line.rstrip() for line in (self.folder / "hand").open("rb")]
        if sorted(ours) != sorted(peers):
            raise SystemExit(f"{name}: the outputs differ")

    def script(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return f"{'mawk -f' if name.endswith('.awk') else sys.executable} {path}"


Pairs = list[tuple[float, float]]


def show(name: str, pairs: Pairs, unit: str, cpus: Pairs = []) -> None:  # noqa: B006 - not changed
    ratios = sorted(ours / peer for ours, peer in pairs)
    cpu = f"{statistics.median(ours / peer for ours, peer in cpus):.2f}" if cpus else ""
    ours, peer = (statistics.median(column) for column in zip(*pairs, strict=True))
    spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    print(
        f"| {name} | {ours:.3g} {unit} | {peer:.3g} {unit} | {spread} | {cpu} | {os.getloadavg()[0]:.1f} |", flush=True
    )


def start(bench: Bench) -> None:
    """Point 2 of the aims: 1.5 at most."""
    tiny = bench.folder / "tiny.txt"
    tiny.write_text("b\na\nb\n")
    client = lambda: bench.measure(CLIENT)  # noqa: E731
    step = "{name: s, type: command, args: ['true'], on_failure: TERMINATE_CLUSTER}"
    bench.row("a step `true` / boto3 client", bench.apply(bench.spec(step)), client)
    bench.row("tiny streaming job / boto3 client", bench.streaming(tiny, "/bin/cat", "/bin/cat"), client)


def submission(bench: Bench) -> None:
    """Point 5 of the aims: 1.2 at most, and what a network adds that takes 30 ms for an answer, and for a connection."""
    from tests.benchmarks.endpoint import distant, ours

    flowspec, keys = str(PROGRAMS / "flowspec"), {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    spec, request = bench.folder / "emr.yaml", bench.folder / "request.json"
    with ours(str(bench.folder / "emr-home"), "--instant") as server, distant(server.url, 0.03) as far:
        spec.write_text(ON_EMR % server.url)
        request.write_bytes(subprocess.run([flowspec, "compile", str(spec)], capture_output=True, check=True).stdout)
        bench.has_server = True
        for name, url in (("", server.url), (", 30 ms a call", far)):
            spec.write_text(ON_EMR % url)
            bare = partial(bench.measure, [sys.executable, "-c", BARE, url, str(request)], **keys)
            for options in (["--skip-preflight"], []):
                command = [flowspec, "apply", "--detach", *options, str(spec)]
                told = " ".join(["apply", "--detach", *options])
                bench.row(f"{told} / boto3 script{name}", partial(bench.measure, command, **keys), bare)
    bench.has_server = False


def streaming(bench: Bench) -> None:
    """Point 1 of the aims."""
    sources = {name: data(bench, name) for name in ("keys", "log", "words")}
    jobs = [("identity, cat", "keys", "/bin/cat", "/bin/cat")]
    count_awk, count_py = bench.script("count.awk", AWK_COUNT), bench.script("count.py", PY_COUNT)
    jobs.append(("status counts, mawk", "log", bench.script("status.awk", AWK_STATUS), count_awk))
    jobs.append(("status counts, Python", "log", bench.script("status.py", PY_STATUS), count_py))
    jobs.append(("word count, mawk", "words", bench.script("words.awk", AWK_WORDS), count_awk))
    jobs.append(("word count, Python", "words", bench.script("words.py", PY_WORDS), count_py))
    for name, source, mapper, reducer in jobs:
        hand = bench.by_hand(sources[source], mapper, reducer)
        for reduces in (1, 2):
            ours = bench.streaming(sources[source], mapper, reducer, reduces)
            # `key TAB` is written where the mapper's line has no TAB, which awk's comparison of lines keeps.
            bench.row(f"{name}, {reduces} reduce / by hand", ours, hand, check=mapper == "/bin/cat")


def shapes(bench: Bench) -> None:
    """Point 6 of the aims: twice the size must take twice the time at most, whatever the shape."""
    plain = bench.folder / "plain"
    plain.write_bytes(b"some words of text %d\n" % 7 * (10_000_000 // 21))
    many = bench.folder / "many"
    many.mkdir()
    for number in range(bench.inputs):
        (many / f"{number:05d}").write_bytes(b"some words of text 7\n" * 47)
    longs = bench.folder / "long-line"
    longs.write_bytes(b"x" * 10_000_000 + b"\n")
    skewed = bench.folder / "skewed"
    skewed.write_bytes(b"".join(b"%06d\t%d\n" % (7 if n % 10 else n, n) for n in range(700_000)))
    even = bench.folder / "even"
    even.write_bytes(b"".join(b"%06d\t%d\n" % (n * 7919 % 700_000, n) for n in range(700_000)))
    for name, source, peer in (
        ("one line of 10 MB / 10 MB of text", longs, plain),
        ("90 % of the lines with one key / different keys", skewed, even),
    ):
        bench.row(name, *(bench.streaming(one, "/bin/cat", "/bin/cat") for one in (source, peer)))
    # A map task for each file, and so a start of the mapper, as in Hadoop: the peer starts it as often, on two cores.
    loop = f"ls {many}/* | xargs -P 2 -I F sh -c 'cat < F' | sort | cat"
    each = lambda: bench.measure(["bash", "-c", loop])  # noqa: E731
    bench.row(f"{bench.inputs:,} inputs of 1 kB / a loop of `cat`", bench.streaming(many, "/bin/cat", "/bin/cat"), each)
    one = bench.folder / "one"
    one.write_bytes(b"some words of text 7\n" * 47 * bench.inputs)
    whole = bench.streaming(one, "/bin/cat", "/bin/cat")
    halves = WITHOUT_OFFSETS % (one.stat().st_size // 2)  # a map task for each core
    for told, ours in (
        ("", bench.streaming(many, "/bin/cat", "/bin/cat")),
        (", with CombineTextInputFormat", bench.streaming(many, "/bin/cat", "/bin/cat", 1, halves, COMBINED)),
    ):
        bench.row(f"{bench.inputs:,} inputs of 1 kB{told} / one input of their size", ours, whole)
    hundred = bench.streaming(plain, "/bin/cat", "/bin/cat", 100)
    bench.row("1,000 reduce tasks / 100", bench.streaming(plain, "/bin/cat", "/bin/cat", 1000), hundred)


def endpoint(bench: Bench) -> None:
    """Point 3 of the aims."""
    from tests.benchmarks.endpoint import compare

    for name, pairs, unit in compare(bench.rounds):
        show(f"{name} / moto", pairs, unit)


def clusters(bench: Bench) -> None:
    """Point 3 of the aims: with many clusters, calls take what they take with one page; ten steps in each."""
    from tests.benchmarks.clusters import FEW, compare

    for name, pairs in compare(bench.rounds, bench.clusters):
        show(f"{name}, with {bench.clusters:,} clusters / with {FEW}", pairs, "ms")


def validate(bench: Bench) -> None:
    """Point 4 of the aims: 0.125 and 1.2 at most."""
    from tests.benchmarks import validate_many

    many = validate_many.compare(1000, bench.rounds)
    show("validate of 1,000 specs / check-jsonschema", [(ours[0], theirs[0]) for ours, theirs in many], "s")
    imports = partial(bench.measure, [sys.executable, "-c", "import yaml, jsonschema, jinja2"])
    for told, words in (("validate of a spec", ["validate", "examples/wordcount/job.yaml"]), ("--help", ["--help"])):
        ours = partial(bench.measure, [str(PROGRAMS / "flowspec"), *words])
        bench.row(f"{told} / importing yaml, jsonschema and jinja2", ours, imports)


def review(bench: Bench) -> None:
    """A branch that touches 20 of 500 specs takes less time than `validate` of all of them."""
    from tests.benchmarks.review_many import fill

    paths = fill(bench.folder / "repository", 500, 20)
    flowspec = str(PROGRAMS / "flowspec")
    ours = partial(bench.measure, ["env", "-C", str(bench.folder / "repository"), flowspec, "review", "--base", "main"])
    whole = partial(bench.measure, [flowspec, "validate", "--all-targets", *paths])
    bench.row("review of 20 specs of 500 / validate of all, at both targets", ours, whole)


def memory(bench: Bench) -> None:
    """The bound of point 1 of the aims: 400 MB for 2 GB."""
    from tests.benchmarks.memory import peak

    source = data(bench, "keys", bench.sorted_megabytes)
    spec = bench.job(source, "/bin/cat", "/bin/cat")
    ours = partial(peak, [str(PROGRAMS / "flowspec"), "apply", str(spec)], bench.env)
    plain = partial(peak, ["bash", "-c", f"cat {source} | cat | sort | cat > {bench.folder / 'plain'}"], bench.env)
    pairs = []
    for _ in range(bench.rounds):
        bench.clear()
        pairs.append((ours(), plain()))
    for at, (what, unit) in enumerate((("memory", "MB"), ("time", "s"))):
        name = f"{what} of sorting {bench.sorted_megabytes:,} MiB / cat, sort"
        show(name, [(mine[at], peers[at]) for mine, peers in pairs], unit)


def data(bench: Bench, kind: str, megabytes: int = 0) -> Path:
    """Reproducible lines: random keys of 101 bytes, an access log, or words of Zipf's distribution."""
    chance, path = random.Random(1), bench.folder / f"{kind}.txt"
    words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(60_000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    with path.open("w") as file:
        while file.tell() < (megabytes or bench.megabytes) << 20:
            chosen = chance.choices(words, weights, k=0 if kind == "keys" else 10_000)
            if kind == "words":
                lines = (" ".join(chosen[at : at + 10]) for at in range(0, 10_000, 10))
            elif kind == "log":
                lines = (
                    f"10.0.0.{chance.randrange(256)} - - [01/Jan/2024:00:00:{at % 60:02d} +0000] "
                    f'"GET /{word} HTTP/1.1" {chance.choice((200, 200, 200, 404, 500))} {chance.randrange(99999)}'
                    for at, word in enumerate(chosen)
                )
            else:
                lines = (f"{chance.getrandbits(400):0100x}" for _ in range(2000))
            file.write("\n".join(lines) + "\n")
    return path


PARTS: dict[str, Callable[[Bench], None]] = {
    "start": start,
    "submission": submission,
    "streaming": streaming,
    "shapes": shapes,
    "endpoint": endpoint,
    "clusters": clusters,
    "validate": validate,
    "review": review,
    "memory": memory,
}


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="flowspec-bench-") as folder:
        yield Path(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=64)
    parser.add_argument("--sorted-megabytes", type=int, default=2048, help="size of the large sort")
    parser.add_argument("--inputs", type=int, default=1000, help="number of small inputs")
    parser.add_argument("--clusters", type=int, default=10_000, help="number of clusters in one home")
    given = parser.parse_args()
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    print(
        f"{datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d}, {machine}; {given.megabytes} MiB, {given.rounds} rounds\n"
    )
    print(
        "| flowspec / peer | flowspec | peer | ratio: median (range) | of CPU time | load |\n|---|---|---|---|---|---|"
    )
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    with workspace() as folder:
        bench = Bench(folder, given)
        for part in given.only.split(","):
            PARTS[part](bench)


if __name__ == "__main__":
    main()
