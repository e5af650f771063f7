# SPDX-License-Identifier: GPL-2.0-or-later
"""A conflict, laid out in a worktree of its own where the user's own tools work on it.

The worktree stands at the last commit that went on; what of the patch fits is staged, each path that
clashes has its three index stages and a file with diff3 markers.  The user edits, ``git add``s (or
commits), and ``backport continue`` takes the result.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from backport.errors import Conflict
from backport.pick.outcome import Clash, Picked
from backport.pick.tree import Objects
from backport.repo import Repo
from series.model import Oid, Patch, shown


def lay_out(repo: Repo, tip: Oid, patch: Patch, picked: Picked, branch: str) -> Path:
    """Make the worktree; returns its folder."""
    folder = repo.state_dir / "conflict"
    remove(repo, folder)
    repo.git("worktree", "add", "--detach", "--force", str(folder), tip)
    repo.git("read-tree", "-m", "-u", tip, picked.tree.id, cwd=folder)
    labels = (branch, f"what {patch.name} was made from", f"{patch.name} {_subject(patch)}")
    stages: list[str] = []
    for clash in picked.clashes:
        path = clash.path.decode("utf-8", "surrogateescape")
        stages.append(f"0 {'0' * 40}\t{path}")
        base = clash.base
        for number, oid in ((1, base), (2, clash.ours), (3, clash.theirs)):
            if oid is not None:
                stages.append(f"{clash.mode:o} {oid} {number}\t{path}")
        if clash.content is not None:
            _write_file(folder, clash.path, _labelled(clash.content, labels), clash.mode)
        if clash.theirs is None and clash.ours is not None:
            # Without the post-image as a blob the marked file stands for it, so that the path
            # counts as unmerged until the user has added it.
            theirs = repo.objects.write_blob(clash.content or b"")
            stages.append(f"{clash.mode:o} {theirs} 3\t{path}")
        if clash.theirs is None and clash.ours is None and base is None:
            empty = repo.objects.write_blob(_as_text(patch, clash, repo.objects))
            stages.append(f"{clash.mode:o} {empty} 3\t{path}")
            _write_file(folder, clash.path, repo.objects.blob(empty), clash.mode)
    _update_index(folder, stages)
    return folder


def unresolved(repo: Repo, folder: Path) -> tuple[str, ...]:
    """The paths that still have conflict stages in the worktree's index."""
    out = repo.git("diff", "--name-only", "--diff-filter=U", "-z", cwd=folder)
    return tuple(path for path in out.split("\0") if path)


def take_result(repo: Repo, folder: Path, tip: Oid) -> Oid:
    """The tree that the user made; raises `Conflict` while something is unresolved."""
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
    loose = repo.git("diff", "--name-only", cwd=folder)
    if loose:
        raise Conflict(
            f"changed and not added: {', '.join(loose.splitlines()[:5])}",
            f"`git -C {folder} add -u`, then `backport continue`",
        )
    tree = Oid(repo.git("write-tree", cwd=folder))
    marked = _with_markers(repo, tip, tree)
    if marked:
        raise Conflict(
            f"conflict markers are left in {', '.join(marked)}",
            f"edit them in {folder}, `git add` them there, then `backport continue`",
        )
    return tree


def remove(repo: Repo, folder: Path) -> None:
    """Take the worktree away, whatever state it is in."""
    if folder.exists():
        shutil.rmtree(folder)
    if (repo.common_dir / "worktrees").is_dir():
        repo.git("worktree", "prune")


def _with_markers(repo: Repo, tip: Oid, tree: Oid) -> list[str]:
    names = repo.git("diff-tree", "-r", "--name-only", "--diff-filter=AM", "-z", tip, tree)
    found = []
    for name in (x for x in names.split("\0") if x):
        path = name.encode("utf-8", "surrogateescape")
        view = repo.tree(tip).entry(path)
        data = _tree_blob(repo, tree, path)
        before = repo.objects.blob(view.oid) if view else b""
        if b"\n||||||| " in b"\n" + data and b"\n||||||| " not in b"\n" + before:
            found.append(name)
    return found


def _tree_blob(repo: Repo, tree: Oid, path: bytes) -> bytes:
    from backport.pick.tree import TreeView

    return TreeView(repo.objects, tree).read(path) or b""


def _labelled(content: bytes, labels: tuple[str, str, str]) -> bytes:
    for mark, label in zip((b"<<<<<<<", b"|||||||", b">>>>>>>"), labels, strict=True):
        text = label.encode("utf-8", "replace")
        content = content.replace(mark + b" file\n", mark + b" " + text + b"\n")
    return content


def _write_file(folder: Path, path: bytes, content: bytes, mode: int) -> None:
    target = folder / os.fsdecode(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise Conflict(f"{target} lies behind a symbolic link out of the worktree")
    target.unlink(missing_ok=True)
    target.write_bytes(content)
    if mode & 0o111:
        target.chmod(0o755)


def _as_text(patch: Patch, clash: Clash, objects: Objects) -> bytes:
    """For a file that is not there at all: the hunks themselves, to be placed by hand."""
    out: list[bytes] = []
    for change in patch.changes:
        if clash.path in (change.old_path, change.new_path):
            for hunk in change.hunks:
                out += [b"<<<<<<< file\n", b"||||||| file\n", *hunk.before]
                out += [b"=======\n", *hunk.after, b">>>>>>> file\n"]
    return b"".join(out)


def _update_index(folder: Path, stages: Iterable[str]) -> None:
    import git

    runner = git.Git(str(folder))
    feed = "".join(f"{line}\0" for line in stages).encode("utf-8", "surrogateescape")
    process = runner.update_index("-z", "--index-info", istream=-1, as_process=True)
    process.stdin.write(feed)
    process.stdin.close()
    process.wait()


def _subject(patch: Patch) -> str:
    return shown(patch.subject)
