"""Clients are made from botocore's own models, or from parts of them that say the same."""

import json

import boto3
import pytest
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.session import Session

from flowspec.backend.aws.client import Endpoint, session_of
from flowspec.backend.aws.models.extract import OPERATIONS, extract
from flowspec.backend.aws.models.loader import MODELS, ModelLoader


@pytest.fixture(scope="module")
def loader():
    return ModelLoader(Loader())


def is_part_of(part, whole):
    """True if all that `part` says is said in `whole`; a newer botocore may say more."""
    if isinstance(part, dict):
        return all(key in whole and is_part_of(one, whole[key]) for key, one in part.items())
    return part == whole


@pytest.mark.parametrize("service", OPERATIONS)
def test_a_part_of_a_model_says_what_botocore_says(loader, service):
    (file,) = (MODELS / service).glob("*/service-2.json")
    ours, theirs = json.loads(file.read_text()), Loader().load_service_model(service, "service-2")
    assert set(ours["operations"]) == set(OPERATIONS[service])
    assert is_part_of(ours, theirs)
    assert loader.load_service_model(service, "service-2") == ours
    # Nothing that a client needs was left out: it is what is extracted of the installed one, but for newer members.
    assert set(ours["shapes"]) <= set(extract(theirs, OPERATIONS[service])["shapes"])


def test_a_model_of_the_user_comes_before_ours(tmp_path):
    file = tmp_path / "ec2/2016-11-15/service-2.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"metadata": {"of": "the user"}}')
    found = ModelLoader(Loader([str(tmp_path)])).load_service_model("ec2", "service-2")
    assert found["metadata"] == {"of": "the user"}


@pytest.mark.parametrize(
    ("service", "kind"), [("sts", "service-2"), ("s3", "endpoint-rule-set-1"), ("emr", "service-2")]
)
def test_other_models_are_botocores(loader, service, kind):
    assert loader.load_service_model(service, kind) == Loader().load_service_model(service, kind)


def test_what_botocore_does_not_know_is_refused_as_botocore_does(loader, tmp_path):
    with pytest.raises(UnknownServiceError, match="ec2"):
        loader.load_service_model("ec3", "service-2")
    # A service of the user without endpoint rules: botocore goes on without them.
    (tmp_path / "mine/2020-01-01").mkdir(parents=True)
    (tmp_path / "mine/2020-01-01/service-2.json").write_text("{}")
    mine = ModelLoader(Loader([str(tmp_path)]))
    assert mine.load_service_model("mine", "service-2") == {}
    with pytest.raises(UnknownServiceError):
        mine.load_service_model("mine", "endpoint-rule-set-1")


def test_a_session_of_the_caller_keeps_its_loader(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    theirs = boto3.session.Session()
    assert not isinstance(session_of(Endpoint("emr"), theirs).get_component("data_loader"), ModelLoader)
    assert isinstance(session_of(Endpoint("emr")).get_component("data_loader"), ModelLoader)
    assert not isinstance(Session().get_component("data_loader"), ModelLoader)
