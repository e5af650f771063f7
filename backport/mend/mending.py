# SPDX-License-Identifier: GPL-2.0-or-later
"""A series proven step by step, mended where it does not build, and proven again.

The last tree is the same object as before, or nothing is offered.  A step that could not be judged ends the
search: what a machine's fault looks like is no error of a patch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from backport.config import Settings
from backport.errors import CannotTest, StepFailed, Unaccounted, UsageError
from backport.gateway.commits import commit_patch, read_author, refuse_unfit
from backport.gateway.identity import Signature
from backport.gateway.repository import Repo
from backport.history.convention import find_convention, on_master
from backport.levels import Prerequisites, Record
from backport.mend.absorbing import absorb
from backport.mend.folding import fold_marked
from backport.mend.lineup import Lineup, Stage, carried
from backport.mend.search import Search
from backport.mend.suspects import Suspects, complaint_of, explained, on_upstream
from backport.run.journal import Journal
from backport.run.last_moves import Move, RefMove, remember
from backport.run.origin_lines import recorded, signed_off
from backport.run.request import Progress
from backport.run.signed import signed_on
from backport.validate.core import settled
from backport.validate.prover import Prover, Target
from backport.verdicts import State, StepVerdict
from series.model import Oid

_GOOD = (State.PASSED, State.ABSENT)


class Broken(Struct, frozen=True):
    """A step that did not build, why, and what became of it."""

    number: int
    """Its place in the series as it was, from 1."""
    subject: str
    why: tuple[str, ...]
    mended: str
    """What repaired it; empty where nothing did."""
    advice: tuple[str, ...] = ()


class Mended(Struct, frozen=True):
    """The series as it was and as it is now; ``commits`` are those of the new one, in order."""

    start: Oid
    before: tuple[Target, ...]
    failed: tuple[int, ...]
    """The numbers of the steps that are known not to have built."""
    untried: tuple[int, ...]
    """Of those that stand behind a broken one, and were mended with it before anybody built them."""
    broken: tuple[Broken, ...]
    lineup: Lineup
    commits: tuple[Oid, ...]
    verdicts: tuple[StepVerdict, ...]
    notes: tuple[str, ...]
    builds: int
    """Made for it, those of audits too."""
    staged: bool
    """Whether the last tree is another one for what was staged; as it is for what `Lineup.taken` names."""

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
    _refuse_what_cannot_stay(repo, start, targets)
    stages = tuple(
        Stage(target.commit, target.subject, repo.tree(target.commit).id, number=n)
        for n, target in enumerate(targets, 1)
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
        lineup, broken, verdicts = _mended(work, lineup, settings)
        if lineup.end != _with_taken(repo, wanted.end, lineup):
            raise Unaccounted("the mended series ends in another tree")
        before = [work.found(was, at) for at in range(len(stages))]
    return Mended(
        start,
        tuple(targets),
        tuple(n for n, verdict in enumerate(before, 1) if verdict and verdict.failed),
        tuple(n for n, verdict in enumerate(before, 1) if verdict is None),
        broken,
        lineup,
        work.commits(lineup),
        verdicts,
        (*given, *notes),
        prover.builds,
        wanted.end != was.end,
    )


def _with_taken(repo: Repo, end: Oid, lineup: Lineup) -> Oid | None:
    """A last tree, with what has come in from outside besides."""
    for before, after in lineup.taken:
        made = carried(repo, before, after, end)
        if made is None:
            return None
        end = made
    return end


def _mended(
    work: _Work, wanted: Lineup, settings: Settings
) -> tuple[Lineup, tuple[Broken, ...], tuple[StepVerdict, ...]]:
    """The lineup with each step repaired that can be, what was broken, and the verdicts.

    From the first step on until all are known: so each tree of the result is built once, and of the old
    ones only those that are not replaced.  After an audit that finds a difference, again.
    """
    suspects = Suspects(work.repo)
    search = Search(suspects, work.prove, work.first_good, work.tries)
    broken: dict[Oid, Broken] = {}
    lineup = wanted

    def is_to_mend(at: int) -> bool:
        known = broken.get(lineup.stages[at].source)
        return work.prove(lineup, at).state not in _GOOD and (known is None or bool(known.mended))

    while True:
        places = range(len(lineup.stages))
        for at, stage in enumerate(lineup.stages):
            if not is_to_mend(at):
                continue
            new, found = _repaired(work, search, lineup, at, settings)
            work.tries("")
            broken[stage.source] = found
            if new is not None:
                work.progress.note(f"{stage} is mended: {found.mended}")
                lineup = new
                break
        else:
            mended = [at for at in places if lineup.stages[at].source in broken]
            if not (work.settled() and work.borne_out(lineup, mended)):
                lineup = wanted  # what was found may rest on what does not hold
                broken.clear()
            elif not any(map(is_to_mend, places)):
                verdicts = tuple(work.prove(lineup, at) for at in places)
                return lineup, tuple(broken.values()), verdicts


def _repaired(
    work: _Work, search: Search, lineup: Lineup, at: int, settings: Settings
) -> tuple[Lineup | None, Broken]:
    suspects, verdict, stage = search.suspects, work.prove(lineup, at), lineup.stages[at]
    complaint = complaint_of(verdict)
    why = explained(suspects, lineup, at, complaint) or verdict.verdicts[0].lines[:3]
    new = search.mend(lineup, at, verdict)
    advice: tuple[str, ...] = ()
    if (
        new is None
        and settings.upstream is not None
        and settings.prerequisites is not Prerequisites.IGNORE
    ):
        leads = on_upstream(work.repo, work.start, settings.upstream, complaint)
        advice = tuple(map(str, leads))
        if settings.prerequisites is Prerequisites.TAKE:
            wanted = [(x.commit, x.subject, _message(work, settings, x.commit)) for x in leads]
            new = search.take(lineup, at, wanted)
        elif leads:
            advice += ("--prerequisites take puts it before the step, if that repairs it",)
    how = "; ".join(new.deeds[len(lineup.deeds) :]) if new is not None else ""
    return new, Broken(stage.number, stage.subject, why, how, advice)


def _message(work: _Work, settings: Settings, commit: Oid) -> bytes:
    """The message of an inserted commit of upstream, with its origin line."""
    record = settings.record
    if record is Record.AUTO:
        record = find_convention(work.repo, work.start, work.who.who)
    if record is not Record.XEN or not on_master(work.repo, settings.upstream, (commit,)):
        record = Record.CHERRY
    text = recorded(commit_patch(work.repo, commit), record, work.repo.when(commit))
    return signed_off(text, work.who.who) if settings.signoff else text


def _refuse_what_cannot_stay(repo: Repo, start: Oid, targets: Sequence[Target]) -> None:
    """Raise `UsageError` where the commits do not stand one on the other, or cannot be made again."""
    below = start
    for target in targets:
        if repo.parents(target.commit) != (below,):
            raise UsageError(
                f"{target.commit[:12]} '{target.subject}' does not stand on {below[:12]}: there is a merge"
                " among the commits, or beside them",
                "mend the commits of one line: --range A..B without merges",
            )
        refuse_unfit(repo, target.commit)
        below = target.commit


def _refuse_base(work: _Work, start: Oid) -> None:
    *_, verdict = work.prover.prove_along(Target(0, start, "(the start)"))
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
        self._count = len(targets)
        self.who = repo.committer()
        self._known: dict[Oid, StepVerdict] = {}
        self._shown: set[Oid] = set()
        """The trees whose verdict the user has seen; those of tries are shown when they are taken."""
        self._trial = ""
        prover.begun = self._begun

    def prove(self, lineup: Lineup, at: int) -> StepVerdict:
        """The verdict on a step; each tree is built once.  Raises `CannotTest`."""
        known = self.found(lineup, at)
        if known is None:
            *again, known = self.prover.prove_along(self.target(lineup, at))
            for verdict in (*again, known):
                _refuse_unclear(verdict)
                self._known[self.repo.tree(verdict.commit).id] = verdict
        verdict = replace(known, number=at + 1, subject=lineup.stages[at].subject)
        if not self._trial and lineup.stages[at].tree not in self._shown:
            self._shown.add(lineup.stages[at].tree)
            self.progress.verdict(at + 1, len(lineup.stages), verdict)
        return verdict

    def found(self, lineup: Lineup, at: int) -> StepVerdict | None:
        """The verdict on a step where it takes no build."""
        tree = lineup.stages[at].tree
        if tree not in self._known:
            cached = self.prover.known(self.target(lineup, at))
            if cached is None or cached.state is State.CANNOT_TELL:
                return None
            self._known[tree] = cached
        return self._known[tree]

    def first_good(self, lineup: Lineup, at: int) -> int | None:
        """The first place behind one that does not build whose step does."""
        later = range(at + 1, len(lineup.stages))
        self.tries("looks for the first step behind it that builds")
        return next((k for k in later if self.prove(lineup, k).state in _GOOD), None)

    def tries(self, what: str) -> None:
        """What the next builds are for; empty where they are for the series as it is."""
        self._trial = what

    def borne_out(self, lineup: Lineup, places: Iterable[int]) -> bool:
        """Whether whole builds of the steps that were repaired come to the same; if not, nothing that was
        built faster counts any more.  Asked last: until then the worktree serves the next step."""
        for at in places:
            if not self.prover.bears_out(self.target(lineup, at), self.prove(lineup, at)):
                self._known.clear()
                return False
        return True

    def settled(self) -> bool:
        """Whether what was built is borne out by the last audit; if not, no verdict counts any more."""
        if self.prover.settle():
            return True
        self._known.clear()
        return False

    def _begun(self, target: Target, what: str) -> None:
        self.progress.under_way(target.number, self._count, target.subject, self._trial or what)

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
            self.who,
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
