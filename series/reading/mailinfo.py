# SPDX-License-Identifier: GPL-2.0-or-later
"""One mail in; author, date, message and diff out, exactly as ``git am`` would store them.

This follows git's mailinfo.c and builtin/am.c step by step and not Python's ``email`` package, which
has opinions of its own on folding, bad charsets and line ends: a commit message has to come out byte
for byte the same (tests/series/test_mailinfo_git.py puts the same mails to ``git am``).

In one thing it knows more than git: ``git am`` takes every carriage return before a line feed for
one that the transport added.  When the headers have none, the diff's own are content and are kept
(as with ``git am --keep-cr``), so that a patch to a CRLF file applies.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import quopri
import re
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz

from series.model import Identity, When

_SPACE = b" \t\n\r"
_HEADER = re.compile(rb"([!-9;-~]+):[ \t]*(.*)", re.DOTALL)
# Bounded, so that a header full of openings without an end stays linear.
_WORD = re.compile(rb"=\?([^?]{0,100})\?([^?])\?(.{0,2000}?)\?=", re.DOTALL)
_RUN = re.compile(rb"[ \t\n\r]+")
_PARAM = rb'[;\s]%s\s*=\s*(?:"([^"]*)"|([^;\s]+))'
_INBODY = re.compile(rb"(from|subject|date):", re.IGNORECASE)
_MAX_PARTS = 200


@dataclass(frozen=True, slots=True)
class MailInfo:
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


def parse_mail(data: bytes) -> MailInfo:
    """Read one mail (without its ``From `` separator)."""
    transport_crlf = data[: data.find(b"\n") + 1].endswith(b"\r\n")
    if transport_crlf:
        data = data.replace(b"\r\n", b"\n")
    headers, body, body_line = _split_head(data)
    decoder = _Decoder()
    decoder.part(headers, body, body_line, 0)
    filtered = _Filter(decoder.lines)
    outer: dict[bytes, bytes] = {}
    ids: dict[bytes, bytes] = {}
    for key, value in headers:
        name = key.lower()
        if name in (b"from", b"subject", b"date"):
            outer.setdefault(name, _decode_words(value, decoder.notes))
        elif name in (b"message-id", b"in-reply-to", b"references"):
            ids.setdefault(name, value)
    # What stands in the body wins, but only where there is a patch (mailinfo.c, handle_info).
    told = {**outer, **filtered.headers} if filtered.diff else outer
    subject = _one_space(told.get(b"subject", b""))
    clean = _one_space(clean_subject(subject))
    near = _ids(ids.get(b"in-reply-to", b""))
    far = tuple(reversed(_ids(ids.get(b"references", b""))))
    own = _ids(ids.get(b"message-id", b""))
    log = b"".join(filtered.log)
    return MailInfo(
        author=parse_author(_one_space(told.get(b"from", b""))),
        date=parse_date(told.get(b"date", b"")),
        subject=subject,
        clean=clean,
        message=strip_space(clean + b"\n\n" + log),
        body=strip_space(log),
        diff=b"".join(filtered.diff),
        diff_line=filtered.diff_line if decoder.plain else None,
        message_id=own[0] if own else None,
        references=tuple(dict.fromkeys(near + far)),
        notes=tuple(decoder.notes),
    )


# -- headers


def _split_head(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes, int]:
    """Headers unfolded, the body, and the number of the body's first line."""
    found: list[list[bytes]] = []
    at, line_no = 0, 1
    while at < len(data):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end + 1
        line = data[at:end]
        if not line.strip(_SPACE):
            at, line_no = end, line_no + 1
            break
        if line[:1] in b" \t" and found:
            found[-1].append(b" " + line[1:].rstrip(_SPACE))
        elif _HEADER.match(line):
            found.append([line.rstrip(_SPACE)])
        elif not (line.startswith((b">From ", b"From ")) and not found):
            break
        at, line_no = end, line_no + 1
    pairs = []
    for parts in found:
        match = _HEADER.match(b"".join(parts))
        if match is not None:
            pairs.append((match[1], match[2]))
    return pairs, data[at:], line_no


def _decode_words(value: bytes, notes: list[str]) -> bytes:
    """RFC 2047, with git's leniency: one word that cannot be read leaves the whole value raw."""
    if b"=?" not in value:
        return value
    out: list[bytes] = []
    at = 0
    for match in _WORD.finditer(value):
        between = value[at : match.start()]
        if between.strip(_SPACE) or at == 0:
            out.append(between)
        word = match[3]
        if match[2] in b"bB":
            raw = _base64(word)
        elif match[2] in b"qQ":
            raw = quopri.decodestring(word, header=True)
        else:
            return value
        decoded = _to_utf8(raw, match[1].split(b"*")[0])
        if decoded is None:
            notes.append(f"a header in the unknown charset '{match[1].decode('ascii', 'replace')}'")
            return value
        out.append(decoded)
        at = match.end()
    out.append(value[at:])
    return b"".join(out)


def _to_utf8(raw: bytes, charset: bytes) -> bytes | None:
    """Recode; None when the charset is unknown or the bytes are not of it."""
    name = charset.strip().decode("ascii", "replace")
    if not name or name.lower() in ("utf-8", "utf8"):
        return raw
    try:
        codec = codecs.lookup(name)
        text = raw.decode(codec.name)
    except (LookupError, UnicodeDecodeError, ValueError):
        return None
    return text.encode("utf-8", "surrogatepass")


def _one_space(value: bytes) -> bytes:
    return _RUN.sub(b" ", value)


def _ids(value: bytes) -> tuple[str, ...]:
    return tuple(found.decode("ascii", "replace") for found in re.findall(rb"<[^<>\s]+>", value))


def clean_subject(subject: bytes) -> bytes:
    """Take ``Re:``, colons, blanks and every leading ``[...]`` off (mailinfo.c, cleanup_subject)."""
    at = 0
    while at < len(subject):
        head = subject[at : at + 1]
        if head in b"rR" and subject[at + 1 : at + 3] in (b"e:", b"E:") and len(subject) > at + 3:
            at += 3
        elif head in b" \t:":
            at += 1
        elif head == b"[" and (end := subject.find(b"]", at)) >= 0:
            at = end + 1
        else:
            break
    return subject[at:].strip(_SPACE)


def parse_author(value: bytes) -> Identity:
    """Name and address as mailinfo.c's handle_from and get_sane_name find them."""
    text = _unquote_pairs(value)
    at = text.find(b"@")
    if at < 0:
        return _bogus_author(value)
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
    name = _one_space(before + text[end + 1 :]).strip(_SPACE)
    if name.startswith(b"(") and name.endswith(b")"):
        name = name[1:-1]
    return Identity(_sane_name(name, email), email)


def _bogus_author(value: bytes) -> Identity:
    """``John Doe <johndoe>``: an address without an at sign."""
    left, right = value.find(b"<"), value.find(b">")
    if left < 0 or right < left:
        return Identity(b"", b"")
    email = value[left + 1 : right]
    return Identity(_sane_name(value[:left].strip(_SPACE), email), email)


def _sane_name(name: bytes, email: bytes) -> bytes:
    if not name or len(name) > 60 or any(mark in name for mark in (b"@", b"<", b">")):
        return email
    return name


def _unquote_pairs(value: bytes) -> bytes:
    """Resolve RFC 2822 quoted strings and the backslashes in comments."""
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
    return bytes(out)


def parse_date(value: bytes) -> When | None:
    """The moment and offset of a ``Date:`` header."""
    text = value.decode("ascii", "replace").strip()
    if match := re.fullmatch(r"@?(\d{1,18}) ([+-])(\d\d)(\d\d)", text):
        offset = int(match[3]) * 60 + int(match[4])
        return When(int(match[1]), -offset if match[2] == "-" else offset)
    try:
        parsed = parsedate_tz(text)
        if parsed is None:
            return None
        seconds = mktime_tz(parsed)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
    return When(seconds, (parsed[9] or 0) // 60) if seconds >= 0 else None


def strip_space(text: bytes) -> bytes:
    """git stripspace: no blanks at line ends, no blank lines at the ends or two in a row."""
    lines: list[bytes] = []
    for raw in text.split(b"\n"):
        line = raw.rstrip(_SPACE)
        if line or (lines and lines[-1]):
            lines.append(line)
    while lines and not lines[-1]:
        lines.pop()
    return b"\n".join(lines) + b"\n" if lines else b""


# -- the body


@dataclass(frozen=True, slots=True)
class _Line:
    text: bytes
    number: int
    charset: bytes


class _Decoder:
    """Undo transfer encodings and parts: a body into a flat list of lines."""

    def __init__(self) -> None:
        self.lines: list[_Line] = []
        self.notes: list[str] = []
        self.plain = True
        self.parts = 0

    def part(self, headers: list[tuple[bytes, bytes]], body: bytes, line: int, depth: int) -> None:
        found: dict[bytes, bytes] = {}
        for key, value in headers:
            found.setdefault(key.lower(), value)
        content = found.get(b"content-type", b"text/plain")
        kind = content.split(b";")[0].strip().lower()
        boundary = _param(content, b"boundary")
        if kind.startswith(b"multipart/") and boundary:
            self.multipart(kind, boundary, body, line, depth)
            return
        disposition = found.get(b"content-disposition", b"")
        if kind.startswith((b"application/", b"image/")) and not _patch_name(content, disposition):
            self.notes.append(f"an attachment of type {kind.decode('ascii', 'replace')} left aside")
            return
        if kind == b"text/html" and depth:
            self.notes.append("an HTML part left aside")
            return
        self.text(found.get(b"content-transfer-encoding", b""), content, body, line)

    def text(self, encoding: bytes, content: bytes, body: bytes, line: int) -> None:
        encoding = encoding.strip().lower()
        if encoding == b"base64":
            self.plain, body = False, _base64(body)
        elif encoding == b"quoted-printable":
            self.plain, body = False, quopri.decodestring(body)
        charset = _param(content, b"charset") or b""
        lines = _lines(body)
        if (_param(content, b"format") or b"").lower() == b"flowed":
            self.plain = False
            lines = _unflow(lines, (_param(content, b"delsp") or b"").lower() == b"yes")
        self.lines.extend(_Line(text, line + index, charset) for index, text in enumerate(lines))

    def multipart(self, kind: bytes, boundary: bytes, body: bytes, line: int, depth: int) -> None:
        self.plain = self.plain and depth == 0
        mark = b"--" + boundary
        pieces: list[tuple[int, list[bytes]]] = []
        inside = False
        for index, text in enumerate(_lines(body)):
            if text.startswith(mark):
                tail = text[len(mark) :].strip(_SPACE)
                if tail == b"--":
                    break
                if not tail:
                    inside = True
                    pieces.append((line + index + 1, []))
                    continue
            if inside:
                pieces[-1][1].append(text)
        for start, texts in pieces:
            self.parts += 1
            if self.parts > _MAX_PARTS or depth > 8:
                self.notes.append("a mail of too many parts; the rest of them left aside")
                return
            headers, inner, inner_line = _split_head(b"".join(texts))
            size = len(self.lines)
            self.part(headers, inner, start + inner_line - 1, depth + 1)
            if kind == b"multipart/alternative" and len(self.lines) > size:
                return


def _patch_name(content: bytes, disposition: bytes) -> bool:
    name = _param(disposition, b"filename") or _param(content, b"name") or b""
    return name.lower().endswith((b".patch", b".diff")) or b"patch" in content.split(b";")[0]


def _param(value: bytes, name: bytes) -> bytes | None:
    match = re.search(_PARAM % name, value, re.IGNORECASE)
    return (match[1] if match[1] is not None else match[2]) if match else None


def _base64(data: bytes) -> bytes:
    """Decode, ignoring what is not of the alphabet and a last group that is cut short."""
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    try:
        return base64.b64decode(letters + b"=" * (-len(letters) % 4))
    except binascii.Error:
        return b""


def _lines(data: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in data.split(b"\n")]
    last = lines.pop()[:-1]
    if last:
        lines.append(last)
    return lines


def _unflow(lines: list[bytes], delete_space: bool) -> list[bytes]:
    """RFC 3676 as mailinfo.c's handle_filter_flowed reads it."""
    out: list[bytes] = []
    kept = b""
    for line in lines:
        text = line.rstrip(b"\n").removesuffix(b"\r")
        if text == b"-- ":
            if kept:
                out.append(kept)
                kept = b""
            out.append(line)
            continue
        text = text.removeprefix(b" ")
        if text.endswith(b" "):
            kept += text[:-1] if delete_space else text
            continue
        out.append(kept + text + b"\n")
        kept = b""
    if kept:
        out.append(kept + b"\n")
    return out


class _Filter:
    """Part headers in the body, message and diff (mailinfo.c, handle_commit_msg)."""

    def __init__(self, lines: list[_Line]) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.log: list[bytes] = []
        self.diff: list[bytes] = []
        self.diff_line: int | None = None
        self.pending: bytes | None = None
        self.run(lines)

    def run(self, lines: list[_Line]) -> None:
        in_head = True
        for index, line in enumerate(lines):
            text = line.text
            if in_head:
                if text in (b"", b"\n", b"\r\n"):
                    if self.pending is not None:
                        self.flush()
                        in_head = False
                    continue
                in_head = self.inbody(text)
                if in_head:
                    continue
            recoded = _to_utf8(text, line.charset)
            text = text if recoded is None else recoded
            if _is_break(text):
                self.diff = [rest.text for rest in lines[index:]]
                self.diff_line = line.number
                break
            self.log.append(text.removesuffix(b"\r\n") + b"\n" if text.endswith(b"\r\n") else text)
        self.flush()

    def inbody(self, text: bytes) -> bool:
        if self.pending is not None and text[:1] in (b" ", b"\t"):
            self.pending = self.pending.rstrip(b"\r\n") + text
            return True
        self.flush()
        if text.startswith(b">From ") or text.startswith(b">From\t"):
            return re.match(rb">From [0-9a-f]{40} Mon Sep 17 00:00:00 2001\s*\Z", text) is not None
        if text.startswith(b"[PATCH]") and text[7:8] in (b" ", b"\t", b"\n"):
            self.headers.setdefault(b"subject", text.strip(_SPACE))
            return True
        match = _INBODY.match(text)
        if match is None or match[1].lower() in self.headers:
            return False
        self.pending = text
        return True

    def flush(self) -> None:
        if self.pending is None:
            return
        name, _, value = self.pending.partition(b":")
        self.pending = None
        self.headers.setdefault(name.lower(), _decode_words(value.strip(_SPACE), []))


def _is_break(text: bytes) -> bool:
    """Where the message ends (mailinfo.c, patchbreak)."""
    if not text.startswith((b"---", b"diff -", b"Index: ")):
        return False
    if not text.startswith(b"---"):
        return True
    if text[3:4] == b" " and len(text) > 4 and text[4:5] not in (b" ", b"\t", b"\n", b"\r"):
        return True
    return len(text) >= 4 and not text[3:].strip(_SPACE)
