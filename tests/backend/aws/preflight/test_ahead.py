"""Calls that are begun run side by side, and are sent once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from flowspec.backend.aws.preflight.ahead import Ahead
from flowspec.backend.preflight.threads import Threads
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


def test_an_interrupt_does_not_wait_for_calls_that_are_under_way():
    begun, answer, calls = Event(), Event(), []

    def ask():
        begun.set()
        answer.wait(60)

    def interrupted():
        with Threads(1) as threads:
            calls.append(threads.submit(ask))
            begun.wait(60)
            calls.append(threads.submit(ask))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    under_way, next_one = calls
    assert not under_way.done()
    assert next_one.cancel()
    answer.set()


def test_threads_make_some_calls_at_a_time_and_keep_their_order():
    pair = Barrier(2, timeout=60)

    def half(number):
        pair.wait()
        return number // 2

    with Threads(2) as threads:
        assert list(threads.map(half, range(6))) == [0, 0, 1, 1, 2, 2]
        with pytest.raises(ZeroDivisionError):
            threads.submit(divmod, 1, 0).result()
