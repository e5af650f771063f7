# SPDX-License-Identifier: GPL-2.0-or-later
"""What messages declare."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from series.model import Patch, Trailer
from series.reading.trailers import backport_to, parse_trailers, referenced, upstream_commit
from tests.series.strategies import patch

SHA = b"08f27f4468eedbeccaac9fdda4ef732247efd74e"


def told(message: bytes) -> Patch:
    return replace(patch("p", message=message), trailers=parse_trailers(message))


def test_xen_stable() -> None:
    message = (
        b"x: y\n\nNote: not a trailer, as this paragraph has\nmore words.\n\n"
        b"Signed-off-by: A <a@b>\nmaster commit: "
        + SHA
        + b"\nmaster date: 2017-12-01 19:03:26 +0000\n"
    )
    assert parse_trailers(message) == (
        Trailer("Signed-off-by", b"A <a@b>"),
        Trailer("master commit", SHA),
        Trailer("master date", b"2017-12-01 19:03:26 +0000"),
    )
    assert upstream_commit(told(message)) == SHA.decode()


@pytest.mark.parametrize(
    "line",
    [
        b"(cherry picked from commit %s)",
        b"(cherry picked from commit %s, with changes)",
        b"commit %s upstream.",
        b"[ Upstream commit %s ]",
        b"master commit: %s",
    ],
)
def test_upstream_commit(line: bytes) -> None:
    assert (
        upstream_commit(told(b"x\n\n" + line % SHA + b"\n\nSigned-off-by: A <a@b>\n"))
        == SHA.decode()
    )


def test_the_last_pick_counts() -> None:
    lines = [b"(cherry picked from commit " + (b"%d" % n) * 40 + b")" for n in (1, 2)]
    assert upstream_commit(told(b"x\n\n" + b"\n".join(lines) + b"\n")) == "2" * 40


def test_none_and_subject_is_none() -> None:
    assert upstream_commit(told(b"Fix: this\n")) is None
    assert parse_trailers(b"Fix: this\n") == ()
    assert parse_trailers(b"") == ()


def test_references() -> None:
    found = referenced(
        told(
            b'x\n\nFixes: 0123456789ab ("a: b")\nAmends: 0123456789ab\nDepends-on: c: d\n'
            b"Backport: 4.10+\n"
        )
    )
    assert found == (
        ("Fixes", "0123456789ab", b"a: b"),
        ("Amends", "0123456789ab", None),
        ("Depends-on", None, b"c: d"),
    )
    assert backport_to(told(b"x\n\nBackport: 4.10+\n")) == (b"4.10+",)


def test_continuation_and_mixed_paragraph() -> None:
    message = b"x\n\n[a: changed]\nSigned-off-by: A <a@b>\nLink: http://x\n  more\n"
    assert parse_trailers(message)[-1] == Trailer("Link", b"http://x more")
