# SPDX-License-Identifier: GPL-2.0-or-later
"""Text as lines: the one way in which it is cut here."""

from __future__ import annotations


def split_lines(text: bytes) -> list[bytes]:
    """Lines with their ends, split at ``\\n`` alone, as git counts them."""
    if b"\r" not in text:
        return text.splitlines(
            keepends=True
        )  # of bytes: at CR and LF only, and several times as fast
    lines = [line + b"\n" for line in text.split(b"\n")]
    last = lines.pop()[:-1]
    if last:
        lines.append(last)
    return lines
