"""The connection to EMR, with the methods that boto 2 gave it (`boto.emr.connection`).

A method makes the flat parameters of EMR's query API, as boto 2 did; `api_params` has that form, too. They are sent
as today's API has them, by the client that all of flowspec uses (`flowspec.backend.aws.client`), and the answer is
read into the objects of boto 2 (`emrobject`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, NamedTuple
from urllib.parse import quote

from flowspec.backend.aws import query
from flowspec.backend.aws.client import Emr, Endpoint, connect, session_of
from flowspec.backend.aws.submission.change import add
from flowspec.boto_emr import emrobject
from flowspec.boto_emr.answers import Answer, XmlAnswer
from flowspec.boto_emr.arguments import (
    Several,
    action_configs,
    add_time_range,
    as_list,
    as_steps,
    boolean_word,
    group_configs,
    page_params,
)
from flowspec.boto_emr.bootstrap_action import BootstrapAction
from flowspec.boto_emr.exception import EmrResponseError, as_boto_raised, refusal
from flowspec.boto_emr.instance_group import InstanceGroup
from flowspec.boto_emr.jobflows import describe_job_flows
from flowspec.boto_emr.params import Flat, lay, nested
from flowspec.boto_emr.regioninfo import RegionInfo, is_aws
from flowspec.boto_emr.resultset import ResultSet
from flowspec.boto_emr.step import JarStep, Step, depends_on_release, step_config
from flowspec.errors import ServiceError, number_of
from flowspec.facts.api_model import input_shape, problems
from flowspec.facts.backends import BACKENDS, BackendName
from flowspec.request.steps.target import StepTarget, debugging_step

# After a lost answer, flowspec searches for what these operations add. A lost answer of RunJobFlow is an error: callers
# of boto 2 do not tag their job flows, so a new job flow can't be distinguished from others of the same name.
_ADDING = {"AddJobFlowSteps": "StepIds", "AddInstanceGroups": "InstanceGroupIds"}

_NOT_OFFERED = frozenset({"UnknownOperationException", "InvalidAction", "NotImplemented"})


class Request(NamedTuple):
    """A call to send: `params` are flat, with Action and Version among them."""

    params: Flat


class EmrConnection:
    """A connection to EMR; it is opened when the first call is made.

    The parameters up to `profile_name` are boto 2's. With an `https_connection_factory` EMR's query API is
    spoken through it, as boto 2 did. Of today: `region_name`; `endpoint_url`, another EMR's; `session`, a
    boto3 session; `backend`, "local" for the EMR embedded in flowspec.

    A call raises EmrResponseError for what EMR refuses, BotoClientError where it could not be sent.
    """

    APIVersion = "2009-03-31"
    DefaultRegionName = "us-east-1"
    DefaultRegionEndpoint = "elasticmapreduce.us-east-1.amazonaws.com"
    ResponseError: ClassVar = EmrResponseError

    # Only for the AMIs; a release has a command instead.
    DebuggingJar = "s3://{region_name}.elasticmapreduce/libs/script-runner/script-runner.jar"
    DebuggingArgs = "s3://{region_name}.elasticmapreduce/libs/state-pusher/0.1/fetch"

    def __init__(
        self,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        is_secure: bool = True,
        port: int | None = None,
        proxy: str | None = None,
        proxy_port: int | str | None = None,
        proxy_user: str | None = None,
        proxy_pass: str | None = None,
        debug: int = 0,
        https_connection_factory: tuple[Callable[..., Any], Any] | None = None,
        region: RegionInfo | None = None,
        path: str = "/",
        security_token: str | None = None,
        validate_certs: bool = True,
        profile_name: str | None = None,
        *,
        region_name: str | None = None,
        endpoint_url: str | None = None,
        session: Any = None,
        backend: BackendName = "emr",
    ) -> None:
        if backend not in BACKENDS:
            raise ValueError(f"backend is {' or '.join(map(repr, sorted(BACKENDS)))}, not {backend!r}")
        self.aws_access_key_id = aws_access_key_id
        self.aws_secret_access_key = aws_secret_access_key
        self.debug = debug
        self.region = region or self._region_named(region_name or getattr(session, "region_name", None))
        self.host = self.region.endpoint
        self.https_connection_factory = https_connection_factory and https_connection_factory[0]
        self._session = session
        given = aws_access_key_id and aws_secret_access_key
        self._endpoint = Endpoint(
            backend,
            self.region.name,
            profile_name,
            endpoint_url or self._url(is_secure, port, path),
            keys=(aws_access_key_id or "", aws_secret_access_key or "", security_token) if given else None,
            proxy=_proxy_url(proxy, proxy_port, proxy_user, proxy_pass) if proxy else None,
            verify=validate_certs,
        )

    def _region_named(self, name: str | None) -> RegionInfo:
        if name in {None, self.DefaultRegionName}:
            return RegionInfo(self, self.DefaultRegionName, self.DefaultRegionEndpoint)
        suffix = ".cn" if str(name).startswith("cn-") else ""
        return RegionInfo(self, name, f"elasticmapreduce.{name}.amazonaws.com{suffix}")

    def _url(self, is_secure: bool, port: int | None, path: str) -> str | None:
        """Returns the URL of another EMR than AWS's; None for AWS's, whose address the SDK knows."""
        if is_secure and port is None and is_aws(self.host):
            return None
        return f"{'https' if is_secure else 'http'}://{self.host}{f':{port}' if port else ''}{path}"

    def __repr__(self) -> str:
        if not self._endpoint.traits.on_aws:
            return f"{type(self).__name__}:embedded"
        return f"{type(self).__name__}:{self._endpoint.endpoint_url or self.host}"

    @cached_property
    def _emr(self) -> Emr:
        return connect(self._endpoint, self._session)

    # --- describing clusters ---

    def describe_cluster(self, cluster_id: str) -> Any:
        """Returns a `Cluster`."""
        return self.get_object("DescribeCluster", {"ClusterId": cluster_id}, emrobject.Cluster)

    def close(self) -> None:
        """Does nothing: the SDK's connections end with the program. It exists because scripts for boto 2 call it."""

    def describe_jobflow(self, jobflow_id: str) -> Any:
        """Returns a `JobFlow`."""
        found = self.describe_jobflows(jobflow_ids=[jobflow_id])
        return found[0] if found else None

    def describe_jobflows(
        self,
        states: Several = None,
        jobflow_ids: Several = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Any:
        """Returns a list of `JobFlow`s. Times without a zone are UTC.

        AWS deprecated DescribeJobFlows; if an endpoint no longer has it, its answer is built from current API calls.
        """
        params: Flat = {}
        if states:
            self.build_list_params(params, states, "JobFlowStates.member")
        if jobflow_ids:
            self.build_list_params(params, jobflow_ids, "JobFlowIds.member")
        add_time_range(params, created_after, created_before)
        return self.get_list("DescribeJobFlows", params, [("member", emrobject.JobFlow)])

    def describe_step(self, cluster_id: str, step_id: str) -> Any:
        """Returns a `HadoopStep`."""
        return self.get_object("DescribeStep", {"ClusterId": cluster_id, "StepId": step_id}, emrobject.HadoopStep)

    def list_bootstrap_actions(self, cluster_id: str, marker: str | None = None) -> Any:
        """Returns a page of bootstrap actions: `BootstrapActionList`."""
        return self.get_object("ListBootstrapActions", page_params(cluster_id, marker), emrobject.BootstrapActionList)

    def list_clusters(
        self,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        cluster_states: Several = None,
        marker: str | None = None,
    ) -> Any:
        """Returns a page of clusters: `ClusterSummaryList`. Times without a zone are UTC."""
        params: Flat = {"Marker": marker} if marker else {}
        add_time_range(params, created_after, created_before)
        if cluster_states:
            self.build_list_params(params, cluster_states, "ClusterStates.member")
        return self.get_object("ListClusters", params, emrobject.ClusterSummaryList)

    def list_instance_groups(self, cluster_id: str, marker: str | None = None) -> Any:
        """Returns a page of instance groups: `InstanceGroupList`."""
        return self.get_object("ListInstanceGroups", page_params(cluster_id, marker), emrobject.InstanceGroupList)

    def list_instances(
        self,
        cluster_id: str,
        instance_group_id: str | None = None,
        instance_group_types: Several = None,
        marker: str | None = None,
    ) -> Any:
        """Returns a page of instances: `InstanceList`."""
        params = page_params(cluster_id, marker)
        if instance_group_id:
            params["InstanceGroupId"] = instance_group_id
        if instance_group_types:
            self.build_list_params(params, instance_group_types, "InstanceGroupTypes.member")
        return self.get_object("ListInstances", params, emrobject.InstanceList)

    def list_steps(self, cluster_id: str, step_states: Several = None, marker: str | None = None) -> Any:
        """Returns a page of steps, the newest first: `StepSummaryList`."""
        params = page_params(cluster_id, marker)
        if step_states:
            self.build_list_params(params, step_states, "StepStates.member")
        return self.get_object("ListSteps", params, emrobject.StepSummaryList)

    # --- changing clusters ---

    def add_tags(self, resource_id: str, tags: Mapping[str, str | None]) -> Any:
        """Tags a cluster; a tag without a value has "" or None."""
        assert isinstance(resource_id, str)
        return self.get_status("AddTags", {"ResourceId": resource_id, **self._build_tag_list(tags)})

    def remove_tags(self, resource_id: str, tags: Several) -> Any:
        """Removes the tags with these keys."""
        params = {"ResourceId": resource_id}
        self.build_list_params(params, tags or (), "TagKeys.member")
        return self.get_status("RemoveTags", params)

    def terminate_jobflow(self, jobflow_id: str) -> None:
        """Terminates a job flow."""
        self.terminate_jobflows([jobflow_id])

    def terminate_jobflows(self, jobflow_ids: Several) -> Any:
        """Terminates job flows."""
        return self._call_on_job_flows("TerminateJobFlows", jobflow_ids)

    def set_termination_protection(self, jobflow_id: Several, termination_protection_status: bool) -> Any:
        """Protects a job flow (or several) against termination, or lifts that."""
        assert termination_protection_status in (True, False)
        status = boolean_word(bool(termination_protection_status))
        return self._call_on_job_flows("SetTerminationProtection", jobflow_id, TerminationProtected=status)

    def set_visible_to_all_users(self, jobflow_id: Several, visibility: bool) -> Any:
        """Shows a job flow (or several) to all users of the account, or not."""
        assert visibility in (True, False)
        return self._call_on_job_flows(
            "SetVisibleToAllUsers", jobflow_id, VisibleToAllUsers=boolean_word(bool(visibility))
        )

    def _call_on_job_flows(self, action: str, ids: Several, **params: str) -> Any:
        self.build_list_params(params, ids or (), "JobFlowIds.member")
        return self.get_status(action, params)

    def add_jobflow_steps(self, jobflow_id: str, steps: Step | Iterable[Step]) -> Any:
        """Adds steps (or one) to a job flow, in the form that its release wants: `JobFlowStepList`."""
        added = as_steps(steps)
        target = self._target_of(jobflow_id, added)
        params: Flat = {"JobFlowId": jobflow_id}
        lay(params, "Steps", [step_config(step, target) for step in added])
        return self.get_object("AddJobFlowSteps", params, emrobject.JobFlowStepList)

    def add_instance_groups(self, jobflow_id: str, instance_groups: InstanceGroup | Iterable[InstanceGroup]) -> Any:
        """Adds instance groups (or one) to a running cluster: `AddInstanceGroupsResponse`."""
        params: Flat = {"JobFlowId": jobflow_id}
        lay(params, "InstanceGroups", group_configs(instance_groups))
        return self.get_object("AddInstanceGroups", params, emrobject.AddInstanceGroupsResponse)

    def modify_instance_groups(self, instance_group_ids: Several, new_sizes: int | Iterable[int]) -> Any:
        """Gives instance groups (or one) new sizes: `ModifyInstanceGroupsResponse`.

        Raises ValueError where the numbers of groups and of sizes differ.
        """
        groups, sizes = as_list(instance_group_ids), as_list(new_sizes)
        if len(groups) != len(sizes):
            raise ValueError(
                "each instance group has one new size: "
                f"{number_of(len(groups), 'group')}, {number_of(len(sizes), 'size')}"
            )
        params: Flat = {}
        lay(
            params,
            "InstanceGroups",
            [{"InstanceGroupId": group, "InstanceCount": size} for group, size in zip(groups, sizes, strict=True)],
        )
        return self.get_object("ModifyInstanceGroups", params, emrobject.ModifyInstanceGroupsResponse)

    # --- running a job flow ---

    def run_jobflow(
        self,
        name: str,
        log_uri: str | None = None,
        ec2_keyname: str | None = None,
        availability_zone: str | None = None,
        master_instance_type: str = "m1.small",
        slave_instance_type: str = "m1.small",
        num_instances: int = 1,
        action_on_failure: str = "TERMINATE_JOB_FLOW",  # noqa: ARG002 - EMR never looked at boto 2's ActionOnFailure
        keep_alive: bool = False,
        enable_debugging: bool = False,
        hadoop_version: str | None = None,
        steps: Step | Iterable[Step] | None = None,
        bootstrap_actions: BootstrapAction | Iterable[BootstrapAction] = (),
        instance_groups: InstanceGroup | Iterable[InstanceGroup] | None = None,
        additional_info: str | None = None,
        ami_version: str | None = None,
        api_params: Mapping[str, Any] | None = None,
        visible_to_all_users: bool | None = None,
        job_flow_role: str | None = None,
        service_role: str | None = None,
    ) -> str:
        """Runs a job flow and gives its id.

        `instance_groups` replace `num_instances` and the two types. `api_params` are further parameters of RunJobFlow,
        flat ("Instances.Ec2SubnetId") or nested ({"Instances": {"Ec2SubnetId": ...}}); one that is None removes what
        the other arguments said. Steps have the form for the `ReleaseLabel` in `api_params`, else the form for AMIs. As
        in boto 2, `action_on_failure` has no effect: each step has its own.

        Raises EmrResponseError with status 0 when it is not known whether the job flow was made.
        """
        target = StepTarget(not (api_params or {}).get("ReleaseLabel"), self._region_name)
        debugging = [self._debugging_step(target)] if enable_debugging else []
        shorthand = {
            "MasterInstanceType": master_instance_type,
            "SlaveInstanceType": slave_instance_type,
            "InstanceCount": num_instances,
        }
        asked = {
            "Name": name,
            "LogUri": log_uri or None,
            "Instances": {
                "KeepJobFlowAliveWhenNoSteps": boolean_word(keep_alive),
                "HadoopVersion": hadoop_version or None,
                "Ec2KeyName": ec2_keyname or None,
                "Placement": {"AvailabilityZone": availability_zone or None},
                **({"InstanceGroups": group_configs(instance_groups)} if instance_groups else shorthand),
            },
            "Steps": [*debugging, *(step_config(step, target) for step in as_steps(steps))],
            "BootstrapActions": action_configs(bootstrap_actions),
            "AmiVersion": ami_version or None,
            "AdditionalInfo": additional_info,
        }
        last = {
            "VisibleToAllUsers": None if visible_to_all_users is None else boolean_word(bool(visible_to_all_users)),
            "JobFlowRole": job_flow_role,
            "ServiceRole": service_role,
        }
        params: Flat = {}
        for key, value in [*asked.items(), *(api_params or {}).items()]:
            lay(params, key, value)
        params |= {key: value for key, value in last.items() if value is not None}
        made = self.get_object("RunJobFlow", params, emrobject.RunJobFlowResponse)
        return str(made.jobflowid)

    @property
    def _region_name(self) -> str:
        return self.region.name or self.DefaultRegionName

    def _debugging_step(self, target: StepTarget) -> dict[str, Any]:
        if not target.pre_emr4:
            return debugging_step(target)
        jar, fetch = (text.format(region_name=target.region) for text in (self.DebuggingJar, self.DebuggingArgs))
        return step_config(JarStep("Setup Hadoop Debugging", jar, step_args=fetch), target)

    def _target_of(self, jobflow_id: str, steps: list[Any]) -> StepTarget:
        """Returns the target that decides the form of steps; EMR is asked only where it makes a difference."""
        ami = StepTarget(pre_emr4=True, region=self._region_name)
        if self.https_connection_factory or not any(map(depends_on_release, steps)):
            return ami
        with as_boto_raised():
            cluster = self._emr.call("DescribeCluster", ClusterId=jobflow_id)["Cluster"]
        return ami._replace(pre_emr4=not cluster.get("ReleaseLabel"))

    # --- boto 2's names for flat parameters ---

    def build_list_params(self, params: Flat, items: Several, label: str) -> None:
        """Puts a list (or its only item) into `params` as `label.1`, `label.2` and so on."""
        for number, item in enumerate(as_list(items), 1):
            params[f"{label}.{number}"] = item

    def _build_tag_list(self, tags: Mapping[str, str | None]) -> Flat:
        assert isinstance(tags, Mapping)
        params: Flat = {}
        lay(params, "Tags", [{"Key": key, "Value": tags[key] or None} for key in sorted(tags)])
        return params

    # --- sending, and reading the answer; boto 2's path, parent and verb make no difference ---

    def get_object(self, action: str, params: Flat, cls: Any, **_transport: Any) -> Any:
        """Returns the answer to a call, as an object of `cls`."""
        return self._fill_from_answer(cls(self), action, params)

    def get_list(self, action: str, params: Flat, markers: list[tuple[str, Any]], **_transport: Any) -> Any:
        """Returns the answer to a call, as a list; `markers` are those of `ResultSet`."""
        return self._fill_from_answer(ResultSet(markers), action, params)

    def get_status(self, action: str, params: Flat, **_transport: Any) -> Any:
        """Returns True; raises where the answer is an error."""
        return self._fill_from_answer(ResultSet(), action, params).status

    def _fill_from_answer(self, root: Any, action: str, params: Flat) -> Any:
        self.make_request(action, params).tell(root, self)
        return root

    def make_request(self, action: str, params: Flat | None = None, **_transport: Any) -> Any:
        """Sends a call; the answer can `tell` an object what is in it."""
        return self._mexe(Request({**(params or {}), "Action": action, "Version": self.APIVersion}))

    def _mexe(self, request: Request) -> Answer | XmlAnswer:
        """Carries a request out (boto 2's name)."""
        if self.https_connection_factory:
            with as_boto_raised():
                session = session_of(self._endpoint, self._session)
            where = (self.https_connection_factory, self.host or "", self._region_name)
            return XmlAnswer(*query.send(session, *where, request.params))
        params = {name: value for name, value in request.params.items() if name not in {"Action", "Version"}}
        with as_boto_raised():
            return Answer(self._call(request.params["Action"], params))

    def _call(self, action: str, params: Flat) -> dict[str, Any]:
        given = nested(params, input_shape(action))
        wrong = problems(given, action)
        if wrong:
            raise refusal(400, "ValidationException", "; ".join(one.message for one in wrong))
        if action == "RunJobFlow":
            return self._emr.create(action, **given)
        if action in _ADDING:
            return self._call_adding(action, given)
        try:
            return self._emr.call(action, **given)
        except ServiceError as error:
            if action != "DescribeJobFlows" or error.code not in _NOT_OFFERED:
                raise
            return describe_job_flows(self._emr, given)

    def _call_adding(self, action: str, given: dict[str, Any]) -> dict[str, Any]:
        try:
            ids = add(action, given, self._emr, given["JobFlowId"])
        except ServiceError as error:
            if not error.operation.startswith("List"):
                raise
            # No such cluster, or no permission to list: the search is not possible, so the answer to this call counts.
            return self._emr.create(action, **given)
        return {"JobFlowId": given["JobFlowId"], _ADDING[action]: ids}


def _proxy_url(host: str, port: int | str | None, user: str | None, password: str | None) -> str:
    login = f"{quote(user, safe='')}:{quote(password or '', safe='')}@" if user else ""
    return f"http://{login}{host}{f':{port}' if port else ''}"
