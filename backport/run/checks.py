# SPDX-License-Identifier: GPL-2.0-or-later
"""What is staged, one commit, or every commit of a range, checked."""

from __future__ import annotations

from msgspec import Struct

from backport.config import Settings, level_of
from backport.counted import counted
from backport.gateway.changed_paths import changed_paths
from backport.gateway.index import staged_tree
from backport.gateway.repository import Repo
from backport.gateway.trees import TreeView
from backport.levels import Level
from backport.run.journal import Journal
from backport.run.range import read_range
from backport.run.request import Progress
from backport.run.unconcerned import DOCUMENTS, NO_CORE, NOTHING
from backport.validate.core import settled
from backport.validate.prover import Prover, Target
from backport.validate.reach import documents_alone, reaches_core
from backport.validate.staged import Complaint, Looked, TreeFiles, look_at_patches
from backport.verdicts import State, StepVerdict
from series.model import Oid


class Staged(Struct, frozen=True):
    """``changed`` paths are staged; without a ``verdict``, ``why`` says why the core was not built."""

    changed: int
    looked: Looked
    verdict: StepVerdict | None
    why: str

    @property
    def failed(self) -> bool:
        """True where the core was built and found wanting."""
        return self.verdict is not None and self.verdict.state is State.FAILED


class Checked(Struct, frozen=True):
    """Of ``total`` commits those that were reached; and what is wrong with patches in them."""

    total: int
    verdicts: tuple[StepVerdict, ...]
    complaints: tuple[tuple[Oid, Complaint], ...]
    proven: str
    """How far each commit was proven, or why not at all."""
    targets: tuple[Target, ...] = ()
    """All of them."""


def check_staged(repo: Repo, settings: Settings) -> Staged:
    """The patches in what is staged; and the core, where nothing is wrong with them."""
    head = repo.head()
    tree = TreeView(repo.objects, staged_tree(repo))
    changed = changed_paths(repo, repo.tree(head).id if head else None, tree.id)
    looked = look_at_patches(repo, tree, changed)
    if looked.complaints or not changed:
        return Staged(len(changed), looked, None, NOTHING)
    verdict, why = _check_core(repo, settings, tree, head, list(changed))
    return Staged(len(changed), looked, verdict, why)


def check_commit(repo: Repo, settings: Settings, commit: Oid, subject: str) -> StepVerdict:
    """One commit, proven as far as the settings say."""
    settings, _ = settled(settings, [repo.tree(commit)])
    with Journal(repo.state_dir).locked(), Prover(repo, settings) as prover:
        return prover.prove_one(Target(1, commit, subject))


def check_range(
    repo: Repo, settings: Settings, commits: str, progress: Progress, *, keep_going: bool
) -> Checked:
    """Every commit of ``A..B``, up to the first that fails, or with ``keep_going`` all of them."""
    targets = read_range(repo, commits)
    complaints: list[tuple[Oid, Complaint]] = []
    for target in targets:
        tree, parents = repo.tree(target.commit), repo.parents(target.commit)
        old = repo.tree(parents[0]).id if parents else None
        looked = look_at_patches(repo, tree, changed_paths(repo, old, tree.id))
        complaints += [(target.commit, complaint) for complaint in looked.complaints]
    settings, phrase = settled(settings, (repo.tree(target.commit) for target in targets))
    with Journal(repo.state_dir).locked(), Prover(repo, settings) as prover:
        prover.note = progress.note
        for note in prover.notes:
            progress.note(note)
        progress.phase("check", len(targets))
        prover.begun = lambda target, what: progress.under_way(
            target.number, len(targets), target.subject, what
        )

        def tell(verdict: StepVerdict) -> None:
            progress.verdict(verdict.number, len(targets), verdict)

        verdicts = prover.prove(targets, tell, keep_going=keep_going)
    return Checked(len(targets), verdicts, tuple(complaints), phrase, targets)


def known_range(repo: Repo, settings: Settings, commits: str) -> Checked:
    """Every commit of ``A..B`` as far as the cache knows its verdict; nothing is built."""
    targets = read_range(repo, commits)
    settings, phrase = settled(settings, (repo.tree(target.commit) for target in targets))
    with Journal(repo.state_dir).locked(), Prover(repo, settings) as prover:
        known = prover.all_known(targets)
    if level_of(settings)[0] is not Level.NONE and len(known) < len(targets):
        count = f"{len(known)} of {counted(len(targets), 'step')}"
        of_these = f"; of these, {phrase}" if known else ""
        phrase = f"known from the cache: {count}{of_these}"
    return Checked(len(targets), known, (), phrase, targets)


def _check_core(
    repo: Repo, settings: Settings, tree: TreeView, head: Oid | None, changed: list[bytes]
) -> tuple[StepVerdict | None, str]:
    from emu.core_source import core_source

    given = settings.validate
    settings, why = settled(settings, [tree])
    level = level_of(settings)[0]
    if level is Level.NONE:
        return None, why
    source = core_source(settings.profile).encode()
    if level is Level.OBJECT and not reaches_core(TreeFiles(tree), source, changed):
        return None, NO_CORE
    if given is None and level is Level.BUILD and documents_alone(changed):
        return None, DOCUMENTS
    who = repo.committer()
    staged = repo.write_commit(tree.id, head, who, who, b"staged\n")
    with Journal(repo.state_dir).locked(), Prover(repo, settings) as prover:
        return prover.prove_one(Target(1, staged, "what is staged"), audit=False), ""
