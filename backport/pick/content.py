# SPDX-License-Identifier: GPL-2.0-or-later
"""What a change makes of one file's content.

With the blob that the patch was made from at hand, only the 3-way result counts; without it, only
hunks whose full context is found.  A patch whose lines seem to be there already is still a clash
unless they stand where the patch would put them and nowhere else (`series.placement.hunks.standing`): to drop
a patch for a twin of its block would lose a fix without a word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from backport.counted import counted
from backport.gateway.objects import Objects
from backport.gateway.trees import SYMLINK, Entry
from backport.pick.allowance import STRICT, Allowance
from backport.pick.in_part import LooksApplied, applied_at, looks_applied, merged_notes
from backport.pick.learnt_names import learnt_names
from backport.pick.merge import merge_file
from backport.pick.outcome import Clash, How
from series.lines import split_lines
from series.model import FileChange, Oid
from series.placement.fuzz import Fuzzy, place_with_fuzz
from series.placement.hunks import (
    Placed,
    PlaceError,
    apply_binary,
    apply_change,
    find,
    is_applied,
    quoted,
    reach_of,
    standing,
    stands_at_home,
)
from series.placement.stated import stated_line
from series.reverse import reverse_hunk
from series.symbols.words import exchanged, holds

BINARY_HINT = (
    "; `git checkout --ours` or `--theirs` on it in the worktree takes one side, `git add` marks it"
)

_BESIDE = "a conflict for git: the branch has changed lines beside the patch's"
_MOST_NAMES = 3
"""Shown of those that the branch calls otherwise."""
NO_DATA = (
    "the patch says that this binary file differs, and not how (git diff --binary would);"
    " --allow binary-stub leaves it as it is"
)


class Made(Struct, frozen=True):
    """A content, how it came about, and what is worth the user's eye."""

    blob: Oid
    how: How
    notes: tuple[str, ...] = ()
    had: str = ""
    """Which hunks the file has already, in words."""


def made_anew(change: FileChange) -> bytes:
    """The content of a file that the patch creates; raises `PlaceError`."""
    return apply_binary(b"", change) if change.binary else apply_change(b"", change).text


def new_content(
    objects: Objects, there: Entry, change: FileChange, allowance: Allowance = STRICT
) -> Made | Clash:
    """What ``change`` makes of the file ``there``."""
    if change.binary and change.forward is None:
        return _stub(there, change, allowance)
    if not change.hunks and not change.binary:
        return Made(there.oid, How.EXACT)
    at_hand = names(there.oid, change.old_blob)
    base = there.oid if at_hand else objects.find_blob(change.old_blob)
    theirs = from_base(objects, base, change)
    if base is None or theirs is None:
        if is_result(objects, there, change):
            return Made(there.oid, How.ALREADY)
        made = _by_context(objects, there, change, allowance)
        if names(there.oid, change.new_blob) and isinstance(made, Made):
            word = "its index line says that it is there already, its hunks say otherwise"
            return replace(made, notes=(word, *made.notes))
        return made
    notes = post_image_notes(theirs, change)
    if base == there.oid:
        return Made(theirs, How.EXACT, notes)
    merge = merge_file(objects, base, there.oid, theirs, whole=_whole(there, change))
    if merge.blob == there.oid:
        return Made(there.oid, How.ALREADY, notes)
    if merge.blob is not None:
        had = _had(objects, base, there, theirs, merge.blob, change)
        return Made(merge.blob, How.MERGED, (*had, *notes), ", ".join(had))
    if merge.marked is not None:
        named = _with_branch_names(objects, base, there, theirs)
        if named is not None:
            return named
        if (
            blob := _in_place(objects, merge.marked, (base, there.oid, theirs))
        ) is not None and blob != there.oid:
            had = _had(objects, base, there, theirs, blob, change)
            return Made(blob, How.IN_PLACE, (_BESIDE, *had, *notes), ", ".join(had))
    applied: LooksApplied | None = None
    if there.mode == SYMLINK:
        reason = "is a symbolic link, and both sides changed it" + BINARY_HINT
    elif merge.marked is None:
        reason = "is binary, and both sides changed it" + BINARY_HINT
    else:
        applied = looks_applied(objects.blob(there.oid), change)
        reason = _reason("both sides changed the same lines", applied)
    return Clash(
        change.path,
        reason,
        base=base,
        ours=there.oid,
        theirs=theirs,
        mode=there.mode,
        content=objects.blob(merge.marked) if merge.marked else None,
        missing=() if merge.marked is None else absent(objects.blob(there.oid), change),
        looks_applied=applied is not None and applied.wholly,
    )


def _reason(why: str, applied: LooksApplied | None) -> str:
    return f"{why}; {applied.words}" if applied is not None else why


def _had(
    objects: Objects, base: Oid, there: Entry, theirs: Oid, merged: Oid, change: FileChange
) -> tuple[str, ...]:
    """Which hunks the file had already, in words."""
    if not change.hunks:
        return ()
    old, ours, new, made = map(objects.blob, (base, there.oid, theirs, merged))
    return merged_notes(old, ours, new, made, change.hunks)


def _in_place(objects: Objects, marked: Oid, sides: Iterable[Oid]) -> Oid | None:
    """What a conflict comes to where the branch's lines are still those lines."""
    from backport.pick.region_merge import Finer, resolve

    found = resolve(objects.blob(marked), map(objects.blob, sides), words=False)
    return objects.write_blob(found[0]) if found and found[1] is Finer.IN_PLACE else None


def _with_branch_names(objects: Objects, base: Oid, there: Entry, theirs: Oid) -> Made | None:
    """The merge once base and patch have the branch's names, where the file tells them."""
    old, new = objects.blob(base), objects.blob(theirs)
    names = learnt_names(old, objects.blob(there.oid), new)
    if not names:
        return None
    sides = (objects.write_blob(exchanged(text, names)) for text in (old, new))
    first, second = sides
    merge = merge_file(objects, first, there.oid, second)
    if merge.blob is None or merge.blob == there.oid:
        return None
    used = [one for one in names if holds(new, one)]
    told = ", ".join(f"{names[one].decode()} for {one.decode()}" for one in used[:_MOST_NAMES])
    more = ", ..." if len(used) > _MOST_NAMES else ""
    return Made(merge.blob, How.RENAMED, (f"with the branch's names: {told}{more}",))


def from_base(objects: Objects, base: Oid | None, change: FileChange) -> Oid | None:
    """What the patch made of ``base``; None when that is not the blob its hunks are for."""
    if base is None:
        return None
    try:
        if change.binary:
            return objects.write_blob(apply_binary(objects.blob(base), change), base)
        placed = apply_change(objects.blob(base), change)
    except PlaceError:
        return None
    return objects.write_blob(placed.text, base, placed.edits) if placed.exact else None


def is_result(objects: Objects, there: Entry, change: FileChange) -> bool:
    """Whether ``there`` is the result that the patch names, and its hunks stand in it where they say.

    The id alone proves nothing: who edits a patch by hand seldom mends its ``index`` line.  What the
    hunks make stands at their lines, or taking them back gives the blob that the patch was made from.
    """
    if not names(there.oid, change.new_blob):
        return False
    text = objects.blob(there.oid)
    if change.binary:
        return is_applied(text, change)
    back = replace(change, kind="modify", hunks=tuple(map(reverse_hunk, change.hunks)))
    try:
        return apply_change(text, back).exact
    except PlaceError:
        return False


def _whole(there: Entry, change: FileChange) -> bool:
    return change.binary or there.mode == SYMLINK


def _stub(there: Entry, change: FileChange, allowance: Allowance) -> Made | Clash:
    """``Binary files differ``: the patch does not say what the file is to become."""
    if names(there.oid, change.new_blob):
        return Made(there.oid, How.ALREADY)
    if allowance.binary_stub:
        return Made(
            there.oid,
            How.ALREADY,
            ("left unchanged: the patch has no data for this binary file",),
        )
    return Clash(change.path, NO_DATA, ours=there.oid, mode=there.mode)


def _by_context(
    objects: Objects, there: Entry, change: FileChange, allowance: Allowance
) -> Made | Clash:
    text = objects.blob(there.oid)
    if change.binary:
        return _binary(objects, there, text, change)
    try:
        placed = apply_change(text, change)
    except PlaceError as error:
        stands = standing(text, change)
        if stands is not None and stands.sure:
            return Made(there.oid, How.ALREADY)
        if stands is None and (fuzzy := place_with_fuzz(text, change)) is not None:
            if fuzzy.fuzz <= allowance.fuzz:
                return Made(objects.write_blob(fuzzy.text, there.oid), How.FUZZ, _fuzz_notes(fuzzy))
            return _no_fit(there, text, change, f"{error.reason}; {_only_context(fuzzy)}")
        applied = applied_at(stands.line) if stands is not None else looks_applied(text, change)
        return _no_fit(there, text, change, error.reason, applied)
    for hunk, place in zip(change.hunks, placed.hunks, strict=True):
        # It went to a twin of the block that has it.
        if place.offset and stands_at_home(split_lines(text), hunk):
            where = f"hunk {place.number} fits at line {place.line} only"
            return _no_fit(there, text, change, where, applied_at(hunk.new_start))
    return Made(
        objects.write_blob(placed.text, there.oid, placed.edits), How.OFFSET, _place_notes(placed)
    )


def _only_context(fuzzy: Fuzzy) -> str:
    count = len(fuzzy.differences)
    if fuzzy.bare and not count:
        places = ", ".join(map(str, fuzzy.bare))
        return (
            f"a hunk without context fits in one other place, at line {places}:"
            f" --fuzz {fuzzy.fuzz} takes it"
        )
    if not count:
        return (
            "a missing line of context, as at the end of a file, is all that differs:"
            f" --fuzz {fuzzy.fuzz} takes it"
        )
    lines = "one line of context is" if count == 1 else f"{count} lines of context are"
    return f"{lines} all that differs: --fuzz {fuzzy.fuzz} takes it"


def _fuzz_notes(fuzzy: Fuzzy) -> tuple[str, ...]:
    return tuple(
        f"fuzz {fuzzy.fuzz}: line {one.line} is {quoted(one.found)}, the patch has {quoted(one.expected)}"
        for one in fuzzy.differences
    ) or (
        *(f"fuzz {fuzzy.fuzz}: a hunk without context, at line {line}" for line in fuzzy.bare),
        *(
            []
            if fuzzy.bare
            else [f"fuzz {fuzzy.fuzz}: the hunk's context ends where the file does not"]
        ),
    )


def _no_fit(
    there: Entry,
    text: bytes,
    change: FileChange,
    reason: str,
    applied: LooksApplied | None = None,
) -> Clash:
    return Clash(
        change.path,
        _reason(reason, applied),
        ours=there.oid,
        mode=there.mode,
        content=marked(text, change) if there.mode != SYMLINK else None,
        missing=absent(text, change),
        looks_applied=applied is not None and applied.wholly,
    )


def _binary(objects: Objects, there: Entry, text: bytes, change: FileChange) -> Made | Clash:
    """Without the base only the patch's own reverse half tells which content it is for."""
    try:
        theirs = apply_binary(text, change)
    except PlaceError as error:
        return Clash(change.path, error.reason, ours=there.oid, mode=there.mode)
    if change.reverse is not None:
        back = replace(change, forward=change.reverse, reverse=None)
        try:
            if apply_binary(theirs, back) == text:
                return Made(objects.write_blob(theirs), How.OFFSET)
        except PlaceError:
            pass
    if theirs == text:
        return Made(there.oid, How.ALREADY)
    whole = change.forward is not None and change.forward.kind == "literal"
    return Clash(
        change.path,
        "is binary and differs from what the patch was made from" + BINARY_HINT,
        ours=there.oid,
        theirs=objects.write_blob(theirs) if whole else None,
        mode=there.mode,
    )


def _place_notes(placed: Placed) -> tuple[str, ...]:
    notes = [
        f"hunk {hunk.number}: {counted(abs(hunk.offset), 'line')} {'later' if hunk.offset > 0 else 'earlier'}"
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


def post_image_notes(made: Oid, change: FileChange) -> tuple[str, ...]:
    """A word where the result is not the blob that the patch's ``index`` line names."""
    if change.new_blob and set(change.new_blob) != {"0"} and not names(made, change.new_blob):
        return (f"the result is {made[:12]}, the patch's index line says {change.new_blob}",)
    return ()


def names(oid: Oid, named: Oid | None) -> bool:
    """Whether the id in a patch, perhaps abbreviated, is that of ``oid``."""
    return bool(named) and set(named or "") != {"0"} and oid.startswith(named or "-")


def expected(change: FileChange) -> tuple[bytes, ...]:
    """The lines that the patch expects to find."""
    return tuple(line for hunk in change.hunks for line in hunk.before)


def absent(text: bytes, change: FileChange) -> tuple[bytes, ...]:
    """The pre-image lines that the file does not hold anywhere; blank and bracket lines say nothing."""
    have = {line.rstrip(b"\r") for line in text.split(b"\n")}
    lines = (line.rstrip(b"\r\n") for line in expected(change))
    return tuple(dict.fromkeys(x for x in lines if x not in have and len(x.strip()) > 2))


def descends(text: bytes, base: bytes) -> bool:
    """Whether ``text`` may be ``base`` under another name: half of it, git's measure for a rename."""
    one, other = Counter(split_lines(text)), Counter(split_lines(base))
    return 2 * (one & other).total() >= max(one.total(), other.total())


def marked(text: bytes, change: FileChange) -> bytes:
    """The file with each hunk applied that fits, and diff3 markers where one does not."""
    lines = split_lines(text)
    end = b"\r\n" if text.split(b"\n", 1)[0].endswith(b"\r") else b"\n"
    reach = reach_of(len(change.hunks))
    for hunk in change.hunks:
        before, after = list(hunk.before), hunk.after
        at = find(lines, hunk, before, stated_line(hunk), reach=reach)
        if at is not None:
            lines[at : at + len(before)] = after
            continue
        at = min(max(hunk.new_start - 1, 0), len(lines))
        ours = lines[at : at + len(before)]
        if at:
            lines[at - 1] = _ended(lines[at - 1 : at])[0]
        block = [b"<<<<<<< file" + end, *_ended(ours)]
        block += [b"||||||| file" + end, *_ended(before)]
        block += [b"=======" + end, *_ended(after), b">>>>>>> file" + end]
        lines[at : at + len(before)] = block
    return b"".join(lines)


def _ended(lines: Sequence[bytes]) -> list[bytes]:
    return [line if line.endswith(b"\n") else line + b"\n" for line in lines]
