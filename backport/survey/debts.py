# SPDX-License-Identifier: GPL-2.0-or-later
"""What a branch is owed, with what would come of each commit there, and what was decided not to be taken."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from backport.gateway.repository import Repo
from backport.history.siblings import find_siblings, newer_branches
from backport.survey.answers import answers_of
from backport.survey.lineage import read_lineage
from backport.survey.outlooks import Fate, Judge, View
from backport.survey.owed import Account, Owed, find_owed
from backport.survey.remembered import ignored


class Debt(Struct, frozen=True):
    """One commit; ``because``: why the maintainer does not take it."""

    owed: Owed
    view: View | None
    because: str | None = None

    @property
    def is_there(self) -> bool:
        """Whether the tree has all of it: nobody owes it."""
        return self.view is not None and self.view.fate is Fate.THERE


class Debts(Struct, frozen=True):
    """All of them, the oldest first."""

    branch: str
    upstream: str
    compared: tuple[str, ...]
    """The newer branches."""
    debts: tuple[Debt, ...]
    account: Account
    notes: tuple[str, ...] = ()


def look_up_debts(
    repo: Repo,
    branch: str,
    upstream: str | None,
    on_judged: Callable[[int, int], None],
    *,
    base: bool = False,
    judged: bool = True,
) -> Debts:
    """Find what is owed, and put each commit on the branch in memory.

    Without ``judged`` messages are believed.  What a commit waits for that conflicts is looked for where more
    than newer branches speak for it, or with ``base``.  Cost on Xen: five to ten seconds to find; then 0.1 s
    a commit, 0.5 s where blockers are looked for.
    """
    lineage = read_lineage(repo, branch, upstream)
    newer = newer_branches(repo, branch)
    account = find_owed(repo, lineage, newer, base=base, believing=not judged)
    decided = ignored(repo, branch)
    looked = find_siblings(repo, branch, ("auto",))
    judge = Judge(repo, lineage.tip, lineage.upstream_tip, branch, looked.siblings)
    debts = []
    for number, one in enumerate(account.owed, 1):
        because = decided.get(one.commit)
        strong = base or one.is_strong
        view = judge.view(one.commit, blockers=strong) if judged and because is None else None
        debts.append(Debt(one, view, because))
        on_judged(number, len(account.owed))
    answers_of(repo).store()
    believed = ("messages are believed (--quick)",) if not judged else ()
    notes = (*lineage.notes, *looked.notes, *believed)
    names = tuple(one.name for one in newer)
    return Debts(branch, lineage.upstream_name, names, tuple(debts), account, notes)
