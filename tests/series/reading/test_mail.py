# SPDX-License-Identifier: GPL-2.0-or-later
"""Mailboxes with more in them than one series."""

from __future__ import annotations

import time

import pytest

from series.model import Numbering
from series.reading.diff_lines import DiffError
from series.reading.mail import MailError, read_mbox, read_patch_files
from series.reading.mbox import split_mbox
from series.reading.rules import Rules
from series.reading.subject import parse_tags

DIFF = "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+%s\n-- \n2.39.5\n\n"


def mail(
    subject: str, body: str = "Text.\n", diff: str | None = "b", msgid: str = "", reply: str = ""
) -> bytes:
    head = "From mboxrd@z Thu Jan  1 00:00:00 1970\nFrom: A U Thor <a@example.org>\n"
    head += f"Subject: {subject}\nDate: Thu, 11 Jan 2018 17:48:00 +0000\n"
    if msgid:
        head += f"Message-Id: <{msgid}>\n"
    if reply:
        head += f"In-Reply-To: <{reply}>\n"
    tail = "---\n" + DIFF % diff if diff is not None else "\n"
    return (head + "\n" + body + tail).encode()


def subjects(data: bytes) -> list[bytes]:
    return [patch.subject for patch in read_mbox(data, "dir/t.mbox").patches]


def version(number: int, total: int, present: tuple[int, ...]) -> bytes:
    tag = f"v{number} " if number > 1 else ""
    cover = mail(f"[PATCH {tag}0/{total}] the series", "Cover.\n", None, f"c{number}@x")
    mails = [
        mail(
            f"[PATCH {tag}{n}/{total}] part {n}",
            diff=f"v{number}.{n}",
            msgid=f"{number}.{n}@x",
            reply=f"c{number}@x",
        )
        for n in present
    ]
    return cover + b"".join(mails)


@pytest.mark.parametrize(
    ("subject", "numbering"),
    [
        (b"[PATCH 03/27] x", Numbering(3, 27, 1)),
        (b"[PATCH v2 3/27] x", Numbering(3, 27, 2)),
        (b"[Xen-devel] [PATCH for-4.10 v12 03/27] x", Numbering(3, 27, 12)),
        (b"[RFC PATCHv3 1/2] x", Numbering(1, 2, 3)),
        (b"Re: [PATCH v2 0/27] x", Numbering(0, 27, 2)),
        (b"[PATCH] x [1/2]", None),
        (b"[PATCH v3] x", None),
        (b"[PATCH 5/3] x", None),
        (b"plain", None),
    ],
)
def test_numbering(subject: bytes, numbering: Numbering | None) -> None:
    assert parse_tags(subject).numbering == numbering


def test_newest_complete_version_is_taken() -> None:
    data = version(1, 2, (1, 2)) + version(2, 2, (2, 1))
    series = read_mbox(data, "t.mbox")
    assert [p.numbering for p in series.patches] == [Numbering(2, 2, 2), Numbering(1, 2, 2)]
    assert "version 1 of 2 patches left aside for version 2" in series.notes
    assert series.cover is not None
    assert series.cover.body == b"Cover.\n"


def test_an_incomplete_version_is_read_for_its_gaps_to_be_named() -> None:
    series = read_mbox(version(1, 4, (1, 3)), "t.mbox")
    assert [p.numbering for p in series.patches] == [Numbering(1, 4, 1), Numbering(3, 4, 1)]


def test_replies_are_left_aside() -> None:
    answer = mail("Re: [PATCH 1/2] part 1", "> quoted\nHow about:\n", "other", reply="1.1@x")
    talk = mail("Re: [PATCH 2/2] part 2", "Looks good.\n", None, reply="1.2@x")
    series = read_mbox(version(1, 2, (1, 2)) + answer + talk, "t.mbox")
    assert len(series.patches) == 2
    assert "2 mails without a patch or in reply left aside" in series.notes[0]


def test_a_patch_in_reply_counts_when_it_is_alone() -> None:
    assert subjects(mail("Re: [PATCH] lone", reply="x@y")) == [b"lone"]


def test_resent_patch_replaces_the_first() -> None:
    data = version(1, 2, (1, 2)) + mail("[PATCH 2/2] part 2", diff="again", msgid="r@x")
    series = read_mbox(data, "t.mbox")
    texts = [p.changes[0].hunks[0].after for p in series.patches]
    assert texts == [(b"v1.1\n",), (b"again\n",)]
    assert "sent again" in series.notes[0]


def test_two_series_in_one_mailbox_are_both_taken() -> None:
    other = b"".join(mail(f"[PATCH v4 {n}/2] other {n}", msgid=f"o{n}@x") for n in (1, 2))
    assert len(read_mbox(version(1, 2, (1, 2)) + other, "t").patches) == 4


def test_from_line_in_a_body_does_not_split() -> None:
    body = (
        "Quoting:\n\nFrom the specification, 12:00:00 is noon since 1970\nNote: it is.\n\n"
        ">From here on.\n"
    )
    series = read_mbox(mail("[PATCH] a", body), "t")
    assert series.patches[0].message.endswith(b"Note: it is.\n\nFrom here on.\n")


def test_format_patch_output_is_not_unescaped() -> None:
    data = mail("[PATCH] a", "x\n>From here.\n").replace(
        b"From mboxrd@z Thu Jan  1 00:00:00 1970",
        b"From " + b"1" * 40 + b" Mon Sep 17 00:00:00 2001",
    )
    (patch,) = read_mbox(data, "t").patches
    assert b"\n>From here.\n" in patch.message
    assert patch.commit == "1" * 40


def test_base_and_prerequisites() -> None:
    text = DIFF.replace(
        "-- \n", "\nbase-commit: " + "a" * 40 + "\nprerequisite-patch-id: " + "b" * 40 + "\n-- \n"
    )
    data = mail("[PATCH] a", diff=None) + b"---\n" + (text % "b").encode()
    series = read_mbox(data, "t")
    assert series.base_commit == "a" * 40
    assert series.prerequisites == ("b" * 40,)


def test_prerequisites_of_all_mails_are_kept_once_each() -> None:
    """A cover and two patches, several to each, as ``git format-patch --base`` writes them."""

    def declared(*ids: str) -> bytes:
        return b"\n".join(b"prerequisite-patch-id: " + 40 * x.encode() for x in ids) + b"\n"

    cover = mail("[PATCH 0/2] all", "Text.\n", diff=None) + declared("1", "2", "3") + b"\n"
    one = mail("[PATCH 1/2] a").replace(b"-- \n", b"\n" + declared("3", "4") + b"-- \n")
    two = mail("[PATCH 2/2] b").replace(b"-- \n", b"\n" + declared("5") + b"-- \n")
    series = read_mbox(cover + one + two, "t")
    assert len(series.patches) == 2
    assert sorted(series.prerequisites) == [40 * x for x in "12345"]
    alone = read_mbox(one.replace(b"1/2", b"1/1"), "t")
    assert alone.prerequisites == (40 * "3", 40 * "4")


def test_names_and_errors_give_file_and_line() -> None:
    one = mail("[PATCH 1/2] a")
    two = mail("[PATCH 2/2] b").replace(b"+b\n", b"*b\n")
    with pytest.raises(DiffError) as info:
        read_mbox(one + two, "dir/t.mbox")
    lines = (one + two).split(b"\n")
    assert info.value.where == "t.mbox"
    assert lines[info.value.line - 1] == b"*b"
    series = read_mbox(one + two.replace(b"*b\n", b"+b\n"), "dir/t.mbox")
    assert [patch.name for patch in series.patches] == ["t.mbox:2", f"t.mbox:{one.count(10) + 2}"]


def test_truncated_mailbox() -> None:
    data = mail("[PATCH 1/1] a", diff="b").split(b"+b")[0]
    with pytest.raises(DiffError, match="truncated"):
        read_mbox(data, "t")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it is empty"),
        (mail("Re: hello", diff=None), "none holds a patch"),
        (bytes(range(256)) * 100, "none holds a patch"),
    ],
)
def test_no_patch(data: bytes, words: str) -> None:
    with pytest.raises(MailError, match=words):
        read_mbox(data, "t")


def test_patch_files_with_cover() -> None:
    files = [
        ("0000-cover-letter.patch", mail("[PATCH 0/1] c", "Why.\n", None)),
        ("0001-a.patch", mail("[PATCH 1/1] a")),
    ]
    series = read_patch_files(files, "dir")
    assert [patch.name for patch in series.patches] == ["0001-a.patch"]
    assert series.cover is not None
    assert series.cover.subject == b"c"


def test_too_many_parts_end() -> None:
    parts = "--b\nContent-Type: text/plain\n\nx\n" * 1000
    head = mail("[PATCH] a", diff=None).split(b"\n\n")[0]
    data = head + b"\nContent-Type: multipart/mixed; boundary=b\n\n" + parts.encode()
    with pytest.raises(MailError):
        read_mbox(data, "t")


def test_html_beside_text_is_left_aside() -> None:
    head = mail("[PATCH] a", diff=None).split(b"\n\n")[0]
    body = (
        "--b\nContent-Type: text/plain\n\nText.\n---\n" + DIFF % "b" + "\n--b\n"
        "Content-Type: text/html\n\n<p>Text.\n--b--\n"
    )
    data = head + b"\nContent-Type: multipart/alternative; boundary=b\n\n" + body.encode()
    (patch,) = read_mbox(data, "t").patches
    assert patch.message == b"a\n\nText.\n"


def test_split_keeps_every_mail_of_a_format_patch_stream() -> None:
    one = (
        b"From "
        + b"a" * 40
        + b" Mon Sep 17 00:00:00 2001\nFrom: a <a@b>\nSubject: x\n\nt\n---\n-- \n2.39\n\n"
    )
    assert len(split_mbox(one * 3)) == 3


def test_format_patch_separators_need_no_blank_line_between_mails() -> None:
    separator = b"From " + b"1" * 40 + b" Mon Sep 17 00:00:00 2001\n"
    body = b"From: A <a@example.org>\nSubject: [PATCH %d/2] s\n\nm\n---\n"
    diff = b"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n-- \n2.39.5"
    data = separator + body % 1 + diff + b"\n" + separator + body % 2 + diff + b"\n"
    assert len(read_mbox(data, "glued").patches) == 2


@pytest.mark.parametrize(
    "subject", [b"[]", b"[", b"[PATCH 1/2]", b"Re: ", b": ", b"=?utf-8?q?a?= "]
)
def test_a_subject_of_a_million_bytes_takes_no_time(subject: bytes) -> None:
    data = MANY % (subject * (1_000_000 // len(subject)))
    begun = time.process_time()
    assert len(read_mbox(data, "in.mbox").patches) == 1
    assert time.process_time() - begun < 4


MANY = (
    b"From: A <a@b.c>\nDate: Mon, 1 Jan 2024 12:00:01 +0000\nSubject: %s x\n\nt\n---\n"
    b"diff --git a/n b/n\nnew file mode 100644\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n"
)


def test_a_series_of_ten_thousand_patches_is_numbered() -> None:
    """Read as unnumbered, 10,000 patches of Xen were put in an order that ends at a doubt."""
    tags = parse_tags(b"[PATCH 03118/10000] x86: helpers")
    assert (tags.number, tags.total) == (3118, 10_000)


@pytest.mark.parametrize(
    ("line", "diff"),
    [
        (8, "diff --git lib/n lib/n\nnew file mode 100644\n--- /dev/null\n+++ lib/n\n@@ -0,0 +1 @@\n+\n"),
        (8, "diff --git lib/n lib/n\ndeleted file mode 100644\n--- lib/n\n+++ /dev/null\n@@ -1 +0,0 @@\n-\n"),
        (8, "diff --git t/n t/n\nold mode 100644\nnew mode 100755\n"),
        (8, 'diff --git "lib/\\303" "lib/\\303"\nold mode 100644\nnew mode 100755\n'),
        (9, "=== added file 'n'\n--- lib/n\t1970-01-01 00:00:00 +0000\n+++ lib/n\t2009\n@@ -0,0 +1 @@\n+\n"),
        (10, "Index: lib/n\n=====\n--- lib/n\t(revision 0)\n+++ lib/n\t(revision 0)\n@@ -0,0 +1 @@\n+\n"),
    ],
)  # fmt: skip
def test_names_without_prefixes_are_refused_until_a_depth_is_given(line: int, diff: str) -> None:
    """A file made by it would land one folder higher, and one deleted would count as gone already."""
    data = mail("[PATCH] new", f"Text.\n---\n{diff}", None)
    with pytest.raises(DiffError, match=r"no a/ and b/ .*-p 0 takes them") as caught:
        read_mbox(data, "box")
    assert caught.value.line == line
    for strip in (0, 1):
        (patch,) = read_mbox(data, "box", Rules(strip=strip)).patches
        assert (b"/" in patch.changes[0].path) == (strip == 0)


@pytest.mark.parametrize("names", ["a/n.c a/n.c", "old/n.c new/n.c", "i/n.c w/n.c"])
def test_other_prefixes_are_stripped(names: str) -> None:
    diff = f"diff --git {names}\nold mode 100644\nnew mode 100755\n"
    (patch,) = read_mbox(mail("[PATCH] mode", f"Text.\n---\n{diff}", None), "box").patches
    assert patch.changes[0].path == b"n.c"
