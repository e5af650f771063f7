# SPDX-License-Identifier: GPL-2.0-or-later
"""What a patch that does not go on is waiting for, found in upstream's history.

Only direct blockers: the commits that wrote the very lines (or the file) the patch expects, or took away
lines that stand in its way here.  The full closure explodes (median 7, 90th percentile 331 commits); the
direct blockers number 2 in the median and named the needed commit in 88 of 90 real cases.  The patch's own
parent on upstream is a blocker like any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from backport.gateway.commits import commit_patch
from backport.gateway.repository import Repo
from backport.gateway.text_diff import line_edits
from backport.history.conflict_lines import Wanted, wanted_lines
from backport.history.index.ledger import ledger_of
from backport.history.presence import unreverted
from backport.history.spans import Span, read_span
from backport.pick.outcome import Clash
from series.lines import split_lines
from series.model import FileChange, Oid, Patch, shown
from series.reading.trailers import upstream_commit

_MOST_COMMITS = 400
"""Commits on one path that are looked into, newest first."""


class Deed(Enum):
    """What a blocker does to the file."""

    WRITES = "writes"
    REMOVES = "removes"
    CREATES = "creates"
    DELETES = "deletes"


class Blocker(Struct, frozen=True):
    """An upstream commit that a patch needs: it writes (or removes) ``lines`` of ``path``."""

    commit: Oid
    subject: str
    path: bytes
    lines: tuple[bytes, ...]
    deed: Deed = Deed.WRITES
    sure: bool = True
    """False where only lines that stand elsewhere, too, point to it: it is named and never taken unasked."""

    def explain(self) -> str:
        """One line for a person."""
        path = shown(self.path)
        head = f"{self.commit[:12]} {self.subject!r} {self.deed.value}"
        if not self.lines:
            return f"{head} {path}"
        line = shown(self.lines[0].strip())
        count = len(self.lines) - 1
        more = f" and {count} more line{'s' * (count > 1)}" if count else ""
        return f"{head} {line!r}{more} in {path}"


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
    own = _own_parent(repo, upstream, patch)
    span = ledger_of(repo).span(onto, upstream) or read_span(repo, onto, upstream)
    fork = span.hidden
    backported = _backported(span)
    found: dict[Oid, Blocker] = {}
    for clash in clashes:
        change = _change(patch, clash)
        path = change.old_path if change is not None and change.old_path else clash.path
        touching = _touching(repo, own or upstream, fork, path)
        if own is None:
            touching = _up_to(repo, touching, path, clash.base)
        commits = [c for c in touching if c not in have and c[:12] not in backported]
        for rank, wanted in enumerate(wanted_lines(repo.objects, clash, change)):
            named = _search(repo, commits, path, clash, change, wanted)
            if named:
                found |= {one.commit: replace(one, sure=not rank) for one in named}
                break
    return tuple(reversed(found.values()))


def _search(
    repo: Repo,
    commits: Iterable[Oid],
    path: bytes,
    clash: Clash,
    change: FileChange | None,
    wanted: Wanted,
) -> list[Blocker]:
    """Those of ``commits`` (newest first) that had a hand in the wanted lines."""
    found = []
    here, away = set(wanted.missing), set(wanted.extra)
    for commit in commits:
        blocker = _deed(repo, commit, path, clash, change, Wanted(tuple(here), tuple(away)))
        if blocker is None:
            continue
        found.append(blocker)
        (away if blocker.deed is Deed.REMOVES else here).difference_update(blocker.lines)
        if not here and not away:
            break
    return found


def _change(patch: Patch, clash: Clash) -> FileChange | None:
    """The change that clashed, also where its file has another name on the branch."""
    for change in patch.changes:
        if clash.path in (change.old_path, change.new_path):
            return change
    base = clash.base or "-"
    named = (c for c in patch.changes if c.old_blob and base.startswith(c.old_blob))
    return next(named, None)


def _own_parent(repo: Repo, upstream: Oid, patch: Patch) -> Oid | None:
    """What the patch was made on, where upstream has it; None where that is not known."""
    for named in (patch.commit, upstream_commit(patch)):
        # A commit id from a stranger's mail may name nothing here.
        commit = repo.find_commit(named) if named is not None else None
        parents = repo.parents(commit) if commit is not None else ()
        if commit is not None and parents and repo.reaches(upstream, commit):
            return parents[0]
    return None


def _touching(repo: Repo, start: Oid, fork: Oid | None, path: bytes) -> list[Oid]:
    words = ["log", f"-{_MOST_COMMITS}", "--no-merges", "--format=%H", start]
    if fork:
        words.append(f"^{fork}")
    name = path.decode("utf-8", "surrogateescape")
    # git runs at the top of the worktree.  With `top` it would not ask its index of changed paths: 0.21 s
    # for 0.04 (revision.c, forbid_bloom_filters).
    return [Oid(line) for line in repo.git(*words, "--", f":(literal){name}").splitlines()]


def _up_to(repo: Repo, commits: list[Oid], path: bytes, base: Oid | None) -> list[Oid]:
    """The commits up to the one that left the file as the patch was made from it, if one did."""
    for at, commit in enumerate(commits if base is not None else ()):
        entry = repo.tree(commit).entry(path)
        if entry is not None and entry.oid == base:
            return commits[at:]
    return commits


def _deed(
    repo: Repo, commit: Oid, path: bytes, clash: Clash, change: FileChange | None, wanted: Wanted
) -> Blocker | None:
    parents = repo.parents(commit)
    old = repo.tree(parents[0]).read(path) if parents else None
    new = repo.tree(commit).read(path)
    if new is None:
        makes = change is not None and change.kind == "create" and clash.ours is not None
        return Blocker(commit, _subject(repo, commit), path, (), Deed.DELETES) if makes else None
    if old is None:
        # Only the whole commit tells what is new in a file that it renames.
        return _brings(repo, commit, path, clash, wanted)
    edits = line_edits(old, new)
    lines = _among((line for edit in edits for line in edit.lines), wanted.missing)
    if lines:
        return Blocker(commit, _subject(repo, commit), path, lines)
    if not wanted.extra:
        return None
    before = split_lines(old)
    gone = (line for x in edits for line in before[x.start : x.start + x.count])
    lines = _among(gone, wanted.extra)
    return Blocker(commit, _subject(repo, commit), path, lines, Deed.REMOVES) if lines else None


def _brings(repo: Repo, commit: Oid, path: bytes, clash: Clash, wanted: Wanted) -> Blocker | None:
    for change in commit_patch(repo, commit).changes:
        if change.path != path:
            continue
        if clash.ours is None and change.kind in ("create", "rename", "copy"):
            return Blocker(commit, _subject(repo, commit), path, (), Deed.CREATES)
        added = (line.text for hunk in change.hunks for line in hunk.lines if line.op == b"+")
        if lines := _among(added, wanted.missing):
            return Blocker(commit, _subject(repo, commit), path, lines)
    return None


def _among(lines: Iterable[bytes], wanted: tuple[bytes, ...]) -> tuple[bytes, ...]:
    some = frozenset(wanted)
    return tuple(dict.fromkeys(x for line in lines if (x := line.rstrip(b"\r\n")) in some))


def _subject(repo: Repo, commit: Oid) -> str:
    return shown(repo.message(commit).split(b"\n", 1)[0])


def _backported(span: Span) -> frozenset[str]:
    """The upstream commits, abbreviated, that the branch has under ids of its own and still holds."""
    standing = unreverted(entry.references for entry in span.entries)
    return frozenset(origin for one in standing for origin in one.origins)
