# SPDX-License-Identifier: GPL-2.0-or-later
"""Put one patch on one tree.

For each path, the first of these that fits: the very blob the patch was made from; the blob is at
hand but the tree has moved on: 3-way against it; no such blob: every hunk's full context, as
``git apply`` finds it.  No fuzz but what the user allows.  A clean result is all or nothing: with one
path that clashes the others are still computed, so that the user resolves only what needs him.

Changes see each other as in ``git apply`` (apply.c, previous_patch and check_patch): a second change
to a path works on what the first one made; renames and copies read the tree as it was, so that two
files can swap their names; and a path that the patch takes away is free for what it creates.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from backport.errors import UsageError
from backport.gateway.objects import Objects
from backport.gateway.trees import EXECUTABLE, FILE, GITLINK, SYMLINK, Entry, InTheWay, TreeView
from backport.pick.absent import absent_file
from backport.pick.allowance import STRICT, Allowance
from backport.pick.content import from_base, marked
from backport.pick.creation import create, created, delete, taken
from backport.pick.modification import modify, move
from backport.pick.outcome import SKIPPABLE, Change, Clash, How, Picked
from backport.pick.unmarked_renames import find_unmarked, pair_at, with_renames
from backport.pick.work import Done, MadeOn, Work, unknown
from series.model import FileChange, Patch, shown


def pick_patch(
    objects: Objects,
    tree: TreeView,
    patch: Patch,
    made_on: MadeOn = unknown,
    allowance: Allowance = STRICT,
) -> Picked:
    """Put ``patch`` on ``tree``; only objects are made.

    ``made_on`` finds the tree that it was made on, and is asked only where a file of it is not there.
    """
    work = Work(
        objects,
        tree,
        leaving=frozenset(
            c.old_path for c in patch.changes if c.kind in ("delete", "rename") and c.old_path
        ),
        written=frozenset(c.path for c in patch.changes if c.kind in ("create", "rename", "copy")),
        creations={c.path: c for c in patch.changes if c.kind == "create"},
        made_on=made_on,
        allowance=allowance,
    )
    changes: list[Change] = []
    clashes: dict[bytes, Clash] = {}
    unmarked = find_unmarked(objects, tree, patch.changes)
    for change in with_renames(patch.changes, unmarked):
        if change.path in clashes:
            clashes[change.path] = _also(objects, clashes[change.path], change)
            source = _unmoved(work, change)
            if source is not None:
                clashes.setdefault(source.path, source)
            continue
        done = _pick_change(work, change)
        if change.kind == "create" and isinstance(done, Clash):
            before = clashes.get(done.path)
            # A change of type, of a file with another name here: a deletion, then a creation.
            if before is not None and before.deleted:
                clashes[done.path] = _also(objects, before, change)
                continue
        done = _apart(work, change, done, clashes)
        pair = pair_at(done, unmarked)
        if isinstance(done, Clash):
            clashes.setdefault(done.path, done if pair is None else pair.of_clash(done))
        else:
            changes += (done.change,) if pair is None else pair.of_change(done.change)
            work.take(done)
    for path in sorted(work.over - work.gone):
        # What was to make room for it did not.
        made, there = work.edits.get(path), tree.entry(path)
        if made is not None and there is not None and made != there:
            del work.edits[path]
            changes = [change for change in changes if change.path != path]
            clashes.setdefault(path, taken(work, path, there, made))
    result, blocked = _edited(objects, tree, patch.name, work.edits)
    for clash in blocked:
        clashes.setdefault(clash.path, clash)
        changes = [change for change in changes if change.path != clash.path]
    return Picked(result, tuple(changes), _with_already(tuple(clashes.values()), changes))


def _with_already(clashes: tuple[Clash, ...], changes: list[Change]) -> tuple[Clash, ...]:
    """The clashes; at the first one, which files of the patch need nothing, or that no file of it seems
    to need anything."""
    if not clashes:
        return ()
    first, there = clashes[0].reason, [shown(c.path) for c in changes if c.how is How.ALREADY]
    if len(there) == len(changes) and all(clash.looks_applied for clash in clashes):
        rest = "; so does the rest of the patch" if len(there) + len(clashes) > 1 else ""
        first += f"{rest}{SKIPPABLE}"
    elif there:
        more = ", ..." if len(there) > 3 else ""
        first += f"; in part already: {', '.join(there[:3])}{more}"
    return (replace(clashes[0], reason=first), *clashes[1:])


def _also(objects: Objects, first: Clash, change: FileChange) -> Clash:
    """A second change to a path whose first one clashed."""
    if change.kind == "create":
        made = created(objects, change)
        if isinstance(made, Entry):
            return replace(
                first,
                reason=f"the patch replaces it with another; {first.reason}",
                theirs=made.oid,
                their_mode=made.mode,
                deleted=False,
            )
    if first.content is not None and change.hunks:
        return replace(first, content=marked(first.content, change), theirs=None)
    return first


def _unmoved(work: Work, change: FileChange) -> Clash | None:
    """The clash of a rename or copy to a path that is open already: it is left under its old name."""
    old = change.old_path
    there = work.now(old) if old is not None else None
    if old is None or old == change.path or (there is not None and there.mode == GITLINK):
        return None
    base = work.objects.find_blob(change.old_blob)
    return Clash(
        old,
        f"the patch makes {shown(change.path)} from it, which is open for another change of the patch",
        base=base,
        ours=there.oid if there is not None else None,
        theirs=from_base(work.objects, base, change),
        mode=there.mode if there is not None else change.old_mode or FILE,
    )


def _apart(
    work: Work, change: FileChange, done: Done | Clash, clashes: Mapping[bytes, Clash]
) -> Done | Clash:
    """What came of a change; a clash of its own where it leads to a file that is open for another one.

    Two files of the patch may be one here: what is laid out for the first would hide the second.
    """
    paths = (done.path,) if isinstance(done, Clash) else (x for x, entry in done.edits if entry)
    taken_by = next((path for path in paths if path in clashes), None)
    if taken_by is None:
        return done
    word = f"it is {shown(taken_by)} here, where another change of the patch is open"
    if change.old_path is None:
        made = created(work.objects, change)
        if isinstance(made, Clash):
            return made
        content = work.objects.blob(made.oid) if made.mode in (FILE, EXECUTABLE) else None
        reason = f"the patch makes it; {word}"
        return Clash(change.path, reason, theirs=made.oid, mode=made.mode, content=content)
    absent = absent_file(work, change)
    return replace(absent, reason=f"{absent.reason}; {word}")


def _edited(
    objects: Objects, tree: TreeView, name: str, edits: Mapping[bytes, Entry | None]
) -> tuple[TreeView, tuple[Clash, ...]]:
    """The tree with all edits that it has a place for, and a clash for each of the others.

    Raises `UsageError` where the patch of that ``name`` writes through a symbolic link.
    """
    left, clashes = dict(edits), list[Clash]()
    while left:
        try:
            return tree.edited(left), tuple(clashes)
        except InTheWay as block:
            is_folder = block.obstacle.endswith(b"/")
            below = block.obstacle + b"/"
            for path in [block.path] if is_folder else [x for x in left if x.startswith(below)]:
                made = left.pop(path)
                if made is not None:
                    clashes.append(_blocked(objects, tree, name, path, made, block.obstacle))
    return tree, tuple(clashes)


def _blocked(
    objects: Objects, tree: TreeView, name: str, path: bytes, made: Entry, obstacle: bytes
) -> Clash:
    there = tree.entry(obstacle.rstrip(b"/"))
    if there is not None and there.mode == SYMLINK:
        raise UsageError(
            f"{name} writes {shown(path)}, and {shown(obstacle)} is a symbolic link here",
            "such a patch is not for this tree; leave it out of the series",
        )
    what = "a directory" if there is None else "a file"
    content = objects.blob(made.oid) if made.mode in (FILE, EXECUTABLE) else None
    return Clash(
        path,
        f"the patch makes it, and {shown(obstacle)} is {what} here",
        theirs=made.oid,
        mode=made.mode,
        content=content,
    )


def _pick_change(work: Work, change: FileChange) -> Done | Clash:
    match change.kind:
        case "create":
            return create(work, change)
        case "delete":
            return delete(work, change)
        case "modify":
            return modify(work, change)
        case _:
            return move(work, change)
