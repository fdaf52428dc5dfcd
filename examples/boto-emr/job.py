#!/usr/bin/env python3
"""A job flow as scripts made them with boto 2: how often did the web servers answer with which status?

    python job.py s3n://acme-logs          on AWS
    python job.py "$PWD" local             on this machine, by the embedded EMR

Only the import is not boto 2's; and the backend, for the second. job.yaml is the spec that this became.
"""

import sys
import time

from flowspec.boto_emr import BootstrapAction, EmrConnection, StreamingStep  # was: from boto.emr... import ...

root, backend = (*sys.argv[1:], "emr")[:2]
connection = EmrConnection(backend=backend)

count = StreamingStep(
    "count statuses",
    mapper=f"{root}/mapper.py",
    reducer="aggregate",
    input=f"{root}/logs/",
    output=f"{root}/counts/",
    action_on_failure="CANCEL_AND_WAIT",
)
jobflow_id = connection.run_jobflow(
    "web statuses",
    log_uri=f"{root}/emr-logs/",
    master_instance_type="m5.xlarge",
    slave_instance_type="m5.xlarge",
    num_instances=3,
    keep_alive=True,
    steps=[count],
    bootstrap_actions=[BootstrapAction("install tools", f"{root}/bootstrap.sh", ["--quiet"])],
    job_flow_role="EMR_EC2_DefaultRole",
    service_role="EMR_DefaultRole",
    api_params={"ReleaseLabel": "emr-7.5.0", "Applications.member.1.Name": "Hadoop"},
)
print("started", jobflow_id)

one_file = StreamingStep(
    "put them into one file",
    mapper="cat",
    reducer="cat",
    input=f"{root}/counts/",
    output=f"{root}/report/",
    step_args=["-D", "mapreduce.job.reduces=1"],
    action_on_failure="CANCEL_AND_WAIT",
)
connection.add_jobflow_steps(jobflow_id, [one_file])

states = []
while True:
    jobflow = connection.describe_jobflow(jobflow_id)
    seen, states = states, [step.state for step in jobflow.steps]
    if states != seen:
        print(jobflow.state, *states)
    if all(state not in {"PENDING", "RUNNING"} for state in states):
        break
    time.sleep(0.2 if backend == "local" else 30)

connection.terminate_jobflow(jobflow_id)
sys.exit(states != ["COMPLETED", "COMPLETED"])
