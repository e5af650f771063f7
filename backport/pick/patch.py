# SPDX-License-Identifier: GPL-2.0-or-later
"""Put one patch on one tree.

For each path, the first of these that fits: the very blob the patch was made from; the blob is at
hand but the tree has moved on: 3-way against it; no such blob: every hunk's full context, as
``git apply`` finds it.  No fuzz.  A clean result is all or nothing: with one path that clashes the
others are still computed, so that the user resolves only what needs him.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from backport.errors import UsageError
from backport.pick.merge import merge_file
from backport.pick.outcome import Change, Clash, How, Picked
from backport.pick.tree import (
    EXECUTABLE,
    FILE,
    GITLINK,
    SYMLINK,
    Entry,
    InTheWay,
    Objects,
    TreeView,
)
from series.model import FileChange, Oid, Patch, shown
from series.place import Placed, PlaceError, apply_binary, apply_change, is_applied

Edits = dict[bytes, Entry | None]


@dataclass(frozen=True, slots=True)
class _Done:
    change: Change
    edits: tuple[tuple[bytes, Entry | None], ...] = ()


def pick_patch(objects: Objects, tree: TreeView, patch: Patch) -> Picked:
    """Put ``patch`` on ``tree``; nothing but objects is written."""
    edits: Edits = {}
    changes: list[Change] = []
    clashes: list[Clash] = []
    for change in patch.changes:
        done = _pick_change(objects, tree, change)
        if isinstance(done, Clash):
            clashes.append(done)
        else:
            changes.append(done.change)
            # Removals first: a rename away from a path that another change creates must not win.
            for path, entry in done.edits:
                if entry is not None or path not in edits:
                    edits[path] = entry
    try:
        result = tree.edited(edits) if edits else tree
    except InTheWay as block:
        clashes.append(_blocked(tree, patch, block))
        result = tree
    return Picked(result, tuple(changes), tuple(clashes))


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


def _pick_change(objects: Objects, tree: TreeView, change: FileChange) -> _Done | Clash:
    match change.kind:
        case "create":
            return _create(objects, tree, change)
        case "delete":
            return _delete(objects, tree, change)
        case _:
            return _modify(objects, tree, change)


def _create(objects: Objects, tree: TreeView, change: FileChange) -> _Done | Clash:
    path = change.path
    there = tree.entry(path)
    mode = change.new_mode or FILE
    if mode == GITLINK:
        return Clash(path, "is a submodule: only its own repository can carry that change")
    try:
        content = _content(b"", change)
    except PlaceError as error:
        return Clash(path, str(error))
    made = objects.write_blob(content)
    if there is None:
        notes = _check_post_image(made, change)
        return _Done(Change(path, How.EXACT, notes), ((path, Entry(made, mode)),))
    if there.oid == made:
        return _Done(Change(path, How.ALREADY))
    merge = merge_file(objects, objects.write_blob(b""), there.oid, made)
    return Clash(
        path,
        "the patch creates it, and another file of that name is there",
        ours=there.oid,
        theirs=made,
        mode=mode,
        content=objects.blob(merge.marked) if merge.marked else None,
    )


def _delete(objects: Objects, tree: TreeView, change: FileChange) -> _Done | Clash:
    path = change.path
    there = tree.entry(path)
    if there is None:
        return _Done(Change(path, How.ALREADY))
    if _is(there.oid, change.old_blob):
        return _Done(Change(path, How.EXACT), ((path, None),))
    base = objects.find_blob(change.old_blob)
    if change.old_blob is None and change.hunks:
        # A plain diff names no blob: the removed lines are the whole file, or it is another file.
        try:
            gone = apply_change(objects.blob(there.oid), change).text == b""
        except PlaceError:
            gone = False
        if gone:
            return _Done(Change(path, How.OFFSET), ((path, None),))
    return Clash(
        path,
        "the patch deletes it, but here it has other content",
        base=base,
        ours=there.oid,
        mode=there.mode,
        content=objects.blob(there.oid),
    )


def _modify(objects: Objects, tree: TreeView, change: FileChange) -> _Done | Clash:
    assert change.old_path is not None
    source, target = change.old_path, change.path
    there = tree.entry(source)
    moved = tree.entry(target) if source != target else None
    if moved is not None:
        if there is None:
            # The rename was made before: the rest of the change goes to the new name.
            return _modify(objects, tree, replace(change, kind="modify", old_path=target))
        if change.kind == "rename" or moved.oid != there.oid:
            return Clash(
                target,
                f"the patch makes it of {shown(source)}, and a file of that name is there",
                ours=moved.oid,
                mode=moved.mode,
                content=objects.blob(moved.oid),
            )
    if there is None:
        return Clash(
            source,
            "the patch changes it, and there is no such file here",
            base=objects.find_blob(change.old_blob),
            missing=_removed(change),
        )
    if there.mode == GITLINK:
        return Clash(source, "is a submodule: only its own repository can carry that change")
    made = _new_content(objects, there, change)
    if isinstance(made, Clash):
        return replace(made, path=target)
    blob, how, notes = made
    mode, mode_notes = _mode(there, change)
    if source == target and blob == there.oid and mode == there.mode:
        return _Done(Change(target, How.ALREADY, notes + mode_notes))
    edits: tuple[tuple[bytes, Entry | None], ...] = ((target, Entry(blob, mode)),)
    if change.kind == "rename":
        edits = ((source, None), *edits)
    return _Done(Change(target, how, notes + mode_notes), edits)


def _new_content(
    objects: Objects, there: Entry, change: FileChange
) -> tuple[Oid, How, tuple[str, ...]] | Clash:
    if not change.hunks and not change.binary:
        return there.oid, How.EXACT, ()
    if _is(there.oid, change.new_blob) and not _is(there.oid, change.old_blob):
        return there.oid, How.ALREADY, ()
    base = there.oid if _is(there.oid, change.old_blob) else objects.find_blob(change.old_blob)
    if base is not None:
        try:
            theirs = objects.write_blob(_exactly(objects.blob(base), change))
        except PlaceError:
            base = None  # the index line names a blob that is not this diff's: use the text alone
    if base is not None:
        notes = _check_post_image(theirs, change)
        if base == there.oid:
            return theirs, How.EXACT, notes
        if change.binary:
            return _binary_clash(change, base, there, theirs)
        merge = merge_file(objects, base, there.oid, theirs)
        if merge.blob is not None:
            return merge.blob, How.ALREADY if merge.blob == there.oid else How.MERGED, notes
        return Clash(
            change.path,
            "both sides changed the same lines",
            base=base,
            ours=there.oid,
            theirs=theirs,
            mode=there.mode,
            content=objects.blob(merge.marked) if merge.marked else None,
            missing=_absent(objects.blob(there.oid), change),
        )
    return _by_context(objects, there, change)


def _by_context(
    objects: Objects, there: Entry, change: FileChange
) -> tuple[Oid, How, tuple[str, ...]] | Clash:
    text = objects.blob(there.oid)
    try:
        placed = apply_change(text, change)
    except PlaceError as error:
        if not change.binary and is_applied(text, change):
            return there.oid, How.ALREADY, ()
        return Clash(
            change.path,
            str(error),
            ours=there.oid,
            mode=there.mode,
            content=None if change.binary else _marked(text, change),
            missing=_absent(text, change),
        )
    return objects.write_blob(placed.text), How.OFFSET, _place_notes(placed)


def _place_notes(placed: Placed) -> tuple[str, ...]:
    notes = [
        f"hunk {hunk.number}: {abs(hunk.offset)} lines {'later' if hunk.offset > 0 else 'earlier'}"
        for hunk in placed.hunks
        if hunk.offset
    ]
    notes += [
        f"hunk {hunk.number} fits at line {hunk.line} and also at {', '.join(map(str, hunk.twins))}:"
        " the nearest was taken"
        for hunk in placed.hunks
        if hunk.ambiguous
    ]
    return tuple(notes)


def _content(pre: bytes, change: FileChange) -> bytes:
    return apply_binary(pre, change) if change.binary else apply_change(pre, change).text


def _exactly(pre: bytes, change: FileChange) -> bytes:
    """The post-image from the pre-image the patch names, where every hunk must be at home."""
    if change.binary:
        return apply_binary(pre, change)
    placed = apply_change(pre, change)
    if not placed.exact:
        raise PlaceError(change.path, "the blob that the index line names has it on another line")
    return placed.text


def _binary_clash(change: FileChange, base: Oid, there: Entry, theirs: Oid) -> Clash:
    return Clash(
        change.path,
        "is binary and differs from what the patch was made from",
        base=base,
        ours=there.oid,
        theirs=theirs,
        mode=there.mode,
    )


def _mode(there: Entry, change: FileChange) -> tuple[int, tuple[str, ...]]:
    if change.old_mode is None or change.new_mode is None or change.old_mode == change.new_mode:
        return there.mode, ()
    if there.mode not in (change.old_mode, change.new_mode) and {there.mode, change.new_mode} <= {
        FILE,
        EXECUTABLE,
    }:
        return change.new_mode, ("its mode was not the one the patch names",)
    return change.new_mode, ()


def _check_post_image(made: Oid, change: FileChange) -> tuple[str, ...]:
    if change.new_blob and set(change.new_blob) != {"0"} and not _is(made, change.new_blob):
        return (f"the result is {made[:12]}, the patch's index line says {change.new_blob}",)
    return ()


def _is(oid: Oid, named: Oid | None) -> bool:
    return bool(named) and set(named or "") != {"0"} and oid.startswith(named or "-")


def _removed(change: FileChange) -> tuple[bytes, ...]:
    return tuple(line for hunk in change.hunks for line in hunk.before)


def _absent(text: bytes, change: FileChange) -> tuple[bytes, ...]:
    """The pre-image lines that the file does not hold anywhere; blank and bracket lines say nothing."""
    have = set(text.split(b"\n"))
    lines = (line.rstrip(b"\r\n") for line in _removed(change))
    return tuple(dict.fromkeys(x for x in lines if x not in have and len(x.strip()) > 2))


def _marked(text: bytes, change: FileChange) -> bytes:
    """The file with each hunk applied that fits, and diff3 markers where one does not."""
    result = text
    for hunk in change.hunks:
        one = replace(change, hunks=(hunk,))
        try:
            result = apply_change(result, one).text
        except PlaceError:
            lines = result.splitlines(keepends=True)
            at = min(max(hunk.new_start - 1, 0), len(lines))
            ours = lines[at : at + len(hunk.before)]
            block = [b"<<<<<<< file\n", *_ended(ours)]
            block += [b"||||||| file\n", *_ended(hunk.before)]
            block += [b"=======\n", *_ended(hunk.after), b">>>>>>> file\n"]
            lines[at : at + len(hunk.before)] = block
            result = b"".join(lines)
    return result


def _ended(lines: list[bytes] | tuple[bytes, ...]) -> list[bytes]:
    return [line if line.endswith(b"\n") else line + b"\n" for line in lines]
