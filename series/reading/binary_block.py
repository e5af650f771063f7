# SPDX-License-Identifier: GPL-2.0-or-later
"""The data of a binary patch (apply.c: ``parse_binary``)."""

from __future__ import annotations

import re

from series.binary import decode_line, inflate
from series.model import Binary
from series.reading.diff_lines import DiffLines


def read_block(text: DiffLines) -> Binary | None:
    """One ``literal N`` or ``delta N`` block with the blank line that ends it."""
    if text.at >= len(text.lines):
        return None
    start = text.at
    match = re.match(rb"(literal|delta) (\d{1,12})\r?\n?\Z", text.lines[start])
    if match is None:
        return None
    text.at += 1
    packed: list[bytes] = []
    while text.at < len(text.lines):
        line = text.lines[text.at].rstrip(b"\r\n")
        if not line:
            break
        try:
            packed.append(decode_line(line))
        except ValueError as exc:
            text.refuse(f"a damaged line of binary data: {exc}")
        text.at += 1
    else:
        text.refuse("the binary data is cut short: no blank line ends it", text.at - 1)
    text.at += 1
    size = int(match[2])
    try:
        data = inflate(b"".join(packed), size)
    except ValueError as exc:
        text.refuse(f"damaged binary data: {exc}", start)
    return Binary("literal" if match[1] == b"literal" else "delta", size, data)
