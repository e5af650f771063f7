# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether what a commit of the branch did has been taken back since.

A branch that has a patch has it no more when a later commit, or a patch of the run, reverts it.  Messages do
not always say so: a revert may name the id of another branch's commit, take back several at once, or
have words of its own.  The tree does: where the change is still there, taking it back now changes as much
as it did then; where it changes less, some of it has gone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from backport.gateway.objects import Objects
from backport.gateway.repository import Repo
from backport.gateway.text_diff import changed_lines
from backport.gateway.trees import GITLINK, Entry, TreeView
from backport.history.renamed_since import followed
from backport.pick.merge import merge_file
from backport.pick.renamed import Renames, TooMany
from series.lines import split_lines
from series.model import FileChange, Oid


class Left(StrEnum):
    """How much of what a commit, or a change of one file, did is left in a tree that comes from it."""

    ALL = "all of it"
    MOVED_ON = "changed further since"
    """Others have changed the same lines since; not taken back."""
    PART = "a part of it"
    NONE = "nothing of it"


def is_taken_back(
    repo: Repo, tree: TreeView, tip: Oid, commit: Oid, changes: Sequence[FileChange]
) -> bool:
    """Whether ``tree`` lacks some of the ``changes`` that ``commit`` made; it is the tree of ``tip``,
    which comes from ``commit``, or was made from that.

    What was changed further since is not taken back; a file is followed to its new name.  Cost: a merge for
    each file that another commit has changed as well.
    """
    names = _Names(repo, tree, tip, commit)
    lost = (Left.PART, Left.NONE)
    return any(_left(repo.objects, tree, change, names) in lost for change in changes)


def what_is_left(
    repo: Repo, tree: TreeView, tip: Oid, commit: Oid, changes: Sequence[FileChange]
) -> Left:
    """How much of the ``changes`` is left: the same, file by file."""
    names = _Names(repo, tree, tip, commit)
    found = {_left(repo.objects, tree, change, names) for change in changes}
    if found == {Left.NONE}:
        return Left.NONE
    if found & {Left.NONE, Left.PART}:
        return Left.PART
    return Left.MOVED_ON if Left.MOVED_ON in found else Left.ALL


def is_any_there(
    repo: Repo, tree: TreeView, tip: Oid, commit: Oid, changes: Sequence[FileChange]
) -> bool:
    """Whether ``tree`` has one of the ``changes``, or a part of one, as ``commit`` made it."""
    names = _Names(repo, tree, tip, commit)
    there = (Left.ALL, Left.PART)
    return any(_left(repo.objects, tree, change, names) in there for change in changes)


def added_and_gone(repo: Repo, tree: TreeView, changes: Sequence[FileChange]) -> tuple[bytes, ...]:
    """The files of ``tree`` where ``changes`` only added lines, and none of those lines is there now.

    What became of them the tree does not say: they were changed further, or taken back along with lines
    beside them.
    """
    return tuple(
        change.new_path
        for change in changes
        if change.new_path is not None and _is_all_gone(repo.objects, tree, change)
    )


def _is_all_gone(objects: Objects, tree: TreeView, change: FileChange) -> bool:
    before = change.old_blob if change.old_path is not None else None  # a new file had no lines
    after, new = change.new_blob, change.new_path
    there = tree.entry(new) if new is not None else None
    if after is None or there is None or there.oid in (before, after):
        return False
    if before is None and change.old_path is not None:
        return False
    if change.binary or there.mode == GITLINK:
        return False
    old, made = (
        Counter(split_lines(objects.blob(oid)) if oid is not None else ())
        for oid in (before, after)
    )
    added = [line for line in made - old if re.search(rb"\w", line)]
    if old - made or not added:
        return False
    now = set(split_lines(objects.blob(there.oid)))
    return now.isdisjoint(added)


class _Names:
    """What files of ``commit`` are called in ``tree``."""

    def __init__(self, repo: Repo, tree: TreeView, tip: Oid, commit: Oid) -> None:
        self._repo, self._tree, self._tip, self._commit = repo, tree, tip, commit
        self._renames = Renames(repo.objects, tree, repo.tree(commit))

    def find(self, path: bytes, blob: Oid) -> Entry | None:
        """What ``path``, which ``tree`` lacks, has become; None where it is gone.

        Raises `LookupError` where that is not known.
        """
        try:
            names = self._renames.find(path, blob)
        except TooMany as error:
            raise LookupError(str(error)) from error
        if not names:
            return None
        if self._repo.tree(self._tip).oid(path) is None:
            name = followed(self._repo, self._commit, path, self._tip)
            return self._tree.entry(name) if name is not None else None
        if len(names) > 1:
            raise LookupError(f"{len(names)} files are like it")
        return names[0].entry


def _left(objects: Objects, tree: TreeView, change: FileChange, names: _Names) -> Left:
    old, new = change.old_path, change.new_path
    if new is None:
        return Left.NONE if old is not None and tree.entry(old) is not None else Left.ALL
    there = tree.entry(new)
    if there is None and old not in (None, new) and tree.entry(old) is not None:
        return Left.NONE if change.kind != "copy" else Left.MOVED_ON
    if there is None:
        try:
            there = names.find(new, change.new_blob) if change.new_blob is not None else None
        except LookupError:
            return Left.MOVED_ON
        if there is None:
            return Left.NONE if old is None else Left.MOVED_ON
    if old is None or change.kind == "copy":
        return _made_left(objects, change, there)
    content = _content_left(objects, change, there)
    if change.old_mode not in (None, change.new_mode) and there.mode == change.old_mode:
        alone = change.old_blob in (None, change.new_blob)
        return Left.NONE if alone or content is Left.NONE else Left.PART
    return content


def _made_left(objects: Objects, change: FileChange, there: Entry) -> Left:
    """What is left of a file that was made, and has the name still."""
    made = change.new_blob
    if made is None or there.oid == made:
        return Left.ALL
    if change.binary or GITLINK in (change.new_mode, there.mode):
        return Left.MOVED_ON
    now = set(split_lines(objects.blob(there.oid)))
    return Left.ALL if now.issuperset(split_lines(objects.blob(made))) else Left.MOVED_ON


def _content_left(objects: Objects, change: FileChange, there: Entry) -> Left:
    before, after = change.old_blob, change.new_blob
    if before is None or after is None or before == after or there.oid == after:
        return Left.ALL
    if there.oid == before:
        return Left.NONE
    if change.binary or there.mode == GITLINK:
        return Left.MOVED_ON
    merge = merge_file(objects, after, there.oid, before)
    texts = [objects.blob(oid) for oid in (before, after, there.oid)]
    if merge.blob is None:
        is_back = _is_back(*(Counter(split_lines(text)) for text in texts))
        return Left.NONE if is_back else Left.MOVED_ON
    now = sum(changed_lines(texts[2], objects.blob(merge.blob)))
    if not now:
        return Left.NONE
    return Left.PART if now < sum(changed_lines(texts[1], texts[0])) else Left.ALL


def _is_back(before: Counter[bytes], after: Counter[bytes], there: Counter[bytes]) -> bool:
    """Whether all lines that were removed are there again, and none that was added; what took the change
    back also changed lines beside it."""
    removed, added = before - after, after - before
    return bool(removed) and removed <= there and not any(line in there for line in added)
