# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that a patch makes or takes away."""

from __future__ import annotations

from msgspec.structs import replace

from backport.gateway.objects import Objects
from backport.gateway.trees import EXECUTABLE, FILE, GITLINK, Entry
from backport.pick import submodule
from backport.pick.absent import find_elsewhere
from backport.pick.content import BINARY_HINT, NO_DATA, made_anew, names, post_image_notes
from backport.pick.directories import find_directory
from backport.pick.merge import merge_file
from backport.pick.outcome import Change, Clash, How
from backport.pick.renamed import Renamed, Renames, TooMany
from backport.pick.work import Done, Work, kind_of, other_type, type_of
from series.model import FileChange, shown
from series.placement.hunks import PlaceError, apply_change
from series.reverse import reverse_change


def created(objects: Objects, change: FileChange) -> Entry | Clash:
    """What a creation makes, wherever it goes."""
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


def create(work: Work, change: FileChange) -> Done | Clash:
    """Make a file."""
    path = change.path
    if change.binary and change.forward is None and change.new_mode != GITLINK:
        if work.allowance.binary_stub:
            note = "not created: the patch has no data for this binary file"
            return Done(Change(path, How.ALREADY, (note,)))
        return Clash(path, NO_DATA)
    made = created(work.objects, change)
    if isinstance(made, Clash):
        return made
    there = work.now(path)
    if there is not None and change.new_mode is None and there.mode == EXECUTABLE:
        made = replace(made, mode=EXECUTABLE)  # a plain diff says nothing of modes
    if there == made:
        # Named as an edit, lest the removal of the old one by this patch take it along.
        return Done(Change(path, How.ALREADY), ((path, made),))
    there = work.obstacle(path)
    if there is None and (elsewhere := misplaced(work, path, made)) is not None:
        return elsewhere
    if there is None:
        notes = post_image_notes(made.oid, change) if made.mode != GITLINK else ()
        return Done(Change(path, How.EXACT, notes), ((path, made),))
    if _is_empty(work, there) and change.new_mode is None:
        # A plain diff may mean that the file is made, or that it was empty: patch(1) takes both.
        note = "existed, and was empty"
        return Done(Change(path, How.EXACT, (note,)), ((path, replace(made, mode=there.mode)),))
    if there.oid == made.oid and type_of(there.mode) == type_of(made.mode):
        note = f"existed with mode {there.mode:o}; now has the patch's, {made.mode:o}"
        return Done(Change(path, How.MERGED, (note,)), ((path, made),))
    return taken(work, path, there, made)


def _is_empty(work: Work, there: Entry) -> bool:
    return there.mode in (FILE, EXECUTABLE) and not work.objects.size(there.oid)


def misplaced(work: Work, path: bytes, made: Entry) -> Done | Clash | None:
    """The doubt about a new file whose directory has another name on this branch; None without one.

    Done where it stands there already.
    """
    folder = path.rpartition(b"/")[0]
    if not folder or work.tree.has_directory(folder):
        return None
    renames = work.renames()
    moved = find_directory(renames, path) if renames is not None else None
    if moved is None:
        return None
    place = moved.place(path)
    here = " or ".join(shown(name or b".") + "/" for name in moved.names)
    reason = (
        f"the patch makes {shown(path)}, and {shown(moved.folder)}/ is {here} on this branch:"
        " add it there, or move it to where it belongs"
    )
    there = work.now(place)
    if there == made and len(moved.names) == 1:
        return Done(Change(path, How.ALREADY, (f"is there as {shown(place)}",)))
    if there is not None:
        return replace(
            taken(work, place, there, made), reason=f"{reason}; one of that name is there"
        )
    content = work.objects.blob(made.oid) if made.mode in (FILE, EXECUTABLE) else None
    return Clash(place, reason, theirs=made.oid, mode=made.mode, content=content)


def taken(work: Work, path: bytes, there: Entry, made: Entry) -> Clash:
    """The clash of a new file with one of its name."""
    if type_of(there.mode) != type_of(made.mode):
        reason = f"the patch makes {kind_of(made.mode)} there, and here it is {kind_of(there.mode)}"
    else:
        reason = "the patch creates it, but another file of that name exists"
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


def delete(work: Work, change: FileChange) -> Done | Clash:
    """Take a file away, if it is the one that the patch means."""
    path, objects = change.path, work.objects
    there = work.now(path)
    if there is None:
        elsewhere = find_elsewhere(work, change) if work.renames() is not None else None
        if isinstance(elsewhere, Renamed):  # git asks here, too
            return _deletes_renamed(work, change, elsewhere)
        if elsewhere is not None:
            return elsewhere
        return _gone(work, change)
    again = work.creations.get(path)
    if again is not None and created(objects, again) == there:
        # A change of type, written as a deletion and a creation: what stands there is the new one.
        return Done(Change(path, How.ALREADY))
    wrong = other_type(there, change)
    if wrong is not None:
        return replace(wrong, deleted=True)
    if there.mode == GITLINK:
        if submodule.commits(change)[0] == there.oid:
            return Done(Change(path, How.EXACT), ((path, None),))
        reason = f"the patch deletes the submodule, but here it is at {there.oid[:12]}"
        return Clash(path, reason, ours=there.oid, mode=GITLINK, deleted=True)
    named = names(there.oid, change.old_blob)
    if named if not _says_content(change) else _removes(objects.blob(there.oid), change):
        return Done(Change(path, How.EXACT if named else How.OFFSET), ((path, None),))
    return Clash(
        path,
        "the patch deletes it, but here it has other content",
        base=objects.find_blob(change.old_blob),
        ours=there.oid,
        mode=there.mode,
        deleted=True,
    )


def _gone(work: Work, change: FileChange) -> Done | Clash:
    """The deletion of a file that is not here, under this name.

    Where the tree that the patch was made on is known, no file here is it.  Else any may be, and the content
    that the deletion holds tells: two files would stand where the series puts it back.
    """
    path = change.path
    if path in work.edits or work.renames() is not None:
        return Done(Change(path, How.ALREADY))
    deleted = created(work.objects, reverse_change(change)) if _says_content(change) else None
    note = "there is no such file here"
    if isinstance(deleted, Entry) and deleted.mode in (FILE, EXECUTABLE):
        try:
            twin = Renames(work.objects, work.tree, None).twin(path, deleted.oid)
        except TooMany as error:
            return Done(Change(path, How.ALREADY, (f"{note}; {error}",)))
        if twin is not None and work.now(twin.path) is not None:
            return _deletes_renamed(work, change, twin)
    return Done(Change(path, How.ALREADY, (note,)))


def _deletes_renamed(work: Work, change: FileChange, there: Renamed) -> Clash:
    return Clash(
        there.path,
        f"the patch deletes {shown(change.path)}, which is this file, {there.likeness:.0%} alike",
        base=work.objects.find_blob(change.old_blob),
        ours=there.entry.oid,
        mode=there.entry.mode,
        deleted=True,
    )


def _says_content(change: FileChange) -> bool:
    """Whether a deletion holds what it deletes; of ``git diff -D`` it names the blob alone."""
    if change.binary:
        return change.reverse is not None and change.reverse.kind == "literal"
    return bool(change.hunks) or change.old_blob is None


def _removes(text: bytes, change: FileChange) -> bool:
    """Whether the removed lines are the whole of ``text``: else it is another file."""
    if change.binary:
        return change.reverse is not None and change.reverse.data == text
    try:
        return apply_change(text, change).text == b""
    except PlaceError:
        return False
