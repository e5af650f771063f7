# SPDX-License-Identifier: GPL-2.0-or-later
"""Postings that are versions of one series, and the newest of them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from msgspec import Struct

from series.model import Fate
from series.numbering import listed
from series.reading.letters import Findings
from series.reading.postings import Posting, root_of
from series.ties import Ties


def families(postings: Sequence[Posting], roots: Mapping[int, Hashable]) -> list[list[Posting]]:
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
        if (root := root_of(posting, roots)) is not None:
            for author in posting.authors:
                threads.setdefault((root, author), []).append(number)
    for members in threads.values():
        if len({postings[number].version for number in members}) > 1:
            ties.tie(*members)
    return [
        sorted((postings[x] for x in family), key=lambda p: (p.version, p.first))
        for family in ties.sets()
    ]


class Newest(Struct, frozen=True):
    """Chooses the newest version of a family; with ``partial`` its gaps are left open."""

    findings: Findings
    partial: bool

    def of(self, family: list[Posting]) -> list[Posting]:
        """The postings of the newest version; its gaps filled from the one before where that is sure."""
        version = family[-1].version
        chosen = self._resent([posting for posting in family if posting.version == version])
        older = [posting for posting in family if posting.version < version]
        if older and len(chosen) == 1 and chosen[0].missing and not self.partial:
            chosen, older = self._rerolled(chosen[0], older)
        for posting in older:
            for letter in posting.letters.values():
                self.findings.fates[letter.index] = (
                    Fate.OLDER,
                    f"version {posting.version} of {version}",
                )
            self.findings.notes.append(
                f"version {posting.version} of {posting.total} patches left aside for version {version}"
            )
        return chosen

    def _rerolled(
        self, newest: Posting, older: list[Posting]
    ) -> tuple[list[Posting], list[Posting]]:
        """The newest whole version with every later part of it put in, and what is left aside."""
        at = next((n for n in reversed(range(len(older))) if not older[n].missing), None)
        if at is None:
            return [newest], older
        base = older[at]
        for part in (*older[at + 1 :], newest):
            if not self._rerolls(part, base):
                self.findings.faults.append(
                    f"version {part.version} is incomplete ({listed(part.missing)} of {part.total}"
                    f" missing) and version {older[at].version} is complete: it is not clear which one"
                    " is meant"
                )
                return [newest], older
            base = self._put_together(base, part)
        return [base], older[:at]

    def _resent(self, postings: list[Posting]) -> list[Posting]:
        """Without postings that were sent again as a whole, under the same version."""
        kept: list[Posting] = []
        for posting in reversed(self._with_single_resends(postings)):
            again = next((x for x in kept if posting.titles <= x.titles and not x.missing), None)
            if again is None:
                kept.append(posting)
                continue
            for letter in posting.letters.values():
                self.findings.fates[letter.index] = (
                    Fate.REPEATED,
                    "sent again under the same version",
                )
            self.findings.notes.append(
                f"{len(posting.letters)} patches were sent again; the later are taken"
            )
        return kept[::-1]

    def _with_single_resends(self, postings: list[Posting]) -> list[Posting]:
        """Some patches of a posting sent again outside of its thread go into it."""
        found: list[Posting] = []
        for posting in postings:
            base = next((x for x in found if _same_places(posting, x)), None)
            if base is None or not posting.missing:
                found.append(posting)
                continue
            for number, letter in posting.letters.items():
                self.findings.repeat(base.letters[number], letter)
                base.letters[number] = letter
        return found

    def _rerolls(self, newer: Posting, base: Posting) -> bool:
        """Whether each patch of ``newer`` says which one of ``base`` it replaces."""
        if newer.total != base.total:
            return False
        for number, letter in newer.letters.items():
            old = base.letters[number]
            if letter.title != old.title and old.message_id not in letter.references:
                return False
        return True

    def _put_together(self, base: Posting, newer: Posting) -> Posting:
        for number in newer.letters:
            old = base.letters[number]
            self.findings.fates[old.index] = Fate.OLDER, f"replaced by {newer.letters[number].name}"
        self.findings.notes.append(
            f"version {newer.version} has patches {listed(sorted(newer.letters))} of {base.total};"
            f" the others are those of version {base.version}"
        )
        return Posting(
            newer.version, base.total, {**base.letters, **newer.letters}, newer.cover or base.cover
        )


def _same_places(some: Posting, base: Posting) -> bool:
    """Whether every patch of ``some`` stands in ``base`` under the same number and subject."""
    return some.total == base.total and all(
        number in base.letters and base.letters[number].title == letter.title
        for number, letter in some.letters.items()
    )
