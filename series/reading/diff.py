# SPDX-License-Identifier: GPL-2.0-or-later
"""Diff text in, ``FileChange`` values out: git's extended headers in full, and plain unified diffs.

The grammar is that of ``git apply`` (apply.c: ``parse_git_diff_header``, ``parse_fragment``,
``parse_binary``).  Text between the files (a mail's signature, a diffstat) is skipped as git skips
it; whatever begins like a diff must then be one, or the error names its line.

unidiff reads the hunks (`series.reading.unidiff_hunks`).  Ours is what it lacks: git's header (git_header),
where the hunks of a file end (hunk_ends), binary data (binary_block), and the line that an error names
(diff_lines).
"""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from series.model import ChangeKind, FileChange, shown
from series.reading.binary_block import read_block
from series.reading.diff_lines import DiffLines
from series.reading.git_header import read_header
from series.reading.hunk_ends import read_file_hunks
from series.reading.unidiff_hunks import HEADER

_EPOCH = re.compile(
    rb"\t(?:(?:1970-01-01|1969-12-31) \d\d:\d\d:00(?:\.0+)?(?: (?P<zone>[+-]\d{4}))?"
    rb"|Thu Jan +1 00:00:00 1970(?: \+0000)?|Thu, 0?1 Jan 1970 00:00:00 (?:GMT|\+0000)"
    rb"|\(nonexistent\))\s*\Z"
)
"""The time stamp of a file that is not there: the beginning of 1970, wherever the clock stood."""
# Between two diffs these are no words: blank lines, rulers, and what programs write above a diff.
_NO_WORDS = re.compile(
    rb"\s*\Z|[-=_*]{2,}\s*\Z|-- \Z|Index: |diff |index |RCS file: |retrieving revision |={3}|Only in "
    rb"|\S+\s*\Z|(?:old|new|deleted file|new file) mode |Property changes on|Submodule |\\ "
    rb"|similarity |[+-]{3} "
)
_STARTS = (b"diff --git ", b"--- ", b"@@ -", b"diff --cc ", b"diff --combined ", b"Binary files ")
_INDEX_ABOVE = 6
"""Lines above ``---``: CVS has Index, a ruler, RCS file, the revisions and its command there."""
_WORDS_BEHIND = re.compile(rb"\t.*\Z", re.DOTALL)
_BINARY = re.compile(rb"Binary files (.+) and (.+) differ\r?\n?\Z")


class Diff(Struct, frozen=True):
    """What a text holds: its changes, and the lines of words between two of them (number, text).

    git and patch(1) pass over such words; they may be another patch's author and message.  ``lost`` are
    the files whose diff has lost its hunks (number, path), where that is allowed; they are no changes.
    ``unprefixed`` is the number of the first line whose names have no ``a/`` and ``b/``.
    """

    changes: tuple[FileChange, ...]
    words: tuple[tuple[int, bytes], ...] = ()
    lost: tuple[tuple[int, bytes], ...] = ()
    unprefixed: int | None = None


def parse_diff(
    data: bytes, where: str, *, strip: int = 1, first_line: int = 1, partial: bool = False
) -> tuple[FileChange, ...]:
    """The changes that `read_diff` finds."""
    return read_diff(data, where, strip=strip, first_line=first_line, partial=partial).changes


def read_diff(
    data: bytes, where: str, *, strip: int = 1, first_line: int = 1, partial: bool = False
) -> Diff:
    """Read all changes in ``data``.

    ``strip`` is what ``-p`` is to ``git apply``; ``first_line`` is the number that ``data``'s
    first line has in the file ``where``, for errors.  ``partial`` leaves out a file whose diff has
    lost its hunks.  Without changes when there is no diff in it.
    """
    text = DiffLines(data, where, strip, first_line)
    lines = text.lines
    changes: list[FileChange] = []
    words: list[tuple[int, bytes]] = []
    lost: list[tuple[int, bytes]] = []
    passed: list[tuple[int, bytes]] = []
    seen = 0
    while text.at < len(lines):
        if len(changes) > seen:
            if seen:
                words += passed
            seen, passed = len(changes), []
        line = lines[text.at]
        if line.startswith(_STARTS):
            start = text.at
            change = _change(text, line)
            if isinstance(change, Lost):
                if not partial:
                    text.refuse(change.why, start)
                lost.append((first_line + start, change.path))
            elif change is not None:
                changes.append(change)
        else:
            if not _NO_WORDS.match(line):
                passed.append((first_line + text.at, line))
            text.at += 1
    if len(changes) > seen > 0:
        words += passed
    return Diff(tuple(changes), tuple(words), tuple(lost), text.unprefixed)


class Lost(Struct, frozen=True):
    """A file whose diff has lost its hunks."""

    path: bytes
    why: str


def _change(text: DiffLines, line: bytes) -> FileChange | Lost | None:
    """What begins at ``line``, the next one; None, and that line passed, where nothing does."""
    if line.startswith(b"diff --git "):
        return _git_change(text)
    change: FileChange | None = None
    if line.startswith(b"--- "):
        if text.plain_starts():
            return _plain_change(text)
    elif line.startswith(b"Binary files "):
        change = _plain_binary(text)
    elif not line.startswith(b"@@ -"):
        text.refuse("a combined diff of a merge cannot be applied; take the commits instead")
    elif HEADER.match(line):
        text.refuse("a hunk without the file header it belongs to")
    text.at += 1
    return change


def _git_change(text: DiffLines) -> FileChange | Lost:
    change, fields = read_header(text)
    line = text.lines[text.at] if text.at < len(text.lines) else b""
    if line.startswith(b"@@ -"):
        return replace(change, hunks=read_file_hunks(text))
    if line.startswith(b"GIT binary patch"):
        text.at += 1
        forward = read_block(text)
        if forward is None:
            text.refuse("a binary patch without its data")
        return replace(change, binary=True, forward=forward, reverse=read_block(text))
    if line.startswith((b"Binary files ", b"Files ")) and line.rstrip().endswith(b" differ"):
        text.at += 1
        return replace(change, binary=True)
    if not (fields.seen_any or fields.seen_old):
        why = "a file's diff that ends with its first line; the patch is truncated"
        return Lost(change.path, why)
    if _says_more(change, seen_names=fields.seen_old):
        why = (
            f"the diff of '{shown(change.path[:80])}' says that its content changes, and has no hunk; the"
            " patch is damaged, or --partial leaves it out"
        )
        return Lost(change.path, why)
    return change


def _plain_change(text: DiffLines) -> FileChange:
    start = text.at
    old_line, new_line = text.lines[start], text.lines[start + 1]
    _note_index(text, old_line, new_line)
    old = None if _EPOCH.search(old_line) else text.named(old_line[4:], text.strip)
    text.at += 1
    new = None if _EPOCH.search(new_line) else text.named(new_line[4:], text.strip)
    text.at += 1
    if old is None and new is None:
        text.refuse("both names are /dev/null", start)
    hunks = read_file_hunks(text)
    others: tuple[bytes, ...] = ()
    if old is not None and new is not None:
        # foo.orig and foo: the shorter is the file, as for patch(1) and git apply.
        given = (old, new)
        old = new = min(old, new, key=len)
        others = tuple(name for name in given if name != new)
        if len(hunks) == 1 and hunks[0].old_start == 0 and hunks[0].old_count == 0:
            old = None
    kind: ChangeKind = "create" if old is None else "delete" if new is None else "modify"
    if kind != "modify" and (name := _same(old_line, new_line)):
        # Bazaar, and whoever compares versions of one tree: another file would say by its name which it is.
        text.note_names(name, name, start)
    return FileChange(
        kind=kind,
        old_path=old,
        new_path=new,
        hunks=hunks,
        others=others if kind == "modify" else (),
    )


def _note_index(text: DiffLines, old: bytes, new: bytes) -> None:
    """Subversion and CVS name a file three times alike, without a prefix; others add one to two of them."""
    name = _same(old, new)
    for line in text.lines[max(text.at - _INDEX_ABOVE, 0) : text.at] if name else ():
        if line.startswith(b"Index: ") and line[len(b"Index: ") :].rstrip(b"\r\n") == name:
            text.note_names(name, name, text.at)


def _same(old: bytes, new: bytes) -> bytes:
    """The name that both lines have; empty where it is not the same."""
    one, other = (_WORDS_BEHIND.sub(b"", line[4:].rstrip(b"\r\n")) for line in (old, new))
    return one if one == other else b""


def _plain_binary(text: DiffLines) -> FileChange | None:
    """``Binary files a/x and b/x differ`` of a plain diff; None where the line is prose."""
    match = _BINARY.match(text.lines[text.at])
    if match is None or (text.strip and b"/" not in match[1] + match[2]):
        return None
    old, new = text.named(match[1], text.strip), text.named(match[2], text.strip)
    if old is not None and new is not None:
        old = new = min(old, new, key=len)
    kind: ChangeKind = "create" if old is None else "delete" if new is None else "modify"
    if old is None and new is None:
        return None
    return FileChange(kind=kind, old_path=old, new_path=new, binary=True)


_EMPTY = (
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
)
"""The blob of no bytes, by SHA-1 and SHA-256."""


def _says_more(change: FileChange, *, seen_names: bool) -> bool:
    """Whether the header of a change without hunks says that there was content to change.

    A deletion may leave its lines out (git format-patch -D): its blob says which file is meant.
    """
    if change.kind == "delete":
        return False
    if seen_names or (change.similarity is not None and change.similarity < 100):
        return True
    if change.new_blob is None or change.old_blob == change.new_blob:
        return False
    return not any(empty.startswith(change.new_blob) for empty in _EMPTY)
