# SPDX-License-Identifier: GPL-2.0-or-later
"""The fields of DEP-3 (https://dep-team.pages.debian.net/deps/dep3/)."""

from __future__ import annotations

import re

KNOWN_FIELD = re.compile(
    rb"description|subject|origin|bug(?:-[a-z0-9-]+)?|forwarded|author|origin/author|from|reviewed-by|acked-by"
    rb"|last-updated?|applied-upstream|debian-[a-z0-9-]+|ubuntu-[a-z0-9-]+|upstream-[a-z0-9-]+\Z",
    re.IGNORECASE,
)


def dep3_trailers(fields: list[tuple[bytes, bytes]]) -> bytes:
    """The DEP-3 fields among a mail's headers, to stay in the message: no transport writes them."""
    kept = [
        key + b": " + value
        for key, value in fields
        if KNOWN_FIELD.fullmatch(key)
        and key.lower() not in (b"description", b"subject", b"author", b"from")
    ]
    return b"\n".join(kept)
