"""Waits for what another thread or process does, with a bound: what never happens fails a test and does not hang it."""

import time

PATIENCE = 60.0


def wait_until(done):
    """Waits until `done()` is true."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.01)
