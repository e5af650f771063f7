# SPDX-License-Identifier: GPL-2.0-or-later
"""What a commit may break, looked at before it is made: series files, their order, the core.

Three questions, cheapest first: does every staged patch parse; does every staged quilt series still
go on in its order; and, only where something staged can reach the core's object file, does the core
still build and translate.  `reach` answers that from the staged tree itself: by the core's source, the
closure of its ``#include``s, and everything that is neither code nor a document.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from backport.gateway.repository import Repo
from backport.gateway.trees import DIRECTORY, EXECUTABLE, FILE, TreeView
from backport.pick.patch import pick_patch
from backport.validate.reach import PATCHES, series_near
from series.errors import SeriesError
from series.model import Identity, Oid, Patch, shown
from series.ordering.blobs import find_chains
from series.reading.mail import read_mbox, read_patch_files
from series.reading.quilt import QuiltEntry, parse_series, read_quilt
from series.reading.rules import Rules

# Who signs a patch that names no author is asked when it goes on, not when it is staged.
_ANYBODY = Rules(author=Identity(b"nobody", b""), partial=True, guards=frozenset())


class Complaint(Struct, frozen=True):
    """One thing that is wrong with what is staged."""

    path: str
    what: str


class Looked(Struct, frozen=True):
    """What was looked at and what is wrong."""

    patches: int
    series: int
    complaints: tuple[Complaint, ...]


def look_at_patches(repo: Repo, tree: TreeView, changed: dict[bytes, bool]) -> Looked:
    """Parse every changed patch; try every quilt series that has a changed, or removed, part."""
    complaints: list[Complaint] = []
    # A link or a submodule of such a name is no patch, and no list.
    patches = {path for path in changed if path.endswith(PATCHES) and _is_file(tree, path)}
    lists = {path: _listed(tree, path) for path in sorted(series_near(changed))}
    strips = {one: strip for listed in lists.values() for one, strip in listed.items()}
    for path in sorted(patches):
        complaints += _parse(tree, path, strips.get(path, 1))
    broken = {complaint.path for complaint in complaints}
    tried = 0
    for path, every in lists.items():
        if not _is_file(tree, path):
            continue
        listed = every.keys() & changed.keys()
        if path in changed or listed or posixpath.dirname(path) in map(posixpath.dirname, patches):
            tried += 1
            patches |= {one for one in listed if _is_file(tree, one)}
            complaints += _series(repo, tree, path, broken)
    return Looked(len(patches), tried, tuple(complaints))


def _is_file(tree: TreeView, path: bytes) -> bool:
    entry = tree.entry(path)
    return entry is not None and entry.mode in (FILE, EXECUTABLE)


def _listed(tree: TreeView, path: bytes) -> dict[bytes, int]:
    """The paths that a series names, with what is stripped of the names in each; none where there is no
    series, or it cannot be read."""
    try:
        entries = parse_series(tree.read(path) or b"", "") if _is_file(tree, path) else ()
    except SeriesError:
        return {}
    return {_home(path, one): 1 if one.strip is None else one.strip for one in entries}


def _home(path: bytes, entry: QuiltEntry) -> bytes:
    name = entry.name.encode("utf-8", "surrogateescape")
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), name))


class TreeFiles(Struct, frozen=True):
    """A tree's files, as `reach.Files`."""

    tree: TreeView

    def paths(self) -> Iterator[bytes]:
        """The paths of all files."""
        return _walk(self.tree, self.tree.id, b"")

    def read(self, path: bytes) -> bytes | None:
        """A file's content."""
        return self.tree.read(path)


def _walk(tree: TreeView, oid: Oid, prefix: bytes) -> Iterator[bytes]:
    for name, entry in tree.objects.tree(oid).entries.items():
        if entry.mode == DIRECTORY:
            yield from _walk(tree, entry.oid, prefix + name + b"/")
        else:
            yield prefix + name


def _parse(tree: TreeView, path: bytes, strip: int) -> list[Complaint]:
    # Of a patch that no series lists, who puts it on says how its names are meant: here they are only read.
    rules = replace(_ANYBODY, strip=strip)
    data = tree.read(path) or b""
    name = shown(path)
    try:
        if path.endswith(b".mbox") or data.startswith(b"From "):
            read_mbox(data, name, rules)
        else:
            read_patch_files([(name, data)], name, rules)
    except SeriesError as error:
        return [Complaint(name, str(error))]
    return []


def _series(repo: Repo, tree: TreeView, path: bytes, broken: set[str]) -> list[Complaint]:
    name = shown(path)
    complaints: list[Complaint] = []
    contents: dict[str, bytes] = {}
    try:
        entries = parse_series(tree.read(path) or b"", name)
    except SeriesError as error:
        return [Complaint(name, str(error))]
    for entry in entries:
        data = tree.read(_home(path, entry))
        if data is None:
            complaints.append(Complaint(name, f"lists {entry.name}, which does not exist"))
        else:
            contents[entry.name] = data
    if complaints:
        return complaints
    try:
        series = read_quilt(entries, contents, name, _ANYBODY)
    except SeriesError as error:
        return [] if broken else [Complaint(name, str(error))]
    touched = {p for patch in series.patches for c in patch.changes if (p := c.old_path)}
    if not any(tree.entry(p) is not None for p in touched):
        # The source is not in this tree: only blob ids can speak.
        return _chain(name, series.patches)
    at = tree
    for patch in series.patches:
        picked = pick_patch(repo.objects, at, patch, partial(repo.made_on, patch))
        if not picked.clean:
            return [Complaint(name, f"{patch.name} does not apply: {picked.clashes[0].reason}")]
        at = picked.tree
    return []


def _chain(name: str, patches: Sequence[Patch]) -> list[Complaint]:
    """Each file's blob ids must hand on from patch to patch, as the order of a series is found."""
    chains = find_chains(patches, None, range(len(patches)))
    for link in chains.links:
        if link.before > link.after:
            late, early = patches[link.before].name, patches[link.after].name
            what = f"{early} starts from the version of {shown(link.path)} that {late} makes"
            return [Complaint(name, f"{what}, and stands before it")]
    for one, two, path in chains.rivals:
        names = f"{patches[one].name} and {patches[two].name}"
        return [Complaint(name, f"{names} start from the same version of {shown(path)}")]
    for at, change in chains.strangers:
        for earlier in reversed(patches[:at]):
            if any(other.new_path == change.old_path for other in earlier.changes):
                what = f"{patches[at].name} was not made from what {earlier.name} leaves of"
                return [Complaint(name, f"{what} {shown(change.old_path or b'')}")]
    return []
