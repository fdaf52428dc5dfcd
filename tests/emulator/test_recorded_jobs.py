"""The jobs recorded from real Hadoop, as steps of a cluster: what users of the embedded EMR get is what Hadoop gives."""

import re
import time

from flowspec.emulator.state.paths import step_logs
from tests.emulator.conftest import program
from tests.engines.streaming.golden import lay_out
from tests.engines.streaming.test_golden import CASES

LIMIT = 600.0
# What the recorded jobs were run in.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}


def test_recorded_jobs_as_steps(emr, tmp_path, monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    assert CASES
    jobs = {}
    for case in CASES:
        (tmp_path / case.name).mkdir()
        jobs[case.name] = lay_out(case, tmp_path / case.name)
    steps = [program("hadoop-streaming", *job.args, name=name) for name, job in jobs.items()]
    cluster_id = emr.run(*steps, StepConcurrencyLevel=2)
    deadline = time.monotonic() + LIMIT
    while not emr.cluster(cluster_id)["Status"]["State"].startswith("TERMINATED"):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    wrong = {}
    for step in (step for page in emr.pages("ListSteps", "Steps", ClusterId=cluster_id) for step in page):
        job, logs = jobs[step["Name"]], step_logs(emr.home, cluster_id, step["Id"])
        status = re.findall(r"with exitCode (\d+) and took", (logs / "controller").read_text())
        log = "".join((logs / name).read_text(errors="replace") for name in ("syslog", "stdout", "stderr"))
        found = job.differences(int(status[0]), log)
        state = "FAILED" if job.expected["exit_status"] else "COMPLETED"
        if step["Status"]["State"] != state:
            found.append(f"state {step['Status']['State']}")
        if found:
            wrong[step["Name"]] = found
    assert wrong == {}
