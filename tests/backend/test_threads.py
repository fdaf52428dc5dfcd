"""Calls in threads: some at a time, in their order, and none that an interrupt waits for."""

from threading import Barrier, Event, Thread

import pytest

from flowspec.backend.threads import Threads


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


def test_a_thread_ends_when_nothing_is_left_and_another_is_begun_later():
    with Threads(1) as threads:
        assert [threads.submit(str, number).result() for number in range(3)] == ["0", "1", "2"]


def test_a_call_is_made_at_once_where_no_thread_can_be_started(monkeypatch):
    """As under `ulimit -u`, by which root is not bound."""

    def start(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", start)
    with Threads(2) as threads:
        assert list(threads.map(abs, range(-5, 0))) == [5, 4, 3, 2, 1]
