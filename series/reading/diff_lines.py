# SPDX-License-Identifier: GPL-2.0-or-later
"""The lines of a diff as they are read: which comes next, the paths in them, errors that name a line."""

from __future__ import annotations

import re
from typing import NoReturn

from series.errors import SeriesError
from series.lines import split_lines
from series.model import shown
from series.reading.paths import lacks_prefix, path_fault, strip_components, unquote

_STAMP = re.compile(
    rb"(?:\t| +\d{4}-\d\d-\d\d \d\d:\d\d"
    rb"| +(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +(?:[A-Z][a-z]{2} +\d+|\d+ +[A-Z][a-z]{2} +\d{4})"
    rb" +\d\d:\d\d).*\Z",
    re.DOTALL,
)


class DiffError(SeriesError):
    """A diff that does not parse: file, line (1-based), what is wrong."""

    def __init__(self, where: str, line: int, what: str) -> None:
        self.where, self.line, self.what = where, line, what
        super().__init__(f"{where}:{line}: {what}")


class PathError(DiffError):
    """A patch names a path that it must not touch."""

    def __init__(self, where: str, line: int, path: bytes, fault: str) -> None:
        self.path, self.fault = path, fault
        super().__init__(
            where,
            line,
            f"the path '{shown(path[:80])}' {fault}; such a patch is refused, nothing was changed",
        )


class DiffLines:
    """The lines of one text; ``at`` is the next to read, from 0.

    ``strip`` is what ``-p`` is to ``git apply``; ``first_line`` is the number that the first of them has in
    ``where``.
    """

    def __init__(self, data: bytes, where: str, strip: int, first_line: int) -> None:
        self.lines = split_lines(data)
        self.where, self.strip, self.first_line = where, strip, first_line
        self.at = 0
        self.unprefixed: int | None = None
        """The first line whose names have no prefix that could be stripped."""

    def note_names(self, old: bytes, new: bytes, at: int) -> None:
        """Two names of one file, as line ``at`` has them."""
        if self.unprefixed is None and lacks_prefix(old, new):
            self.unprefixed = self.first_line + at

    def refuse(self, what: str, at: int | None = None) -> NoReturn:
        """Raise `DiffError` with the number of a line, the next one by default."""
        raise DiffError(self.where, self.first_line + (self.at if at is None else at), what)

    def refuse_path(self, path: bytes, fault: str, at: int | None = None) -> NoReturn:
        """Raise `PathError` in the same way."""
        number = self.first_line + (self.at if at is None else at)
        raise PathError(self.where, number, path, fault)

    def checked(self, path: bytes, at: int) -> bytes:
        """``path``, if a patch may touch it."""
        fault = path_fault(path)
        if fault is not None:
            self.refuse_path(path, fault, at)
        return path

    def named(self, raw: bytes, strip: int) -> bytes | None:
        """The path in a header line; None for /dev/null."""
        raw = raw.rstrip(b"\n")
        quoted = unquote(raw)
        if quoted is not None:
            name = quoted[0]
        elif raw.startswith(b'"'):
            self.refuse("a quoted path that is not closed or holds an unknown escape")
        else:
            name = _STAMP.sub(b"", raw).removesuffix(b"\r")
        if name == b"/dev/null":
            return None
        if strip and name.startswith(b"/"):
            self.refuse_path(name, "is absolute")
        stripped = strip_components(name, strip)
        if stripped is None:
            self.refuse(
                f"the path '{shown(name[:80])}' has fewer than the {strip} components to strip (-p{strip});"
                f" -p {strip - 1} strips less"
            )
        return self.checked(stripped, self.at)

    def plain_starts(self) -> bool:
        """Whether ``---`` here begins a file: ``+++`` and ``@@`` must follow (git's find_header)."""
        lines, at = self.lines, self.at
        return (
            at + 2 < len(lines)
            and lines[at + 1].startswith(b"+++ ")
            and lines[at + 2].startswith(b"@@ -")
        )
