# SPDX-License-Identifier: GPL-2.0-or-later
"""Which paths differ between two trees."""

from __future__ import annotations

from backport.gateway.repository import Repo
from backport.gateway.trees import DIRECTORY
from series.model import Oid


def changed_paths(repo: Repo, old: Oid | None, new: Oid) -> dict[bytes, bool]:
    """The paths that differ between two trees; True where the new one has the file."""
    found: dict[bytes, bool] = {}
    _compare(repo, old, new, b"", found)
    return found


def _compare(
    repo: Repo, old: Oid | None, new: Oid | None, prefix: bytes, found: dict[bytes, bool]
) -> None:
    one = repo.objects.tree(old).entries if old else {}
    other = repo.objects.tree(new).entries if new else {}
    for name in one.keys() | other.keys():
        a, b = one.get(name), other.get(name)
        if a == b:
            continue
        below_a = a.oid if a and a.mode == DIRECTORY else None
        below_b = b.oid if b and b.mode == DIRECTORY else None
        if below_a or below_b:
            _compare(repo, below_a, below_b, prefix + name + b"/", found)
        if (a and not below_a) or (b and not below_b):
            found[prefix + name] = bool(b and not below_b)
