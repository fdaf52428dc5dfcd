"""What a preflight finds in an account that is moto's, and what it leaves open when it may not ask."""

import json
import threading
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import parse_qs

import boto3
import pytest

from flowspec.backend.aws import client
from flowspec.backend.aws.client import Endpoint, connect
from flowspec.backend.aws.permissions import permissions_of
from flowspec.backend.aws.preflight.network import network_findings
from flowspec.backend.aws.preflight.roles import role_findings
from flowspec.document.checking.validate import validate
from flowspec.document.text.parse import load
from flowspec.errors import FlowspecError
from flowspec.pipeline import plan_on, preflight_on, refuse_wrong
from flowspec.plan.findings import Level, wrong
from flowspec.report.preflight import preflight_lines
from flowspec.request.compile import compile
from tests.emulator.conftest import emulator
from tests.endpoints import passed_on, reset_moto, serving

SPEC = """flowspec: v1
name: counts
region: us-east-1
staging: s3://acme-staging/
release_label: emr-7.5.0
log_uri: s3://acme-logs/emr/
service_role: EMR_DefaultRole
job_flow_role: EMR_EC2_DefaultRole
ec2_keyname: etl
ec2_subnet_id: {subnet}
emr_managed_master_security_group: {group}
instance_groups: [{{role: MASTER, type: m5.xlarge, count: 1}}]
bootstrap_actions: [{{name: tools, path: s3://acme-data/tools.sh}}]
steps:
  - {{name: count, type: streaming, mapper: /bin/cat, reducer: none, input: 's3://acme-data/in/*/', output: s3://acme-data/mid}}
  - {{name: sort, type: streaming, mapper: /bin/cat, reducer: none, input: s3://acme-data/mid, output: s3://acme-data/out}}
"""
TRUST = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": None}}]}


class Account:
    """An account at moto in which SPEC can run."""

    def __init__(self, url, session):
        def client(service):
            return session.client(service, endpoint_url=url)

        self.url = url
        self.s3, self.iam, self.ec2 = client("s3"), client("iam"), client("ec2")
        for name in ("acme-data", "acme-logs", "acme-staging"):
            self.s3.create_bucket(Bucket=name)
        for key in ("tools.sh", "in/a/part-0", "done/part-0"):
            self.s3.put_object(Bucket="acme-data", Key=key, Body=b"x")
        self.add_role("EMR_DefaultRole", "elasticmapreduce.amazonaws.com")
        self.add_role("nodes", "ec2.amazonaws.com")
        self.iam.create_instance_profile(InstanceProfileName="EMR_EC2_DefaultRole")
        self.iam.add_role_to_instance_profile(InstanceProfileName="EMR_EC2_DefaultRole", RoleName="nodes")
        self.ec2.create_key_pair(KeyName="etl")
        subnet = self.ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": ["us-east-1a"]}])[
            "Subnets"
        ][0]
        self.subnet, self.network = subnet["SubnetId"], subnet["VpcId"]
        self.group = self.ec2.create_security_group(GroupName="m", Description="m", VpcId=self.network)["GroupId"]

    def add_role(self, name, service):
        trust = json.loads(json.dumps(TRUST))
        trust["Statement"][0]["Principal"]["Service"] = service
        self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))


@pytest.fixture(scope="module")
def session():
    """One for all: reading the model of EC2 takes a second."""
    return boto3.Session("testing", "testing", region_name="us-east-1")


@pytest.fixture(scope="module")
def account(moto_port, session):
    """Tests add to it, and take nothing away."""
    reset_moto(moto_port)
    return Account(f"http://127.0.0.1:{moto_port}", session)


@pytest.fixture
def look(session, account, credentials, tmp_path):
    """Runs the preflight of SPEC with some of its texts replaced; gives {level: {subject: message}}."""

    def findings(*changes, url=account.url, **given):
        return by_level(planned(*changes, url=url, **given).preflight)

    def planned(*changes, url=account.url, **given):
        text = SPEC.format(**{"subnet": account.subnet, "group": account.group, **given})
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "job.yaml"
        path.write_text(text)
        flow = validate(load(path), emr_rules=False)
        request = compile(flow)
        emr = connect(Endpoint("emr", "us-east-1", endpoint_url=url), session)
        return preflight_on(emr, flow, request, plan_on(emr, flow, request))

    findings.planned = planned
    return findings


def by_level(found):
    return {level: {one.subject: one.message for one in found if one.level is level} for level in Level}


def test_an_account_in_which_all_is_there(look):
    found = look()
    assert found[Level.WRONG] == {}
    assert found[Level.WARNING] == {}
    # moto does not simulate policies.
    passed = {f"iam:PassRole to {one}.amazonaws.com" for one in ("ec2", "elasticmapreduce")}
    assert set(found[Level.UNCHECKED]) == {*passed, "elasticmapreduce:RunJobFlow"}
    assert set(found[Level.OK]) == {
        "bucket acme-data",
        "bucket acme-logs",
        "bootstrap action tools: s3://acme-data/tools.sh",
        "step count: s3://acme-data/in/*/",
        "step count: s3://acme-data/mid",
        "step sort: s3://acme-data/mid",
        "step sort: s3://acme-data/out",
        "service_role EMR_DefaultRole",
        "job_flow_role EMR_EC2_DefaultRole",
        "key pair etl",
        *(one for one in found[Level.OK] if one.startswith(("subnet ", "emr_managed_master", "instance group"))),
    }


FAULTS = {
    "script": ([("tools.sh", "tool.sh")], "bootstrap action tools: s3://acme-data/tool.sh", "does not exist"),
    "bucket": ([("acme-logs", "acme-log")], "bucket acme-log", "does not exist; log_uri names it"),
    "input": ([("in/*/", "inn/*/")], "step count: s3://acme-data/inn/*/", "does not exist"),
    "glob": ([("in/*/", "in/b*/")], "step count: s3://acme-data/in/b*/", "does not exist"),
    "output": ([("acme-data/out", "acme-data/done")], "step sort: s3://acme-data/done", "exists already"),
    "twice": ([("acme-data/out", "acme-data/mid")], "step sort: s3://acme-data/mid", "step count writes there, too"),
    "role": ([("EMR_DefaultRole", "Nobody")], "service_role Nobody", "does not exist"),
    "trust": (
        [("EMR_DefaultRole", "nodes")],
        "service_role nodes",
        "can't be assumed by elasticmapreduce.amazonaws.com",
    ),
    "profile": ([("EMR_EC2_DefaultRole", "nodes")], "job_flow_role nodes", "does not exist"),
    "key": ([("etl", "elt")], "key pair elt", "does not exist in this account and region"),
    "type": ([("m5.xlarge", "mac1.metal")], "instance group MASTER: mac1.metal", "is not on offer in us-east-1a"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_data_and_parts_of_the_account_that_are_not_as_they_have_to_be(look, fault):
    changes, subject, message = FAULTS[fault]
    found = look(*changes)[Level.WRONG]
    assert list(found) == [subject]
    assert found[subject].startswith(message)


def test_a_name_that_only_begins_like_an_output_is_no_output(look, account):
    account.s3.put_object(Bucket="acme-data", Key="end-2/part-0", Body=b"x")
    assert look(("acme-data/out", "acme-data/end"))[Level.WRONG] == {}
    account.s3.put_object(Bucket="acme-data", Key="end_$folder$", Body=b"")
    assert "step sort: s3://acme-data/end" in look(("acme-data/out", "acme-data/end"))[Level.WRONG]


def test_a_bucket_of_another_region_is_a_warning(look, account, session):
    s3 = session.client("s3", region_name="eu-west-1", endpoint_url=account.url)
    s3.create_bucket(Bucket="far", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    found = look(("acme-logs", "far"))
    assert found[Level.WARNING] == {"bucket far": "is in eu-west-1, not in us-east-1"}
    assert found[Level.WRONG] == {}


def test_subnets_and_groups(look, account):
    assert look(subnet="subnet-0123")[Level.WRONG] == {
        "subnet subnet-0123": "does not exist in this account and region"
    }
    other = account.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    group = account.ec2.create_security_group(GroupName="o", Description="o", VpcId=other)["GroupId"]
    found = look(group=group)[Level.WRONG]
    subject = f"emr_managed_master_security_group {group}"
    assert found == {subject: f"is of network {other}, the subnets of {account.network}"}
    small = account.ec2.create_subnet(VpcId=other, CidrBlock="10.9.0.0/28", AvailabilityZone="us-east-1a")
    many = ("count: 1}]", "count: 1}, {role: CORE, type: m5.xlarge, count: 40}]")
    found = look(many, subnet=small["Subnet"]["SubnetId"], group=group)
    assert found[Level.WARNING]["subnets"].endswith("free addresses; the cluster starts with 41 instances")


def test_the_subnets_of_alternatives_are_looked_at_too(look, account):
    other = account.ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    far = account.ec2.create_subnet(VpcId=other, CidrBlock="10.8.0.0/24")["Subnet"]["SubnetId"]
    fallback = ("steps:\n", f"fallback: [{{ec2_subnet_id: {far}}}, {{ec2_subnet_id: subnet-0123}}]\nsteps:\n")
    found = look(fallback)[Level.WRONG]
    assert set(found) == {"subnet subnet-0123", "subnets"}
    assert found["subnets"] == f"are of several networks: {', '.join(sorted([account.network, other]))}"


def test_a_refusal_names_a_remedy_beside_each_problem(look):
    with pytest.raises(FlowspecError) as refused:
        refuse_wrong(look.planned(("acme-logs", "acme-log"), ("EMR_EC2_DefaultRole", "nodes")))
    assert refused.value.message == (
        "nothing was submitted, since it would fail: "
        "bucket acme-log does not exist; log_uri names it (aws s3 mb s3://acme-log creates it); "
        "job_flow_role nodes does not exist (it is the name of an instance profile, not of a role: "
        "aws iam create-instance-profile creates one)"
    )
    assert refused.value.remedy == "correct this, or submit without the preflight: --skip-preflight"


def test_the_command_that_creates_the_default_roles_creates_their_profile(look, account):
    both = {"InstanceProfileName": "EMR_EC2_DefaultRole", "RoleName": "nodes"}
    account.iam.remove_role_from_instance_profile(**both)
    account.iam.delete_instance_profile(InstanceProfileName="EMR_EC2_DefaultRole")
    try:
        [missing] = wrong(look.planned().preflight)
    finally:
        account.iam.create_instance_profile(InstanceProfileName="EMR_EC2_DefaultRole")
        account.iam.add_role_to_instance_profile(**both)
    assert (missing.subject, missing.message) == ("job_flow_role EMR_EC2_DefaultRole", "does not exist")
    assert missing.remedy.startswith("aws emr create-default-roles ")


def test_a_profile_without_a_role(look, account):
    account.iam.create_instance_profile(InstanceProfileName="empty")
    found = look(("EMR_EC2_DefaultRole", "empty"))[Level.WRONG]
    assert found == {"job_flow_role empty": "is an instance profile without a role"}


def test_the_managed_policy_wants_its_tag(look, account):
    policy = account.iam.create_policy(
        PolicyName="AmazonEMRServicePolicy_v2",
        PolicyDocument='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}',
    )
    account.add_role("EMR_DefaultRole_V2", "elasticmapreduce.amazonaws.com")
    account.iam.attach_role_policy(RoleName="EMR_DefaultRole_V2", PolicyArn=policy["Policy"]["Arn"])
    role = ("EMR_DefaultRole", "EMR_DefaultRole_V2")
    assert list(look(role)[Level.WRONG]) == ["tag for-use-with-amazon-emr-managed-policies"]
    tag = ("name: counts\n", "name: counts\ntags: {for-use-with-amazon-emr-managed-policies: 'true'}\n")
    assert look(role, tag)[Level.WRONG] == {}


def test_what_an_earlier_program_may_write_is_left_open(look):
    copy = "steps:\n  - {name: copy, type: command, args: [aws, s3, sync, s3://x/, s3://acme-data/inn/]}\n"
    found = look(("steps:\n", copy), ("in/*/", "inn/*/"))
    assert found[Level.WRONG] == {"bucket x": "does not exist; step copy names it"}
    assert found[Level.UNCHECKED]["step count: s3://acme-data/inn/*/"] == "does not exist yet; step copy may write it"


class Way(ThreadingHTTPServer):
    """A way to moto on which some requests get no answer; `seen` counts the requests.

    `denied` are the services that refuse, `elsewhere` those in whose place a page is answered, with its status. IAM's SimulatePrincipalPolicy, which moto lacks, is answered by `policy`: it
    gives the decision on an action and a resource.
    """

    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.moto_port, self.denied, self.elsewhere, self.policy, self.seen = port, set(), {}, None, []
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        scope = self.headers.get("Authorization", "").partition("Credential=")[2].split("/")
        service = scope[3] if len(scope) > 3 else ""
        with self.server.lock:
            self.server.seen.append(service)
        asked = parse_qs(body.decode("utf-8", "replace"))
        if service in self.server.denied:
            return self.denied(service)
        if service in self.server.elsewhere:
            return self.answer(
                self.server.elsewhere[service], {"Content-Type": "text/html"}, b"<html><body>Welcome</body></html>"
            )
        if asked.get("Action") == ["SimulatePrincipalPolicy"] and self.server.policy:
            return self.answer(200, {"Content-Type": "text/xml"}, simulated(asked, self.server.policy))
        return self.answer(*passed_on(self, body, self.server.moto_port))

    do_GET = do_PUT = do_HEAD = do_POST = handle_any  # noqa: N815 - the names that http.server calls

    def denied(self, service):
        code = "UnauthorizedOperation" if service == "ec2" else "AccessDenied"
        text = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
        if service == "ec2":
            text = f"<Response><Errors>{text}</Errors><RequestID>1</RequestID></Response>"
        elif service != "s3":
            text = f"<ErrorResponse>{text}<RequestId>1</RequestId></ErrorResponse>"
        self.answer(403, {"Content-Type": "text/xml"}, text.encode())

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args): ...


def simulated(asked, policy):
    (action,) = asked["ActionNames.member.1"]
    services = asked.get("ContextEntries.member.1.ContextKeyValues.member.1", [""])
    resources = [value for name, (value,) in asked.items() if name.startswith("ResourceArns")]
    items = "".join(
        f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>{one}</EvalResourceName>"
        f"<EvalDecision>{policy(action, one, services[0])}</EvalDecision></member>"
        for one in resources
    )
    return (
        '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
        f"<SimulatePrincipalPolicyResult><EvaluationResults>{items}</EvaluationResults>"
        "</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
    ).encode()


@pytest.fixture
def way(moto_port, account):
    server = Way(moto_port)
    with serving(server):
        yield server


@pytest.mark.parametrize("service", ["s3", "iam", "ec2"])
def test_what_may_not_be_asked_is_not_checked_and_never_wrong(look, way, service):
    way.denied.add(service)
    found = look(url=f"http://127.0.0.1:{way.server_port}")
    assert found[Level.WRONG] == {}
    assert any("access denied (" in message for message in found[Level.UNCHECKED].values())
    assert found[Level.OK], "the other services were asked all the same"


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("service", ["s3", "iam", "ec2", "sts"])
def test_a_page_in_place_of_a_service_is_no_answer(look, way, service, status):
    way.elsewhere[service] = status
    found = look(url=f"http://127.0.0.1:{way.server_port}")
    assert found[Level.WRONG] == {}
    assert found[Level.OK], "the other services were asked all the same"
    if service != "sts":
        assert f"the endpoint has no {service.upper()}" in found[Level.UNCHECKED].values()


def test_the_embedded_emr_has_no_other_services_and_that_is_told_in_one_line(look, tmp_path):
    with emulator(tmp_path / "home") as url:
        plan = look.planned(url=url)
    lines = list(preflight_lines(plan.preflight))
    assert len(lines) == 2, lines
    assert lines[1].startswith("  not checked: bucket acme-")
    assert "service_role EMR_DefaultRole" in lines[1]
    assert "instance types m5.xlarge" in lines[1]
    assert lines[1].endswith(": the endpoint has no S3, no IAM, no EC2")


def test_nobody_answers(look, way, monkeypatch):
    for service in ("S3", "IAM", "EC2", "STS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", "http://127.0.0.1:1")
    found = look(url=f"http://127.0.0.1:{way.server_port}")
    assert found[Level.WRONG] == found[Level.OK] == {}
    assert found[Level.UNCHECKED]


def test_passing_roles_is_simulated(look, way):
    way.policy = lambda action, resource, service: (
        "implicitDeny" if action == "iam:PassRole" and service == "ec2.amazonaws.com" else "allowed"
    )
    found = look(url=f"http://127.0.0.1:{way.server_port}")
    (subject,) = found[Level.WRONG]
    assert subject == "iam:PassRole of nodes"
    assert found[Level.WRONG][subject].endswith("(implicitDeny)")
    assert {"iam:PassRole of EMR_DefaultRole", "elasticmapreduce:RunJobFlow"} <= set(found[Level.OK])


def test_the_calls_are_few(look, way):
    way.policy = lambda *_: "allowed"
    found = look(url=f"http://127.0.0.1:{way.server_port}")
    assert found[Level.UNCHECKED] == {}
    calls = {name: way.seen.count(name) for name in ("s3", "iam", "ec2", "sts")}
    assert calls["s3"] == 7, "two buckets, one file, and a listing for each of four paths"
    assert (calls["iam"], calls["ec2"], calls["sts"]) == (6, 4, 1)


# The permission that an operation needs when it has another name (S3 User Guide, "Required permissions for Amazon S3
# API operations"). GetCallerIdentity needs none.
PERMISSIONS = {"HeadObject": "GetObject", "HeadBucket": "ListBucket", "ListObjectsV2": "ListBucket"}


@pytest.mark.parametrize(
    ("findings", "together"),
    [
        (network_findings, [{"DescribeSubnets", "DescribeSecurityGroups", "DescribeKeyPairs"}]),
        (
            role_findings,
            [
                {"GetCallerIdentity", "GetRole", "GetInstanceProfile", "ListAttachedRolePolicies"},
                {"SimulatePrincipalPolicy elasticmapreduce:RunJobFlow", "SimulatePrincipalPolicy iam:PassRole"},
            ],
        ),
    ],
)
def test_calls_are_sent_side_by_side(findings, together):
    answers = {
        "GetCallerIdentity": {"Arn": "arn:aws:iam::1:user/me"},
        "GetRole": {"Role": {"Arn": "arn:aws:iam::1:role/emr"}},
        "GetInstanceProfile": {"InstanceProfile": {}},
    }
    barriers = {name: barrier for names in together for barrier in [threading.Barrier(len(names))] for name in names}

    def ask(operation, **params):
        # Each is answered only when all that can be sent at that moment are under way.
        barriers[" ".join([operation, *params.get("ActionNames", ())])].wait(60)
        return answers.get(operation, {})

    instances = {"Ec2KeyName": "etl", "Ec2SubnetId": "subnet-1", "EmrManagedMasterSecurityGroup": "sg-1"}
    request = {"Instances": instances, "ServiceRole": "emr", "JobFlowRole": "nodes"}
    emr = SimpleNamespace(ask=lambda service: ask, region="us-east-1")
    assert findings(emr, SimpleNamespace(request=request, fallback=()))


def needed(service, operation, params):
    """The action of a call, and the resource that it is allowed for."""
    action = f"{service}:{PERMISSIONS.get(operation, operation)}"
    if service == "s3":
        return action, "arn:aws:s3:::" + "/".join(params[name] for name in ("Bucket", "Key") if name in params)
    if operation == "SimulatePrincipalPolicy":
        return action, params["PolicySourceArn"].replace(":sts:", ":iam:")  # moto's user has an ARN of STS
    names = (("role", params.get("RoleName")), ("instance-profile", params.get("InstanceProfileName")))
    return action, next((f"arn:aws:iam::123456789012:{kind}/{name}" for kind, name in names if name), "*")


def test_each_question_is_allowed_by_the_policy_that_is_printed_and_no_other(look, monkeypatch, tmp_path):
    asked, send = set(), client._send

    def recording(connection, operation, params):
        service = connection.meta.service_model.service_name
        if service not in ("emr", "sts"):
            asked.add(needed(service, operation, params))
        return send(connection, operation, params)

    monkeypatch.setattr(client, "_send", recording)
    assert look()[Level.WRONG] == {}
    flow = validate(load(tmp_path / "job.yaml"), emr_rules=False)
    policy = permissions_of(flow, compile(flow), "123456789012").apply["Statement"]
    preflight = [one for one in policy if one["Sid"].startswith("Preflight")]
    allowing = {
        call: [one["Sid"] for one in preflight if call[0] in one["Action"] and _is_of(call[1], one["Resource"])]
        for call in asked
    }
    assert [call for call, sids in allowing.items() if not sids] == []
    assert {sid for sids in allowing.values() for sid in sids} == {one["Sid"] for one in preflight}
    assert {action for one in preflight for action in one["Action"]} == {action for action, _ in asked}


def _is_of(resource, patterns):
    return any(fnmatchcase(resource, one) for one in patterns)


def test_a_run_that_would_fail_is_refused_with_its_place(look, tmp_path):
    plan = look.planned(("tools.sh", "tool.sh"))
    (found,) = [one for one in plan.preflight if one.level is Level.WRONG]
    line = (tmp_path / "job.yaml").read_text().splitlines()[found.location.line - 1]
    assert "tool.sh" in line
    with pytest.raises(FlowspecError, match=r"nothing was submitted.*tool.sh does not exist"):
        refuse_wrong(plan)
