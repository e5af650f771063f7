# SPDX-License-Identifier: GPL-2.0-or-later
"""What a conflict could be resolved to, for every path of it or not at all."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from backport.gateway.objects import Objects
from backport.gateway.trees import Entry, TreeView
from backport.pick.outcome import Picked
from backport.pick.region_merge import Finer, resolve
from series.symbols.lexer import language


class Proposal(Struct, frozen=True):
    """A tree without the conflict, and how finely the sides had to be taken apart."""

    tree: TreeView
    finer: Finer
    texts: Mapping[bytes, bytes]
    """The files that clashed, resolved, by path."""


def propose(objects: Objects, picked: Picked) -> Proposal | None:
    """The proposal for ``picked``, which stopped; None where a path cannot be resolved."""
    texts: dict[bytes, bytes] = {}
    edits: dict[bytes, Entry | None] = {}
    finest = Finer.IN_PLACE
    for clash in picked.clashes:
        if clash.base is None or clash.ours is None or clash.theirs is None:
            return None
        sides = map(objects.blob, (clash.base, clash.ours, clash.theirs))
        code = language(clash.path) != "other"
        found = resolve(clash.content, sides, words=code) if clash.content is not None else None
        if found is None:
            return None
        text, finer = found
        finest = max(finest, finer, key=list(Finer).index)
        texts[clash.path] = text
        edits[clash.path] = Entry(objects.write_blob(text), clash.their_mode or clash.mode)
    return Proposal(picked.tree.edited(edits), finest, texts)
