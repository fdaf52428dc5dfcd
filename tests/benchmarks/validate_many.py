"""`flowspec validate` of many small specs in one call, as a ratio to check-jsonschema with the same schema and files.

    python tests/benchmarks/validate_many.py [FILES] [RUNS] [texts|expressions]

`texts` puts 20 templates more in each file that no other file has, which differ in the text around their expressions;
with `expressions` the expressions differ, so that jinja2 compiles 20 for each file.

flowspec does more with each file: places, variables, templates, rules across fields and the compiled
request; check-jsonschema (from PyPI; installed beside flowspec) only holds it against the schema. Both run in
turn, in processes of their own; the peak of memory is that of the largest process. Aim: a ratio of 8, and of 2.5 with `texts`.
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SCHEMA = ROOT / "schemas/flowspec-v1.schema.json"
BIN = Path(sys.executable).parent

SPEC = """flowspec: v1
name: job-{n}
description: Number {n} of many.

variables:
  day: {{type: string, pattern: '^\\d{{4}}-\\d{{2}}-\\d{{2}}$', default: '{{{{ ds }}}}'}}
  workers: {{type: integer, default: {workers}, minimum: 1}}
  data: {{type: string, default: 's3://acme-{n}'}}

targets:
  dev: {{default: true, region: us-east-1}}
  prod: {{region: eu-west-1, variables: {{workers: 8}}}}

release_label: emr-7.5.0
log_uri: '{{{{ data }}}}/logs/'
service_role: EMR_DefaultRole
job_flow_role: EMR_EC2_DefaultRole
applications: [Hadoop, Spark]
tags: {{team: search, number: {n}}}

instance_groups:
  - {{role: MASTER, type: m5.xlarge, count: 1}}
  - {{role: CORE, type: m5.xlarge, count: '{{{{ workers }}}}'}}
  - {{role: TASK, type: m5.xlarge, count: 2, market: SPOT, when: '{{{{ workers > 4 }}}}'}}

configurations:
  spark-defaults: {{spark.executor.memory: 4g, spark.executor.cores: 2}}

steps:
  - name: count
    type: streaming
    mapper: s3://acme/mapper.py
    reducer: aggregate
    input: '{{{{ data }}}}/{{{{ day }}}}/'
    output: '{{{{ data }}}}/counts/{{{{ day }}}}/'
    properties: {{mapreduce.job.reduces: {workers}}}
  - name: publish {{{{ item }}}}
    for_each: [us, eu]
    type: jar
    jar: s3://acme/publish.jar
    args: [--region, '{{{{ item }}}}', --job, job-{n}]
"""


OWN = {
    "": "",
    "texts": "'s3://acme-{n}/{k}/{{{{ day }}}}/{{{{ workers + 1 }}}}/{{{{ data | upper }}}}'",
    "expressions": "'{{{{ workers * 1{n}{k:02} + 1 }}}}'",
}
"""One of 20 arguments of a step more, by what differs from file to file."""


def spec(number, own):
    extra = [OWN[own].format(n=number, k=k) for k in range(20)] if own else []
    step = f"  - {{name: own, type: command, args: [{', '.join(extra)}]}}\n" if own else ""
    return SPEC.format(n=number, workers=1 + number % 9) + step


def measured(command):
    """Seconds, and megabytes at the peak of the largest process."""
    code = (
        "import resource, subprocess, sys, time; started = time.perf_counter(); "
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); seconds = time.perf_counter() - started; "
        "print(done.returncode, seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True, text=True)
    status, seconds, peak = done.stdout.split()
    assert status == "0", f"{command[0]} ended with {status}"
    return float(seconds), int(peak) / (1e6 if sys.platform == "darwin" else 1e3)


def compare(files, runs, own=""):
    """Returns what the two commands took in each round: (seconds, megabytes at the peak) of ours and of theirs."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"job-{number}.yaml" for number in range(files)]
        for number, path in enumerate(paths):
            path.write_text(spec(number, own))
        ours = [str(BIN / "flowspec"), "validate", *map(str, paths)]
        theirs = [str(BIN / "check-jsonschema"), "--schemafile", str(SCHEMA), *map(str, paths)]
        return [(measured(ours), measured(theirs)) for _ in range(runs)]


def main(files, runs, own):
    pairs = compare(files, runs, own)
    for name, column in zip(("flowspec", "check-jsonschema"), zip(*pairs, strict=True), strict=True):
        seconds, peaks = zip(*column, strict=True)
        middle = statistics.median(seconds)
        print(f"{name:<17} {middle:7.2f} s  {middle / files * 1000:6.2f} ms a file  {max(peaks):5.0f} MB at the peak")
    ratios = sorted(theirs[0] / ours[0] for ours, theirs in pairs)
    print(
        f"ratio {statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f}) over {files} files, {runs} runs"
    )


if __name__ == "__main__":
    given = sys.argv[1:] + ["1000", "5", ""][len(sys.argv) - 1 :]
    main(int(given[0]), int(given[1]), given[2])
