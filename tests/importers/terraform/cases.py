"""The cases of cases.tf.txt, and what is set for those that take values on the command line."""

import re
from pathlib import Path

from tests.importers.common import cases

HERE = Path(__file__).parent
_SHARED = {
    "ROLES": 'service_role = "EMR_DefaultRole"\n  ec2_attributes {\n    instance_profile = "EMR_EC2_DefaultRole"\n  }',
    "MASTER": 'master_instance_group {\n    instance_type = "m5.xlarge"\n  }',
}
CASES = cases(HERE / "cases.tf.txt")
# Options of Terraform, and of `flowspec import`.
VAR_FILES = {"root-values": ["prod.tfvars"]}
SETTINGS = {"root-values": ["spot=true", 'tags={ c = "3" }']}


def written(files, folder):
    """The folder with a case's files in it."""
    for name, content in files.items():
        text = content
        for word, shared in _SHARED.items():
            text = re.sub(rf"^(\s*){word}$", rf"\1{shared}", text, flags=re.MULTILINE)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((text.replace("\n", "\r\n") if name == "crlf.tf" else text).encode())
    return folder
