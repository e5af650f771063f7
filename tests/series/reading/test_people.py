# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbering, versions and threads as people write them: which mails are the series, and the others."""

from __future__ import annotations

import pytest

from series.model import Fate, Identity, Series
from series.reading.authors import parse_author
from series.reading.mail import MailError, read_mbox
from series.reading.rules import Rules
from series.reading.subject import parse_tags
from tests.series.reading.letters import diff, letter


def subjects(series: Series) -> list[str]:
    return [patch.subject.decode() for patch in series.patches]


def fates(series: Series) -> list[Fate]:
    return [account.fate for account in series.accounts]


@pytest.mark.parametrize(
    "style",
    [
        "[PATCH v2 {n}/3]",
        "[PATCH v2,{n}/3]",
        "[v2,0{n}/03]",
        "[net-next,v2,{n}/3]",
        "[PATCH v2 ({n}/3)]",
        "[PATCH {n} of 3 V2]",
        "[PATCH {n} / 3, v2]",
        "[v2][PATCH {n}/3]",
        "[RFC PATCHv2 {n}/3]",
        "[PATCH {n}/3 v2]",
        "[PATCH-v2 {n}/3]",
        "[PATCH RESEND v2 {n}/3]",
        "[Xen-devel] [PATCH for-4.10 v2 {n}/3]",
        "[PATCH (take 2) {n}/3]",
        "[patch V2 {n}/3]",
    ],
)
def test_a_numbering_is_read_however_it_is_written(style: str) -> None:
    for number in (0, 1, 3):
        tags = parse_tags(style.format(n=number).encode() + b" text [1/9]")
        assert (tags.number, tags.total, tags.version) == (number, 3, 2)
    cover = letter(style.format(n=0) + " all", diff("f"), msgid="c@x")
    mails = [letter(f"{style.format(n=n)} part {n}", diff(f"f{n}"), reply="c@x") for n in (2, 1, 3)]
    series = read_mbox(cover + b"".join(mails), "t")
    assert [p.numbering.number for p in series.patches if p.numbering] == [2, 1, 3]
    assert fates(series) == [Fate.COVER, Fate.PATCH, Fate.PATCH, Fate.PATCH]


@pytest.mark.parametrize(
    "subject", ["[PATCH v2] x", "[PATCH 1/n] x", "[PATCH 4/3] x", "[PATCH] x", "[1/0] x", "x 1/3"]
)
def test_no_readable_count_is_no_count(subject: str) -> None:
    assert parse_tags(subject.encode()).numbering is None


def test_patches_of_one_version_never_replace_each_other() -> None:
    cover = letter("[PATCH v2] all of it", msgid="c@x", body="*** BLURB HERE ***\n")
    mails = [letter(f"[PATCH v2] part {n}", diff(f"f{n}"), reply="c@x") for n in range(3)]
    series = read_mbox(cover + b"".join(mails), "t")
    assert subjects(series) == ["part 0", "part 1", "part 2"]


@pytest.mark.parametrize("threaded", [True, False])
def test_a_newer_version_of_a_single_patch_replaces_the_older(threaded: bool) -> None:
    old = letter("[PATCH] fix it", diff("f"), msgid="1@x" if threaded else "")
    new = letter("[PATCH v2] Fix it", diff("f", new="c"), reply="1@x" if threaded else "")
    for data in (old + new, new + old):
        series = read_mbox(data, "t")
        assert subjects(series) == ["Fix it"]
        assert Fate.OLDER in fates(series)
    stranger = letter("[PATCH v2] fix it", diff("g"), author="B <b@example.org>")
    assert len(read_mbox(old + stranger, "t").patches) == 2


def test_a_renamed_version_in_reply_replaces_the_older() -> None:
    old = letter("[PATCH] fix it", diff("f"), msgid="1@x")
    new = letter("[PATCH v2] mend it", diff("f", new="c"), reply="1@x")
    assert subjects(read_mbox(old + new, "t")) == ["mend it"]
    apart = letter("[PATCH v2] mend it", diff("f", new="c"))
    assert subjects(read_mbox(old + apart, "t")) == ["fix it", "mend it"]


def series_of(version: int, numbers: tuple[int, ...], total: int = 3, thread: str = "") -> bytes:
    tag = f" v{version}" if version > 1 else ""
    reply = thread or f"c{version}@x"
    return b"".join(
        letter(
            f"[PATCH{tag} {n}/{total}] part {n}",
            diff(f"f{n}", new=f"v{version}"),
            msgid=f"{version}.{n}@x",
            reply=reply,
        )
        for n in numbers
    )


def test_a_reroll_of_one_patch_is_put_together_with_the_rest() -> None:
    again = letter("[PATCH v2 2/3] part 2", diff("f2", new="v2"), reply="1.2@x")
    series = read_mbox(series_of(1, (1, 2, 3)) + again, "t")
    assert sorted(p.numbering.number for p in series.patches if p.numbering) == [1, 2, 3]
    news = {p.subject: p.changes[0].hunks[0].after for p in series.patches}
    assert news[b"part 2"] == (b"v2\n",) and news[b"part 1"] == (b"v1\n",)
    assert any("the others are those of version 1" in note for note in series.notes)
    alone = letter("[PATCH v2] part 2", diff("f2", new="v2"), reply="1.2@x")
    series = read_mbox(series_of(1, (1, 2, 3)) + alone, "t")
    news = {p.subject: p.changes[0].hunks[0].after for p in series.patches}
    assert news[b"part 2"] == (b"v2\n",) and len(series.patches) == 3


def test_a_newer_version_in_part_stops_where_the_rest_is_not_known() -> None:
    data = series_of(1, (1, 2, 3)) + series_of(2, (2, 3), total=4, thread="1.1@x")
    with pytest.raises(MailError, match="version 2 is incomplete"):
        read_mbox(data, "t")
    assert len(read_mbox(data, "t", Rules(partial=True)).patches) == 2


def test_two_series_stay_apart() -> None:
    one = [letter(f"[PATCH {n}/2] one {n}", diff(f"a{n}")) for n in (1, 2)]
    two = [letter(f"[PATCH {n}/2] two {n}", diff(f"b{n}")) for n in (1, 2)]
    series = read_mbox(b"".join([*one, *two]), "t")
    assert [(p.part, p.subject) for p in series.patches] == [
        (0, b"one 1"),
        (0, b"one 2"),
        (1, b"two 1"),
        (1, b"two 2"),
    ]
    assert any(
        note.startswith("it holds 2 series, one put on after the other") for note in series.notes
    )


def test_threads_keep_interleaved_series_apart() -> None:
    def mail(name: str, n: int) -> bytes:
        return letter(f"[PATCH {n}/2] {name} {n}", diff(f"{name}{n}"), reply=f"{name}@x")

    data = mail("one", 1) + mail("two", 1) + mail("two", 2) + mail("one", 2)
    parts = {p.subject: p.part for p in read_mbox(data, "t").patches}
    assert parts == {b"one 1": 0, b"one 2": 0, b"two 1": 1, b"two 2": 1}


def test_an_empty_mail_of_a_series_is_there_and_empty() -> None:
    data = series_of(1, (1, 3)) + letter("[PATCH 2/3] part 2", reply="c1@x")
    with pytest.raises(MailError, match="is patch 2 of 3 but has no diff"):
        read_mbox(data, "t")
    series = read_mbox(data, "t", Rules(partial=True))
    assert len(series.patches) == 2 and fates(series)[-1] is Fate.NO_PATCH


def test_a_mail_that_claims_a_patch_and_has_none_stops() -> None:
    lone = letter("[PATCH] b")
    with pytest.raises(MailError, match="is marked as a patch"):
        read_mbox(letter("[PATCH] a", diff("f")) + lone, "t")
    talk = letter("about the release")
    series = read_mbox(letter("[PATCH] a", diff("f")) + talk, "t")
    assert fates(series) == [Fate.PATCH, Fate.NO_PATCH]


def test_the_copy_that_came_by_the_list_is_one_mail() -> None:
    mail = letter("[PATCH] a", diff("f"), msgid="1@x")
    series = read_mbox(mail + mail, "t")
    assert fates(series) == [Fate.PATCH, Fate.REPEATED]


def test_every_mail_is_accounted_for() -> None:
    data = (
        series_of(1, (1, 2, 3))
        + letter("[PATCH v2 0/3] all", msgid="c2@x")
        + series_of(2, (1, 2, 3))
        + letter("Re: [PATCH v2 1/3] part 1", "> quoted\n", reply="2.1@x")
        + letter("hello")
    )
    series = read_mbox(data, "t")
    assert len(series.accounts) == 9
    assert fates(series).count(Fate.PATCH) == len(series.patches) == 3
    assert fates(series).count(Fate.OLDER) == 3


@pytest.mark.parametrize(("one", "two"), [("修正一", "修正二"), ("x: a+b", "x: a-b"), ("C", "C++")])
def test_subjects_that_differ_in_any_letter_are_different(one: str, two: str) -> None:
    data = letter(f"[PATCH] {one}", diff("f")) + letter(f"[PATCH v2] {two}", diff("g"))
    assert subjects(read_mbox(data, "t")) == [one, two]
    same = letter(f"[PATCH] {one}", diff("f")) + letter(f"[PATCH v2] {one.lower()}.", diff("g"))
    assert len(read_mbox(same, "t").patches) == 1


@pytest.mark.parametrize(
    ("line", "name", "email"),
    [
        (b'"A, B" <>', b"A, B", b""),
        (b'"A \\"q\\" B" <>', b'A "q" B', b""),
        (b'"A, B" <nowhere>', b"A, B", b"nowhere"),
        (b'"A B"', b"A B", b""),
        (b"A B <>", b"A B", b""),
    ],
)
def test_a_quoted_name_without_an_address(line: bytes, name: bytes, email: bytes) -> None:
    """As ``git format-patch`` writes an author whose name has a comma, and whose address is empty."""
    assert parse_author(line) == Identity(name, email)


def test_a_quote_that_nothing_closes_is_a_letter_of_the_name() -> None:
    """As git format-patch writes the name of a commit's author in the body."""
    found = parse_author(b'O"Quote, Jr <q@example.org>')
    assert (found.name, found.email) == (b'O"Quote, Jr', b"q@example.org")
