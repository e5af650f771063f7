# SPDX-License-Identifier: GPL-2.0-or-later
"""How far something has come that takes seconds: one line, drawn again on a terminal, nothing elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """While this holds, calls with a number and a total are shown on stderr."""
    live = sys.stderr.isatty()

    def show(number: int, total: int) -> None:
        if live:
            print(f"\r{what} {number} of {total}", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        if live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
