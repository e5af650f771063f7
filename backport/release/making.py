# SPDX-License-Identifier: GPL-2.0-or-later
"""The acts of a release: the commit that says the version, by a run like any other, and the tag behind it.

A kill between the two leaves the branch with its version and no tag: the same command goes on from there.
The tag is noted for `undo` before a ref names it, so at no instant is there a tag that `undo` does not know.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from backport.config import Settings
from backport.counted import counted
from backport.errors import StepFailed, UsageError
from backport.gateway.repository import Repo
from backport.gateway.tags import name_tag, tag_object
from backport.gateway.trees import FILE, Entry, TreeView
from backport.levels import Level, Record
from backport.planning.given import Source
from backport.release.changes_since import Contents, gather
from backport.release.numbers import Bump, bump, ordered, tag_for, version_of
from backport.run.checks import check_range, known_range
from backport.run.last_moves import Move, RefMove, moves, remember, replaced
from backport.run.life import start
from backport.run.proof import Proof
from backport.run.request import Progress, Request
from series.model import Oid


class Planned(Struct, frozen=True):
    """A release as it would be made; ``bump`` is None where no line of the tree says the version."""

    branch: str
    version: str
    tag: str
    tip: Oid
    contents: Contents
    bump: Bump | None


def plan(
    repo: Repo,
    settings: Settings,
    branch: str,
    version: str,
    since: str | None,
    tag: str | None,
    progress: Progress,
    *,
    prove: bool,
) -> Planned:
    """What the release would be.  Raises `UsageError`, and `StepFailed` where a commit of it failed."""
    ref = repo.branch_ref(branch)
    tip = repo.commit(ref)
    last = since or _last_tag(repo, tip)
    if ordered(version) <= ordered(version_of(last)):
        raise UsageError(f"{version} is not above {version_of(last)}, the version of {last}")
    start_at = repo.commit(last)
    if not repo.reaches(tip, start_at):
        raise UsageError(f"{branch} does not contain {last}", "--since TAG names another")
    name = tag or _tag_name(repo, tip, last, version)
    if repo.native.references.get(f"refs/tags/{name}") is not None:
        raise UsageError(f"there is a tag {name} already", "--tag NAME, or another version")
    commits = f"{start_at}..{tip}"
    if start_at == tip:
        raise UsageError(f"{branch} has nothing new since {last}")
    done = (
        check_range(repo, settings, commits, progress, keep_going=True)
        if prove
        else known_range(repo, settings, commits)
    )
    failed = [verdict for verdict in done.verdicts if verdict.failed]
    if failed:
        one = failed[0]
        raise StepFailed(
            f"{len(failed)} of {counted(len(done.targets), 'commit')} failed, first"
            f" {one.commit[:12]} '{one.subject}':\n{one.explain()}",
            "`backport mend` may repair it; nothing was tagged",
        )
    contents = gather(repo, settings, branch, version, last, done)
    change = bump(repo.tree(tip), version, settings.version_line)
    return Planned(branch, version, name, tip, contents, change)


def make(repo: Repo, settings: Settings, planned: Planned, progress: Progress) -> tuple[Oid, Oid]:
    """Make it: the tip of the branch, and the tag.  Raises as a run does."""
    tip = planned.tip
    moves(repo)  # raises before anything is made
    if planned.bump is not None:
        bumped = _bumped(repo, planned.tip, planned.bump)
        repo.objects.store()  # the run's journal names it, and a kill must find it again
        plain = replace(
            settings,
            record=Record.NONE,
            validate=Level.NONE,
            only=(),
            sibling=("none",),
            base=None,
            author=None,
        )
        source = Source("range", f"{planned.tip[:12]}..{bumped[:12]}", range=(planned.tip, bumped))
        tip = start(repo, Request(planned.branch, (source,), plain), Proof(), progress).tip
    made = tag_object(repo, planned.tag, tip, repo.committer(), planned.tag)
    _note(repo, settings, planned, tip, RefMove(f"refs/tags/{planned.tag}", None, made))
    name_tag(repo, planned.tag, made)
    return tip, made


def _note(repo: Repo, settings: Settings, planned: Planned, tip: Oid, tag: RefMove) -> None:
    """Note for `undo` what the release moves, before its tag is named: one move, also where the command that
    moved the branch was cut before it had a tag."""
    known = moves(repo)
    last = known[-1] if known else Move("", ())
    what = f"release {planned.version}"
    branch = tuple(ref for ref in last.refs if ref.ref != tag.ref)
    there = all(ref.new == tip and ref.ref == repo.branch_ref(planned.branch) for ref in branch)
    if there and (last.what == what or _is_bump(repo, settings, planned.version, branch)):
        replaced(repo, last, Move(what, (*branch, tag)))
    else:
        remember(repo, Move(what, (tag,)))


def _is_bump(repo: Repo, settings: Settings, version: str, refs: Sequence[RefMove]) -> bool:
    """Whether these are the move of one branch by the one commit that makes a tree say the version."""
    if len(refs) != 1 or refs[0].old is None or repo.parents(refs[0].new) != (refs[0].old,):
        return False
    old, new = repo.tree(refs[0].old), repo.tree(refs[0].new)
    try:
        change = bump(old, version, settings.version_line)
    except UsageError:  # the tree before the commit says no version
        return False
    return change is not None and _with(repo, old, change).id == new.id


def _with(repo: Repo, tree: TreeView, change: Bump) -> TreeView:
    """The tree that says the version."""
    mode = tree.mode(change.path) or FILE
    blob = repo.objects.write_blob(change.content)
    return tree.edited({change.path: Entry(blob, mode)})


def _bumped(repo: Repo, tip: Oid, change: Bump) -> Oid:
    new = _with(repo, repo.tree(tip), change)
    who = repo.committer()
    return repo.write_commit(new.id, tip, who, who, f"{change.subject}\n".encode())


def _tag_name(repo: Repo, tip: Oid, last: str, version: str) -> str:
    listed = (repo.git("tag", "--list", *which).split("\n") for which in (("--merged", tip), ()))
    return tag_for(version, last, *listed)


def _last_tag(repo: Repo, tip: Oid) -> str:
    from backport.errors import GitFailed

    try:
        return repo.git("describe", "--tags", "--abbrev=0", tip)
    except GitFailed as error:
        raise UsageError("no tag is behind the branch", "--since TAG: the last release") from error
