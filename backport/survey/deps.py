# SPDX-License-Identifier: GPL-2.0-or-later
"""What a patch needs that a branch lacks: the direct blockers, why, and what to do about each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from backport.gateway.repository import Repo
from backport.history.siblings import find_siblings, newer_branches
from backport.history.statements import Statement
from backport.survey.advice import Advice
from backport.survey.advisor import advise, mended_since
from backport.survey.carriage import Carriage
from backport.survey.digging import Digger, Evidence, Kind
from backport.survey.elsewhere import Elsewhere
from backport.survey.lineage import read_lineage
from backport.survey.outlooks import Fate, Judge, View
from series.model import Oid, Patch, shown

_ONLY_CLASHES = "no commit of it is known here: only what clashes was looked for"


class Need(Struct, frozen=True):
    """A direct blocker; ``pulls`` are its own direct blockers."""

    commit: Oid
    subject: str
    evidence: tuple[Evidence, ...]
    advice: Advice = Advice.ADAPT
    because: str = ""
    pulls: tuple[Oid, ...] = ()
    on: tuple[str, ...] = ()
    """Newer stable branches that have it."""


class Needs(Struct, frozen=True):
    """What one patch needs: ``view`` is what comes of it as it is."""

    subject: str
    commit: Oid | None
    view: View
    needs: tuple[Need, ...]
    note: str = ""
    closure: tuple[Oid, ...] | None = None
    """Everything that the blockers need in their turn, where that was asked for."""
    cut: bool = False
    """Whether the closure is larger than what was looked at."""


def find_needs(
    repo: Repo,
    branch: str,
    upstream: str | None,
    patches: Iterable[Patch],
    on_done: Callable[[int, int], None],
    *,
    closure: bool = False,
) -> tuple[Needs, ...]:
    """What each patch, by itself, needs that ``branch`` lacks."""
    lineage = read_lineage(repo, branch, upstream)
    carriage = Carriage(repo, lineage)
    digger = Digger(repo, lineage, carriage)
    siblings = find_siblings(repo, branch, ("auto",)).siblings
    judge = Judge(repo, lineage.tip, lineage.upstream_tip, branch, siblings)
    newer = Elsewhere(repo, lineage, newer_branches(repo, branch))
    since = mended_since(lineage)
    given = tuple(patches)
    found = []
    for number, patch in enumerate(given, 1):
        made_on = _made_on(repo, patch)
        blockers = digger.of_patch(patch, made_on)
        view = judge.view_of(patch, blockers=False)
        needs = []
        for commit, evidence in blockers.items():
            on = tuple(name for name, _ in newer.versions(commit))
            need = Need(
                commit,
                shown(repo.message(commit).split(b"\n", 1)[0]),
                evidence,
                pulls=tuple(digger.of_commit(commit)),
                on=on,
            )
            own = judge.view(commit, blockers=False)
            needs.append(_advised(need, view, own, repo, partial(_mended, since, carriage, commit)))
        unknown = () if made_on else (_ONLY_CLASHES,)
        whole, cut = digger.closure(blockers) if closure else (None, False)
        subject = shown(patch.subject)
        note = "; ".join((*unknown, *lineage.notes))
        found.append(Needs(subject, patch.commit, view, tuple(needs), note, whole, cut))
        on_done(number, len(given))
    return tuple(found)


def _made_on(repo: Repo, patch: Patch) -> Oid | None:
    if patch.parent is not None:
        return patch.parent
    own = repo.known_commit(patch)
    parents = repo.parents(own) if own is not None else ()
    return parents[0] if len(parents) == 1 else None


def _mended(
    since: Mapping[Oid, Sequence[Statement]], carriage: Carriage, commit: Oid
) -> list[Statement]:
    """What has mended a commit since, and the branch lacks."""
    return [one for one in since.get(commit, ()) if carriage.is_lacked(one.commit)]


def _advised(
    need: Need, patch: View, own: View, repo: Repo, mended: Callable[[], Sequence[Statement]]
) -> Need:
    if patch.fate is Fate.THERE:
        return replace(need, because="the branch has all of the patch")
    if patch.fate is Fate.GOES_ON and Kind.NAMES not in {one.kind for one in need.evidence}:
        return replace(need, because="the patch goes on without it")
    found = advise(repo, need.commit, own, mended, lambda: need.pulls, need.on)
    return replace(need, advice=found.advice, because=found.because)
