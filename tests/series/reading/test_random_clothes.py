# SPDX-License-Identifier: GPL-2.0-or-later
"""A random series in random clothes: always the commits that ``git am`` makes of the plain one.

The plain one is a mailbox as git format-patch writes it.  The clothes are what programs and lists do to
it: numbering styles, charsets, transfer encodings, separators, headers, compression, the order of the
mails, a cover letter, an older version, replies.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import lzma
import quopri
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from series.model import Patch, Series
from series.placement.hunks import apply_change
from series.reading.mail import read_mbox, read_patch_files
from tests.series.gitrun import git, repository

BASE = "".join(f"line {n}\n" for n in range(1, 13))
MAGIC = b"From " + b"1" * 40 + b" Mon Sep 17 00:00:00 2001\n"
STYLES = (
    "[PATCH {n}/{t}] {s}",
    "[PATCH v2 {n}/{t}] {s}",
    "[PATCH v2,{n}/{t}] {s}",
    "[v3,0{n}/0{t}] {s}",
    "[net-next,v2,{n}/{t}] {s}",
    "[PATCH v2 ({n}/{t})] {s}",
    "[PATCH {n} of {t} V2] {s}",
    "[RFC PATCHv2 {n}/{t}] {s}",
    "[PATCH {n}/{t} v2] {s}",
    "[RESEND][PATCH {n}/{t}] {s}",
    "[PATCH RFC 4.10 {n}/{t}] {s}",
)
SEPARATORS = (
    MAGIC,
    b"From lists@example.org Fri Apr 15 09:20:01 2022\n",
    b"From anna at example.com  Fri Apr 15 07:20:01 2022\n",
    b"From - Fri Apr 15 07:20:01 2022\n",
    b"From mboxrd@z Thu Jan  1 00:00:00 1970\n",
    b"From list+bounces-1-user=example.org@example.org Sat Aug 10 22:01:12 2024\n",
)
EXTRA = (
    b"",
    b"Return-Path: <x@example.org>\n",
    b"Received: from a by b with ESMTP id 1;\n\tFri, 15 Apr 2022 07:20:01 +0200\n",
    b"List-Id: <xen-devel.lists.example.org>\nPrecedence: list\n",
    b"X-Mailer: git-send-email 2.39.5\n",
    b"DKIM-Signature: v=1; a=rsa-sha256; d=example.org;\n h=from:subject:date; b=abc=\n",
)
PACKING: tuple[Callable[[bytes], bytes], ...] = (bytes, gzip.compress, bz2.compress, lzma.compress)
WORDS = st.sampled_from(["timer", "fix", "Größe", "naïve", "x86/shim:", "a: b", "42", "why", "C++"])
NAMES = st.sampled_from(["Anna Sender", "Jörg Müller", "Émile Zed", "A. U. Thor", "O'Neil, Pat"])


@dataclass(frozen=True)
class Plain:
    """One patch to be: what a person means."""

    subject: str
    body: str
    name: str
    zone: int
    line: int


@st.composite
def plains(draw: st.DrawFn) -> list[Plain]:
    found = []
    for number in range(draw(st.integers(2, 4))):
        subject = " ".join(draw(st.lists(WORDS, min_size=1, max_size=4))) + f" {number}"
        body = "".join(f"{' '.join(draw(st.lists(WORDS, max_size=5)))}\n" for _ in range(2))
        zone = draw(st.sampled_from([0, 120, -330, 60]))
        found.append(Plain(subject, body, draw(NAMES), zone, draw(st.integers(1, 12))))
    return found


def diffs(plain: list[Plain]) -> list[str]:
    """Each patch's diff, the next from what the one before left."""
    text = BASE.splitlines(keepends=True)
    found = []
    for number, one in enumerate(plain):
        after = list(text)
        after[one.line - 1] = (
            f"changed by {number}\n"  # git am does not recode a diff, and nor do we
        )
        low, high = max(0, one.line - 4), min(12, one.line + 3)
        body = "".join(f" {x}" for x in text[low : one.line - 1])
        body += f"-{text[one.line - 1]}+{after[one.line - 1]}"
        body += "".join(f" {x}" for x in text[one.line : high])
        span = f"{low + 1},{high - low}"
        head = f"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -{span} +{span} @@\n"
        found.append(head + body)
        text = after
    return found


def mail(
    one: Plain,
    change: str,
    at: int,
    subject: str,
    charset: str,
    encoding: str,
    extra: bytes,
    reply: str,
) -> bytes:
    sign, minutes = "-" if one.zone < 0 else "+", abs(one.zone)
    zone = f"{sign}{minutes // 60:02}{minutes % 60:02}"
    name = f'"{one.name}"' if "," in one.name else one.name
    head = f"From: {_word(name, charset)} <a@example.org>\n"
    head += f"Date: Fri, 15 Apr 2022 07:20:{at:02} {zone}\nSubject: {_word(subject, charset)}\n"
    head += f"Message-Id: <{at}@example.org>\n" + (f"In-Reply-To: <{reply}>\n" if reply else "")
    head += f"MIME-Version: 1.0\nContent-Type: text/plain; charset={charset}\n"
    head += f"Content-Transfer-Encoding: {encoding}\n"
    body = (one.body + "---\n f | 2 +-\n\n" + change + "-- \n2.39.5\n\n").encode(charset)
    if encoding == "base64":
        body = base64.encodebytes(body)
    elif encoding == "quoted-printable":
        body = quopri.encodestring(body)
    return extra + head.encode() + b"\n" + body + b"\n"


def _word(text: str, charset: str) -> str:
    if text.isascii():
        return text
    return f"=?{charset}?B?{base64.b64encode(text.strip(chr(34)).encode(charset)).decode()}?="


def commits(plain: list[Plain], where: Path) -> tuple[list[bytes], bytes]:
    """What git am makes of the plain mailbox: each commit without its committer, and the last file."""
    repo = repository(where, {"f": BASE.encode()})
    box = b"".join(
        MAGIC
        + mail(
            one,
            change,
            at,
            f"[PATCH {at + 1}/{len(plain)}] {one.subject}",
            "utf-8",
            "8bit",
            b"",
            "",
        )
        for at, (one, change) in enumerate(zip(plain, diffs(plain), strict=True))
    )
    git(repo, "am", "-q", data=box)
    ids = git(repo, "rev-list", "--reverse", f"HEAD~{len(plain)}..HEAD").split()
    made = []
    for oid in ids:
        raw = git(repo, "cat-file", "commit", oid.decode())
        head, _, message = raw.partition(b"\n\n")
        author = next(x for x in head.split(b"\n") if x.startswith(b"author "))
        made.append(author + b"\n\n" + message)
    return made, git(repo, "cat-file", "blob", "HEAD:f")


def ours(series: Series) -> tuple[list[bytes], bytes]:
    text = BASE.encode()
    made = []
    for patch in sorted(series.patches, key=_number):
        assert patch.date is not None
        sign = b"-" if patch.date.offset < 0 else b"+"
        zone = b"%s%02d%02d" % (sign, *divmod(abs(patch.date.offset), 60))
        who = b"author %s <%s> %d %s" % (
            patch.author.name,
            patch.author.email,
            patch.date.seconds,
            zone,
        )
        made.append(who + b"\n\n" + patch.message)
        for change in patch.changes:
            text = apply_change(text, change).text
    return made, text


def _number(patch: Patch) -> int:
    assert patch.numbering is not None
    return patch.numbering.number


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    # Each try runs git am several times: minutes of shrinking say less than the first failure.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(plains(), st.data())
def test_clothes_change_nothing(plain: list[Plain], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        truth = commits(plain, Path(scratch) / "r")
    style, total = data.draw(st.sampled_from(STYLES)), len(plain)
    charset = data.draw(st.sampled_from(["utf-8", "iso-8859-1", "windows-1252"]))
    encoding = data.draw(st.sampled_from(["8bit", "base64", "quoted-printable"]))
    separator = data.draw(st.sampled_from(SEPARATORS))
    extra = data.draw(st.sampled_from(EXTRA))
    threaded = data.draw(st.booleans())
    mails = [
        mail(
            one,
            change,
            at,
            style.format(n=at + 1, t=total, s=one.subject),
            charset,
            encoding,
            extra,
            "cover@example.org" if threaded else "",
        )
        for at, (one, change) in enumerate(zip(plain, diffs(plain), strict=True))
    ]
    others = []
    if data.draw(st.booleans(), label="cover"):
        cover = Plain("all of it", "Blurb.\n", "Anna Sender", 0, 1)
        subject = style.format(n=0, t=total, s="all of it")
        others.append(
            mail(cover, diffs(plain)[0], 30, subject, charset, encoding, extra, "").replace(
                b"<30@example.org>", b"<cover@example.org>"
            )
        )
    if data.draw(st.booleans(), label="reply"):
        reply = Plain("", "> quoted\n\nFine.\n", "Émile Zed", 0, 1)
        others.append(
            mail(
                reply, "", 31, "Re: " + plain[0].subject, charset, encoding, extra, "0@example.org"
            )
        )
    if data.draw(st.booleans(), label="older") and ("2" in style or "3" in style):
        older = [
            mail(
                one,
                change.replace("changed", "older"),
                40 + at,
                f"[PATCH {at + 1}/{total}] {one.subject}",
                charset,
                encoding,
                extra,
                "",
            )
            for at, (one, change) in enumerate(zip(plain, diffs(plain), strict=True))
        ]
        others += older
    packed = data.draw(st.sampled_from(PACKING))
    letters = data.draw(st.permutations([*mails, *others]))
    if data.draw(st.booleans(), label="folder"):
        files = [(f"{at}.patch", packed(letter)) for at, letter in enumerate(letters)]
        series = read_patch_files(files, "dir")
    else:
        series = read_mbox(packed(b"".join(separator + letter for letter in letters)), "t.mbox")
    assert ours(series) == truth
    assert len(series.accounts) == len(letters)
