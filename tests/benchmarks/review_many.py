"""A repository of many specs with a branch, for `flowspec review`.

Each spec names a script of its own and extends a file that all share. A third of the touched flows differ in their
spec, the others in their script.
"""

import subprocess

from tests.benchmarks.validate_many import SPEC

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
    """Makes a repository with `specs` flows, and a branch whose one commit touches some; returns the specs' paths."""
    folder.mkdir()
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
    return [str(folder / f"jobs/job-{number}.yaml") for number in range(specs)]
