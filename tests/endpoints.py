"""Fixtures: an EMR and S3 to talk to, which is moto's server, and faulty ways to both."""

import json
import socket
import threading
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import boto3
import pytest
from moto.server import ThreadedMotoServer

from flowspec.backend.aws.client import Endpoint, connect
from flowspec.emulator.api.service import Service
from flowspec.emulator.http import Endpoint as EmbeddedEndpoint
from flowspec.emulator.state.store import Store

# The head of a spec for an endpoint, which a test completes.
NIGHTLY = """\
flowspec: v1
name: nightly
region: us-east-1
release_label: emr-7.5.0
service_role: EMR_DefaultRole
job_flow_role: EMR_EC2_DefaultRole
ec2_subnet_id: subnet-0a
"""


@contextmanager
def moto_server():
    """A server of moto; gives its port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture(scope="session")
def moto_port():
    with moto_server() as port:
        yield port


def reset_moto(port):
    """Takes all out of a moto server."""
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/moto-api/reset")
    connection.getresponse().read()
    connection.close()


@pytest.fixture
def credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.fixture
def moto(moto_port, credentials, monkeypatch):
    """The URL of a moto server with nothing in it; botocore calls again without waiting.

    moto answers the operations that it lacks with 500, after which botocore would wait up to 20 s in all.
    """
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(time=time.time, sleep=lambda _: None))
    reset_moto(moto_port)
    return f"http://127.0.0.1:{moto_port}"


@pytest.fixture
def s3(moto):
    """A client of moto's S3, which has the bucket acme."""
    client = boto3.client("s3", region_name="us-east-1", endpoint_url=moto)
    client.create_bucket(Bucket="acme")
    yield client
    client.close()


@pytest.fixture
def lock_at_once(monkeypatch):
    """Lets the lock of a cluster be read again at once, in place of after 2 s: nobody else writes it."""
    monkeypatch.setattr("flowspec.backend.aws.submission.lock._SETTLES_IN", 0.0)


@pytest.fixture
def quick_launches(monkeypatch):
    """Lets an instance of the embedded EMR start and leave within one look, in place of 10 s and 5 s."""
    monkeypatch.setattr("flowspec.emulator.state.instances.LAUNCH_SECONDS", 0.4)
    monkeypatch.setattr("flowspec.emulator.state.instances.LEAVE_SECONDS", 0.2)


@pytest.fixture
def emr(moto):
    """A connection to moto's EMR."""
    return connect(Endpoint("emr", "us-east-1", endpoint_url=moto))


def make_account(url):
    """Makes what the target prod of the example wordcount names: its buckets, its input, and its roles."""
    clients = {name: boto3.client(name, region_name="us-east-1", endpoint_url=url) for name in ("s3", "iam")}
    s3, iam = clients["s3"], clients["iam"]
    for bucket in ("acme-artifacts", "acme-texts", "acme-logs"):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket="acme-texts", Key="stories/a.txt", Body=b"once upon a time")
    for role, service in (("EMR_DefaultRole", "elasticmapreduce"), ("EMR_EC2_DefaultRole", "ec2")):
        trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = {"Version": "2012-10-17", "Statement": [trust]}
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(document))
    iam.create_instance_profile(InstanceProfileName="EMR_EC2_DefaultRole")
    iam.add_role_to_instance_profile(InstanceProfileName="EMR_EC2_DefaultRole", RoleName="EMR_EC2_DefaultRole")
    for client in clients.values():
        client.close()


class Responding:
    """For a handler of requests: answers one by one call, and logs none."""

    def respond(self, body, status=200, kind="application/x-amz-json-1.1"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args): ...


class Answering(ThreadingHTTPServer):
    """Answers every POST with `status` and `body`, and keeps the (path, headers, body) of what came."""

    daemon_threads = True
    status, body = 200, b'{"Clusters": []}'

    def __init__(self):
        self.seen = []
        super().__init__(("127.0.0.1", 0), _AnsweringHandler)


class _AnsweringHandler(Responding, BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, dict(self.headers), body.decode()))
        self.respond(self.server.body, self.server.status)


@pytest.fixture
def answering():
    """An HTTP server that answers as it is told."""
    with serving(Answering()) as server:
        yield server


class FaultyWay(ThreadingHTTPServer):
    """Passes requests on to an EMR at `port` of this machine, but for those that meet a fault.

    `faults` has a list of faults to come for an operation; `draw` gives one for any other call, or None. A fault is

    - "dropped": the connection dies before the call is carried out; "lost": after it;
    - "truncated": half of the body is answered, as all of it; "cut": half of the body, and the connection dies;
    - "late": carried out, and not answered until the client's time is over, which `is_late` is set for;
    - "slow": carried out, and answered only when `released` is set; `waiting` is set until then;
    - ("after", HTTP status): carried out, and an error of a server on the way is answered;
    - a function: carried out, and called instead of an answer;
    - (HTTP status, error code): answered, and not carried out; bytes: answered with status 200 in the same way.
    """

    daemon_threads = True
    is_late = False

    def __init__(self, port, draw=lambda: None):
        self.emr_port, self.draw, self.faults, self.seen, self.connections = port, draw, {}, [], 0
        self.waiting, self.released = threading.Event(), threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *args): ...  # a client that gave up waiting

    def process_request(self, *args):
        self.connections += 1
        super().process_request(*args)

    def next_fault(self, operation):
        self.seen.append(operation)
        pending = self.faults.get(operation)
        return pending.pop(0) if pending else self.draw()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        fault = self.server.next_fault(self.headers.get("X-Amz-Target", "").rpartition(".")[2])
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if fault == "dropped":
            return self.hang_up()
        if isinstance(fault, tuple) and fault[0] != "after":
            return self.answer(fault[0], f'{{"__type": "{fault[1]}", "message": "as asked for"}}'.encode())
        if isinstance(fault, bytes):
            return self.answer(200, fault)
        status, _, answer = passed_on(self, body, self.server.emr_port)
        if callable(fault):
            fault()
            return self.hang_up()
        return self.answer_with(fault, status, answer)

    def answer_with(self, fault, status, answer):
        if fault == "slow":
            self.server.waiting.set()
            self.server.released.wait(60)
        elif fault == "late":
            self.server.is_late = True
        if fault in ("lost", "slow", "late"):
            return self.hang_up()
        if isinstance(fault, tuple):
            return self.answer(fault[1], b"<html>no answer in time</html>")
        half = answer[: len(answer) // 2]
        if fault == "cut":
            return self.answer(status, half, len(answer))
        return self.answer(status, half if fault == "truncated" else answer)

    def answer(self, status, body, announced=None):
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body) if announced is None else announced))
        self.end_headers()
        self.wfile.write(body)
        if announced is not None:
            self.hang_up()

    def hang_up(self):
        self.close_connection = True
        self.connection.close()

    def log_message(self, *args): ...


@pytest.fixture
def faulty(moto_port, moto):
    """A connection to moto by a faulty way; `faulty.way` takes the faults and keeps what it saw."""
    way = FaultyWay(moto_port)
    with serving(way):
        connection = connect(Endpoint("emr", "us-east-1", endpoint_url=way.url))
        connection.way = way
        yield connection


@contextmanager
def way_to_embedded(home, kind=FaultyWay):
    """A way to an embedded EMR that runs nothing; `way.service` is that EMR."""
    service = Service(home, instant=True)
    endpoint = EmbeddedEndpoint(lambda _: service, region="us-east-1")
    way = kind(endpoint.server_port)
    way.service = service
    # SQLite syncs its files to the disk whenever the last connection to them is closed.
    with serving(endpoint), serving(way), Store(home):
        yield way


class FaultyS3(ThreadingHTTPServer):
    """Passes requests on to moto's S3, with the present `fault` in each answer; `seen` are the requests that came.

    A fault is None, an (HTTP status, error code) pair that is answered instead, "cut" (half of the body and then
    the end of the connection, though all of it was announced), "slow" (the body comes in five pieces, half a
    second apart), "undated" (no Last-Modified), "silent" (no answer at all while the server runs), or "refused" (nobody listens).
    """

    daemon_threads = True

    def __init__(self, port):
        self.moto_port, self.seen, self.fault = port, [], None
        self.ended = threading.Event()
        super().__init__(("127.0.0.1", 0), _S3Handler)
        # Bound, so that no other process gets this port, and not listening, so that connections are refused.
        self._closed = socket.socket()
        self._closed.bind(("127.0.0.1", 0))

    @property
    def url(self):
        port = self._closed.getsockname()[1] if self.fault == "refused" else self.server_port
        return f"http://127.0.0.1:{port}"

    def server_close(self):
        super().server_close()
        self._closed.close()

    def handle_error(self, *args): ...  # a client that gave up waiting


class _S3Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append(f"{self.command} {self.path}")
        fault = self.server.fault
        if fault == "silent":
            self.server.ended.wait()
            self.close_connection = True
        elif isinstance(fault, tuple):
            xml = f"<Error><Code>{fault[1]}</Code><Message>as asked for</Message></Error>"
            self.answer(fault[0], {"Content-Type": "application/xml"}, xml.encode())
        else:
            status, headers, content = passed_on(self, body, self.server.moto_port)
            if fault == "undated":
                headers.pop("last-modified", None)
            self.answer(status, headers, content)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_any  # noqa: N815 - the names that http.server calls

    def answer(self, status, headers, body):
        self.send_response(status)
        # A HEAD has no body, but the length of one.
        headers = {"Content-Length": str(len(body)), **headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.send_body(body)

    def send_body(self, body):
        if self.server.fault == "cut":
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif self.server.fault == "slow":
            size = len(body) // 5 + 1
            for start in range(0, len(body), size):
                time.sleep(0.5)
                self.wfile.write(body[start : start + size])
        else:
            self.wfile.write(body)

    def log_message(self, *args): ...


@pytest.fixture
def faulty_s3(moto_port, moto, monkeypatch):
    """Sets a fault of S3 for all connections that are made afterwards: `faulty_s3("cut")`; gives the server."""
    way = FaultyS3(moto_port)

    def set_fault(fault):
        way.fault = fault
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", way.url)
        return way

    with serving(way):
        yield set_fault
        way.ended.set()


def passed_on(handler, body, port):
    """Sends what `handler` received to `port`; the status, the headers that matter, and the body of the answer."""
    connection = HTTPConnection("127.0.0.1", port)
    try:
        headers = {name: value for name, value in handler.headers.items() if name != "Expect"}
        connection.request(handler.command, handler.path, body, headers)
        answer = connection.getresponse()
        kept = {"Content-Type", "ETag", "last-modified", *(["Content-Length"] if handler.command == "HEAD" else [])}
        # Those of S3, by which its answers differ from a page of something else.
        headers = {name: value for name, value in answer.getheaders() if name in kept or name.startswith("x-amz")}
        return answer.status, headers, answer.read()
    finally:
        connection.close()


@contextmanager
def serving(server):
    """Answers requests while the block runs: by a server of Python's, or an endpoint of the embedded EMR."""
    # By default a server looks for its end every half second.
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        if isinstance(server, EmbeddedEndpoint):
            server.stop()
        else:
            server.shutdown()
            server.server_close()
        thread.join()
