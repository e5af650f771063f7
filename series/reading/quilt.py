# SPDX-License-Identifier: GPL-2.0-or-later
"""A quilt series file and its patches, as quilt(1), Debian's 3.0 (quilt), stgit and SUSE keep them.

A patch there may carry mail headers, DEP-3 headers, free text, or nothing before its diff; one file
may hold several patches.  The order is the series file's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from series.errors import SeriesError
from series.model import Account, Fate, FileChange, Identity, Patch, Series, escaped, shown
from series.reading.authors import parse_author
from series.reading.line_ends import by_names
from series.reading.mail import patch_of, signed
from series.reading.paths import path_fault
from series.reading.pieces import holds_diff, read_pieces
from series.reading.rules import DEFAULT, Rules
from series.reverse import reverse_change

_MAX_ENTRIES = 100_000
_FUZZ = re.compile(rb"(?:-F|--fuzz=)(\d{1,2})")
_STRIP = re.compile(rb"(?:-p|--strip=)(\d{1,2}|ab)")
# What loosens patch(1), or speaks of its backups: a patch that fits needs none of it.
_LOOSE = frozenset(
    {b"-l", b"--ignore-whitespace", b"-E", b"--remove-empty-files", b"-f", b"-N", b"--forward"}
)
_GUARD = re.compile(r"[+-][A-Za-z0-9_.-]+")


class QuiltError(SeriesError):
    """A series file that does not hold together: where, line (0 for the whole), what."""

    def __init__(self, origin: str, line: int, what: str) -> None:
        self.origin, self.line, self.what = origin, line, what
        super().__init__(f"{origin}:{line}: {what}" if line else f"{origin}: {what}")


class QuiltEntry(Struct, frozen=True):
    """One line of a series file: the patch's name and the options quilt gives to patch(1).

    ``strip`` is None where the line names none.  ``guards`` are SUSE's, as ``+NAME`` and ``-NAME``.
    """

    name: str
    strip: int | None = None
    reverse: bool = False
    guards: tuple[str, ...] = ()
    line: int = 0


def parse_series(data: bytes, origin: str) -> tuple[QuiltEntry, ...]:
    """Read a series file, or SUSE's series.conf.

    Names may lead out of the folder with ``..``: who opens the files decides how far.
    """
    found: list[QuiltEntry] = []
    seen: set[str] = set()
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        # A comment begins the line or follows a blank, as in quilt's own cat_series.
        words = re.sub(rb"(^|\s)#.*", b"", raw).split()
        guards = []
        while words and _GUARD.fullmatch(words[0].decode("utf-8", "replace")):
            guards.append(words.pop(0).decode())
        if not words:
            if guards:
                raise QuiltError(origin, number, f"the guard {guards[0]} without a patch")
            continue
        entry = _entry(words, tuple(guards), origin, number)
        if entry.name in seen:
            raise QuiltError(origin, number, f"'{entry.name}' is listed a second time")
        if len(seen) >= _MAX_ENTRIES:
            raise QuiltError(origin, number, f"more than {_MAX_ENTRIES} patches")
        seen.add(entry.name)
        found.append(entry)
    return tuple(found)


def _entry(words: list[bytes], guards: tuple[str, ...], origin: str, number: int) -> QuiltEntry:
    name, *options = words
    text = name.decode("utf-8", "backslashreplace")
    if escaped(text) != text:
        raise QuiltError(
            origin, number, f"the name '{escaped(text)[:80]}' holds control characters"
        )
    inside = re.sub(rb"\A(?:\.\./|\./)+", b"", name)
    if (fault := path_fault(inside)) is not None:
        raise QuiltError(origin, number, f"the name '{text[:80]}' {fault}")
    strip: int | None = None
    reverse = False
    left = iter(options)
    for option in left:
        if match := _STRIP.fullmatch(option):
            strip = 1 if match[1] == b"ab" else int(match[1])
        elif option in (b"-R", b"--reverse"):
            reverse = True
        elif option in (b"-F", b"--fuzz"):
            next(left, b"")
        elif not _FUZZ.fullmatch(option) and option not in _LOOSE:
            raise QuiltError(
                origin,
                number,
                f"the option '{shown(option)}' is not known; those of patch(1) that place are",
            )
    return QuiltEntry(text, strip, reverse, guards, number)


def wanted(entry: QuiltEntry, rules: Rules, origin: str) -> bool:
    """Whether the entry's guards let it be, as SUSE's guards(1) has it: the last that applies decides.

    Raises QuiltError where there are guards and the user has not said which are set.
    """
    if not entry.guards:
        return True
    if rules.guards is None:
        raise QuiltError(
            origin,
            entry.line,
            f"'{entry.name}' has the guard {entry.guards[0]}; --guard NAME sets one (repeat it),"
            " --guard none sets none",
        )
    take = not any(guard.startswith("+") for guard in entry.guards)
    for guard in entry.guards:
        if guard[1:] in rules.guards:
            take = guard.startswith("+")
    return take


def read_quilt(
    entries: Sequence[QuiltEntry],
    contents: Mapping[str, bytes],
    origin: str,
    rules: Rules = DEFAULT,
    fallback: tuple[Identity, str] | None = None,
) -> Series:
    """Put the patches of ``entries`` together; ``contents`` maps each name to the file's bytes.

    ``fallback`` signs patches that name no author: who, and what makes him the one to name.
    """
    patches: list[Patch] = []
    accounts: list[Account] = []
    notes: list[str] = []
    unsigned = Counter[str]()
    for entry in entries:
        if not wanted(entry, rules, origin):
            accounts.append(Account(entry.name, b"", Fate.GUARDED, " ".join(entry.guards)))
            notes.append(f"{entry.name} left aside: {' '.join(entry.guards)}")
            continue
        data = contents.get(entry.name)
        if data is None:
            raise QuiltError(
                origin, 0, f"the patch '{entry.name}' is listed, but there is no such file"
            )
        found = list(_read(entry, data, rules))
        if not found and data.strip() and not rules.partial:
            raise QuiltError(
                entry.name,
                1,
                "no diff that can be read is in it; empty the file, or --partial leaves it out",
            )
        if not found:
            accounts.append(Account(entry.name, b"", Fate.NO_PATCH, "changes nothing"))
            notes.append(f"{entry.name} changes nothing, left aside")
        for patch in found:
            who, why = (rules.author, "--author says") if rules.author else fallback or (None, "")
            if not patch.author.name and not patch.author.email:
                unsigned[why] += 1
            patch = signed(patch, replace(rules, author=who))
            notes += [f"{patch.name}: {note}" for note in patch.notes]
            patches.append(replace(patch, position=len(patches)))
            accounts.append(Account(patch.name, patch.subject, Fate.PATCH))
    if not patches:
        raise QuiltError(origin, 0, "no patch in it changes anything")
    for why, count in unsigned.items():
        some = "1 patch names" if count == 1 else f"{count} patches name"
        notes.append(f"{some} no author: signed as {why}")
    return Series(
        tuple(patches), origin, ordered=True, notes=tuple(notes), accounts=tuple(accounts)
    )


def maintainer(control: bytes) -> Identity | None:
    """The Maintainer that a debian/control names."""
    match = re.search(rb"^Maintainer:[ \t]*(\S[^\n]*(?:\n[ \t]+[^\n]+)*)", control, re.MULTILINE)
    found = parse_author(match[1]) if match else None
    return found if found is not None and found.email else None


def _read(entry: QuiltEntry, data: bytes, rules: Rules) -> Iterator[Patch]:
    strip = entry.strip if entry.strip is not None else rules.strip
    # As patch(1) sees it, what ends the lines of the words above is nothing to the diff.
    data = by_names(data, words=True)
    for piece in read_pieces(entry.name, data, rules):
        if piece.info.faults:
            raise QuiltError(piece.name, 0, "; ".join(piece.info.faults))
        if not holds_diff(piece.info.diff) and not piece.info.diff.strip():
            continue
        patch = patch_of(piece, 0, replace(rules, strip=strip if strip is not None else 1))
        changes: tuple[FileChange, ...] = patch.changes
        if not changes:
            continue
        if entry.reverse:
            changes = tuple(reverse_change(change) for change in reversed(changes))
        yield replace(patch, changes=changes, numbering=None)
