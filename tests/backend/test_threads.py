"""The threads that ask a service side by side."""

import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from flowspec.backend.threads import DaemonPool


def test_results_and_errors_come_back_from_a_few_threads():
    names = set()

    def divide(number):
        names.add(threading.get_ident())
        return 12 // number

    with DaemonPool(3) as pool:
        assert list(pool.map(divide, range(1, 13))) == [12 // number for number in range(1, 13)]
        with pytest.raises(ZeroDivisionError):
            pool.submit(divide, 0).result()
    assert len(names) <= 3


def test_the_end_of_the_block_drops_what_was_not_begun():
    begun, answer = threading.Event(), threading.Event()
    with DaemonPool(1) as pool:
        first = pool.submit(lambda: begun.set() or answer.wait())
        second = pool.submit(answer.wait)
        begun.wait()
    assert second.cancelled()
    answer.set()
    assert first.result() is True


def test_ctrl_c_does_not_wait_for_a_call_that_is_never_answered():
    code = """
        import threading
        from flowspec.backend.threads import DaemonPool
        def ask(_):
            print("asked", flush=True)
            threading.Event().wait()
        with DaemonPool(1) as outer, DaemonPool(1) as inner:
            list(outer.map(lambda one: list(inner.map(ask, [one])), [1]))
    """
    words = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "asked\n"
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=60)[1].endswith("KeyboardInterrupt\n")
        finally:
            process.kill()
