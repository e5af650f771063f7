# SPDX-License-Identifier: GPL-2.0-or-later
"""What a release has: each change with its area, its origin and how far it is proven; and what is owed."""

from __future__ import annotations

import re

from msgspec import Struct

from backport.config import Settings
from backport.gateway.commits import commit_patch, patch_id
from backport.gateway.repository import Repo
from backport.report.provenance import DEBT
from backport.run.checks import Checked
from backport.survey.lineage import read_lineage
from backport.survey.owed import find_owed
from backport.survey.provenance import trace
from backport.verdicts import State, StepVerdict
from series.model import Oid, escaped, shown
from series.reading.trailers import upstream_commit

_SECURITY = re.compile(r"\b(XSA-\d{1,5}|CVE-\d{4}-\d{4,7})\b")
_AREA = re.compile(r"([\w+.-]{1,30})(?:/[^:\s]*)?(?:,[^:]*)?:\s")
OTHER = "other"
_MOST = 20
"""Owed commits that are named; `owed` has all of them."""


class Entry(Struct, frozen=True):
    """One change."""

    commit: Oid
    subject: str
    area: str
    advisories: tuple[str, ...]
    """XSA and CVE numbers that its message names."""
    origin: str
    """The commit that it is from, abbreviated; empty where it names none."""
    adapted: bool | None
    """None where the origin is not here to compare with."""
    state: State | None
    """None where nothing has judged it."""


class Contents(Struct, frozen=True):
    """All of it.  ``debts`` are lines for a person, of what is nowhere upstream and what is owed."""

    branch: str
    version: str
    last: str
    entries: tuple[Entry, ...]
    proven: str
    debts: tuple[str, ...]

    def count(self, *states: State | None) -> int:
        """How many changes are in one of these states."""
        return sum(entry.state in states for entry in self.entries)

    @property
    def security(self) -> tuple[Entry, ...]:
        """Those that name an advisory, by its number."""
        return tuple(
            sorted(
                (e for e in self.entries if e.advisories), key=lambda e: _numbers(e.advisories[0])
            )
        )

    @property
    def areas(self) -> tuple[tuple[str, tuple[Entry, ...]], ...]:
        """The others by area; what has none last."""
        found: dict[str, list[Entry]] = {}
        for entry in self.entries:
            if not entry.advisories:
                found.setdefault(entry.area, []).append(entry)
        names = sorted(found, key=lambda name: (name == OTHER, name.lower()))
        return tuple((name, tuple(found[name])) for name in names)


def _numbers(text: str) -> tuple[str, tuple[int, ...]]:
    return text[:3], tuple(int(x) for x in re.findall(r"\d+", text))


def gather(
    repo: Repo, settings: Settings, branch: str, version: str, last: str, done: Checked
) -> Contents:
    """Everything about the commits of ``done``."""
    verdicts = {verdict.commit: verdict for verdict in done.verdicts}
    entries = tuple(_entry(repo, t.commit, verdicts.get(t.commit)) for t in done.targets)
    debts = _debts(repo, settings, branch, last)
    return Contents(branch, version, last, entries, done.proven, debts)


def _entry(repo: Repo, commit: Oid, verdict: StepVerdict | None) -> Entry:
    patch = commit_patch(repo, commit)
    subject = shown(patch.subject)
    text = escaped(patch.message.decode("utf-8", "replace"))
    area = _AREA.match(subject)
    origin = upstream_commit(patch)
    known = repo.find_commit(origin) if origin is not None else None
    adapted = patch_id(repo, known) != patch_id(repo, commit) if known is not None else None
    return Entry(
        commit,
        subject,
        area[1] if area else OTHER,
        tuple(dict.fromkeys(_SECURITY.findall(text))),
        (known or origin or "")[:12],
        adapted,
        verdict.state if verdict is not None else None,
    )


def _debts(repo: Repo, settings: Settings, branch: str, last: str) -> tuple[str, ...]:
    """What is nowhere upstream, and what is owed; nothing where no upstream is set."""
    if settings.upstream is None:
        return ()
    pedigree = trace(repo, branch, settings.upstream, lambda *_: None, since=last)
    found = [
        f"{one.commit[:12]} {escaped(one.subject)}: {one.whence.value}"
        for one in pedigree.descents
        if one.whence in DEBT and not one.is_gone
    ]
    owed = find_owed(repo, read_lineage(repo, branch, settings.upstream), ()).owed
    found += [f"owed: {one.commit[:12]} {escaped(one.subject)}" for one in owed[:_MOST]]
    if len(owed) > _MOST:
        found.append(f"owed: and {len(owed) - _MOST} more, see `backport owed -b {branch}`")
    return tuple(found)
