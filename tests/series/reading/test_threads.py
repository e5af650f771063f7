# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches that no thread holds together, and mailboxes with many postings."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence

import pytest

from series.reading.letters import Choice, Letter
from series.reading.mail import read_mbox
from series.reading.subject import parse_tags
from series.reading.thread import choose
from tests.series.reading.letters import diff, letter


def authored(numbers: Sequence[str], authors: str) -> bytes:
    """A mail a number, each by the author of that place, without a thread."""
    return b"".join(
        letter(
            f"[PATCH {number}] {name} does {at}",
            diff(f"f{at}"),
            author=f"{name} <{name}@example.org>",
        )
        for at, (number, name) in enumerate(zip(numbers, authors, strict=True))
    )


def test_patches_of_several_authors_without_a_thread_are_one_series() -> None:
    series = read_mbox(authored(["1/4", "2/4", "3/4", "4/4"], "abca"), "x")
    assert [one.numbering.number for one in series.patches if one.numbering] == [1, 2, 3, 4]
    assert {one.part for one in series.patches} == {0}


def test_a_gap_among_several_authors_is_one_gap() -> None:
    series = read_mbox(authored(["4/4", "2/4", "1/4"], "abc"), "x")
    assert {one.part for one in series.patches} == {0}


def test_two_series_of_several_authors_one_after_the_other() -> None:
    series = read_mbox(authored(["1/3", "2/3", "3/3", "1/3", "2/3", "3/3"], "abcbca"), "x")
    assert [one.part for one in series.patches] == [0, 0, 0, 1, 1, 1]


def chosen(subjects: Sequence[str], *, threads: bool = False) -> tuple[Choice, float]:
    """What becomes of so many mails by as many authors, and the seconds that it takes."""
    letters = [
        Letter(
            index=at,
            name=f"x:{at}",
            subject=f"title {at}".encode(),
            tags=parse_tags(subject.encode()),
            author=b"%d@example.org" % (at % 97),
            digest=b"%d" % at,
            message_id=f"{at}@x" if threads else None,
            sent=at,
        )
        for at, subject in enumerate(subjects)
    ]
    gc.disable()  # it would look through all that the other tests have left
    begun = time.process_time()
    found, spent = choose(letters), time.process_time() - begun
    gc.enable()
    return found, spent


@pytest.mark.torture
@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("tag", ["[PATCH {at}/{count}]", "[PATCH]", "[PATCH 1/1]", "[PATCH 1/2]"])
def test_the_cost_of_a_large_mailbox_grows_with_it(tag: str, threads: bool) -> None:
    def seconds(count: int) -> float:
        subjects = [tag.format(at=at + 1, count=count) for at in range(count)]
        choice, taken = chosen(subjects, threads=threads)
        assert len(choice.taken) == count
        return taken

    # Eight times as many take sixty-four times as long where pairs are looked at.
    assert min(seconds(8000), seconds(8000)) < 24 * max(seconds(1000), 0.02)


def test_a_file_of_format_patch_is_no_reply() -> None:
    """Its commit's subject begins so; in a mailbox of a list it is a reply."""
    separator = f"From {'0' * 40} Mon Sep 17 00:00:00 2001"
    made = letter("Re: look again", diff("f"), separator=separator)
    assert [one.subject for one in read_mbox(made, "x").patches] == [b"look again"]
    series = read_mbox(letter("Re: look again", diff("f")) + letter("[PATCH] b", diff("g")), "x")
    assert [one.subject for one in series.patches] == [b"b"]


def test_a_subject_in_the_body_leaves_the_place_in_the_series() -> None:
    """git am takes it for the commit's; the number stands in the mail's own."""
    mails = [
        letter(f"[PATCH {at}/3] title {at}", diff(f"f{at}"), body=f"Subject: own {at}\n\nWhy.\n")
        for at in (3, 1, 2)
    ]
    series = read_mbox(b"".join(mails), "x")
    places = [(one.subject, one.numbering and one.numbering.number) for one in series.patches]
    assert places == [(b"own 3", 3), (b"own 1", 1), (b"own 2", 2)]
