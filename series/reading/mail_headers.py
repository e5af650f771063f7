# SPDX-License-Identifier: GPL-2.0-or-later
"""The headers of a mail or of one of its parts: unfolded, decoded, and the title of a subject."""

from __future__ import annotations

import quopri
import re

from series.reading.choices import Keep
from series.reading.encodings import decode_base64, to_utf8

SPACE = b" \t\n\r"
"""What git takes for blanks."""
_HEADER = re.compile(rb"([!-9;-~]+):[ \t]*(.*)", re.DOTALL)
# Bounded, so that a header full of openings without an end stays linear.
_WORD = re.compile(rb"=\?([^?]{0,100})\?([^?])\?(.{0,2000}?)\?=", re.DOTALL)
_RUN = re.compile(rb"[ \t\n\r]+")
_BEFORE_TITLE = re.compile(rb"(?:[rR][eE]:(?=.)|[ \t:]|\[[^\]]*\])*+", re.DOTALL)
"""What `clean_subject` takes off, in one go: a subject may be a million brackets."""
_MOST_HEAD = 1 << 18


def mail_headers(data: bytes) -> list[tuple[bytes, bytes]]:
    """The headers with which ``data`` begins, unfolded; none where it begins with other text."""
    return split_head(data[:_MOST_HEAD].replace(b"\r\n", b"\n"), skip_blank=True)[0]


def split_head(
    data: bytes, *, skip_blank: bool = False
) -> tuple[list[tuple[bytes, bytes]], bytes, int]:
    """Headers unfolded, the body, and the number of the body's first line."""
    found: list[list[bytes]] = []
    at, line_no = 0, 1
    while (
        skip_blank
        and at < len(data)
        and (end := data.find(b"\n", at)) >= 0
        and not data[at:end].strip(SPACE)
    ):
        at, line_no = end + 1, line_no + 1  # as git does, whatever blank lines stand first
    while at < len(data):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end + 1
        line = data[at:end]
        if not line.strip(SPACE):
            at, line_no = end, line_no + 1
            break
        if line[:1] in b" \t" and found:
            found[-1].append(b" " + line[1:].rstrip(SPACE))
        elif _HEADER.match(line):
            found.append([line.rstrip(SPACE)])
        elif not (line.startswith((b">From ", b"From ")) and not found):
            break
        at, line_no = end, line_no + 1
    pairs = []
    for parts in found:
        match = _HEADER.match(b"".join(parts))
        if match is not None:
            pairs.append((match[1], match[2]))
    return pairs, data[at:], line_no


def decode_words(value: bytes, notes: list[str]) -> bytes:
    """RFC 2047, with git's leniency: one word that cannot be read leaves the whole value raw."""
    if b"=?" not in value:
        return value
    out: list[bytes] = []
    at = 0
    for match in _WORD.finditer(value):
        between = value[at : match.start()]
        if between.strip(SPACE) or at == 0:
            out.append(between)
        word = match[3]
        if match[2] in b"bB":
            raw = decode_base64(word)
        elif match[2] in b"qQ":
            raw = quopri.decodestring(word, header=True)
        else:
            return value
        decoded = to_utf8(raw, match[1].split(b"*")[0])
        if decoded is None:
            notes.append(f"a header in the unknown charset '{match[1].decode('ascii', 'replace')}'")
            return value
        out.append(decoded)
        at = match.end()
    out.append(value[at:])
    return b"".join(out)


def one_space(value: bytes) -> bytes:
    """Each run of blanks as one."""
    return _RUN.sub(b" ", value)


def message_ids(value: bytes) -> tuple[str, ...]:
    """The ids of mails that a header names, in its order, with their brackets."""
    return tuple(found.decode("ascii", "replace") for found in re.findall(rb"<[^<>\s]+>", value))


def clean_subject(subject: bytes, keep: Keep = Keep.NONE) -> bytes:
    """Take ``Re:``, colons, blanks and every leading ``[...]`` off (mailinfo.c, cleanup_subject).

    ``keep`` leaves tags where they are: all of them, or those without the word PATCH.
    """
    if keep is Keep.ALL:
        return subject.strip(SPACE)
    kept: list[bytes] = []
    at = 0
    if keep is Keep.NONE and (match := _BEFORE_TITLE.match(subject)):
        at = match.end()
    while at < len(subject):
        head = subject[at : at + 1]
        if head in b"rR" and subject[at + 1 : at + 3] in (b"e:", b"E:") and len(subject) > at + 3:
            at += 3
        elif head in b" \t:":
            at += 1
        elif head == b"[" and (end := subject.find(b"]", at)) >= 0:
            if keep is Keep.NON_PATCH and b"PATCH" not in subject[at:end]:
                kept.append(subject[at : end + 1])
            at = end + 1
        else:
            break
    return b" ".join((*kept, subject[at:].strip(SPACE)))
