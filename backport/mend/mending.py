# SPDX-License-Identifier: GPL-2.0-or-later
"""A series proven step by step, mended where it does not build, and proven again.

The last tree is the same object as before, or nothing is offered.  A step that could not be judged ends the
search: what a machine's fault looks like is no error of a patch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from backport.config import Settings
from backport.errors import CannotTest, StepFailed, Unaccounted, UsageError
from backport.gateway.commits import read_author
from backport.gateway.identity import Signature
from backport.gateway.repository import Repo
from backport.mend.absorbing import absorb
from backport.mend.folding import fold_marked
from backport.mend.lineup import Lineup, Stage
from backport.mend.search import Search
from backport.mend.suspects import Suspects, complaint_of, explained, on_upstream
from backport.run.journal import Journal
from backport.run.last_moves import Move, RefMove, remember
from backport.run.request import Progress
from backport.run.signed import signed_on
from backport.validate.core import settled
from backport.validate.prover import Prover, Target
from backport.verdicts import State, StepVerdict
from series.model import Oid

_GOOD = (State.PASSED, State.ABSENT)


@dataclass(frozen=True, slots=True)
class Broken:
    """A step that did not build, why, and what became of it."""

    number: int
    """Its place in the series as it was, from 1."""
    subject: str
    why: tuple[str, ...]
    mended: str
    """What repaired it; empty where nothing did."""
    advice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mended:
    """The series as it was and as it is now; ``commits`` are those of the new one, in order."""

    start: Oid
    before: tuple[Target, ...]
    failed: tuple[int, ...]
    """The numbers of the steps that did not build."""
    broken: tuple[Broken, ...]
    lineup: Lineup
    commits: tuple[Oid, ...]
    verdicts: tuple[StepVerdict, ...]
    notes: tuple[str, ...]
    builds: int
    same_end: bool
    """False where what was staged has gone into it."""

    @property
    def changed(self) -> bool:
        """Whether there is anything to offer."""
        return self.commits != tuple(target.commit for target in self.before)

    @property
    def left(self) -> tuple[StepVerdict, ...]:
        """The steps that still do not build."""
        return tuple(verdict for verdict in self.verdicts if verdict.failed)


def mend(
    repo: Repo,
    settings: Settings,
    start: Oid,
    targets: Sequence[Target],
    progress: Progress,
    *,
    staged: Oid | None = None,
) -> Mended:
    """Mend the commits of ``targets``, which stand one on the other upon ``start``.

    ``staged`` is a tree whose difference to the last one is given to the commits that it belongs to.

    Raises `UsageError` where they do not, `StepFailed` where ``start`` itself does not build, `CannotTest`
    where a step could not be judged.
    """
    _refuse_merges(repo, start, targets)
    stages = tuple(
        Stage(target.commit, target.subject, repo.tree(target.commit).id) for target in targets
    )
    was = Lineup(repo.tree(start).id, stages)
    settings, _ = settled(settings, (repo.tree(t.commit) for t in reversed(targets)))
    with Journal(repo.state_dir).locked(), Prover(repo, settings) as prover:
        prover.note = progress.note
        for note in prover.notes:
            progress.note(note)
        work = _Work(repo, prover, start, progress, targets)
        progress.phase("mend", len(targets))
        _refuse_base(work, start)
        first = [work.prove(was, at) for at in range(len(stages))]
        failed = tuple(v.number for v in first if v.failed)
        given: tuple[str, ...] = ()
        wanted = was
        if staged is not None:
            absorbed = absorb(repo, was, staged)
            wanted, given = absorbed.lineup, absorbed.given
            given += (
                (f"belongs to none of them, and stays staged: {absorbed.left}",)
                if absorbed.left
                else ()
            )
        lineup, notes = fold_marked(repo, wanted)
        lineup, broken = _mended(work, lineup, settings)
        if lineup.end != wanted.end:
            raise Unaccounted("the mended series ends in another tree")
        commits = work.commits(lineup)
        verdicts = tuple(work.prove(lineup, at) for at in range(len(lineup.stages)))
        if commits != tuple(t.commit for t in targets):
            _confirm(work, lineup, was, verdicts)
    return Mended(
        *(start, tuple(targets), failed, broken, lineup, commits, verdicts),
        *((*given, *notes), work.built, was.end == lineup.end),
    )


def _mended(work: _Work, lineup: Lineup, settings: Settings) -> tuple[Lineup, tuple[Broken, ...]]:
    suspects = Suspects(work.repo)
    search = Search(suspects, work.prove, work.known_good)
    broken: list[Broken] = []
    at = 0
    while at < len(lineup.stages):
        verdict = work.prove(lineup, at)
        if verdict.state in _GOOD:
            at += 1
            continue
        stage, complaint = lineup.stages[at], complaint_of(verdict)
        why = explained(suspects, lineup, at, complaint) or verdict.verdicts[0].lines[:3]
        new = search.mend(lineup, at, verdict)
        advice: tuple[str, ...] = ()
        how = ""
        if new is not None:
            how = _deed(lineup, new)
            work.progress.note(f"step {at + 1} '{stage.subject}': {how}")
        elif settings.upstream is not None:
            advice = on_upstream(work.repo, work.start, settings.upstream, complaint)
        number = work.numbers[stage.source]
        broken.append(Broken(number, stage.subject, why, how, advice))
        if new is None:
            at += 1
        else:
            lineup = new
    return lineup, tuple(broken)


def _deed(old: Lineup, new: Lineup) -> str:
    """What was done last, in words: the note that the new lineup has and the old one has not."""
    known = {(stage.source, note) for stage in old.stages for note in stage.notes}
    fresh = [
        f"'{stage.subject}' {note}"
        for stage in new.stages
        for note in stage.notes
        if (stage.source, note) not in known and not note.startswith("took from")
    ]
    return "; ".join(fresh)


def _refuse_merges(repo: Repo, start: Oid, targets: Sequence[Target]) -> None:
    """Raise `UsageError` where the commits do not stand one on the other."""
    below = start
    for target in targets:
        if repo.parents(target.commit) != (below,):
            raise UsageError(
                f"{target.commit[:12]} '{target.subject}' does not stand on {below[:12]}: there is a merge"
                " among the commits, or beside them",
                "mend the commits of one line: --range A..B without merges",
            )
        below = target.commit


def _refuse_base(work: _Work, start: Oid) -> None:
    verdict = work.prover.prove_one(Target(0, start, "(the start)"), audit=False)
    if verdict.failed:
        raise StepFailed(
            f"the tree before the first patch does not build:\n{verdict.explain()}",
            "mend that first: no patch of the series is to blame",
        )
    _refuse_unclear(verdict)


def _refuse_unclear(verdict: StepVerdict) -> None:
    if verdict.state is State.CANNOT_TELL:
        raise CannotTest(
            f"step {verdict.number} '{verdict.subject}' could not be judged, so nothing was mended:\n"
            f"{verdict.explain()}"
        )


def _confirm(work: _Work, lineup: Lineup, was: Lineup, verdicts: Sequence[StepVerdict]) -> None:
    """Have a whole build come to the same for each step whose tree is new."""
    old = {stage.tree for stage in was.stages}
    for at, stage in enumerate(lineup.stages):
        target = work.target(lineup, at)
        if stage.tree not in old and not work.prover.bears_out(target, verdicts[at]):
            raise CannotTest(
                f"a whole build of '{stage.subject}' comes to another verdict than the one that was"
                " used, so the mended series is not offered",
                "run it again: what was found is in the cache; or build in full: `--audit 1`",
            )


class _Work:
    """What proves the steps of lineups, and makes their commits."""

    def __init__(
        self,
        repo: Repo,
        prover: Prover,
        start: Oid,
        progress: Progress,
        targets: Sequence[Target],
    ) -> None:
        self.repo = repo
        self.prover = prover
        self.start = start
        self.progress = progress
        self.built = 0
        self.numbers = {target.commit: target.number for target in targets}
        """Of the commits as they were."""
        self._who = repo.committer()
        self._known: dict[Oid, StepVerdict] = {}
        prover.begun = lambda target, what: progress.under_way(
            target.number, len(targets), target.subject, what
        )

    def prove(self, lineup: Lineup, at: int) -> StepVerdict:
        """The verdict on a step; each tree is built once.  Raises `CannotTest`."""
        stage = lineup.stages[at]
        known = self._known.get(stage.tree)
        if known is None:
            known = self.prover.prove_one(self.target(lineup, at), audit=False)
            self.built += not known.verdicts[0].cached
            _refuse_unclear(known)
            self._known[stage.tree] = known
            self.progress.verdict(at + 1, len(lineup.stages), replace(known, number=at + 1))
        return replace(known, number=at + 1, subject=stage.subject)

    def known_good(self, lineup: Lineup) -> tuple[int, ...]:
        """The places of the steps that were found to build."""
        known = ((at, self._known.get(stage.tree)) for at, stage in enumerate(lineup.stages))
        return tuple(at for at, verdict in known if verdict and verdict.state in _GOOD)

    def target(self, lineup: Lineup, at: int) -> Target:
        """A step as what is to be proven: a verdict is one on its tree, whatever stands below."""
        stage = lineup.stages[at]
        unchanged = self.repo.tree(stage.source).id == stage.tree
        commit = stage.source if unchanged else self._made(stage, self.start)
        return Target(at + 1, commit, stage.subject)

    def commits(self, lineup: Lineup) -> tuple[Oid, ...]:
        """The commits of the steps; those that nothing has changed stay what they are."""
        found: list[Oid] = []
        parent = self.start
        for stage in lineup.stages:
            same_parent = self.repo.parents(stage.source)[:1] == (parent,)
            if (
                same_parent
                and stage.message is None
                and self.repo.tree(stage.source).id == stage.tree
            ):
                parent = stage.source
            else:
                parent = self._made(stage, parent)
            found.append(parent)
        return tuple(found)

    def _made(self, stage: Stage, parent: Oid) -> Oid:
        head, _, message = self.repo.objects.raw_commit(stage.source).partition(b"\n\n")
        lines = head.split(b"\n")
        encoding = next((x[9:] for x in lines if x.startswith(b"encoding ")), None)
        return self.repo.write_commit(
            stage.tree,
            parent,
            Signature(*read_author(head)),
            self._who,
            message if stage.message is None else stage.message,
            encoding,
        )


def taken(repo: Repo, mended: Mended, ref: str) -> Oid:
    """Make the branch of the mended series; its tip.  Raises `GitFailed` where it is there already."""
    tip = signed_on(repo, mended.start, mended.commits, tuple(t.commit for t in mended.before))[-1]
    repo.objects.store()
    repo.git("update-ref", "-m", "backport: mend", "--create-reflog", ref, tip, "0" * 40)
    remember(repo, Move("mend", (RefMove(ref, None, tip),)))
    return tip


def compared(repo: Repo, mended: Mended) -> str:
    """The range-diff between the series as it was and as it is."""
    repo.objects.store()
    old, new = mended.before[-1].commit, mended.commits[-1]
    words = ("range-diff", "--no-color", "--no-ext-diff", f"{mended.start}..{old}")
    return repo.git("-c", "diff.noprefix=false", *words, f"{mended.start}..{new}")
