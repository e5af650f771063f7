# SPDX-License-Identifier: GPL-2.0-or-later
"""One mail in; author, date, message and diff out, exactly as ``git am`` would store them.

This follows git's mailinfo.c and builtin/am.c step by step and not Python's ``email`` package, which
has opinions of its own on folding, bad charsets and line ends: a commit message has to come out byte
for byte the same (tests/series/reading/test_mail_git.py puts the same mails to ``git am``).

In one thing it knows more than git: ``git am`` takes every carriage return before a line feed for
one that the transport added.  When the headers and a file's names (`line_ends`) have none, the diff's own are
content and are kept (as with ``git am --keep-cr``), so that a patch to a CRLF file applies.
"""

from __future__ import annotations

from msgspec import Struct

from series.model import Identity, When, shown
from series.reading.authors import author_behind_list, parse_author
from series.reading.choices import QuotedCr
from series.reading.dates import parse_date
from series.reading.encodings import as_utf8
from series.reading.line_ends import by_names
from series.reading.mail_headers import (
    clean_subject,
    decode_words,
    message_ids,
    one_space,
    split_head,
)
from series.reading.mail_message import MessageAndDiff, strip_space
from series.reading.mail_parts import PartReader, unarmoured
from series.reading.rules import DEFAULT, Rules

_DECODED = frozenset({b"from", b"subject", b"date", b"author", b"reply-to", b"x-original-from"})


class MailInfo(Struct, frozen=True):
    """What one mail says.  ``subject`` keeps its brackets; ``clean`` is what git am makes of it."""

    author: Identity
    date: When | None
    subject: bytes
    clean: bytes
    message: bytes
    body: bytes
    diff: bytes
    diff_line: int | None
    """The line of ``diff``'s first line in the mail's bytes, counted from 1 at its first header
    line; None where the body had to be decoded and lines have no counterpart."""
    message_id: str | None
    references: tuple[str, ...]
    notes: tuple[str, ...]
    faults: tuple[str, ...] = ()
    """Parts of the mail that could not be read, any of which may hold the patch."""
    fields: tuple[tuple[bytes, bytes], ...] = ()
    """The mail's own headers, decoded, in their order."""
    attached: tuple[bytes, ...] = ()
    """Whole mails that it carries: forwarded ones, and files of git format-patch."""
    posted: bytes = b""
    """The subject of its header, which ``subject`` is but where the body has another."""


def parse_mail(data: bytes, rules: Rules = DEFAULT) -> MailInfo:
    """Read one mail (without its ``From `` separator)."""
    begun_by_crlf = data[: data.find(b"\n") + 1].endswith(b"\r\n")
    data = data.replace(b"\r\n", b"\n") if begun_by_crlf else by_names(data)
    headers, body, body_line = split_head(data, skip_blank=True)
    decoder = PartReader(rules.quoted_cr)
    decoder.part(headers, body, body_line, 0)
    decoder.lines = unarmoured(decoder.lines)
    filtered = MessageAndDiff(decoder.lines, decoder.notes, scissors=rules.scissors)
    outer: dict[bytes, bytes] = {}
    ids: dict[bytes, bytes] = {}
    for key, value in headers:
        name = key.lower()
        if name in _DECODED:
            outer.setdefault(name, as_utf8(decode_words(value, decoder.notes)))
        elif name in (b"message-id", b"in-reply-to", b"references"):
            ids.setdefault(name, value)
    # What stands in the body wins, but only where there is a patch (mailinfo.c, handle_info).
    told = {**outer, **filtered.headers} if filtered.diff else outer
    subject = one_space(told.get(b"subject", b""))
    clean = one_space(clean_subject(subject, rules.keep))
    near = message_ids(ids.get(b"in-reply-to", b""))
    far = tuple(reversed(message_ids(ids.get(b"references", b""))))
    own = message_ids(ids.get(b"message-id", b""))
    log, diff = b"".join(filtered.log), b"".join(filtered.diff)
    when = told.get(b"date", b"")
    date = parse_date(when)
    if date is None and when.strip():
        decoder.faults.append(
            f"its date '{shown(when.strip()[:60])}' is none that a commit can have"
        )
    author = parse_author(one_space(told.get(b"from") or told.get(b"author", b"")))
    if b"from" not in filtered.headers and (behind := author_behind_list(outer)) is not None:
        decoder.notes.append(
            f"the list rewrote From to '{shown(outer[b'from'])}'; the author is taken from its"
            " other headers"
        )
        author = behind
    return MailInfo(
        author=author,
        date=date,
        subject=subject,
        clean=clean,
        message=strip_space(clean + b"\n\n" + log),
        body=strip_space(log),
        diff=diff if rules.quoted_cr is QuotedCr.KEEP else by_names(diff),
        diff_line=filtered.diff_line if decoder.plain else None,
        message_id=own[0] if own else None,
        references=tuple(dict.fromkeys(near + far)),
        notes=tuple(dict.fromkeys(decoder.notes)),
        faults=tuple(dict.fromkeys(decoder.faults)),
        attached=tuple(decoder.attached),
        posted=one_space(outer.get(b"subject", b"")),
        fields=tuple((key, outer.get(key.lower(), value)) for key, value in headers),
    )
