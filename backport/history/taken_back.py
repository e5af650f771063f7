# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether what a commit of the branch did has been taken back since.

A branch that has a patch has it no more when a later commit, or a patch of the run, reverts it.  Messages do
not always say so: a revert may name the id of another branch's commit, take back several at once, or
have words of its own.  The tree does: where the change is still there, taking it back now changes as much
as it did then; where it changes less, some of it has gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from backport.gateway.objects import Objects
from backport.gateway.repository import Repo
from backport.gateway.text_diff import changed_lines
from backport.gateway.trees import GITLINK, TreeView
from backport.pick.merge import merge_file
from backport.pick.renamed import Renames, TooMany
from series.lines import split_lines
from series.model import FileChange, Oid


def is_taken_back(repo: Repo, tree: TreeView, commit: Oid, changes: Sequence[FileChange]) -> bool:
    """Whether ``tree``, which comes from ``commit``, lacks some of the ``changes`` that it made.

    What was changed further since is not taken back; a file is followed to its new name.  Cost: a merge for
    each file that another commit has changed as well.
    """
    renames = Renames(repo.objects, tree, repo.tree(commit))
    return any(_is_lost(repo.objects, tree, change, renames) for change in changes)


def _is_lost(objects: Objects, tree: TreeView, change: FileChange, renames: Renames) -> bool:
    old, new = change.old_path, change.new_path
    if new is None:
        return old is not None and tree.entry(old) is not None
    there = tree.entry(new)
    if there is None and old not in (None, new) and tree.entry(old) is not None:
        return change.kind != "copy"
    if there is None:
        try:
            names = renames.find(new, change.new_blob) if change.new_blob is not None else ()
        except TooMany:
            return False
        if len(names) != 1:
            return not names and old is None
        there = names[0].entry
    if old is None or change.kind == "copy":
        return False
    if change.old_mode not in (None, change.new_mode) and there.mode == change.old_mode:
        return True
    before, after = change.old_blob, change.new_blob
    if before is None or after is None or before == after or there.oid == after:
        return False
    if there.oid == before:
        return True
    if change.binary or there.mode == GITLINK:
        return False
    merge = merge_file(objects, after, there.oid, before)
    texts = [objects.blob(oid) for oid in (before, after, there.oid)]
    if merge.blob is None:
        return _is_back(*(Counter(split_lines(text)) for text in texts))
    now = changed_lines(texts[2], objects.blob(merge.blob))
    return sum(now) < sum(changed_lines(texts[1], texts[0]))


def _is_back(before: Counter[bytes], after: Counter[bytes], there: Counter[bytes]) -> bool:
    """Whether all lines that were removed are there again, and none that was added; what took the change
    back also changed lines beside it."""
    removed, added = before - after, after - before
    return bool(removed) and removed <= there and not any(line in there for line in added)
