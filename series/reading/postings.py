# SPDX-License-Identifier: GPL-2.0-or-later
"""Which mails of a mailbox were sent as one posting: by thread, version, count and number."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from msgspec import Struct, field

from series.numbering import missing_numbers
from series.reading.letters import Findings, Letter

_MOST_UNFINISHED = 64
"""Postings with gaps that another is tried with; to try all takes their number squared."""


class Posting(Struct):
    """The mails of one sending, by their number."""

    version: int
    total: int
    letters: dict[int, Letter]
    cover: Letter | None = None

    @property
    def branch(self) -> bytes:
        """The branch that its tags name, which all its mails share."""
        return next(iter(self.letters.values())).tags.branch

    @property
    def missing(self) -> tuple[int, ...]:
        """The numbers that are not there."""
        return missing_numbers(self.letters, self.total)

    @property
    def whole(self) -> bool:
        """Whether every number is there."""
        return len(self.letters) >= self.total and not self.missing

    @property
    def first(self) -> int:
        """The place of its first mail in the mailbox."""
        return min(letter.index for letter in self.letters.values())

    @property
    def titles(self) -> set[tuple[bytes, bytes]]:
        """Author and subject of each mail."""
        return {letter.title for letter in self.letters.values()}

    @property
    def authors(self) -> set[bytes]:
        """Whoever sent a mail of it."""
        return {letter.author for letter in self.letters.values()}


def root_of(posting: Posting, roots: Mapping[int, Hashable]) -> Hashable:
    """The thread that a posting is in; None where it is in none."""
    return next((roots[x.index] for x in posting.letters.values() if x.index in roots), None)


class _Group(Struct):
    """Postings that nothing but their numbers tells apart, in the order of sending."""

    postings: list[Posting] = field(default_factory=list)
    named: dict[tuple[int, bytes], int] = field(default_factory=dict)
    """By number and subject: the last posting that has it."""
    before: dict[int, dict[int, int]] = field(default_factory=dict)
    """By number: for a posting that has it, an earlier one from which to look on."""

    def last_without(self, number: int) -> int | None:
        """The last posting that lacks ``number``; nearly constant time, as in union-find."""
        before = self.before.setdefault(number, {})
        at, passed = len(self.postings) - 1, list[int]()
        while at >= 0 and number in self.postings[at].letters:
            passed.append(at)
            at = before.get(at, at - 1)
        for one in passed:
            before[one] = at
        return at if at >= 0 else None


class PostingReader(Struct, frozen=True):
    """Puts counted mails together; ``roots`` is the thread of each mail, by index."""

    roots: Mapping[int, Hashable]
    findings: Findings

    def read(self, candidates: Sequence[Letter]) -> list[Posting]:
        """The postings of those of ``candidates`` that have a number, without their covers."""
        groups: dict[Hashable, _Group] = {}
        # In the order of sending, so that two series without threads come apart one after the other.
        for letter in sorted(candidates, key=lambda x: (x.sent, x.index)):
            if letter.tags.numbering is None:
                continue
            version, total = letter.tags.version, letter.tags.numbering.total
            root = self.roots.get(letter.index)
            author = letter.author if root is None else None
            kind = root, author, version, total, letter.tags.branch
            self._place(letter, groups.setdefault(kind, _Group()))
        return self._completed([posting for group in groups.values() for posting in group.postings])

    def _place(self, letter: Letter, group: _Group) -> None:
        assert letter.tags.numbering is not None
        number, total = letter.tags.numbering.number, letter.tags.numbering.total
        open_one = group.last_without(number)
        named = group.named.get((number, letter.title[1]))
        at = max(-1 if open_one is None else open_one, -1 if named is None else named)
        if at < 0:
            at = len(group.postings)
            group.postings.append(Posting(letter.tags.version, total, {}))
        letters = group.postings[at].letters
        group.named[number, letter.title[1]] = at
        if number not in letters:
            letters[number] = letter
            return
        twin = letters[number]
        old, new = sorted((twin, letter), key=lambda x: (x.digest is not None, x.index))
        letters[number] = new
        self.findings.repeat(old, new)

    def _completed(self, postings: list[Posting]) -> list[Posting]:
        """Parts of one posting that no thread holds together, put together where they fit."""
        kinds: dict[tuple[int, int, bytes], list[Posting]] = {}
        for posting in postings:
            kinds.setdefault((posting.version, posting.total, posting.branch), []).append(posting)
        found: list[Posting] = []
        for kind in kinds.values():
            if all(posting.whole for posting in kind):
                found += kind
                continue
            threaded = any(len(x.letters) > 1 and root_of(x, self.roots) is not None for x in kind)
            put_together = _one_posting(kind, threaded=threaded)
            if not put_together and not threaded:
                put_together = _one_after_the_other(kind)
            found += put_together or _halves(kind)
        return found


def _one_posting(kind: Sequence[Posting], *, threaded: bool) -> list[Posting]:
    """All of ``kind`` as one, where no number is there twice; else nothing.

    Patches of several authors without a thread (`git format-patch --stdout`) are such a case.  Two
    threads are one posting only if together they are whole.
    """
    posting = _put_in_one(kind)
    if posting is None or (threaded and not posting.whole):
        return []
    return [posting]


def _one_after_the_other(kind: Sequence[Posting]) -> list[Posting]:
    """``kind`` cut where the numbers of the mailbox begin anew, if every part is whole; else nothing."""
    letters = [(x.index, number, x) for posting in kind for number, x in posting.letters.items()]
    found: list[Posting] = []
    for _, number, letter in sorted(letters, key=lambda one: one[0]):
        if not found or len(found[-1].letters) == kind[0].total:
            found.append(Posting(kind[0].version, kind[0].total, {}))
        if number in found[-1].letters:
            return []
        found[-1].letters[number] = letter
    return found if all(posting.whole for posting in found) else []


def _put_in_one(kind: Sequence[Posting]) -> Posting | None:
    """All of ``kind`` as one, where no number is there twice."""
    letters: dict[int, Letter] = {}
    for posting in kind:
        if not letters.keys().isdisjoint(posting.letters):
            return None
        letters.update(posting.letters)
    return Posting(kind[0].version, kind[0].total, letters)


def _halves(kind: Sequence[Posting]) -> list[Posting]:
    """``kind`` with two that make one whole, or that are of the same author, put together."""
    found: list[Posting] = []
    unfinished: list[Posting] = []
    for posting in kind:
        other = next(
            (
                x
                for x in unfinished[-_MOST_UNFINISHED:]
                if x.letters.keys().isdisjoint(posting.letters)
                and (
                    len(x.letters) + len(posting.letters) == x.total or x.authors == posting.authors
                )
            ),
            None,
        )
        if other is None:
            found.append(posting)
            if not posting.whole:
                unfinished.append(posting)
            continue
        other.letters.update(posting.letters)
        if other.whole:
            unfinished.remove(other)
    return found
