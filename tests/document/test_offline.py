"""The front needs nobody: no socket, no boto3, and nothing heavy until it is needed."""

import subprocess
import sys
from pathlib import Path

CASE = Path(__file__).parent / "documents" / "good" / "design-prod"

WATCHED = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(event) if event.startswith("socket.") else None)
"""

PIPELINE = f"""
from flowspec import compile, load, render, validate
from flowspec.document.text.dump import dump
document = render(load({str(CASE / "job.yaml")!r}), target="prod")
dump(document)
compile(validate(document))
"""


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_spec_becomes_a_request_without_a_socket_and_without_boto3():
    out = run(
        f"{WATCHED}{PIPELINE}\n"
        "print(opened, [name for name in sys.modules if name.partition('.')[0] in ('boto3', 'botocore', 'urllib3', 'click', 'rich')])"
    )
    assert out == "[] []\n"


def test_the_hook_does_see_sockets():
    assert "socket." in run(f"{WATCHED}import socket; socket.socket().close(); print(opened)")


def test_importing_the_front_imports_none_of_its_libraries():
    out = run(
        "import sys, flowspec, flowspec.document, flowspec.request, flowspec.report.diagnostics\n"
        "print([name for name in ('yaml', 'jsonschema', 'jinja2', 'boto3', 'botocore', 'click', 'rich') if name in sys.modules])"
    )
    assert out == "[]\n"


def test_a_valid_spec_without_templates_needs_neither_jinja_nor_jsonschema():
    minimal = CASE.parent / "short-form" / "job.yaml"
    out = run(
        f"import sys\nfrom flowspec import load, validate\nvalidate(load({str(minimal)!r}))\n"
        "print([name for name in ('jsonschema', 'jinja2') if name in sys.modules])"
    )
    assert out == "[]\n"


def test_the_api_s_judge_is_asked_without_a_session_and_reaches_nobody():
    out = run(
        f"{WATCHED}from flowspec import compile, load, validate\n"
        f"compile(validate(load({str(CASE.parent / 'api-params' / 'job.yaml')!r})))\n"
        "print('socket.connect' in opened, 'boto3' in sys.modules, 'botocore.session' in sys.modules)"
    )
    # Importing botocore makes urllib3 bind a socket, to see whether there is IPv6; nothing is connected.
    assert out == "False False False\n"
