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

from msgspec import Struct, field

from series.model import Fate, Numbering
from series.reading.letters import Choice, Findings, Letter, Taken
from series.reading.postings import Posting, PostingReader, root_of
from series.reading.versions import Newest, families
from series.ties import Ties

# git send-email, git format-patch --thread and b4 number the mails of one sending.
_STEMS = (
    re.compile(r"<(\d{10,14}[.-]\d+)-\d{1,4}-"),
    re.compile(r"<(?:cover|[0-9a-f]{40})(\.\d{9,11}\.git\.[^>]+)>"),
    re.compile(r"<(\d{8}-[^>@]+-v\d+)-\d{1,4}-[0-9a-f]{8,}@"),
)


def choose(letters: Sequence[Letter], *, partial: bool = False) -> Choice:
    """Take the newest version of each series in ``letters``, and account for every other mail."""
    return _Sorter(letters, partial).run()


class _Sorter(Struct):
    letters: Sequence[Letter]
    partial: bool
    findings: Findings = field(default_factory=Findings)
    roots: dict[int, Hashable] = field(default_factory=dict)

    def run(self) -> Choice:
        self.drop_copies()
        self.find_bare_replies()
        self.tie_threads()
        candidates = self.candidates()
        postings = PostingReader(self.roots, self.findings).read(candidates)
        self.give_covers(postings)
        newest = Newest(self.findings, self.partial)
        series = [
            posting for family in families(postings, self.roots) for posting in newest.of(family)
        ]
        loose = self.loose([x for x in candidates if x.tags.numbering is None], series, postings)
        series.sort(key=lambda posting: posting.first)
        taken, covers = self.parts(series, loose)
        self.account(taken, covers, series)
        found = self.findings
        return Choice(tuple(taken), covers, found.fates, tuple(found.notes), tuple(found.faults))

    def here(self) -> list[Letter]:
        return [letter for letter in self.letters if letter.index not in self.findings.fates]

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
                self.findings.fates[letter.index] = Fate.REPEATED, f"the same mail as {first.name}"
            elif first.digest is None:
                self.findings.fates[first.index] = Fate.REPEATED, f"the same mail as {letter.name}"
                seen[letter.message_id] = letter

    def find_bare_replies(self) -> None:
        """A mail without a diff that answers the patch whose subject it has is a reply without its Re:."""
        patches = {x.message_id: x for x in self.here() if x.digest is not None}
        for letter in self.here():
            if letter.digest is not None or letter.tags.reply:
                continue
            answered = next((patches[x] for x in letter.references if x in patches), None)
            if answered is not None and answered.title[1] == letter.title[1]:
                self.findings.fates[letter.index] = Fate.REPLY, "a reply"

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

    def give_covers(self, postings: Sequence[Posting]) -> None:
        waiting: dict[tuple[int, int], dict[int, Posting]] = {}
        tied: dict[Hashable, list[Posting]] = {}
        for number, posting in enumerate(postings):
            kind = posting.version, posting.total
            waiting.setdefault(kind, {})[number] = posting
            if (root := root_of(posting, self.roots)) is not None:
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

    def loose(
        self, letters: Sequence[Letter], series: list[Posting], postings: Sequence[Posting]
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
                self.findings.fates[old.index] = Fate.OLDER, f"{letter.name} is a {why} of it"
                self.findings.notes.append(
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

    def reroll(self, letter: Letter, twin: Letter, places: dict[int, tuple[Posting, int]]) -> None:
        """``letter`` is another version of the counted patch ``twin``."""
        if letter.tags.version < twin.tags.version:
            self.findings.fates[letter.index] = Fate.OLDER, f"{twin.name} is a newer version of it"
            return
        held = places.get(twin.index)
        if held is not None:
            posting, number = held
            posting.letters[number] = letter
            places[letter.index] = places.pop(twin.index)
            self.findings.fates[twin.index] = Fate.OLDER, f"replaced by {letter.name}"
            self.findings.notes.append(
                f"{twin.name} is replaced by {letter.name}, version {letter.tags.version} of"
                f" patch {number}"
            )
            return
        self.findings.fates[letter.index] = Fate.OLDER, f"of a version that {twin.name} is not in"

    def parts(
        self, series: Sequence[Posting], loose: Sequence[Letter]
    ) -> tuple[list[Taken], dict[int, int]]:
        """Number the series of the mailbox in their order; uncounted patches between are one each run."""
        units: list[tuple[int, Posting | Letter]] = [(x.first, x) for x in series]
        units += [(x.index, x) for x in loose]
        part, taken, covers = -1, list[Taken](), dict[int, int]()
        before: Posting | Letter | None = None
        for _, unit in sorted(units, key=lambda one: one[0]):
            if isinstance(unit, Posting) or not isinstance(before, Letter):
                part += 1
            before = unit
            if isinstance(unit, Letter):
                taken.append(Taken(unit.index, None, part))
                continue
            if unit.cover is not None:
                covers[part] = unit.cover.index
            for number, letter in unit.letters.items():
                if letter.digest is None:
                    self.findings.faults.append(
                        f"{letter.name} is patch {number} of {unit.total} but has no diff"
                    )
                    self.findings.fates[letter.index] = Fate.NO_PATCH, f"patch {number}, and empty"
                    continue
                numbering = Numbering(number, unit.total, unit.version)
                taken.append(Taken(letter.index, numbering, part))
        if len(series) > 1:
            names = "; then ".join(
                f"{len(x.letters)} patches from {self.letters[x.first].name}" for x in series
            )
            self.findings.notes.append(
                f"it holds {len(series)} series, one put on after the other: {names}"
            )
        return sorted(taken, key=lambda one: one.index), covers

    def account(
        self, taken: Sequence[Taken], covers: dict[int, int], series: Sequence[Posting]
    ) -> None:
        """A fate for every mail that is no patch; a mail that claims to be one stops the run."""
        patches = {one.index for one in taken}
        answered = {x for one in taken for x in self.letters[one.index].references}
        given = {letter.title for letter in self.letters if letter.digest is not None}
        for letter in self.letters:
            if letter.index in patches or letter.index in self.findings.fates:
                continue
            tags = letter.tags
            if letter.index in covers.values() or (tags.number == 0 and not tags.reply):
                self.findings.fates[letter.index] = Fate.COVER, ""
            elif tags.reply:
                diff = " with a diff of its own" if letter.digest is not None else ""
                self.findings.fates[letter.index] = Fate.REPLY, f"a reply{diff}"
            elif letter.digest is not None:
                self.findings.fates[letter.index] = Fate.OLDER, "of a version that is not taken"
            elif letter.cover_like or letter.message_id in answered:
                self.findings.fates[letter.index] = Fate.COVER, "a cover letter without a number"
            elif tags.patch and letter.title not in given:
                self.findings.fates[letter.index] = Fate.NO_PATCH, "claims a patch"
                self.findings.faults.append(f"{letter.name} is marked as a patch but has no diff")
            else:
                self.findings.fates[letter.index] = Fate.NO_PATCH, "no diff in it"


def _stem(message_id: str | None) -> str | None:
    if message_id is None:
        return None
    return next((found[1] for stem in _STEMS if (found := stem.match(message_id))), None)
