# SPDX-License-Identifier: GPL-2.0-or-later
"""Trailers that replies give: which patch each is for, and what is not added, and named."""

from __future__ import annotations

import pytest

from series.model import Fate, Series
from series.reading.mail import MailError, read_mbox
from series.reading.rules import Rules
from tests.series.reading.letters import diff, letter

WHO = "B B <b@example.org>"
GIVEN = f"Reviewed-by: {WHO}"


def reply(to: str, text: str = GIVEN, subject: str = "Re: x", *, far: str = "") -> bytes:
    """An answer of B B's to the mail ``to``; ``far`` are more References."""
    headers = f"References: {far} <{to}>\n" if far else ""
    body = f"> quoted\n\n{text}\n"
    return letter(subject, body=body, author=WHO, reply=to, headers=headers)


def posted(version: int, *changes: str, cover: bool = True) -> bytes:
    """A series of two patches with a cover letter; a patch for each word, which its file then holds."""
    mark = f"v{version} " if version > 1 else ""
    own = f"c{version}@x"
    mails = letter(f"[PATCH {mark}0/2] all", msgid=own) if cover else b""
    for number, word in enumerate(changes, 1):
        if word:
            subject = f"[PATCH {mark}{number}/2] part {number}"
            change = diff(f"f{number}", new=word)
            mails += letter(subject, change, msgid=f"{version}.{number}@x", reply=own)
    return mails


def read(data: bytes) -> Series:
    return read_mbox(data, "t", Rules(trailers=True))


def reviewed(series: Series) -> list[bool]:
    """For each patch, whether B B has reviewed it."""
    return [f"\n{GIVEN}\n".encode() in patch.message for patch in series.patches]


def test_to_a_patch_and_to_the_cover_letter() -> None:
    data = posted(1, "b", "b") + reply("1.1@x") + reply("c1@x", f"Acked-by: {WHO}")
    data += reply("1.2@x", "Tested-by: D D <d@example.org>")
    plain = read_mbox(data, "t")
    assert reviewed(plain) == [False, False]
    assert "3 trailers are given in replies; --trailers adds them" in plain.notes
    one, two = read(data).patches
    assert one.message.endswith(f"\n\n{GIVEN}\nAcked-by: {WHO}\n".encode())
    assert two.message.endswith(f"\n\nAcked-by: {WHO}\n".encode())
    assert b"Tested-by" not in two.message


@pytest.mark.parametrize("cover", ["", "<c1@x>"])
def test_what_was_said_of_a_patch_that_was_changed_since(cover: str) -> None:
    """Nobody has reviewed the new one; and not the others either, though the thread has their cover."""
    data = posted(1, "b", "b") + reply("1.2@x", far=cover)
    data += posted(2, "", "other", cover=False)
    series = read(data)
    assert reviewed(series) == [False, False]
    told = next(note for note in series.notes if "B B" in note)
    assert "older version, which was changed since; not added" in told


def test_what_was_said_of_a_patch_that_is_the_same_since() -> None:
    data = posted(1, "b", "b") + reply("1.1@x") + reply("1.2@x") + posted(2, "b", "other")
    series = read(data)
    assert reviewed(series) == [True, False]
    assert sum("changed since; not added" in note for note in series.notes) == 1


def test_what_was_said_of_a_whole_older_version() -> None:
    series = read(posted(1, "b", "b") + reply("c1@x") + posted(2, "b", "b"))
    assert reviewed(series) == [False, False]
    assert any("for a cover letter of an older version; not added" in note for note in series.notes)


def test_a_subject_that_counts_a_patch_is_not_about_all_of_them() -> None:
    """The mail that was answered is not in the mailbox; of its thread only the cover letter is."""
    subject = "Re: [PATCH 2/2] part 2"
    data = posted(1, "b", "b") + reply("gone@x", subject=subject, far="<c1@x>")
    assert reviewed(read(data)) == [False, True]
    other = posted(1, "b", "b") + reply("gone@x", subject="Re: [PATCH v3 2/2] part 2", far="<c1@x>")
    series = read(other)
    assert reviewed(series) == [False, False]
    assert any("for a patch that is not here; not added" in note for note in series.notes)


@pytest.mark.parametrize("subject", ["[PATCH 1/2] part 1", "[PATCH 1/2] Part 1."])
def test_a_reply_without_its_re(subject: str) -> None:
    series = read(posted(1, "b", "b") + reply("1.1@x", subject=subject))
    assert reviewed(series) == [True, False]
    assert [account.fate for account in series.accounts].count(Fate.REPLY) == 1


def test_a_patch_that_lost_its_diff_is_no_reply() -> None:
    """Its subject is another one than that of the mail that it answers."""
    lost = letter("[PATCH 2/2] part 2", msgid="1.2@x", reply="1.1@x")
    with pytest.raises(MailError, match=r"patch 2 of 2 but has no diff"):
        read(posted(1, "b") + lost)


@pytest.mark.parametrize(
    "text",
    [
        "Reviewed-by: B B <b@example.org<mailto:b@example.org>>",
        "Reviewed-by: B B <b@example.org <mailto:b@example.org> >",
        "Reviewed-by: B B\n<b@example.org>",
        "Reviewed-by: B B\n  <b@example.org>",
        "Reviewed-by:  B  B <b@example.org> ",
    ],
)
def test_as_programs_wrap_and_adorn_it(text: str) -> None:
    assert reviewed(read(posted(1, "b", "b") + reply("1.1@x", text))) == [True, False]


def test_a_remark_behind_it_stays() -> None:
    series = read(posted(1, "b", "b") + reply("1.1@x", f"Acked-by: {WHO} # for x86"))
    assert f"\nAcked-by: {WHO} # for x86\n".encode() in series.patches[0].message


@pytest.mark.parametrize("key", ["Build-tested-by", "Reviewed-and-acked-by", "acked-by"])
def test_any_word_of_its_kind(key: str) -> None:
    series = read(posted(1, "b", "b") + reply("1.1@x", f"{key}: {WHO}"))
    assert f"\n{key}: {WHO}\n".encode() in series.patches[0].message


@pytest.mark.parametrize("key", ["Nacked-by", "NAKed-by", "Rejected-by"])
def test_who_is_against_a_patch_is_named_and_not_added(key: str) -> None:
    """Also where trailers are not asked for."""
    data = posted(1, "b", "b") + reply("1.1@x", f"{key}: {WHO}")
    for series in (read(data), read_mbox(data, "t")):
        assert any(f"is against it: '{key}: {WHO}'" in note for note in series.notes)
        assert not any(b"B B" in patch.message for patch in series.patches)
