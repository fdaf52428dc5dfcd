"""Start-up of `flowspec --help` and `flowspec validate`, as ratios to importing what validation stands on.

    python tests/benchmarks/startup.py [RUNS]

The peer, in the same run and in turn: `python -c 'import yaml, jsonschema, jinja2'`. Aims: 0.6 and 1.3.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PEER = [sys.executable, "-c", "import yaml, jsonschema, jinja2"]
FLOWSPEC = str(Path(sys.executable).with_name("flowspec"))
COMMANDS = {
    "--help": [FLOWSPEC, "--help"],
    "validate": [FLOWSPEC, "validate", str(ROOT / "examples/wordcount/job.yaml")],
}


def seconds(command):
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def compare(command, runs):
    """Returns the seconds of a command and of the peer in each round; a first one, which reads the files, is left out."""
    return [(seconds(command), seconds(PEER)) for _ in range(runs + 1)][1:]


def main(runs):
    for name, command in COMMANDS.items():
        pairs = compare(command, runs)
        ratios = sorted(ours / theirs for ours, theirs in pairs)
        ours, theirs = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
        print(
            f"{name:<9} {ours:6.0f} ms, peer {theirs:6.0f} ms, ratio {statistics.median(ratios):.2f} "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
