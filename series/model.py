# SPDX-License-Identifier: GPL-2.0-or-later
"""The values that everything else passes around: a series, its patches, their hunks.

Bytes stay bytes: a path, a message or a line of a diff has whatever encoding its author used, and
provenance demands that it comes out as it went in.  Decoding happens on the way to a screen.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Literal, NewType, Protocol

from msgspec import Struct

Oid = NewType("Oid", str)
"""A git object id in hex; possibly abbreviated where it was read from an ``index`` line."""

ChangeKind = Literal["modify", "create", "delete", "rename", "copy"]
LineOp = Literal[b" ", b"+", b"-"]


class HunkLine(Struct, frozen=True, gc=False):
    """One line of a hunk; ``text`` keeps its line end, absent only at an end of file without one.

    Not for the garbage collector: a long series has a million of them, which hold bytes alone.
    """

    op: LineOp
    text: bytes


class Hunk(Struct, frozen=True):
    """One ``@@`` block.  Starts are 1-based line numbers as git writes them (0 for an empty side)."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    section: bytes
    lines: tuple[HunkLine, ...]

    @property
    def before(self) -> tuple[bytes, ...]:
        """The lines that the pre-image must hold: context and removed."""
        return tuple(line.text for line in self.lines if line.op != b"+")

    @property
    def after(self) -> tuple[bytes, ...]:
        """The lines of the post-image: context and added."""
        return tuple(line.text for line in self.lines if line.op != b"-")


class Binary(Struct, frozen=True):
    """One side of a ``GIT binary patch``: inflated, either the whole content or a git delta."""

    kind: Literal["literal", "delta"]
    size: int
    data: bytes


class FileChange(Struct, frozen=True):
    """What one patch does to one path.  ``old_path`` is None for a creation, ``new_path`` for a deletion."""

    kind: ChangeKind
    old_path: bytes | None
    new_path: bytes | None
    old_mode: int | None = None
    new_mode: int | None = None
    old_blob: Oid | None = None
    new_blob: Oid | None = None
    similarity: int | None = None
    hunks: tuple[Hunk, ...] = ()
    forward: Binary | None = None
    reverse: Binary | None = None
    binary: bool = False
    """True for any binary change, also ``Binary files differ``, which carries no content to apply."""
    others: tuple[bytes, ...] = ()
    """Other names that the header gives the file: where ``path`` is not there and one of these is,
    that one is meant (see series/reading/names.py)."""

    @property
    def path(self) -> bytes:
        """The path by which to speak of the change: the new one, or the old one of a deletion."""
        path = self.new_path if self.new_path is not None else self.old_path
        assert path is not None
        return path


class Identity(Struct, frozen=True):
    """An author as git writes him in a commit: raw name and e-mail."""

    name: bytes
    email: bytes


class When(Struct, frozen=True):
    """A moment as a commit stores it: seconds since the epoch and the author's UTC offset in minutes."""

    seconds: int
    offset: int
    zone: bytes = b""
    """The offset as the commit spells it, where that is not ``+hhmm`` of its minutes: ``-0000``."""


class Numbering(Struct, frozen=True):
    """``[PATCH v2 03/27]``: ``number`` 3 of ``total`` 27 of ``version`` 2; 0 is the cover letter."""

    number: int
    total: int
    version: int = 1


class Trailer(Struct, frozen=True):
    """One ``Key: value`` of the last paragraph of a message, or a line with the same standing,
    such as ``(cherry picked from commit …)`` and Xen's ``master commit:`` (key as spelled there)."""

    key: str
    value: bytes


class Patch(Struct, frozen=True):
    """One commit to be: who, when, why, and the changes to each path."""

    name: str
    """Where it came from, fit for a message: ``0007-x86-foo.patch``, ``series.mbox:12``, a commit id."""
    author: Identity
    date: When | None
    message: bytes
    """The whole commit message, subject first, as ``git am`` would store it."""
    changes: tuple[FileChange, ...]
    encoding: bytes | None = None
    """The ``encoding`` header of the commit it was read from: the message's, where it is not UTF-8."""
    commit: Oid | None = None
    parent: Oid | None = None
    """Set when the patch was read from a repository: then its base tree is at hand."""
    numbering: Numbering | None = None
    message_id: str | None = None
    in_reply_to: tuple[str, ...] = ()
    """``In-Reply-To`` and ``References``, nearest first."""
    trailers: tuple[Trailer, ...] = ()
    position: int = 0
    """Its place in the source as it was given."""
    part: int = 0
    """Which of several series in one source it belongs to, counted in the order of the source."""
    file: str = ""
    """The name of the file it stood in, without folders; empty where it was no file."""
    listed: int | None = None
    """The number with which that file's name begins, where it stood in a folder of such files."""
    notes: tuple[str, ...] = ()
    """What the reader had to guess or mend in this patch."""
    lost: tuple[str, ...] = ()
    """What of it could not be read and was left out, where the user allows that: the line in the file, and
    what stands there."""

    @property
    def subject(self) -> bytes:
        """The first line of the message."""
        return self.message.split(b"\n", 1)[0]


class Cover(Struct, frozen=True):
    """The cover letter, for the report; nothing of it is applied."""

    subject: bytes
    body: bytes
    numbering: Numbering | None = None
    message_id: str | None = None


class Fate(StrEnum):
    """What became of one mail or file that a source holds."""

    PATCH = "patch"
    COVER = "cover letter"
    REPLY = "reply"
    OLDER = "older version"
    REPEATED = "sent again"
    GUARDED = "guard not set"
    MERGE = "merge commit"
    NO_PATCH = "no patch"


class Account(Struct, frozen=True):
    """One mail or file of a source, and what became of it; ``reason`` is a phrase for a person."""

    name: str
    subject: bytes
    fate: Fate
    reason: str = ""


class Series(Struct, frozen=True):
    """Patches in the order of their source, with what the source says of itself."""

    patches: tuple[Patch, ...]
    origin: str
    cover: Cover | None = None
    base_commit: Oid | None = None
    prerequisites: tuple[Oid, ...] = ()
    """``prerequisite-patch-id:`` lines, stable patch ids."""
    depends: tuple[tuple[str, bytes], ...] = ()
    """``Depends-on:`` and ``prerequisite-message-id:`` lines: key and value."""
    ordered: bool = False
    """The source itself fixes the order (a git range, a quilt series file)."""
    notes: tuple[str, ...] = ()
    """What the reader noticed and the user should know: replies ignored, older versions, gaps."""
    accounts: tuple[Account, ...] = ()
    """Every mail and file that the source holds; those with the fate PATCH are ``patches``, in order."""


class Base(Protocol):
    """The tree a series is to be applied to, as far as the text needs to know it."""

    def read(self, path: bytes) -> bytes | None:
        """Content of the blob at ``path``; None where there is none."""

    def oid(self, path: bytes) -> Oid | None:
        """Full id of the blob at ``path``; None where there is none."""

    def mode(self, path: bytes) -> int | None:
        """Git file mode at ``path``; None where there is none."""


# Controls, and the marks that turn the direction of writing: no terminal may obey a stranger's.
# Separators of lines, invisible tags, halves of characters and what no XML may hold go with them.
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff"
    "\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)


def shown(text: bytes) -> str:
    """Bytes for a screen, on one line: what a terminal would obey is escaped."""
    return escaped(text.decode("utf-8", "backslashreplace"))


def escaped(text: str) -> str:
    """Text of a stranger's for a screen, as `shown`."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
