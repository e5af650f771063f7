# SPDX-License-Identifier: GPL-2.0-or-later
"""The order that the authors state: numbers in subjects and file names, mail ids, dates."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence

from series.graph.evidence import Kind
from series.graph.resolution import Resolution
from series.model import Patch

# git send-email: <20180111174800.12345-7-author@host>, older ones <1515692880-12345-7-git-send-…>
_SENT = re.compile(r"<(\d{10,14}[.-]\d+)-(\d{1,4})-")


class Postings:
    """The patches of each posting in the order of their numbers, where no two have the same.

    Without a number in its subject a patch has the one that its file's name begins with.
    """

    def __init__(self, patches: Sequence[Patch]) -> None:
        found: dict[tuple[int, int, int], list[tuple[int, int]]] = {}
        for index, patch in enumerate(patches):
            if (said := patch.numbering) is not None:
                posting = (patch.part, said.version, said.total)
                found.setdefault(posting, []).append((said.number, index))
            elif patch.listed is not None:
                found.setdefault((patch.part, 0, 0), []).append((patch.listed, index))
        self.members = [
            [index for _, index in sorted(numbers)]
            for numbers in found.values()
            if len({number for number, _ in numbers}) == len(numbers)
        ]
        self.place = {
            index: (number, at)
            for number, members in enumerate(self.members)
            for at, index in enumerate(members)
        }
        self.whole = len(self.members) == 1 and len(self.members[0]) == len(patches)

    def against(self, before: int, after: int) -> bool:
        """Whether the numbers put ``after`` before ``before``."""
        one, two = self.place.get(before), self.place.get(after)
        return one is not None and two is not None and one[0] == two[0] and one[1] > two[1]

    def all_in_one(self, patches: Sequence[int]) -> bool:
        """Whether one posting numbers all of them."""
        return len({self.place.get(index, (-1 - index, 0))[0] for index in patches}) == 1

    def settled(self, resolved: Resolution) -> Callable[[int, int], bool]:
        """Whether the numbers order two patches, after what `resolve` found wrong with them."""
        circle = {
            index: number
            for number, one in enumerate(resolved.circles)
            if one.kind is Kind.NUMBERING
            for index in one.patches
        }
        wrong = resolved.misnumbered

        def is_settled(one: int, two: int) -> bool:
            if one not in self.place or two not in self.place:
                return False
            if self.place[one][0] != self.place[two][0]:
                return False
            apart = one not in circle or circle.get(one) != circle.get(two)
            return apart or (one not in wrong and two not in wrong)

        return is_settled


def ranks_of(patches: Sequence[Patch]) -> tuple[list[int], list[str], frozenset[int]]:
    """Each patch's place in the preferred order, the words for it, and for which their author said it."""
    sent: dict[str, int] = {}
    for patch in patches:
        if patch.message_id and (match := _SENT.match(patch.message_id)):
            sent[match[1]] = sent.get(match[1], 0) + 1

    def key(index: int) -> tuple[int, int, str, int, int]:
        patch = patches[index]
        date = patch.date.seconds if patch.date else 0
        if patch.numbering is not None:
            return (patch.part, 0, "", patch.numbering.number, date)
        if patch.listed is not None:
            return (patch.part, 1, "", patch.listed, date)
        if patch.message_id and (match := _SENT.match(patch.message_id)) and sent[match[1]] > 1:
            return (patch.part, 2, match[1], int(match[2]), date)
        return (patch.part, 3, "", date, 0)

    keys = [key(index) for index in range(len(patches))]
    times = Counter(keys)
    # The content is the last to decide, and costs the most.
    ranked = sorted(
        range(len(patches)),
        key=lambda at: (keys[at], _digest(patches[at]) if times[keys[at]] > 1 else b""),
    )
    ranks = [0] * len(patches)
    for place, index in enumerate(ranked):
        ranks[index] = place
    words = []
    for patch, (_, kind, _, number, _) in zip(patches, keys, strict=True):
        if patch.numbering is not None:
            words.append(f"posted as {patch.numbering.number} of {patch.numbering.total}")
        elif kind == 1:
            words.append(f"its file is {patch.file}")
        elif kind == 2:
            words.append(f"sent as mail {number} of its series")
        elif patch.date is not None:
            words.append("by its date, as far as the rest leaves it open")
        else:
            words.append("by its content, as far as the rest leaves it open: nothing dates it")
    known = frozenset(
        index
        for index, (patch, at) in enumerate(zip(patches, keys, strict=True))
        if at[1] < 3 or (patch.date is not None and times[at] == 1)
    )
    return ranks, words, known


def _digest(patch: Patch) -> bytes:
    """The same for the same message and the same changes."""
    digest = hashlib.sha256(patch.message)
    for change in patch.changes:
        digest.update(change.path)
        for hunk in change.hunks:
            digest.update(b"".join(line.op + line.text for line in hunk.lines))
    return digest.digest()


def paired(patches: Sequence[Patch]) -> frozenset[int]:
    """Patches that are numbered, and reverts with what they revert: of others the date of writing says
    less than the base does."""
    reverts = {patch.subject for patch in patches if patch.subject.startswith(b'Revert "')}
    return frozenset(
        index
        for index, patch in enumerate(patches)
        if patch.numbering is not None
        or patch.listed is not None
        or patch.subject in reverts
        or b'Revert "%s"' % patch.subject in reverts
    )
