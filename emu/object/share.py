# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of the scenarios of an object a process takes, where several of them do the work.

The report is the same whoever takes what (`emu.object.emulate.join`), so they are not dealt out beforehand:
some take a hundred times as long as others, and a processor may be busy with something else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Share(Protocol):
    """Says which scenarios are this process's."""

    def numbers(self, count: int) -> Iterator[int]:
        """Of ``count`` scenarios, each as late as possible."""
        ...


@dataclass(frozen=True, slots=True)
class All:
    """Every one."""

    def numbers(self, count: int) -> Iterator[int]:
        yield from range(count)


@dataclass(frozen=True, slots=True)
class Pile:
    """From the top of a pile that several processes take from.

    ``path``: a file of their own, empty in the beginning; each byte that is appended to it takes one.
    """

    path: Path

    def numbers(self, count: int) -> Iterator[int]:
        """From the last one on: in a profile the longest come late, and none of them should be left over
        when all the others are done."""
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        try:
            # Appending and learning where one stands is one act: nobody else can come between.
            while os.write(file, b".") and (taken := os.lseek(file, 0, os.SEEK_CUR)) <= count:
                yield count - taken
        finally:
            os.close(file)
