# SPDX-License-Identifier: GPL-2.0-or-later
"""Ctrl-C at any moment: one clean end, never a traceback.

The first interrupt ends what is under way, and what it started is cleaned up; a second one meanwhile
changes nothing, the third ends the process where it stands.  Python raises KeyboardInterrupt wherever it
happens to be: inside a function that C calls back (libgit2 for an object, Unicorn for a hook) it would be
printed and lost, so there it comes a moment later.

Nothing is imported here that takes time: this is in force before the command line is loaded.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

CODE = 130
_MOST = 3
_LATER = 0.01
"""Seconds until it is tried again."""
_CALLED_BACK = ("/gateway/objects.py", "/unicorn/", "/emu/cpu/")
"""Files with functions that C calls."""


class _Interrupts:
    """How many have come, and whether they still count."""

    count = 0
    over = False


def install() -> None:
    """Take over from Python, unless interrupts are ignored (a job in the background)."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
        signal.signal(signal.SIGALRM, _again)


def came() -> bool:
    """Whether the user has interrupted."""
    return _Interrupts.count > 0


def finish() -> None:
    """From here on an interrupt would change nothing: the work is done, or it has been interrupted."""
    _Interrupts.over = True


def go_on() -> None:
    """The next piece of work begins, which an interrupt ends."""
    _Interrupts.over = False


def say(message: str) -> None:
    """Where the rest of the command line may not be loaded yet."""
    print(f"backport: {message}", file=sys.stderr)


def _interrupt(_: int, frame: FrameType | None) -> None:
    if _Interrupts.over:
        return
    _Interrupts.count += 1
    if _Interrupts.count >= _MOST:
        os._exit(CODE)
    if _Interrupts.count == 1:
        _raise(frame)


def _again(_: int, frame: FrameType | None) -> None:
    if not _Interrupts.over:
        _raise(frame)


def _raise(frame: FrameType | None) -> None:
    while frame is not None:
        name = frame.f_code.co_filename
        if any(part in name for part in _CALLED_BACK):
            signal.setitimer(signal.ITIMER_REAL, _LATER)
            return
        frame = frame.f_back
    raise KeyboardInterrupt
