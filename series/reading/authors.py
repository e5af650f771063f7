# SPDX-License-Identifier: GPL-2.0-or-later
"""Who wrote a patch, from a ``From:`` line as people and mailing lists write it."""

from __future__ import annotations

import re

from series.model import Identity
from series.reading.mail_headers import SPACE, one_space

_AT = re.compile(rb"(?<!\S)(\S{1,80}) at ([\w-]{1,64}(?:\.[\w-]{1,64}){1,8})")
_VIA = re.compile(rb"\bvia\b|\bon behalf of\b", re.IGNORECASE)

NOBODY = Identity(b"", b"")
"""Where a text names no author."""


def parse_author(value: bytes) -> Identity:
    """Name and address as mailinfo.c's handle_from and get_sane_name find them."""
    text = _unquote_pairs(value)
    at = text.find(b"@")
    if at < 0 and (hidden := _AT.search(text)):
        # pipermail and its like hide addresses from robots: anna at example.com (Anna Sender)
        text = text[: hidden.start()] + hidden[1] + b"@" + hidden[2] + text[hidden.end() :]
        at = text.find(b"@")
    if at < 0:
        return _bogus_author(text)
    start = at
    while start > 0 and text[start - 1 : start] not in (b" ", b"\t", b"\n", b"\r", b"<"):
        start -= 1
    end = start
    while end < len(text) and text[end : end + 1] not in b" \n\t\r\v\f>":
        end += 1
    email = text[start:end]
    before = text[:start]
    if before.endswith(b"<"):
        before = before[:-1] + b" "
    name = one_space(before + text[end + 1 :]).strip(SPACE)
    if name.startswith(b"(") and name.endswith(b")"):
        name = name[1:-1]
    return Identity(_sane_name(name, email), email)


def _bogus_author(value: bytes) -> Identity:
    """``John Doe <johndoe>``: an address without an at sign."""
    left, right = value.find(b"<"), value.find(b">")
    if left < 0 or right < left:
        # A name alone is better than nobody; git takes an author without an address.
        name = value.strip(b" \t\n\r\"'")
        return (
            Identity(name, b"")
            if re.search(rb"[^\W\d_]|[\x80-\xff]", name) and len(name) <= 60
            else NOBODY
        )
    email = value[left + 1 : right]
    return Identity(_sane_name(value[:left].strip(SPACE), email), email)


def _sane_name(name: bytes, email: bytes) -> bytes:
    if not name or len(name) > 60 or any(mark in name for mark in (b"@", b"<", b">")):
        return email
    return name


def _unquote_pairs(value: bytes) -> bytes:
    """Resolve RFC 2822 quoted strings and the backslashes in comments.

    A quote that nothing closes is a letter: git writes names with one as they are.
    """
    out = bytearray()
    quoted = False
    depth = at = 0
    while at < len(value):
        byte = value[at]
        at += 1
        if byte == 0x5C and (quoted or depth) and at < len(value):
            out.append(value[at])
            at += 1
        elif byte == 0x22 and not depth:
            quoted = not quoted
        else:
            if not quoted:
                depth += (byte == 0x28) - (byte == 0x29 and depth > 0)
            out.append(byte)
    return bytes(out) if not quoted else value


def author_behind_list(outer: dict[bytes, bytes]) -> Identity | None:
    """The author of a mail whose From a mailing list has rewritten ("A U Thor via list")."""
    if not _VIA.search(outer.get(b"from", b"")):
        return None
    lists = parse_author(one_space(outer[b"from"])).email
    for key in (b"x-original-from", b"reply-to"):
        found = parse_author(one_space(outer.get(key, b"").split(b",")[0]))
        if found.email == lists:
            continue
        if found.email and found.name and found.name != found.email:
            return found
        if found.email and outer[key].count(b"@") == 1:
            name = _VIA.split(one_space(outer[b"from"]))[0].strip(b" \"'")
            return Identity(name or found.email, found.email)
    return None
