"""The hooks at the end of a run: a receiver of webhooks, moto's SNS and SQS, and commands."""

import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from dataclasses import replace
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest

from flowspec.backend.aws.client import Endpoint, connect
from flowspec.backend.aws.events import Ended
from flowspec.backend.aws.runs import hooks as hooks_module
from flowspec.backend.aws.runs.hooks import Hooks, signature
from flowspec.backend.aws.verdict import Outcome, Verdict
from flowspec.document.checking.validate import validate
from flowspec.document.text.parse import load
from flowspec.errors import SpecError
from flowspec.plan.cluster import Cluster, Step
from flowspec.request.compile import compile
from tests.endpoints import serving
from tests.waiting import wait_until

NOW = datetime(2026, 11, 28, 10, tzinfo=timezone.utc)
CLUSTER = Cluster("j-1", "nightly", "TERMINATED", reason="Steps completed", created=NOW, ended=NOW)
SUCCESS = Ended(CLUSTER, Verdict(Outcome.SUCCEEDED))
FAILURE = Ended(
    replace(CLUSTER, state="TERMINATED_WITH_ERRORS"),
    Verdict(Outcome.STEP_FAILED, Step("s-1", "load", "FAILED")),
    ("s-0", "s-1"),
)
SPEC = """flowspec: v1
name: nightly
backend: local
release_label: emr-7.5.0
instance_groups: [{role: MASTER, type: m5.xlarge, count: 1}]
steps: [{name: load, type: command, args: ['true']}]
"""


HANGS = "note: hook webhook to 127.0.0.1: gave no answer in time"


class Receiver(ThreadingHTTPServer):
    """Takes webhooks: `answers` are the statuses to come ("hang": none until the end), then 200.

    "when ten are here": 200 when ten requests wait for it, and 504 if they don't come.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers, self.got, self.ended = [], [], threading.Event()
        self.ten = threading.Barrier(10)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/etl?token=t0psecret"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        answer = self.server.answers.pop(0) if self.server.answers else 200
        if answer == "hang":
            self.server.ended.wait(30)
            return
        if answer == "when ten are here":
            try:
                self.server.ten.wait(30)
                answer = 200
            except threading.BrokenBarrierError:
                answer = 504
        if answer == "reset":
            # Closed with this option and no time, a connection is reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        self.send_response(answer)
        if answer == 302:
            self.send_header("Location", self.server.url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args): ...


@pytest.fixture
def receiver():
    server = Receiver()
    with serving(server):
        yield server
        server.ended.set()


@pytest.fixture
def made(tmp_path):
    """Makes the hooks of SPEC with some more lines; gives them and the notes that they leave."""

    def make(more, emr=None, **options):
        path = tmp_path / "job.yaml"
        path.write_text(f"{SPEC}{more}\n")
        notes = []
        flow = validate(load(path))
        return Hooks(flow, emr or connect(Endpoint("local")), notes.append, sleep=lambda _: None, **options), notes

    return make


def test_a_webhook_is_told_what_happened_and_signed(made, receiver):
    hooks, notes = made(f"hooks: {{on_failure: [{{webhook: '{receiver.url}', secret: k3y}}]}}")
    hooks.run(FAILURE, "A Java process ran out of memory.")
    hooks.run(SUCCESS)
    ((path, headers, body),) = receiver.got
    assert (path, notes) == ("/etl?token=t0psecret", [])
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Flowspec-Signature"] == signature("k3y", headers["X-Flowspec-Timestamp"], body)
    assert json.loads(body) == {
        "version": 1,
        "id": "j-1:s-1:step_failed",
        "flow": "nightly",
        "target": "",
        "region": "us-east-1",
        "cluster": "j-1",
        "state": "TERMINATED_WITH_ERRORS",
        "outcome": "step failed",
        "exit_code": 4,
        "reason": "Steps completed",
        "step": "load",
        "cause": "A Java process ran out of memory.",
        "started": NOW.isoformat(),
        "ended": NOW.isoformat(),
    }


def test_which_hooks_are_run_for_which_end(made, receiver):
    urls = {when: f"{receiver.url}&{when}" for when in ("on_success", "on_failure", "on_end")}
    lines = "\n".join(f"  {when}: [{{webhook: '{url}'}}]" for when, url in urls.items())
    hooks, _ = made(f"hooks:\n{lines}")

    def told(end):
        receiver.got.clear()
        hooks.run(end)
        return [path.rpartition("&")[2] for path, *_ in receiver.got]

    assert told(SUCCESS) == ["on_success", "on_end"]
    assert told(FAILURE) == ["on_failure", "on_end"]
    assert told(SUCCESS._replace(verdict=Verdict(Outcome.CANCELLED))) == ["on_failure", "on_end"]
    assert told(SUCCESS._replace(verdict=Verdict(Outcome.TIMED_OUT))) == []


@pytest.mark.parametrize(
    ("answers", "requests", "note"),
    [
        ([503, 429], 3, None),
        (["reset", "reset"], 3, None),
        (["reset"] * 3, 3, "[Errno 104] Connection reset by peer, 3 times"),
        ([500, 500, 500], 3, "HTTP status 500, 3 times"),
        ([404], 1, "HTTP status 404"),
        # A POST that is redirected would become a GET.
        ([302], 1, "HTTP status 302"),
    ],
)
def test_a_webhook_is_repeated_while_that_may_help(made, receiver, answers, requests, note):
    hooks, notes = made(f"hooks: {{on_end: [{{webhook: '{receiver.url}'}}]}}")
    receiver.answers = answers
    hooks.run(SUCCESS)
    assert len(receiver.got) == requests
    assert notes == ([f"note: hook webhook to 127.0.0.1: {note}"] if note else [])


def test_a_webhook_that_hangs_is_a_note(made, receiver, monkeypatch):
    monkeypatch.setattr(hooks_module, "_TIMEOUT", 0.1)
    hooks, notes = made(f"hooks: {{on_end: [{{webhook: '{receiver.url}'}}]}}")
    receiver.answers = ["hang"] * 3
    hooks.run(SUCCESS)
    assert notes == ["note: hook webhook to 127.0.0.1: timed out, 3 times"]
    monkeypatch.setattr(hooks_module, "_DEADLINE", 0.1)
    monkeypatch.setattr(hooks_module, "_TIMEOUT", 20)
    receiver.answers = ["hang"] * 3
    hooks.run(SUCCESS)
    assert notes[1:] == ["note: hook webhook to 127.0.0.1: gave no answer in time"]


def test_many_hooks_run_at_the_same_time(made, receiver):
    several = f"[{', '.join([f'{{webhook: {receiver.url!r}}}'] * 10)}]"
    hooks, notes = made(f"hooks: {{on_success: {several}, on_end: {several}}}")
    receiver.answers = ["when ten are here"] * 20
    hooks.run(SUCCESS)
    assert (notes, len(receiver.got)) == ([], 20)


def test_many_hooks_that_hang_take_no_longer_than_one(made, receiver, monkeypatch):
    monkeypatch.setattr(hooks_module, "_DEADLINE", 0.4)
    join, waited = threading.Thread.join, []

    def join_and_tell(thread, timeout=None):
        if thread.name == "flowspec-hook":
            waited.append(timeout)
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", join_and_tell)
    several = f"[{', '.join([f'{{webhook: {receiver.url!r}}}'] * 10)}]"
    hooks, notes = made(f"hooks: {{on_success: {several}, on_end: {several}}}")
    receiver.answers = ["hang"] * 20
    hooks.run(SUCCESS)
    assert notes == [HANGS] * 20
    # Who waits for the first of them as long as it may has no time left for the others.
    assert len(waited) == 20
    assert sum(waited) < 2 * 0.4 + 0.1


def test_a_command_that_hangs_is_killed_with_what_it_has_started(made, monkeypatch, tmp_path):
    hooks, notes = made(
        "hooks: {on_end: [{command: [bash, -c, 'sleep 600 & echo $! > pid; wait']}]}", allow_commands=True
    )
    monkeypatch.setattr(hooks_module, "_TO_KILL", hooks_module._DEADLINE - 0.1)
    communicate = subprocess.Popen.communicate

    def communicate_when_it_has(*args, **kwargs):
        """The tenth of a second begins when the command has started what is to be killed with it."""
        await_pid(tmp_path)
        return communicate(*args, **kwargs)

    monkeypatch.setattr(subprocess.Popen, "communicate", communicate_when_it_has)
    hooks.run(SUCCESS)
    assert notes == ["note: hook command bash: was killed after 0 s"]
    assert not is_running(await_pid(tmp_path))


def test_a_command_is_over_when_what_it_left_in_the_background_still_runs(made, tmp_path):
    """It waited 55 seconds for the end of stderr, and was reported as killed."""
    hooks, notes = made("hooks: {on_end: [{command: [bash, -c, 'sleep 600 & echo $! > pid']}]}", allow_commands=True)
    hooks.run(SUCCESS)
    left = await_pid(tmp_path)
    assert (notes, is_running(left)) == ([], True)
    os.kill(left, signal.SIGKILL)


def await_pid(folder):
    """Waits for the file `pid` that a command writes; returns what is in it."""
    wait_until(lambda: (folder / "pid").is_file() and (folder / "pid").read_text().endswith("\n"))
    return int((folder / "pid").read_text())


def test_a_command_is_killed_by_an_interrupt(made, monkeypatch, tmp_path):
    hooks, _ = made("hooks: {on_end: [{command: [bash, -c, 'echo $$ > pid; sleep 600']}]}", allow_commands=True)

    def interrupted(thread, timeout):
        await_pid(tmp_path)
        raise KeyboardInterrupt

    with monkeypatch.context() as joining:
        joining.setattr(threading.Thread, "join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            hooks.run(SUCCESS)
    assert not is_running(await_pid(tmp_path))


def test_a_command_that_is_just_being_started_is_killed_by_an_interrupt(made, monkeypatch, tmp_path):
    """The command runs, but the thread that starts it has not come back from that when the interrupt comes."""
    hooks, _ = made("hooks: {on_end: [{command: [bash, -c, 'echo $$ > pid; sleep 600']}]}", allow_commands=True)
    start, started, pids = subprocess.Popen, threading.Event(), []

    def slow(*args, **kwargs):
        running = start(*args, **kwargs)
        pids.append(running.pid)
        started.set()
        time.sleep(0.2)
        return running

    def interrupted(thread, timeout):
        started.wait()
        raise KeyboardInterrupt

    with monkeypatch.context() as joining:
        joining.setattr(subprocess, "Popen", slow)
        joining.setattr(threading.Thread, "join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            hooks.run(SUCCESS)
    assert [is_running(pid) for pid in pids] == [False]


def is_running(pid):
    """Tells whether a process is there and no zombie, which one that was killed by a group's signal may be a moment."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        state = Path(f"/proc/{pid}/stat")
        try:
            if state.read_text().rpartition(")")[2].split()[0] == "Z":
                return False
        except (FileNotFoundError, ProcessLookupError):
            return False
        time.sleep(0.01)
    return True


def test_nobody_listens(made):
    hooks, notes = made("hooks: {on_end: [{webhook: 'http://127.0.0.1:1/'}]}")
    hooks.run(SUCCESS)
    assert "refused, 3 times" in notes[0]


def test_no_secret_is_told(made, receiver):
    hooks, _ = made(f"hooks: {{on_end: [{{webhook: '{receiver.url}', secret: hunter2hunter2}}]}}")
    hooks.run(FAILURE._replace(cluster=replace(CLUSTER, reason="password hunter2hunter2 refused")))
    assert b"hunter2" not in receiver.got[0][2]
    assert "password (sensitive)" in json.loads(receiver.got[0][2])["reason"]


def test_sns(made, moto, emr):
    options = {"region_name": "us-east-1", "endpoint_url": moto}
    sns, sqs = boto3.client("sns", **options), boto3.client("sqs", **options)
    topic = sns.create_topic(Name="etl")["TopicArn"]
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    hooks, notes = made(f"hooks: {{on_end: [{{sns: '{topic}'}}, {{sns: '{topic}-gone'}}]}}", emr)
    hooks.run(SUCCESS)
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    told = json.loads(message["Body"])
    assert told["Subject"] == "nightly: succeeded"
    assert json.loads(told["Message"])["cluster"] == "j-1"
    (note,) = notes
    assert "-gone: Publish: NotFound" in note
    sns.close()
    sqs.close()


def test_a_command_runs_only_if_that_is_allowed(made, tmp_path):
    script = tmp_path / "notify.sh"
    script.write_text('#!/bin/bash\ncat > told.json\necho "$FLOWSPEC_OUTCOME $1" > outcome\n')
    script.chmod(0o755)
    more = "hooks: {on_end: [{command: [./notify.sh, 'a b']}]}"
    hooks, notes = made(more)
    hooks.run(SUCCESS)
    assert notes == [
        "note: hook command ./notify.sh: was not run: --allow-commands lets a spec's commands run on this machine"
    ]
    assert not (tmp_path / "outcome").exists()
    hooks, notes = made(more, allow_commands=True)
    hooks.run(SUCCESS)
    assert notes == []
    assert (tmp_path / "outcome").read_text() == "succeeded a b\n"
    assert json.loads((tmp_path / "told.json").read_text())["flow"] == "nightly"


@pytest.mark.parametrize(
    ("command", "note"),
    [
        ("[bash, -c, 'echo oh no >&2; exit 3']", "exit code 3: oh no"),
        ("[./not-there]", "No such file or directory: './not-there'"),
    ],
)
def test_a_command_that_fails_is_a_note(made, command, note):
    hooks, notes = made(f"hooks: {{on_end: [{{command: {command}}}]}}", allow_commands=True)
    hooks.run(SUCCESS)
    assert notes[0].endswith(note)


def test_it_is_no_part_of_the_request(made, tmp_path):
    hooks, _ = made("hooks: {on_end: [{webhook: 'https://x.example/'}]}")
    plain, _ = made("")
    assert compile(hooks.jobflow).digest == compile(plain.jobflow).digest


@pytest.mark.parametrize(
    "hook",
    [
        "{}",
        "{webhook: 'ftp://x/'}",
        "{webhook: 'http://[a'}",
        "{webhook: 'http://:80/x'}",
        "{webhook: 'http://?x'}",
        "{webhook: 'http://127.0.0.1:9/ü'}",
        "{webhook: 'http://127.0.0.1:9/T0 KEN'}",
        "{webhook: 'http://127.0.0.1:99999/x'}",
        "{webhook: 'http://user:word@127.0.0.1:9/x'}",
        "{sns: topic}",
        "{webhook: 'https://x/', command: [a]}",
        "{sns: 'arn:aws:sns:a:1:b', secret: x}",
    ],
)
def test_hooks_that_are_refused(made, hook):
    with pytest.raises(SpecError):
        made(f"hooks: {{on_end: [{hook}]}}")


def test_an_address_that_can_not_be_called_is_a_note(made, capsys):
    # A label of a host's name has at most 63 characters: UnicodeError, which is no OSError.
    hooks, notes = made(f"hooks: {{on_end: [{{webhook: 'http://{'ä' * 64}/x'}}]}}")
    hooks.run(SUCCESS)
    assert len(notes) == 1
    assert "in time" not in notes[0]
    assert capsys.readouterr().err == ""
