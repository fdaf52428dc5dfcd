"""DescribeJobFlows, and the same out of today's calls; and how a job flow goes from its start to its end."""

import time

import pytest

from flowspec.backend.aws.client import Endpoint, connect
from flowspec.boto_emr import EmrConnection, EmrResponseError, JarStep, StreamingStep
from flowspec.boto_emr.jobflows import describe_job_flows
from tests.boto_emr.conftest import RELEASE
from tests.boto_emr.test_methods import run
from tests.waiting import PATIENCE

LOCAL = Endpoint("local")
NAP = JarStep("nap", "command-runner.jar", action_on_failure="CONTINUE", step_args=["sleep", "60"])
FAILS = JarStep("fails", "command-runner.jar", step_args=["false"])


def steps_of(*programs):
    return [JarStep(one, "command-runner.jar", action_on_failure="CONTINUE", step_args=[one]) for one in programs]


def until(connection, jobflow_id, *states):
    """Polls as scripts do; gives the job flow."""
    deadline = time.monotonic() + PATIENCE
    while (flow := connection.describe_jobflow(jobflow_id)).state not in states:
        assert time.monotonic() < deadline, (flow.state, states)
        time.sleep(0.02)
    return flow


def without(members, *names):
    return {name: value for name, value in members.items() if name not in names}


def alike(flow):
    """Returns the members that both APIs have: one of them lacks AutoScalingRole and the like."""
    told = {
        "JobFlowId",
        "Name",
        "LogUri",
        "VisibleToAllUsers",
        "ServiceRole",
        "ExecutionStatusDetail",
        "BootstrapActions",
    }
    out = {name: value for name, value in flow.items() if name in told}
    out["Instances"] = without(flow["Instances"], "UnhealthyNodeReplacement", "Ec2SubnetId")
    out["Steps"] = [
        {
            **step,
            "StepConfig": {
                **step["StepConfig"],
                "HadoopJarStep": without(step["StepConfig"]["HadoopJarStep"], "Properties"),
            },
        }
        for step in flow["Steps"]
    ]
    return out


@pytest.mark.parametrize("end", ["WAITING", "COMPLETED", "FAILED"])
def test_today_s_calls_tell_the_same(here, end):
    steps = {"WAITING": steps_of("true", "false"), "COMPLETED": steps_of("true"), "FAILED": [FAILS, NAP]}[end]
    made = run(here, steps=steps, keep_alive=end == "WAITING", log_uri="s3://b/logs/", service_role="r")
    until(here, made, end)
    params = {"JobFlowIds": [made]}
    (wanted,) = connect(LOCAL).call("DescribeJobFlows", **params)["JobFlows"]
    (built,) = describe_job_flows(connect(LOCAL), params)["JobFlows"]
    assert alike(built) == alike(wanted)


def test_which_job_flows_today_s_calls_tell(still):
    connection = EmrConnection(backend="local")
    made = {state: run(connection) for state in ("WAITING", "TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS")}
    for state, one in made.items():
        still.put_in_state(one, state)

    def told(**params):
        return [flow["JobFlowId"] for flow in describe_job_flows(connect(LOCAL), params)["JobFlows"]]

    assert told() == list(made.values())[::-1]
    assert told(JobFlowStates=["SHUTTING_DOWN"]) == [made["TERMINATING"]]
    assert told(JobFlowStates=["FAILED", "WAITING"]) == [made["TERMINATED_WITH_ERRORS"], made["WAITING"]]
    assert told(JobFlowStates=["COMPLETED"]) == [], "it ended, but not because its steps were through"
    assert told(JobFlowIds=[made["WAITING"]]) == [made["WAITING"]]
    assert told(JobFlowIds=list(made.values())) == list(made.values())[::-1]
    assert told(CreatedAfter="2100-01-01T00:00:00Z") == []
    assert told(CreatedAfter="2100-01-01T00:00:00Z", JobFlowIds=[made["WAITING"]]) == []
    assert told(CreatedBefore="2000-01-01T00:00:00Z", JobFlowIds=[made["WAITING"]]) == []
    for params in ({}, {"JobFlowStates": ["TERMINATED"]}, {"CreatedBefore": "2100-01-01T00:00:00Z"}):
        wanted = connect(LOCAL).call("DescribeJobFlows", **params)["JobFlows"]
        assert told(**params) == [flow["JobFlowId"] for flow in wanted]


def test_of_long_ago_only_those_that_are_alive(still, monkeypatch):
    connection = EmrConnection(backend="local")
    from flowspec.emulator.state import clock

    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now - 20 * 86400)
    alive, ended = run(connection), run(connection)
    still.put_in_state(ended, "TERMINATED")
    monkeypatch.setattr(clock, "now", lambda: now)
    assert [flow["JobFlowId"] for flow in describe_job_flows(connect(LOCAL), {})["JobFlows"]] == [alive]
    assert [flow.jobflowid for flow in connection.describe_jobflows()] == [alive]


def test_an_endpoint_that_no_longer_has_it(faulty):
    connection = EmrConnection(endpoint_url=faulty.way.url)
    made = run(connection, steps=[NAP])
    faulty.way.seen.clear()
    faulty.way.faults["DescribeJobFlows"] = [(400, "UnknownOperationException")]
    flow = connection.describe_jobflow(made)
    assert (flow.jobflowid, flow.state, flow.instancecount) == (made, "WAITING", "3")
    assert [step.name for step in flow.steps] == ["nap"]
    assert set(faulty.way.seen) == {
        "DescribeJobFlows", "DescribeCluster", "ListSteps", "ListInstanceGroups", "ListInstances", "ListBootstrapActions",
    }  # fmt: skip


def test_any_other_error_is_told(faulty):
    faulty.way.faults["DescribeJobFlows"] = [(400, "AccessDeniedException")]
    with pytest.raises(EmrResponseError) as refused:
        EmrConnection(endpoint_url=faulty.way.url).describe_jobflows()
    assert refused.value.error_code == "AccessDeniedException"


def test_a_cluster_with_fleets(still):
    fleet = {
        "InstanceFleetType": "MASTER",
        "TargetOnDemandCapacity": 1,
        "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge"}],
    }
    shorthand = ("MasterInstanceType", "SlaveInstanceType", "InstanceCount")
    instances = {"InstanceFleets": [fleet], **dict.fromkeys(shorthand)}
    connection = EmrConnection(backend="local")
    made = connection.run_jobflow("flow", api_params={**RELEASE, "Instances": instances})
    (built,) = describe_job_flows(connect(LOCAL), {"JobFlowIds": [made]})["JobFlows"]
    assert built["Instances"]["InstanceGroups"] == []
    assert built["Instances"]["MasterInstanceId"].startswith("i-")
    assert connection.describe_jobflow(made).instancegroups == []


def test_a_job_flow_of_an_ami_from_start_to_end(here, own_home):
    """Nothing but the import is changed: no release, commands in S3, a debugging bucket nobody needs."""
    bucket = own_home / "s3/acme"
    for name, text in {
        "in/a.txt": "b a\n",
        "code/map.sh": "#!/bin/sh\ntr ' ' '\\n'\n",
        "code/reduce.sh": "#!/bin/sh\nuniq -c | tr -d ' '\n",
    }.items():
        (bucket / name).parent.mkdir(parents=True, exist_ok=True)
        (bucket / name).write_text(text)
    step = StreamingStep(
        "count",
        mapper="s3n://acme/code/map.sh",
        reducer="s3n://acme/code/reduce.sh",
        input="s3n://acme/in/",
        output="s3n://acme/out/",
    )
    made = here.run_jobflow("flow", "s3n://acme/logs/", num_instances=2, steps=[step], ami_version="2.4.2")
    flow = until(here, made, "COMPLETED", "FAILED")
    assert (flow.state, [one.state for one in flow.steps]) == ("COMPLETED", ["COMPLETED"])
    assert "".join(sorted(part.read_text() for part in (bucket / "out").glob("part-*"))) == "1a\t\n1b\t\n"
    assert flow.startdatetime <= flow.enddatetime


def test_a_step_that_fails_ends_the_job_flow_as_it_did(here):
    made = run(here, steps=[FAILS])
    flow = until(here, made, "FAILED")
    assert flow.laststatechangereason == "Shut down as step failed"
    assert flow.steps[0].state == "FAILED"


def test_a_running_job_flow_is_terminated(here):
    made = run(here, steps=[NAP])
    until(here, made, "RUNNING")
    here.terminate_jobflow(made)
    flow = until(here, made, "TERMINATED")
    assert flow.laststatechangereason == "Terminated by user request"
    with pytest.raises(EmrResponseError, match="may not be modified"):
        here.add_jobflow_steps(made, NAP)
