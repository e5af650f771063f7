# SPDX-License-Identifier: GPL-2.0-or-later
"""What a series says that it needs: is it in the series, or on the branch?

``prerequisite-patch-id:`` (git format-patch --base), ``prerequisite-message-id:`` (b4) and
``Depends-on:`` with a commit, a message id, a patch id or a subject.
"""

from __future__ import annotations

import re
from functools import cached_property

from backport.errors import MissingPrerequisite
from backport.gateway.commits import patch_id
from backport.gateway.repository import Repo
from backport.history.presence import References, read_references, unreverted
from backport.levels import Prerequisites
from backport.run.journal import RunState
from series.model import Oid, Series, escaped
from series.reading.patch_ids import stable_patch_id

_MOST_COMMITS = 2000
"""Of the branch, newest first: as far back as a series' prerequisites are looked for."""
_MOST_PATCH_IDS = 400
"""Diffs of the branch that are made for patch ids; each costs some milliseconds."""
_HEX = re.compile(r"[0-9a-f]{7,64}\Z")
_MESSAGE_ID = re.compile(r"<([^<>\s]+@[^<>\s]+)>")
_QUOTED = re.compile(r"""([0-9a-f]{7,64})\s+\(["'](.+)["']\)\Z""")


def find_missing(repo: Repo, onto: Oid, series: Series) -> tuple[str, ...]:
    """The declarations of ``series`` that neither it nor the branch at ``onto`` fulfils."""
    if not series.prerequisites and not series.depends:
        return ()
    look = _Look(repo, onto, series)
    found = [
        f"prerequisite-patch-id: {wanted}"
        for wanted in series.prerequisites
        if not look.has_patch_id(wanted)
    ]
    for key, value in series.depends:
        text = value.decode("utf-8", "replace").strip()
        if text and not look.has(text):
            found.append(f"{key}: {escaped(text)}")
    return tuple(dict.fromkeys(found))


def doubts_of_missing(repo: Repo, state: RunState, series: Series) -> tuple[str, ...]:
    """The same as doubts: without what it declares, the series may be wrong for the branch."""
    if state.settings.prerequisites is Prerequisites.IGNORE:
        return ()
    missing = find_missing(repo, state.onto, series)
    return tuple(
        f"{line}: declared, and neither in the series nor on the branch" for line in missing
    )


def refuse_undeclared(missing: tuple[str, ...], state: RunState) -> None:
    """Raise `MissingPrerequisite` where something is declared and found nowhere, and the user wants it
    taken, or to stop for it."""
    if not missing or state.settings.prerequisites not in (Prerequisites.TAKE, Prerequisites.STOP):
        return
    branch = state.branch.removeprefix("refs/heads/")
    lines = "".join(f"\n  {line}" for line in missing)
    raise MissingPrerequisite(
        f"the series declares prerequisites that are neither in it nor on {branch}:{lines}",
        "add them with another --series, or go on without them: --prerequisites ignore",
    )


def base_notes(repo: Repo, onto: Oid, series: Series) -> tuple[str, ...]:
    """A word on a ``base-commit:`` that the branch does not hold."""
    base = series.base_commit
    if base is None or all(patch.parent is not None for patch in series.patches):
        return ()
    known = repo.find_commit(base)
    if known is None:
        return (f"made on {base[:12]} (base-commit), which this repository does not have",)
    if repo.merge_base(known, onto) != known:
        return (f"made on {base[:12]} (base-commit), which the branch does not contain",)
    return ()


class _Look:
    """The series and the branch, by every name that a declaration may use."""

    def __init__(self, repo: Repo, onto: Oid, series: Series) -> None:
        self.repo, self.onto, self.series = repo, onto, series

    def has(self, text: str) -> bool:
        if ids := _MESSAGE_ID.findall(text):
            return all(map(self.has_message_id, ids))
        if match := _QUOTED.match(text):
            return self.has_commit(match[1]) or self.has_subject(match[2])
        word = text.split()[0].removeprefix("commit").strip(" :,") or text
        if _HEX.match(word):
            return self.has_commit(word) or (len(word) == 40 and self.has_patch_id(Oid(word)))
        return self.has_subject(text.strip("\"'"))

    def has_patch_id(self, wanted: Oid) -> bool:
        return wanted in self.series_ids or wanted in self.branch_ids

    def has_message_id(self, wanted: str) -> bool:
        if any(patch.message_id == f"<{wanted}>" for patch in self.series.patches):
            return True
        cover = self.series.cover
        if cover is not None and cover.message_id == f"<{wanted}>":
            return True
        mark = wanted.encode()
        return any(mark in one.message for one in self.branch)

    def has_commit(self, wanted: str) -> bool:
        if any((patch.commit or "").startswith(wanted) for patch in self.series.patches):
            return True
        return any(
            one.commit.startswith(wanted) or any(_same(wanted, origin) for origin in one.origins)
            for one in self.branch
        )

    def has_subject(self, wanted: str) -> bool:
        subject = wanted.encode()
        if any(patch.subject == subject for patch in self.series.patches):
            return True
        return any(one.subject == subject for one in self.branch)

    @cached_property
    def series_ids(self) -> frozenset[str]:
        return frozenset(stable_patch_id(patch.changes) for patch in self.series.patches)

    @cached_property
    def branch_ids(self) -> frozenset[str]:
        commits = [one.commit for one in self.branch[:_MOST_PATCH_IDS]]
        return frozenset(patch_id(self.repo, commit) for commit in commits)

    @cached_property
    def branch(self) -> list[References]:
        recent = self.repo.recent(self.onto, _MOST_COMMITS)
        return list(unreverted(read_references(*one) for one in recent))


def _same(wanted: str, origin: str) -> bool:
    return wanted.startswith(origin) or origin.startswith(wanted)
