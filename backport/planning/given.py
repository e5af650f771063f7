# SPDX-License-Identifier: GPL-2.0-or-later
"""What the user named with ``--series``, as it was found: the bytes, so that a journal can keep them."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from series.model import Oid

Kind = Literal["mbox", "folder", "quilt", "range"]


class Source(Struct, frozen=True):
    """One ``--series`` as it was found: ``files`` by name, or for a range its two commits."""

    kind: Kind
    given: str
    files: tuple[tuple[str, bytes], ...] = ()
    range: tuple[Oid, Oid] | None = None
