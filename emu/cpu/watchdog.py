# SPDX-License-Identifier: GPL-2.0-or-later
"""A bound in time for what has no other: it only says that it is time to look closer, or to repeat a run
with a bound in instructions, so that the verdict is the same on every machine.

To count instructions from the start costs a boot twice its time and a hypercall three times; and a
bound that is set later does not count in code that is translated already.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

INTERVAL = 0.05


class Watchdog:
    """One thread, asleep but for a look twenty times a second, for as long as something is watched.

    It counts the time that this process has computed, so that a busy machine changes nothing.  ``until`` is
    another matter: the moment (`time.monotonic`) at which whoever started all this wants it to be over.

    The thread reads that clock, when it first sees a run: most are over before, and to read it at each of
    some thousand calls took a twentieth of their time.
    """

    def __init__(self, stop: Callable[[], None], until: float = float("inf")) -> None:
        self._stop = stop
        self._until = until
        self._seconds = float("inf")
        self._runs = 0
        """How often it was armed: which run is watched."""
        self._known = 0
        """The run that the thread has seen."""
        self._begun = 0.0
        """When it did so."""
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.fired = False
        self.expired = False
        """The moment has come: whoever runs is stopped again and again."""

    def arm(self, seconds: float) -> None:
        """Stop whoever runs after that many seconds."""
        self._runs += 1
        self._set(seconds)
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()

    def again(self, most: float) -> bool:
        """After twice the time; False where that is more than ``most`` seconds in all."""
        seconds = 2 * (time.process_time() - self._begun)
        self._set(seconds)
        return seconds <= most

    def _set(self, seconds: float) -> None:
        self.fired = False
        self._seconds = seconds

    def disarm(self) -> None:
        self._seconds = float("inf")

    def _watch(self) -> None:
        while not self._ended.wait(INTERVAL):
            run = self._runs
            if run != self._known:
                self._known, self._begun = run, time.process_time()
            elif time.process_time() - self._begun > self._seconds:
                self.disarm()
                self.fired = True
                self._stop()
                continue
            if time.monotonic() > self._until:
                self.expired = True
                self._stop()

    def close(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
