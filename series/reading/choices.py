# SPDX-License-Identifier: GPL-2.0-or-later
"""The closed choices in how patches are read; the command line offers them, so nothing heavy stands here."""

from __future__ import annotations

from enum import StrEnum


class QuotedCr(StrEnum):
    """What becomes of CR LF inside a base64 or quoted-printable body (``mailinfo.quotedCr``)."""

    AUTO = "auto"
    """Removed where every line of the body has it: then the transport added it."""
    KEEP = "nowarn"
    STRIP = "strip"


class Keep(StrEnum):
    """Which ``[tags]`` of a subject stay in the commit's subject."""

    NONE = "none"
    NON_PATCH = "non-patch"
    """All but those that hold the word PATCH (``git am --keep-non-patch``)."""
    ALL = "all"
    """All of them (``git am --keep``)."""
