# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes to files that are there: content, mode and name."""

from __future__ import annotations

from msgspec.structs import replace

from backport.gateway.trees import EXECUTABLE, FILE, GITLINK, Entry
from backport.pick import submodule
from backport.pick.absent import absent_file, find_elsewhere, noted
from backport.pick.content import Made, descends, from_base, is_result, names, new_content
from backport.pick.creation import misplaced, taken
from backport.pick.outcome import Change, Clash, How
from backport.pick.renamed import Renamed
from backport.pick.work import Done, Work, other_type
from series.model import FileChange, shown


def modify(work: Work, change: FileChange) -> Done | Clash:
    """Change a file, under the name that it has here."""
    there = work.now(change.path)
    if there is not None:
        return changed_file(work, change, there)
    elsewhere = find_elsewhere(work, change)
    if isinstance(elsewhere, Renamed):
        path = elsewhere.path
        there = work.now(path)
        assert there is not None
        moved = replace(change, old_path=path, new_path=path)
        return noted(changed_file(work, moved, there), elsewhere, change)
    return elsewhere or absent_file(work, change)


def move(work: Work, change: FileChange) -> Done | Clash:
    """A rename or a copy: of the file as it was before the patch."""
    assert change.old_path is not None
    source, target = change.old_path, change.path
    if source == target:
        return modify(work, replace(change, kind="modify"))
    there, standing = work.tree.entry(source), work.now(target)
    if standing is not None and target not in work.edits and _made_before(work, change, standing):
        return Done(Change(target, How.ALREADY))
    if there is None:
        if standing is not None and _renamed_before(work, change, standing):
            # The rest of the change goes to the new name.
            done = changed_file(work, replace(change, kind="modify", old_path=target), standing)
            if isinstance(done, Clash):
                return done
            note = f"was already renamed from {shown(source)}"
            return replace(done, change=replace(done.change, notes=(note, *done.change.notes)))
        elsewhere = find_elsewhere(work, change)
        if isinstance(elsewhere, Renamed):
            return _named_twice(work, change, elsewhere)
        return elsewhere or absent_file(work, change)
    blocker = work.obstacle(target)
    done = changed_file(work, change, there)
    if blocker is not None:
        return _blocked(work, change, blocker, done)
    away: tuple[bytes, Entry | None] = (source, None)
    if isinstance(done, Clash):
        # As git leaves it: what is open stands under the new name, and nothing under the old one.
        if change.kind == "rename":
            work.take(Done(Change(target, How.MERGED), (away,)))
        return done
    doubt = misplaced(work, target, made) if (made := dict(done.edits).get(target)) else None
    if doubt is not None:
        if change.kind == "rename":
            work.take(Done(Change(target, How.MERGED), (away,)))
        return doubt
    if change.kind == "rename":
        return replace(done, edits=(away, *done.edits))
    if change.old_blob is None or names(there.oid, change.old_blob):
        return done
    # git's merge takes the patch's new file as it is, where the lines do not stand as the patch has them.
    note = f"is a copy of {shown(source)} as it is here, with what the branch has changed in it"
    return replace(done, change=replace(done.change, notes=(*done.change.notes, note)))


def _named_twice(work: Work, change: FileChange, here: Renamed) -> Clash:
    """The clash of a rename with one of the branch; git leaves the file under all names, too."""
    word = f"it is {shown(here.path)} here, {here.likeness:.0%} alike"
    if change.kind == "rename":
        word += ": one of the two names has to go"
    absent = absent_file(work, change)
    return replace(absent, reason=f"{absent.reason}; {word}")


def _blocked(work: Work, change: FileChange, blocker: Entry, done: Done | Clash) -> Clash:
    """The clash of a rename or copy with a file that has the new name."""
    assert change.old_path is not None
    source, target = change.old_path, change.path
    made = dict(done.edits).get(target) if isinstance(done, Done) else None
    reason = f"the patch makes it from {shown(source)}, but a file of that name exists"
    if made is None:
        # Two conflicts in one file: the other is left where it is.
        why = f"; {done.reason}" if isinstance(done, Clash) else ""
        reason += f"{why}; {shown(source)} is left as it was"
        return Clash(target, reason, ours=blocker.oid, mode=blocker.mode)
    if change.kind == "rename":
        work.take(Done(Change(target, How.MERGED), ((source, None),)))
    return replace(taken(work, target, blocker, made), reason=reason)


def _made_before(work: Work, change: FileChange, standing: Entry) -> bool:
    """Whether the new name holds the result, and the old name not what the patch was made from."""
    assert change.old_path is not None
    if change.hunks or change.binary:
        if not _is_made(work, change, standing):
            return False
    elif not names(standing.oid, change.new_blob or change.old_blob):
        return False
    there = work.tree.entry(change.old_path)
    if change.kind == "copy" or there is None:
        return True
    # A swap, or a new file under the old name: what stands there must be that.
    return change.old_path in work.written and not names(there.oid, change.old_blob)


def _is_made(work: Work, change: FileChange, standing: Entry) -> bool:
    """Whether ``standing`` is what the change makes of the blob that it names."""
    theirs = from_base(work.objects, work.objects.find_blob(change.old_blob), change)
    if theirs is not None:
        return theirs == standing.oid
    return is_result(work.objects, standing, change)


def _renamed_before(work: Work, change: FileChange, standing: Entry) -> bool:
    base = work.objects.find_blob(change.old_blob)
    if base is None or standing.mode not in (FILE, EXECUTABLE):
        return False
    return descends(work.objects.blob(standing.oid), work.objects.blob(base))


def changed_file(work: Work, change: FileChange, there: Entry) -> Done | Clash:
    """Content and mode of the file ``there`` after the change, at the change's new path."""
    assert change.old_path is not None
    target = change.path
    wrong = other_type(there, change)
    if wrong is not None:
        if change.old_mode == GITLINK:
            base, theirs = submodule.commits(change)
        else:
            base = work.objects.find_blob(change.old_blob)
            theirs = from_base(work.objects, base, change)
        mode = change.new_mode or change.old_mode
        return replace(wrong, base=base, base_mode=change.old_mode, theirs=theirs, their_mode=mode)
    made = (
        _advanced(there, change)
        if there.mode == GITLINK and change.hunks
        else new_content(work.objects, there, change, work.allowance)
    )
    mode, mode_notes = _mode(there, change)
    if isinstance(made, Clash):
        return replace(made, path=target, their_mode=mode if mode != there.mode else None)
    notes = made.notes + mode_notes
    if change.old_path == target and made.blob == there.oid and mode == there.mode:
        return Done(Change(target, How.ALREADY, notes))
    # The content may be there and yet the name or the mode be new.
    how = How.MERGED if made.how is How.ALREADY else made.how
    return Done(Change(target, how, notes, made.had), ((target, Entry(made.blob, mode)),))


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


def _mode(there: Entry, change: FileChange) -> tuple[int, tuple[str, ...]]:
    if change.old_mode is None or change.new_mode is None or change.old_mode == change.new_mode:
        return there.mode, ()
    if there.mode not in (change.old_mode, change.new_mode):
        return change.new_mode, ("its mode differed from the one in the patch",)
    return change.new_mode, ()
