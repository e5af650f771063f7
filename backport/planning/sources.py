# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a series comes from: a mailbox, a folder, a Maildir, a quilt series file, a git range.

Every reader also hands back the bytes it read, so that a run which was interrupted goes on from
what it began with, whatever has become of the mailbox meanwhile.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from backport.counted import counted
from backport.errors import UnknownRevision, UsageError
from backport.gateway.commits import fit_commit
from backport.gateway.repository import Repo
from backport.planning.given import Source
from series.model import Account, Fate, Identity, Oid, Series, escaped
from series.reading.mail import read_mbox, read_patch_files
from series.reading.quilt import maintainer, parse_series, read_quilt
from series.reading.rules import DEFAULT, Rules

_MOST_BYTES = 256 << 20
"""No posted series comes near; a file larger than this is the wrong file."""
_LISTINGS = ("series", "series.conf")
_COPY = re.compile(r".*(?:~|\.orig|\.rej|\.bak|\.sw[a-z]|\.tmp)|#.*#|\..*")
"""Names of what editors and patch(1) leave behind."""
_CONTROL = "../control"
"""The name under which a quilt source carries debian/control; no series can list it twice."""


def find_source(repo: Repo, given: str, cwd: Path | None = None) -> Source:
    """Read what ``given`` names into memory.  Raises `UsageError` when it names nothing."""
    if given == "-":
        return Source("mbox", given, (("stdin", _bounded(sys.stdin.buffer, "stdin")),))
    path = (cwd or Path()) / given
    if path.is_dir():
        for listing in (path / name for name in _LISTINGS):
            if listing.is_file():
                return _quilt(listing, given)
        if (path / "00list").is_file():
            raise UsageError(
                f"{given}: a folder of dpatch, whose 00list is not read",
                "name the order in a file called series beside it, one patch on a line",
            )
        return Source("folder", given, _folder(path, given))
    if path.exists():
        if path.name in _LISTINGS or path.suffix == ".series":
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
    if not parents:
        repo.refuse_cut_off(commit)
    if len(parents) != 1:
        raise UsageError(
            f"{given} is {'a merge' if parents else 'a root commit'}: what to take from it is unclear",
            "--series A..B takes the commits in B that are not in A",
        )
    return Source("range", given, range=(parents[0], commit))


def read_source(repo: Repo, source: Source, rules: Rules = DEFAULT) -> Series:
    """Parse a source.  Raises `series.errors.SeriesError` naming the patch and the line."""
    match source.kind:
        case "mbox":
            name, data = source.files[0]
            return read_mbox(data, name, rules)
        case "folder":
            return read_patch_files(source.files, source.given, rules)
        case "quilt":
            (_, listing), *patches = source.files
            contents = dict(patches)
            return read_quilt(
                parse_series(listing, source.given),
                contents,
                source.given,
                rules,
                _signer(repo, contents.pop(_CONTROL, None)),
            )
        case "range":
            assert source.range is not None
            return _range(repo, source.given, *source.range)


def _signer(repo: Repo, control: bytes | None) -> tuple[Identity, str]:
    """Who signs the patches of a quilt series that name nobody."""
    found = maintainer(control) if control is not None else None
    if found is not None:
        return found, "the Maintainer in debian/control"
    return repo.committer().who, "you, the committer"


def _folder(path: Path, given: str) -> tuple[tuple[str, bytes], ...]:
    """The files of a folder in the order of their names, numbers counted as such; of a Maildir its
    mails in the order in which they came."""
    dangling = sorted(x.name for x in path.iterdir() if x.is_symlink() and not x.exists())
    if dangling:
        raise UsageError(
            f"{given}: {escaped(dangling[0])} is a link to nothing", "mend it, or take it away"
        )
    if (path / "cur").is_dir():
        boxes = [box for box in (path / "cur", path / "new") if box.is_dir()]
        found = sorted((x for box in boxes for x in box.iterdir() if x.is_file()), key=_natural)
        found = [x for x in found if "T" not in x.name.rpartition(":2,")[2]]  # marked as deleted
    else:
        found = sorted((x for x in path.iterdir() if x.is_file()), key=_natural)
        folders = sorted(x for x in path.iterdir() if x.is_dir() and not x.name.startswith("."))
        if any(
            x.is_file() and not _COPY.fullmatch(x.name) for box in folders for x in box.iterdir()
        ):
            names = ", ".join(f"{escaped(x.name)}/" for x in folders[:4])
            raise UsageError(
                f"{given}: it has folders, too ({names}), which are not looked into",
                "name each with a --series of its own, or the files",
            )
    if not found:
        raise UsageError(f"{given}: that folder is empty", "name an mbox or a folder of patches")
    # A copy that an editor left is named and not read: it may well hold the same patch.
    return tuple((escaped(x.name), b"" if _COPY.fullmatch(x.name) else _read(x)) for x in found)


def _natural(path: Path) -> tuple[tuple[int, int | str], ...]:
    """``10.patch`` comes after ``9.patch``."""
    return tuple(
        (0, int(part)) if part.isdecimal() else (1, part)
        for part in re.split(r"(\d+)", path.name)
        if part
    )


def commits_between(
    repo: Repo, given: str, first: Oid, last: Oid
) -> tuple[tuple[Oid, ...], tuple[Oid, ...]]:
    """The commits of ``last`` that ``first`` lacks, oldest first, and the merges among them apart.

    ``given``: how the user named them.  Raises `UsageError` where there is none to take.
    """
    commits = tuple(_between(repo, first, last))
    picked = tuple(c for c in commits if len(repo.parents(c)) <= 1)
    if not picked:
        raise no_commits(given)
    return picked, tuple(c for c in commits if len(repo.parents(c)) > 1)


def no_commits(given: str) -> UsageError:
    """The error for a range, as the user named it, that holds nothing."""
    return UsageError(
        f"{given}: no commits there to take", "A..B means the commits in B that are not in A"
    )


def _range(repo: Repo, given: str, first: Oid, last: Oid) -> Series:
    picked, merges = commits_between(repo, given, first, last)
    notes = (
        (f"{counted(len(merges), 'merge')} left out, as git format-patch does",) if merges else ()
    )
    patches = tuple(fit_commit(repo, c, n) for n, c in enumerate(picked))
    accounts = (
        *(Account(patch.name, patch.subject, Fate.PATCH) for patch in patches),
        *(
            Account(merge[:12], b"", Fate.MERGE, "left out, as git format-patch does")
            for merge in merges
        ),
    )
    return Series(patches, given, base_commit=first, ordered=True, notes=notes, accounts=accounts)


def _between(repo: Repo, first: Oid, last: Oid) -> Iterator[Oid]:
    yield from reversed(list(repo.log(last, hide=(first,))))


def _quilt(listing: Path, given: str) -> Source:
    data = _read(listing)
    files = [(listing.name, data)]
    around = _around(listing.parent.resolve())
    for entry in parse_series(data, given):
        path = listing.parent / entry.name
        if not path.resolve().is_relative_to(around):
            raise UsageError(
                f"{given}: {entry.name} leads out of {around}",
                "a series may name patches of its own repository, or of its own folder",
            )
        if not path.is_file():
            # A guarded patch need not be there; whether it is wanted is said when it is read.
            if not entry.guards:
                raise UsageError(f"{given}: {entry.name} is listed but does not exist")
            continue
        files.append((entry.name, _read(path)))
    control = listing.parent.parent / "control"
    if control.is_file():
        files.append((_CONTROL, _read(control)))
    return Source("quilt", given, tuple(files))


def _around(folder: Path) -> Path:
    """The repository that ``folder`` stands in, or the folder itself."""
    inside = (folder, *folder.parents)
    return next((place for place in inside if (place / ".git").exists()), folder)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return _bounded(file, str(path))


def _bounded(file: BinaryIO, name: str) -> bytes:
    data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise UsageError(f"{name}: over {_MOST_BYTES >> 20} MiB, not a patch series")
    return data
