# SPDX-License-Identifier: GPL-2.0-or-later
"""Mails in, a ``Series`` out: a mailbox with a whole thread in it, or a folder of patch files.

A mailbox is cut in mbox.py, one mail read in mailinfo.py; which of several versions of a series is
taken is decided in thread.py.  Here they are put together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from series.errors import SeriesError
from series.model import Cover, Numbering, Oid, Patch, Series
from series.reading.diff import parse_diff
from series.reading.mailinfo import MailInfo, parse_mail
from series.reading.mbox import RawMail, split_mbox, unescape
from series.reading.thread import Letter, choose
from series.reading.trailers import parse_trailers

_BRACKET = re.compile(rb"\s*(?:(?:re|aw|sv|fwd?)\s*:\s*)*\[([^\]]*)\]", re.IGNORECASE)
_COUNT = re.compile(rb"(?:^|\s)(\d{1,4})/(\d{1,4})(?=\s|$)")
_VERSION = re.compile(rb"(?:^|[\s,])v(\d{1,4})(?:\.\d+)?(?=[\s,]|$)|PATCHv(\d{1,4})", re.IGNORECASE)
_DIFF = re.compile(
    rb"^(?:diff --(?:git|cc|combined) |--- [^\n]+\n\+\+\+ [^\n]+\n@@ -)", re.MULTILINE
)
_REPLY = re.compile(rb"\s*(?:re|aw|sv|antw)\s*:", re.IGNORECASE)
_BASE = re.compile(rb"^base-commit: ([0-9a-f]{7,64})\s*$", re.MULTILINE)
_PREREQUISITE = re.compile(rb"^prerequisite-patch-id: ([0-9a-f]{40,64})\s*$", re.MULTILINE)


class MailError(SeriesError):
    """A source of mails that holds no patch: where, what is wrong, what to do."""

    def __init__(self, origin: str, what: str, advice: str) -> None:
        self.origin, self.what, self.advice = origin, what, advice
        super().__init__(f"{origin}: {what}; {advice}")


@dataclass(frozen=True, slots=True)
class _Mail:
    """A mail with what is needed to speak of it."""

    name: str
    where: str
    first_line: int
    raw: RawMail
    info: MailInfo
    numbering: Numbering | None


def parse_numbering(subject: bytes) -> Numbering | None:
    """``[PATCH v2 03/27]`` of a subject with its brackets; None where nothing is counted."""
    number = total = None
    version = None
    while match := _BRACKET.match(subject):
        inner = match[1]
        if counted := _COUNT.search(inner):
            number, total = int(counted[1]), int(counted[2])
        if (found := _VERSION.search(inner)) and version is None:
            version = int(found[1] or found[2])
        subject = subject[match.end() :]
    if number is None or total is None or number > total:
        return None if version is None else Numbering(1, 1, version)
    return Numbering(number, total, version or 1)


def read_mbox(data: bytes, origin: str) -> Series:
    """Read a mailbox, or a single mail.  Raises MailError, DiffError."""
    name = origin.rsplit("/", 1)[-1]
    mails = []
    for raw in split_mbox(data):
        mail = _read(raw, f"{name}:{raw.line}", name, raw.line)
        mails.append(mail)
    return _series(mails, origin)


def read_patch_files(files: Sequence[tuple[str, bytes]], origin: str) -> Series:
    """Read a folder of ``git format-patch``: pairs of name and content, in the order to keep."""
    mails = []
    for name, data in files:
        for raw in split_mbox(data):
            mails.append(_read(raw, name, name, raw.line))
    return _series(mails, origin)


def read_one(name: str, data: bytes, *, strip: int = 1) -> Patch:
    """Read one patch file with mail headers; its changes may be none."""
    raws = split_mbox(data)
    if not raws:
        raise MailError(name, "it is empty", "write it again with git format-patch")
    return _patch(_read(raws[0], name, name, raws[0].line), 0, strip)


def _read(raw: RawMail, name: str, where: str, line: int) -> _Mail:
    info = parse_mail(unescape(raw.data) if raw.escaped else raw.data)
    return _Mail(name, where, line, raw, info, parse_numbering(info.subject))


def _series(mails: Sequence[_Mail], origin: str) -> Series:
    letters = [
        Letter(
            index=index,
            name=mail.name,
            subject=mail.info.clean,
            numbering=mail.numbering,
            is_patch=bool(mail.info.diff and _DIFF.search(mail.info.diff)),
            is_reply=_REPLY.match(mail.info.subject) is not None,
            message_id=mail.info.message_id,
            references=mail.info.references,
        )
        for index, mail in enumerate(mails)
    ]
    choice = choose(letters)
    if not choice.patches:
        what = f"{len(mails)} mails, but none holds a patch" if mails else "it is empty"
        raise MailError(origin, what, "give a mailbox, a folder of patches or a git range")
    notes = list(choice.notes)
    patches = [_patch(mails[index], place) for place, index in enumerate(choice.patches)]
    for index in choice.patches:
        notes.extend(f"{mails[index].name}: {note}" for note in mails[index].info.notes)
    cover = mails[choice.cover] if choice.cover is not None else None
    base: Oid | None = None
    prerequisites: list[Oid] = []
    for index in (*choice.patches, *([choice.cover] if choice.cover is not None else [])):
        text = mails[index].info.diff or mails[index].info.body
        if index == choice.cover:
            text = mails[index].info.body + b"\n" + mails[index].info.diff
        if b"base-commit: " in text and (match := _BASE.search(text)):
            base = base or Oid(match[1].decode())
        if b"prerequisite-patch-id: " in text:
            prerequisites += [Oid(found.decode()) for found in _PREREQUISITE.findall(text)]
    return Series(
        patches=tuple(patches),
        origin=origin,
        cover=None
        if cover is None
        else Cover(cover.info.clean, cover.info.body, cover.numbering, cover.info.message_id),
        base_commit=base,
        prerequisites=tuple(dict.fromkeys(prerequisites)),
        notes=tuple(notes),
    )


def _patch(mail: _Mail, position: int, strip: int = 1) -> Patch:
    info = mail.info
    if info.diff_line is None:
        where, first = f"{mail.name} (decoded diff)", 1
    else:
        # 1 is the mail's first header line, which stands one below its separator.
        where, first = mail.where, mail.first_line + info.diff_line - 1
    changes = parse_diff(info.diff, where, strip=strip, first_line=first)
    return Patch(
        name=mail.name,
        author=info.author,
        date=info.date,
        message=info.message,
        changes=changes,
        commit=Oid(mail.raw.commit) if mail.raw.commit else None,
        numbering=mail.numbering,
        message_id=info.message_id,
        in_reply_to=info.references,
        trailers=parse_trailers(info.message),
        position=position,
    )
