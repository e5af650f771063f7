# SPDX-License-Identifier: GPL-2.0-or-later
"""What strangers wrote, on a screen: no terminal obeys it."""

from __future__ import annotations

import pytest

from series.model import shown


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        (b"fix \x1b[2J it", r"fix \x1b[2J it"),
        (b"two\nlines\r", r"two\nlines\r"),
        ("a\u202eb\u2066".encode(), r"a\u202eb\u2066"),
        (b"\xc2\x9b31m", r"\x9b31m"),
        (b"latin \xe9", r"latin \xe9"),
        ("h\u00e9".encode(), "h\u00e9"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(given: bytes, seen: str) -> None:
    assert shown(given) == seen
