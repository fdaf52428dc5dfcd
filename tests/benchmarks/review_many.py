"""`flowspec review` of a branch in a repository of many specs, as a ratio to `flowspec validate` of all of them.

    python tests/benchmarks/review_many.py [SPECS] [TOUCHED] [RUNS]

Each spec names a script of its own and extends a file that all share. A third of the touched flows differ in their
spec, the others in their script. Both commands run in turn, in processes of their own. Aim: less time than `validate`.
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from validate_many import BIN, SPEC, measured

AUTHOR = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
STEP = "  - {{name: own, type: command, args: [bash, -c, 'run {n}'], when: '{{{{ workers > 0 }}}}'}}\n"
SCRIPT = "bootstrap_actions: [{{name: set up, path: ../scripts/set-up-{n}.sh}}]\n"


def spec(number):
    text = SPEC.format(n=number, workers=1 + number % 9) + STEP.format(n=number) + SCRIPT.format(n=number)
    text = text.replace("dev: {default: true,", "dev: {default: true, staging: 's3://acme/staging/',")
    return text.replace("prod: {", "prod: {staging: 's3://acme/staging/', ").replace(
        "flowspec: v1\n", "flowspec: v1\nextends: ../base.yaml\n"
    )


def git(folder, *arguments):
    subprocess.run(["git", *AUTHOR, *arguments], cwd=folder, check=True, capture_output=True)


def fill(folder, specs, touched):
    """A repository with `specs` flows, and a branch whose one commit touches some of them."""
    git(folder, "init", "-q", "-b", "main")
    for name in ("jobs", "scripts"):
        (folder / name).mkdir()
    (folder / "base.yaml").write_text("flowspec: v1\ntags: {owner: search}\n")
    for number in range(specs):
        (folder / f"jobs/job-{number}.yaml").write_text(spec(number))
        (folder / f"scripts/set-up-{number}.sh").write_text(f"echo {number}\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "all")
    git(folder, "switch", "-q", "-c", "branch")
    for number in range(touched):
        path = folder / (f"scripts/set-up-{number}.sh" if number % 3 else f"jobs/job-{number}.yaml")
        path.write_text(path.read_text().replace("echo", "printf").replace("number: ", "number: 1"))
    git(folder, "commit", "-q", "-a", "-m", "some")


def main(specs, touched, runs):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, specs, touched)
        paths = [str(folder / f"jobs/job-{number}.yaml") for number in range(specs)]
        commands = {
            "review": ["env", "-C", name, str(BIN / "flowspec"), "review", "--base", "main"],
            "validate": [str(BIN / "flowspec"), "validate", "--all-targets", *paths],
            "validate (one target)": [str(BIN / "flowspec"), "validate", *paths],
        }
        shown = subprocess.run([*commands["review"]], check=True, capture_output=True, text=True).stdout
        assert shown.splitlines()[-1].endswith(f"{2 * touched} changed."), shown[-200:]
        rounds = [[measured(command)[0] for command in commands.values()] for _ in range(runs)]
    for name, seconds in zip(commands, zip(*rounds, strict=True), strict=True):
        ratios = sorted(one[0] / other for one, other in zip(rounds, seconds, strict=True))
        print(
            f"{name:<22} {statistics.median(seconds):7.2f} s; review takes {statistics.median(ratios):.2f} of it "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )
    print(f"{specs} specs at 2 targets, {touched} touched, {runs} runs")


if __name__ == "__main__":
    given = sys.argv[1:] + ["500", "20", "5"][len(sys.argv) - 1 :]
    main(*map(int, given))
