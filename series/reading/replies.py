# SPDX-License-Identifier: GPL-2.0-or-later
"""Trailers that replies give: Reviewed-by, Acked-by and their like, as b4 collects them.

A trailer in a reply belongs to the patch that was answered; in a reply to the cover letter, to every
patch of that series.  One that another than its sender gives is named and not taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from series.model import Fate, Patch, shown
from series.reading.authors import parse_author
from series.reading.letters import Choice
from series.reading.mail_message import strip_space
from series.reading.pieces import Piece
from series.reading.trailers import parse_trailers

_GIVEN = re.compile(
    rb"^((?:Reviewed|Acked|Tested|Release-Acked|Reviewed-and-tested|Tested-and-reviewed|Reported"
    rb"|Reported-and-tested|Suggested|Co-developed|Signed-off)-by): *(\S[^\n]*@[^\n]*\S)[ \t\r]*$",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(slots=True)
class Given:
    """The trailers by the index of the patch's mail, and those not taken."""

    trailers: dict[int, list[bytes]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def added(self, patch: Patch, index: int) -> Patch:
        """``patch`` with those trailers that it lacks, behind its own."""
        have = {line.strip().lower() for line in patch.message.split(b"\n")}
        new = [line for line in self.trailers[index] if line.lower() not in have]
        if not new:
            return patch
        gap = b"" if parse_trailers(patch.message) else b"\n"
        message = strip_space(patch.message + gap + b"\n".join(new) + b"\n")
        return replace(patch, message=message, trailers=parse_trailers(message))

    def notes(self, taken: bool) -> list[str]:
        """What the user should know of them."""
        count = sum(map(len, self.trailers.values()))
        notes = list(self.refused) if taken else []
        if count and not taken:
            given = "1 trailer is" if count == 1 else f"{count} trailers are"
            notes.append(f"{given} given in replies; --trailers adds them")
        elif count:
            given = "1 trailer" if count == 1 else f"{count} trailers"
            notes.append(f"{given} from replies added")
        return notes


def thread_trailers(pieces: Sequence[Piece], choice: Choice) -> Given:
    """What the replies among ``pieces`` give to the patches that were chosen."""
    given = Given()
    targets: dict[str, list[int]] = {}
    for one in choice.taken:
        if own := pieces[one.index].info.message_id:
            targets[own] = [one.index]
    for part, index in choice.covers.items():
        if own := pieces[index].info.message_id:
            targets[own] = [one.index for one in choice.taken if one.part == part]
    for index, (fate, _) in sorted(choice.fates.items()):
        info = pieces[index].info
        if fate not in (Fate.REPLY, Fate.NO_PATCH) or not info.references:
            continue
        patches = next((targets[x] for x in info.references if x in targets), [])
        for match in _GIVEN.finditer(info.body):
            line = match[1] + b": " + match[2]
            if parse_author(match[2]).email.lower() != info.author.email.lower():
                given.refused.append(
                    f"{pieces[index].name}: '{shown(line)}' is not its sender's; not added"
                )
                continue
            for patch in patches:
                lines = given.trailers.setdefault(patch, [])
                if line not in lines:
                    lines.append(line)
    return given
