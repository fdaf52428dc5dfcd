"""Waits for what another thread or process does, with a bound: what never happens fails a test and does not hang it."""

import time

PATIENCE = 60.0


def wait_until(done, told=lambda: "nothing happened in time"):
    """Waits until `done()` is true; fails with the text of `told()` if it never is."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, told()
        time.sleep(0.01)
