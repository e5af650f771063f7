# SPDX-License-Identifier: GPL-2.0-or-later
"""One mail in; author, date, message and diff out, exactly as ``git am`` would store them.

This follows git's mailinfo.c and builtin/am.c step by step and not Python's ``email`` package, which
has opinions of its own on folding, bad charsets and line ends: a commit message has to come out byte
for byte the same (tests/series/reading/test_mail_git.py puts the same mails to ``git am``).

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
from itertools import count, repeat
from typing import NamedTuple

from series.model import Identity, When, shown
from series.reading.choices import Keep, QuotedCr
from series.reading.dates import parse_date
from series.reading.rules import DEFAULT, Rules

_SPACE = b" \t\n\r"
_HEADER = re.compile(rb"([!-9;-~]+):[ \t]*(.*)", re.DOTALL)
# Bounded, so that a header full of openings without an end stays linear.
_WORD = re.compile(rb"=\?([^?]{0,100})\?([^?])\?(.{0,2000}?)\?=", re.DOTALL)
_RUN = re.compile(rb"[ \t\n\r]+")
_PARAM = rb'[;\s]%s\s*=\s*(?:"([^"]*)"|([^;\s]+))'
_DECODED = frozenset({b"from", b"subject", b"date", b"author", b"reply-to", b"x-original-from"})
_INBODY = re.compile(rb"(from|subject|date):", re.IGNORECASE)
_BEFORE_TITLE = re.compile(rb"(?:[rR][eE]:(?=.)|[ \t:]|\[[^\]]*\])*+", re.DOTALL)
"""What `clean_subject` takes off, in one go: a subject may be a million brackets."""
_MAX_PARTS = 200
_AT = re.compile(rb"(?<!\S)(\S{1,80}) at ([\w-]{1,64}(?:\.[\w-]{1,64}){1,8})")
_VIA = re.compile(rb"\bvia\b|\bon behalf of\b", re.IGNORECASE)
# Not text, though a patch may be in it: compressed, encrypted, or a document of some program's.
_SEALED = re.compile(
    rb"application/(?:gzip|x-gzip|zip|x-zip[a-z-]*|x-bzip2?|x-xz|x-7z-compressed|zstd|x-tar"
    rb"|x-compressed(?:-tar)?|pkcs7-mime|x-pkcs7-mime|pgp-encrypted|ms-tnef|vnd\.ms-tnef)\Z"
)
_SEALED_NAME = re.compile(
    rb"\.(?:patch|diff|mbox|txt)\.(?:gz|xz|bz2|zst|zip)\Z|\.(?:zip|tgz|tar\.\w+)\Z"
)
_SIGNATURES = frozenset(
    {b"application/pgp-signature", b"application/pkcs7-signature", b"application/x-pkcs7-signature"}
)
_PLAIN_ENCODINGS = frozenset({b"", b"7bit", b"8bit", b"binary", b"none"})
# Codecs of Python's that no mail means.
_NO_CHARSETS = frozenset(
    {"unicode_escape", "raw-unicode-escape", "unicode-escape", "raw_unicode_escape", "idna"}
    | {"punycode", "undefined", "mbcs", "oem"}
)

NOBODY = Identity(b"", b"")
"""Where a text names no author."""


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
    faults: tuple[str, ...] = ()
    """Parts of the mail that could not be read, any of which may hold the patch."""
    fields: tuple[tuple[bytes, bytes], ...] = ()
    """The mail's own headers, decoded, in their order."""
    attached: tuple[bytes, ...] = ()
    """Whole mails that it carries: forwarded ones, and files of git format-patch."""


def mail_headers(data: bytes) -> list[tuple[bytes, bytes]]:
    """The headers with which ``data`` begins, unfolded; none where it begins with other text."""
    return _split_head(data[:_MOST_HEAD].replace(b"\r\n", b"\n"), skip_blank=True)[0]


_MOST_HEAD = 1 << 18


def parse_mail(data: bytes, rules: Rules = DEFAULT) -> MailInfo:
    """Read one mail (without its ``From `` separator)."""
    transport_crlf = data[: data.find(b"\n") + 1].endswith(b"\r\n")
    if transport_crlf:
        data = data.replace(b"\r\n", b"\n")
    headers, body, body_line = _split_head(data, skip_blank=True)
    decoder = _Decoder(rules.quoted_cr)
    decoder.part(headers, body, body_line, 0)
    decoder.lines = _unarmoured(decoder.lines)
    filtered = _Filter(decoder.lines, decoder.notes, scissors=rules.scissors)
    outer: dict[bytes, bytes] = {}
    ids: dict[bytes, bytes] = {}
    for key, value in headers:
        name = key.lower()
        if name in _DECODED:
            outer.setdefault(name, as_utf8(_decode_words(value, decoder.notes)))
        elif name in (b"message-id", b"in-reply-to", b"references"):
            ids.setdefault(name, value)
    # What stands in the body wins, but only where there is a patch (mailinfo.c, handle_info).
    told = {**outer, **filtered.headers} if filtered.diff else outer
    subject = _one_space(told.get(b"subject", b""))
    clean = _one_space(clean_subject(subject, rules.keep))
    near = _ids(ids.get(b"in-reply-to", b""))
    far = tuple(reversed(_ids(ids.get(b"references", b""))))
    own = _ids(ids.get(b"message-id", b""))
    log = b"".join(filtered.log)
    when = told.get(b"date", b"")
    date = parse_date(when)
    if date is None and when.strip():
        decoder.faults.append(
            f"its date '{shown(when.strip()[:60])}' is none that a commit can have"
        )
    author = parse_author(_one_space(told.get(b"from") or told.get(b"author", b"")))
    if b"from" not in filtered.headers and (behind := _behind_list(outer)) is not None:
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
        diff=b"".join(filtered.diff),
        diff_line=filtered.diff_line if decoder.plain else None,
        message_id=own[0] if own else None,
        references=tuple(dict.fromkeys(near + far)),
        notes=tuple(dict.fromkeys(decoder.notes)),
        faults=tuple(dict.fromkeys(decoder.faults)),
        attached=tuple(decoder.attached),
        fields=tuple((key, outer.get(key.lower(), value)) for key, value in headers),
    )


# -- headers


def _split_head(
    data: bytes, *, skip_blank: bool = False
) -> tuple[list[tuple[bytes, bytes]], bytes, int]:
    """Headers unfolded, the body, and the number of the body's first line."""
    found: list[list[bytes]] = []
    at, line_no = 0, 1
    while (
        skip_blank
        and at < len(data)
        and (end := data.find(b"\n", at)) >= 0
        and not data[at:end].strip(_SPACE)
    ):
        at, line_no = end + 1, line_no + 1  # as git does, whatever blank lines stand first
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
        if codec.name in _NO_CHARSETS:
            return None
        text = raw.decode(codec.name)
    except (LookupError, UnicodeDecodeError, ValueError):
        return None
    return text.encode("utf-8", "surrogatepass")


def _one_space(value: bytes) -> bytes:
    return _RUN.sub(b" ", value)


def _ids(value: bytes) -> tuple[str, ...]:
    return tuple(found.decode("ascii", "replace") for found in re.findall(rb"<[^<>\s]+>", value))


def as_utf8(raw: bytes) -> bytes:
    """Text that declares no charset, as git takes it: UTF-8 where it is that, else Latin-1."""
    if raw.isascii():
        return raw
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1").encode()
    return raw


def _behind_list(outer: dict[bytes, bytes]) -> Identity | None:
    """The author of a mail whose From a mailing list has rewritten ("A U Thor via list")."""
    if not _VIA.search(outer.get(b"from", b"")):
        return None
    lists = parse_author(_one_space(outer[b"from"])).email
    for key in (b"x-original-from", b"reply-to"):
        found = parse_author(_one_space(outer.get(key, b"").split(b",")[0]))
        if found.email == lists:
            continue
        if found.email and found.name and found.name != found.email:
            return found
        if found.email and outer[key].count(b"@") == 1:
            name = _VIA.split(_one_space(outer[b"from"]))[0].strip(b" \"'")
            return Identity(name or found.email, found.email)
    return None


def clean_subject(subject: bytes, keep: Keep = Keep.NONE) -> bytes:
    """Take ``Re:``, colons, blanks and every leading ``[...]`` off (mailinfo.c, cleanup_subject).

    ``keep`` leaves tags where they are: all of them, or those without the word PATCH.
    """
    if keep is Keep.ALL:
        return subject.strip(_SPACE)
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
    return b" ".join((*kept, subject[at:].strip(_SPACE)))


def parse_author(value: bytes) -> Identity:
    """Name and address as mailinfo.c's handle_from and get_sane_name find them."""
    text = _unquote_pairs(value)
    at = text.find(b"@")
    if at < 0 and (hidden := _AT.search(text)):
        # pipermail and its like hide addresses from robots: anna at example.com (Anna Sender)
        text = text[: hidden.start()] + hidden[1] + b"@" + hidden[2] + text[hidden.end() :]
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
        # A name alone is better than nobody; git takes an author without an address.
        name = value.strip(b" \t\n\r\"'")
        return (
            Identity(name, b"")
            if re.search(rb"[^\W\d_]|[\x80-\xff]", name) and len(name) <= 60
            else NOBODY
        )
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


class _Line(NamedTuple):
    """A tuple, since a long series has a hundred thousand of them."""

    text: bytes
    number: int
    charset: bytes


class _Decoder:
    """Undo transfer encodings and parts: a body into a flat list of lines."""

    def __init__(self, quoted_cr: QuotedCr) -> None:
        self.quoted_cr = quoted_cr
        self.lines: list[_Line] = []
        self.notes: list[str] = []
        self.faults: list[str] = []
        self.attached: list[bytes] = []
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
        if _SEALED.match(kind) or _SEALED_NAME.search(_file_name(content, disposition)):
            self.faults.append(f"an attachment of type {shown(kind)} cannot be looked into")
            return
        encoding = found.get(b"content-transfer-encoding", b"")
        whole = _transferred(encoding, body) if depth or kind == b"message/rfc822" else b""
        if kind == b"message/rfc822" or _STARTS_MAIL.match(whole):
            self.plain = False
            self.attached.append(whole)
            return
        if kind in _SIGNATURES:
            return
        opaque = kind.startswith((b"application/", b"image/", b"audio/", b"video/", b"font/"))
        if opaque and not _patch_name(content, disposition) and not _DIFF.search(whole):
            self.notes.append(f"an attachment of type {shown(kind)} left aside")
            return
        if kind == b"text/html" and depth:
            self.notes.append("an HTML part left aside")
            return
        self.text(encoding, content, body, line)

    def text(self, encoding: bytes, content: bytes, body: bytes, line: int) -> None:
        encoding = encoding.split(b";")[0].strip().lower()
        if encoding == b"base64":
            self.plain, body = False, self.unquoted(_base64(body))
        elif encoding == b"quoted-printable":
            self.plain, body = False, self.unquoted(quopri.decodestring(body))
        elif encoding not in _PLAIN_ENCODINGS:
            self.faults.append(f"a body in the unknown transfer encoding '{shown(encoding)}'")
            return
        charset = _param(content, b"charset") or b""
        lines = _lines(body)
        if (_param(content, b"format") or b"").lower() == b"flowed":
            self.plain = False
            lines = _unflow(lines, (_param(content, b"delsp") or b"").lower() == b"yes")
        self.lines.extend(map(_Line._make, zip(lines, count(line), repeat(charset))))

    def unquoted(self, body: bytes) -> bytes:
        """An encoded body without the carriage returns that its sender's program added."""
        if b"\r\n" not in body or self.quoted_cr is QuotedCr.KEEP:
            return body
        everywhere = body.count(b"\r\n") == body.count(b"\n")
        if self.quoted_cr is QuotedCr.AUTO and not everywhere:
            self.notes.append(
                "some encoded lines end in CR LF and are kept so; `git config mailinfo.quotedCr"
                " strip` takes the CR off"
            )
            return body
        if self.quoted_cr is QuotedCr.AUTO:
            self.notes.append("every encoded line ends in CR LF; the CR is taken off")
        return body.replace(b"\r\n", b"\n")

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
        if not pieces and body.strip():
            self.faults.append(
                f"the boundary '{shown(boundary)}' of its parts stands nowhere in the body"
            )
        for start, texts in pieces:
            self.parts += 1
            if self.parts > _MAX_PARTS or depth > 8:
                self.faults.append("it has too many parts")
                return
            headers, inner, inner_line = _split_head(b"".join(texts))
            if kind == b"multipart/digest" and not any(
                key.lower() == b"content-type" for key, _ in headers
            ):
                headers = [*headers, (b"Content-Type", b"message/rfc822")]  # RFC 2046, 5.1.5
            size = len(self.lines)
            self.part(headers, inner, start + inner_line - 1, depth + 1)
            if kind == b"multipart/alternative" and len(self.lines) > size:
                return


# A part that is a patch of its own: git format-patch's, a mail's headers, hg export's.
_STARTS_MAIL = re.compile(
    rb"\s*(?:From [0-9a-f]{40} Mon Sep 17 00:00:00 2001\r?\n|# HG changeset patch\r?\n"
    rb"|(?:(?!\n\r?\n)[^\n]*\n){0,12}?Subject: [^\n]*\[[^\n]*PATCH)"
)
_DIFF = re.compile(rb"^(?:diff --git |--- [^\n]+\n\+\+\+ )", re.MULTILINE)


def _transferred(encoding: bytes, body: bytes) -> bytes:
    """The bytes of a part as they were before they were sent."""
    name = encoding.split(b";")[0].strip().lower()
    if name == b"base64":
        return _base64(body)
    return quopri.decodestring(body) if name == b"quoted-printable" else body


def _file_name(content: bytes, disposition: bytes) -> bytes:
    return (_param(disposition, b"filename") or _param(content, b"name") or b"").lower()


def _patch_name(content: bytes, disposition: bytes) -> bool:
    name = _file_name(content, disposition)
    return name.endswith((b".patch", b".diff")) or b"patch" in content.split(b";")[0]


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


def _unarmoured(lines: list[_Line]) -> list[_Line]:
    """Take the armour of a PGP clear signature off (RFC 4880, 7): its lines, and the dashes that it
    puts before every line that begins with one."""
    first = next((at for at, line in enumerate(lines) if line.text.strip()), None)
    if first is None or lines[first].text.strip() != b"-----BEGIN PGP SIGNED MESSAGE-----":
        return lines
    rest = iter(lines[first + 1 :])
    for line in rest:
        if not line.text.strip():
            break
    found = []
    for line in rest:
        if line.text.startswith(b"-----BEGIN PGP SIGNATURE-----"):
            break
        text = line.text.removeprefix(b"- ")
        found.append(line if text is line.text else _Line(text, line.number, line.charset))
    return found


class _Filter:
    """Part headers in the body, message and diff (mailinfo.c, handle_commit_msg)."""

    def __init__(self, lines: list[_Line], notes: list[str], *, scissors: bool) -> None:
        self.notes = notes
        self.scissors = scissors
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
            text = self.recoded(text, line.charset)
            if self.scissors and _is_scissors(text):
                self.headers.clear()
                self.log.clear()
                in_head = True
                continue
            if _is_break(text) or _breaks_early(lines, index):
                self.diff = [rest.text for rest in lines[index:]]
                self.diff_line = line.number
                break
            self.log.append(text.removesuffix(b"\r\n") + b"\n" if text.endswith(b"\r\n") else text)
        self.flush()

    def recoded(self, text: bytes, charset: bytes) -> bytes:
        if text.isascii() and not _SHIFTED.match(charset.strip().lower()):
            return text
        if not charset.strip():
            return as_utf8(text)
        recoded = _to_utf8(text, charset)
        if recoded is not None:
            try:
                recoded.decode("utf-8")
            except UnicodeDecodeError:
                pass
            else:
                return recoded
        self.notes.append(
            f"its text is not of the charset '{shown(charset)}' that it declares; read as UTF-8 or"
            " Latin-1"
        )
        return as_utf8(text)

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


# Charsets whose ASCII bytes do not stand for themselves.
_SHIFTED = re.compile(rb"utf-?7|utf-?16|utf-?32|iso-2022|hz|ebcdic|cp037")
_MARKS = (b">8", b"8<", b">%", b"%<")


def _is_scissors(line: bytes) -> bool:
    """``-- >8 --`` (mailinfo.c, is_scissors_line): a perforation that takes more than a third of the
    line, is at least 8 wide, and is dashes and scissors for more than half.
    """
    text = line.rstrip(_SPACE)
    first = next((at for at, byte in enumerate(text) if byte not in _SPACE), None)
    if first is None:
        return False
    gap = scissors = perforation = 0
    in_perforation = False
    at, last = first, first
    while at < len(text):
        char, pair = text[at : at + 1], text[at : at + 2]
        if char in b" \t":
            if in_perforation:
                perforation += 1
                gap += 1
            at += 1
            continue
        last = at
        if char == b"-":
            in_perforation = True
            perforation += 1
            at += 1
            continue
        if pair in _MARKS:
            in_perforation = True
            perforation += 2
            scissors += 2
            at += 2
            last = at - 1
            continue
        in_perforation = False
        at += 1
    visible = last - first + 1
    return scissors > 0 and visible >= 8 and visible < perforation * 3 and gap * 2 < perforation


def _breaks_early(lines: list[_Line], at: int) -> bool:
    """Where a diff begins that git does not take for one: a context diff, a submodule's log."""
    text = lines[at].text
    if text.startswith(b"*** ") and at + 2 < len(lines):
        return lines[at + 1].text.startswith(b"--- ") and lines[at + 2].text.startswith(b"*" * 15)
    return text.startswith(b"Submodule ") and _SUBMODULE.match(text) is not None


_SUBMODULE = re.compile(rb"Submodule \S.* [0-9a-f]{7,64}\.{2,3}[0-9a-f]{7,64}")


def _is_break(text: bytes) -> bool:
    """Where the message ends (mailinfo.c, patchbreak)."""
    if not text.startswith((b"---", b"diff -", b"Index: ")):
        return False
    if not text.startswith(b"---"):
        return True
    if text[3:4] == b" " and len(text) > 4 and text[4:5] not in (b" ", b"\t", b"\n", b"\r"):
        return True
    return len(text) >= 4 and not text[3:].strip(_SPACE)
