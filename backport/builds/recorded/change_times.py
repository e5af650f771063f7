# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: PTH119
# (paths by the hundred thousand: os.path takes a tenth of the time)
"""Programs that ask when a file was last changed (ctime), read or born, or how old it is: no program can set
the former again, and what was built before is older than in a clean build.

stat(2) tells every one who asks for anything, so which of its answers counts is not to be seen.  It is known
of programs that say it: by statx(2), which `watch.c` looks at, by their arguments, and by a text of the tree
that names such a time (`Names`).  That a program outside of the tree goes by one of itself is not known, nor
is one that no text names: the ninth of what Python's ``os.stat()`` gives, under a name of its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from backport.builds.recorded.outside_paths import Event
from backport.builds.recorded.watch import Image, Process

GOES_BY = "it goes by when files were changed or read"
_FIND = re.compile(r"-(?:[acm](?:min|time)|[ac]newer|used|newer(?:[aBc].|.[aBct]))")
_FIND_PRINTS = re.compile(r"%[-+ #0-9.]*[aAcCB]")
_TAR = re.compile(
    r"--newer(?:=.*)?|--after-date(?:=.*)?|--listed-incremental(?:=.*)?|-[a-zA-Z]*[Ng]"
)
_PERL = re.compile(r"(?<![\w-])-[MAC]\s*(?:[$\"'(_]|$)")
_SHELL = re.compile(r"(?:\[|\btest)\s+(?:!\s+)?-N\s")
_TIME = re.compile(
    rb"st_[ac]tim|ST_[AC]TIM|st_birthtim|stx_[acb]tim|get[ac]time|[ac]timeMs|birthtime|\b[ac]time\b(?!\s*\()"
    rb"|\bFile\.[ac]time|stat\b[^;\n]{0,99}\)\s*\[\s*(?:7|8|9|10|-1|-3)\s*\]"
)
_READERS = re.compile(
    r"(?:.+-)?(?:gcc|g\+\+|cc|c\+\+|cpp|clang|clang\+\+|as|ld|ld\.\w+|ar|nm|ranlib|strip|objcopy|objdump|readelf)"
    r"(?:-[\d.]+)?|cc1|cc1plus|lto1|collect2|lto-wrapper|rustc|make|gmake|sh|dash|bash|cat|cp|mv|ln|rm|install|cmp"
    r"|diff|sed|grep|head|tail|tr|cut|sort|uniq|wc|tee|gzip|bzip2|xz|zstd|tar|patch|m4|bison|flex|git|md5sum|sha\d+sum"
)
"""Programs that take texts as they are: what these name is not done."""
_DATA = (".o", ".lo", ".a", ".ko", ".d")
_PART = 1 << 13


class Names:
    """Which files of the worktree name such a time, or were made from one that does."""

    def __init__(self, root: str, inputs: Callable[[str], Collection[str]]) -> None:
        """``inputs``: what the command that makes a path has read; empty where none does."""
        self._root = root
        self._inputs = inputs
        self._said: dict[str, bool | None] = {}

    def such(self, path: str) -> bool:
        """Whether what lies at ``path`` may do as such a text says.  A text says so itself; of a program,
        those that it was made from."""
        due, seen = [path], {path}
        while due:
            at = due.pop()
            if at not in self._said:
                self._said[at] = self._says(at)
            if self._said[at]:
                return True
            if self._said[at] is None:
                more = set(self._inputs(at)) - seen
                seen |= more
                due += more
        return False

    def _says(self, path: str) -> bool | None:
        """Whether a text names such a time; None where it is no text."""
        place = Path(self._root, path)
        try:
            if not place.is_file():
                return False
            with place.open("rb") as file:
                text = file.read(_PART)
                return None if b"\0" in text else _TIME.search(text + file.read()) is not None
        except OSError:
            return None


def note_change_times(processes: Iterable[Process]) -> None:
    """Mark the processes whose arguments say that they go by such a time."""
    for process in processes:
        if any(map(_asks, process.images)):
            process.loose = process.loose or GOES_BY


def named(processes: Iterable[Process], events: Iterable[Event], root: str, names: Names) -> str:
    """What these processes have read, or run, that names such a time; "" where nothing does, or where who
    reads takes it as a text."""
    images = [image for process in processes for image in process.images]
    if all(_only_reads(image, root) for image in images):
        return ""
    read = {path for _, kind, path in events if kind in "RA" and not path.endswith(_DATA)}
    return next(filter(names.such, sorted(read)), "")


def _only_reads(image: Image, root: str) -> bool:
    name = os.path.basename(image.exe)
    return not image.exe.startswith(f"{root}/") and _READERS.fullmatch(name) is not None


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
    if name in ("bash", "sh"):
        return any(map(_SHELL.search, words))
    if name.startswith("perl") and any(map(_PERL.search, words)):
        return True
    return not _READERS.fullmatch(name) and any(_TIME.search(os.fsencode(word)) for word in words)
