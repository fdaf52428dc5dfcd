"""A digest that others may see tells no secret to those who can guess it."""

import pytest

from flowspec.plan.identity import hidden_digests, steps_digest
from flowspec.request.compile import digest
from flowspec.request.public_form import public_form

# Two passwords whose digests begin with the same 12 bits, as one in 4,096 does.
ONE, OTHER = "password42", "password43"
STEP = {"Name": "one", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["load", "--password", ""]}}


def with_password(word):
    return {
        "Name": "nightly",
        "KerberosAttributes": {"Realm": "EC2.INTERNAL", "KdcAdminPassword": word},
        "Steps": [{**STEP, "HadoopJarStep": {**STEP["HadoopJarStep"], "Args": ["load", "--password", word]}}],
    }


@pytest.mark.parametrize(
    "told",
    [
        lambda word: digest(with_password(word), (), {word}),
        lambda word: steps_digest(with_password(word), {word}),
        lambda word: hidden_digests(with_password(word), ()),
        lambda word: str(public_form(with_password(word), {word})),
    ],
)
def test_of_many_guesses_several_remain(told):
    assert told(ONE) == told(OTHER)
    assert told(ONE) != told("hunter2")


def test_a_changed_secret_is_another_request():
    assert len({digest(with_password(word), (), {word}) for word in map(str, range(1000, 1050))}) >= 49


def test_what_surrounds_a_secret_does_not_tell_more_of_it():
    params = with_password("hunter2")
    longer = {**params, "Name": "weekly", "AdditionalInfo": '{"password": "hunter2"}'}
    first, second = (public_form(one, {"hunter2"}) for one in (params, longer))
    assert first["secrets"] == second["secrets"]
    assert "hunter2" not in str(first) + str(second)


def test_a_secret_that_the_request_does_not_have_counts_for_nothing():
    assert public_form(with_password("hunter2"), {"hunter2", "unused"}) == public_form(
        with_password("hunter2"), {"hunter2"}
    )


def test_without_secrets_a_request_counts_whole():
    assert public_form({"Name": "a", "LogUri": "s3://b/"}, ()) == {
        "params": {"Name": "a", "LogUri": "s3://b/"},
        "secrets": [],
    }
