# SPDX-License-Identifier: GPL-2.0-or-later
"""What upstream has and a stable branch should have, as far as messages state it.

* a later commit that fixes or amends what the branch carries, or what it is owed;
* a revert of what it carries;
* a commit that asks for it (``Backport: 4.17+``);
* what a newer stable branch has taken.

A commit that upstream has reverted since is not owed, nor is one whose subject a commit of the branch has
that names no origin.  Fixes to what the branch had before it left upstream are counted, and listed when
asked for: most are for code that nobody complains of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from backport.gateway.repository import Repo
from backport.history.other_branch import Sibling
from backport.history.presence import ABBREVIATED
from backport.history.recall import own_of, statements_of
from backport.history.statements import Statement, carried, standing
from backport.survey.lineage import Lineage
from series.model import Oid


class Why(StrEnum):
    """The reason for which a commit is owed, the strongest first."""

    REVERTS = "reverts"
    FIXES = "fixes"
    AMENDS = "amends"
    ASKS = "asks"
    NEWER = "newer"
    FIXES_BASE = "fixes base"
    """What the branch had before it left upstream."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One reason: ``of`` is the commit that is mended, or a word: a version, names of branches."""

    why: Why
    of: str
    subject: str = ""
    here: Oid | None = None
    """The commit of the branch that carries ``of``."""
    weak: bool = False
    """What it mends is itself owed for no better reason than that newer branches have it."""

    @property
    def rank(self) -> int:
        """The strongest reasons have the lowest number."""
        return list(Why).index(Why.NEWER if self.weak else self.why)


@dataclass(frozen=True, slots=True)
class Owed:
    """A commit of upstream, or (``on``) one that a newer branch alone has."""

    commit: Oid
    subject: str
    when: int
    claims: tuple[Claim, ...]
    on: str = ""
    mends_absent: tuple[str, ...] = ()
    """What it says that it mends, and the branch does not have."""

    @property
    def strongest(self) -> Claim:
        """The reason that counts most."""
        return min(self.claims, key=lambda claim: claim.rank)

    @property
    def is_strong(self) -> bool:
        """Whether more speaks for it than that newer branches have it."""
        return self.strongest.rank < list(Why).index(Why.NEWER)


@dataclass(frozen=True, slots=True)
class Account:
    """All that was looked at: the numbers add up to the commits of upstream that the branch lacks."""

    owed: tuple[Owed, ...]
    looked_at: int
    carried: int
    by_subject: int
    reverted: int
    base_fixes: int
    """Fixes to what the branch had before; not among ``owed`` unless asked for."""
    nothing: int
    """Commits that no reason speaks for."""
    unresolved: tuple[tuple[Oid, str], ...]
    """A commit, and an id in its message that names none, or more than one."""
    without_origin: Mapping[str, int]
    """By newer branch: commits that name no origin, and were not compared."""


def find_owed(
    repo: Repo, lineage: Lineage, newer: Sequence[Sibling], *, base: bool = False
) -> Account:
    """Everything that is owed; ``newer`` are the branches to compare with."""
    stands = {one.commit for one in standing(lineage.upstream)}
    found: dict[Oid, Owed] = {}
    unresolved: list[tuple[Oid, str]] = []
    counts = dict.fromkeys(("carried", "subject", "reverted", "base", "nothing"), 0)
    taken, without = _taken(repo, lineage, newer)
    for one in reversed(lineage.upstream):
        if lineage.has(one.commit):
            counts["carried"] += 1
        elif one.commit not in stands:
            counts["reverted"] += 1
        elif one.subject in lineage.subjects and not one.reverts:
            counts["subject"] += 1
        else:
            owed, fixes_base = _judge(lineage, one, found, unresolved, taken)
            if owed is not None and (base or any(c.why is not Why.FIXES_BASE for c in owed.claims)):
                found[one.commit] = owed
            else:
                counts["base" if fixes_base else "nothing"] += 1
    elsewhere = _elsewhere(lineage, taken, found)
    return Account(
        _strongest_first((*found.values(), *elsewhere)),
        len(lineage.upstream),
        counts["carried"],
        counts["subject"],
        counts["reverted"],
        counts["base"],
        counts["nothing"],
        tuple(unresolved),
        without,
    )


def _strongest_first(owed: Iterable[Owed]) -> tuple[Owed, ...]:
    """By the strongest reason, the oldest first: what mends the branch comes before what others have."""
    return tuple(sorted(owed, key=lambda one: (one.strongest.rank, one.when)))


def _judge(
    lineage: Lineage,
    one: Statement,
    found: Mapping[Oid, Owed],
    unresolved: list[tuple[Oid, str]],
    taken: Mapping[str, list[tuple[str, Statement]]],
) -> tuple[Owed | None, bool]:
    claims: list[Claim] = []
    absent: list[str] = []
    for why, ids in ((Why.FIXES, one.fixes), (Why.AMENDS, one.amends), (Why.REVERTS, one.reverts)):
        for short in ids:
            whole = lineage.ids.find(short)
            if len(whole) != 1:
                unresolved.append((one.commit, short))
                continue
            target = whole[0]
            here = lineage.carried.get(target[:ABBREVIATED])
            if here is not None:
                claims.append(Claim(why, target, here.subject, here.commit))
            elif target in found and why is not Why.REVERTS:
                weak = not found[target].is_strong
                claims.append(Claim(why, target, found[target].subject, weak=weak))
            elif target in lineage.shared and why is not Why.REVERTS:
                claims.append(Claim(Why.FIXES_BASE, target))
            elif target not in lineage.shared:
                absent.append(target)
    claims += (Claim(Why.ASKS, str(ask)) for ask in one.asks if ask.means(lineage.version))
    versions = taken.get(one.commit[:ABBREVIATED], ())
    if versions:
        names = ", ".join(dict.fromkeys(name for name, _ in versions))
        claims.append(Claim(Why.NEWER, names, "", versions[0][1].commit))
    fixes_base = any(claim.why is Why.FIXES_BASE for claim in claims)
    if not claims:
        return None, False
    return Owed(one.commit, one.subject, one.when, tuple(claims), "", tuple(absent)), fixes_base


def _taken(
    repo: Repo, lineage: Lineage, newer: Sequence[Sibling]
) -> tuple[dict[str, list[tuple[str, Statement]]], dict[str, int]]:
    """By origin: the newer branches that have it, nearest first, with their commits."""
    found: dict[str, list[tuple[str, Statement]]] = {}
    without: dict[str, int] = {}
    here = {one.commit for one in lineage.own}
    for branch in newer:
        name = branch.name
        reached = own_of(repo, branch.tip, lineage.upstream_tip)
        own = statements_of(repo, [one for one in reached if one not in here])
        without[name] = sum(not one.origins for one in own)
        for origin, one in carried(own).items():
            found.setdefault(origin, []).append((name, one))
    return found, without


def _elsewhere(
    lineage: Lineage,
    taken: Mapping[str, list[tuple[str, Statement]]],
    found: Mapping[Oid, Owed],
) -> Iterable[Owed]:
    """What newer branches have of an origin that upstream does not reach."""
    known = {one.commit[:ABBREVIATED] for one in lineage.upstream}
    known |= {one[:ABBREVIATED] for one in lineage.shared}
    seen: set[Oid] = set(found)
    for origin, versions in taken.items():
        name, one = versions[0]
        if origin in known or origin in lineage.carried or one.commit in seen:
            continue
        if one.subject in lineage.subjects or any(o in known for o in one.origins):
            continue
        seen.add(one.commit)
        names = ", ".join(dict.fromkeys(name for name, _ in versions))
        claim = Claim(Why.NEWER, names, "", one.commit)
        yield Owed(one.commit, one.subject, one.when, (claim,), name)
