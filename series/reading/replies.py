# SPDX-License-Identifier: GPL-2.0-or-later
"""Trailers that replies give: Reviewed-by, Acked-by and their like, as b4 collects them.

A trailer in a reply belongs to the patch that was answered; in a reply to the cover letter, to every
patch of that series.  What was said of an older version holds for the newer one if that has the same
changes.  A trailer that another than its sender gives, and one for a patch that is not in the series,
is named and not taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from series.errors import SeriesError
from series.model import Fate, Patch, shown
from series.reading.authors import parse_author
from series.reading.diff import parse_diff
from series.reading.letters import Choice
from series.reading.mail_message import strip_space
from series.reading.patch_ids import fingerprint
from series.reading.pieces import Piece, holds_diff
from series.reading.trailers import parse_trailers

_GIVEN = re.compile(
    rb"^([A-Za-z][A-Za-z-]*-by):[ \t]*"
    rb"(\S[^\n@]*@[^\n]*\S|\S[^\n@]*\r?\n[ \t]*<[^\n@>]+@[^\n@>]+>)[ \t\r]*$",
    re.MULTILINE,
)
"""A long one may be broken before its address."""
_AGAINST = re.compile(rb"na(?:c?k)ed-by|nak-by|rejected-by", re.IGNORECASE)
_MAILTO = re.compile(rb"[ \t]*<mailto:[^>\s]*>[ \t]*")
"""What is left of a link where HTML was made text: ``A <a@b.c<mailto:a@b.c>>``."""


class Given(Struct):
    """The trailers by the index of the patch's mail, those not taken, and those that speak against it."""

    trailers: dict[int, list[bytes]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    against: list[str] = field(default_factory=list)

    def added(self, patch: Patch, index: int) -> Patch:
        """``patch`` with those trailers that it lacks, behind its own."""
        have = {line.strip().lower() for line in patch.message.split(b"\n")}
        new = [line for line in self.trailers[index] if line.lower() not in have]
        if not new:
            return patch
        gap = b"" if parse_trailers(patch.message) else b"\n"
        message = strip_space(patch.message + gap + b"\n".join(new) + b"\n")
        return replace(patch, message=message, trailers=parse_trailers(message))

    def refuse(self, piece: Piece, line: bytes, why: str) -> None:
        """Name a trailer that is not added."""
        self.refused.append(f"{piece.name}: '{shown(line)}' is {why}; not added")

    def notes(self, taken: bool) -> list[str]:
        """What the user should know of them."""
        count = sum(map(len, self.trailers.values()))
        notes = [*self.against, *(self.refused if taken else ())]
        if count and not taken:
            given = "1 trailer is" if count == 1 else f"{count} trailers are"
            notes.append(f"{given} given in replies; --trailers adds them")
        elif count:
            given = "1 trailer" if count == 1 else f"{count} trailers"
            notes.append(f"{given} from replies added")
        return notes


def thread_trailers(pieces: Sequence[Piece], choice: Choice) -> Given:
    """What the replies among ``pieces`` give to the patches that were chosen."""
    given, answered = Given(), _Answered(pieces, choice)
    for index, (fate, _) in sorted(choice.fates.items()):
        if fate not in (Fate.REPLY, Fate.NO_PATCH) or not pieces[index].info.references:
            continue
        patches: tuple[int, ...] | str | None = None
        for line, email in _lines(pieces[index].info.body):
            if email != pieces[index].info.author.email.lower():
                given.refuse(pieces[index], line, "not its sender's")
                continue
            patches = answered.by(index) if patches is None else patches
            if _AGAINST.match(line):
                given.against.append(f"{pieces[index].name} is against it: '{shown(line)}'")
                continue
            if isinstance(patches, str):
                given.refuse(pieces[index], line, patches)
                continue
            for patch in patches:
                lines = given.trailers.setdefault(patch, [])
                if line not in lines:
                    lines.append(line)
    return given


def _lines(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The trailers of a reply's text, and the address in each."""
    for match in _GIVEN.finditer(body):
        who = b" ".join(_MAILTO.sub(b"", match[2]).split())
        yield match[1] + b": " + who, parse_author(who).email.lower()


class _Answered:
    """Which of the chosen patches a reply is about."""

    def __init__(self, pieces: Sequence[Piece], choice: Choice) -> None:
        self._pieces = pieces
        self._choice = choice
        self._places = {one.index: place for place, one in enumerate(choice.taken)}
        self._parts = {index: part for part, index in choice.covers.items()}
        self._by_id = {
            own: index
            for index, piece in enumerate(pieces)
            if (own := piece.info.message_id) and self._is_posted(index)
        }
        self._same: dict[str, int] | None = None

    def by(self, index: int) -> tuple[int, ...] | str:
        """The mails of the patches that the reply ``index`` speaks of; or why there is none."""
        # The nearest comes first; what lies between is a reply as well.
        references = self._pieces[index].info.references
        target = next((self._by_id[x] for x in references if x in self._by_id), None)
        if target is None:
            return ()
        if target in self._places:
            return (target,)
        if (part := self._parts.get(target)) is not None:
            return self._of_part(index, part)
        if not holds_diff(self._pieces[target].info.diff):
            return "for a cover letter of an older version"
        same = self._newer().get(self._changes(target))
        return (same,) if same is not None else "for an older version, which was changed since"

    def _is_posted(self, index: int) -> bool:
        """Whether a mail is a patch or a cover letter, of whatever version."""
        if index in self._places or index in self._parts:
            return True
        return self._choice.fates[index][0] in (Fate.OLDER, Fate.REPEATED, Fate.COVER)

    def _of_part(self, index: int, part: int) -> tuple[int, ...] | str:
        """All patches of a series; of a reply whose subject counts one of them, that one."""
        tags, clean = self._pieces[index].tags, self._pieces[index].info.clean
        all_of = tuple(one.index for one in self._choice.taken if one.part == part)
        if not tags.number:
            return all_of
        named = tuple(
            one
            for one in all_of
            if self._pieces[one].tags.numbering == tags.numbering
            and self._pieces[one].info.clean == clean
        )
        return named or "for a patch that is not here"

    def _newer(self) -> dict[str, int]:
        if self._same is None:
            self._same = {self._changes(index): index for index in self._places}
        return self._same

    def _changes(self, index: int) -> str:
        """What the diff of a mail does, wherever in its files; a name of its own if it cannot be read."""
        try:
            return fingerprint(parse_diff(self._pieces[index].info.diff, self._pieces[index].name))
        except SeriesError:
            return f"mail {index}"
