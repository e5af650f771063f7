# SPDX-License-Identifier: GPL-2.0-or-later
"""Put one patch on one tree.

For each path, the first of these that fits: the very blob the patch was made from; the blob is at
hand but the tree has moved on: 3-way against it; no such blob: every hunk's full context, as
``git apply`` finds it.  No fuzz.  A clean result is all or nothing: with one path that clashes the
others are still computed, so that the user resolves only what needs him.

Changes see each other as in ``git apply`` (apply.c, previous_patch and check_patch): a second change
to a path works on what the first one made; renames and copies read the tree as it was, so that two
files can swap their names; and a path that the patch takes away is free for what it creates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from backport.errors import UsageError
from backport.pick import submodule
from backport.pick.content import (
    BINARY_HINT,
    Made,
    descends,
    expected,
    from_base,
    made_anew,
    marked,
    names,
    new_content,
    post_image_notes,
)
from backport.pick.merge import merge_file
from backport.pick.objects import Objects
from backport.pick.outcome import Change, Clash, How, Picked
from backport.pick.renamed import Renamed, find_renamed
from backport.pick.tree import (
    EXECUTABLE,
    FILE,
    GITLINK,
    SYMLINK,
    Entry,
    InTheWay,
    TreeView,
)
from series.model import FileChange, Patch, shown
from series.place import PlaceError, apply_change

_TYPE = {0o100000: "a file", SYMLINK: "a symbolic link", GITLINK: "a submodule"}


@dataclass(frozen=True, slots=True)
class _Done:
    change: Change
    edits: tuple[tuple[bytes, Entry | None], ...] = ()


@dataclass(slots=True)
class _Work:
    """The tree as the changes so far have left it."""

    objects: Objects
    tree: TreeView
    leaving: frozenset[bytes]
    """Paths that some change of the patch takes away."""
    written: frozenset[bytes]
    """Paths that some change of the patch makes anew."""
    creations: Mapping[bytes, FileChange]
    made_on: TreeView | None = None
    """The tree that the patch was made on, where it is known."""
    edits: dict[bytes, Entry | None] = field(default_factory=dict)
    gone: set[bytes] = field(default_factory=set)
    over: set[bytes] = field(default_factory=set)
    """Paths that were given away before they were free."""

    def now(self, path: bytes) -> Entry | None:
        """What stands at ``path``."""
        return self.edits[path] if path in self.edits else self.tree.entry(path)

    def obstacle(self, path: bytes) -> Entry | None:
        """What a new file at ``path`` meets: nothing, if the patch itself takes that away."""
        if path in self.leaving and path not in self.edits:
            if self.tree.entry(path) is not None:
                self.over.add(path)
            return None
        return self.now(path)

    def take(self, done: _Done) -> None:
        for path, entry in done.edits:
            if entry is None:
                self.gone.add(path)
            # The old name of a rename may have been given to another file by then.
            if entry is not None or done.change.path == path or not self.edits.get(path):
                self.edits[path] = entry


def pick_patch(
    objects: Objects, tree: TreeView, patch: Patch, made_on: TreeView | None = None
) -> Picked:
    """Put ``patch``, made on the tree ``made_on`` if that is known, on ``tree``; only objects are made."""
    work = _Work(
        objects,
        tree,
        leaving=frozenset(
            c.old_path for c in patch.changes if c.kind in ("delete", "rename") and c.old_path
        ),
        written=frozenset(c.path for c in patch.changes if c.kind in ("create", "rename", "copy")),
        creations={c.path: c for c in patch.changes if c.kind == "create"},
        made_on=made_on,
    )
    changes: list[Change] = []
    clashes: dict[bytes, Clash] = {}
    for change in patch.changes:
        if change.path in clashes:
            clashes[change.path] = _also(objects, clashes[change.path], change)
            continue
        done = _pick_change(work, change)
        if isinstance(done, Clash):
            clashes.setdefault(done.path, done)
        else:
            changes.append(done.change)
            work.take(done)
    for path in sorted(work.over - work.gone):
        # What was to make room for it did not.
        made, there = work.edits.get(path), tree.entry(path)
        if made is not None and there is not None and made != there:
            del work.edits[path]
            changes = [change for change in changes if change.path != path]
            clashes.setdefault(path, _taken(work, path, there, made))
    try:
        result = tree.edited(work.edits) if work.edits else tree
    except InTheWay as block:
        clash = _blocked(tree, patch, block)
        clashes.setdefault(clash.path, clash)
        result = tree
    return Picked(result, tuple(changes), tuple(clashes.values()))


def _also(objects: Objects, first: Clash, change: FileChange) -> Clash:
    """A second change to a path whose first one clashed."""
    if change.kind == "create":
        made = _created(objects, change)
        if isinstance(made, Entry):
            return replace(
                first,
                reason=f"the patch puts another one in its place; {first.reason}",
                theirs=made.oid,
                their_mode=made.mode,
                deleted=False,
            )
    if first.content is not None and change.hunks:
        return replace(first, content=marked(first.content, change), theirs=None)
    return first


def _blocked(tree: TreeView, patch: Patch, block: InTheWay) -> Clash:
    there = tree.entry(block.obstacle)
    if there is None or there.mode == SYMLINK:
        what = "a directory" if there is None else "a symbolic link"
        raise UsageError(
            f"{patch.name} writes {shown(block.path)}, and {shown(block.obstacle)} is {what} here",
            "such a patch is not for this tree; leave it out of the series",
        )
    reason = f"is a file here, and the patch makes {shown(block.path)} below it"
    return Clash(block.obstacle, reason, ours=there.oid, mode=there.mode)


def _pick_change(work: _Work, change: FileChange) -> _Done | Clash:
    match change.kind:
        case "create":
            return _create(work, change)
        case "delete":
            return _delete(work, change)
        case "modify":
            return _modify(work, change)
        case _:
            return _move(work, change)


# -- creation and deletion


def _created(objects: Objects, change: FileChange) -> Entry | Clash:
    mode = change.new_mode or FILE
    if mode == GITLINK:
        commit = submodule.commits(change)[1]
        if commit is None:
            return Clash(change.path, "is a submodule, and the patch does not say at which commit")
        return Entry(commit, GITLINK)
    try:
        return Entry(objects.write_blob(made_anew(change)), mode)
    except PlaceError as error:
        return Clash(change.path, error.reason)


def _create(work: _Work, change: FileChange) -> _Done | Clash:
    path = change.path
    made = _created(work.objects, change)
    if isinstance(made, Clash):
        return made
    there = work.now(path)
    if there is not None and change.new_mode is None and there.mode == EXECUTABLE:
        made = replace(made, mode=EXECUTABLE)  # a plain diff says nothing of modes
    if there == made:
        # Named as an edit, lest the removal of the old one by this patch take it along.
        return _Done(Change(path, How.ALREADY), ((path, made),))
    there = work.obstacle(path)
    if there is None:
        notes = post_image_notes(made.oid, change) if made.mode != GITLINK else ()
        return _Done(Change(path, How.EXACT, notes), ((path, made),))
    if there.oid == made.oid and _type(there.mode) == _type(made.mode):
        note = f"was there with mode {there.mode:o}; it has the patch's, {made.mode:o}, now"
        return _Done(Change(path, How.MERGED, (note,)), ((path, made),))
    return _taken(work, path, there, made)


def _taken(work: _Work, path: bytes, there: Entry, made: Entry) -> Clash:
    if _type(there.mode) != _type(made.mode):
        reason = f"the patch makes {_kind(made.mode)} there, and here it is {_kind(there.mode)}"
    else:
        reason = "the patch creates it, and another one of that name is there"
    content = None
    if {there.mode, made.mode} <= {FILE, EXECUTABLE}:
        objects = work.objects
        merge = merge_file(objects, objects.write_blob(b""), there.oid, made.oid)
        content = objects.blob(merge.marked) if merge.marked else None
        reason += "" if content is not None else BINARY_HINT
    return Clash(
        path,
        reason,
        ours=there.oid,
        theirs=made.oid,
        mode=there.mode,
        their_mode=made.mode,
        content=content,
    )


def _delete(work: _Work, change: FileChange) -> _Done | Clash:
    path, objects = change.path, work.objects
    there = work.now(path)
    if there is None:
        elsewhere = _elsewhere(work, change)
        if isinstance(elsewhere, Renamed):  # git asks here, too
            return Clash(
                elsewhere.path,
                f"the patch deletes {shown(path)}, and this is it, {elsewhere.likeness:.0%} alike",
                base=objects.find_blob(change.old_blob),
                ours=elsewhere.entry.oid,
                mode=elsewhere.entry.mode,
                deleted=True,
            )
        if elsewhere is not None:
            return elsewhere
        return _Done(Change(path, How.ALREADY))
    again = work.creations.get(path)
    if again is not None and _created(objects, again) == there:
        # A change of type, written as a deletion and a creation: what stands there is the new one.
        return _Done(Change(path, How.ALREADY))
    wrong = _other_type(there, change)
    if wrong is not None:
        return replace(wrong, deleted=True)
    if there.mode == GITLINK:
        if submodule.commits(change)[0] == there.oid:
            return _Done(Change(path, How.EXACT), ((path, None),))
        reason = f"the patch deletes the submodule, but here it is at {there.oid[:12]}"
        return Clash(path, reason, ours=there.oid, mode=GITLINK, deleted=True)
    if names(there.oid, change.old_blob):
        return _Done(Change(path, How.EXACT), ((path, None),))
    if not change.binary and (change.hunks or change.old_blob is None):
        # The removed lines are the whole file, or it is another file.
        try:
            gone = apply_change(objects.blob(there.oid), change).text == b""
        except PlaceError:
            gone = False
        if gone:
            return _Done(Change(path, How.OFFSET), ((path, None),))
    return Clash(
        path,
        "the patch deletes it, but here it has other content",
        base=objects.find_blob(change.old_blob),
        ours=there.oid,
        mode=there.mode,
        deleted=True,
    )


# -- changes to what is there


def _modify(work: _Work, change: FileChange) -> _Done | Clash:
    there = work.now(change.path)
    if there is not None:
        return _changed(work, change, there)
    elsewhere = _elsewhere(work, change)
    if isinstance(elsewhere, Renamed):
        path = elsewhere.path
        there = work.now(path)
        assert there is not None
        moved = replace(change, old_path=path, new_path=path)
        return _noted(_changed(work, moved, there), elsewhere, change)
    return elsewhere or _absent_file(work, change)


def _elsewhere(work: _Work, change: FileChange) -> Renamed | Clash | None:
    """The file under the name that it has on this branch; a clash where it is open which one that is."""
    path = change.old_path
    assert path is not None
    if path in work.edits:  # the patch itself took it away
        return None
    base = work.objects.find_blob(change.old_blob)
    found = [
        one
        for one in find_renamed(work.tree, work.made_on, path, base)
        if work.now(one.path) is not None
    ]
    if len(found) <= 1:
        return found[0] if found else None
    few = " or ".join(f"{shown(one.path)} ({one.likeness:.0%})" for one in found[:3])
    absent = _absent_file(work, change)
    return replace(absent, reason=f"{absent.reason}; it may be {few}")


def _noted(done: _Done | Clash, elsewhere: Renamed, change: FileChange) -> _Done | Clash:
    word = f"is {shown(change.path)} under its name here, {elsewhere.likeness:.0%} alike"
    if isinstance(done, Clash):
        return replace(done, reason=f"{done.reason} ({word})")
    how = How.MERGED if done.change.how is How.EXACT else done.change.how
    return replace(done, change=replace(done.change, how=how, notes=(word, *done.change.notes)))


def _move(work: _Work, change: FileChange) -> _Done | Clash:
    """A rename or a copy: of the file as it was before the patch."""
    assert change.old_path is not None
    source, target = change.old_path, change.path
    if source == target:
        return _modify(work, replace(change, kind="modify"))
    there, standing = work.tree.entry(source), work.now(target)
    if standing is not None and target not in work.edits and _made_before(work, change, standing):
        return _Done(Change(target, How.ALREADY))
    if there is None:
        if standing is not None and _renamed_before(work, change, standing):
            # The rest of the change goes to the new name.
            done = _changed(work, replace(change, kind="modify", old_path=target), standing)
            if isinstance(done, Clash):
                return done
            note = f"was renamed from {shown(source)} before"
            return replace(done, change=replace(done.change, notes=(note, *done.change.notes)))
        return _absent_file(work, change)
    blocker = work.obstacle(target)
    if blocker is not None:
        return Clash(
            target,
            f"the patch makes it of {shown(source)}, and one of that name is there",
            ours=blocker.oid,
            mode=blocker.mode,
        )
    done = _changed(work, change, there)
    if isinstance(done, _Done) and change.kind == "rename":
        return replace(done, edits=((source, None), *done.edits))
    return done


def _made_before(work: _Work, change: FileChange, standing: Entry) -> bool:
    """Whether the new name holds the result, and the old name not what the patch was made from."""
    assert change.old_path is not None
    whole = not change.hunks and not change.binary
    result = change.new_blob or (change.old_blob if whole else None)
    if not names(standing.oid, result):
        return False
    there = work.tree.entry(change.old_path)
    if change.kind == "copy" or there is None:
        return True
    # A swap, or a new file under the old name: what stands there must be that.
    return change.old_path in work.written and not names(there.oid, change.old_blob)


def _renamed_before(work: _Work, change: FileChange, standing: Entry) -> bool:
    base = work.objects.find_blob(change.old_blob)
    if base is None or standing.mode not in (FILE, EXECUTABLE):
        return False
    return descends(work.objects.blob(standing.oid), work.objects.blob(base))


def _absent_file(work: _Work, change: FileChange) -> Clash:
    assert change.old_path is not None
    base = work.objects.find_blob(change.old_blob)
    mode = change.new_mode or FILE
    theirs = from_base(work.objects, base, change)
    if theirs is None and change.forward is not None and change.forward.kind == "literal":
        theirs = work.objects.write_blob(change.forward.data)
    moved = change.old_path != change.path and work.now(change.path) is not None
    hint = f"; {shown(change.path)} is there: if that is it, `backport skip` leaves the patch out"
    what = (
        f"makes {shown(change.path)} of it" if change.kind in ("rename", "copy") else "changes it"
    )
    return Clash(
        change.old_path,
        f"the patch {what}, and there is no such file here" + (hint if moved else ""),
        base=base,
        theirs=theirs,
        mode=mode,
        content=work.objects.blob(theirs) if theirs is not None and mode != SYMLINK else None,
        missing=expected(change),
    )


def _changed(work: _Work, change: FileChange, there: Entry) -> _Done | Clash:
    """Content and mode of the file ``there`` after the change, at the change's new path."""
    assert change.old_path is not None
    target = change.path
    wrong = _other_type(there, change)
    if wrong is not None:
        return wrong
    made = (
        _advanced(there, change)
        if there.mode == GITLINK and change.hunks
        else new_content(work.objects, there, change)
    )
    if isinstance(made, Clash):
        return replace(made, path=target)
    mode, mode_notes = _mode(there, change)
    notes = made.notes + mode_notes
    if change.old_path == target and made.blob == there.oid and mode == there.mode:
        return _Done(Change(target, How.ALREADY, notes))
    # The content may be there and yet the name or the mode be new.
    how = How.MERGED if made.how is How.ALREADY else made.how
    return _Done(Change(target, how, notes), ((target, Entry(made.blob, mode)),))


def _advanced(there: Entry, change: FileChange) -> Made | Clash:
    old, new = submodule.commits(change)
    if new is not None and there.oid == new:
        return Made(there.oid, How.ALREADY)
    if new is not None and there.oid == old:
        return Made(new, How.EXACT)
    if old is None or new is None:
        return Clash(change.path, "is a submodule, and the patch does not say at which commit")
    return Clash(
        change.path,
        f"the submodule is at {there.oid[:12]}, and the patch moves it from {old[:12]} to {new[:12]};"
        f" `git update-index --cacheinfo 160000,<commit>,{shown(change.path)}` settles it",
        base=old,
        ours=there.oid,
        theirs=new,
        mode=GITLINK,
    )


def _other_type(there: Entry, change: FileChange) -> Clash | None:
    """A patch for a file does not go on a link of that name, nor the other way round."""
    if change.old_mode is None or _type(change.old_mode) == _type(there.mode):
        return None
    return Clash(
        change.path,
        f"is {_kind(there.mode)} here, and the patch is for {_kind(change.old_mode)}",
        ours=there.oid,
        mode=there.mode,
    )


def _type(mode: int) -> int:
    return mode & 0o170000


def _kind(mode: int) -> str:
    return _TYPE[_type(mode)]


def _mode(there: Entry, change: FileChange) -> tuple[int, tuple[str, ...]]:
    if change.old_mode is None or change.new_mode is None or change.old_mode == change.new_mode:
        return there.mode, ()
    if there.mode not in (change.old_mode, change.new_mode):
        return change.new_mode, ("its mode was not the one the patch names",)
    return change.new_mode, ()
