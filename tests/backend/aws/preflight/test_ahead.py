"""Calls that are begun run side by side, and are sent once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from flowspec.backend.aws.preflight.ahead import Ahead
from flowspec.errors import ServiceError


def test_calls_that_are_begun_run_at_the_same_time_and_are_sent_once():
    both, sent = Barrier(2, timeout=60), []

    def ask(operation, **params):
        sent.append((operation, params))
        # Goes on only when the other call is under way, too.
        both.wait()
        return {"of": params["Name"]}

    with ThreadPoolExecutor(2) as pool:
        ahead = Ahead(ask, pool)
        ahead.begin("Get", Name="a")
        ahead.begin("Get", Name="b")
        assert [ahead("Get", Name=name)["of"] for name in "ba"] == ["b", "a"]
    assert sorted(params["Name"] for _, params in sent) == ["a", "b"]


def test_what_was_not_begun_or_was_answered_is_sent():
    sent = []

    def ask(operation, **params):
        sent.append(operation)
        if params:
            raise ServiceError(operation, "AccessDenied", "no")
        return {}

    with ThreadPoolExecutor(1) as pool:
        ahead = Ahead(ask, pool)
        ahead.begin("Get", Name="a")
        with pytest.raises(ServiceError, match="no"):
            ahead("Get", Name="a")
        assert ahead("Get") == {}
        assert ahead("List") == {}
    assert sent == ["Get", "Get", "List"]
