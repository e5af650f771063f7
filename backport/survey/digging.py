# SPDX-License-Identifier: GPL-2.0-or-later
"""The direct blockers of a patch: commits of upstream that a branch lacks, with what points to each.

Direct blockers and never the whole closure, unless that is asked for: it explodes (median 7 commits, 90th
percentile 331).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct, field

from backport.gateway.commits import commit_patch
from backport.gateway.repository import Repo
from backport.gateway.trees import TreeView
from backport.history.missing_names import Setting, Suspect, find_lacking
from backport.history.upstream import find_blockers
from backport.pick.patch import pick_patch
from backport.survey.carriage import Carriage
from backport.survey.line_origins import lines_beneath
from backport.survey.lineage import Lineage
from series.model import Oid, Patch, shown

_MOST_NAMES = 8
_MOST_CLOSURE = 2000


class Kind(StrEnum):
    """What points to a blocker."""

    LINES = "lines"
    """It wrote lines that the patch works on."""
    CLASH = "clash"
    """The patch clashes for want of it."""
    NAMES = "names"
    """It brought a name that the patch uses."""


class Evidence(Struct, frozen=True):
    """One thing that points to a blocker, in words."""

    kind: Kind
    text: str


class Digger(Struct):
    """Finds blockers for one branch; what was found of a commit is kept."""

    repo: Repo
    lineage: Lineage
    carriage: Carriage
    tree: TreeView | None = None
    """What a run has made of the branch's tree so far, by the patches of ``run``; None: nothing."""
    run: Sequence[Patch] = ()
    _known: dict[Oid, dict[Oid, tuple[Evidence, ...]]] = field(default_factory=dict)

    @property
    def _here(self) -> TreeView:
        return self.tree if self.tree is not None else self.repo.tree(self.lineage.tip)

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
        # git does not see what a run has made: names are looked for on the branch, and in the run's patches.
        tree, here = self.repo.tree(made_on), self.repo.tree(self.lineage.tip)
        own = self.repo.known_commit(patch)
        made = self.repo.tree(own) if own is not None else tree
        number = len(self.run)
        suspect = Suspect(number, patch, Setting(here, made, tree, None))
        run = [*self.run, patch]
        lacking = find_lacking(self.repo, here, [suspect], run).get(number, ())
        for name in lacking[:_MOST_NAMES]:
            commit = self._bringing(name.decode(), made_on)
            if commit is not None:
                text = f"brought {name.decode()}, which it uses"
                found.setdefault(commit, []).append(Evidence(Kind.NAMES, text))

    def _bringing(self, name: str, made_on: Oid) -> Oid | None:
        """The oldest commit behind the branch that changes how often a name stands in the files that
        have it.  Where the tree before it has the name too, a file was only renamed, and it is looked for
        from there on."""
        found: Oid | None = None
        at: Oid | None = made_on
        while at is not None and (paths := self._having(name, at)):
            words = ("log", "--format=%H", "--no-merges", f"-S{name}", at, f"^{self.lineage.tip}")
            commits = self.repo.git(*words, "--", *paths).split()
            if not commits:
                break
            found = Oid(commits[-1])
            at = next(iter(self.repo.parents(found)), None)
        return found

    def _having(self, name: str, commit: Oid) -> list[str]:
        """Some of the files that have a name, as git's pathspecs."""
        files = self.repo.git.files_with(commit, name)
        return [f":(literal){path}" for path in files[:_MOST_NAMES]]

    def _clashes(self, patch: Patch, found: dict[Oid, list[Evidence]]) -> None:
        objects, tree = self.repo.objects, self._here
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
