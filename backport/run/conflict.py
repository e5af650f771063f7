# SPDX-License-Identifier: GPL-2.0-or-later
"""A conflict, laid out in a worktree of its own where the user's own tools work on it.

The worktree stands at the last commit that went on; what of the patch fits is staged, each path that
clashes has its index stages, as git would leave them, and a file with diff3 markers where lines can
be merged.  The user edits, ``git add``s (or commits), and ``backport continue`` takes the result.

What he did there is taken whole or not at all: a file that he made and did not add, markers that he
left, a worktree that he moved elsewhere are named and refused.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from backport.errors import Conflict
from backport.gateway.repository import Repo
from backport.gateway.trees import SYMLINK, TreeView
from backport.pick.outcome import Clash, Picked
from series.model import Oid, Patch, shown


def lay_out(repo: Repo, tip: Oid, patch: Patch, picked: Picked, branch: str) -> Path:
    """Make the worktree; returns its folder."""
    folder = repo.state_dir / "conflict"
    remove(repo, folder)
    repo.objects.store()
    repo.git("worktree", "add", "--detach", "--force", str(folder), tip)
    repo.git("read-tree", "-m", "-u", tip, picked.tree.id, cwd=folder)
    labels = (branch, f"what {patch.name} was made from", f"{patch.name} {_subject(patch)}")
    stages: list[str] = []
    for clash in picked.clashes:
        stages += _lay(repo, folder, patch, clash, labels)
    repo.objects.store()
    feed = "".join(f"{line}\0" for line in stages).encode("utf-8", "surrogateescape")
    repo.git.feed(feed, "update-index", "-z", "--index-info", cwd=folder)
    return folder


def _lay(
    repo: Repo, folder: Path, patch: Patch, clash: Clash, labels: tuple[str, str, str]
) -> list[str]:
    """Write the file of one clash; its lines for ``git update-index --index-info``."""
    path = clash.path.decode("utf-8", "surrogateescape")
    content, theirs = clash.content, clash.theirs
    if content is None and clash.ours is None and theirs is None and clash.base is None:
        content = _as_text(patch, clash)
    if content is not None and clash.mode != SYMLINK:
        content = _labelled(content, labels)
        _write_file(folder, clash.path, content, clash.their_mode or clash.mode)
        if theirs is None and not clash.deleted:
            # Without the post-image as a blob the marked file stands for it, so that the path counts
            # as unmerged until the user has added it.
            theirs = repo.objects.write_blob(content)
    base = clash.base
    if base is None and clash.ours is None and theirs is None:
        base = repo.objects.write_blob(b"")  # no stage at all would be no conflict
    stages = [f"0 {'0' * 40}\t{path}"]
    for number, oid in ((1, base), (2, clash.ours), (3, theirs)):
        if oid is not None:
            mode = clash.their_mode or clash.mode if number == 3 else clash.mode
            stages.append(f"{mode:o} {oid} {number}\t{path}")
    return stages


def unresolved(repo: Repo, folder: Path) -> tuple[str, ...]:
    """The paths that still have conflict stages in the worktree's index, fit for a screen."""
    return _paths(repo, folder, "diff", "--name-only", "--diff-filter=U")


@dataclass(frozen=True, slots=True)
class Resolution:
    """The tree that the user made, and what he should know of it."""

    tree: Oid
    notes: tuple[str, ...] = ()


def take_result(repo: Repo, folder: Path, tip: Oid, patch: Patch) -> Resolution:
    """What the user made of ``patch``; raises `Conflict` while something is unresolved."""
    if not folder.is_dir():
        raise Conflict(
            f"the worktree of the conflict, {folder}, is gone",
            "`backport skip` leaves the patch out, `backport abort` drops the run",
        )
    left = unresolved(repo, folder)
    if left:
        raise Conflict(
            f"still unresolved: {', '.join(left)}",
            f"edit them in {folder}, `git add` them there, then `backport continue`",
        )
    loose = _paths(repo, folder, "diff", "--name-only")
    if loose:
        raise Conflict(
            f"changed but not added: {_few(loose)}",
            f"`git -C {folder} add -u`, then `backport continue`",
        )
    made = _paths(repo, folder, "ls-files", "--others", "--exclude-standard")
    if made:
        raise Conflict(
            f"created but not added: {_few(made)}",
            f"`git -C {folder} add` what belongs to the patch and remove the rest, then"
            " `backport continue`",
        )
    notes = _committed(repo, folder, tip, patch)
    tree = Oid(repo.git("write-tree", cwd=folder))
    marked = _with_markers(repo, tip, tree, patch)
    if marked:
        raise Conflict(
            f"conflict markers remain in {_few(marked)}",
            f"edit them in {folder}, `git add` them there, then `backport continue`",
        )
    return Resolution(tree, notes)


def _paths(repo: Repo, folder: Path, *words: str) -> tuple[str, ...]:
    out = repo.git(*words, "-z", cwd=folder)
    paths = dict.fromkeys(path for path in out.split("\0") if path)
    return tuple(shown(path.encode("utf-8", "surrogateescape")) for path in paths)


def _few(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return ", ".join(paths[:5]) + more


def _committed(repo: Repo, folder: Path, tip: Oid, patch: Patch) -> tuple[str, ...]:
    """What to say of a commit that the user made there; its tree is the index's."""
    head = Oid(repo.git("rev-parse", "--verify", "HEAD^{commit}", cwd=folder))
    if head == tip:
        return ()
    if repo.parents(head) != (tip,):
        raise Conflict(
            f"{folder} is at {head[:12]}, which is not one commit on top of {tip[:12]}, where"
            " the patch belongs",
            f"`git -C {folder} reset --soft {tip[:12]}` keeps what is staged there, then"
            " `backport continue`",
        )
    if repo.message(head).rstrip() == patch.message.rstrip():
        return ()
    return (f"the patch keeps its own author and message; those of {head[:12]} were not used",)


def remove(repo: Repo, folder: Path) -> None:
    """Take the worktree away, whatever state it is in."""
    if folder.exists():
        shutil.rmtree(folder)
    if (repo.common_dir / "worktrees").is_dir():
        repo.git("worktree", "prune")


# As git's own check finds what is left (diff.c, is_conflict_marker); CRLF files have theirs too.
_MARKER = re.compile(rb"^(?:<{7}|\|{7}|={7}|>{7})(?= |\r?$).*$", re.MULTILINE)


def _markers(data: bytes) -> Counter[bytes]:
    # "=======" is a marker when nothing else is on its line: headings are underlined with it as well.
    lines = (match[0].rstrip(b"\r") for match in _MARKER.finditer(data))
    return Counter(line[:7] for line in lines if not line.startswith(b"======= "))


def _with_markers(repo: Repo, tip: Oid, tree: Oid, patch: Patch) -> tuple[str, ...]:
    """The files with more markers than the branch and the patch itself account for."""
    names = repo.git("diff-tree", "-r", "--name-only", "--diff-filter=d", "-z", tip, tree)
    old, new = repo.tree(tip), TreeView(repo.objects, tree)
    brought = sum(
        (
            _markers(line.text)
            for change in patch.changes
            for hunk in change.hunks
            for line in hunk.lines
            if line.op == b"+"
        ),
        Counter[bytes](),
    )
    found = []
    for name in (x for x in names.split("\0") if x):
        path = name.encode("utf-8", "surrogateescape")
        if _markers(new.read(path) or b"") - _markers(old.read(path) or b"") - brought:
            found.append(shown(path))
    return tuple(found)


def _labelled(content: bytes, labels: tuple[str, str, str]) -> bytes:
    for mark, label in zip((b"<", rb"\|", b">"), labels, strict=True):
        text = label.encode("utf-8", "replace").replace(b"\\", rb"\\")
        # In a file with CRLF the markers end so as well.
        line = re.compile(rb"^(" + mark + rb"{7}) file(?=\r?$)", re.MULTILINE)
        content = line.sub(rb"\1 " + text, content)
    return content


def _write_file(folder: Path, path: bytes, content: bytes, mode: int) -> None:
    target = folder / os.fsdecode(path)
    # Asked before a folder is made: that, too, would be made out there.
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise Conflict(f"{target} is reached through a symbolic link that leaves the worktree")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.write_bytes(content)
    if mode & 0o111:
        target.chmod(0o755)


def _as_text(patch: Patch, clash: Clash) -> bytes | None:
    """For a file of which nothing is there: the hunks themselves, to be placed by hand."""
    out: list[bytes] = []
    for change in patch.changes:
        if clash.path in (change.old_path, change.new_path):
            for hunk in change.hunks:
                out += [b"<<<<<<< file\n", b"||||||| file\n", *hunk.before]
                out += [b"=======\n", *hunk.after, b">>>>>>> file\n"]
    return b"".join(line if line.endswith(b"\n") else line + b"\n" for line in out) or None


def _subject(patch: Patch) -> str:
    return shown(patch.subject)
