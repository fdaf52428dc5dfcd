"""A git repository that a test fills."""

import os
import subprocess

import pytest

HEAD = """\
flowspec: v1
name: {name}
service_role: EMR_DefaultRole
job_flow_role: EMR_EC2_DefaultRole
backend: emr
region: us-east-1
staging: s3://acme/staging/
release_label: emr-7.1.0
keep_alive: {keep_alive}
instance_groups:
  - {{role: MASTER, type: m5.xlarge, count: 1}}
  - {{role: CORE, type: m5.xlarge, count: {count}}}
"""


def spec(name="nightly", *, keep_alive="true", count=2, more=""):
    return HEAD.format(name=name, keep_alive=keep_alive, count=count) + more


class Repo:
    def __init__(self, root):
        self.root = root
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments):
        given = {
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@b",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@b",
        }
        environment = {**os.environ, **given, "GIT_CONFIG_GLOBAL": "/dev/null"}
        return subprocess.run(
            ["git", *arguments], cwd=self.root, env=environment, check=True, capture_output=True, text=True
        )

    def commit(self, files):
        """Commits files ({path: text, or None to remove it})."""
        for path, text in files.items():
            file = self.root / path
            if text is None:
                file.unlink()
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        return self.git("rev-parse", "HEAD").stdout.strip()


@pytest.fixture
def repo(tmp_path, monkeypatch):
    (tmp_path / "repo").mkdir()
    monkeypatch.chdir(tmp_path / "repo")
    return Repo(tmp_path / "repo")
