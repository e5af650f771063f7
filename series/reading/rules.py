# SPDX-License-Identifier: GPL-2.0-or-later
"""How patches are to be read, where git and patch(1) leave the user a choice."""

from __future__ import annotations

from msgspec import Struct

from series.model import Identity
from series.reading.choices import Keep, QuotedCr


class Rules(Struct, frozen=True):
    """The choices in force.

    ``author`` signs the patches that name none.  ``strip`` is ``-p``: None leaves it to the series
    file, or 1.  ``partial`` takes a series although mails of it are missing or hold no patch.
    ``guards`` are those set for a series.conf; None when the user has not chosen.
    """

    author: Identity | None = None
    strip: int | None = None
    partial: bool = False
    scissors: bool = False
    quoted_cr: QuotedCr = QuotedCr.AUTO
    keep: Keep = Keep.NONE
    trailers: bool = False
    """Add the trailers that replies give."""
    guards: frozenset[str] | None = None


DEFAULT = Rules()
