# SPDX-License-Identifier: GPL-2.0-or-later
"""What a patch that does not go on is waiting for, found in upstream's history.

Only direct blockers: the commits that wrote the very lines (or the file) the patch expects.  The
full closure explodes (median 7, 90th percentile 331 commits); the direct blockers number 2 in the
median and named the needed commit in 88 of 90 real cases.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from backport.errors import UnknownRevision
from backport.gateway.commits import commit_patch
from backport.gateway.repository import Repo
from backport.gateway.text_diff import line_edits
from backport.history.presence import standing
from backport.pick.outcome import Clash
from series.model import Oid, Patch, shown
from series.reading.trailers import upstream_commit

_MOST_COMMITS = 400
"""Commits on one path that are looked into, newest first."""
_MOST_BACKPORTED = 5000
"""Commits of the stable branch whose provenance lines are read."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """An upstream commit that a patch needs: ``lines`` of ``path`` come from it."""

    commit: Oid
    subject: str
    path: bytes
    lines: tuple[bytes, ...]

    def explain(self) -> str:
        """One line for a person."""
        path = shown(self.path)
        if not self.lines:
            return f"{self.commit[:12]} {self.subject!r} creates {path}"
        line = shown(self.lines[0].strip())
        more = f" and {len(self.lines) - 1} more lines" if len(self.lines) > 1 else ""
        return f"{self.commit[:12]} {self.subject!r} writes {line!r}{more} in {path}"


def find_blockers(
    repo: Repo,
    upstream: Oid,
    onto: Oid,
    patch: Patch,
    clashes: Iterable[Clash],
    have: frozenset[Oid],
) -> tuple[Blocker, ...]:
    """The commits of ``upstream`` that ``patch`` waits for; ``have`` are those taken already.

    History is read from the patch's own commit there, when it is known, back to where ``onto`` and
    ``upstream`` part; what the branch has under another id and has not reverted (see `present`)
    is not named again.
    """
    start = _own_commit(repo, upstream, patch) or upstream
    fork = repo.merge_base(onto, upstream)
    backported = _backported(repo, onto, fork)
    found: dict[Oid, Blocker] = {}
    for clash in clashes:
        wanted = set(clash.missing)
        for commit in _touching(repo, start, fork, clash.path):
            if commit in have or commit[:12] in backported or commit == start != upstream:
                continue
            writer = _writes(repo, commit, clash, wanted)
            if writer is not None:
                found[commit] = writer
                wanted -= set(writer.lines)
                if not wanted:
                    break
    return tuple(reversed(found.values()))


def _own_commit(repo: Repo, upstream: Oid, patch: Patch) -> Oid | None:
    named = patch.commit or upstream_commit(patch)
    if named is None:
        return None
    try:
        commit = repo.commit(named)
    except UnknownRevision:  # a commit id from a stranger's mail may name nothing here
        return None
    parents = repo.parents(commit)
    return parents[0] if parents and repo.merge_base(commit, upstream) == commit else None


def _touching(repo: Repo, start: Oid, fork: Oid | None, path: bytes) -> list[Oid]:
    words = ["log", f"-{_MOST_COMMITS}", "--no-merges", "--format=%H", start]
    if fork:
        words.append(f"^{fork}")
    name = path.decode("utf-8", "surrogateescape")
    return [Oid(line) for line in repo.git(*words, "--", f":(literal,top){name}").splitlines()]


def _writes(repo: Repo, commit: Oid, clash: Clash, wanted: set[bytes]) -> Blocker | None:
    path, parents = clash.path, repo.parents(commit)
    old = repo.tree(parents[0]).read(path) if parents else None
    new = repo.tree(commit).read(path)
    if new is None:
        return None
    if old is None:
        # Only the whole commit tells what is new in a file that it renames.
        return _brings(repo, commit, clash, wanted)
    added = (line for edit in line_edits(old, new) for line in edit.lines)
    lines = _wanted(added, wanted)
    return Blocker(commit, _subject(repo, commit), path, lines) if lines else None


def _brings(repo: Repo, commit: Oid, clash: Clash, wanted: set[bytes]) -> Blocker | None:
    for change in commit_patch(repo, commit).changes:
        if change.path != clash.path:
            continue
        if clash.ours is None and change.kind in ("create", "rename", "copy"):
            return Blocker(commit, _subject(repo, commit), clash.path, ())
        added = (line.text for hunk in change.hunks for line in hunk.lines if line.op == b"+")
        if lines := _wanted(added, wanted):
            return Blocker(commit, _subject(repo, commit), clash.path, lines)
    return None


def _wanted(added: Iterable[bytes], wanted: set[bytes]) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(x for line in added if (x := line.rstrip(b"\r\n")) in wanted))


def _subject(repo: Repo, commit: Oid) -> str:
    return shown(repo.message(commit).split(b"\n", 1)[0])


def _backported(repo: Repo, onto: Oid, fork: Oid | None) -> frozenset[str]:
    """The upstream commits, abbreviated, that the branch has under ids of its own and still holds."""
    log = islice(repo.log(onto, hide=(fork,) if fork else ()), _MOST_BACKPORTED)
    history = ((commit, repo.message(commit)) for commit in log)
    return frozenset(origin for _, _, named in standing(history) for origin in named)
