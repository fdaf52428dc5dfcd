"""Terraform with its AWS provider as the judge: what it sends to EMR for a configuration.

A server on this machine answers the provider's calls with as little as the provider needs to go on, and records
what it was asked for. Nothing leaves the machine: the provider comes from a mirror in the file system.
"""

import functools
import json
import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.endpoints import Responding

_MIRRORS = (
    Path("/opt/tf-plugins"),
    Path("/usr/share/terraform/plugins"),
    Path("/usr/local/share/terraform/plugins"),
    Path.home() / ".terraform.d" / "plugins",
)
_PROVIDER = "registry.terraform.io/hashicorp/aws"
_SETTINGS = """
provider "aws" {{
  region                      = "us-east-1"
  access_key                  = "x"
  secret_key                  = "x"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  skip_region_validation      = true
  endpoints {{
    emr = "{endpoint}"
  }}
}}
"""


@functools.cache
def provider() -> Path | None:
    """The folder of the newest AWS provider in a mirror of this machine; None without it or without Terraform."""
    if shutil.which("terraform") is None:
        return None
    found = [path for mirror in _MIRRORS for path in mirror.glob(f"{_PROVIDER}/*/linux_amd64")]
    return max(found, key=lambda path: [int(part) for part in path.parent.name.split(".")], default=None)


def terraform(folder, *argv):
    """Runs Terraform in a folder; its standard output."""
    config = folder.parent / f"{folder.name}.tfrc"
    config.write_text(f'provider_installation {{\n  dev_overrides {{\n    "hashicorp/aws" = "{provider()}"\n  }}\n}}\n')
    environ = {**os.environ, "TF_CLI_CONFIG_FILE": str(config), "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
    # A third less CPU for 100 MB more: loading the provider's schema fills the heap of Go step by step.
    environ["GOGC"] = "300"
    done = subprocess.run(["terraform", *argv], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def sent(folder, *argv, settings=True):
    """The calls that `terraform apply` makes for a configuration, as (operation, body); `argv` are its options."""
    with _Recorder() as recorder:
        if settings:
            (folder / "zz_provider.tf").write_text(_SETTINGS.format(endpoint=recorder.url))
        if any("module " in path.read_text(errors="replace") for path in folder.glob("*.tf")):
            terraform(folder, "get", "-no-color")
        terraform(folder, "apply", "-auto-approve", "-input=false", "-no-color", "-lock=false", *argv)
    return recorder.calls


class _Recorder:
    """An EMR that accepts everything, on a port of this machine."""

    def __init__(self):
        self.calls = []
        self.clusters = {}
        self._answers = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def answer(self, operation, body, invocation):
        # The SDK sends a call again, with the same id, if the connection broke before its answer.
        if invocation not in self._answers:
            self.calls.append((operation, body))
            self._answers[invocation] = getattr(self, f"_{operation}", lambda _body: {})(body)
        return self._answers[invocation]

    def _RunJobFlow(self, body):  # noqa: N802 - named like the operation
        cluster = f"j-{len(self.clusters) + 1:013}"
        self.clusters[cluster] = body
        return {
            "JobFlowId": cluster,
            "ClusterArn": f"arn:aws:elasticmapreduce:us-east-1:000000000000:cluster/{cluster}",
        }

    def _DescribeCluster(self, body):  # noqa: N802
        asked = self.clusters[body["ClusterId"]]
        wanted = {key: asked[key] for key in ("Name", "ReleaseLabel", "ServiceRole", "Applications") if key in asked}
        kind = "INSTANCE_FLEET" if "InstanceFleets" in asked["Instances"] else "INSTANCE_GROUP"
        ec2 = {"IamInstanceProfile": asked.get("JobFlowRole", "")}
        status = {"State": "WAITING", "StateChangeReason": {}, "Timeline": {}}
        about = {
            "Id": body["ClusterId"],
            "Status": status,
            "InstanceCollectionType": kind,
            "Ec2InstanceAttributes": ec2,
        }
        return {"Cluster": {**wanted, **about, "Tags": asked.get("Tags", [])}}

    def _ListInstanceGroups(self, body):  # noqa: N802
        asked = self.clusters[body["ClusterId"]]["Instances"].get("InstanceGroups", [])
        groups = [self._group(f"ig-{number}", one) for number, one in enumerate(asked)]
        return {"InstanceGroups": [*groups, self._group("ig-TASK", {"InstanceRole": "TASK", "InstanceCount": 1})]}

    def _group(self, name, asked):
        role, count = asked["InstanceRole"], asked.get("InstanceCount", 1)
        status = {"State": "RUNNING", "StateChangeReason": {}, "Timeline": {}}
        counts = {"RequestedInstanceCount": count, "RunningInstanceCount": count}
        return {"Id": name, "InstanceGroupType": role, "InstanceType": "m5.xlarge", "Status": status, **counts}

    def _ListInstanceFleets(self, body):  # noqa: N802
        asked = self.clusters[body["ClusterId"]]["Instances"].get("InstanceFleets", [])
        status = {"State": "RUNNING", "StateChangeReason": {}, "Timeline": {}}
        kinds = [*(one["InstanceFleetType"] for one in asked), "TASK"]
        return {"InstanceFleets": [{"Id": f"if-{kind}", "InstanceFleetType": kind, "Status": status} for kind in kinds]}

    def _AddInstanceGroups(self, body):  # noqa: N802
        return {"JobFlowId": body["JobFlowId"], "InstanceGroupIds": ["ig-TASK"]}

    def _AddInstanceFleet(self, body):  # noqa: N802
        return {"ClusterId": body["ClusterId"], "InstanceFleetId": "if-TASK"}

    def _GetManagedScalingPolicy(self, _body):  # noqa: N802
        limits = {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 2}
        return {"ManagedScalingPolicy": {"ComputeLimits": limits}}


class _Handler(Responding, BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, recorder, *args):
        self.recorder = recorder
        super().__init__(*args)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "{}")
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        answer = self.recorder.answer(operation, body, self.headers["Amz-Sdk-Invocation-Id"])
        self.respond(json.dumps(answer).encode())
