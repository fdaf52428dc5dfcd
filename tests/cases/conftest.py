"""A flow with one step that copies its input, and cases for it."""

import textwrap

import pytest

SPEC = """\
flowspec: v1
name: copy
variables: {mapper: {type: string, default: cat}}
targets:
  laptop: {default: true, backend: local, variables: {}}
  prod: {backend: emr, region: us-east-1, staging: "s3://acme-artifacts/x/"}
release_label: emr-7.5.0
service_role: EMR_DefaultRole
job_flow_role: EMR_EC2_DefaultRole
master_instance_type: m5.xlarge
steps:
  - {name: copy, type: streaming, mapper: "{{ mapper }}", input: s3://acme/in/, output: s3://acme/out/}
"""
CASE = "inputs: {'s3://acme/in/': in}\nexpect: {'s3://acme/out/': out}\n"


class Flow:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "job.yaml").write_text(SPEC)

    def case(self, name="one", text=CASE, sample="b\na\n", expected="a\t\nb\t\n"):
        """A case; `expected` None leaves the expected folder out."""
        case = self.folder / "tests" / name
        (case / "in").mkdir(parents=True)
        (case / "in/sample.txt").write_text(sample)
        (case / "case.yaml").write_text(textwrap.dedent(text))
        if expected is not None:
            (case / "out").mkdir()
            (case / "out/part-00000").write_text(expected)
        return case


@pytest.fixture
def flow(tmp_path):
    return Flow(tmp_path / "flow")
