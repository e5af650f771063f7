# SPDX-License-Identifier: GPL-2.0-or-later
"""The mails of a mailbox as they are sorted, and what became of each."""

from __future__ import annotations

from msgspec import Struct, field
from msgspec.structs import force_setattr

from series.model import Fate, Numbering
from series.reading.subject import Tags


class Letter(Struct, frozen=True):
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
    title: tuple[bytes, bytes] = (b"", b"")
    """Author and subject (with the branch that it is for), by which versions of one patch know each
    other."""

    def __post_init__(self) -> None:
        # Case, blanks and a full stop at the end change between versions; other letters do not.
        words = b" ".join(self.subject.lower().split()).rstrip(b" .")
        title = self.author, words + self.tags.branch
        force_setattr(self, "title", title)


class Taken(Struct, frozen=True):
    """A mail that is a patch of the series: its place, and which of the mailbox's series it is in."""

    index: int
    numbering: Numbering | None
    part: int


class Choice(Struct, frozen=True):
    """What became of every mail.

    ``taken`` in the order of the mailbox, ``covers`` by part; ``fates`` of all other mails by index,
    each with a phrase; ``faults`` are what nothing but `partial` may go on from.
    """

    taken: tuple[Taken, ...]
    covers: dict[int, int]
    fates: dict[int, tuple[Fate, str]]
    notes: tuple[str, ...]
    faults: tuple[str, ...]


class Findings(Struct):
    """What is known so far of mails that are no patch, in the words of `Choice`."""

    fates: dict[int, tuple[Fate, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def repeat(self, old: Letter, new: Letter) -> None:
        """``new`` was sent in the place of ``old``."""
        self.fates[old.index] = Fate.REPEATED, f"sent again as {new.name}"
        if old.digest is not None and old.digest != new.digest:
            self.notes.append(
                f"{old.name} was sent again as {new.name}, with another diff; the later one is taken"
            )
