# SPDX-License-Identifier: GPL-2.0-or-later
"""A conflict, laid out in a worktree of its own where the user's own tools work on it.

The worktree stands at the last commit that went on; what of the patch fits is staged, each path that
clashes has its index stages, as git would leave them, and a file with markers where lines can be merged
(see markers).  What git's rerere knows of it is written there, and not added.  The user edits, ``git add``s
(or commits), and ``backport continue`` takes the result.

What he did there is taken whole or not at all: a file that he made and did not add, markers that he
left, a worktree that he moved elsewhere are named and refused.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from backport.errors import Conflict, UsageError
from backport.gateway.repository import Repo
from backport.gateway.trees import SYMLINK, TreeView
from backport.gateway.worktrees import forget_worktree
from backport.pick.outcome import Clash, Picked
from backport.run import rerere
from backport.run.conflict_places import beside
from backport.run.markers import Style, styled
from backport.run.stop import Laid, Stop
from series.model import Oid, Patch, shown

if TYPE_CHECKING:
    from backport.pick.proposals import Proposal

_NO_HOOKS = ("-c", "core.hooksPath=/dev/null")
"""The user's hooks are for what he does there himself (docs/git.md)."""


class LaidOut(Struct, frozen=True):
    """The worktree's folder, each file that is open in it, and what the user should know."""

    folder: Path
    files: tuple[Laid, ...]
    notes: tuple[str, ...] = ()


def lay_out(
    repo: Repo,
    folder: Path,
    tip: Oid,
    patch: Patch,
    picked: Picked,
    branch: str,
    proposal: Proposal | None = None,
) -> LaidOut:
    """Make the worktree; a proposal stands in the files instead of the conflict, and is not added."""
    empty(repo, folder)
    style = _style(repo)
    repo.objects.store()
    repo.git(*_NO_HOOKS, "worktree", "add", "--detach", "--force", str(folder), tip)
    repo.git(*_NO_HOOKS, "read-tree", "-m", "-u", tip, picked.tree.id, cwd=folder)
    labels = (branch, f"what {patch.name} was made from", f"{patch.name} {_subject(patch)}")
    stages: list[str] = []
    clashes = beside(patch, picked)
    for clash in clashes:
        stages += _lay(repo, folder, patch, clash, labels, style)
    repo.objects.store()
    feed = "".join(f"{line}\0" for line in stages).encode("utf-8", "surrogateescape")
    repo.git.feed(feed, *_NO_HOOKS, "update-index", "-z", "--index-info", cwd=folder)
    _propose_message(repo, folder, patch, picked)
    before = [_id(folder, clash) for clash in clashes]
    wrong = rerere.lay_out(repo, folder)
    files = []
    for clash, named, blob in zip(clashes, picked.clashes, before, strict=True):
        known = _id(folder, clash) != blob
        sides = ((1, clash.base), (2, clash.ours), (3, clash.theirs))
        there = "".join(str(number) for number, oid in sides if oid is not None)
        finer, diff = "", tuple[str, ...]()
        # What the user has resolved himself goes before.
        if proposal is not None and not known and clash.path == named.path:
            from backport.run.proposing import as_diff

            text = proposal.texts[clash.path]
            _write_file(folder, clash.path, text, clash.their_mode or clash.mode)
            finer, diff = str(proposal.finer), as_diff(repo, clash, text)
        files.append(Laid(shown(clash.path), _id(folder, clash), known, there, finer, diff))
    return LaidOut(folder, tuple(files), (wrong,) if wrong else ())


def _style(repo: Repo) -> Style:
    """What ``merge.conflictStyle`` says."""
    wanted = repo.git.config.get("merge.conflictstyle", (Style.DIFF3.value,))[-1].lower()
    try:
        return Style(wanted)
    except ValueError:
        raise UsageError(
            f"git config merge.conflictStyle: {wanted!r} should be one of {', '.join(Style)}"
        ) from None


def _propose_message(repo: Repo, folder: Path, patch: Patch, picked: Picked) -> None:
    """What ``git commit`` there begins with, as after a cherry-pick that clashed."""
    mark = repo.git.config.get("core.commentchar", ("#",))[-1].encode()
    mark = b"#" if mark == b"auto" else mark
    lines = b"".join(mark + b"\t" + clash.path + b"\n" for clash in picked.clashes)
    message = patch.message.rstrip(b"\n") + b"\n\n" + mark + b" Conflicts:\n" + lines
    place = repo.git("rev-parse", "--path-format=absolute", "--git-path", "MERGE_MSG", cwd=folder)
    Path(place).write_bytes(message)


def _id(folder: Path, clash: Clash) -> str:
    """A name for what the file of a clash holds now."""
    path = folder / os.fsdecode(clash.path)
    if path.is_symlink() or not path.is_file():
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_touched(repo: Repo, folder: Path, stop: Stop) -> bool:
    """Whether the user has begun to resolve what was laid out."""
    if stop.doubts:
        loose = _paths(repo, folder, "ls-files", "--modified", "--others", "--exclude-standard")
        return bool(loose) or repo.git("write-tree", cwd=folder) != stop.made
    left = unresolved(repo, folder)
    for one in stop.laid:
        path = folder / one.path
        now = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        if one.path not in left or now != one.blob:
            return True
    return False


def _lay(
    repo: Repo,
    folder: Path,
    patch: Patch,
    clash: Clash,
    labels: tuple[str, str, str],
    style: Style,
) -> list[str]:
    """Write the file of one clash; its lines for ``git update-index --index-info``."""
    path = clash.path.decode("utf-8", "surrogateescape")
    content, theirs = clash.content, clash.theirs
    if content is None and clash.ours is None and theirs is None and clash.base is None:
        content = _as_text(patch, clash)
    if content is not None and clash.mode != SYMLINK:
        content = styled(content, style, labels)
        _write_file(folder, clash.path, content, clash.their_mode or clash.mode)
        if theirs is None and not clash.deleted:
            # Without the post-image as a blob the marked file stands for it, so that the path counts
            # as unmerged until the user has added it.
            theirs = repo.objects.write_blob(content)
    base = clash.base
    if base is None and clash.ours is None and theirs is None:
        base = repo.objects.write_blob(b"")  # no stage at all would be no conflict
    stages = [f"0 {'0' * 40}\t{path}"]
    modes = (clash.base_mode or clash.mode, clash.mode, clash.their_mode or clash.mode)
    for number, oid in enumerate((base, clash.ours, theirs), 1):
        if oid is not None:
            stages.append(f"{modes[number - 1]:o} {oid} {number}\t{path}")
    return stages


def unresolved(repo: Repo, folder: Path) -> tuple[str, ...]:
    """The paths that still have conflict stages in the worktree's index, fit for a screen."""
    return _paths(repo, folder, "diff", "--name-only", "--diff-filter=U")


class Resolution(Struct, frozen=True):
    """The tree that the user made, and what he should know of it."""

    tree: Oid
    notes: tuple[str, ...] = ()


SKIP_OR_ABORT = "`backport skip` leaves the patch out, `backport abort` drops the run"


def gone(folder: Path) -> str:
    """That there is no conflict any more to resolve."""
    return f"the worktree of the conflict, {folder}, is gone"


def take_result(repo: Repo, folder: Path, tip: Oid, patch: Patch) -> Resolution:
    """What the user made of ``patch``; raises `Conflict` while something is unresolved."""
    if not folder.is_dir():
        raise Conflict(gone(folder), SKIP_OR_ABORT)
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
    out = repo.git.peek(*words, "-z", cwd=folder)
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
    if _plain(repo, repo.message(head)) == _plain(repo, patch.message):
        return ()
    return (f"the patch keeps its own author and message; those of {head[:12]} were not used",)


def _plain(repo: Repo, message: bytes) -> bytes:
    """A message as git leaves it after the editor."""
    mark = repo.git.config.get("core.commentchar", ("#",))[-1].encode()
    mark = b"#" if mark == b"auto" else mark
    lines = (line.rstrip() for line in message.split(b"\n") if not line.startswith(mark))
    return re.sub(rb"\n{3,}", b"\n\n", b"\n".join(lines)).strip()


def remove(repo: Repo, folder: Path) -> None:
    """Remove the worktree in any state."""
    empty(repo, folder)
    if folder.is_dir():
        folder.rmdir()


def empty(repo: Repo, folder: Path) -> None:
    """The same, but for the folder itself: a shell that stands in it finds the next conflict there."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    forget_worktree(repo, folder)


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
