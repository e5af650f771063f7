# SPDX-License-Identifier: GPL-2.0-or-later
"""Which mails of a mailbox are its series: the newest version of each, and an account of the others.

A mailbox saved from a list holds several postings of one series, each perhaps in a thread of its own,
with replies between them; or several series.  Mails belong to one posting when they share a thread and
the version and count of ``[PATCH v2 03/27]``; postings are versions of one series when a thread of the
same author or a subject ties them.  Of these the newest is taken.  A newer version of some patches only
is put together with the rest of the older one where number and subject say how, else it stops the run.

Patches of one version never replace each other unless their number and subject are the same.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from series.model import Fate, Numbering
from series.numbering import listed, missing_numbers
from series.reading.subject import Tags
from series.ties import Ties

# git send-email, git format-patch --thread and b4 number the mails of one sending.
_STEMS = (
    re.compile(r"<(\d{10,14}[.-]\d+)-\d{1,4}-"),
    re.compile(r"<(?:cover|[0-9a-f]{40})(\.\d{9,11}\.git\.[^>]+)>"),
    re.compile(r"<(\d{8}-[^>@]+-v\d+)-\d{1,4}-[0-9a-f]{8,}@"),
)
_MOST_UNFINISHED = 64
"""Postings with gaps that another is tried with; to try all takes their number squared."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What must be known of a mail to sort it.

    ``subject`` is clean of tags; ``author`` an address, or a name where there is none; ``digest``
    stands for the diff's bytes and is None where the mail has none; ``cover_like`` says that the text
    looks like a cover letter's; ``sent`` is the date in seconds, 0 where none can be read.
    """

    index: int
    name: str
    subject: bytes
    tags: Tags
    author: bytes
    digest: bytes | None
    message_id: str | None = None
    references: tuple[str, ...] = ()
    cover_like: bool = False
    sent: int = 0
    title: tuple[bytes, bytes] = field(init=False, compare=False)
    """Author and subject (with the branch that it is for), by which versions of one patch know each
    other."""

    def __post_init__(self) -> None:
        # Case, blanks and a full stop at the end change between versions; other letters do not.
        words = b" ".join(self.subject.lower().split()).rstrip(b" .")
        title = self.author, words + self.tags.branch
        object.__setattr__(self, "title", title)


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail that is a patch of the series: its place, and which of the mailbox's series it is in."""

    index: int
    numbering: Numbering | None
    part: int


@dataclass(frozen=True, slots=True)
class Choice:
    """What became of every mail.

    ``taken`` in the order of the mailbox, ``covers`` by part; ``fates`` of all other mails by index,
    each with a phrase; ``faults`` are what nothing but `partial` may go on from.
    """

    taken: tuple[Taken, ...]
    covers: dict[int, int]
    fates: dict[int, tuple[Fate, str]]
    notes: tuple[str, ...]
    faults: tuple[str, ...]


@dataclass(slots=True)
class _Posting:
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
        return missing_numbers(self.letters, self.total)

    @property
    def whole(self) -> bool:
        """Whether every number is there."""
        return len(self.letters) >= self.total and not self.missing

    @property
    def first(self) -> int:
        return min(letter.index for letter in self.letters.values())

    @property
    def titles(self) -> set[tuple[bytes, bytes]]:
        return {letter.title for letter in self.letters.values()}

    @property
    def authors(self) -> set[bytes]:
        return {letter.author for letter in self.letters.values()}


@dataclass(slots=True)
class _Group:
    """Postings that nothing but their numbers tells apart, in the order of sending."""

    postings: list[_Posting] = field(default_factory=list)
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


def choose(letters: Sequence[Letter], *, partial: bool = False) -> Choice:
    """Take the newest version of each series in ``letters``, and account for every other mail."""
    return _Sorter(letters, partial).run()


@dataclass(slots=True)
class _Sorter:
    letters: Sequence[Letter]
    partial: bool
    fates: dict[int, tuple[Fate, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    roots: dict[int, Hashable] = field(default_factory=dict)

    def run(self) -> Choice:
        self.drop_copies()
        self.tie_threads()
        candidates = self.candidates()
        postings = self.postings(candidates)
        series = [posting for family in self.families(postings) for posting in self.newest(family)]
        loose = self.loose([x for x in candidates if x.tags.numbering is None], series, postings)
        series.sort(key=lambda posting: posting.first)
        taken, covers = self.parts(series, loose)
        self.account(taken, covers, series)
        return Choice(tuple(taken), covers, self.fates, tuple(self.notes), tuple(self.faults))

    def here(self) -> list[Letter]:
        return [letter for letter in self.letters if letter.index not in self.fates]

    def drop_copies(self) -> None:
        """A mail that came by two ways (the list and a copy) is one mail."""
        seen: dict[str, Letter] = {}
        for letter in self.letters:
            if letter.message_id is None:
                continue
            first = seen.setdefault(letter.message_id, letter)
            if first is letter:
                continue
            same = letter.digest == first.digest and letter.title == first.title
            if same or letter.digest is None:
                self.fates[letter.index] = Fate.REPEATED, f"the same mail as {first.name}"
            elif first.digest is None:
                self.fates[first.index] = Fate.REPEATED, f"the same mail as {letter.name}"
                seen[letter.message_id] = letter

    def tie_threads(self) -> None:
        """Each mail's thread, by replies and by the ids that one sending shares."""
        if not any(letter.message_id or letter.references for letter in self.letters):
            return
        threads: Ties[Hashable] = Ties()
        for letter in self.letters:
            own = letter.message_id or letter.index
            threads.tie(own, *letter.references)
            stem = _stem(letter.message_id)
            if stem is not None:
                threads.tie(own, ("stem", stem))
        for letter in self.letters:
            if letter.message_id or letter.references:
                self.roots[letter.index] = threads.root(letter.message_id or letter.index)

    def candidates(self) -> list[Letter]:
        """The mails that may be patches of a series; one of a counted series may be empty."""
        wanted = [x for x in self.here() if x.tags.number != 0]
        found = [x for x in wanted if x.digest is not None and not x.tags.reply]
        if not found:
            # A patch sent as an answer is one when there is nothing else.
            return [x for x in wanted if x.digest is not None]
        counted = {(x.tags.version, x.tags.total) for x in found if x.tags.numbering}
        empty = [
            x
            for x in wanted
            if x.digest is None
            and not x.tags.reply
            and x.tags.numbering
            and (x.tags.version, x.tags.total) in counted
        ]
        return sorted((*found, *empty), key=lambda letter: letter.index)

    # -- postings

    def postings(self, candidates: Sequence[Letter]) -> list[_Posting]:
        groups: dict[Hashable, _Group] = {}
        # In the order of sending, so that two series without threads come apart one after the other.
        for letter in sorted(candidates, key=lambda x: (x.sent, x.index)):
            if letter.tags.numbering is None:
                continue
            version, total = letter.tags.version, letter.tags.numbering.total
            root = self.roots.get(letter.index)
            author = letter.author if root is None else None
            kind = root, author, version, total, letter.tags.branch
            self.place(letter, groups.setdefault(kind, _Group()))
        found = self.completed([posting for group in groups.values() for posting in group.postings])
        self.give_covers(found)
        return found

    def place(self, letter: Letter, group: _Group) -> None:
        assert letter.tags.numbering is not None
        number, total = letter.tags.numbering.number, letter.tags.numbering.total
        open_one = group.last_without(number)
        named = group.named.get((number, letter.title[1]))
        at = max(-1 if open_one is None else open_one, -1 if named is None else named)
        if at < 0:
            at = len(group.postings)
            group.postings.append(_Posting(letter.tags.version, total, {}))
        letters = group.postings[at].letters
        group.named[number, letter.title[1]] = at
        if number not in letters:
            letters[number] = letter
            return
        twin = letters[number]
        old, new = sorted((twin, letter), key=lambda x: (x.digest is not None, x.index))
        letters[number] = new
        self.repeat(old, new)

    def repeat(self, old: Letter, new: Letter) -> None:
        """``new`` was sent in the place of ``old``."""
        self.fates[old.index] = Fate.REPEATED, f"sent again as {new.name}"
        if old.digest is not None and old.digest != new.digest:
            self.notes.append(
                f"{old.name} was sent again as {new.name}, with another diff; the later one is taken"
            )

    def completed(self, postings: list[_Posting]) -> list[_Posting]:
        """Parts of one posting that no thread holds together, put together where they fit."""
        kinds: dict[tuple[int, int, bytes], list[_Posting]] = {}
        for posting in postings:
            kinds.setdefault((posting.version, posting.total, posting.branch), []).append(posting)
        found: list[_Posting] = []
        for kind in kinds.values():
            if all(posting.whole for posting in kind):
                found += kind
                continue
            threaded = any(len(x.letters) > 1 and self.root_of(x) is not None for x in kind)
            put_together = _one_posting(kind, threaded=threaded)
            if not put_together and not threaded:
                put_together = _one_after_the_other(kind)
            found += put_together or _halves(kind)
        return found

    def give_covers(self, postings: Sequence[_Posting]) -> None:
        waiting: dict[tuple[int, int], dict[int, _Posting]] = {}
        tied: dict[Hashable, list[_Posting]] = {}
        for number, posting in enumerate(postings):
            kind = posting.version, posting.total
            waiting.setdefault(kind, {})[number] = posting
            if (root := self.root_of(posting)) is not None:
                tied.setdefault((root, *kind), []).append(posting)
        place = {id(posting): number for number, posting in enumerate(postings)}
        for letter in self.here():
            if letter.tags.number != 0 or letter.tags.reply or letter.tags.total is None:
                continue
            kind = letter.tags.version, letter.tags.total
            own = tied.get((self.roots.get(letter.index), *kind), [])
            free = waiting.get(kind, {})
            of_thread = next((x for x in own if x.cover is None), None)
            taker = of_thread or next(iter(free.values()), None)
            if taker is not None:
                taker.cover = letter
                free.pop(place[id(taker)], None)

    def root_of(self, posting: _Posting) -> Hashable:
        return next(
            (self.roots[x.index] for x in posting.letters.values() if x.index in self.roots), None
        )

    # -- versions

    def families(self, postings: Sequence[_Posting]) -> list[list[_Posting]]:
        """Postings tied by a subject, or by a thread of the same author, oldest first."""
        ties = Ties(range(len(postings)))
        first: dict[Hashable, int] = {}
        threads: dict[Hashable, list[int]] = {}
        for number, posting in enumerate(postings):
            for title in posting.titles:
                ties.tie(first.setdefault(("title", title), number), number)
            cover = posting.cover.title[1] if posting.cover else b""
            if cover and b"subject here" not in cover:
                ties.tie(first.setdefault(("cover", cover), number), number)
            if (root := self.root_of(posting)) is not None:
                for author in posting.authors:
                    threads.setdefault((root, author), []).append(number)
        for members in threads.values():
            if len({postings[number].version for number in members}) > 1:
                ties.tie(*members)
        return [
            sorted((postings[x] for x in family), key=lambda p: (p.version, p.first))
            for family in ties.sets()
        ]

    def newest(self, family: list[_Posting]) -> list[_Posting]:
        """The postings of the newest version; its gaps filled from the one before where that is sure."""
        version = family[-1].version
        chosen = self.resent([posting for posting in family if posting.version == version])
        older = [posting for posting in family if posting.version < version]
        if older and len(chosen) == 1 and chosen[0].missing and not self.partial:
            chosen, older = self.rerolled(chosen[0], older)
        for posting in older:
            for letter in posting.letters.values():
                self.fates[letter.index] = Fate.OLDER, f"version {posting.version} of {version}"
            self.notes.append(
                f"version {posting.version} of {posting.total} patches left aside for version {version}"
            )
        return chosen

    def rerolled(
        self, newest: _Posting, older: list[_Posting]
    ) -> tuple[list[_Posting], list[_Posting]]:
        """The newest whole version with every later part of it put in, and what is left aside."""
        at = next((n for n in reversed(range(len(older))) if not older[n].missing), None)
        if at is None:
            return [newest], older
        base = older[at]
        for part in (*older[at + 1 :], newest):
            if not self.rerolls(part, base):
                self.faults.append(
                    f"version {part.version} is incomplete ({listed(part.missing)} of {part.total}"
                    f" missing) and version {older[at].version} is complete: it is not clear which one"
                    " is meant"
                )
                return [newest], older
            base = self.put_together(base, part)
        return [base], older[:at]

    def resent(self, postings: list[_Posting]) -> list[_Posting]:
        """Without postings that were sent again as a whole, under the same version."""
        kept: list[_Posting] = []
        for posting in reversed(self.with_single_resends(postings)):
            again = next((x for x in kept if posting.titles <= x.titles and not x.missing), None)
            if again is None:
                kept.append(posting)
                continue
            for letter in posting.letters.values():
                self.fates[letter.index] = Fate.REPEATED, "sent again under the same version"
            self.notes.append(
                f"{len(posting.letters)} patches were sent again; the later are taken"
            )
        return kept[::-1]

    def with_single_resends(self, postings: list[_Posting]) -> list[_Posting]:
        """Some patches of a posting sent again outside of its thread go into it."""
        found: list[_Posting] = []
        for posting in postings:
            base = next((x for x in found if _same_places(posting, x)), None)
            if base is None or not posting.missing:
                found.append(posting)
                continue
            for number, letter in posting.letters.items():
                self.repeat(base.letters[number], letter)
                base.letters[number] = letter
        return found

    def rerolls(self, newer: _Posting, base: _Posting) -> bool:
        """Whether each patch of ``newer`` says which one of ``base`` it replaces."""
        if newer.total != base.total:
            return False
        for number, letter in newer.letters.items():
            old = base.letters[number]
            if letter.title != old.title and old.message_id not in letter.references:
                return False
        return True

    def put_together(self, base: _Posting, newer: _Posting) -> _Posting:
        for number in newer.letters:
            old = base.letters[number]
            self.fates[old.index] = Fate.OLDER, f"replaced by {newer.letters[number].name}"
        self.notes.append(
            f"version {newer.version} has patches {listed(sorted(newer.letters))} of {base.total};"
            f" the others are those of version {base.version}"
        )
        return _Posting(
            newer.version, base.total, {**base.letters, **newer.letters}, newer.cover or base.cover
        )

    # -- patches without a number

    def loose(
        self, letters: Sequence[Letter], series: list[_Posting], postings: Sequence[_Posting]
    ) -> list[Letter]:
        """The newest of each patch that is not counted; one that rerolls a counted patch replaces it."""
        counted = {x.title: x for posting in postings for x in posting.letters.values()}
        places = {x.index: (p, number) for p in series for number, x in p.letters.items()}
        kept: dict[tuple[bytes, bytes], list[Letter]] = {}
        by_id: dict[str, Letter] = {}
        for letter in sorted(letters, key=lambda x: (x.tags.version, x.sent, x.index)):
            twin = counted.get(letter.title)
            if twin is not None and twin.tags.version != letter.tags.version:
                self.reroll(letter, twin, places)
                continue
            answered = by_id.get(letter.references[0]) if letter.references else None
            older = [x for x in kept.get(letter.title, ()) if self.replaces(letter, x)]
            if answered is not None and answered not in older and self.replaces(letter, answered):
                older.append(answered)
            for old in older:
                kept[old.title].remove(old)
                by_id.pop(old.message_id or "", None)
                why = "newer version" if old.tags.version < letter.tags.version else "resend"
                self.fates[old.index] = Fate.OLDER, f"{letter.name} is a {why} of it"
                self.notes.append(
                    f"{old.name} (version {old.tags.version}) left aside for {letter.name}"
                    f" (version {letter.tags.version})"
                )
            kept.setdefault(letter.title, []).append(letter)
            if letter.message_id:
                by_id[letter.message_id] = letter
        return sorted(itertools.chain(*kept.values()), key=lambda letter: letter.index)

    def replaces(self, new: Letter, old: Letter) -> bool:
        newer = new.tags.version > old.tags.version
        if new.title == old.title:
            return newer or new.tags.resend
        answers = bool(new.references) and new.references[0] == old.message_id
        return newer and answers and new.author == old.author

    def reroll(self, letter: Letter, twin: Letter, places: dict[int, tuple[_Posting, int]]) -> None:
        """``letter`` is another version of the counted patch ``twin``."""
        if letter.tags.version < twin.tags.version:
            self.fates[letter.index] = Fate.OLDER, f"{twin.name} is a newer version of it"
            return
        held = places.get(twin.index)
        if held is not None:
            posting, number = held
            posting.letters[number] = letter
            places[letter.index] = places.pop(twin.index)
            self.fates[twin.index] = Fate.OLDER, f"replaced by {letter.name}"
            self.notes.append(
                f"{twin.name} is replaced by {letter.name}, version {letter.tags.version} of"
                f" patch {number}"
            )
            return
        self.fates[letter.index] = Fate.OLDER, f"of a version that {twin.name} is not in"

    # -- the account

    def parts(
        self, series: Sequence[_Posting], loose: Sequence[Letter]
    ) -> tuple[list[Taken], dict[int, int]]:
        """Number the series of the mailbox in their order; uncounted patches between are one each run."""
        units: list[tuple[int, _Posting | Letter]] = [(x.first, x) for x in series]
        units += [(x.index, x) for x in loose]
        part, taken, covers = -1, list[Taken](), dict[int, int]()
        before: _Posting | Letter | None = None
        for _, unit in sorted(units, key=lambda one: one[0]):
            if isinstance(unit, _Posting) or not isinstance(before, Letter):
                part += 1
            before = unit
            if isinstance(unit, Letter):
                taken.append(Taken(unit.index, None, part))
                continue
            if unit.cover is not None:
                covers[part] = unit.cover.index
            for number, letter in unit.letters.items():
                if letter.digest is None:
                    self.faults.append(
                        f"{letter.name} is patch {number} of {unit.total} but has no diff"
                    )
                    self.fates[letter.index] = Fate.NO_PATCH, f"patch {number}, and empty"
                    continue
                numbering = Numbering(number, unit.total, unit.version)
                taken.append(Taken(letter.index, numbering, part))
        if len(series) > 1:
            names = "; then ".join(
                f"{len(x.letters)} patches from {self.letters[x.first].name}" for x in series
            )
            self.notes.append(f"it holds {len(series)} series, one put on after the other: {names}")
        return sorted(taken, key=lambda one: one.index), covers

    def account(
        self, taken: Sequence[Taken], covers: dict[int, int], series: Sequence[_Posting]
    ) -> None:
        """A fate for every mail that is no patch; a mail that claims to be one stops the run."""
        patches = {one.index for one in taken}
        answered = {x for one in taken for x in self.letters[one.index].references}
        given = {letter.title for letter in self.letters if letter.digest is not None}
        for letter in self.letters:
            if letter.index in patches or letter.index in self.fates:
                continue
            tags = letter.tags
            if letter.index in covers.values() or (tags.number == 0 and not tags.reply):
                self.fates[letter.index] = Fate.COVER, ""
            elif tags.reply:
                diff = " with a diff of its own" if letter.digest is not None else ""
                self.fates[letter.index] = Fate.REPLY, f"a reply{diff}"
            elif letter.digest is not None:
                self.fates[letter.index] = Fate.OLDER, "of a version that is not taken"
            elif letter.cover_like or letter.message_id in answered:
                self.fates[letter.index] = Fate.COVER, "a cover letter without a number"
            elif tags.patch and letter.title not in given:
                self.fates[letter.index] = Fate.NO_PATCH, "claims a patch"
                self.faults.append(f"{letter.name} is marked as a patch but has no diff")
            else:
                self.fates[letter.index] = Fate.NO_PATCH, "no diff in it"


def _one_posting(kind: Sequence[_Posting], *, threaded: bool) -> list[_Posting]:
    """All of ``kind`` as one, where no number is there twice; else nothing.

    Patches of several authors without a thread (`git format-patch --stdout`) are such a case.  Two
    threads are one posting only if together they are whole.
    """
    posting = _put_in_one(kind)
    if posting is None or (threaded and not posting.whole):
        return []
    return [posting]


def _one_after_the_other(kind: Sequence[_Posting]) -> list[_Posting]:
    """``kind`` cut where the numbers of the mailbox begin anew, if every part is whole; else nothing."""
    letters = [(x.index, number, x) for posting in kind for number, x in posting.letters.items()]
    found: list[_Posting] = []
    for _, number, letter in sorted(letters, key=lambda one: one[0]):
        if not found or len(found[-1].letters) == kind[0].total:
            found.append(_Posting(kind[0].version, kind[0].total, {}))
        if number in found[-1].letters:
            return []
        found[-1].letters[number] = letter
    return found if all(posting.whole for posting in found) else []


def _put_in_one(kind: Sequence[_Posting]) -> _Posting | None:
    """All of ``kind`` as one, where no number is there twice."""
    letters: dict[int, Letter] = {}
    for posting in kind:
        if not letters.keys().isdisjoint(posting.letters):
            return None
        letters.update(posting.letters)
    return _Posting(kind[0].version, kind[0].total, letters)


def _halves(kind: Sequence[_Posting]) -> list[_Posting]:
    """``kind`` with two that make one whole, or that are of the same author, put together."""
    found: list[_Posting] = []
    unfinished: list[_Posting] = []
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


def _same_places(some: _Posting, base: _Posting) -> bool:
    """Whether every patch of ``some`` stands in ``base`` under the same number and subject."""
    return some.total == base.total and all(
        number in base.letters and base.letters[number].title == letter.title
        for number, letter in some.letters.items()
    )


def _stem(message_id: str | None) -> str | None:
    if message_id is None:
        return None
    return next((found[1] for stem in _STEMS if (found := stem.match(message_id))), None)
