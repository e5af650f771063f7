# SPDX-License-Identifier: GPL-2.0-or-later
"""A quilt series file and its patches, as quilt(1), Debian's 3.0 (quilt) and stgit keep them.

A patch there may carry mail headers, DEP-3 headers (https://dep-team.pages.debian.net/deps/dep3/),
free text, or nothing before its diff.  The order is the series file's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from series.errors import SeriesError
from series.model import FileChange, Identity, Patch, Series, When
from series.reading.diff import parse_diff
from series.reading.mail import read_one
from series.reading.mailinfo import clean_subject, parse_author, parse_date, strip_space
from series.reading.paths import path_fault
from series.reading.trailers import parse_trailers
from series.reverse import reverse_change

_DIFF = re.compile(rb"^(?:diff |--- |Index: |index [0-9a-f]+\.\.)", re.MULTILINE)
_MAIL = re.compile(rb"(?:From [0-9a-f]{40} |(?:From|Subject|Date|Message-Id):)", re.IGNORECASE)
_FIELD = re.compile(rb"([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*)")
_MAX_ENTRIES = 100_000


class QuiltError(SeriesError):
    """A series file that does not hold together: where, line (0 for the whole), what."""

    def __init__(self, origin: str, line: int, what: str) -> None:
        self.origin, self.line, self.what = origin, line, what
        super().__init__(f"{origin}:{line}: {what}" if line else f"{origin}: {what}")


@dataclass(frozen=True, slots=True)
class QuiltEntry:
    """One line of a series file: the patch's name and the options quilt gives to patch(1)."""

    name: str
    strip: int = 1
    reverse: bool = False


def parse_series(data: bytes, origin: str) -> tuple[QuiltEntry, ...]:
    """Read a series file."""
    found: list[QuiltEntry] = []
    seen: set[str] = set()
    for number, raw in enumerate(data.split(b"\n"), 1):
        # A comment begins the line or follows a blank, as in quilt's own cat_series.
        line = re.sub(rb"(^|\s)#.*", b"", raw).strip()
        if not line:
            continue
        name, *options = line.split()
        fault = path_fault(name)
        text = name.decode("utf-8", "backslashreplace")
        if fault is not None:
            raise QuiltError(origin, number, f"the name '{text[:80]}' {fault}")
        if text in seen:
            raise QuiltError(origin, number, f"'{text}' is listed a second time")
        if len(seen) >= _MAX_ENTRIES:
            raise QuiltError(origin, number, f"more than {_MAX_ENTRIES} patches")
        seen.add(text)
        strip, reverse = 1, False
        for option in options:
            if match := re.fullmatch(rb"-p(\d{1,2}|ab)", option):
                strip = 1 if match[1] == b"ab" else int(match[1])
            elif option == b"-R":
                reverse = True
            else:
                shown = option.decode("utf-8", "backslashreplace")
                raise QuiltError(
                    origin, number, f"the option '{shown}' is not known; -pN and -R are"
                )
        found.append(QuiltEntry(text, strip, reverse))
    return tuple(found)


def read_quilt(entries: Sequence[QuiltEntry], contents: Mapping[str, bytes], origin: str) -> Series:
    """Put the patches of ``entries`` together; ``contents`` maps each name to the file's bytes."""
    patches: list[Patch] = []
    notes: list[str] = []
    for entry in entries:
        data = contents.get(entry.name)
        if data is None:
            raise QuiltError(
                origin, 0, f"the patch '{entry.name}' is listed, but there is no such file"
            )
        patch = _read(entry, data, len(patches))
        if not patch.changes:
            notes.append(f"{entry.name} changes nothing, left aside")
            continue
        if not patch.author.email:
            notes.append(f"{entry.name} names no author")
        patches.append(patch)
    if not patches:
        raise QuiltError(origin, 0, "no patch in it changes anything")
    return Series(tuple(patches), origin, ordered=True, notes=tuple(notes))


def _read(entry: QuiltEntry, data: bytes, position: int) -> Patch:
    match = _DIFF.search(data)
    cut = match.start() if match else len(data)
    head = data[:cut]
    if _MAIL.match(head) and not re.search(rb"^Description:", head, re.MULTILINE):
        patch = read_one(entry.name, data, strip=entry.strip)
        if not patch.subject:
            patch = replace(patch, message=_plain_subject(entry.name) + patch.message)
    else:
        author, date, message = _describe(entry.name, head)
        first = data.count(b"\n", 0, cut) + 1
        patch = Patch(
            name=entry.name,
            author=author,
            date=date,
            message=message,
            changes=parse_diff(data[cut:], entry.name, strip=entry.strip, first_line=first),
            trailers=parse_trailers(message),
        )
    changes: tuple[FileChange, ...] = patch.changes
    if entry.reverse:
        changes = tuple(reverse_change(change) for change in reversed(changes))
    return replace(patch, changes=changes, position=position)


def _plain_subject(name: str) -> bytes:
    return re.sub(r"\.(?:patch|diff)$", "", name).encode() + b"\n"


def _describe(name: str, head: bytes) -> tuple[Identity, When | None, bytes]:
    """Author, date and message of DEP-3 headers, or of free text."""
    fields: dict[bytes, bytes] = {}
    text: list[bytes] = []
    key = b""
    in_fields = True
    for raw in head.split(b"\n"):
        line = raw.rstrip()
        if line == b"---":
            break
        match = _FIELD.match(line) if in_fields else None
        if match is not None:
            key = match[1].lower()
            fields[key] = match[2]
        elif in_fields and key and line[:1] in (b" ", b"\t"):
            fields[key] += b"\n" + (b"" if line.strip() == b"." else line[1:])
        else:
            # Free text may follow the fields after a blank line (DEP-3, "free-form comments").
            in_fields = in_fields and not line and not fields
            text.append(line)
    told = fields.get(b"description") or fields.get(b"subject") or b""
    told = clean_subject(told) if b"description" not in fields else told
    subject, _, body = told.partition(b"\n")
    free = strip_space(b"\n".join(text))
    if not subject:
        subject, _, free = free.partition(b"\n")
    kept = [
        key.title() + b": " + fields[key].split(b"\n")[0]
        for key in (b"origin", b"bug", b"forwarded", b"applied-upstream")
        if key in fields
    ]
    message = strip_space(
        b"\n\n".join([subject or _plain_subject(name).strip(), body, free, b"\n".join(kept)])
    )
    author = parse_author(fields.get(b"author") or fields.get(b"from") or b"")
    date = parse_date(fields.get(b"date", b""))
    return author, date, message
