# SPDX-License-Identifier: GPL-2.0-or-later
"""What ``--record auto`` comes to for one run."""

from __future__ import annotations

from collections.abc import Iterable

from backport.config import Settings
from backport.gateway.identity import Signature
from backport.gateway.repository import Repo
from backport.history.convention import find_convention, on_master
from backport.levels import Prerequisites, Record
from backport.planning.sources import Source
from series.model import Oid


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
