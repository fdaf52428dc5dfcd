"""Faults between flowspec and EMR: pages of HTML, TLS errors, other accounts and regions, expired credentials."""

import datetime
import json
import socket
import ssl
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from flowspec import Endpoint, FlowspecError, ServiceError, connect, describe, watch
from flowspec.backend.aws import client
from flowspec.backend.aws.call_errors import OutcomeUnknown, unknown_outcome
from flowspec.backend.aws.events import Ended
from flowspec.backend.aws.ration import RationedEmr
from flowspec.backend.aws.reads import SharedReads
from flowspec.backend.aws.verdict import Outcome
from tests.endpoints import Responding, serving

PAGE = b"<!DOCTYPE html>\n<html><body>Please log in</body></html>"

STEPS = [{"Name": "a", "HadoopJarStep": {"Jar": "x"}}]


class _Answers(ThreadingHTTPServer):
    """Answers each request with what `answer(operation, headers)` gives: a status and a body."""

    daemon_threads = True

    def __init__(self, answer):
        self.answer, self.seen = answer, []
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *args): ...  # a client that refused our certificate


class _Handler(Responding, BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self.server.seen.append(operation)
        status, body = self.server.answer(operation, self.headers)
        self.respond(body, status, "text/html" if body.startswith(b"<") else "application/x-amz-json-1.1")


@contextmanager
def answering(answer, scheme="http", wrap=lambda socket: socket):
    server = _Answers(answer)
    server.socket = wrap(server.socket)
    with serving(server):
        server.url = f"{scheme}://127.0.0.1:{server.server_port}"
        yield server


def emr_at(url):
    return connect(Endpoint("emr", "us-east-1", endpoint_url=url))


# -- HTML


def test_a_page_of_html_is_called_one(credentials, monkeypatch):
    monkeypatch.setattr(client, "_READ_AGAIN_AFTER", (0, 0))
    with answering(lambda *_: (200, PAGE)) as server:
        emr = emr_at(server.url)
        with pytest.raises(FlowspecError, match="DescribeCluster: the answer is a page of HTML") as told:
            describe(emr, "j-1")
        assert "--endpoint-url" in told.value.remedy
        with pytest.raises(OutcomeUnknown, match="page of HTML"):
            emr.create("AddJobFlowSteps", JobFlowId="j-1", Steps=STEPS)
        assert server.seen.count("AddJobFlowSteps") == 1, "it may have been done: it is not sent again"
        with pytest.raises(FlowspecError, match="TerminateJobFlows: the answer is a page of HTML"):
            emr.call("TerminateJobFlows", JobFlowIds=["j-1"])


@pytest.mark.parametrize(
    ("status", "said"),
    [*((status, "the endpoint is not EMR, or a proxy") for status in (401, 403, 404)), (503, "try again later")],
)
def test_an_error_in_html_is_told_in_words(credentials, monkeypatch, status, said):
    monkeypatch.setattr(client, "_READ_ATTEMPTS", 1)
    with answering(lambda *_: (status, PAGE)) as server, pytest.raises(ServiceError) as told:
        describe(emr_at(server.url), "j-1")
    assert told.value.code == str(status)
    assert "the answer is a page of HTML: " in told.value.message
    assert said in told.value.message


@pytest.mark.parametrize("body", [PAGE + b"<p>", b'{"message": "no"}', PAGE], ids=["html", "json", "xhtml"])
def test_an_account_that_nobody_tells(credentials, monkeypatch, body):
    """AWS_ENDPOINT_URL is STS's endpoint, too."""
    with answering(lambda *_: (200, body)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        assert connect(Endpoint("emr", "us-east-1")).account() == ""


# -- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that nobody but itself has signed: its file and that of its key."""
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an EMR of ours")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, pem, plain))
    return files


def cluster(*_):
    return 200, json.dumps({"Cluster": {"Id": "j-1", "Name": "n", "Status": {"State": "WAITING"}}}).encode()


def test_tls_that_fails_names_the_remedy_and_tls_that_does_not(credentials, certificate, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    wrap = lambda socket: context.wrap_socket(socket, server_side=True)  # noqa: E731
    monkeypatch.setattr(client, "_READ_ATTEMPTS", 1)
    with answering(cluster, "https", wrap) as server:
        with pytest.raises(FlowspecError, match="SSL validation failed") as told:
            describe(emr_at(server.url), "j-1", steps=False)
        assert "AWS_CA_BUNDLE" in told.value.remedy
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate[0]))
        assert describe(emr_at(server.url), "j-1", steps=False).state == "WAITING"


def test_an_endpoint_without_tls_is_told(credentials, monkeypatch):
    monkeypatch.setattr(client, "_READ_ATTEMPTS", 1)
    with answering(cluster) as server, pytest.raises(FlowspecError) as told:
        describe(emr_at(server.url.replace("http:", "https:")), "j-1", steps=False)
    assert "http://…" in told.value.remedy


def test_an_answer_that_tls_can_not_decrypt_is_a_lost_one(credentials, certificate, monkeypatch):
    """A handshake that fails has the same class of error; after it nothing was sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate[0]))

    class Spoiling(_Handler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.server.seen.append("AddJobFlowSteps")
            with socket.socket(fileno=self.connection.detach()) as plain:
                # A record of TLS 1.2 and 1.3 with what nobody has encrypted.
                plain.sendall(b"\x17\x03\x03\x00\x40" + bytes(64))

    wrap = lambda socket: context.wrap_socket(socket, server_side=True)  # noqa: E731
    with answering(cluster, "https", wrap) as server:
        server.RequestHandlerClass = Spoiling
        with pytest.raises(OutcomeUnknown, match="AddJobFlowSteps: no answer"):
            emr_at(server.url).create("AddJobFlowSteps", JobFlowId="j-1", Steps=STEPS)
        assert server.seen == ["AddJobFlowSteps"]
        monkeypatch.delenv("AWS_CA_BUNDLE")
        with pytest.raises(FlowspecError, match="SSL validation failed") as refused:
            emr_at(server.url).create("AddJobFlowSteps", JobFlowId="j-1", Steps=STEPS)
        assert not isinstance(refused.value, OutcomeUnknown)


def test_an_answer_that_is_lost_while_an_error_of_connecting_is_handled():
    """As where a caller calls again: what it handles is the context of the new error."""

    def connect():
        raise EndpointConnectionError(endpoint_url="https://emr.invalid")

    def call_again():
        try:
            connect()
        except EndpointConnectionError:
            with unknown_outcome("RunJobFlow"):
                raise ReadTimeoutError(endpoint_url="https://emr.invalid") from None

    with pytest.raises(OutcomeUnknown, match="RunJobFlow: no answer"):
        call_again()


# -- accounts, regions, clocks


def test_a_cluster_of_another_region_is_told_with_region_and_account(moto, monkeypatch):
    refused = json.dumps({"__type": "InvalidRequestException", "message": "Cluster id 'j-1' is not valid."}).encode()

    def regional(operation, headers):
        return cluster() if "/eu-west-1/" in headers["Authorization"] else (400, refused)

    with answering(regional) as server:
        # Not as an endpoint of one's own, which has no account.
        monkeypatch.setenv("AWS_ENDPOINT_URL_EMR", server.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto)
        with pytest.raises(FlowspecError, match="no cluster j-1 in us-east-1 of account 123456789012") as told:
            describe(connect(Endpoint("emr", "us-east-1")), "j-1")
        assert "--profile and --region" in told.value.remedy
        assert describe(connect(Endpoint("emr", "eu-west-1")), "j-1", steps=False).state == "WAITING"


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("RequestTimeTooSkewed", "the clock of this machine"),
        ("InvalidSignatureException", "the clock of this machine"),
        ("ExpiredTokenException", "renew the credentials"),
        ("UnrecognizedClientException", "check AWS_ACCESS_KEY_ID"),
        ("AccessDeniedException", "`flowspec iam SPEC`"),
    ],
)
def test_refused_credentials_have_a_remedy(credentials, code, remedy):
    body = json.dumps({"__type": code, "message": "Signature expired: 20261128T000000Z"}).encode()
    with answering(lambda *_: (403, body)) as server, pytest.raises(ServiceError) as told:
        describe(emr_at(server.url), "j-1")
    assert remedy in told.value.remedy


# -- credentials that expire


EXPIRED = json.dumps({"__type": "ExpiredTokenException", "message": "The security token has expired"}).encode()


def keyed(key, state=lambda: "RUNNING"):
    """An EMR that takes only this access key."""

    def answer(operation, headers):
        if f"Credential={key()}/" not in headers["Authorization"]:
            return 400, EXPIRED
        if operation == "ListSteps":
            return 200, b'{"Steps": []}'
        return 200, json.dumps({"Cluster": {"Id": "j-1", "Name": "n", "Status": {"State": state()}}}).encode()

    return answer


def write_keys(path, key):
    path.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = s\naws_session_token = t\n")


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The file of the credentials, which has the key ASIAFIRST."""
    path = tmp_path / "credentials"
    write_keys(path, "ASIAFIRST")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    return path


def test_a_run_is_watched_on_when_credentials_are_renewed(file):
    accepted, state = ["ASIAFIRST"], ["RUNNING"]
    with answering(keyed(lambda: accepted[0], state=lambda: state[0])) as server:
        emr, looks = emr_at(server.url), []

        def sleep(_):
            looks.append(accepted[0])
            if len(looks) == 1:
                accepted[0] = "ASIANEXT"
            elif len(looks) == 4:
                write_keys(file, "ASIANEXT")
                state[0] = "TERMINATED"

        events = list(watch(emr, "j-1", sleep=sleep))
    assert isinstance(events[-1], Ended)
    assert events[-1].cluster.state == "TERMINATED"
    assert len(looks) >= 4, "some looks failed in between"


def test_clients_of_other_services_are_made_once_for_the_same_credentials(file, monkeypatch):
    with answering(keyed(lambda: "ASIANEXT")) as server:
        emr = emr_at(server.url)
        first = emr.s3()
        assert emr.s3() is first
        assert emr.s3(timeout=5) is not first
        write_keys(file, "ASIANEXT")
        emr.call("DescribeCluster", ClusterId="j-1")
        assert "ASIANEXT" in unquote(signed(emr.s3()))
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        assert signed(emr.s3()).startswith("http://127.0.0.1:9/")


def signed(client):
    return client.generate_presigned_url("get_object", {"Bucket": "acme", "Key": "a"})


def test_credentials_that_stay_expired_end_the_watch_with_the_remedy(credentials):
    accepted = ["testing"]
    ticks = iter(range(0, 10_000, 100))
    with answering(keyed(lambda: accepted[0])) as server:
        emr = emr_at(server.url)

        def sleep(_):
            accepted[0] = "another"

        with pytest.raises(ServiceError, match="ExpiredToken") as told:
            list(watch(emr, "j-1", clock=lambda: next(ticks), sleep=sleep))
    assert "aws sso login" in told.value.remedy
    assert "flowspec wait" in told.value.remedy


def test_a_watch_ends_in_time_though_nothing_can_be_read(credentials):
    accepted, ticks = ["testing"], iter(range(0, 10_000, 10))
    with answering(keyed(lambda: accepted[0])) as server:
        events = watch(
            emr_at(server.url),
            "j-1",
            timeout=60,
            clock=lambda: next(ticks),
            sleep=lambda _: accepted.__setitem__(0, "another"),
        )
        last = list(events)[-1]
    assert (last.verdict.outcome, last.cluster.state) == (Outcome.TIMED_OUT, "RUNNING")


SSO = "sso_start_url=https://acme.awsapps.com/start\nsso_region=us-east-1\nsso_account_id=1\nsso_role_name=jobs\n"


def test_credentials_that_can_not_be_renewed_are_an_error_with_its_remedy(file, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with answering(keyed(lambda: "ASIANEXT")) as server:
        emr = emr_at(server.url)
        file.write_text(f"[default]\n{SSO}")
        with pytest.raises(FlowspecError, match="SSO Token") as told:
            emr.call("DescribeCluster", ClusterId="j-1")
    assert "aws sso login" in told.value.remedy


def test_a_call_that_creates_something_is_not_sent_twice_for_it(file):
    with answering(keyed(lambda: "ASIANEXT")) as server:
        emr = emr_at(server.url)
        write_keys(file, "ASIANEXT")
        with pytest.raises(ServiceError, match="ExpiredToken"):
            emr.create("AddJobFlowSteps", JobFlowId="j-1", Steps=STEPS)
        assert server.seen == ["AddJobFlowSteps"]


@pytest.mark.parametrize("sharing", [SharedReads, RationedEmr])
def test_a_connection_over_another_has_its_renewed_credentials(file, sharing):
    with answering(keyed(lambda: "ASIANEXT")) as server:
        emr = sharing(emr_at(server.url))
        write_keys(file, "ASIANEXT")
        emr.call("DescribeCluster", ClusterId="j-1")
        assert emr.create("ListSteps", ClusterId="j-1")["Steps"] == []
