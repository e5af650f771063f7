# SPDX-License-Identifier: GPL-2.0-or-later
"""A file cut into the mails or commits that it holds, each of them read.

One file may be a mailbox, a mail, several mails one behind the other, the output of ``git log -p`` or
``hg export``, or a diff with or without words before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from series.reading.decoding import decode
from series.reading.dep3 import dep3_trailers
from series.reading.line_ends import by_names
from series.reading.mail_headers import mail_headers
from series.reading.mail_message import strip_space
from series.reading.mailinfo import MailInfo, parse_mail
from series.reading.mbox import RawMail, split_mbox, unescape
from series.reading.rules import DEFAULT, Rules
from series.reading.subject import Tags, parse_tags

_DIFF = re.compile(
    rb"^(?:diff --(?:git|cc|combined) |--- [^\n]+\n\+\+\+ [^\n]+\n@@ -"
    rb"|\*\*\* [^\n]+\n--- [^\n]+\n\*{15}|\d+(?:,\d+)?[acd]\d+(?:,\d+)?\n[<>] "
    rb"|Binary files [^\n]+ differ$|Submodule [^\n]+ [0-9a-f]{7,}\."
    rb"|Binary file [^\n]+ has changed$|=== (?:renamed|removed|modified|added) (?:file|directory) ')",
    re.MULTILINE,
)
_DIFF_START = re.compile(
    rb"^(?:diff |Index: |=== [a-z]+ (?:file|directory) '"
    rb"|index [0-9a-f]+\.\.|--- [^\n]+\n\+\+\+ |\*\*\* [^\n]+\n--- [^\n]+\n\*{15}"
    rb"|Binary files [^\n]+ differ$|Only in [^\n]+: |Submodule [^\n]+ [0-9a-f]{7,}\.\."
    rb"|\d+(?:,\d+)?[acd]\d+(?:,\d+)?\n[<>] )",
    re.MULTILINE,
)
_MOST_CARRIED = 4
"""Mails in mails that are opened."""
_MAIL_KEYS = frozenset({b"from", b"subject"})
_DEP3_KEYS = frozenset({b"description", b"author"})


class Piece(Struct, frozen=True):
    """One mail, commit or diff of a file.

    ``name`` is fit for a message (``series.mbox:12``), ``where`` the file and ``first_line`` its line
    (1-based) with which the piece begins.  ``mail`` is True where it has a mail's headers.
    """

    name: str
    where: str
    first_line: int
    info: MailInfo
    tags: Tags
    commit: str | None = None
    mail: bool = True


def holds_diff(text: bytes) -> bool:
    """Whether there is a diff of any kind in ``text``, also of a kind that cannot be applied."""
    return bool(text) and _DIFF.search(text) is not None


def read_pieces(
    name: str, data: bytes, rules: Rules = DEFAULT, *, lines: bool = False
) -> list[Piece]:
    """Everything that the file ``name`` holds; ``lines`` names each piece by its line.

    Raises FileError where the file is no text.
    """
    found: list[Piece] = []
    raws = split_mbox(decode(data, name))
    preamble: RawMail | None = None
    for raw in raws:
        if len(raws) > 1 and raw.line == 1 and raw is raws[0] and not _worth(raw.data):
            preamble = raw  # words before the first mail, as Debian's Origin: before a git patch
            continue
        for piece in _pieces(raw, name, rules):
            found.append(_behind(preamble, piece) if preamble else piece)
            preamble = None
    if lines or len(found) > 1:
        found = [replace(piece, name=f"{name}:{piece.first_line}") for piece in found]
    return found


def _worth(data: bytes) -> bool:
    """Whether text before the first separator is a mail or holds a diff."""
    return _is_mail(data) or holds_diff(data)


def _is_mail(data: bytes) -> bool:
    """Whether a mail's headers begin it; DEP-3 has From and Subject, too, and fields of its own."""
    keys = {key.lower() for key, _ in mail_headers(data)}
    return not keys.isdisjoint(_MAIL_KEYS) and keys.isdisjoint(_DEP3_KEYS)


def _pieces(raw: RawMail, name: str, rules: Rules, depth: int = 0) -> Iterator[Piece]:
    data = unescape(raw.data) if raw.escaped else raw.data
    data = by_names(data)
    if raw.commit or raw.escaped or _is_mail(data):
        info = _with_changeset(parse_mail(data, rules))
        kept = dep3_trailers([(key, value) for key, value in info.fields])
        if kept:
            info = replace(info, message=_joined(info.message, kept))
        inner = [
            piece
            for data in (info.attached if depth < _MOST_CARRIED else ())
            for carried in split_mbox(data)
            for piece in _pieces(replace(carried, line=raw.line), name, rules, depth + 1)
        ]
        if inner and not info.faults and not holds_diff(info.diff):
            # A letter around patches: its words are not theirs.
            yield from inner
            return
        yield Piece(name, name, raw.line, info, _tags(info, raw.commit is not None), raw.commit)
        yield from inner
        return
    from series.reading.descriptions import starts_commit

    starts = starts_commit(data)
    if not starts:
        yield _plain(data, name, raw.line)
        return
    if data[: starts[0]].strip():
        yield _plain(data[: starts[0]], name, raw.line)
    line, seen = raw.line, 0
    for number, start in enumerate(starts):
        end = starts[number + 1] if number + 1 < len(starts) else len(data)
        line += data.count(b"\n", seen, start)
        seen = start
        yield _plain(data[start:end], name, line)


def _tags(info: MailInfo, by_git: bool) -> Tags:
    """Those of the subject: a subject in the body, which is the commit's, seldom has the posting's.

    ``by_git``: a file of git format-patch, which is no reply, whatever its commit's subject begins with.
    """
    own = parse_tags(info.subject)
    posted = own if info.posted == info.subject else parse_tags(info.posted)
    found = posted if posted.numbering is not None and own.numbering is None else own
    return replace(found, reply=False) if by_git else found


def _with_changeset(info: MailInfo) -> MailInfo:
    """A mail whose text is a changeset of Mercurial's (hg email): author, date and message are its."""
    text = info.body.lstrip()
    if not text.startswith(b"# HG changeset patch\n"):
        return info
    from series.reading.descriptions import describe

    said = describe(text)
    return replace(
        info,
        author=said.author if said.author.name or said.author.email else info.author,
        date=said.date or info.date,
        clean=said.subject or info.clean,
        message=said.message,
        body=said.body,
    )


def _plain(data: bytes, name: str, line: int) -> Piece:
    """A diff with the words before it."""
    match = _DIFF_START.search(data)
    cut = match.start() if match else len(data)
    from series.reading.descriptions import describe

    said = describe(data[:cut])
    info = MailInfo(
        author=said.author,
        date=said.date,
        subject=said.subject,
        clean=said.subject,
        message=said.message,
        body=said.body,
        diff=data[cut:],
        diff_line=data.count(b"\n", 0, cut) + 1,
        message_id=None,
        references=(),
        notes=(),
    )
    return Piece(name, name, line, info, Tags(), said.commit, mail=False)


def _behind(preamble: RawMail, piece: Piece) -> Piece:
    """A mail with the fields that stand before it added to its message."""
    fields: Sequence[tuple[bytes, bytes]] = mail_headers(preamble.data)
    kept = dep3_trailers(list(fields)) or preamble.data.strip()
    return replace(piece, info=replace(piece.info, message=_joined(piece.info.message, kept)))


def _joined(message: bytes, kept: bytes) -> bytes:
    return strip_space(message + b"\n" + kept + b"\n")
