# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of a change whose file is not there under the name that the patch has for it."""

from __future__ import annotations

from msgspec.structs import replace

from backport.gateway.trees import FILE, SYMLINK
from backport.pick.content import expected, from_base
from backport.pick.outcome import Clash, How
from backport.pick.renamed import Renamed, Renames, TooMany
from backport.pick.work import Done, Work
from series.model import FileChange, Oid, shown


def find_elsewhere(work: Work, change: FileChange) -> Renamed | Clash | None:
    """The file under the name that it has on this branch; a clash where it is open which one that is."""
    path = change.old_path
    assert path is not None
    if path in work.edits:  # the patch itself took it away
        return None
    base, renames = work.objects.find_blob(change.old_blob), work.renames()
    if base is None:
        return None
    try:
        found = [
            one for one in _called(work, renames, path, base) if work.now(one.path) is not None
        ]
    except TooMany as error:
        absent = absent_file(work, change)
        return replace(absent, reason=f"{absent.reason}; {error}")
    if not found or (len(found) == 1 and renames is not None):
        return found[0] if found else None
    few = " or ".join(f"{shown(one.path)} ({one.likeness:.0%})" for one in found[:3])
    absent = absent_file(work, change)
    return replace(absent, reason=f"{absent.reason}; it may be {few}")


def _called(work: Work, renames: Renames | None, path: bytes, base: Oid) -> tuple[Renamed, ...]:
    """What the file may be called here; of a patch whose tree is not at hand that is a guess.

    `git am -3` takes the guess: a file that is like it and stands in both trees gets the change.
    """
    if renames is not None:
        return renames.find(path, base)
    twin = Renames(work.objects, work.tree, None).twin(path, base)
    return (twin,) if twin is not None else ()


def noted(done: Done | Clash, elsewhere: Renamed, change: FileChange) -> Done | Clash:
    """With a word for the name that the file has here."""
    word = f"is {shown(change.path)} in the patch, {elsewhere.likeness:.0%} alike"
    if isinstance(done, Clash):
        return replace(done, reason=f"{done.reason} ({word})")
    how = How.MERGED if done.change.how is How.EXACT else done.change.how
    return replace(done, change=replace(done.change, how=how, notes=(word, *done.change.notes)))


def absent_file(work: Work, change: FileChange) -> Clash:
    """The clash of a change whose file is not there at all."""
    assert change.old_path is not None
    base = work.objects.find_blob(change.old_blob)
    mode = change.new_mode or FILE
    theirs = from_base(work.objects, base, change)
    if theirs is None and change.forward is not None and change.forward.kind == "literal":
        theirs = work.objects.write_blob(change.forward.data)
    moved = change.old_path != change.path and work.now(change.path) is not None
    hint = f"; {shown(change.path)} exists: if it is the same file, `backport skip` leaves the patch out"
    what = (
        f"makes {shown(change.path)} of it" if change.kind in ("rename", "copy") else "changes it"
    )
    return Clash(
        change.old_path,
        f"the patch {what}, but there is no such file here" + (hint if moved else ""),
        base=base,
        theirs=theirs,
        mode=mode,
        content=work.objects.blob(theirs) if theirs is not None and mode != SYMLINK else None,
        missing=expected(change),
    )
