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
    """

    def __init__(self, stop: Callable[[], None], until: float = float("inf")) -> None:
        self._stop = stop
        self._until = until
        self._begun = 0.0
        self._deadline = float("inf")
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.fired = False
        self.expired = False
        """The moment has come: whoever runs is stopped again and again."""

    def arm(self, seconds: float) -> None:
        """Stop whoever runs after that many seconds."""
        self._begun = time.process_time()
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
        self._deadline = self._begun + seconds

    def disarm(self) -> None:
        self._deadline = float("inf")

    def _watch(self) -> None:
        while not self._ended.wait(INTERVAL):
            if time.process_time() > self._deadline:
                self._deadline = float("inf")
                self.fired = True
                self._stop()
            elif time.monotonic() > self._until:
                self.expired = True
                self._stop()

    def close(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
