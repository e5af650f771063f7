# SPDX-License-Identifier: GPL-2.0-or-later
"""Which mails of a thread are the series: the newest complete version, without the talk about it.

A mailbox saved from a list holds several postings of one series, each perhaps in a thread of its
own, with replies between them.  Mails belong to one posting when they share the version and the
total of ``[PATCH v2 03/27]``; postings belong to one series when a thread or a subject ties them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from series.model import Numbering


@dataclass(frozen=True, slots=True)
class Letter:
    """What must be known of a mail to sort it."""

    index: int
    name: str
    subject: bytes
    numbering: Numbering | None
    is_patch: bool
    is_reply: bool
    message_id: str | None
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Indexes of the mails to take, in the order of the mailbox, and what was left aside and why."""

    patches: tuple[int, ...]
    cover: int | None
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Posting:
    version: int
    total: int
    letters: list[Letter]
    cover: Letter | None = None
    places: dict[Numbering | None, int] = field(default_factory=dict)
    """Where in ``letters`` each number stands."""

    def add(self, letter: Letter) -> None:
        self.places[letter.numbering] = len(self.letters)
        self.letters.append(letter)

    def missing(self) -> list[int]:
        have = {letter.numbering.number for letter in self.letters if letter.numbering}
        return [number for number in range(1, self.total + 1) if number not in have]


def choose(letters: Sequence[Letter]) -> Choice:
    """Take the newest complete version of each series; patches without numbering are all taken."""
    notes: list[str] = []
    patches = [letter for letter in letters if letter.is_patch and not letter.is_reply]
    if not patches:
        # A patch sent as an answer is one when there is nothing else.
        patches = [letter for letter in letters if letter.is_patch]
    kept = {letter.index for letter in patches}
    loose = [letter for letter in patches if letter.numbering is None]
    postings = _postings(patches, letters, notes)
    taken = [letter.index for letter in loose]
    cover: int | None = None
    for family in _families(postings, letters):
        chosen = _newest(family, notes)
        taken += [letter.index for letter in chosen.letters]
        if chosen.cover is not None and cover is None:
            cover = chosen.cover.index
    if cover is None:
        cover = next((letter.index for letter in letters if _is_cover(letter)), None)
    covers = {posting.cover.index for posting in postings if posting.cover} | {cover}
    others = [x for x in letters if x.index not in kept and x.index not in covers]
    if others:
        names = ", ".join(letter.name for letter in others[:5])
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        notes.append(f"{len(others)} mails without a patch or in reply left aside: {names}{more}")
    return Choice(tuple(sorted(taken)), cover, tuple(notes))


def _is_cover(letter: Letter) -> bool:
    counted = letter.numbering is not None and letter.numbering.number == 0
    return counted and not letter.is_patch and not letter.is_reply


def _postings(
    patches: Sequence[Letter], letters: Sequence[Letter], notes: list[str]
) -> list[_Posting]:
    found: dict[tuple[int, int], list[_Posting]] = {}
    for letter in patches:
        if letter.numbering is None:
            continue
        key = (letter.numbering.version, letter.numbering.total)
        group = found.setdefault(key, [])
        for posting in group:
            at = posting.places.get(letter.numbering)
            if at is None:
                posting.add(letter)
                break
            twin = posting.letters[at]
            if twin.subject == letter.subject:
                posting.letters[at] = letter
                notes.append(f"{twin.name} was sent again as {letter.name}; the later one is taken")
                break
        else:
            group.append(_Posting(*key, letters=[]))
            group[-1].add(letter)
    postings = [posting for group in found.values() for posting in group]
    for letter in letters:
        if _is_cover(letter) and letter.numbering is not None:
            key = (letter.numbering.version, letter.numbering.total)
            bare = [posting for posting in found.get(key, ()) if posting.cover is None]
            if bare:
                bare[0].cover = letter
    return postings


def _families(postings: list[_Posting], letters: Sequence[Letter]) -> list[list[_Posting]]:
    """Postings tied by a thread or a subject, in the order of the mailbox."""
    root: dict[str, str] = {}

    def find(name: str) -> str:
        seen = []
        while root.setdefault(name, name) != name:
            seen.append(name)
            name = root[name]
        for each in seen:
            root[each] = name
        return name

    for letter in letters:
        for other in letter.references:
            if letter.message_id:
                root[find(letter.message_id)] = find(other)
    for number, posting in enumerate(postings):
        for letter in (*posting.letters, *([posting.cover] if posting.cover else [])):
            root[find(f"subject {letter.subject!r}")] = find(f"posting {number}")
            if letter.message_id:
                root[find(letter.message_id)] = find(f"posting {number}")
    families: dict[str, list[_Posting]] = {}
    for number, posting in enumerate(postings):
        families.setdefault(find(f"posting {number}"), []).append(posting)
    return list(families.values())


def _newest(family: list[_Posting], notes: list[str]) -> _Posting:
    ranked = sorted(family, key=lambda posting: (posting.version, posting.letters[-1].index))
    complete = [posting for posting in ranked if not posting.missing()]
    chosen = (complete or ranked)[-1]
    for posting in ranked:
        missing = posting.missing()
        what = f"version {posting.version} of {posting.total} patches"
        gaps = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
        if posting is chosen:
            if missing:
                notes.append(f"{what} is incomplete: {gaps} missing; no complete version is here")
        elif missing and posting.version >= chosen.version:
            notes.append(f"{what} is newer but incomplete ({gaps} missing), left aside")
        else:
            notes.append(f"{what} left aside for version {chosen.version}")
    return chosen
