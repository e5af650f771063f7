# SPDX-License-Identifier: GPL-2.0-or-later
"""A quilt series carried to a new upstream release, its files kept as far as they still fit.

A patch whose every hunk stands at its very lines keeps its bytes.  Of another one each file that still fits
keeps its part; the hunks of the rest are made anew, under the header that stood there.  What upstream has is
dropped and named.  The result is pushed by quilt before anything is written.
"""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from backport.config import Settings
from backport.errors import Conflict, UsageError
from backport.export.outgoing import beside, fill, place
from backport.export.round_trip import commits_between, pushed
from backport.gateway.commits import commit_patch
from backport.gateway.repository import Repo
from backport.gateway.text_diff import unified
from backport.gateway.trees import EXECUTABLE, FILE, TreeView
from backport.levels import Prerequisites, Record
from backport.pick.outcome import SKIPPABLE
from backport.planning.given import Source
from backport.planning.sources import find_source
from backport.run.behind import Behind
from backport.run.preview import Outlook, foresee
from backport.run.steps import StepState
from series.lines import split_lines
from series.model import FileChange, Oid, Patch, shown
from series.reading.line_ends import by_names
from series.reading.patch_files import PatchFile, Section, cut_patch_file
from series.reading.quilt import QuiltEntry, parse_series

_MOST_NAMES = 3
"""Files, or patches, that are named for one reason."""
_EXCHANGE = 2
"""renameat2(2): both names change places at once."""
_HERE = -100


class Fare(StrEnum):
    """What becomes of a patch file."""

    KEPT = "kept"
    """Byte for byte."""
    REFRESHED = "refreshed"
    DROPPED = "dropped"
    """The release has all of it."""


class Refreshed(Struct, frozen=True):
    """One patch file: what became of it, why, and what the release has of it already."""

    name: str
    fare: Fare
    why: str
    parts: tuple[str, ...] = ()
    data: bytes = b""


class _Turn(Struct, frozen=True):
    """A patch, and the trees before and after it; ``why`` where nothing of it is left."""

    patch: Patch
    before: Oid
    after: Oid
    why: str = ""
    parts: tuple[str, ...] = ()


def refresh(
    repo: Repo,
    settings: Settings,
    series: Path,
    onto: str,
    result: str | None,
    to: Path | None,
    *,
    in_place: bool,
    drop: Sequence[str] = (),
) -> tuple[Refreshed, ...]:
    """Carry ``series`` to ``onto``; write it as the folder ``to``, or in its own place.

    The patches that a pattern of ``drop`` names are left out.  ``result`` is a branch on which conflicts have
    been resolved.  Raises `Conflict` where a patch does not go on; nothing is written then.
    """
    source = find_source(repo, str(series))
    if source.kind != "quilt":
        raise UsageError(f"{series}: not a quilt series file", "name debian/patches/series")
    (name, listing), *_ = source.files
    entries = parse_series(listing, str(series))
    for entry in entries:
        if ".." in Path(entry.name).parts:
            raise UsageError(f"{series}:{entry.line}: {entry.name} leads out of its folder")
        if entry.guards or entry.reverse:
            word = entry.guards[0] if entry.guards else "-R"
            raise UsageError(f"{series}:{entry.line}: {word} of {entry.name} is not refreshed")
    left = _left_out(entries, drop, series)
    kept = _without(listing, {entry.line for entry in entries if entry.name in left})
    source = replace(
        source,
        files=((name, kept), *(file for file in source.files[1:] if file[0] not in left)),
    )
    commit = repo.commit(onto)
    settings = replace(
        settings, record=Record.NONE, prerequisites=Prerequisites.IGNORE, sibling=("none",)
    )
    turns = _turns(repo, settings, source, commit, onto, result)
    contents = dict(source.files[1:])
    done = tuple(
        Refreshed(entry.name, Fare.DROPPED, "--drop names it")
        if entry.name in left
        else _refreshed(repo, settings, entry, contents[entry.name], turns)
        for entry in entries
    )
    if to is not None or in_place:
        folder = series if series.is_dir() else series.parent
        _write(repo, commit, folder, name, listing, entries, done, turns, to)
    return done


def _left_out(entries: Sequence[QuiltEntry], drop: Sequence[str], series: Path) -> frozenset[str]:
    """The names that the patterns name.  Raises `UsageError` for a pattern that names none."""
    found: set[str] = set()
    for pattern in drop:
        names = {entry.name for entry in entries if fnmatchcase(entry.name, pattern)}
        if not names:
            raise UsageError(f"--drop {pattern}: {series} has no such patch")
        found |= names
    return frozenset(found)


def _without(listing: bytes, gone: Collection[int]) -> bytes:
    """A series file without some of its lines, counted as `parse_series` does."""
    return b"".join(line for n, line in enumerate(split_lines(listing), 1) if n not in gone)


def _turns(
    repo: Repo,
    settings: Settings,
    source: Source,
    onto: Oid,
    named: str,
    result: str | None,
) -> tuple[_Turn, ...]:
    outlook = foresee(repo, onto, (source,), settings, whole=result is None)
    if result is not None:
        return tuple(_resolved(repo, onto, outlook.plan.series.patches, result))
    if outlook.stopped is not None:
        raise _conflict(outlook, source.given, named)
    found, tree = [], repo.tree(onto).id
    for step, patch in zip(outlook.state.steps, outlook.patches, strict=True):
        after = repo.tree(step.commit).id if step.commit else tree
        why = str(step.how) if step.state is StepState.ALREADY else ""
        found.append(_Turn(patch, tree, after, why, tuple(map(str, step.parts))))
        tree = after
    return tuple(found)


def _conflict(outlook: Outlook, given: str, onto: str) -> Conflict:
    """Every patch that does not go on, as things are, and what becomes of the others."""
    steps = [*outlook.state.steps, *(behind.step for behind in outlook.behind if behind.step)]
    there = sum(step.state is StepState.ALREADY for step in steps)
    lines = [
        line
        for behind in outlook.behind
        if behind.step is None and behind.picked is not None
        for line in _clashes(behind, outlook.patches)
    ]
    count = len(outlook.patches) - len(steps)
    return Conflict(
        f"of {len(outlook.patches)} patches {count} do not go on {onto}; of the others {there} are there"
        f" already, and {len(steps) - there} go on:\n" + "\n".join(lines),
        "nothing was written. `--drop NAME` (repeated, or with *) leaves out what is no longer wanted."
        f" For the rest: `backport apply -b {onto} --series {given} --to NAME` lets you resolve them; then"
        " the same refresh with --result NAME",
    )


def _clashes(behind: Behind, patches: Sequence[Patch]) -> Iterator[str]:
    """A patch, and below it a line for each reason with its files."""
    assert behind.picked is not None
    follows = [patches[at - 1].name for at in behind.follows]
    others = f" and {len(follows) - _MOST_NAMES} more" if len(follows) > _MOST_NAMES else ""
    after = f" (may follow from {', '.join(follows[:_MOST_NAMES])}{others})" if follows else ""
    yield f"  {behind.patch.name}{after}"
    files: dict[str, list[str]] = {}
    for clash in behind.picked.clashes:
        reason = clash.reason.removesuffix(SKIPPABLE)
        files.setdefault(reason, []).append(shown(clash.path))
    for reason, paths in files.items():
        more = f" and {len(paths) - _MOST_NAMES} more" if len(paths) > _MOST_NAMES else ""
        yield f"    {', '.join(paths[:_MOST_NAMES])}{more}: {reason}"
    if behind.picked.clashes[0].reason.endswith(SKIPPABLE):
        yield "    the release looks as if it has all of it"


def _resolved(repo: Repo, onto: Oid, patches: Sequence[Patch], result: str) -> Iterator[_Turn]:
    """Each patch with the commit of ``result`` that has its subject, in order."""
    commits = list(commits_between(repo, onto, repo.commit(result)))
    tree = repo.tree(onto).id
    for patch in patches:
        if commits and commits[0].subject == patch.subject:
            commit = commits.pop(0).commit
            assert commit is not None
            after = repo.tree(commit).id
            yield _Turn(patch, tree, after)
            tree = after
        else:
            yield _Turn(patch, tree, tree, f"{result} has no commit of it")
    if commits:
        raise UsageError(
            f"{result}: {commits[0].name} {shown(commits[0].subject)!r} is no patch of the series",
            "the branch has to be what `backport apply --to` made of this series",
        )


def _refreshed(
    repo: Repo, settings: Settings, entry: QuiltEntry, data: bytes, turns: Sequence[_Turn]
) -> Refreshed:
    mine = [
        t for t in turns if t.patch.name == entry.name or t.patch.name.startswith(f"{entry.name}:")
    ]
    if not mine and data.strip():
        return Refreshed(entry.name, Fare.DROPPED, "no diff that can be read is in it")
    if not mine:
        return Refreshed(entry.name, Fare.KEPT, "changes nothing", data=data)
    # A file of which something is lost never stays: quilt would stop at it, or lose that in silence.
    lost = "; ".join(one for turn in mine for one in turn.patch.lost)
    left_out = f"left out what cannot be read: {lost}" if lost else ""
    before, after = mine[0].before, mine[-1].after
    parts = tuple(part for turn in mine for part in turn.parts)
    if before == after:
        why = mine[0].why or "changes nothing"
        return Refreshed(entry.name, Fare.DROPPED, f"{why}; {left_out}" if lost else why)
    tree, new = (TreeView(repo.objects, one) for one in (before, after))
    changes = [change for turn in mine for change in turn.patch.changes]
    if not parts and not lost and _stands(tree, new, changes):
        return Refreshed(entry.name, Fare.KEPT, "every hunk is at its lines", data=data)
    # What is made anew has the file's own ends of lines, and so have the names beside it.
    cut = cut_patch_file(by_names(data))
    touched = [p for change in changes for p in {change.old_path or change.path, change.path}]
    once = len(set(touched)) == len(touched)
    strip = next((n for n in (entry.strip, settings.strip) if n is not None), 1)
    if once and not lost and len(cut.sections) == len(changes):
        sections = tuple(_sections(repo, tree, new, cut.sections, changes, strip))
    else:
        sections = tuple(_anew(repo, tree, new, changes, strip))
    made = PatchFile(cut.head, sections).joined()
    return Refreshed(entry.name, Fare.REFRESHED, left_out, parts, made)


def _stands(old: TreeView, new: TreeView, changes: Sequence[FileChange]) -> bool:
    """Whether changes, at the very lines that they name, make of ``old`` what ``new`` has there."""
    texts: dict[bytes, bytes | None] = {}

    def text(path: bytes) -> bytes | None:
        return texts[path] if path in texts else old.read(path)

    for change in changes:
        source = change.old_path or change.path
        is_new = change.kind in ("create", "rename", "copy")
        before = b"" if change.kind == "create" else text(source)
        if change.binary or before is None or (is_new and text(change.path) is not None):
            return False
        made = _at_its_lines(before, change)
        if made is None or (change.kind == "delete" and made):
            return False
        if change.kind in ("rename", "delete"):
            texts[source] = None
        if change.kind != "delete":
            texts[change.path] = made
    return all(new.read(path) == made for path, made in texts.items())


def _at_its_lines(text: bytes, change: FileChange) -> bytes | None:
    """What hunks make of a text at the lines that they name; None where one does not fit there."""
    lines, made, at = split_lines(text), list[bytes](), 0
    for hunk in change.hunks:
        first = hunk.old_start - 1 if hunk.old_count else hunk.old_start
        end = first + hunk.old_count
        if first < at or tuple(lines[first:end]) != hunk.before:
            return None
        made += [*lines[at:first], *hunk.after]
        at = end
    return b"".join((*made, *lines[at:]))


def _sections(
    repo: Repo,
    old: TreeView,
    new: TreeView,
    sections: Sequence[Section],
    changes: Sequence[FileChange],
    strip: int,
) -> Iterator[Section]:
    for section, change in zip(sections, changes, strict=True):
        path = change.path
        paths = [p for p in (change.old_path, change.new_path) if p is not None]
        if all(old.entry(p) == new.entry(p) for p in paths):
            continue  # the release has this part
        one, other = old.entry(change.old_path or path), new.entry(path)
        if _stands(old, new, [change]):
            yield section
        elif one is None or other is None or change.kind != "modify":
            yield from _anew(repo, old, new, [change], strip)
        else:
            hunks = unified(repo.objects.blob(one.oid), repo.objects.blob(other.oid))
            yield section.with_hunks(hunks, one.oid, other.oid)


def _anew(
    repo: Repo, old: TreeView, new: TreeView, changes: Sequence[FileChange], strip: int
) -> Iterator[Section]:
    """In git's form, for each path that differs, with as many folders before it as are stripped."""
    a, b = b"a/" * strip, b"b/" * strip
    paths = {p for change in changes for p in (change.old_path, change.new_path) if p is not None}
    for path in sorted(paths):
        one, other = old.entry(path), new.entry(path)
        if one == other:
            continue
        for entry in (one, other):
            if entry is not None and entry.mode not in (FILE, EXECUTABLE):
                raise UsageError(f"{shown(path)} is no file: quilt cannot carry it")
        head = b"diff --git %s%s %s%s\n" % (a, path, b, path)
        zero = "0" * 40
        ids = (one.oid if one else zero)[:12], (other.oid if other else zero)[:12]
        if one is None and other is not None:
            head += b"new file mode %o\n" % other.mode
        elif one is not None and other is None:
            head += b"deleted file mode %o\n" % one.mode
        elif one is not None and other is not None and one.mode != other.mode:
            head += b"old mode %o\nnew mode %o\n" % (one.mode, other.mode)
        if one is not None and other is not None and one.oid == other.oid:
            yield Section(head, b"")  # its mode alone
            continue
        head += f"index {ids[0]}..{ids[1]}\n".encode()
        # A name with a blank ends with a tab, as git writes it: patch(1) takes the rest for a date.
        end = b"\t\n" if b" " in path else b"\n"
        head += b"--- %s%s%s" % (a, path, end) if one else b"--- /dev/null\n"
        head += b"+++ %s%s%s" % (b, path, end) if other else b"+++ /dev/null\n"
        texts = [repo.objects.blob(entry.oid) if entry else b"" for entry in (one, other)]
        yield Section(head, unified(*texts))


def _write(
    repo: Repo,
    onto: Oid,
    folder: Path,
    name: str,
    listing: bytes,
    entries: Sequence[QuiltEntry],
    done: Sequence[Refreshed],
    turns: Sequence[_Turn],
    to: Path | None,
) -> None:
    gone = {e.line for e, one in zip(entries, done, strict=True) if one.fare is Fare.DROPPED}
    kept = _without(listing, gone)
    files = [(one.name, one.data) for one in done if one.fare is not Fare.DROPPED]
    where = to or folder
    with beside(where) as made:
        if to is None:
            shutil.copytree(folder, made, symlinks=True, dirs_exist_ok=True)
            for one in done:
                if one.fare is Fare.DROPPED:
                    (made / one.name).unlink()
            files = [(one.name, one.data) for one in done if one.fare is Fare.REFRESHED]
        fill(made, ((name, kept), *files))
        if files or to is None:
            pushed(repo, onto, _chain(repo, onto, done, turns), made)
        if to is not None:
            place("--to", made, to)
        else:
            _exchange(made, folder)


def _chain(
    repo: Repo, onto: Oid, done: Sequence[Refreshed], turns: Sequence[_Turn]
) -> tuple[Patch, ...]:
    """A commit for each file that is left, to compare with what quilt makes of it."""
    found, parent = [], onto
    nobody = repo.committer()
    for one in done:
        mine = [
            t for t in turns if t.patch.name == one.name or t.patch.name.startswith(f"{one.name}:")
        ]
        if one.fare is Fare.DROPPED:
            continue
        tree = mine[-1].after if mine else repo.tree(parent).id
        commit = repo.write_commit(tree, parent, nobody, nobody, one.name.encode())
        found.append(commit_patch(repo, commit))
        parent = commit
    return tuple(found)


def _exchange(made: Path, folder: Path) -> None:
    """Both change places at once: a kill leaves the old series or the new one."""
    shutil.copymode(folder, made)
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.renameat2(_HERE, os.fsencode(made), _HERE, os.fsencode(folder), _EXCHANGE)
    if done:
        why = os.strerror(ctypes.get_errno())
        raise UsageError(
            f"{folder}: {why}: it cannot be replaced at once", "--to DIR writes a new one"
        )
