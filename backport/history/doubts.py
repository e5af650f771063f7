# SPDX-License-Identifier: GPL-2.0-or-later
"""What makes a clean result doubtful: it goes on, and may be wrong for the branch all the same.

Each check compares three texts of a file: as the branch has it, as upstream has it behind the patch,
and the result.  What holds upstream and in the result is no doubt: only what is wrong *here* is.

A check that doubts what maintainers committed as often as what they did not is none: ``true`` in a file
that writes 1 (7 doubts on 1,401 clean results of Xen, none of them right) is not looked for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from backport.counted import counted
from backport.gateway.repository import Repo
from backport.gateway.trees import TreeView
from backport.history.missing_names import (
    Setting,
    Suspect,
    added_names,
    explain,
    find_lacking,
    lacking_members,
    near_names,
    uses,
)
from backport.history.odd_calls import odd_calls
from backport.history.siblings import Siblings
from series.model import FileChange, Oid, Patch, shown
from series.symbols.brought import made_names
from series.symbols.calls import arguments, called
from series.symbols.lexer import language
from series.symbols.words import holds

Holds = Callable[[Oid, frozenset[bytes]], frozenset[bytes]]
"""Those of the names that some file of the tree holds, or declares."""

_INCLUDE = re.compile(rb'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
_NUMBERED = re.compile(
    rb"^\s*#\s*define\s+([A-Za-z]\w{2,})\s+(0x[0-9a-fA-F]{1,16}|0[0-7]{0,20}|[1-9]\d{0,19})[uUlL]*\s*(?:/\*.*)?$"
)
_FAMILY = re.compile(rb"(?:[A-Z][A-Z0-9]*_)+")
_AT_MARGIN = re.compile(rb"^(?:(?:[A-Za-z_]|#\s*define\s).{6,}|\s+case \w+:.*|\s+\[\w+\]\s*=.*)$")
_MAKE_OBJECT = re.compile(rb"\b([A-Za-z0-9_./-]+)\.o\b")


def put_on(
    repo: Repo, siblings: Siblings, patch: Patch, branch: TreeView, result: TreeView
) -> Setting | None:
    """``patch``, put on ``branch``; None where nothing can be missing there, as it was made on that very
    tree, and where the repository does not know what it was made on."""
    made_on = repo.made_on(patch)
    if made_on is None or not repo.made_elsewhere(patch, branch):
        return None
    own = repo.known_commit(patch) if siblings.is_copy(patch) else None
    return Setting(branch, result, made_on, repo.tree(own) if own is not None else None)


def doubted(
    repo: Repo, branch: TreeView, suspects: Sequence[Suspect], run: Sequence[Patch], name: str
) -> dict[int, tuple[str, ...]]:
    """By place in the run: what a person should look at in each step's result.

    ``branch`` is where the run began, ``name`` what it is called; what another patch of the run brings
    counts as there.
    """
    names = find_lacking(repo, branch, suspects, run)
    reached = lacking_members(repo, branch, suspects, run)
    calls = odd_calls(repo, branch, suspects, run)
    found = {}
    for suspect in suspects:
        lacking = (*names.get(suspect.number, ()), *reached.get(suspect.number, ()))
        said = (explain(lacking, name),) if lacking else ()
        odd = calls.get(suspect.number, ())
        if all_of := (*said, *odd, *doubtful_files(suspect.where, suspect.patch)):
            found[suspect.number] = all_of
    return found


def doubts(where: Setting, patch: Patch, holds: Holds, declares: Holds) -> tuple[str, ...]:
    """What a person should look at in the result; empty where nothing is found."""
    return tuple(
        dict.fromkeys((*_names(where, patch, holds, declares), *doubtful_files(where, patch)))
    )


def doubtful_files(where: Setting, patch: Patch) -> tuple[str, ...]:
    """The same for its files alone; names that the tree has nowhere are left out."""
    found: list[str] = []
    if where.after is None:
        return ()
    for change in patch.changes:
        if change.kind == "delete" or change.binary:
            continue
        here = shown(change.path)
        found += (f"{here}: {what}" for what in _files(where.result, where.after, change))
        if where.result.entry(change.path) == where.after.entry(change.path):
            continue
        ours = where.branch.read(change.old_path or change.path) or b""
        made, theirs = where.result.read(change.path), where.after.read(change.path)
        if made is not None and theirs is not None:
            found += (f"{here}: {what}" for what in _in_file(change, ours, made, theirs))
            if language(change.path) == "c":
                found += (f"{here}: {what}" for what in _calls(change, ours, made, theirs))
    return tuple(dict.fromkeys(found))


def _names(where: Setting, patch: Patch, holds: Holds, declares: Holds) -> Iterator[str]:
    """Names that the added lines use, upstream declares, and the branch has nowhere."""
    unknown = added_names(patch)
    unknown -= near_names(where.branch, patch, unknown)
    if not unknown:
        return
    unknown -= made_names(patch)
    absent = unknown - holds(where.branch.id, unknown) if unknown else unknown
    foreign = declares(where.before.id, absent) if absent else absent
    # What the merge left out of the result is not used there.
    foreign = near_names(where.result, patch, foreign)
    if foreign:
        yield uses(sorted(foreign), "the branch")


def _in_file(change: FileChange, ours: bytes, made: bytes, theirs: bytes) -> Iterator[str]:
    added = [line.text.rstrip(b"\r\n") for h in change.hunks for line in h.lines if line.op == b"+"]
    mine, result, other = (Counter(text.split(b"\n")) for text in (ours, made, theirs))
    for line in dict.fromkeys(added):
        twice = result[line] > max(other[line], 1) and mine[line] and result[line] > mine[line]
        if twice and _AT_MARGIN.match(line):
            yield f"has {shown(line.strip())!r} twice now"
    numbered = [match for line in added if (match := _NUMBERED.match(line)) is not None]
    if not numbered or language(change.path) != "c":
        return
    slots, before, there = _slots(made), _slots(ours), _slots(theirs)
    for match in numbered:
        name, number = match[1], _number(match[2])
        family = _family(name)
        rivals = {
            other
            for other, value in slots.items()
            if value == number and other != name and _family(other) == family
        }
        taken = {r for r in rivals if before.get(r) == number and there.get(r) != number}
        if taken and family:
            yield f"{shown(name)} is {number}, as {shown(min(taken))} is"


def _calls(change: FileChange, ours: bytes, made: bytes, theirs: bytes) -> Iterator[str]:
    """Functions that the added lines call as upstream does, and the rest of the file otherwise."""
    added = b"".join(line.text for h in change.hunks for line in h.lines if line.op == b"+")
    names = {name for name in called(added) if holds(ours, name)}
    here, result, there = (arguments(text, names) for text in (ours, made, theirs))
    for name, numbers in sorted(there.items()):
        before = here.get(name, frozenset())
        if len(numbers) == len(before) == 1 and result.get(name) == numbers | before != numbers:
            yield (
                f"calls {shown(name)} with {counted(min(numbers), 'argument')}, and with"
                f" {min(before)} elsewhere"
            )


def _family(name: bytes) -> bytes:
    """``XEN_DOMCTL_`` of ``XEN_DOMCTL_getmemlist``: what the names of one numbering begin with."""
    match = _FAMILY.match(name)
    return match[0] if match else b""


def _number(text: bytes) -> int:
    """As C reads it: 0620 is octal."""
    if text[:2] == b"0x":
        return int(text, 16)
    return int(text, 8 if text[:1] == b"0" else 10)


def _slots(text: bytes) -> dict[bytes, int]:
    found = {}
    for line in text.split(b"\n"):
        if b"define" in line and (match := _NUMBERED.match(line)):
            found[match[1]] = _number(match[2])
    return found


def _files(result: TreeView, after: TreeView, change: FileChange) -> Iterator[str]:
    """Headers and objects that the added lines name, upstream has, and the branch does not."""
    kind = language(change.path)
    folder = change.path.rpartition(b"/")[0]
    for hunk in change.hunks:
        for line in hunk.lines:
            if line.op != b"+":
                continue
            if kind in ("c", "asm") and (match := _INCLUDE.match(line.text)):
                place = _header(after, folder, match[2])
                if place is not None and _header(result, folder, match[2]) is None:
                    yield f"includes {shown(match[2])}, which the branch does not have"
            elif kind == "make":
                for stem in _MAKE_OBJECT.findall(line.text):
                    base = b"/".join(filter(None, (folder, stem)))
                    if _source(after, base) and not _source(result, base):
                        yield f"builds {shown(stem)}.o, whose source the branch does not have"


_INCLUDE_FOLDERS = (
    b"",
    b"include",
    b"xen/include",
    b"xen/arch/x86/include",
    b"xen/include/public",
    b"src",
)


def _header(tree: TreeView, folder: bytes, name: bytes) -> bytes | None:
    """Where a header lies, looked for beside the file, above it, and where trees keep headers."""
    asm = [name.replace(b"asm/", b"asm-%s/" % arch, 1) for arch in (b"x86", b"arm")]
    names = [name, *asm] if name.startswith(b"asm/") else [name]
    folders = [folder, *_INCLUDE_FOLDERS]
    while folder:
        folder = folder.rpartition(b"/")[0]
        folders += [folder, b"/".join(filter(None, (folder, b"include")))]
    for one in dict.fromkeys(folders):
        for spelled in names:
            path = b"/".join(filter(None, (one, spelled)))
            if b".." not in path and tree.entry(path) is not None:
                return path
    return None


def _source(tree: TreeView, base: bytes) -> bool:
    return any(tree.entry(base + end) is not None for end in (b".c", b".S", b".s", b".cc"))
