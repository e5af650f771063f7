# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: PTH119
# (a path for each program of a build: os.path takes a tenth of the time)
"""Programs that ask when a file was last changed (ctime), read or born: no program can set that again.

stat(2) tells every one who asks for anything, so which of its answers counts is only known of programs that
say it: by statx(2), which `watch.c` looks at, and here by their arguments.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from backport.builds.recorded.watch import Image, Process

_FIND = re.compile(r"-(?:[ac](?:min|time|newer)|used|newer(?:[aBc].|.[aBc]))")
_FIND_PRINTS = re.compile(r"%[-+ #0-9.]*[aAcCB]")
_TAR = re.compile(
    r"--newer(?:=.*)?|--after-date(?:=.*)?|--listed-incremental(?:=.*)?|-[a-zA-Z]*[Ng]"
)
_PERL = re.compile(r"(?<![\w-])-[AC]\s*(?:[$\"'(_]|$)")


def note_change_times(processes: Iterable[Process]) -> None:
    """Mark the processes that go by such a time."""
    for process in processes:
        if any(map(_asks, process.images)):
            process.loose = process.loose or "it goes by when files were changed or read"


def _asks(image: Image) -> bool:
    """Whether a program that was started goes by such a time."""
    name, words = os.path.basename(image.exe), image.argv[1:]
    if name == "find":
        return any(map(_FIND.fullmatch, words)) or any(
            before in ("-printf", "-fprintf") and _FIND_PRINTS.search(word)
            for before, word in zip(("", *words), words, strict=False)
        )
    if name == "tar":
        return any(map(_TAR.fullmatch, words))
    return name.startswith("perl") and any(map(_PERL.search, words))
