# SPDX-License-Identifier: GPL-2.0-or-later
"""What ``--record auto`` comes to for one run, and what is to be said of newer branches."""

from __future__ import annotations

from collections.abc import Iterable

from backport.config import Settings
from backport.gateway.identity import Signature
from backport.gateway.repository import Repo
from backport.history.convention import find_convention, on_master
from backport.history.other_branch import Sibling
from backport.history.siblings import find_siblings, is_named
from backport.levels import Prerequisites, Record
from backport.planning.given import Source
from series.model import Oid, Series


def convention_of(
    repo: Repo, onto: Oid, sources: Iterable[Source], settings: Settings, who: Signature
) -> Record:
    """The branch's own convention; ``cherry`` where ``master commit:`` would not be true."""
    ends = tuple(source.range[1] for source in sources if source.range is not None)
    takes = settings.prerequisites is Prerequisites.TAKE
    if settings.record is not Record.AUTO or not (ends or takes):
        return Record.NONE
    found = find_convention(repo, onto, who.who)
    if found is Record.XEN and not on_master(repo, settings.upstream, ends):
        return Record.CHERRY
    return found


def sibling_notes(
    repo: Repo,
    branch: str,
    settings: Settings,
    series: Series,
    siblings: Iterable[Sibling] = (),
) -> tuple[str, ...]:
    """How newer branches were looked for, where one could have a patch of the series; ``siblings`` are those
    that the run has."""
    if not any(map(is_named, series.patches)):
        return ()
    worked_on = tuple(one for one in siblings if one.worked_on)
    return find_siblings(repo, branch, settings.sibling, worked_on).notes
