# SPDX-License-Identifier: GPL-2.0-or-later
"""What a patch needs that a branch lacks: the direct blockers, why, and what to do about each.

Direct blockers and never the whole closure, unless that is asked for: it explodes (median 7 commits, 90th
percentile 331).  Of 15 real conflicts 14 had their blockers named, and in 11 the maintainer adapted the patch
instead of taking them: so what is taken must go on by itself and bring nothing else along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from backport.counted import counted
from backport.gateway.commits import commit_patch
from backport.gateway.repository import Repo
from backport.history.missing_names import Setting, Suspect, find_lacking
from backport.history.siblings import find_siblings, newer_branches
from backport.history.statements import Statement, standing
from backport.history.upstream import find_blockers
from backport.pick.patch import pick_patch
from backport.survey.carriage import Carriage
from backport.survey.elsewhere import Elsewhere
from backport.survey.line_origins import lines_beneath
from backport.survey.lineage import Lineage, read_lineage
from backport.survey.outlooks import Fate, Judge, View
from series.model import Oid, Patch, shown

_MOST_NAMES = 8
_WIDE = 10
"""Files; a commit that touches more is not taken for one fix."""
_MOST_CLOSURE = 2000
_ONLY_CLASHES = "no commit of it is known here: only what clashes was looked for"


class Kind(StrEnum):
    """What points to a blocker."""

    LINES = "lines"
    """It wrote lines that the patch works on."""
    CLASH = "clash"
    """The patch clashes for want of it."""
    NAMES = "names"
    """It brought a name that the patch uses."""


class Advice(StrEnum):
    """What to do about a blocker."""

    TAKE = "take"
    ADAPT = "adapt without it"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that points to a blocker, in words."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Need:
    """A direct blocker; ``pulls`` are its own direct blockers."""

    commit: Oid
    subject: str
    evidence: tuple[Evidence, ...]
    advice: Advice = Advice.ADAPT
    because: str = ""
    pulls: tuple[Oid, ...] = ()
    on: tuple[str, ...] = ()
    """Newer stable branches that have it."""


@dataclass(frozen=True, slots=True)
class Needs:
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


@dataclass
class Digger:
    """Finds blockers for one branch; what was found of a commit is kept."""

    repo: Repo
    lineage: Lineage
    carriage: Carriage
    _known: dict[Oid, dict[Oid, tuple[Evidence, ...]]] = field(default_factory=dict)

    def of_commit(self, commit: Oid) -> dict[Oid, tuple[Evidence, ...]]:
        """The direct blockers of an upstream commit, by what it is made on."""
        if commit not in self._known:
            parents = self.repo.parents(commit)
            found: dict[Oid, tuple[Evidence, ...]] = {}
            if len(parents) == 1:
                found = self.of_patch(commit_patch(self.repo, commit), parents[0])
            self._known[commit] = found
        return self._known[commit]

    def of_patch(self, patch: Patch, made_on: Oid | None) -> dict[Oid, tuple[Evidence, ...]]:
        """The direct blockers of a patch, the newest first."""
        found: dict[Oid, list[Evidence]] = {}
        if made_on is not None:
            self._lines(patch, made_on, found)
            self._names(patch, made_on, found)
        self._clashes(patch, found)
        order = {one.commit: at for at, one in enumerate(self.lineage.upstream)}
        kept = sorted(found, key=lambda oid: order.get(oid, len(order)))
        return {
            oid: tuple(found[oid])
            for oid in kept
            if oid != patch.commit and self.carriage.is_lacked(oid)
        }

    def _lines(self, patch: Patch, made_on: Oid, found: dict[Oid, list[Evidence]]) -> None:
        by_file: dict[tuple[Oid, bytes], list[bytes]] = {}
        for line in lines_beneath(self.repo, patch, made_on, self.lineage.tip):
            if not self.carriage.is_lacked(line.commit):  # the edge of what was asked for
                continue
            by_file.setdefault((line.commit, line.path), []).append(line.text)
        for (commit, path), lines in by_file.items():
            telling = next((x.strip() for x in lines if len(x.strip()) > 2), lines[0].strip())
            beyond = len(lines) - 1
            more = f" and {beyond} more line{'s' * (beyond > 1)}" if beyond else ""
            text = f"wrote {shown(telling)!r}{more}, where it works in {shown(path)}"
            found.setdefault(commit, []).append(Evidence(Kind.LINES, text))

    def _names(self, patch: Patch, made_on: Oid, found: dict[Oid, list[Evidence]]) -> None:
        tree, here = self.repo.tree(made_on), self.repo.tree(self.lineage.tip)
        own = self.repo.known_commit(patch)
        made = self.repo.tree(own) if own is not None else tree
        suspect = Suspect(0, patch, Setting(here, made, tree, None))
        lacking = find_lacking(self.repo, here, [suspect], [patch]).get(0, ())
        for name in lacking[:_MOST_NAMES]:
            commit = self._bringing(name.decode(), made_on)
            if commit is not None:
                text = f"brought {name.decode()}, which it uses"
                found.setdefault(commit, []).append(Evidence(Kind.NAMES, text))

    def _bringing(self, name: str, made_on: Oid) -> Oid | None:
        """The oldest commit behind the branch that changes how often a name stands in the files that
        have it."""
        listed = self.repo.git(
            "grep", "-l", "-w", "-F", "--full-name", name, made_on, cwd=self.repo.top
        )
        files = [line.partition(":")[2] for line in listed.split("\n") if line]
        paths = [f":(literal){path}" for path in files[:_MOST_NAMES]]
        words = ("log", "--format=%H", "--no-merges", f"-S{name}", made_on, f"^{self.lineage.tip}")
        commits = self.repo.git(*words, "--", *paths).split()
        return Oid(commits[-1]) if commits else None

    def _clashes(self, patch: Patch, found: dict[Oid, list[Evidence]]) -> None:
        objects, tree = self.repo.objects, self.repo.tree(self.lineage.tip)
        picked = pick_patch(objects, tree, patch, lambda: self.repo.made_on(patch))
        if picked.clean:
            return
        blockers = find_blockers(
            self.repo,
            self.lineage.upstream_tip,
            self.lineage.tip,
            patch,
            picked.clashes,
            frozenset(),
        )
        for one in blockers:
            deed = one.explain().removeprefix(f"{one.commit[:12]} {one.subject!r} ")
            text = f"{deed}, where it clashes"
            found.setdefault(one.commit, []).append(Evidence(Kind.CLASH, text))

    def closure(self, commits: Iterable[Oid]) -> tuple[tuple[Oid, ...], bool]:
        """All that commits need in their turn, oldest first; whether there is more than is looked at."""
        found: dict[Oid, None] = {}
        waiting = list(commits)
        while waiting and len(found) < _MOST_CLOSURE:
            at = waiting.pop()
            if at not in found:
                found[at] = None
                waiting += self.of_commit(at)
        order = {one.commit: at for at, one in enumerate(self.lineage.upstream)}
        kept = sorted(found, key=lambda oid: order.get(oid, len(order)), reverse=True)
        return tuple(kept), bool(waiting)


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
    since = _mended_since(lineage)
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
            mended = [x for x in since.get(commit, ()) if carriage.is_lacked(x.commit)]
            needs.append(_advised(need, view, judge.view(commit, blockers=False), repo, mended))
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


def _mended_since(lineage: Lineage) -> dict[Oid, list[Statement]]:
    """By commit: what upstream has done since to mend it, or to take it back.

    What upstream has reverted in its turn counts no more.
    """
    found: dict[Oid, list[Statement]] = {}
    for one in standing(lineage.upstream):
        for short in (*one.fixes, *one.amends, *one.reverts):
            whole = lineage.ids.find(short)
            if len(whole) == 1:
                found.setdefault(whole[0], []).append(one)
    return found


def _advised(need: Need, patch: View, own: View, repo: Repo, mended: Sequence[Statement]) -> Need:
    kinds = {one.kind for one in need.evidence}
    if patch.fate is Fate.THERE:
        return replace(need, because="the branch has all of the patch")
    goes_on = patch.fate is Fate.GOES_ON
    if goes_on and Kind.NAMES not in kinds:
        return replace(need, because="the patch goes on without it")
    if mended:
        first = mended[-1]
        what = "reverted" if first.reverts else "mended"
        because = f"upstream has {what} it since: {first.commit[:12]} {first.subject!r}"
        return replace(need, advice=Advice.WAIT, because=because)
    wide = len(commit_patch(repo, need.commit).changes)
    if wide > _WIDE:
        return replace(need, because=f"it changes {counted(wide, 'file')}")
    if own.fate is not Fate.GOES_ON:
        return replace(need, because=f"it does not go on by itself: {own.fate}")
    if need.pulls:
        return replace(need, because=f"it needs {counted(len(need.pulls), 'commit')} more")
    where = f", and {', '.join(need.on)} took it" if need.on else ""
    return replace(
        need, advice=Advice.TAKE, because=f"it goes on by itself and needs nothing else{where}"
    )
