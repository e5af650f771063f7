# SPDX-License-Identifier: GPL-2.0-or-later
"""Every step proven: built, and its core emulated, as far as the level says.

Builds run one after the other in the one kept worktree (the tree's make is parallel in itself);
emulations run beside them in a pool of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from backport.builds.step_build import BuildTree, Built, Way
from backport.config import Settings, level_of
from backport.counted import counted
from backport.errors import CannotTest, UsageError
from backport.gateway.repository import Repo
from backport.levels import Level
from backport.store.cache import ArtefactGone, Cache
from backport.verdicts import IDLE, State, StepVerdict, Verdict
from series.model import Oid

if TYPE_CHECKING:
    from backport.validate.pool import Emulations
    from emu.object.probe import Answers
    from emu.profile import Profile


class Target(Struct, frozen=True):
    """One commit to prove, with its number in the series and its subject."""

    number: int
    commit: Oid
    subject: str


class Prover:
    """Proves commits; keeps worktree, pool and cache for as long as it is open."""

    def __init__(self, repo: Repo, settings: Settings) -> None:
        self.repo = repo
        self.settings = settings
        self.level, self.why = level_of(settings)
        self.cache = Cache(repo.state_dir / "cache", settings.cache_limit)
        self.begun: Callable[[Target, str], None] = lambda *_: None
        """Called when a step is about to be built, or waited for."""
        self.note: Callable[[str], None] = lambda _: None
        """Gets what the user should know at once."""
        self._fast: list[Target] = []
        """Steps that no whole build has borne out yet."""
        self.builds = 0
        """Made so far, those of audits too."""
        self._in_place: Oid | None = None
        """The commit whose build lies in the worktree."""
        self._builder: BuildTree | None = None
        self._profile: Profile | None = None
        self._thread = ThreadPoolExecutor(1)
        self._prepared: Future[Emulations] | None = None
        if self.level is Level.NONE:
            return
        assert settings.build is not None
        wanted: dict[str, str] = {}
        if self.level is not Level.BUILD:
            from emu.profile import load_profile

            self._profile = load_profile(settings.profile)
            wanted = {self._profile.core_object: self._profile.core_source}
            if self.level is Level.BOOT:
                if not self._profile.core_image:
                    raise UsageError(
                        f"the profile {self._profile.name} names no image that boots",
                        "core.image in the profile, or --validate object",
                    )
                wanted[self._profile.core_image] = ""
        self._builder = BuildTree(
            repo,
            self.cache,
            settings.build,
            wanted,
            timeout=settings.build_timeout,
            writable=settings.writable,
            readable=settings.readable,
            passed=settings.passenv,
            boxed=settings.sandbox,
            replay=settings.replay,
            audited=settings.audit > 0,
            profile=self._profile,
        )

    def __enter__(self) -> Prover:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        interrupted = kind is not None and not issubclass(kind, Exception)
        if self._prepared is not None:
            self._prepared.result().close(at_once=interrupted)
        self._thread.shutdown()
        if interrupted and self._builder is not None:
            self._builder.worktree.remove()
        self.cache.prune()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of how the proof was made."""
        if self._builder is None:
            return ()
        found: list[str] = []
        found += self._builder.sandbox.complaints
        if withheld := self._builder.withheld:
            found.append(
                f"not passed to builds: {', '.join(withheld)}"
                " (agents, and what looks like a secret; `git config --add backport.passenv NAME`)"
            )
        if job := self._builder.of_the_job:
            few = ", ".join(job[:2]) + (", ..." if len(job) > 2 else "")
            found.append(
                f"not passed to builds: {counted(len(job), 'variable')} of this CI job ({few}), so that"
                " verdicts hold in the next one (`git config --add backport.passenv NAME`)"
            )
        if self._builder.replay is not None and self._builder.replay.why:
            found.append(f"every step is a full build: {self._builder.replay.why}")
        return tuple(found)

    @property
    def proven(self) -> str:
        """How far steps are proven, for the summary."""
        return self.why

    def prove(
        self,
        targets: Sequence[Target],
        tell: Callable[[StepVerdict], None],
        *,
        keep_going: bool = False,
    ) -> tuple[StepVerdict, ...]:
        """Prove each commit in turn; stops after the first that fails unless ``keep_going``.

        Where the very first fails, what it stands on is proven too: if that fails, `note` is told.
        """
        from backport.validate.regressions import Regressions

        answers: dict[int, StepVerdict] = {}
        found: dict[int, StepVerdict] = {}
        regressions = Regressions(self.repo.parents, self.settings.accept)
        for answer in self._stream(targets):
            if answer.number in answers:  # proven again: what came after it is judged by this one
                regressions = Regressions(self.repo.parents, self.settings.accept)
                for number in sorted(n for n in answers if n < answer.number):
                    regressions.judge(answers[number])
            answers[answer.number] = answer
            verdict = found[answer.number] = regressions.judge(answer)
            tell(verdict)
            if verdict.failed and not keep_going:
                found = {number: found[number] for number in found if number <= answer.number}
                break
        if targets and targets[0].number in found and found[targets[0].number].failed:
            self._look_before(targets[0])
        return tuple(found[number] for number in sorted(found))

    def _look_before(self, target: Target) -> None:
        """Say where a step that fails stands on a tree that does."""
        for parent in self.repo.parents(target.commit)[:1]:
            before = self.prove_one(Target(0, parent, "the tree before it"), audit=False)
            if before.failed:
                self.note(f"the tree before step {target.number}, {parent[:12]}, fails as well")

    def prove_one(self, target: Target, *, audit: bool = True) -> StepVerdict:
        """Prove a single commit; audit how it was built, unless ``audit`` is false.

        Raises `CannotTest` where nothing is to be proven: good and bad are then the same.
        """
        if self.level is Level.NONE:
            raise CannotTest(self.why, "--validate build, object or boot says how far")
        *_, last = self._stream([target], audit=audit)
        return last

    def prove_along(self, target: Target) -> tuple[StepVerdict, ...]:
        """Prove one commit of many that are not known beforehand: audited where one is due by their number;
        `settle` audits the last.  After a difference the steps before come first, proven again."""
        return tuple(self._stream([target], ends=False))

    def settle(self) -> bool:
        """Audit what was built last, so that other runs may use the verdicts of `prove_along`; where a step
        that failed has taken its place in the worktree, by another whole build.

        False after a difference: then the verdicts since the last audit are void.
        """
        builder = self._builder
        if builder is None or not self._fast or not self.settings.audit:
            return True
        last = self._fast[-1]
        if self._in_place == last.commit:
            return not self._audit(builder, last) and not builder.distrusted
        known = self.known(last)
        return known is None or self.bears_out(last, known)

    def bears_out(self, target: Target, verdict: StepVerdict) -> bool:
        """Whether a whole build of a step comes to the same; if not, nothing that was built faster in this
        run counts any more."""
        builder = self._builder
        if builder is None or not self.settings.audit:
            return True
        known = builder.known(target.commit)
        if known is None or known.way is Way.WHOLE:
            return True
        builder.forget(target.commit, "what was found rests on this step")
        whole = self._begin(target, self._build(builder, target))()
        commits = [fast.commit for fast in self._fast]
        if whole.state is verdict.state:
            builder.trust_again()
            builder.confirm(commits)
            self._fast.clear()
            return True
        why = f"a whole build of {target.subject!r} comes to another verdict"
        builder.distrust(commits, why)
        self._fast.clear()
        self.note(f"{why}: every step is built as a whole")
        return False

    def known(self, target: Target) -> StepVerdict | None:
        """The verdict, when it follows from the cache alone."""
        return next(iter(self.all_known([target])), None)

    def all_known(self, targets: Sequence[Target]) -> tuple[StepVerdict, ...]:
        """The verdicts that follow from the cache alone, all as of one moment."""
        if self._builder is None:
            return ()
        around = self._builder.around()
        built = ((target, self._builder.known(target.commit, around)) for target in targets)
        return tuple(self._begin(target, one)() for target, one in built if one is not None)

    def _stream(
        self, targets: Sequence[Target], *, audit: bool = True, ends: bool = True
    ) -> Iterator[StepVerdict]:
        """One step's emulation runs while the next one is built.  After an audit that finds a difference the
        steps before come once more.  ``ends``: the last one is audited in any case."""
        builder = self._builder
        if builder is None:
            return
        waiting: Callable[[], StepVerdict] | None = None
        for number, target in enumerate(targets, 1):
            built = self._build(builder, target)
            if waiting is not None:
                yield waiting()
                waiting = None
            if audit and self._due(target, built, last=ends and number == len(targets)):
                again = self._audit(builder, target)
                for earlier in again:
                    yield self._begin(earlier, self._build(builder, earlier))()
                how = f"{built.verdict.how}, audited" if built.verdict.how else "audited"
                # What an earlier command has left hides that this one makes nothing; not from the audit.
                summary = IDLE if builder.idle else built.verdict.summary
                built = replace(built, verdict=replace(built.verdict, how=how, summary=summary))
                if again or builder.distrusted:
                    built = self._build(builder, target)
            waiting = self._begin(target, built)
            if self._profile is None:  # nothing runs beside the next build
                yield waiting()
                waiting = None
        if waiting is not None:
            self.begun(targets[-1], "emulation")
            yield waiting()

    def _due(self, target: Target, built: Built, *, last: bool) -> bool:
        """Whether a step is to be built as a whole once more: each so-many-th that was not, and the last."""
        every = self.settings.audit
        if built.verdict.cached or built.verdict.state is not State.PASSED:
            return False
        if built.way is Way.WHOLE:
            return False
        self._fast.append(target)
        return every > 0 and (last or len(self._fast) >= every)

    def _audit(self, builder: BuildTree, target: Target) -> tuple[Target, ...]:
        """Compare a step with its whole build; the steps before it that must be proven again."""
        self.begun(target, "audit: the whole build")
        self.builds += 1
        difference = builder.audit(target.commit)
        fast, self._fast = self._fast, []
        commits = [one.commit for one in fast]
        if difference is None:
            builder.confirm(commits)
            return ()
        how = "replayed" if self.settings.replay else "incremental"
        self.note(
            f"audit of step {target.number}: {difference}; {how} builds are switched off for this run,"
            " and the steps since the last audit are proven again"
        )
        builder.distrust(
            commits, f"an audit found a difference in {difference.path or 'the verdict'}"
        )
        return tuple(fast[:-1])

    def _build(self, builder: BuildTree, target: Target) -> Built:
        commit = target.commit
        known = builder.known(commit)
        if known is not None:
            return known
        self.begun(target, builder.command)
        self._in_place = commit
        self.builds += 1
        if self._profile is None:
            return builder.make(commit)
        self._prepare().add_done_callback(_warm)
        return builder.make(commit, early=self._early)

    def _early(self, name: str, sha: str, answers: Answers | None) -> None:
        """Emulation begins with what is made while the rest is being built."""
        self._prepare().result().early(name, sha, answers)

    def _prepare(self) -> Future[Emulations]:
        """In a thread, since the emulator's libraries take a third of a second to load and a build is
        waited for most of its time."""
        if self._prepared is None:
            self._prepared = self._thread.submit(self._emulations)
        return self._prepared

    def _emulations(self) -> Emulations:
        from backport.validate.pool import Emulations

        assert self._profile is not None
        return Emulations(self.cache, self.settings, self._profile, self.level is Level.BOOT)

    def _begin(self, target: Target, built: Built) -> Callable[[], StepVerdict]:
        def step(*more: Verdict) -> StepVerdict:
            verdicts = (built.verdict, *more)
            return StepVerdict(target.number, target.commit, target.subject, verdicts)

        if self._profile is None or built.verdict.state is not State.PASSED:
            return step
        try:
            finish = self._prepare().result().begin(built.artefacts, built.answers)
        except ArtefactGone:
            assert self._builder is not None
            return self._begin(target, self._build(self._builder, target))
        return lambda: step(*finish())


def _warm(prepared: Future[Emulations]) -> None:
    if prepared.exception() is None:  # else whoever asks for them is told
        prepared.result().warm()
