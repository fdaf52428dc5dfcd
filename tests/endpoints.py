"""Fixtures: an EMR and S3 to talk to, which is moto's server, and a way to it that loses answers."""

import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from moto.server import ThreadedMotoServer

from flowspec.backend.aws.client import Endpoint, connect


@pytest.fixture(scope="session")
def moto_port():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture
def credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.fixture
def moto(moto_port, credentials):
    """The URL of a moto server with nothing in it."""
    url = f"http://127.0.0.1:{moto_port}"
    connection = HTTPConnection("127.0.0.1", moto_port)
    connection.request("POST", "/moto-api/reset")
    connection.getresponse().read()
    connection.close()
    return url


@pytest.fixture
def emr(moto):
    """A connection to moto's EMR."""
    return connect(Endpoint("emr", "us-east-1", endpoint_url=moto))


class FaultyWay(ThreadingHTTPServer):
    """Passes requests on to moto, but for the operations in `faults`, each a list of faults to come.

    A fault is "lost" (carried out, but the connection dies before the answer), "dropped" (dies before it
    is carried out), "slow" (carried out, and answered only when `released` is set; `waiting` is set until
    then), or an (HTTP status, error code) pair that is answered instead.
    """

    daemon_threads = True

    def __init__(self, port):
        self.moto_port, self.faults, self.seen = port, {}, []
        self.waiting, self.released = threading.Event(), threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self.server.seen.append(operation)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pending = self.server.faults.get(operation, [])
        fault = pending.pop(0) if pending else None
        if isinstance(fault, tuple):
            return self.answer(fault[0], f'{{"__type": "{fault[1]}", "message": "as asked for"}}'.encode())
        if fault == "dropped":
            return self.hang_up()
        status, answer = self.pass_on(body)
        if fault == "slow":
            self.server.waiting.set()
            self.server.released.wait(60)
            return self.hang_up()
        return self.hang_up() if fault == "lost" else self.answer(status, answer)

    def pass_on(self, body):
        connection = HTTPConnection("127.0.0.1", self.server.moto_port)
        try:
            connection.request("POST", self.path, body, dict(self.headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self):
        self.close_connection = True
        self.connection.close()

    def log_message(self, *args): ...


@pytest.fixture
def faulty(moto_port, moto):
    """A connection to moto by a faulty way; `faulty.way` takes the faults and keeps what it saw."""
    way = FaultyWay(moto_port)
    thread = threading.Thread(target=way.serve_forever, daemon=True)
    thread.start()
    connection = connect(Endpoint("emr", "us-east-1", endpoint_url=way.url))
    connection.way = way
    yield connection
    way.released.set()
    way.shutdown()
    way.server_close()
    thread.join()
