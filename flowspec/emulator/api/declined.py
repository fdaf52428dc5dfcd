"""The operations of EMR that the emulator does not support, by subject.

They need services that do not exist on this machine: web applications, notebook servers, sessions, IAM.
"""

from __future__ import annotations

from collections.abc import Mapping

from flowspec.emulator.errors import EmrError

_SUBJECTS = {
    "EMR Studio": (
        "CreateStudio",
        "CreateStudioSessionMapping",
        "DeleteStudio",
        "DeleteStudioSessionMapping",
        "DescribeStudio",
        "GetStudioSessionMapping",
        "ListStudioSessionMappings",
        "ListStudios",
        "UpdateStudio",
        "UpdateStudioSessionMapping",
    ),
    "notebook executions": (
        "DescribeNotebookExecution",
        "ListNotebookExecutions",
        "StartNotebookExecution",
        "StopNotebookExecution",
    ),
    "interactive sessions": (
        "GetSession",
        "GetSessionEndpoint",
        "ListSessions",
        "StartSession",
        "TerminateSession",
    ),
    "application user interfaces": (
        "CreatePersistentAppUI",
        "DescribePersistentAppUI",
        "GetOnClusterAppUIPresignedURL",
        "GetPersistentAppUIPresignedURL",
    ),
    "credentials of a cluster's users": ("GetClusterSessionCredentials",),
}

DECLINED: Mapping[str, str] = {operation: subject for subject, named in _SUBJECTS.items() for operation in named}
"""Operation -> subject."""


def not_implemented(operation: str) -> EmrError:
    """Returns the error for an unsupported operation, with the code that EMR uses where a region lacks one."""
    what = f": it has no {DECLINED[operation]}" if operation in DECLINED else ""
    return EmrError("UnknownOperationException", f"{operation} is not implemented by the embedded EMR{what}")
