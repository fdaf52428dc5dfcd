"""Times a word count, as a ratio to other tools that run the same scripts.

    python tests/benchmarks/wordcount.py                      # 100 MB, beside cat | mapper | sort | reducer
    python tests/benchmarks/wordcount.py --peer parallel --megabytes 256 --commands awk --reducers 4
    python tests/benchmarks/wordcount.py --peer mrjob --megabytes 256 --commands cat    # pip install mrjob

The two are run in turn (ABAB), so that a noisy neighbour hurts both; the results must be equal. The
parallel peer is what one would write by hand: the text cut in two at a line end, two mappers, each into
its own sort, and one merge into the reducer; for several reducers, two whole pipelines, whose keys meet
nowhere. mrjob's peer is its local runner.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

MAPPER = """\
import sys
for line in sys.stdin:
    for word in line.split():
        print(word, 1, sep="\\t")
"""
REDUCER = """\
import sys
last, total = None, 0
for line in sys.stdin:
    word, count = line.rstrip("\\n").split("\\t")
    if word != last:
        if last is not None:
            print(last, total, sep="\\t")
        last, total = word, 0
    total += int(count)
if last is not None:
    print(last, total, sep="\\t")
"""
AWK_MAPPER = '{ for (i = 1; i <= NF; i++) print $i "\\t1" }\n'
AWK_REDUCER = """\
BEGIN { FS = "\\t" }
$1 != last { if (NR > 1) print last "\\t" total; last = $1; total = 0 }
{ total += $2 }
END { if (NR) print last "\\t" total }
"""


def make_text(path: Path, megabytes: int) -> None:
    """English-like text: 60,000 words, the common ones short and often, ten or so to a line."""
    chance = random.Random(20240101)
    letters = "etaoinshrdlucmfwypvbgkqjxz"
    weights = [1 / (rank + 3) for rank in range(len(letters))]
    words = ["".join(chance.choices(letters, weights, k=2 + rank % 4 + rank // 12_000)) for rank in range(60_000)]
    often = [1 / (rank + 5) for rank in range(len(words))]
    size, part = megabytes * 1_000_000, path.with_suffix(".part")
    with part.open("w") as file:
        while file.tell() < size:
            chosen = iter(chance.choices(words, often, k=200_000))
            while line := list(itertools.islice(chosen, chance.randrange(5, 16))):
                file.write(" ".join(line) + "\n")
    part.rename(path)


def commands(kind: str, folder: Path) -> tuple[str, str]:
    """The mapper and the reducer as commands with absolute paths."""
    scripts = {"m.py": MAPPER, "r.py": REDUCER, "m.awk": AWK_MAPPER, "r.awk": AWK_REDUCER}
    for name, text in scripts.items():
        (folder / name).write_text(text)
    if kind == "cat":
        return "/bin/cat", "/bin/cat"
    runner = sys.executable if kind == "python" else "awk -f"
    suffix = "py" if kind == "python" else "awk"
    return f"{runner} {folder}/m.{suffix}", f"{runner} {folder}/r.{suffix}"


def halves(text: Path, folder: Path) -> tuple[Path, Path]:
    """The text cut in two files at a line end."""
    first, second = folder / "half-0", folder / "half-1"
    with text.open("rb") as file:
        file.seek(text.stat().st_size // 2)
        file.readline()
        middle = file.tell()
        with second.open("wb") as rest:
            shutil.copyfileobj(file, rest)
        file.seek(0)
        with first.open("wb") as start:
            start.write(file.read(middle))
    return first, second


MRJOB = """\
from mrjob.job import MRJob
from mrjob.protocol import RawProtocol, RawValueProtocol
class Job(MRJob):
    INPUT_PROTOCOL = OUTPUT_PROTOCOL = RawValueProtocol
    INTERNAL_PROTOCOL = RawProtocol
    def mapper_cmd(self): return {mapper!r}
    def reducer_cmd(self): return {reducer!r}
    def jobconf(self): return {{"mapreduce.job.reduces": {reducers}}}
if __name__ == "__main__": Job.run()
"""


def peer(options: argparse.Namespace, text: Path, folder: Path, mapper: str, reducer: str) -> list[str]:
    """The command that does the same; it leaves its results in files `peer*`."""
    if options.peer == "mrjob":
        job = folder / "job.py"
        job.write_text(MRJOB.format(mapper=mapper, reducer=reducer, reducers=options.reducers))
        return ["bash", "-c", f"{sys.executable} {job} -r local --no-bootstrap-mrjob {text} > {folder}/peer"]
    if options.peer == "serial":
        script = f"cat {text} | {mapper} | LC_ALL=C sort | {reducer} > {folder}/peer"
        return ["bash", "-c", script]
    maps = [f"{mapper} < {half} | LC_ALL=C sort" for half in halves(text, folder)]
    if options.reducers == 1:
        ways = [folder / "way-0", folder / "way-1"]
        for way in ways:
            os.mkfifo(way)
        started = " & ".join(f"{map_} > {way}" for map_, way in zip(maps, ways, strict=True))
        return ["bash", "-c", f"{started} & LC_ALL=C sort -m {ways[0]} {ways[1]} | {reducer} > {folder}/peer; wait"]
    pipelines = " & ".join(f"{map_} | {reducer} > {folder}/peer-{number}" for number, map_ in enumerate(maps))
    return ["bash", "-c", f"{pipelines}; wait"]


def timed(words: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(words, check=True, env=environment, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def digest(paths: list[Path]) -> str:
    """Returns the SHA-256 of the lines of the files, sorted and without a TAB at their ends."""
    lines = sorted(line.rstrip(b"\t") for path in paths for line in path.read_bytes().splitlines())
    return hashlib.sha256(b"\n".join(lines)).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--commands", choices=("python", "awk", "cat"), default="python")
    parser.add_argument("--reducers", type=int, default=1)
    parser.add_argument("--peer", choices=("serial", "parallel", "mrjob"), default="serial")
    options = parser.parse_args()
    text = Path(tempfile.gettempdir()) / f"flowspec-benchmark-{options.megabytes}.txt"
    if not text.exists():
        make_text(text, options.megabytes)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    environment.pop("PYTHONUNBUFFERED", None)  # it would time the scripts' system calls
    with tempfile.TemporaryDirectory(prefix="flowspec-benchmark-") as name:
        folder = Path(name)
        mapper, reducer = commands(options.commands, folder)
        other = peer(options, text, folder, mapper, reducer)
        job = [sys.executable, "-m", "flowspec.engines.streaming", "-D", f"mapreduce.job.reduces={options.reducers}"]
        job += ["-mapper", mapper, "-reducer", reducer, "-input", str(text), "-output", str(folder / "out")]
        ours, theirs = [], []
        for run in range(options.runs):
            shutil.rmtree(folder / "out", ignore_errors=True)
            ours.append(timed(job, environment))
            theirs.append(timed(other, environment))
            print(f"run {run + 1}: flowspec {ours[-1]:.2f} s, {options.peer} {theirs[-1]:.2f} s", flush=True)
        if options.peer != "parallel" or options.reducers == 1:
            theirs_text = digest(sorted(folder.glob("peer*")))
            assert digest(sorted((folder / "out").glob("part-*"))) == theirs_text, "results differ"
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    print(
        f"median: flowspec {statistics.median(ours):.2f} s, {options.peer} {statistics.median(theirs):.2f} s, "
        f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    main()
