# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: PTH118, PTH119, PTH120
# (paths by the hundred thousand: os.path takes a tenth of the time)
"""From a step's changed paths to the commands that must run again, or why that is not sure."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import pygit2
from msgspec import Struct

from backport.builds.recorded.recording import Recording, Signature, Touched, signature
from backport.gateway.repository import Repo

_GITLINK = 0o160000


class Change(Struct, frozen=True):
    """A path that differs between two trees.  ``kind``: A added, D deleted, M changed."""

    kind: str
    path: str
    folders: tuple[str, ...] = ()
    """For A and D the directories whose listing differs by it (several where they come or go)."""


class Unsure(Struct, frozen=True):
    """Why only the full build can tell."""

    why: str


def changes(repo: Repo, before: str, after: str) -> tuple[Change, ...] | Unsure:
    """What differs between two git trees."""
    try:
        one, other = repo.native[before], repo.native[after]
    except (KeyError, ValueError):
        return Unsure("the tree that was recorded is gone")
    assert isinstance(one, pygit2.Tree)
    assert isinstance(other, pygit2.Tree)
    found: list[Change] = []
    for delta in one.diff_to_tree(other).deltas:
        if _GITLINK in (delta.old_file.mode, delta.new_file.mode):
            return Unsure(f"{delta.new_file.path} is another repository")
        kind = delta.status_char()
        # libgit2 gives paths that are not UTF-8 only in raw form; the log has surrogates for them.
        path = os.fsdecode(delta.new_file.raw_path)
        if os.path.basename(path) == ".gitattributes":
            return Unsure(f"{path} changes what git checks out")
        if kind in "AD":
            listed = tuple(_listed(one if kind == "A" else other, path))
            found.append(Change(kind, path, listed))
        else:
            found.append(Change("M", path))
    return tuple(found)


def touches(change: Change, looked: Touched) -> bool:
    """Whether a change can make a difference to who looked at these paths."""
    path = change.path
    if path in looked.reads:
        return True
    if change.kind == "M":
        return False
    if not looked.listings.isdisjoint(change.folders):
        return True
    names = {path, *change.folders}
    if len(change.folders) > 1 and change.folders[-1] in looked.reads:
        return True  # it has another number of folders in it, which stat(2) tells
    if change.kind == "A":
        below = f"{path}/"  # a link may lead there; beneath a file, another error says that nothing is there
        return not names.isdisjoint(looked.absent) or any(
            absent.startswith(below) for absent in looked.absent
        )
    return not names.isdisjoint(looked.exists | looked.reads)


def dirty(recording: Recording, changed: Sequence[Change]) -> frozenset[int] | Unsure:
    """The commands (by number) that looked at what changed."""
    written = {path for command in recording.commands for path in command.writes}
    written |= recording.written
    made = written.union(*(command.folders for command in recording.commands))
    homes = {os.path.dirname(path) for path in made}
    for change in changed:
        for folder in change.folders[:-1] if change.kind == "D" else ():
            if any(f"{home}/".startswith(f"{folder}/") for home in homes):
                return Unsure(f"the folder {folder}, in which the build writes, is gone")
        if not written.isdisjoint((change.path, *change.folders)):
            return Unsure(f"the build writes {change.path}")
        if touches(change, recording.drivers):
            what = {"A": "is new", "D": "is gone", "M": "changed"}[change.kind]
            return Unsure(f"{change.path} {what}, which decides what is run")
    return frozenset(
        n
        for n, command in enumerate(recording.commands)
        if any(touches(change, command.touched) for change in changed)
    )


def outputs_changed(recording: Recording, root: str) -> str:
    """The output that is no longer what the build left; "" when all are."""
    for path in recording.altered - recording.outputs.keys():
        if os.path.lexists(os.path.join(root, path)):
            return path
    for path, was in recording.outputs.items():
        if signature(os.path.join(root, path)) != was:
            return path
    return ""


def is_all_there_is(root: Path, known: Collection[str]) -> bool:
    """Whether only these paths, and the folders above them, are there."""
    above: set[str] = {""}
    for path in known:
        while (path := os.path.dirname(path)) not in above:
            above.add(path)
    for folder, folders, names in os.walk(root):
        below = os.path.relpath(folder, root)
        here = "" if below == "." else f"{below}/"
        for name in (*names, *folders):
            path = f"{here}{name}"
            if path not in known and path not in above and path != ".git":
                return False
    return True


def signatures(root: str, paths: Iterable[str]) -> dict[str, Signature]:
    """The signatures of those outputs that are there."""
    return {p: s for p in sorted(paths) if (s := signature(os.path.join(root, p))) is not None}


def _listed(tree: pygit2.Tree, path: str) -> Iterator[str]:
    """The directories above a path, up to the first that ``tree`` has too."""
    while path:
        path = os.path.dirname(path)
        yield path
        if not path or path in tree:
            return
