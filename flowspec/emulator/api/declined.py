"""Operations of EMR that the embedded one has not, and what they are about.

They need what does not exist here: a web application, a notebook server, an interactive session, IAM.
"""

from __future__ import annotations

from collections.abc import Mapping

from flowspec.emulator.api.errors import EmrError

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
"""Operation -> what it is about."""


def not_implemented(operation: str) -> EmrError:
    """The answer to an operation that is not here. EMR gives this code where a region lacks an operation."""
    what = f": it has no {DECLINED[operation]}" if operation in DECLINED else ""
    return EmrError("UnknownOperationException", f"{operation} is not implemented by the embedded EMR{what}")
