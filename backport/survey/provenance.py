# SPDX-License-Identifier: GPL-2.0-or-later
"""Where each commit of a branch comes from: from upstream, as it is or adapted, or from nowhere there yet.

What is nowhere upstream is the debt of a release that was made before its patches were tidied for master: a
list to work off, which shrinks when upstream has them.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from backport.errors import UsageError
from backport.gateway.commits import commit_patch
from backport.gateway.plain_answers import MAIL_OPTIONS, PLAIN_MAILS
from backport.gateway.repository import Repo
from backport.history.recall import statements_of
from backport.history.statements import Statement, stated
from backport.history.taken_back import Left
from backport.survey.carriage import telling_lines
from backport.survey.holding import Holdings
from backport.survey.lineage import Lineage, read_lineage
from backport.survey.lookalikes import find_lookalikes
from backport.survey.remembered import unproven
from series.model import Oid, Patch, shown
from series.reading.patch_ids import fingerprint

_DEEPEST = 3
"""Branches through which a commit may have come."""
_TURNED = {b"+": b"-", b"-": b"+"}
_LINT_SECONDS = 60
_LINT_LINES = 20


class Whence(StrEnum):
    """Where a commit is from."""

    UPSTREAM = "upstream"
    """It names its origin there."""
    SAME_SUBJECT = "upstream, by its subject"
    """It names none, and one commit there has its subject."""
    SAME_PATCH = "upstream, by its content"
    """It names none, and a commit there makes the same change under another subject."""
    ELSEWHERE = "not on upstream"
    """It names an origin that the repository has, and upstream does not reach."""
    UNKNOWN = "unknown origin"
    """It names an origin that the repository does not have, or more than one of that abbreviation."""
    REVERT = "a revert"
    """It says so, and takes something back of what it names."""
    NOWHERE = "nowhere upstream"
    MERGE = "a merge"


class Adapted(Struct, frozen=True):
    """How much a commit differs from its origin: lines that only one of the two changes, of all."""

    lines: int
    of: int
    shares_nothing: bool = False
    """Whether no line of the change is the origin's: the message may name the wrong commit."""

    @property
    def is_identical(self) -> bool:
        """The same changes, line numbers and white space aside."""
        return self.lines == 0


class Descent(Struct, frozen=True):
    """One commit of the branch."""

    commit: Oid
    subject: str
    when: int
    whence: Whence
    origins: tuple[str, ...] = ()
    adapted: Adapted | None = None
    """None where no single origin is there to compare with."""
    lint: tuple[str, ...] | None = None
    """What the linter says, None where it did not run; no lines where it has nothing to say."""
    unproven: tuple[str, ...] | None = None
    """What ``--notes`` has noted as not proven; None where nothing is noted of the commit."""
    reverted_by: Oid | None = None
    """A later commit of the branch that takes it back, or a part of it."""
    left: Left = Left.ALL
    """How much of it the branch still has."""
    void: Oid | None = None
    """A later commit that says that it reverts it, and takes nothing of it back."""
    emptied: tuple[bytes, ...] = ()
    """Files where it only added lines and none of them is there now: changed further, or taken back."""

    @property
    def is_gone(self) -> bool:
        """Whether the branch has nothing of it any more."""
        return self.left is Left.NONE


class Pedigree(Struct, frozen=True):
    """The commits of a branch, oldest first."""

    branch: str
    upstream: str
    since: str
    descents: tuple[Descent, ...]
    notes: tuple[str, ...] = ()


def trace(
    repo: Repo,
    branch: str,
    upstream: str | None,
    on_traced: Callable[[int, int], None],
    *,
    since: str | None = None,
    lint: str | None = None,
) -> Pedigree:
    """Trace the commits of ``branch`` behind ``since`` (None: where it left upstream).

    Cost on Xen: a second, and 10 ms a commit; with ``lint`` what that command takes.
    """
    lineage = read_lineage(repo, branch, upstream)
    hide: tuple[Oid, ...] = (lineage.upstream_tip,)
    if since is not None:
        start = repo.commit(since)
        if not repo.reaches(lineage.tip, start):
            raise UsageError(
                f"--since {since}: {branch} does not contain that commit",
                f"`git merge-base {since} {branch}` names where they part",
            )
        hide = (lineage.upstream_tip, start)
    own = statements_of(repo, tuple(repo.log(lineage.tip, hide)))
    by_subject = _by_subject(lineage.upstream)
    found = []
    noted = unproven(repo)
    holdings = Holdings(repo, lineage.tip, lineage.own)
    nameless = [
        one.commit
        for one in own
        if not one.origins and not one.reverts and len(by_subject.get(one.subject, ())) != 1
    ]
    changing = [one for one in nameless if len(repo.parents(one)) == 1]
    alike = find_lookalikes(repo, changing, lineage.upstream_tip, lineage.tip)
    for number, one in enumerate(reversed(own), 1):
        descent = _descent(repo, lineage, one, by_subject, alike.get(one.commit, ()))
        if lint is not None and descent.whence is not Whence.MERGE:
            descent = replace(descent, lint=run_linter(repo, lint, one.commit))
        held = holdings.of(one.commit)
        found.append(
            replace(
                descent,
                unproven=noted.get(one.commit),
                reverted_by=held.by,
                left=held.left,
                void=held.void,
                emptied=held.emptied,
            )
        )
        on_traced(number, len(own))
    named = since or f"where it left {lineage.upstream_name}"
    unread = [f"{oid[:12]} could not be read: {why}" for oid, why in holdings.unread.items()]
    notes = (*lineage.notes, *unread)
    return Pedigree(branch, lineage.upstream_name, named, tuple(found), notes)


def _by_subject(statements: Iterable[Statement]) -> dict[str, list[Oid]]:
    found: dict[str, list[Oid]] = {}
    for one in statements:
        found.setdefault(one.subject, []).append(one.commit)
    return found


def _descent(
    repo: Repo,
    lineage: Lineage,
    one: Statement,
    by_subject: dict[str, list[Oid]],
    alike: tuple[Oid, ...],
) -> Descent:
    found = Descent(one.commit, one.subject, one.when, Whence.NOWHERE, one.origins)
    if len(repo.parents(one.commit)) > 1:
        return replace(found, whence=Whence.MERGE)
    if one.origins:
        named = _named(repo, lineage, one.origins)
        on_upstream = [oid for oid in named if oid is not None and lineage.is_upstream(oid)]
        if on_upstream:
            adapted = _adapted(repo, one.commit, on_upstream)
            return replace(
                found, whence=Whence.UPSTREAM, origins=tuple(on_upstream), adapted=adapted
            )
        known = [oid for oid in named if oid is not None]
        if len(known) < len(named):
            return replace(found, whence=Whence.UNKNOWN)
        adapted = _adapted(repo, one.commit, known)
        return replace(found, whence=Whence.ELSEWHERE, origins=tuple(known), adapted=adapted)
    same = by_subject.get(one.subject, [])
    if len(same) == 1:
        adapted = _adapted(repo, one.commit, same)
        return replace(found, whence=Whence.SAME_SUBJECT, origins=tuple(same), adapted=adapted)
    if alike:
        adapted = _adapted(repo, one.commit, [alike[0]])
        return replace(found, whence=Whence.SAME_PATCH, origins=alike, adapted=adapted)
    return replace(found, whence=Whence.REVERT) if _reverts(repo, lineage, one) else found


def _reverts(repo: Repo, lineage: Lineage, one: Statement) -> bool:
    """Whether it takes back something of what its message says that it reverts."""
    here = telling_lines(commit_patch(repo, one.commit))
    undone = Counter({(_TURNED[op], text): count for (op, text), count in here.items()})
    for short in one.reverts:
        for target in _whole(repo, lineage, short):
            if len(repo.parents(target)) != 1:
                return True  # what a merge has brought is not compared
            there = telling_lines(commit_patch(repo, target))
            if undone & there or not there:
                return True
    return False


def _whole(repo: Repo, lineage: Lineage, short: str) -> tuple[Oid, ...]:
    """The commits that an abbreviated id may name."""
    found = lineage.ids.find(short)
    other = repo.find_commit(Oid(short)) if not found else None
    return (other,) if other is not None else found


def _named(
    repo: Repo, lineage: Lineage, origins: Iterable[str], deep: int = _DEEPEST
) -> list[Oid | None]:
    """The commits that are named: None for one that is not there, or ambiguous.

    One that is itself a backport, on another stable branch, is followed to its own origin.
    """
    found: list[Oid | None] = []
    for short in origins:
        whole = _whole(repo, lineage, short)
        oid = whole[0] if len(whole) == 1 else None
        if oid is not None and deep and not lineage.is_upstream(oid):
            further = stated(oid, 0, repo.message(oid)).origins
            beyond = _named(repo, lineage, further, deep - 1)
            if any(one is not None and lineage.is_upstream(one) for one in beyond):
                found += beyond
                continue
        found.append(oid)
    return list(dict.fromkeys(found))


def _adapted(repo: Repo, commit: Oid, origins: list[Oid]) -> Adapted | None:
    """How much a commit and its one origin differ; of several together nothing is said."""
    if len(origins) != 1 or len(repo.parents(origins[0])) != 1:
        return None
    here, there = commit_patch(repo, commit), commit_patch(repo, origins[0])
    if fingerprint(here.changes) == fingerprint(there.changes):
        return Adapted(0, sum(_changed(here).values()))
    ours, theirs = _changed(here), _changed(there)
    apart = (ours - theirs) + (theirs - ours)
    shares = telling_lines(here) & telling_lines(there)
    # Files that only one has, without a line of it, differ all the same.
    return Adapted(max(1, sum(apart.values())), sum((ours | theirs).values()), not shares)


def _changed(patch: Patch) -> Counter[tuple[bytes, bytes, bytes]]:
    """Every line that a patch adds or takes away, without its white space."""
    return Counter(
        (change.path, line.op, b"".join(line.text.split()))
        for change in patch.changes
        for hunk in change.hunks
        for line in hunk.lines
        if line.op != b" "
    )


def interdiff(repo: Repo, descent: Descent) -> str:
    """What was adapted, as ``git range-diff`` shows it; empty where there is nothing to compare."""
    if descent.adapted is None or descent.adapted.is_identical:
        return ""
    origin, commit = descent.origins[0], descent.commit
    return repo.git(
        "range-diff",
        "--no-color",
        "--no-dual-color",
        f"{origin}^..{origin}",
        f"{commit}^..{commit}",
    )


def run_linter(repo: Repo, command: str, commit: Oid) -> tuple[str, ...]:
    """What the user's linter says of a commit, which it gets as a mail on its standard input.

    It never fails anything: style is for people to judge.
    """
    words = (
        "--stdout",
        "--subject-prefix=PATCH",
        "--no-numbered",
        "--no-signoff",
        "--no-cover-letter",
    )
    mail = repo.git.read(*PLAIN_MAILS, "format-patch", *MAIL_OPTIONS, *words, "-1", commit)
    try:
        done = subprocess.run(
            ["sh", "-c", command],
            input=mail,
            cwd=repo.top,
            env=repo.environment.for_builds(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LINT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return (f"the linter took longer than {_LINT_SECONDS} s and was ended",)
    lines = [shown(line) for line in done.stdout.splitlines() if line.strip()]
    if done.returncode in (126, 127):
        return (f"the linter could not be run: {' '.join(lines)}",)
    more = (f"and {len(lines) - _LINT_LINES} more lines",) if len(lines) > _LINT_LINES else ()
    if not done.returncode:
        return ()
    return (*lines[:_LINT_LINES], *more) or (f"exit code {done.returncode}",)
