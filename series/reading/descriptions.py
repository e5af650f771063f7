# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands before a diff that did not come as a mail: author, date, subject, text.

The forms: Mercurial's ``# HG changeset patch``, the output of ``git show`` and ``git log -p``, a commit's
page of cgit copied out, DEP-3 headers (https://dep-team.pages.debian.net/deps/dep3/), dpatch's ``# DP:``
lines, and plain text.
"""

from __future__ import annotations

import itertools
import re

from msgspec import Struct

from series.model import Identity, When
from series.reading.authors import NOBODY, parse_author
from series.reading.dates import hg_date, parse_date
from series.reading.dep3 import KNOWN_FIELD
from series.reading.encodings import as_utf8
from series.reading.mail_headers import clean_subject
from series.reading.mail_message import strip_space

_HG = re.compile(rb"# HG changeset patch\r?$", re.MULTILINE)
_COMMIT = re.compile(
    rb"^commit ([0-9a-f]{7,64})(?: \([^\n]*\))?\r?\n(?=(?:[A-Z][A-Za-z]+|tree|parent|author|log size):? )",
    re.MULTILINE,
)
_CGIT = re.compile(rb"(author|committer|commit|tree|parent|download)\t(.*)", re.DOTALL)
_LINK = re.compile(rb"https?://\S+\Z")
_FIELD = re.compile(rb"([A-Za-z][A-Za-z0-9/-]*):(?:[ \t]+(.*)|)\Z", re.DOTALL)
_FROM_LINE = re.compile(rb"From ([0-9a-f]{40,64}) Mon Sep 17 00:00:00 2001\s*\Z")
_DP = re.compile(rb"^#+ ?DP: ?(.*)$", re.MULTILINE)
_DPATCH_BY = re.compile(rb"^#+ \S+\.dpatch by (.+)$", re.MULTILINE)
# What programs leave before a diff, and dpkg-source's template: no title of a patch.
_JUNK = re.compile(
    rb"\W*\Z|(?:Index:|diff |RCS file:|retrieving revision|={5,}|Only in |Property changes on"
    rb"|commit [0-9a-f]{7,}\Z|From [0-9a-f]{40} |#!|vim?:|-\*-|@DPATCH@|<short summary of the patch>"
    rb"|TODO: Put a short summary|(?:Last-Update|Forwarded|Origin|Bug|Date|Author|From):)",
)
_GENERATED = (b"TODO: Put a short summary", b"<short summary of the patch>")


class Description(Struct, frozen=True):
    """Who, when and what, as far as the text says; ``subject`` is empty where it gives none."""

    author: Identity
    date: When | None
    subject: bytes
    body: bytes
    commit: str | None = None

    @property
    def message(self) -> bytes:
        """The commit message."""
        return strip_space(self.subject + b"\n\n" + self.body)


def describe(head: bytes) -> Description:
    """Read the text before a diff, in whichever of the forms it is."""
    text = as_utf8(head.replace(b"\r\n", b"\n"))
    if match := _HG.search(text):
        return _mercurial(text[match.end() :])
    if match := _COMMIT.search(text):
        return _git_show(match[1].decode(), text[match.end() :])
    if text.lstrip().startswith(b"author\t"):
        return _cgit(text.lstrip())
    if _DP.search(text):
        return _dpatch(text)
    return _fields_or_text(text)


def starts_commit(text: bytes) -> list[int]:
    """Where the commits of ``git log -p``, or the changesets of ``hg export``, begin in ``text``."""
    starts = [match.start() for match in _COMMIT.finditer(text)]
    return starts or [match.start() for match in _HG.finditer(text)]


# -- Mercurial


def _mercurial(text: bytes) -> Description:
    """``# Key value`` lines, then the message."""
    author, date = NOBODY, None
    lines = text.lstrip(b"\n").split(b"\n")
    headers = list(itertools.takewhile(lambda line: line.startswith(b"#"), lines))
    for line in headers:
        key, _, value = line[1:].strip().partition(b" ")
        if key == b"User":
            author = parse_author(value)
        elif key == b"Date":
            date = hg_date(value)
    title, body = _title(lines[len(headers) :])
    return Description(author, date, clean_subject(title), body)


# -- git show, git log -p


def _git_show(commit: str, text: bytes) -> Description:
    """Any of git's formats from short to raw: headers, then the message four columns in."""
    fields: dict[bytes, bytes] = {}
    lines = text.split(b"\n")
    headers = list(itertools.takewhile(bytes.strip, lines))
    for line in headers:
        key, _, value = line.partition(b" ")
        fields.setdefault(key.rstrip(b":").lower(), value.strip())
    author, date = _git_author(fields.get(b"author", b""))
    date = date or parse_date(fields.get(b"authordate") or fields.get(b"date") or b"")
    said = []
    for line in lines[len(headers) :]:
        if line.startswith(b"    "):
            said.append(line[4:])
        elif not line.strip():
            said.append(b"")
        else:
            break  # notes, a diffstat
    title, body = _title(said)
    return Description(author, date, title, body, commit)


def _git_author(value: bytes) -> tuple[Identity, When | None]:
    """``A U Thor <a@example.org>``, in the raw format with seconds and zone behind it."""
    match = re.fullmatch(rb"(.*>) (\d{1,12} [+-]\d{4})", value)
    if match:
        return parse_author(match[1]), parse_date(match[2])
    return parse_author(value), None


# -- cgit


def _cgit(text: bytes) -> Description:
    """The table of a commit's page: fields and their parts with tabs between, then the message.  Where
    it was found may stand between the two, and is no title."""
    lines = text.split(b"\n")
    headers = [found for line in lines if (found := _CGIT.match(line.rstrip()))]
    headers = headers[: next((at for at, line in enumerate(lines) if not _CGIT.match(line)), None)]
    fields = {found[1]: found[2].split(b"\t") for found in reversed(headers)}
    who, *when = fields[b"author"]
    commit = re.match(rb"[0-9a-f]{7,64}\b", fields.get(b"commit", [b""])[0])
    said = lines[len(headers) :]
    links = [line.strip() for line in said if _LINK.match(line.strip())]
    title, body = _title([line for line in said if not _LINK.match(line.strip())])
    if not title:
        title, links = b" ".join(links[:1]), links[1:]
    return Description(
        parse_author(who),
        parse_date(when[0]) if when else None,
        title,
        b"\n\n".join(part for part in (body, b"\n".join(links)) if part),
        commit[0].decode() if commit else None,
    )


# -- Debian


def _dpatch(text: bytes) -> Description:
    by = _DPATCH_BY.search(text)
    title, body = _title([match[1].rstrip() for match in _DP.finditer(text)])
    return Description(parse_author(by[1]) if by else NOBODY, None, title, body)


def _fields_or_text(text: bytes) -> Description:
    lines = text.split(b"\n")
    while lines and not lines[0].strip():
        del lines[0]
    if any(_COMMENTED.match(line) for line in lines):
        lines = [re.sub(rb"^#+ ?", b"", line) for line in lines]
    lines = _fields_first(lines)
    if not _is_block(lines):
        title, body = _title(lines)
        return Description(NOBODY, None, title, body)
    fields: list[tuple[bytes, list[bytes]]] = []
    free: list[bytes] = []
    inside, block = True, 0
    for before, line in zip((b"", *lines), lines, strict=False):
        if line.rstrip() == b"---":
            break
        match = _FIELD.match(line.rstrip()) if inside else None
        if match is not None and not (block and not KNOWN_FIELD.match(match[1])):
            fields.append((match[1], [match[2] or b""]))
        elif inside and fields and line[:1] in (b" ", b"\t") and before.strip():
            fields[-1][1].append(b"" if line.strip() == b"." else line[1:].rstrip())
        elif inside and not line.strip():
            block += 1  # a second paragraph may hold the rest of the fields, or free text
        elif not _FROM_LINE.match(line):
            inside = False
            free.append(line)
    return _of_fields(fields, free)


_AUTHORS = (b"author", b"from", b"origin/author")
_COMMENTED = re.compile(
    rb"#+ ?(?:Description|Author|From|Origin|Subject|Origin/Author):", re.IGNORECASE
)


def _fields_first(lines: list[bytes]) -> list[bytes]:
    """The paragraph that names the author before the others, wherever it stands: a title may come
    first, or the place where the patch was found."""
    if _is_block(lines):
        return lines
    paragraphs = [
        list(part)
        for filled, part in itertools.groupby(lines, key=lambda line: bool(line.strip()))
        if filled
    ]
    for at, paragraph in enumerate(paragraphs[1:], 1):
        keys = {m[1].lower() for line in paragraph if (m := _FIELD.match(line.rstrip()))}
        if keys & {b"author", b"from"} and _is_block(paragraph):
            first = [paragraph, *paragraphs[:at], *paragraphs[at + 1 :]]
            return [line for part in first for line in (*part, b"")]
    return lines


def _is_block(lines: list[bytes]) -> bool:
    """Whether DEP-3 fields begin the text: a known one among the first lines of that shape.

    A title may well hold a colon ("timer: five is fifty-five"), and is no field.
    """
    for line in lines:
        if not line.strip() or line[:1] in (b" ", b"\t"):
            continue
        match = _FIELD.match(line.rstrip())
        if match is None:
            return False
        if KNOWN_FIELD.match(match[1]):
            return True
    return False


def _of_fields(fields: list[tuple[bytes, list[bytes]]], free: list[bytes]) -> Description:
    found: dict[bytes, list[bytes]] = {}
    for key, value in fields:
        found.setdefault(key.lower(), value)
    described = found.get(b"description") or found.get(b"subject") or []
    title, body = _title(described)
    if b"subject" in found and b"description" not in found:
        title = clean_subject(title)
    rest = strip_space(b"\n".join(free))
    if not title:
        title, rest = _title(free)
    author = NOBODY
    for key in _AUTHORS:
        if author == NOBODY and key in found:
            # Of several authors the first; the others stay in the message.
            first, comma, _ = b" ".join(found[key]).partition(b">,")
            author = parse_author(first + b">" if comma else first)
    date = next(
        (
            date
            for key in (b"date", b"last-update", b"last-updated")
            if key in found and (date := parse_date(found[key][0])) is not None
        ),
        None,
    )
    used = {b"description", b"subject", b"date"}
    if author != NOBODY:
        alone = (key for key in _AUTHORS if b">," not in b" ".join(found.get(key, [])))
        used |= set(alone)
    kept = [
        key + b": " + b"\n ".join(value)
        for key, value in fields
        if key.lower() not in used and any(part.strip() for part in value)
    ]
    text = b"\n\n".join(part for part in (body, rest, b"\n".join(kept)) if part.strip())
    return Description(author, date, title, text)


# -- plain text


def _title(lines: list[bytes]) -> tuple[bytes, bytes]:
    """The first line that can be a title, and the rest; a title that programs wrote counts as none."""
    for at, raw in enumerate(lines):
        line = raw.strip()
        if line == b"---":
            break
        if not line or _JUNK.match(line):
            continue
        rest = list(itertools.takewhile(lambda each: each.rstrip() != b"---", lines[at + 1 :]))
        title = clean_subject(line) if line.startswith(b"[") else line
        return title.lstrip(b"#* ").strip() or line, strip_space(
            b"\n".join(each for each in rest if not each.strip().startswith(_GENERATED))
        )
    return b"", b""
