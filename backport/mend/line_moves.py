# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines carried past steps that change the lines beside them.

A merge reports changes on adjacent lines as a conflict.  Here the steps show where each line was, so a change
can move past a step that leaves its lines as they are.  A build then shows whether it repairs anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from backport.gateway.repository import Repo
from backport.gateway.text_diff import LineEdit, line_edits
from backport.gateway.trees import EXECUTABLE, FILE, TreeView
from backport.mend.pieces import Piece, pieces_of, with_pieces
from series.model import Oid


def carried_along(
    repo: Repo, before: Oid, after: Oid, trees: Iterable[Oid]
) -> tuple[Oid, ...] | None:
    """``trees`` with the change from ``before`` to ``after``; each stands next to the one before it in the
    series, the first next to ``before``, in either direction.  None where the lines are not the same ones in
    all of them, or no lines are changed but a file as a whole.

    Cost: a diff of each changed file a tree.
    """
    pieces: Sequence[Piece] = pieces_of(repo, before, after)
    found: list[Oid] = []
    at = before
    for tree in trees:
        mapped = _mapped(repo, at, tree, pieces)
        if not mapped:
            return None
        pieces = mapped
        found.append(with_pieces(repo, tree, tree, pieces))
        at = tree
    return tuple(found)


def _mapped(repo: Repo, at: Oid, tree: Oid, pieces: Sequence[Piece]) -> list[Piece] | None:
    """The same parts at their places in another tree."""
    old, new = TreeView(repo.objects, at), TreeView(repo.objects, tree)
    steps: dict[bytes, tuple[LineEdit, ...]] = {}
    found = []
    for piece in pieces:
        one, other = old.entry(piece.path), new.entry(piece.path)
        if (
            piece.edit is None
            or one is None
            or other is None
            or other.mode not in (FILE, EXECUTABLE)
        ):
            return None
        if piece.path not in steps:
            texts = repo.objects.blob(one.oid), repo.objects.blob(other.oid)
            steps[piece.path] = line_edits(*texts)
        moved = _moved(piece.edit, steps[piece.path])
        if moved is None:
            return None
        found.append(replace(piece, edit=moved))
    return found


def _moved(edit: LineEdit, step: Iterable[LineEdit]) -> LineEdit | None:
    """An edit at its place behind a step; None where the step changes the same lines, or where lines come in
    beside those that the step does."""
    first, last, by = edit.start, edit.start + edit.count, 0
    for other in step:
        begin, end = other.start, other.start + other.count
        if first == last and begin <= first <= end:
            return None
        if end <= first:
            by += len(other.lines) - other.count
        elif begin < last:
            return None
    return replace(edit, start=edit.start + by)
