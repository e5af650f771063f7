# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of a mail, their encodings undone: a body into a flat list of lines."""

from __future__ import annotations

import quopri
import re
from itertools import count, repeat

from msgspec import Struct

from series.model import shown
from series.reading.choices import QuotedCr
from series.reading.encodings import decode_base64, transferred
from series.reading.mail_headers import SPACE, split_head

_PARAM = rb'[;\s]%s\s*=\s*(?:"([^"]*)"|([^;\s]+))'
_MAX_PARTS = 200
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
# A part that is a patch of its own: git format-patch's, a mail's headers, hg export's.
_STARTS_MAIL = re.compile(
    rb"\s*(?:From [0-9a-f]{40} Mon Sep 17 00:00:00 2001\r?\n|# HG changeset patch\r?\n"
    rb"|(?:(?!\n\r?\n)[^\n]*\n){0,12}?Subject: [^\n]*\[[^\n]*PATCH)"
)
_DIFF = re.compile(rb"^(?:diff --git |--- [^\n]+\n\+\+\+ )", re.MULTILINE)


class Line(Struct, frozen=True, gc=False):
    """Not for the garbage collector: a long series has a hundred thousand of them, of bytes alone."""

    text: bytes
    number: int
    charset: bytes


class PartReader:
    """Undo transfer encodings and parts: a body into a flat list of lines."""

    def __init__(self, quoted_cr: QuotedCr) -> None:
        self._quoted_cr = quoted_cr
        self.lines: list[Line] = []
        self.notes: list[str] = []
        self.faults: list[str] = []
        self.attached: list[bytes] = []
        self.plain = True
        self._parts = 0

    def part(self, headers: list[tuple[bytes, bytes]], body: bytes, line: int, depth: int) -> None:
        """Read a part, and all parts in it; ``line``: that of the body's first line in the mail."""
        found: dict[bytes, bytes] = {}
        for key, value in headers:
            found.setdefault(key.lower(), value)
        content = found.get(b"content-type", b"text/plain")
        kind = content.split(b";")[0].strip().lower()
        boundary = _param(content, b"boundary")
        if kind.startswith(b"multipart/") and boundary:
            self._multipart(kind, boundary, body, line, depth)
            return
        disposition = found.get(b"content-disposition", b"")
        if _SEALED.match(kind) or _SEALED_NAME.search(_file_name(content, disposition)):
            self.faults.append(f"an attachment of type {shown(kind)} cannot be looked into")
            return
        encoding = found.get(b"content-transfer-encoding", b"")
        whole = transferred(encoding, body) if depth or kind == b"message/rfc822" else b""
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
        self._text(encoding, content, body, line)

    def _text(self, encoding: bytes, content: bytes, body: bytes, line: int) -> None:
        """Read a part that is text, given its transfer encoding and its content type."""
        encoding = encoding.split(b";")[0].strip().lower()
        if encoding == b"base64":
            self.plain, body = False, self._unquoted(decode_base64(body))
        elif encoding == b"quoted-printable":
            self.plain, body = False, self._unquoted(quopri.decodestring(body))
        elif encoding not in _PLAIN_ENCODINGS:
            self.faults.append(f"a body in the unknown transfer encoding '{shown(encoding)}'")
            return
        charset = _param(content, b"charset") or b""
        lines = _lines(body)
        if (_param(content, b"format") or b"").lower() == b"flowed":
            self.plain = False
            lines = _unflow(lines, (_param(content, b"delsp") or b"").lower() == b"yes")
        self.lines.extend(map(Line, lines, count(line), repeat(charset)))

    def _unquoted(self, body: bytes) -> bytes:
        """An encoded body without the carriage returns that its sender's program added."""
        if b"\r\n" not in body or self._quoted_cr is QuotedCr.KEEP:
            return body
        everywhere = body.count(b"\r\n") == body.count(b"\n")
        if self._quoted_cr is QuotedCr.AUTO and not everywhere:
            self.notes.append(
                "some encoded lines end in CR LF and are kept so; `git config mailinfo.quotedCr"
                " strip` takes the CR off"
            )
            return body
        if self._quoted_cr is QuotedCr.AUTO:
            self.notes.append("every encoded line ends in CR LF; the CR is taken off")
        return body.replace(b"\r\n", b"\n")

    def _multipart(self, kind: bytes, boundary: bytes, body: bytes, line: int, depth: int) -> None:
        """Read the parts between the boundaries; of alternatives the first that can be read."""
        self.plain = self.plain and depth == 0
        mark = b"--" + boundary
        pieces: list[tuple[int, list[bytes]]] = []
        inside = False
        for index, text in enumerate(_lines(body)):
            if text.startswith(mark):
                tail = text[len(mark) :].strip(SPACE)
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
            self._parts += 1
            if self._parts > _MAX_PARTS or depth > 8:
                self.faults.append("it has too many parts")
                return
            headers, inner, inner_line = split_head(b"".join(texts))
            if kind == b"multipart/digest" and not any(
                key.lower() == b"content-type" for key, _ in headers
            ):
                headers = [*headers, (b"Content-Type", b"message/rfc822")]  # RFC 2046, 5.1.5
            size = len(self.lines)
            self.part(headers, inner, start + inner_line - 1, depth + 1)
            if kind == b"multipart/alternative" and len(self.lines) > size:
                return


def _file_name(content: bytes, disposition: bytes) -> bytes:
    return (_param(disposition, b"filename") or _param(content, b"name") or b"").lower()


def _patch_name(content: bytes, disposition: bytes) -> bool:
    name = _file_name(content, disposition)
    return name.endswith((b".patch", b".diff")) or b"patch" in content.split(b";")[0]


def _param(value: bytes, name: bytes) -> bytes | None:
    match = re.search(_PARAM % name, value, re.IGNORECASE)
    return (match[1] if match[1] is not None else match[2]) if match else None


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


def unarmoured(lines: list[Line]) -> list[Line]:
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
        found.append(line if text is line.text else Line(text, line.number, line.charset))
    return found
