"""Errors of the API, with AWS's codes and messages.

"Not found" has two forms in EMR: operations with a JobFlowId answer ValidationException, those with a
ClusterId InvalidRequestException (seen in mrjob's recorded answers and in Terraform's provider).
"""

from __future__ import annotations


class EmrError(Exception):
    """A refused call: EMR's error `code` and `message`, and the HTTP `status`.

    `detail` is the member ErrorCode, which only InvalidRequestException has (botocore's shape).
    """

    def __init__(self, code: str, message: str, status: int = 400, detail: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.detail = detail


def validation(message: str) -> EmrError:
    """Returns a ValidationException: invalid parameters, or a resource in the wrong state."""
    return EmrError("ValidationException", message)


def invalid_request(message: str, detail: str = "") -> EmrError:
    """Returns an InvalidRequestException, used by the newer Cluster operations; `detail` is its ErrorCode."""
    return EmrError("InvalidRequestException", message, detail=detail)


def not_found(message: str) -> EmrError:
    """Returns the InvalidRequestException for a step, group, fleet or configuration that does not exist."""
    return invalid_request(message, "ResourceNotFound")


def no_such_cluster(cluster_id: str) -> EmrError:
    """Returns the "not found" of operations with a ClusterId."""
    return invalid_request(f"Cluster id '{cluster_id}' is not valid.", "NoSuchCluster")


def no_such_job_flow() -> EmrError:
    """Returns the "not found" of operations with a JobFlowId."""
    return validation("Specified job flow ID not valid.")


def shut_down() -> EmrError:
    """Returns the error for a change of a cluster that is terminating or has ended."""
    return validation("A job flow that is shutting down, terminated, or finished may not be modified.")
