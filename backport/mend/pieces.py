# SPDX-License-Identifier: GPL-2.0-or-later
"""The smallest parts of a change: a run of changed lines, or a whole file where lines say too little.

Runs of lines without context, as `line_edits` finds them: what a diff shows as one hunk is often a
declaration that a step lacks beside a line that has nothing to do with it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from msgspec import Struct

from backport.counted import counted
from backport.gateway.changed_paths import changed_paths
from backport.gateway.repository import Repo
from backport.gateway.text_diff import LineEdit, line_edits
from backport.gateway.trees import EXECUTABLE, FILE, Entry, TreeView
from series.lines import split_lines
from series.model import Oid, shown

_FILES = (FILE, EXECUTABLE)
_BINARY_HEAD = 8000
_QUOTED = 60
"""Letters of a line that are shown."""
_WORD = re.compile(rb"[A-Za-z_]\w*")


class Piece(Struct, frozen=True):
    """One part of what leads from a tree to another; without ``edit`` it is the whole file."""

    path: bytes
    edit: LineEdit | None
    words: frozenset[bytes]
    """The identifiers in the lines that it adds or removes; of a whole file those in its name, too."""

    @property
    def lines(self) -> int:
        """How many lines it adds, or takes away where it adds none."""
        return max(len(self.edit.lines), self.edit.count) if self.edit is not None else 1


def pieces_of(repo: Repo, before: Oid, after: Oid) -> tuple[Piece, ...]:
    """The parts of the change from one tree to another, in order of path and line."""
    old, new = TreeView(repo.objects, before), TreeView(repo.objects, after)
    found: list[Piece] = []
    for path in sorted(changed_paths(repo, before, after)):
        one, other = old.entry(path), new.entry(path)
        if one and other and one.mode == other.mode and one.mode in _FILES:
            text, changed = repo.objects.blob(one.oid), repo.objects.blob(other.oid)
            if b"\0" not in text[:_BINARY_HEAD] and b"\0" not in changed[:_BINARY_HEAD]:
                lines = split_lines(text)
                for edit in line_edits(text, changed):
                    gone = lines[edit.start : edit.start + edit.count]
                    found.append(Piece(path, edit, words_of((*gone, *edit.lines))))
                continue
        blob = other or one
        content = repo.objects.blob(blob.oid) if blob and blob.mode in _FILES else b""
        named = frozenset((path, path.rpartition(b"/")[2]))
        found.append(Piece(path, None, words_of((content,)) | named))
    return tuple(found)


def words_of(lines: Iterable[bytes]) -> frozenset[bytes]:
    """The identifiers in lines."""
    return frozenset(word for line in lines for word in _WORD.findall(line))


def with_pieces(repo: Repo, before: Oid, after: Oid, chosen: Collection[Piece]) -> Oid:
    """The tree ``before`` with some of the parts of the change to ``after``."""
    old, new = TreeView(repo.objects, before), TreeView(repo.objects, after)
    edits: dict[bytes, Entry | None] = {}
    by_path: dict[bytes, list[LineEdit]] = {}
    for piece in chosen:
        if piece.edit is None:
            edits[piece.path] = new.entry(piece.path)
        else:
            by_path.setdefault(piece.path, []).append(piece.edit)
    for path, some in by_path.items():
        entry = old.entry(path)
        assert entry is not None
        lines = split_lines(repo.objects.blob(entry.oid))
        for edit in sorted(some, key=lambda one: one.start, reverse=True):
            lines[edit.start : edit.start + edit.count] = edit.lines
        edits[path] = Entry(repo.objects.write_blob(b"".join(lines)), entry.mode)
    return old.edited(edits).id if edits else before


def in_words(pieces: Collection[Piece]) -> str:
    """For a person: how many lines of which files."""
    files: dict[bytes, list[Piece]] = {}
    for piece in pieces:
        files.setdefault(piece.path, []).append(piece)
    said = []
    for path, some in files.items():
        if some[0].edit is None:
            said.append(f"{shown(path)} as a whole")
        else:
            lines = counted(sum(piece.lines for piece in some), "line")
            places = counted(len(some), "place")
            said.append(f"{lines} of {shown(path)}" + (f" in {places}" if len(some) > 1 else ""))
    return ", ".join(said)


def quoted(pieces: Collection[Piece]) -> str:
    """For a person: the line, where it is one."""
    (first, *more) = pieces
    if more or first.edit is None or len(first.edit.lines) != 1:
        return ""
    text = shown(first.edit.lines[0].strip())
    return f" ({text if len(text) <= _QUOTED else text[: _QUOTED - 3] + '...'})"
