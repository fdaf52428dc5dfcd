"""The values that `defaults: recommended` gives a spec for the keys that it leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

DEFAULT_ROLES: Mapping[str, str] = MappingProxyType(
    {"service_role": "EMR_DefaultRole", "job_flow_role": "EMR_EC2_DefaultRole"},
)
"""The role and the instance profile that `aws emr create-default-roles` makes (AWS CLI Command Reference)."""

SCALING_ROLE: Mapping[str, str] = MappingProxyType({"auto_scaling_role": "EMR_AutoScaling_DefaultRole"})
"""The role that the same command makes, for groups with a scaling policy of their own."""

VISIBILITY: Mapping[str, bool] = MappingProxyType({"visible_to_all_users": True})
"""The value that EMR's console sends (API Reference, RunJobFlow, VisibleToAllUsers)."""
