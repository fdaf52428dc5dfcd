"""`type: s3_dist_cp`: a copy by S3DistCp. Source of the options: the EMR Release Guide, "S3DistCp (s3-dist-cp)"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowspec.request.steps.access import Access, Use, file_fields
from flowspec.request.steps.kind import Fields, SpecStep, without_empty
from flowspec.request.steps.options import Option, Table, read
from flowspec.request.steps.target import HadoopJarStep, Invocation, StepTarget

OPTIONS: Table = {
    "src": Option("--src", joined=True),
    "dest": Option("--dest", joined=True),
    "src_pattern": Option("--srcPattern", joined=True),
    "group_by": Option("--groupBy", joined=True),
    "target_size": Option("--targetSize", joined=True),
    "append_to_last_file": Option("--appendToLastFile", "switch"),
    "output_codec": Option("--outputCodec", joined=True),
    "delete_on_success": Option("--deleteOnSuccess", "switch"),
    "disable_multipart_upload": Option("--disableMultipartUpload", "switch"),
    "multipart_upload_chunk_size": Option("--multipartUploadChunkSize", joined=True),
    "number_files": Option("--numberFiles", "switch"),
    "starting_index": Option("--startingIndex", joined=True),
    "output_manifest": Option("--outputManifest", joined=True),
    "previous_manifest": Option("--previousManifest", joined=True),
    "require_previous_manifest": Option("--requirePreviousManifest", "switch"),
    "copy_from_manifest": Option("--copyFromManifest", "switch"),
    "src_prefixes_file": Option("--srcPrefixesFile", joined=True),
    "s3_endpoint": Option("--s3Endpoint", joined=True),
    "storage_class": Option("--storageClass", joined=True),
    "s3_server_side_encryption": Option("--s3ServerSideEncryption", "switch"),
}
_AMI_JAR = "/home/hadoop/lib/emr-s3distcp-1.0.jar"


def invocation(target: StepTarget) -> Invocation:
    """Returns the program that runs S3DistCp; on the AMIs it is a jar of its own."""
    return Invocation(_AMI_JAR) if target.pre_emr4 else target.program("s3-dist-cp")


def compile(step: SpecStep) -> dict[str, Any]:
    """Compiles a step to s3-dist-cp with the step's options and `args`."""
    return invocation(step.target).step(step.words(OPTIONS, "args"))


def recognize(step: HadoopJarStep, target: StepTarget) -> Fields | None:
    """Returns the step of an s3-dist-cp; what follows the last option that is known becomes `args`."""
    words = invocation(target).args_of(step)
    if words is None:
        return None
    found, rest = read(words, OPTIONS)
    return {**found, **without_empty(args=rest)}


def accesses(fields: Fields) -> Iterator[Access]:
    """Yields the source, the destination, the manifests and the file of prefixes."""
    if "src" in fields:
        yield Access(Use.INPUT, fields["src"])
    yield from (Access(Use.TARGET, fields[key]) for key in ("dest", "output_manifest") if key in fields)
    yield from file_fields(fields, "src_prefixes_file")
    # Only --requirePreviousManifest=false lets a copy go on without it, which `recognize` leaves in `args`.
    if "--requirePreviousManifest=false" not in fields.get("args", ()):
        yield from file_fields(fields, "previous_manifest")
