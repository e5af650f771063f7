# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a mail's message ends and its diff begins, and the headers that stand in its body."""

from __future__ import annotations

import re

from series.model import shown
from series.reading.encodings import as_utf8, to_utf8
from series.reading.mail_headers import SPACE, decode_words
from series.reading.mail_parts import Line

_INBODY = re.compile(rb"(from|subject|date):", re.IGNORECASE)
# Charsets whose ASCII bytes do not stand for themselves.
_SHIFTED = re.compile(rb"utf-?7|utf-?16|utf-?32|iso-2022|hz|ebcdic|cp037")
_MARKS = (b">8", b"8<", b">%", b"%<")
_SUBMODULE = re.compile(rb"Submodule \S.* [0-9a-f]{7,64}\.{2,3}[0-9a-f]{7,64}")


class MessageAndDiff:
    """The lines of a mail's body, told apart (mailinfo.c, handle_commit_msg): ``headers`` that stand in it,
    ``log``, the message's lines, and ``diff``, which begins in line ``diff_line`` of the mail."""

    def __init__(self, lines: list[Line], notes: list[str], *, scissors: bool) -> None:
        self._notes = notes
        self._scissors = scissors
        self.headers: dict[bytes, bytes] = {}
        self.log: list[bytes] = []
        self.diff: list[bytes] = []
        self.diff_line: int | None = None
        self._pending: bytes | None = None
        self._run(lines)

    def _run(self, lines: list[Line]) -> None:
        in_head = True
        for index, line in enumerate(lines):
            text = line.text
            if in_head:
                if text in (b"", b"\n", b"\r\n"):
                    if self._pending is not None:
                        self._flush()
                        in_head = False
                    continue
                in_head = self._inbody(self._recoded_header(text, line.charset))
                if in_head:
                    continue
            text = self._recoded(text, line.charset)
            if self._scissors and _is_scissors(text):
                self.headers.clear()
                self.log.clear()
                in_head = True
                continue
            if _is_break(text) or _breaks_early(lines, index):
                self.diff = [rest.text for rest in lines[index:]]
                self.diff_line = line.number
                break
            self.log.append(text.removesuffix(b"\r\n") + b"\n" if text.endswith(b"\r\n") else text)
        self._flush()

    def _recoded_header(self, text: bytes, charset: bytes) -> bytes:
        """A line that may name the author: of the body's charset, but where git format-patch could not say
        the name in it, and left it in UTF-8."""
        try:
            text.decode("utf-8")
        except UnicodeDecodeError:
            return self._recoded(text, charset)
        return self._recoded(text, charset) if text.isascii() else text

    def _recoded(self, text: bytes, charset: bytes) -> bytes:
        if text.isascii() and not _SHIFTED.match(charset.strip().lower()):
            return text
        if not charset.strip():
            return as_utf8(text)
        recoded = to_utf8(text, charset)
        if recoded is not None:
            try:
                recoded.decode("utf-8")
            except UnicodeDecodeError:
                pass
            else:
                return recoded
        self._notes.append(
            f"its text is not of the charset '{shown(charset)}' that it declares; read as UTF-8 or"
            " Latin-1"
        )
        return as_utf8(text)

    def _inbody(self, text: bytes) -> bool:
        if self._pending is not None and text[:1] in (b" ", b"\t"):
            self._pending = self._pending.rstrip(b"\r\n") + text
            return True
        self._flush()
        if text.startswith(b">From ") or text.startswith(b">From\t"):
            return re.match(rb">From [0-9a-f]{40} Mon Sep 17 00:00:00 2001\s*\Z", text) is not None
        if text.startswith(b"[PATCH]") and text[7:8] in (b" ", b"\t", b"\n"):
            self.headers.setdefault(b"subject", text.strip(SPACE))
            return True
        match = _INBODY.match(text)
        if match is None or match[1].lower() in self.headers:
            return False
        self._pending = text
        return True

    def _flush(self) -> None:
        if self._pending is None:
            return
        name, _, value = self._pending.partition(b":")
        self._pending = None
        self.headers.setdefault(name.lower(), decode_words(value.strip(SPACE), []))


def strip_space(text: bytes) -> bytes:
    """git stripspace: no blanks at line ends, no blank lines at the ends or two in a row."""
    lines: list[bytes] = []
    for raw in text.split(b"\n"):
        line = raw.rstrip(SPACE)
        if line or (lines and lines[-1]):
            lines.append(line)
    while lines and not lines[-1]:
        lines.pop()
    return b"\n".join(lines) + b"\n" if lines else b""


def _is_scissors(line: bytes) -> bool:
    """``-- >8 --`` (mailinfo.c, is_scissors_line): a perforation that takes more than a third of the
    line, is at least 8 wide, and is dashes and scissors for more than half.
    """
    text = line.rstrip(SPACE)
    first = next((at for at, byte in enumerate(text) if byte not in SPACE), None)
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


def _breaks_early(lines: list[Line], at: int) -> bool:
    """Where a diff begins that git does not take for one: a context diff, a submodule's log."""
    text = lines[at].text
    if text.startswith(b"*** ") and at + 2 < len(lines):
        return lines[at + 1].text.startswith(b"--- ") and lines[at + 2].text.startswith(b"*" * 15)
    return text.startswith(b"Submodule ") and _SUBMODULE.match(text) is not None


def _is_break(text: bytes) -> bool:
    """Where the message ends (mailinfo.c, patchbreak)."""
    if not text.startswith((b"---", b"diff -", b"Index: ")):
        return False
    if not text.startswith(b"---"):
        return True
    if text[3:4] == b" " and len(text) > 4 and text[4:5] not in (b" ", b"\t", b"\n", b"\r"):
        return True
    return len(text) >= 4 and not text[3:].strip(SPACE)
