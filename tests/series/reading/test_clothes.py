# SPDX-License-Identifier: GPL-2.0-or-later
"""One patch in many clothes: whichever form it comes in, author, date, subject and text are its own."""

from __future__ import annotations

import base64
import bz2
import gzip
import lzma

import pytest

from series.errors import SeriesError
from series.model import Identity, Patch, When
from series.reading.choices import Keep, QuotedCr
from series.reading.decoding import FileError, decode
from series.reading.diff_lines import DiffError
from series.reading.mail import MailError, read_mbox, read_patch_files
from series.reading.quilt import QuiltEntry, QuiltError, parse_series, read_quilt
from series.reading.rules import Rules
from tests.series.reading.letters import diff, letter

MAIL = letter("[PATCH] fix it", diff("f"), separator="")[1:]
US = (Identity(b"Us", b"us@example.org"), "us")
DIFF = diff("f").encode()


def only(data: bytes, rules: Rules = Rules()) -> Patch:  # noqa: B008 - a frozen value
    (patch,) = read_mbox(data, "t", rules).patches
    return patch


def quilted(data: bytes, name: str = "x.patch") -> Patch:
    (patch,) = read_quilt([QuiltEntry(name)], {name: data}, "series", fallback=US).patches
    return patch


@pytest.mark.parametrize(
    "dressed",
    [
        MAIL.decode().encode("utf-16"),
        MAIL.decode().encode("utf-16-be"),
        MAIL.decode().replace("\n", "\r\n").encode("utf-16"),
        b"\xef\xbb\xbf" + MAIL,
        gzip.compress(MAIL, mtime=0),
        bz2.compress(MAIL),
        lzma.compress(MAIL),
        b"\n\n" + MAIL,
        b"Return-Path: <x@example.org>\nReceived: from a by b;\n Fri, 15 Apr 2022\n" + MAIL,
        b"From anna at example.com  Fri Apr 15 07:20:01 2022\n" + MAIL,
        b"From a@example.org\n" + MAIL,
        b"From - Fri Apr 15 07:20:01 2022\n" + MAIL,
        b"From a@example.org Fri Apr 15 07:20:01 CEST 2022\n" + MAIL,
    ],
)
def test_a_mail_is_a_mail(dressed: bytes) -> None:
    plain = only(MAIL)
    for patch in (only(dressed), quilted(dressed)):
        assert (patch.author, patch.date, patch.message, patch.changes) == (
            plain.author,
            plain.date,
            plain.message,
            plain.changes,
        )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x28\xb5\x2f\xfd....", "zstd"),
        (b"PK\x03\x04....", "zip"),
        (gzip.compress(MAIL, mtime=0)[:40], "damaged"),
        (b"\xff\xfe" + b"\xd8\xdc\xd8", "damaged"),
    ],
)
def test_what_cannot_be_unpacked_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(FileError, match=words):
        decode(data, "x")
    with pytest.raises(FileError, match="x: "):
        read_quilt([QuiltEntry("x")], {"x": data}, "series", fallback=US)


def test_colours_are_refused_and_what_a_patch_adds_may_have_them() -> None:
    coloured = MAIL.replace(b"diff --git", b"\x1b[1mdiff --git").replace(b"@@ -", b"\x1b[36m@@ -")
    for reader in (only, quilted):
        with pytest.raises(FileError, match=r"colours of a terminal; .*--color=never"):
            reader(coloured)
    assert only(MAIL.replace(b"\n+b", b"\n+\x1b[1m@@ -b")).changes


def test_a_file_without_a_patch_in_a_folder_is_named() -> None:
    series = read_patch_files([("1", MAIL), ("README", b"words\n")], "dir")
    assert len(series.patches) == 1
    assert series.notes == ("no patch, left aside: README",)


def test_mercurial() -> None:
    head = b"# HG changeset patch\n# User T A <t@a.b>\n# Date 1400296253 14400\n# Node ID 55\n# Parent  66\n"
    patch = only(head + b"timer: fix\n\nLonger.\n\n" + DIFF)
    assert patch.author == Identity(b"T A", b"t@a.b")
    assert patch.date == When(1400296253, -240)
    assert patch.message == b"timer: fix\n\nLonger.\n"
    both = head + b"one\n\n" + DIFF + head + b"two\n\n" + diff("g").encode()
    assert [p.subject for p in read_mbox(both, "t").patches] == [b"one", b"two"]


def test_git_show_and_git_log() -> None:
    head = b"commit %s\nAuthor: J A <j@a.b>\nDate:   Mon Jun 3 18:53:58 2024 +0200\n"
    head += b"\n    f: mark\n    \n    Text.\n\n"
    patch = only(head % (b"1" * 40) + DIFF)
    assert patch.author == Identity(b"J A", b"j@a.b")
    assert patch.date == When(1717433638, 120)
    assert patch.message == b"f: mark\n\nText.\n"
    fuller = head.replace(b"Date:  ", b"AuthorDate:").replace(
        b"\n\n ", b"\nCommit: X <x@y.z>\n\n ", 1
    )
    assert only(fuller % (b"1" * 40) + DIFF).date == patch.date
    log = head % (b"1" * 40) + DIFF + b"\n" + head % (b"2" * 40) + diff("g").encode()
    assert [p.changes[0].path for p in read_mbox(log, "t").patches] == [b"f", b"g"]


def test_dep3_keeps_all_its_fields() -> None:
    head = (
        b"Description: keeps its bugs?\n long text\nAuthor: A B <a@b>\nOrigin: upstream, https://x/1,\n"
        b" https://x/2\nBug-Debian: https://b/1\nReviewed-By: R <r@r>\nLast-Update: 2020-01-02\n"
        b"X-Foo: bar\n\n"
    )
    patch = quilted(head + DIFF)
    assert patch.author == Identity(b"A B", b"a@b")
    assert patch.date == When(1577923200, 0)
    assert patch.message == (
        b"keeps its bugs?\n\nlong text\n\nOrigin: upstream, https://x/1,\n https://x/2\n"
        b"Bug-Debian: https://b/1\nReviewed-By: R <r@r>\nLast-Update: 2020-01-02\nX-Foo: bar\n"
    )


@pytest.mark.parametrize(
    ("head", "subject"),
    [
        (b"timer: five is fifty-five\n\nThe old value.\n", b"timer: five is fifty-five"),
        (b"Event names: use words\nand no digits.\n", b"Event names: use words"),
        (b"# DP: bash style\n# DP: second line\n", b"bash style"),
        (b"#! /bin/sh -e\n## 10_x.dpatch by D P <d@p.q>\n##\n## DP: Says why.\n", b"Says why."),
        (b"Index: f\n" + b"=" * 67 + b"\n", b"x"),
        (
            b"Description: <short summary of the patch>\n TODO: Put a short summary on the line\n",
            b"x",
        ),
        (b"From: Dana Packager\nSubject: no address\n", b"no address"),
        (b"", b"x"),
    ],
)
def test_a_title_is_a_title(head: bytes, subject: bytes) -> None:
    assert quilted(head + b"\n" + DIFF).subject == subject


def test_who_is_named_is_the_author() -> None:
    assert quilted(b"From: Dana Packager\nSubject: s\n\n" + DIFF).author == Identity(
        b"Dana Packager", b""
    )
    dpatch = b"#! /bin/sh -e\n## 10_x.dpatch by D P <d@p.q>\n## DP: Why.\n\n"
    assert quilted(dpatch + DIFF).author == Identity(b"D P", b"d@p.q")
    hidden = letter("[PATCH] a", diff("f"), author="anna at example.com (Anna Sender)")
    assert only(hidden).author == Identity(b"Anna Sender", b"anna@example.com")
    munged = letter(
        "[PATCH] a", diff("f"), author="A S via list <list@x.y>", headers="Reply-To: A S <a@s.t>\n"
    )
    patch = only(munged)
    assert patch.author == Identity(b"A S", b"a@s.t")
    assert "the list rewrote From" in patch.notes[0]


def test_what_stands_before_a_mail_stays_in_its_message() -> None:
    data = b"Origin: https://x/y\nFrom " + b"2" * 40 + b" Mon Sep 17 00:00:00 2001\n" + MAIL
    assert quilted(data).message == b"fix it\n\nWhy.\n\nOrigin: https://x/y\n"


def test_no_author_no_commit() -> None:
    with pytest.raises(MailError, match=r"x\.patch: names no author"):
        read_patch_files([("x.patch", DIFF)], "dir")
    author = Identity(b"E", b"e@x.y")
    (patch,) = read_patch_files([("x.patch", DIFF)], "dir", Rules(author=author)).patches
    assert (patch.author, patch.subject) == (author, b"x")
    series = read_quilt([QuiltEntry("x.patch")], {"x.patch": DIFF}, "series", fallback=US)
    assert series.notes == ("1 patch names no author: signed as us",)


def test_several_mails_in_one_file_are_several_patches() -> None:
    mark = b"From " + b"3" * 40 + b" Mon Sep 17 00:00:00 2001\n"
    data = mark + MAIL + mark + letter("[PATCH] two", diff("g"), separator="")[1:]
    series = read_quilt([QuiltEntry("p")], {"p": data}, "series")
    assert [p.subject for p in series.patches] == [b"fix it", b"two"]


def test_context_diffs_are_read() -> None:
    context = (
        b"*** a/f\t2024-01-01\n--- b/f\t2024-01-02\n***************\n*** 1,4 ****\n  1\n  2\n! 3\n  4\n"
        b"--- 1,4 ----\n  1\n  2\n! 3X\n  4\n"
    )
    series = read_quilt([QuiltEntry("p")], {"p": context + diff("g").encode()}, "s", fallback=US)
    one, two = series.patches[0].changes
    assert one.hunks[0].before == (b"1\n", b"2\n", b"3\n", b"4\n")
    assert one.hunks[0].after == (b"1\n", b"2\n", b"3X\n", b"4\n")
    assert two.path == b"g"
    with pytest.raises(DiffError) as info:
        only(letter("[PATCH] c", body=(context.decode().replace("--- 1,4", "--- x"))))
    assert "--- first,last ----" in str(info.value)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("Submodule lib 1234567..89abcde:\n  > a commit\n", "submodule"),
        ("1c1\n< a\n---\n> b\n", "without context"),
    ],
)
def test_a_change_that_is_no_diff_stops(body: str, words: str) -> None:
    with pytest.raises(SeriesError, match=words):
        only(letter("[PATCH] a", body="Why.\n---\n" + body))


def test_a_body_that_lost_its_parts_stops() -> None:
    headers = 'Content-Type: multipart/signed; boundary="ABC"\n'
    data = letter("[PATCH] a", diff("f")) + letter("[PATCH] b", diff("g"), headers=headers)
    with pytest.raises(MailError, match="boundary 'ABC'"):
        read_mbox(data, "t")
    packed = (
        'Content-Type: application/gzip; name="x.patch.gz"\nContent-Transfer-Encoding: base64\n'
    )
    with pytest.raises(MailError, match="cannot be looked into"):
        read_mbox(data.split(b"From lists")[1] + letter("[PATCH] c", headers=packed), "t")


def encoded(text: str, charset: str = "utf-8") -> bytes:
    headers = f'Content-Type: text/plain; charset="{charset}"\nContent-Transfer-Encoding: base64\n'
    body = base64.encodebytes(text.encode()).decode()
    return letter("[PATCH] a", headers=headers, body=body)


def test_carriage_returns_of_an_encoded_body() -> None:
    crlf = ("Why.\n---\n" + diff("f")).replace("\n", "\r\n")
    patch = only(encoded(crlf))
    assert patch.changes[0].hunks[0].after == (b"b\n",)
    assert "the CR is taken off" in patch.notes[0]
    kept = only(encoded(crlf), Rules(quoted_cr=QuotedCr.KEEP))
    assert kept.changes[0].hunks[0].after == (b"b\r\n",)
    mixed = "Why.\n---\n" + diff("f").replace("+b\n", "+b\r\n")
    assert only(encoded(mixed)).changes[0].hunks[0].after == (b"b\r\n",)


def test_a_wrong_charset_is_noted() -> None:
    patch = only(
        letter(
            "[PATCH] a",
            diff("f"),
            body="Grüße.\n",
            headers="Content-Type: text/plain; charset=us-ascii\n",
        )
    )
    assert patch.message == "a\n\nGrüße.\n".encode()
    assert "not of the charset 'us-ascii'" in patch.notes[0]
    latin = letter("[PATCH] a", diff("f"), author="X").replace(
        b"From: X\n", b"From: \xc4nna <a@b.c>\n"
    )
    assert only(latin).author.name == "Änna".encode()


def test_scissors_and_tags() -> None:
    body = (
        "Hi,\n\nlike this.\n\n-- >8 --\nFrom: P R <p@r.s>\nSubject: [PATCH] the real one\n\nText.\n"
    )
    data = letter("Re: [PATCH] some thing", diff("f"), body=body)
    assert only(data).subject == b"some thing"
    cut = only(data, Rules(scissors=True))
    assert (cut.author.name, cut.message) == (b"P R", b"the real one\n\nText.\n")
    tagged = letter("[PATCH v2] [timer] text", diff("f"))
    assert only(tagged, Rules(keep=Keep.NON_PATCH)).subject == b"[timer] text"
    assert only(tagged, Rules(keep=Keep.ALL)).subject == b"[PATCH v2] [timer] text"


def test_suse_guards() -> None:
    listing = b"# head\n\tone.patch\n+kabi\ttwo.patch\n-needs_update three.patch # bsc#1\n"
    entries = parse_series(listing, "series.conf")
    contents = dict.fromkeys(("one.patch", "two.patch", "three.patch"), MAIL)

    def names(*guards: str) -> list[str]:
        rules = Rules(guards=frozenset(guards))
        return [p.file for p in read_quilt(entries, contents, "s", rules).patches]

    assert names() == ["one.patch", "three.patch"]
    assert names("kabi", "needs_update") == ["one.patch", "two.patch"]
    with pytest.raises(QuiltError, match=r"s:3: 'two.patch' has the guard \+kabi"):
        read_quilt(entries, contents, "s")


def carried(*parts: tuple[str, bytes]) -> bytes:
    """A mail with these parts: content type, content."""
    body = "Please take these.\n"
    text = f"--BB\nContent-Type: text/plain\n\n{body}".encode()
    for kind, content in parts:
        text += b"\n--BB\n" + f"Content-Type: {kind}\n".encode()
        text += b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(content)
    head = 'Content-Type: multipart/mixed; boundary="BB"\n'
    return letter(
        "two fixes", headers=head, body=text.decode() + "\n--BB--\n", author="F W <f@w.x>"
    )


def test_patches_that_a_mail_carries_are_patches_of_their_own() -> None:
    mark = b"From " + b"1" * 40 + b" Mon Sep 17 00:00:00 2001\n"
    two = letter("[PATCH 2/2] two", diff("g"), separator="")[1:]
    one = MAIL.replace(b"[PATCH]", b"[PATCH 1/2]")
    for data in (
        carried(
            ('text/x-patch; name="0001"', mark + one), ("application/octet-stream", mark + two)
        ),
        carried(("message/rfc822", one), ("message/rfc822", two)),
    ):
        patches = read_mbox(data, "t").patches
        assert [p.subject for p in patches] == [b"fix it", b"two"]
        assert {p.author.name for p in patches} == {b"A U Thor"}


def test_an_attached_diff_without_a_name_is_the_mails_own() -> None:
    patch = only(carried(("application/octet-stream", DIFF)))
    assert patch.subject == b"two fixes" and patch.changes[0].path == b"f"


def test_a_clear_signature_is_taken_off() -> None:
    text = "Why.\n---\n" + diff("f") + "-- \n2.39\n"
    dashed = "".join("- " + x if x.startswith("-") else x for x in text.splitlines(keepends=True))
    body = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + dashed
    body += "-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n"
    patch = only(letter("[PATCH] a", body=body))
    assert patch.message == b"a\n\nWhy.\n"
    assert patch.changes[0].hunks[0].before == (b"a\n",)


@pytest.mark.parametrize(
    "head",
    [
        b"diff --git a/f b/f\nindex 1111111..2222222 100644\n",
        b"diff --git a/f b/f\nnew file mode 100644\nindex 0000000..2222222\n",
        b"diff --git a/f b/g\nsimilarity index 90%\nrename from f\nrename to g\n",
    ],
)
def test_a_diff_that_lost_its_hunks_stops(head: bytes) -> None:
    with pytest.raises(DiffError, match="has no hunk"):
        only(letter("[PATCH] a", head.decode()))


@pytest.mark.parametrize(
    "head",
    [
        b"diff --git a/f b/f\nindex 1111111..2222222 100644\n",
        b"diff --git a/f b/f\nnew file mode 100644\nindex 0000000..2222222\n",
        b"diff --git a/g b/f\nsimilarity index 90%\nrename from g\nrename to f\n",
        b"diff --git a/f b/f\n",
    ],
)
def test_a_file_that_lost_its_hunks_is_left_out_and_said(head: bytes) -> None:
    """Such a file was made empty, or counted as there already."""
    mail = letter("[PATCH] a", head.decode() + diff("g"))
    (patch,) = read_mbox(mail, "t", Rules(partial=True)).patches
    assert [change.path for change in patch.changes] == [b"g"]
    assert patch.notes == ("f: its diff has no hunk, left out",)


def test_a_tar_archive_is_refused() -> None:
    with pytest.raises(FileError, match="tar archive"):
        decode(b"x.patch".ljust(257, b"\0") + b"ustar\0" + MAIL, "x.tar")


def test_a_mail_whose_attachments_are_read_in_part_stops() -> None:
    mark = b"From " + b"1" * 40 + b" Mon Sep 17 00:00:00 2001\n"
    packed = 'application/gzip; name="2.patch.gz"'
    with pytest.raises(MailError, match="cannot be looked into"):
        read_mbox(carried(("text/x-patch", mark + MAIL), (packed, gzip.compress(DIFF))), "t")


@pytest.mark.parametrize(
    "start",
    [
        b"From: Bob B <b@b.c>\nSubject: [PATCH 1/2] one\n\nWhy.\n---\n",
        b"# HG changeset patch\n# User Bob B <b@b.c>\none\n\n",
    ],
)
def test_attachments_with_headers_of_their_own_are_patches(start: bytes) -> None:
    other = start.replace(b"1/2", b"2/2").replace(b"one", b"two")
    data = carried(("text/x-patch", start + DIFF), ("text/x-patch", other + diff("g").encode()))
    patches = read_mbox(data, "t").patches
    assert [(p.subject, p.author.name) for p in patches] == [(b"one", b"Bob B"), (b"two", b"Bob B")]


def test_a_digest_holds_mails() -> None:
    text = b"--DD\n\n" + MAIL + b"\n--DD\n\n" + letter("[PATCH] two", diff("g"), separator="")[1:]
    head = 'Content-Type: multipart/digest; boundary="DD"\n'
    data = letter(
        "Digest, Vol 1", headers=head, body=text.decode() + "\n--DD--\n", author="L <l@x.y>"
    )
    assert [p.subject for p in read_mbox(data, "t").patches] == [b"fix it", b"two"]


@pytest.mark.parametrize(
    "words",
    [
        b"Binary file img.png has changed\n",
        b"=== renamed file 'a' => 'b'\n",
        b"=== removed file 'a'\n",
        b"DELETED  src/c.c\n",
        b"Index: empty.txt\n" + b"=" * 67 + b"\n",
    ],
)
def test_changes_told_in_words_stop(words: bytes) -> None:
    with pytest.raises(DiffError, match="told in words"):
        quilted(b"Fix it\n\n" + DIFF + words)


@pytest.mark.parametrize(
    "data", [b"words and no diff\n", b"> " + DIFF.replace(b"\n", b"\n> "), b"\1\2\3" * 9]
)
def test_a_listed_patch_without_a_diff_stops(data: bytes) -> None:
    entries, contents = [QuiltEntry("a"), QuiltEntry("b")], {"a": DIFF, "b": data}
    with pytest.raises(QuiltError, match="b:1: no diff"):
        read_quilt(entries, contents, "series", fallback=US)
    assert len(read_quilt(entries, contents, "series", Rules(partial=True), US).patches) == 1
    assert len(read_quilt(entries, {"a": DIFF, "b": b"\n"}, "series", fallback=US).patches) == 1
    with pytest.raises(MailError, match=r"b\.patch: is named as a patch"):
        read_patch_files([("a.patch", MAIL), ("b.patch", data)], "dir")


@pytest.mark.parametrize(
    ("head", "author", "subject"),
    [
        (b"Author: J\xf6rg <j@x.y>\nDescription: f\xfcr\n", "Jörg", "für"),
        (b"Author: Anna <a@b.c>\n\n  Fix the timer\n", "Anna", "Fix the timer"),
        (b"# Description: fix it\n# Author: Anna <a@b.c>\n", "Anna", "fix it"),
        (b"Fix the timer\n\nAuthor: Anna <a@b.c>\nForwarded: no\n", "Anna", "Fix the timer"),
        (b"## Origin/Author: Anna <a@b.c>\n## Description: fix it\n", "Anna", "fix it"),
        (b"Description: two\nAuthor: Anna <a@b.c>, Ben <b@b.c>\n", "Anna", "two"),
    ],
)
def test_who_is_named_anywhere_is_the_author(head: bytes, author: str, subject: str) -> None:
    patch = quilted(head + b"\n" + DIFF)
    assert (patch.author.name.decode(), patch.subject.decode()) == (author, subject)


def test_lines_left_over_behind_a_hunk_stop() -> None:
    short = DIFF.replace(b"+b\n", b"+b\n c\n-d\n")
    with pytest.raises(DiffError, match=r"t:10: .*left over"):
        read_mbox(b"From: A <a@b.c>\nSubject: x\n\n" + short.split(b"\n", 1)[1], "t")
    with pytest.raises(DiffError, match="ends with its first line"):
        only(letter("[PATCH] a", "diff --git a/f b/f\n"))


CGIT = b"author\tAnna B <a@b.c>\t2021-07-23 10:11:12 +0300\ncommitter\tBen <b@b.c>\t2021-07-24\n"


@pytest.mark.parametrize(
    ("head", "subject", "rest", "commit"),
    [
        (b"", b"Fix it", b"Since it broke.", None),
        (
            b"commit\t" + b"5" * 40 + b" (patch)\ntree\t123\n",
            b"Fix it",
            b"Since it broke.",
            "5" * 40,
        ),
        (b"\nhttps://x.org/?id=1\n", b"Fix it", b"Since it broke.\n\nhttps://x.org/?id=1", None),
    ],
)
def test_the_page_of_a_commit_copied_out(
    head: bytes, subject: bytes, rest: bytes, commit: str | None
) -> None:
    patch = quilted(CGIT + head + b"\n* Fix it\n\nSince it broke.\n\n" + DIFF)
    assert (patch.author.name, patch.author.email) == (b"Anna B", b"a@b.c")
    assert patch.date is not None and patch.date.offset == 180
    assert patch.message == subject + b"\n\n" + rest + b"\n"
    assert patch.commit == commit


def test_words_that_begin_with_author_are_a_title() -> None:
    assert quilted(b"author fields are read\n\n" + DIFF).subject == b"author fields are read"
    alone = quilted(b"author\tAnna <a@b.c>\n\nhttps://x.org/1\n\n" + DIFF)
    assert (alone.author.name, alone.subject) == (b"Anna", b"https://x.org/1")


def test_what_topgit_writes_below_a_diff_is_no_removed_line() -> None:
    below = b"---\ntg: (9a079e2..) t/thread-cancel (depends on: baseline)\n"
    assert quilted(b"Fix it\n\n" + DIFF + below).changes == quilted(b"Fix it\n\n" + DIFF).changes
    for more in (b"---\n", b"---\n c\n", b"---\n-d\n", b"---\n+d\n"):
        with pytest.raises(DiffError, match="left over"):
            quilted(b"Fix it\n\n" + DIFF + more)


@pytest.mark.parametrize("mark", [b"", b"\1\1\1\1\n"])
def test_mails_one_behind_the_other_without_separators(mark: bytes) -> None:
    two = letter("[PATCH] two", diff("g"), separator="")[1:]
    data = mark + MAIL + mark + mark + two + mark
    assert [p.subject for p in read_mbox(data, "t").patches] == [b"fix it", b"two"]
    quoted = letter("[PATCH] a", diff("f"), body="It said:\n\nFrom: x\nSubject: y\n\nso.\n")
    assert only(quoted).subject == b"a"


def test_a_changeset_in_a_mail() -> None:
    body = "# HG changeset patch\n# User Bob B <b@b.c>\n# Date 1400296253 14400\ntimer: x\n\nWhy.\n"
    patch = only(letter("[PATCH 1 of 1] timer: x", diff("f"), body=body))
    assert (patch.author.name, patch.message) == (b"Bob B", b"timer: x\n\nWhy.\n")
    assert patch.date == When(1400296253, -240)


def test_words_between_two_diffs_are_said_and_another_patch_stops() -> None:
    both = b"Fix it\n\n" + DIFF + b"1234567 and that\n" + diff("g").encode()
    assert "1 line of words between its diffs left aside, from line 9" in quilted(both).notes[0]
    apart = b"Fix it\n\n" + DIFF + b"\nIndex: g\n" + b"=" * 67 + b"\n" + diff("g").encode()
    assert quilted(apart).notes == ()
    other = (
        b"Description: one\n\n"
        + DIFF
        + b"\nDescription: two\nAuthor: B <b@c.d>\n\n"
        + diff("g").encode()
    )
    with pytest.raises(DiffError, match=r"x\.patch:\d+: 'Description: two' between two diffs"):
        quilted(other)


def test_a_mail_file_is_not_cut_inside_its_parts() -> None:
    mark = b"From " + b"1" * 40 + b" Mon Sep 17 00:00:00 2001\n"
    two = letter("[PATCH 2/2] two", diff("g"), separator="")[1:]
    one = MAIL.replace(b"[PATCH] fix it", b"[PATCH 1/2] a = b")
    parts = b"".join(
        b"--BB\nContent-Type: text/x-patch\nContent-Transfer-Encoding: quoted-printable\n\n"
        + (mark + part).replace(b"=", b"=3D")
        + b"\n"
        for part in (one, two)
    )
    head = b"From: F W <f@w.x>\nSubject: two\nMIME-Version: 1.0\n"
    head += b'Content-Type: multipart/mixed;\n boundary="BB"\n\n'
    series = read_mbox(head + parts + b"--BB--\n", "t")
    patches = series.patches
    assert not series.notes
    assert [p.subject for p in patches] == [b"a = b", b"two"]
    assert [p.changes[0].path for p in patches] == [b"f", b"g"]


def test_a_nul_in_the_message_or_the_author_stops() -> None:
    for mail in (MAIL.replace(b"Why.", b"Wh\0y."), MAIL.replace(b"A U Thor", b"A\0Thor")):
        with pytest.raises(MailError, match="holds a NUL byte"):
            read_mbox(mail, "t")
