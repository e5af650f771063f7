# SPDX-License-Identifier: GPL-2.0-or-later
"""Which header of a tree has a name: what a part of a change brings when it includes one.

How a build looks for headers is not known here: each file whose path ends as the include says is one.  So
an answer is a lead, and the build decides.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from msgspec import Struct, field

from backport.gateway.changed_paths import changed_paths
from backport.gateway.repository import Repo
from backport.gateway.trees import TreeView
from backport.mend.pieces import Piece, words_of
from series.model import Oid

_MOST = 400
"""Headers that are read, one from the other, for a name."""
_INCLUDE = re.compile(rb"^[ \t]*#[ \t]*include[ \t]*[<\"]([^>\"\n]+)[>\"]", re.M)
_HEADER = (b".h", b".hh", b".hpp", b".inc")


class Headers(Struct):
    """The headers of trees; each tree is listed once."""

    repo: Repo
    _homes: dict[Oid, dict[bytes, list[bytes]]] = field(default_factory=dict)
    """By the last part of the path."""

    def included(self, tree: Oid, piece: Piece, names: Collection[bytes]) -> bytes:
        """What a part includes and by which one of these names is there; empty where none is."""
        for name in _includes(b"".join(piece.edit.lines)) if piece.edit is not None else ():
            if any(not words.isdisjoint(names) for words in self._words(tree, name)):
                return name
        return b""

    def _words(self, tree: Oid, include: bytes) -> Iterator[frozenset[bytes]]:
        """The words of what is included, and of what that includes; the nearest first."""
        view = TreeView(self.repo.objects, tree)
        edge, seen = [include], {include}
        while edge and len(seen) < _MOST:
            for path in self._paths(tree, edge.pop(0)):
                text = view.read(path) or b""
                yield words_of((text,))
                fresh = [one for one in _includes(text) if one not in seen]
                seen.update(fresh)
                edge += fresh

    def _paths(self, tree: Oid, include: bytes) -> Iterator[bytes]:
        if tree not in self._homes:
            homes: dict[bytes, list[bytes]] = {}
            for path in sorted(changed_paths(self.repo, None, tree)):
                if path.endswith(_HEADER):
                    homes.setdefault(path.rpartition(b"/")[2], []).append(path)
            self._homes[tree] = homes
        end = b"/" + re.sub(rb"^(\.{1,2}/)+", b"", include)
        for path in self._homes[tree].get(end.rpartition(b"/")[2], ()):
            if (b"/" + path).endswith(end):
                yield path


def _includes(text: bytes) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(_INCLUDE.findall(text)))
