# SPDX-License-Identifier: GPL-2.0-or-later
"""A branch's commits written as an mbox, a folder of mails, or a quilt series; proven to come back.

Nothing stands where the user wants it before it has been put on again (`round_trip`).  A folder comes into
being by one rename, so that a kill leaves none or all of it.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from backport.config import Settings
from backport.counted import counted
from backport.errors import UsageError
from backport.export.mails import Cover, Shape, write_mails
from backport.export.round_trip import applied_again, commits_between, pushed_again
from backport.gateway.commits import patch_id
from backport.gateway.repository import Repo
from backport.gateway.trees import GITLINK, SYMLINK
from backport.planning.sources import find_source
from backport.report.out import write_for
from backport.run.bisection import series_targets
from backport.store.files import own_folder
from series.model import Oid, Patch, shown
from series.reading.trailers import upstream_commit

_VERSION = re.compile(r"\d+(?:\.\d+)*")
_FIELDS = ("branch", "version")
_OF_QUILT = b".pc"


class Form(StrEnum):
    """As what."""

    MBOX = "mbox"
    FOLDER = "folder"
    QUILT = "quilt"


class Wish(Struct, frozen=True):
    """What the user wants of one branch; ``where`` and ``since`` have no pattern in them any more."""

    branch: str
    since: str
    form: Form
    where: str
    shape: Shape
    cover: Cover | None = None
    """The user's own."""
    covered: bool | None = None
    """Whether there is a cover letter; None: where there are several patches and it is a file of its own,
    since `git am` of a mailbox stops at one."""
    base: str | None = None
    posted: str | None = None
    """The source that was posted before."""


class Exported(Struct, frozen=True):
    """What was written, and what it does not carry."""

    branch: str
    where: str
    form: Form
    patches: tuple[Patch, ...]
    notes: tuple[str, ...]


def named(pattern: str, branch: str) -> str:
    """A pattern for one branch: ``{branch}``, and ``{version}``, the number in its name."""
    for field in re.findall(r"\{([^{}]*)\}", pattern):
        if field not in _FIELDS:
            raise UsageError(f"{pattern}: {{{field}}} is not known", "{branch} and {version} are")
    found = _VERSION.findall(branch)
    if "{version}" in pattern and len(found) != 1:
        raise UsageError(
            f"{pattern}: the name {branch!r} has {'no' if not found else 'more than one'} version"
        )
    version = found[0] if len(found) == 1 else ""
    return pattern.replace("{branch}", branch.replace("/", "-")).replace("{version}", version)


def export(repo: Repo, wish: Wish, settings: Settings) -> Exported:
    """Write it.  Raises `UsageError`, `DoesNotReturn`, `GitFailed`; nothing was written then."""
    _refuse(wish)
    tip, since = repo.branch_tip(wish.branch), repo.commit(wish.since)
    patches = commits_between(repo, since, tip)
    if not patches:
        raise UsageError(f"{wish.branch} has no commit after {wish.since}: nothing to export")
    if wish.form is Form.QUILT:
        return _quilt(repo, wish, since, patches)
    covered = wish.covered
    if covered is None:
        covered = len(patches) > 1 and (wish.form is Form.FOLDER or wish.posted is not None)
    cover = (wish.cover or described(repo, wish, since, patches)) if covered else None
    base = repo.commit(wish.base) if wish.base else since
    before = _before(repo, since, wish.posted, settings) if wish.posted else None
    if before is not None and cover is None and len(patches) > 1:
        raise UsageError(
            "--posted: the range-diff stands in the cover letter", "leave out --cover none"
        )
    shape = replace(wish.shape, cover=cover, base=base, before=before)
    mails = write_mails(repo, since, tip, patches, shape)
    whole = wish.form is Form.MBOX
    files = [mail for _, mail in mails]
    notes = applied_again(
        repo, since, patches, [b"".join(files)] if whole else files[covered:], covered and whole
    )
    if whole:
        if covered:
            notes = (*notes, "it begins with a cover letter: `git am --empty=drop` leaves that out")
        write_for("--mbox", wish.where, b"".join(files))
    else:
        _write_folder("--folder", Path(wish.where), mails)
    return Exported(wish.branch, wish.where, wish.form, patches, notes)


def _before(repo: Repo, since: Oid, posted: str, settings: Settings) -> str:
    """The range that was posted before; of mails, as they go on ``since``."""
    source = find_source(repo, posted)
    if source.range is not None:
        return f"{source.range[0]}..{source.range[1]}"
    made = series_targets(repo, since, (source,), settings)
    if not made:
        raise UsageError(f"--posted {posted}: no patch of it goes on {since[:12]}")
    return f"{since}..{made[-1].commit}"


def _quilt(repo: Repo, wish: Wish, since: Oid, patches: tuple[Patch, ...]) -> Exported:
    for number, patch in enumerate(patches, 1):
        why = _beyond_patch(patch)
        if why:
            raise UsageError(
                f"{number} {shown(patch.subject)!r}: {why}, which quilt cannot carry",
                "--mbox or --folder can",
            )
    shape = replace(wish.shape, renames=False, cover=None, base=None, before=None)
    tip = patches[-1].commit
    assert tip is not None
    mails = write_mails(repo, since, tip, patches, shape)
    listing = "".join(f"{name}\n" for name, _ in mails)
    files = (("series", listing.encode()), *((name, _headed(mail)) for name, mail in mails))
    with beside(Path(wish.where)) as folder:
        fill(folder, files)
        notes = pushed_again(repo, since, patches, folder)
        place("--quilt", folder, Path(wish.where))
    return Exported(wish.branch, wish.where, wish.form, patches, notes)


def _headed(mail: bytes) -> bytes:
    """A mail as a patch file: without the line of an mbox, and without numbers in its subject."""
    if mail.startswith(b"From "):
        mail = mail.partition(b"\n")[2]
    head, blank, rest = mail.partition(b"\n\n")
    return re.sub(rb"(?m)^Subject: \[PATCH[^\]]*\] ?", b"Subject: ", head, count=1) + blank + rest


def _beyond_patch(patch: Patch) -> str:
    for change in patch.changes:
        for path in (change.old_path, change.new_path):
            if path is not None and path.partition(b"/")[0] == _OF_QUILT:
                return f"{shown(path)} stands where quilt keeps its own files"
        if change.binary:
            return f"{shown(change.path)} is binary"
        for mode in (change.old_mode, change.new_mode):
            if mode in (GITLINK, SYMLINK):
                kind = "a submodule" if mode == GITLINK else "a symbolic link"
                return f"{shown(change.path)} is {kind}"
    return ""


def described(repo: Repo, wish: Wish, since: Oid, patches: Sequence[Patch]) -> Cover:
    """A cover letter that says what was done: which commit each patch is from, and whether it was adapted."""
    at = f"{wish.since} ({since[:12]})" if wish.since not in (since, since[:12]) else since[:12]
    lines = [f"{counted(len(patches), 'patch')} for {wish.branch}, on {at}."]
    for number, patch in enumerate(patches, 1):
        origin = upstream_commit(patch)
        if origin is None:
            continue
        known = repo.find_commit(origin)
        if known is None:
            said = f"{origin[:12]}, which is not in this repository"
        else:
            assert patch.commit is not None
            same = patch_id(repo, known) == patch_id(repo, patch.commit)
            said = f"{known[:12]}, {'as it is' if same else 'adapted'}"
        lines += ["", "Where they are from:"] if len(lines) == 1 else []
        lines.append(f"{number:4} {said}: {shown(patch.subject)}")
    subject = f"{wish.branch}: {counted(len(patches), 'patch')}"
    return Cover(subject, "\n".join(lines))


def _refuse(wish: Wish) -> None:
    """Raise `UsageError` where what is exported could not be put: before any work."""
    path = Path(wish.where)
    if wish.form is Form.MBOX:
        if wish.where != "-" and (path.is_dir() or not path.absolute().parent.is_dir()):
            raise UsageError(f"--mbox {path}: {'a folder' if path.is_dir() else 'no such folder'}")
        return
    if path.is_dir() and any(path.iterdir()):
        raise UsageError(
            f"--{wish.form} {path}: there are files in it", "name a folder that is not there yet"
        )
    if path.exists() and not path.is_dir():
        raise UsageError(f"--{wish.form} {path}: that is a file")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--{wish.form} {path}: there is no folder to make it in")


def _write_folder(option: str, where: Path, files: Sequence[tuple[str, bytes]]) -> None:
    with beside(where) as folder:
        fill(folder, files)
        place(option, folder, where)


def fill(folder: Path, files: Sequence[tuple[str, bytes]]) -> None:
    """Write files into a folder of ours.  Raises `UsageError`."""
    try:
        for name, data in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).unlink(missing_ok=True)  # nothing is written through a link
            (folder / name).write_bytes(data)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from error


@contextlib.contextmanager
def beside(where: Path) -> Iterator[Path]:
    """A folder on the same disk, to be filled and then renamed to ``where``."""
    with contextlib.ExitStack() as held:
        try:
            above = where.absolute().parent
            made = held.enter_context(own_folder(above, f".{where.name}.backport-"))
        except OSError as error:
            raise UsageError(f"{where}: {error.strerror}") from error
        yield made


def place(option: str, folder: Path, where: Path) -> None:
    """Have a folder of ours stand where the user wants it, by one rename.  Raises `UsageError`."""
    try:
        mask = os.umask(0)
        os.umask(mask)
        folder.chmod(0o777 & ~mask)
        folder.rename(where)
    except OSError as error:
        raise UsageError(f"{option} {where}: {error.strerror}") from error
