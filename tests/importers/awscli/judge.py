"""The AWS CLI as the judge: bash runs a script, and the real CLI sends its calls to a server that records them.

In place of `aws`, bash finds a program that writes down its words and its folder, and answers as little as scripts
need to go on. The words are then given to the AWS CLI of this Python, in order.
"""

import functools
import io
import json
import os
import re
import subprocess
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.endpoints import Responding, serving

_STUB = r"""#!/bin/bash
for word in "$PWD" "$@"; do printf '%s\0' "$word"; done >> "$CALLS"
printf '\n\0' >> "$CALLS"
case " $* " in
  *" create-cluster "*--query*) echo j-1;;
  *" create-cluster "*) echo '{"ClusterId": "j-1"}';;
esac
"""


def sent(folder, script, *args):
    """The calls that a script makes, as (operation, body)."""
    calls = folder.parent / "calls"
    program = folder.parent / "bin" / "aws"
    program.parent.mkdir(exist_ok=True)
    program.write_text(_STUB)
    program.chmod(0o755)
    kept = {"HOME": str(folder), "CALLS": str(calls), "PATH": f"{program.parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", script, *args], cwd=folder, env=kept, capture_output=True, text=True, check=False)
    assert calls.exists(), done.stderr
    words = calls.read_text("utf-8").split("\0")
    with _recorder() as (url, heard):
        for call in "\0".join(words).split("\0\n\0")[:-1]:
            where, *argv = call.split("\0")
            _call(Path(where), argv, url)
    return heard


def _call(folder, argv, url):
    import awscli
    from awscli.clidriver import create_clidriver

    if "emr" not in argv or "wait" in argv:
        return
    # There is no such profile here, and no answer to look into.
    left_out = {"--query", "--profile"}
    argv = [word for at, word in enumerate(argv) if not left_out & {word, argv[at - 1] if at else ""}]
    before = Path.cwd()
    environ = {"AWS_DATA_PATH": f"{awscli.__path__[0]}/data", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    os.chdir(folder)
    try:
        os.environ.update(environ)
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), suppress(SystemExit):
            create_clidriver().main([*argv, "--endpoint-url", url, "--region", "us-east-1"])
    finally:
        for name in environ:
            del os.environ[name]
        os.chdir(before)


@contextmanager
def _recorder():
    heard = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, heard))
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}", heard


class _Handler(Responding, BaseHTTPRequestHandler):
    def __init__(self, heard, *args):
        self.heard = heard
        super().__init__(*args)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "{}")
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        self.heard.append((operation, body))
        answer = self._cluster() if operation == "DescribeCluster" else {"JobFlowId": "j-1"}
        self.respond(json.dumps(answer).encode())

    def _cluster(self):
        """Answers the DescribeCluster of add-steps: the form of a step depends on the release."""
        made = next(body for operation, body in self.heard if operation == "RunJobFlow")
        return {"Cluster": {key: made[key] for key in ("Name", "ReleaseLabel") if key in made}}


def folded(calls):
    """The one RunJobFlow body among calls, with what is done to its cluster afterwards in it."""
    (made,) = [body for operation, body in calls if operation == "RunJobFlow"]
    for operation, body in calls:
        if found := re.fullmatch("(Put|Remove)(.*Policy)", operation):
            made[found[2]] = body.get(found[2])
        elif operation in _FOLDS:
            _FOLDS[operation](made, made["Instances"], body)
    made["Tags"] = sorted(made["Tags"], key=lambda tag: tag["Key"])
    return {key: value for key, value in made.items() if value is not None}


def _tagged(made, tags):
    made["Tags"] = list({tag["Key"]: tag for tag in tags}.values())


_FOLDS = {
    "AddJobFlowSteps": lambda made, _, body: made.update(Steps=[*made.get("Steps", []), *body["Steps"]]),
    "AddInstanceGroups": lambda _, instances, body: instances["InstanceGroups"].extend(body["InstanceGroups"]),
    "AddTags": lambda made, _, body: _tagged(made, [*made["Tags"], *body["Tags"]]),
    "RemoveTags": lambda made, _, body: _tagged(
        made, [one for one in made["Tags"] if one["Key"] not in body["TagKeys"]]
    ),
    "ModifyCluster": lambda made, _, body: made.update(StepConcurrencyLevel=body["StepConcurrencyLevel"]),
    "SetTerminationProtection": lambda _, instances, body: instances.update(
        TerminationProtected=body["TerminationProtected"]
    ),
    "TerminateJobFlows": lambda _, instances, _body: instances.update(KeepJobFlowAliveWhenNoSteps=False),
}
