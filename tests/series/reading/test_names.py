# SPDX-License-Identifier: GPL-2.0-or-later
"""Which file is meant where the names of a diff's header disagree, as patch(1) settles it."""

from __future__ import annotations

import pytest

from series.model import Oid
from series.reading.mail import read_mbox
from series.reading.names import settle_names
from tests.series.reading.letters import letter


class _Tree:
    """A tree that has the files named, each of one line."""

    def __init__(self, *names: bytes) -> None:
        self._names = names

    def read(self, path: bytes) -> bytes | None:
        return b"a\n" if path in self._names else None

    def oid(self, path: bytes) -> Oid | None:
        return Oid("1" * 40) if path in self._names else None

    def mode(self, path: bytes) -> int | None:
        return 0o100644 if path in self._names else None


@pytest.mark.parametrize(
    ("old", "new", "there", "meant", "told"),
    [
        ("foo.c", "fooo.c", b"foo.c", b"foo.c", True),
        ("fooo.c", "foo.c", b"foo.c", b"foo.c", True),
        ("foo.c.orig", "foo.c", b"foo.c", b"foo.c", False),
        ("foo.c", "foo.c.orig", b"foo.c", b"foo.c", False),
    ],
)
def test_the_name_that_is_there_is_meant(
    old: str, new: str, there: bytes, meant: bytes, told: bool
) -> None:
    change = f"--- a/{old}\n+++ b/{new}\n@@ -1 +1 @@\n-a\n+b\n"
    series = read_mbox(letter("[PATCH] fix it", change), "t")
    settled = settle_names(series, _Tree(there))
    assert [c.path for p in settled.patches for c in p.changes] == [meant]
    notes = settled.notes[len(series.notes) :]
    assert bool(notes) == told, notes
    assert all(f"{there.decode()} is taken" in note for note in notes)
