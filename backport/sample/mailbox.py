# SPDX-License-Identifier: GPL-2.0-or-later
"""Turns patches into the mailboxes in which they were posted.

A mailbox here is what a list archive gives: each patch a mail with a ``Message-ID``, in reply to the
cover letter.  Two things are not as the author sent them, on purpose: the order of `shuffled`, and
the replies that stand between the patches of `thread`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from msgspec import Struct

_SEPARATOR = b"From %s Mon Sep 17 00:00:00 2001\n"
_AUTHOR = b"Ada Holt <ada.holt@example.org>"

_COVER = """\
Message-ID: <{root}>
From: Ada Holt <ada.holt@example.org>
Date: {date}
Subject: [PATCH v{version} 00/{total}] A PV guest in a PVH domain
MIME-Version: 1.0
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: 8bit

This lets the hypervisor run as a PVH guest of another one and pass the event
channels and grants of its own PV guest on: a kernel that knows PV only gets a
domain that needs none of L0's PV interfaces.

It is wanted on stable-4.10 as soon as it can be had; a tidier version for
master will follow.

{changes}
{base}{signature}
2.39.5

"""

_V1 = "Only the parts that do not depend on being a guest; the rest follows.\n"
_V2 = "Changes since v1:\n * the shim itself\n * ports go back to L0 on every error path\n"


class Posting(Struct, frozen=True):
    """One version of the series as mails: the cover letter, and the patches by number."""

    cover: bytes
    mails: tuple[bytes, ...]

    def joined(self) -> bytes:
        """The mailbox as posted."""
        return self.cover + b"".join(self.mails)


def post(series: Mapping[str, bytes], base: str) -> Posting:
    """The series as version 2, made for the commit ``base``."""
    total = len(series)
    trailer = f"base-commit: {base}\n"
    return Posting(
        _cover(2, total, "Wed, 10 Jan 2018 09:00:00 +0000", _V2, trailer),
        tuple(_threaded(patch, _message_id(2, n), 2) for n, patch in _numbered(series)),
    )


def post_first(series: Mapping[str, bytes], count: int) -> Posting:
    """Version 1: the first ``count`` patches, without a base."""
    total = len(series)
    mails = []
    for n, patch in list(_numbered(series))[:count]:
        old, new = b"[PATCH v2 %02d/%02d]" % (n, total), b"[PATCH %02d/%02d]" % (n, count)
        mails.append(_threaded(patch.replace(old, new, 1), _message_id(1, n), 1))
    cover = _cover(1, count, "Mon, 8 Jan 2018 09:00:00 +0000", _V1, "")
    return Posting(cover.replace(b"[PATCH v1 ", b"[PATCH ", 1), tuple(mails))


def shuffled(posting: Posting) -> bytes:
    """All mails in an order that says nothing, the same on every run."""
    mails = (posting.cover, *posting.mails)
    return b"".join(sorted(mails, key=lambda mail: hashlib.sha256(mail).digest()))


def thread(first: Posting, second: Posting) -> bytes:
    """Two versions with what reviewers wrote between them."""
    return (
        first.joined()
        + _reply(first.mails[2], 1, 3, b"Please say in the message what this is good for.\n")
        + _reply(first.mails[-1], 1, len(first.mails), b"Does this work without an APIC?\n")
        + second.cover
        + b"".join(second.mails[:10])
        + _reply(second.mails[4], 2, 5, b"Reviewed-by: Lin Zhao <lin.zhao@example.org>\n")
        + b"".join(second.mails[10:])
        + _reply(second.mails[-1], 2, len(second.mails), b"Thanks, a picture at last.\n")
    )


def _numbered(series: Mapping[str, bytes]) -> Iterable[tuple[int, bytes]]:
    return ((int(number), patch) for number, patch in series.items())


def _message_id(version: int, number: int) -> str:
    day = {1: "20180108", 2: "20180110"}[version]
    return f"{day}.shim-v{version}-{number}@example.org"


def _cover(version: int, total: int, date: str, changes: str, base: str) -> bytes:
    text = _COVER.format(
        root=_message_id(version, 0),
        date=date,
        version=version,
        total=total,
        changes=changes,
        base=base,
        signature="-- ",
    )
    return _SEPARATOR % hashlib.sha1(text.encode()).hexdigest().encode() + text.encode()


def _threaded(patch: bytes, message_id: str, version: int) -> bytes:
    """The mail of one patch: its own headers with those of the thread before them."""
    separator, rest = patch.split(b"\n", 1)
    root = _message_id(version, 0)
    headers = f"Message-ID: <{message_id}>\nIn-Reply-To: <{root}>\nReferences: <{root}>\n"
    return separator + b"\n" + headers.encode() + rest


def _reply(mail: bytes, version: int, number: int, remark: bytes) -> bytes:
    """A reviewer's answer: the whole mail quoted, its diff included."""
    head, body = mail.split(b"\n\n", 1)
    subject = next(line for line in head.split(b"\n") if line.startswith(b"Subject: "))
    quoted = b"".join(b"> " + line + b"\n" for line in body.splitlines())
    text = (
        b"Message-ID: <reply-%d-%d@example.org>\nIn-Reply-To: <%s>\n"
        b"From: Lin Zhao <lin.zhao@example.org>\nDate: Thu, 11 Jan 2018 10:00:00 +0000\n"
        b"Subject: Re: %s\n\nOn Wed, %s wrote:\n%s\n%s\n"
    ) % (
        version,
        number,
        _message_id(version, number).encode(),
        subject.removeprefix(b"Subject: "),
        _AUTHOR,
        quoted,
        remark,
    )
    return _SEPARATOR % hashlib.sha1(text).hexdigest().encode() + text
