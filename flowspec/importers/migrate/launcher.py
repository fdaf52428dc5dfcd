"""The process that a script runs in: `python -m flowspec.importers.migrate.launcher RECORD SCRIPT [ARGS]`.

`-m MODULE` in the place of SCRIPT runs a module; `--handler NAME SCRIPT` calls a Lambda function with the event that is
in the file `event.json` beside RECORD.

Before the script is run as the main program, the AWS SDK's one way to any service is replaced, boto 2's
modules are made to be flowspec's, sleeping is cut short, and connections are refused. The calls are appended
to RECORD, one line each, as they are made.
"""

from __future__ import annotations

import json
import os
import runpy
import socket
import sys
import time
import traceback
import uuid
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType, SimpleNamespace, TracebackType
from typing import Any

from flowspec.importers.migrate import boto2, samples
from flowspec.importers.migrate.emr import CHOSEN_REGION, EmrAnswers

_LONGEST_SLEEP = 0.01
# Modules of Python 2's library that Python 3 has under other names ("What's New In Python 3.0", PEP 3108).
_PYTHON_2_MODULES = {
    *("ConfigParser", "Queue", "StringIO", "cPickle", "cStringIO", "commands", "httplib", "md5", "sets"),
    *("urllib2", "urlparse"),
}


class _Record:
    """The file of calls; each is one write, so that forks and threads may share it."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def add(self, **call: Any) -> None:
        """Writes a call down."""
        os.write(self._file, json.dumps(call, default=str, ensure_ascii=True).encode() + b"\n")


def main(argv: list[str]) -> None:
    """Runs the script, the module or the Lambda function that the arguments name."""
    path, *rest = argv
    record = _Record(path)
    sys.excepthook = _print_exception
    intercept(record)
    try:
        if rest[0] == "-m":
            _run_module(*rest[1:])
        elif rest[0] == "--handler":
            _call_handler(record.path.with_name("event.json"), *rest[1:])
        else:
            _run_script("__main__", *rest)
    except SyntaxError as error:
        if _is_python_2(error):
            record.add(service="", operation="Python2", params={})
        raise
    except ModuleNotFoundError as error:
        operation = "Python2" if error.name in _PYTHON_2_MODULES else "MissingModule"
        record.add(service="", operation=operation, params={"Name": error.name})
        raise


def _print_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Prints the traceback of the script, without the frames of what runs it."""
    # Python 3.11 and later have runpy frozen, without a file.
    while trace and trace.tb_frame.f_code.co_filename in {__file__, runpy.__file__, "<frozen runpy>"}:
        trace = trace.tb_next
    traceback.print_exception(kind, error, trace)


def _run_module(*args: str) -> None:
    sys.argv = list(args)
    sys.path[0] = str(Path.cwd())
    # runpy hides which module is missing behind an ImportError of its own.
    if find_spec(args[0]) is None:
        raise ModuleNotFoundError(f"no module {args[0]}", name=args[0])
    runpy.run_module(args[0], run_name="__main__", alter_sys=True)


def _run_script(name: str, script: str, *args: str) -> dict[str, Any]:
    """Runs a script as the module `name`; returns what it defines."""
    sys.argv = [script, *args]
    sys.path[0] = str(Path(script).resolve().parent)
    return runpy.run_path(script, run_name=name)


def _call_handler(event: Path, name: str, script: str) -> None:
    """Imports a script as AWS Lambda does, and calls its function `name` with the event and a context.

    The name may be that in Lambda's settings, which have the module before it: `launch.lambda_handler`.
    """
    defined = _run_script(Path(script).stem, script)
    handler = defined.get(name.rpartition(".")[2])
    if not callable(handler):
        functions = [key for key, value in defined.items() if isinstance(value, FunctionType)]
        sys.exit(f"flowspec: {script} defines no function {name}; it defines: {', '.join(functions) or 'none'}")
    handler(json.loads(event.read_bytes()), _lambda_context(name))


def _lambda_context(name: str) -> SimpleNamespace:
    """Returns a context with the attributes that AWS documents for Python ("AWS Lambda context object in Python")."""
    return SimpleNamespace(
        function_name=name,
        function_version="$LATEST",
        invoked_function_arn=f"arn:aws:lambda:us-east-1:{samples.ACCOUNT}:function:{name}",
        memory_limit_in_mb="128",
        aws_request_id=str(uuid.uuid4()),
        log_group_name=f"/aws/lambda/{name}",
        log_stream_name="flowspec",
        identity=None,
        client_context=None,
        get_remaining_time_in_millis=lambda: 900_000,
    )


def _is_python_2(error: SyntaxError) -> bool:
    words = (
        "Missing parentheses in call to 'print'",
        "Missing parentheses in call to 'exec'",
        "multiple exception types",
    )
    return any(word in str(error.msg) for word in words)


def intercept(record: _Record) -> None:
    """Answers all that the script asks AWS for, from here on."""
    _answer_clients(record)
    _mark_chosen_regions()
    _forget_profiles()
    boto2.install(lambda path, what: record.add(service="s3", operation="Upload", params={"File": path, "To": what}))
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(min(float(seconds), _LONGEST_SLEEP))
    _refuse_connections(record)


def _refuse_connections(record: _Record) -> None:
    """Makes Python's sockets refuse to connect; those within the machine that have no address stay."""
    for name in ("connect", "connect_ex"):
        setattr(socket.socket, name, _make_refusing_connect(getattr(socket.socket, name), record))


def _make_refusing_connect(
    connect: Callable[[socket.socket, Any], Any], record: _Record
) -> Callable[[socket.socket, Any], Any]:
    def refuse(self: socket.socket, address: Any) -> Any:
        if self.family == getattr(socket, "AF_UNIX", None):
            return connect(self, address)
        record.add(service="", operation="Connection", params={"To": str(address)})
        raise ConnectionRefusedError(f"flowspec migrate opens no connection (to {address})")

    return refuse


def _answer_clients(record: _Record) -> None:
    from botocore.client import BaseClient
    from botocore.exceptions import ParamValidationError
    from botocore.validate import ParamValidator
    from botocore.waiter import Waiter

    given = record.path.with_name("answers.json")
    answers = json.loads(given.read_text("utf-8")) if given.exists() else {}
    emr = EmrAnswers(record.path.with_name("emr"), record.add)
    send = BaseClient._make_api_call  # type: ignore[attr-defined]  # the one place that all calls of an SDK client pass

    def answer(self: Any, operation: str, params: dict[str, Any]) -> Any:
        service = self.meta.service_model.service_name
        if service == "emr":
            return emr.answer(self, operation, params, lambda given: send(self, operation, given))
        model = self.meta.service_model.operation_model(operation)
        if model.input_shape is not None:
            report = ParamValidator().validate(params, model.input_shape)
            if report.has_errors():
                raise ParamValidationError(report=report.generate_report())
        file = {"File": samples.uploaded_file(params)} if operation in ("PutObject", "UploadPart") else {}
        to = f"s3://{params.get('Bucket')}/{params.get('Key')}"
        made = samples.answer(model.output_shape, service)
        answer = samples.with_content(made, operation, params, answers)
        operation = "Upload" if file.get("File") else operation
        record.add(service=service, operation=operation, params={**file, "To": to}, known=answer is not made)
        return answer

    def wait(self: Any, **parameters: Any) -> None:
        if self.name.startswith(("Cluster", "Step", "cluster", "step")):
            waiting(self, **parameters)

    waiting = Waiter.wait
    BaseClient._make_api_call = answer  # type: ignore[attr-defined]
    Waiter.wait = wait  # type: ignore[method-assign]


def _mark_chosen_regions() -> None:
    """Marks each client with the region that the script has chosen, which may be that of the environment as well."""
    from botocore.session import Session

    create = Session.create_client

    def create_client(self: Any, service_name: str, region_name: str | None = None, *args: Any, **options: Any) -> Any:
        client: Any = create(self, service_name, region_name, *args, **options)
        # boto3.Session(region_name=…) makes it a variable of botocore's session.
        setattr(client, CHOSEN_REGION, region_name or self.instance_variables().get("region"))
        return client

    Session.create_client = create_client  # type: ignore[method-assign]


def _forget_profiles() -> None:
    """Makes botocore take a profile that a script names for one without settings."""
    from botocore.exceptions import ProfileNotFound
    from botocore.session import Session

    scoped = Session.get_scoped_config

    def get_scoped_config(self: Any) -> Any:
        try:
            return scoped(self)
        except ProfileNotFound:
            return {}

    Session.get_scoped_config = get_scoped_config  # type: ignore[method-assign]


if __name__ == "__main__":
    main(sys.argv[1:])
