# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a series comes from: a mailbox, a folder, a quilt series file, a git range.

Every reader also hands back the bytes it read, so that a run which was interrupted goes on from
what it began with, whatever has become of the mailbox meanwhile.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal, cast

import pygit2

from backport.errors import UnknownRevision, UsageError
from backport.gateway.repository import Repo
from series.model import FileChange, Identity, Oid, Patch, Series, When
from series.reading.diff import parse_diff
from series.reading.mail import read_mbox, read_patch_files
from series.reading.quilt import parse_series, read_quilt
from series.reading.trailers import parse_trailers

Kind = Literal["mbox", "folder", "quilt", "range"]
_MOST_BYTES = 256 << 20
"""No posted series comes near; a file larger than this is the wrong file."""
_PATCH_NAMES = (".patch", ".diff", ".eml", ".mbox", ".txt")


@dataclass(frozen=True, slots=True)
class Source:
    """One ``--series`` as it was found: ``files`` by name, or for a range its two commits."""

    kind: Kind
    given: str
    files: tuple[tuple[str, bytes], ...] = ()
    range: tuple[Oid, Oid] | None = None


def find_source(repo: Repo, given: str, cwd: Path | None = None) -> Source:
    """Read what ``given`` names into memory.  Raises `UsageError` when it names nothing."""
    if given == "-":
        return Source("mbox", given, (("stdin", _bounded(sys.stdin.buffer, "stdin")),))
    path = (cwd or Path()) / given
    if path.is_dir():
        listing = path / "series"
        if listing.is_file():
            return _quilt(listing, given)
        names = sorted(x for x in path.iterdir() if x.is_file() and x.suffix in _PATCH_NAMES)
        if not names:
            raise UsageError(
                f"{given}: no patches in that folder", f"looked for *{', *'.join(_PATCH_NAMES)}"
            )
        return Source("folder", given, tuple((x.name, _read(x)) for x in names))
    if path.exists():
        if path.name == "series" or path.suffix == ".series":
            return _quilt(path, given)
        return Source("mbox", given, ((path.name, _read(path)),))
    if ".." in given and not given.startswith((".", "/", "~")):
        first, _, last = given.partition("...") if "..." in given else given.partition("..")
        if "..." in given:
            raise UsageError(f"{given}: a symmetric difference is not a series", "use A..B")
        return Source(
            "range", given, range=(repo.commit(first or "HEAD"), repo.commit(last or "HEAD"))
        )
    try:
        commit = repo.commit(given)
    except UnknownRevision as error:
        raise UsageError(
            f"{given}: no such mailbox, folder, quilt series, range or commit",
            "--series takes an mbox, a folder of patches, a quilt series file, A..B or a commit",
        ) from error
    parents = repo.parents(commit)
    if len(parents) != 1:
        raise UsageError(
            f"{given} is {'a merge' if parents else 'a root commit'}: what to take of it is open",
            "--series A..B takes the commits that B has and A has not",
        )
    return Source("range", given, range=(parents[0], commit))


def read_source(repo: Repo, source: Source) -> Series:
    """Parse a source.  Raises `series.errors.SeriesError` naming the patch and the line."""
    match source.kind:
        case "mbox":
            name, data = source.files[0]
            return read_mbox(data, name)
        case "folder":
            return read_patch_files(source.files, source.given)
        case "quilt":
            (_, listing), *patches = source.files
            return read_quilt(parse_series(listing, source.given), dict(patches), source.given)
        case "range":
            assert source.range is not None
            return _range(repo, source.given, *source.range)


def commit_patch(repo: Repo, commit: Oid, position: int = 0) -> Patch:
    """A commit of the repository as a patch against its first parent."""
    native = repo.native[commit]
    parents = repo.parents(commit)
    head, _, message = native.read_raw().partition(b"\n\n")
    author = next(line for line in head.split(b"\n") if line.startswith(b"author "))
    name, _, rest = author[len(b"author ") :].rpartition(b" <")
    email, _, stamp = rest.rpartition(b"> ")
    seconds, _, zone = stamp.partition(b" ")
    sign = -1 if zone.startswith(b"-") else 1
    digits = zone.lstrip(b"+-") or b"0000"
    offset = sign * (60 * int(digits[:-2] or b"0") + int(digits[-2:]))
    return Patch(
        name=commit[:12],
        author=Identity(name, email),
        date=When(int(seconds), offset),
        message=message,
        changes=_changes(repo, commit),
        encoding=next(
            (x[len(b"encoding ") :] for x in head.split(b"\n") if x.startswith(b"encoding ")), None
        ),
        commit=commit,
        parent=parents[0] if parents else None,
        trailers=parse_trailers(message),
        position=position,
    )


def commit_changes(repo: Repo, old: Oid | None, new: Oid) -> tuple[FileChange, ...]:
    """What lies between two trees, as changes with full blob ids and renames found."""
    tree = cast(pygit2.Tree, repo.native[new])
    binary = pygit2.enums.DiffOption.SHOW_BINARY
    if old is not None:
        diff = cast(pygit2.Tree, repo.native[old]).diff_to_tree(tree, flags=binary)
    else:
        diff = tree.diff_to_tree(swap=True, flags=binary)
    diff.find_similar(flags=pygit2.enums.DiffFind.FIND_RENAMES)
    text: list[bytes] = []
    ids: list[tuple[Oid, Oid]] = []
    for patch in diff:
        assert patch is not None
        text.append(patch.data)
        ids.append((Oid(str(patch.delta.old_file.id)), Oid(str(patch.delta.new_file.id))))
    changes = parse_diff(b"".join(text), new[:12])
    if len(changes) != len(ids):
        return changes
    return tuple(
        replace(change, old_blob=_real(a, change.old_blob), new_blob=_real(b, change.new_blob))
        for change, (a, b) in zip(changes, ids, strict=True)
    )


def _real(full: Oid, named: Oid | None) -> Oid | None:
    return full if named is None or full.startswith(named) else named


def _changes(repo: Repo, commit: Oid) -> tuple[FileChange, ...]:
    parents = repo.parents(commit)
    return commit_changes(repo, repo.tree(parents[0]).id if parents else None, repo.tree(commit).id)


def _range(repo: Repo, given: str, first: Oid, last: Oid) -> Series:
    commits = list(_between(repo, first, last))
    merges = [c for c in commits if len(repo.parents(c)) > 1]
    picked = [c for c in commits if len(repo.parents(c)) <= 1]
    if not picked:
        raise UsageError(f"{given}: no commits there to take", "A..B is what B has and A has not")
    notes = (f"{len(merges)} merge commits left out, as git format-patch does",) if merges else ()
    patches = tuple(commit_patch(repo, c, n) for n, c in enumerate(picked))
    return Series(patches, given, base_commit=first, ordered=True, notes=notes)


def _between(repo: Repo, first: Oid, last: Oid) -> Iterator[Oid]:
    yield from reversed(list(repo.log(last, hide=(first,))))


def _quilt(listing: Path, given: str) -> Source:
    data = _read(listing)
    files = [(listing.name, data)]
    for entry in parse_series(data, given):
        path = listing.parent / entry.name
        if not path.resolve().is_relative_to(listing.parent.resolve()):
            raise UsageError(f"{given}: {entry.name} leads out of the patch folder")
        if not path.is_file():
            raise UsageError(f"{given}: {entry.name} is listed and not there")
        files.append((entry.name, _read(path)))
    return Source("quilt", given, tuple(files))


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return _bounded(file, str(path))


def _bounded(file: BinaryIO, name: str) -> bytes:
    data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise UsageError(f"{name}: over {_MOST_BYTES >> 20} MiB, not a patch series")
    return data
