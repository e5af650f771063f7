# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that git reads or follows itself, and which no commit may hold as a stranger's patch writes them.

A symbolic link to nothing cannot be checked out; a submodule at no commit and a ``.gitmodules`` that names
a command make every later ``git fsck`` fail.  What the branch had already is the branch's own.
"""

from __future__ import annotations

import re

from backport.errors import UsageError
from backport.gateway.repository import Repo
from backport.gateway.special_blobs import blob_faults
from backport.gateway.trees import GITLINK, SYMLINK, Entry, TreeView
from backport.pick.outcome import How, Picked
from series.model import Patch, shown
from series.reading.paths import link_fault

_LONGEST_TARGET = 4095
"""Linux's PATH_MAX, without the NUL."""
_ATTRIBUTES = re.compile(rb"(?:.*/)?\.gitattributes[ .]*\Z", re.DOTALL | re.IGNORECASE)


def refuse_special(repo: Repo, tree: TreeView, patch: Patch, picked: Picked) -> None:
    """Raise `UsageError` where what ``patch`` made of ``tree`` is not for any commit."""
    for change in picked.changes:
        entry = picked.tree.entry(change.path)
        if change.how is How.ALREADY or entry is None:
            continue
        fault = _fault(repo, change.path, entry, tree)
        if fault:
            raise UsageError(
                f"{patch.name} writes {shown(change.path)[:80]}: {fault}",
                "such a patch is refused; leave it out of the series",
            )


def _fault(repo: Repo, path: bytes, entry: Entry, tree: TreeView) -> str:
    if entry.mode == GITLINK:
        return "" if entry.oid.strip("0") else "a submodule at no commit"
    if entry.mode == SYMLINK:
        return _link_fault(repo.objects.blob(entry.oid))
    name = ""
    if link_fault(path) is not None:
        name = ".gitmodules"
    elif _ATTRIBUTES.match(path):
        name = ".gitattributes"
    if not name:
        return ""
    faults = blob_faults(name, repo.objects.blob(entry.oid), repo.environment)
    before = tree.entry(path) if faults else None
    if before is not None and before.mode not in (GITLINK, SYMLINK):
        faults -= blob_faults(name, repo.objects.blob(before.oid), repo.environment)
    return "; ".join(shown(fault.encode())[:200] for fault in sorted(faults))


def _link_fault(target: bytes) -> str:
    if not target:
        return "a symbolic link to nothing"
    if b"\0" in target:
        return "a symbolic link whose target holds a NUL byte"
    if len(target) > _LONGEST_TARGET:
        return f"a symbolic link whose target has {len(target)} bytes"
    return ""
