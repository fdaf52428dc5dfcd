"""How the embedded EMR refuses a call: AWS's codes and texts.

EMR words "not found" in two ways: operations that speak of a job flow answer ValidationException, those
that speak of a cluster answer InvalidRequestException (mrjob's recorded answers, Terraform's provider).
"""

from __future__ import annotations


class EmrError(Exception):
    """A refused call: `code` and `message` as EMR gives them, `status` the HTTP status of the answer."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def validation(message: str) -> EmrError:
    """What is wrong with the request itself, or with the state of what it is about."""
    return EmrError("ValidationException", message)


def invalid_request(message: str) -> EmrError:
    """What the newer, cluster-speaking operations answer."""
    return EmrError("InvalidRequestException", message)


def no_such_cluster(cluster_id: str) -> EmrError:
    """EMR's "not found" for a cluster."""
    return invalid_request(f"Cluster id '{cluster_id}' is not valid.")


def no_such_job_flow() -> EmrError:
    """EMR's "not found" for a job flow."""
    return validation("Specified job flow ID not valid.")


def shut_down() -> EmrError:
    """The answer to every change of a cluster that is ending or has ended."""
    return validation("A job flow that is shutting down, terminated, or finished may not be modified.")
