# SPDX-License-Identifier: GPL-2.0-or-later
"""What was exported is put on again, by the programs of those who get it, and compared.

Another tree is an error: nothing is handed over then.  Of a message, author or date that a mail cannot carry
(a subject that begins with a bracket, say) the difference is named.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from backport.errors import BackportError, GitFailed, UsageError
from backport.gateway.changed_paths import changed_paths
from backport.gateway.commits import commit_patch, read_author
from backport.gateway.plain_answers import PLAIN_AM
from backport.gateway.repository import Repo
from backport.gateway.scratch import Scratch, scratch
from backport.gateway.trees import EXECUTABLE, SYMLINK
from backport.planning.sources import find_source, read_source
from series.model import Identity, Oid, Patch, When, shown
from series.numbering import listed

_MOST = 40
"""Numbers of patches that are listed."""
_LIMIT = 600
"""Seconds for one patch."""


class DoesNotReturn(BackportError):
    """What was to be exported does not go on again as what it was: nothing was written."""


def applied_again(
    repo: Repo, since: Oid, patches: Sequence[Patch], boxes: Sequence[bytes], cover: bool
) -> tuple[str, ...]:
    """Put mails on ``since`` with `git am`; what they do not carry, or need.  Raises `DoesNotReturn`.

    ``cover``: among them is a cover letter, which `git am --empty=drop` has to leave out.
    """
    with scratch(repo) as place:
        folder = place.top / ".git" / "mails"
        folder.mkdir()
        words = [*PLAIN_AM, "am", "-q", *(("--empty=drop",) if cover else ())]
        for number, box in enumerate(boxes):
            (folder / f"{number:05}").write_bytes(box)
            words.append(str(folder / f"{number:05}"))
        there = _there(repo, since, patches)
        wrong = _wrong(place, since, there, patches, words)
        notes: list[str] = []
        if wrong:
            if _wrong(place, since, there, patches, [*words, "--keep-cr"]):
                why = (
                    "it may read a patch in the cover letter"
                    if cover
                    else "so it is for git itself"
                )
                raise DoesNotReturn(wrong, f"nothing was written; {why}")
            notes.append("lines end in CR LF: it needs `git am --keep-cr`")
        made = place.git("rev-list", "--reverse", f"{since}..HEAD").split()
        return (*notes, *_lost(patches, [_commit(place, oid) for oid in made]))


def _wrong(
    place: Scratch,
    since: Oid,
    there: Sequence[bytes],
    patches: Sequence[Patch],
    words: Sequence[str],
) -> str:
    """Why mails do not come back as the trees of ``patches``; empty where they do."""
    shutil.rmtree(place.top / ".git" / "rebase-apply", ignore_errors=True)
    place.check_out(since, there)
    try:
        place.git(*words)
    except GitFailed as error:
        return f"the mails do not go on again: {error.message}"
    made = place.git("log", "--reverse", "--format=%T", f"{since}..HEAD").split()
    if len(made) != len(patches):
        return f"{len(patches)} patches come back as {len(made)} commits"
    for number, (tree, patch) in enumerate(zip(made, patches, strict=True), 1):
        assert patch.commit is not None
        if tree != place.repo.tree(patch.commit).id:
            return f"{number} {shown(patch.subject)!r} comes back as another tree"
    return ""


class _Back(Struct, frozen=True):
    """What stands beside the changes of a patch, as it came back."""

    message: bytes
    author: Identity
    date: When | None


def _commit(place: Scratch, oid: str) -> _Back:
    raw = place.repo.git.read("cat-file", "commit", oid, cwd=place.top)
    head, _, message = raw.partition(b"\n\n")
    author, date = read_author(head)
    return _Back(message, author, date)


def _lost(patches: Sequence[Patch], back: Sequence[_Back]) -> Iterator[str]:
    """What of messages, authors and dates is lost, each with the numbers of the patches."""
    found: dict[str, list[int]] = {}
    for number, (patch, got) in enumerate(zip(patches, back, strict=True), 1):
        if got.message != patch.message:
            found.setdefault(_first_apart(patch.message, got.message), []).append(number)
        if (got.author, got.date) != (patch.author, patch.date):
            found.setdefault("author or date", []).append(number)
    for what, numbers in found.items():
        which = f"patch {numbers[0]} {shown(patches[numbers[0] - 1].subject)}"
        if len(numbers) > 1:
            which = f"patches {listed(numbers, _MOST)}"
        yield f"{which}: what is exported cannot carry {what}"


def _first_apart(old: bytes, new: bytes) -> str:
    if b"\n---\n" in old and old.startswith(new.rstrip(b"\n") + b"\n"):
        return "what follows '---' in the message"
    one, other = old.split(b"\n"), new.split(b"\n")
    for before, after in zip(one, other, strict=False):
        if before != after:
            return f"the message: {shown(before)!r} becomes {shown(after)!r}"
    return "the end of the message"


def pushed_again(repo: Repo, since: Oid, patches: Sequence[Patch], folder: Path) -> tuple[str, ...]:
    """Put a quilt series on ``since`` with `quilt push`, patch by patch; what it does not carry.

    Raises `DoesNotReturn`.
    """
    pushed(repo, since, patches, folder)
    back = read_source(repo, find_source(repo, str(folder.resolve()))).patches
    return tuple(_lost(patches, [_Back(one.message, one.author, one.date) for one in back]))


def pushed(repo: Repo, since: Oid, patches: Sequence[Patch], folder: Path) -> None:
    """Put a quilt series on ``since``, and compare what each patch makes.  Raises `DoesNotReturn`."""
    program = shutil.which("quilt", path=repo.environment.get("PATH"))
    if program is None:
        raise UsageError(
            "quilt is needed to check what is exported, and is not installed",
            "Debian: apt install quilt",
        )
    around = repo.environment.for_git().items()
    env = {
        name: value for name, value in around if not name.startswith(("QUILT_", "PATCH_", "POSIX"))
    }
    # Of a single name without an end of its line quilt sees nothing, unless it is to push all.
    some = ("-a",) if len(patches) == 1 else ()
    with scratch(repo) as place:
        # What a killed quilt leaves goes with it.
        env |= {"QUILT_PATCHES": str(folder.resolve()), "TMPDIR": str(place.top / ".git")}
        place.check_out(since, _there(repo, since, patches))
        for number, patch in enumerate(patches, 1):
            name = f"{number} {shown(patch.subject)!r}"
            try:
                done = subprocess.run(
                    [program, "--quiltrc", "-", "push", "-q", "--fuzz=0", *some],
                    cwd=place.top,
                    env=env,
                    capture_output=True,
                    timeout=_LIMIT,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise DoesNotReturn(f"{name}: quilt takes more than {_LIMIT} s") from error
            if done.returncode:
                said = (done.stdout + done.stderr).decode("utf-8", "backslashreplace").strip()
                raise DoesNotReturn(
                    f"{name} does not go on again with quilt: {said}", "nothing was written"
                )
            for path in _touched(repo, patch):
                if _on_disk(place.top, path) != _in_tree(repo, patch, path):
                    raise DoesNotReturn(
                        f"{name}: quilt makes another {shown(path)}", "nothing was written"
                    )


def _touched(repo: Repo, patch: Patch) -> dict[bytes, bool]:
    assert patch.commit is not None
    old = repo.tree(patch.parent).id if patch.parent else None
    return changed_paths(repo, old, repo.tree(patch.commit).id)


def _there(repo: Repo, since: Oid, patches: Sequence[Patch]) -> list[bytes]:
    """The files of ``since`` that a patch touches."""
    tree = repo.tree(since)
    paths = {path for patch in patches for path in _touched(repo, patch)}
    return sorted(path for path in paths if tree.entry(path) is not None)


def _on_disk(top: Path, path: bytes) -> tuple[int, bytes] | None:
    file = top / os.fsdecode(path)
    try:
        mode = file.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(mode):
        return SYMLINK, os.fsencode(file.readlink())
    return (EXECUTABLE if mode & stat.S_IXUSR else 0), file.read_bytes()


def _in_tree(repo: Repo, patch: Patch, path: bytes) -> tuple[int, bytes] | None:
    assert patch.commit is not None
    tree = repo.tree(patch.commit)
    mode, data = tree.mode(path), tree.read(path)
    if mode is None or data is None:
        return None
    return (mode if mode in (EXECUTABLE, SYMLINK) else 0), data


def commits_between(repo: Repo, since: Oid, tip: Oid) -> tuple[Patch, ...]:
    """The commits after ``since``, oldest first.  Raises `UsageError` where no file can carry one."""
    found = []
    for position, oid in enumerate(reversed(list(repo.log(tip, (since,))))):
        parents = repo.parents(oid)
        if len(parents) != 1:
            raise UsageError(
                f"{oid[:12]} is a {'merge' if parents else 'root commit'}: no patch can carry it",
                "--since a commit after it",
            )
        patch = commit_patch(repo, oid, position)
        if not patch.changes:
            raise UsageError(
                f"{oid[:12]} {shown(patch.subject)!r} changes nothing: no patch can carry it"
            )
        found.append(patch)
    if found and found[0].parent != since:
        raise UsageError(f"{since[:12]} is not an ancestor of {tip[:12]}")
    return tuple(found)
