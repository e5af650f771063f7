# SPDX-License-Identifier: GPL-2.0-or-later
"""Real backports done again: how often the tree comes out that the maintainer committed.

A line of the file names a ``branch``, the ``backport`` that the maintainer committed there, and the
``upstream`` commit that he picked.  Each is put on the backport's parent by itself, once with the newer
branches' versions and once without; what a run would ask about counts as a question, not as an answer.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from backport.config import Settings
from backport.gateway.repository import Repo
from backport.planning.sources import Source
from backport.run.preview import foresee
from series.model import Oid
from tests.backport.trees import open_repo

SAME, OTHER, STOPPED, UNKNOWN = "the maintainer's tree", "another tree", "stops", "not here"


@dataclass(frozen=True, slots=True)
class Backport:
    """One line of the file."""

    branch: str
    commit: Oid
    upstream: Oid


def read(file: Path, limit: int) -> list[Backport]:
    """At most ``limit`` lines (0: all), spread evenly over the file."""
    rows = [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
    step = max(1, len(rows) // limit) if limit else 1
    return [
        Backport(row["branch"], Oid(row["backport"]), Oid(row["upstream"])) for row in rows[::step]
    ]


def lines(folder: Path, backports: Sequence[Backport]) -> Iterator[str]:
    """The table."""
    yield f"{len(backports)} real backports, each on its own"
    kinds = (SAME, OTHER, STOPPED, UNKNOWN)
    yield f"  {'':38}" + "".join(f"{kind:>24}" for kind in kinds)
    for title, sibling in (("the patch itself", "none"), ("as a newer branch has it", "auto")):
        counts = Counter(
            _outcome(open_repo(folder), one, Settings(sibling=(sibling,))) for one in backports
        )
        cells = (f"{counts[k]} ({100 * counts[k] / max(len(backports), 1):.1f}%)" for k in kinds)
        yield f"  {title:38}" + "".join(f"{cell:>24}" for cell in cells)


def _outcome(repo: Repo, one: Backport, settings: Settings) -> str:
    if one.commit not in repo.native or one.upstream not in repo.native:
        return UNKNOWN
    (onto, *_), (parent, *_) = repo.parents(one.commit), repo.parents(one.upstream)
    source = Source("range", one.upstream, range=(parent, one.upstream))
    outlook = foresee(repo, onto, [source], settings, one.branch)
    if outlook.stopped is not None:
        return STOPPED
    return SAME if repo.tree(outlook.state.tip).id == repo.tree(one.commit).id else OTHER
