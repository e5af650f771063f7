# SPDX-License-Identifier: GPL-2.0-or-later
"""A bound in time for what has no other: it only says that a run is to be repeated with a bound in
instructions, so that the verdict is the same on every machine.

To count instructions from the start costs a boot twice its time and a hypercall three times; and a
bound that is set later does not count in code that is translated already.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

INTERVAL = 0.1


class Watchdog:
    """One thread, asleep but for a look ten times a second, for as long as something is watched."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._deadline = float("inf")
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.fired = False

    def arm(self, seconds: float) -> None:
        self.fired = False
        self._deadline = time.monotonic() + seconds
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()

    def disarm(self) -> None:
        self._deadline = float("inf")

    def _watch(self) -> None:
        while not self._ended.wait(INTERVAL):
            if time.monotonic() > self._deadline:
                self.fired = True
                self._stop()

    def close(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
