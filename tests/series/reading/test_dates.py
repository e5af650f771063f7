# SPDX-License-Identifier: GPL-2.0-or-later
"""Dates of mails, asked of git as well: zones that no clock has, and moments that no commit can have."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from series.model import When
from series.reading.dates import hg_date, parse_date
from series.reading.mail import MailError, read_mbox

ZONES = (
    *(
        "+9999",
        "-9999",
        "-0000",
        "+1370",
        "+2400",
        "-1260",
        "+0060",
        "+530",
        "+05:30",
        "Z",
        "GMT",
        "EST",
    ),
    *(
        "+14",
        "+00000",
        "",
        "XYZ",
        "-1200",
        "+1400",
        "+99999",
        "(CET)",
        "CEST",
        "BST",
        "AST",
        "NZDT",
    ),
    *("+0100 (CET)", "+1299", "-2359", "+2360", "nzst", "+01:75", "+1:30"),
)


def mail(date: str, path: str = "n") -> bytes:
    return (
        "From 0000000000000000000000000000000000000001 Mon Sep 17 00:00:00 2001\nFrom: A <a@b.c>\n"
        f"Date: {date}\nSubject: p\n\nt\n---\ndiff --git a/{path} b/{path}\nnew file mode 100644\n"
        f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n--\n2.30\n\n"
    ).encode()


def test_zones_are_read_as_git_reads_them(tmp_path: Path) -> None:
    dates = [f"Mon, 1 Jan 2024 12:00:01 {zone}" for zone in ZONES]
    mails = b"".join(mail(date, f"n{number}") for number, date in enumerate(dates))
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "am", "-q"], input=mails, check=True)
    words = ["git", "-C", str(tmp_path), "log", "--reverse", "--format=%at %ad", "--date=format:%z"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    ours = []
    for date in dates:
        when = parse_date(date.encode())
        assert when is not None
        sign, minutes = ("-" if when.offset < 0 else "+"), abs(when.offset)
        ours.append(f"{when.seconds} {sign}{minutes // 60:02}{minutes % 60:02}")
    assert ours == said


@pytest.mark.parametrize(
    "date",
    [
        "Wed, 31 Dec 1969 23:59:59 +0000",
        "Thu, 1 Jan 1970 00:00:00 +0200",
        "Mon, 1 Jan 1900 00:00:00 +0000",
        "Mon, 1 Jan 2024 25:00:00 +0000",
        "Mon, 1 Jan 2024 12:61:00 +0000",
        "@99999999999999999999 +0000",
        "yesterday",
        "x" * 5000,
    ],
)
def test_what_no_commit_can_have_is_refused(date: str) -> None:
    """git am gives up as well; to take the branch's date instead would be wrong in silence."""
    with pytest.raises(MailError, match=r"its date '.*' is none that a commit can have"):
        read_mbox(mail(date), "in.mbox")


@pytest.mark.parametrize(
    ("date", "when"),
    [
        ("Sun, 7 Feb 2106 06:28:16 +0000", When(4294967296, 0)),
        ("Fri, 31 Dec 9999 23:59:59 +0000", When(253402300799, 0)),
        ("1700000000 +9999", When(1700000000, 0)),
        *(
            (day, When(1423612800, 0))
            for day in ("Wed, 11 Feb 2015", "11 February 2015", "Feb 11, 2015", "2015-02-11")
        ),
    ],
)
def test_what_a_commit_can_have_is_kept(date: str, when: When) -> None:
    assert read_mbox(mail(date), "in.mbox").patches[0].date == when


def test_a_zone_of_mercurials_that_no_clock_has() -> None:
    assert hg_date(b"1400296253 14400") == When(1400296253, -240)
    assert hg_date(b"1400296253 999999") == When(1400296253, 0)
