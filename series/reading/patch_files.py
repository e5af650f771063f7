# SPDX-License-Identifier: GPL-2.0-or-later
"""A patch file cut into what stands before its diffs, the files that it changes, and what stands behind.

Nothing is lost: the parts put together are the bytes of the file.  So a patch can be refreshed with all its
headers, and a file of it that still fits keeps its very bytes.
"""

from __future__ import annotations

import re

from msgspec import Struct

from series.lines import split_lines

_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_START = re.compile(rb"diff --git |diff -|Index: ")
_GIT = b"diff --git "
_EXTENDED = re.compile(
    rb"(?:old mode|new mode|deleted file mode|new file mode|copy from|copy to|rename from|rename to"
    rb"|similarity index|dissimilarity index|index) "
)
_HEADING = re.compile(rb"(?m)^(@@ -[0-9,]+ \+[0-9,]+ @@)([^\r\n]*)")
_INDEX = re.compile(rb"(?m)^index ([0-9a-f]+)\.\.([0-9a-f]+)")


class Section(Struct, frozen=True):
    """What a patch file says of one file: its header, its hunks, and anything up to the next one."""

    head: bytes
    hunks: bytes
    gap: bytes = b""

    def with_hunks(self, hunks: bytes, old: str, new: str) -> Section:
        """With other hunks; the ids of an ``index`` line are those of the new texts, as long as before.

        Where no hunk named its function, none does: the packager's tool writes them so.
        """
        if not any(heading for _, heading in _HEADING.findall(self.hunks)):
            hunks = _HEADING.sub(rb"\1", hunks)

        def ids(match: re.Match[bytes]) -> bytes:
            one, other = old[: len(match[1])], new[: len(match[2])]
            return f"index {one}..{other}".encode()

        return Section(_INDEX.sub(ids, self.head, count=1), hunks, self.gap)


class PatchFile(Struct, frozen=True):
    """The parts of a patch file, in order."""

    head: bytes
    sections: tuple[Section, ...]

    def joined(self) -> bytes:
        """The bytes of the file."""
        return self.head + b"".join(s.head + s.hunks + s.gap for s in self.sections)


def cut_patch_file(data: bytes) -> PatchFile:
    """The parts of ``data``; without any section where no unified diff is in it.

    Cost: linear.
    """
    lines = split_lines(data)
    head: list[bytes] = []
    sections: list[Section] = []
    at = 0
    while at < len(lines):
        start = _header(lines, at) or _bare(lines, at)
        if start is None:
            if sections:
                last = sections[-1]
                sections[-1] = Section(last.head, last.hunks, last.gap + lines[at])
            else:
                head.append(lines[at])
            at += 1
            continue
        end = _hunks(lines, start)
        sections.append(Section(b"".join(lines[at:start]), b"".join(lines[start:end])))
        at = end
    return PatchFile(b"".join(head), tuple(sections))


def _header(lines: list[bytes], at: int) -> int | None:
    """The line behind the header that begins at ``at``; None where none begins there."""
    look = at
    if _START.match(lines[at]):
        look += 1
        while (
            look < len(lines) and look < at + 12 and not lines[look].startswith((b"--- ", b"@@ "))
        ):
            if _START.match(lines[look]) and not lines[look].startswith(b"diff "):
                break
            if lines[look].startswith(_GIT) and lines[at].startswith(_GIT):
                break
            look += 1
    if (
        look + 2 < len(lines)
        and lines[look].startswith(b"--- ")
        and lines[look + 1].startswith(b"+++ ")
        and _HUNK.match(lines[look + 2])
    ):
        return look + 2
    return None


def _bare(lines: list[bytes], at: int) -> int | None:
    """The same of a file without hunks: renamed, copied, of another mode, or empty."""
    if not lines[at].startswith(_GIT):
        return None
    look = at + 1
    while look < len(lines) and _EXTENDED.match(lines[look]):
        look += 1
    has_more = look < len(lines) and lines[look].startswith((b"--- ", b"GIT binary ", b"Binary "))
    return None if look == at + 1 or has_more else look


def _hunks(lines: list[bytes], at: int) -> int:
    """The line behind the hunks that begin at ``at``."""
    while at < len(lines) and (match := _HUNK.match(lines[at])):
        old, new = (int(match[n]) if match[n] is not None else 1 for n in (2, 4))
        at += 1
        while at < len(lines) and (old > 0 or new > 0):
            kind = lines[at][:1]
            old -= kind in (b" ", b"-", b"\n", b"\r", b"\t", b"")
            new -= kind in (b" ", b"+", b"\n", b"\r", b"\t", b"")
            at += 1
        while at < len(lines) and lines[at].startswith(b"\\"):
            at += 1
    return at
