# SPDX-License-Identifier: GPL-2.0-or-later
"""The acts of a release: the commit that says the version, by a run like any other, and the tag behind it.

A kill between the two leaves the branch with its version and no tag: the same command goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from backport.config import Settings
from backport.errors import StepFailed, UsageError
from backport.gateway.repository import Repo
from backport.gateway.signing import find_signer
from backport.gateway.trees import FILE, Entry
from backport.levels import Level, Record
from backport.planning.given import Source
from backport.release.changes_since import Contents, gather
from backport.release.numbers import Bump, bump, ordered, tag_like, version_of
from backport.run.checks import check_range, known_range
from backport.run.last_moves import Move, RefMove, moves, remember, replaced
from backport.run.life import start
from backport.run.proof import Proof
from backport.run.request import Progress, Request
from series.model import Oid


@dataclass(frozen=True, slots=True)
class Planned:
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
    name = tag or tag_like(last, version)
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
            f"{len(failed)} of {len(done.targets)} commits failed, first {one.commit[:12]} '{one.subject}':\n"
            f"{one.explain()}",
            "`backport mend` may repair it; nothing was tagged",
        )
    contents = gather(repo, settings, branch, version, last, done)
    change = bump(repo.tree(tip), version, settings.version_line)
    return Planned(branch, version, name, tip, contents, change)


def make(repo: Repo, settings: Settings, planned: Planned, progress: Progress) -> tuple[Oid, Oid]:
    """Make it: the tip of the branch, and the tag.  Raises as a run does."""
    tip = planned.tip
    before = moves(repo)
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
    sign = ("-s",) if find_signer(repo, repo.committer()) is not None else ("-a",)
    repo.git("tag", *sign, "-m", f"{planned.tag}", planned.tag, tip)
    made = repo.native.references[f"refs/tags/{planned.tag}"].target
    ref = RefMove(f"refs/tags/{planned.tag}", None, Oid(str(made)))
    move = Move(f"release {planned.version}", (ref,))
    if planned.bump is not None and moves(repo) != before:
        last = moves(repo)[-1]
        replaced(repo, last, replace(move, refs=(*last.refs, ref)))
    else:
        remember(repo, move)
    return tip, Oid(str(made))


def _bumped(repo: Repo, tip: Oid, change: Bump) -> Oid:
    tree = repo.tree(tip)
    mode = tree.mode(change.path) or FILE
    blob = repo.objects.write_blob(change.content)
    new = tree.edited({change.path: Entry(blob, mode)})
    who = repo.committer()
    return repo.write_commit(new.id, tip, who, who, f"{change.subject}\n".encode())


def _last_tag(repo: Repo, tip: Oid) -> str:
    from backport.errors import GitFailed

    try:
        return repo.git("describe", "--tags", "--abbrev=0", tip)
    except GitFailed as error:
        raise UsageError("no tag is behind the branch", "--since TAG: the last release") from error
