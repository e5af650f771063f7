# SPDX-License-Identifier: GPL-2.0-or-later
"""Commits as mails, by `git format-patch`: numbering, base-commit, prerequisite-patch-id, range-diff.

What the user's own configuration would change in them is switched off: a series that somebody with
``diff.noprefix`` exports has to go on elsewhere.  Addresses in ``Cc:`` come only by word, since an
advisory is under embargo.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from email.header import Header
from email.utils import formataddr

from msgspec import Struct

from backport.gateway.plain_answers import MAIL_OPTIONS, PLAIN_MAILS
from backport.gateway.repository import Repo
from backport.store.files import temporary_folder
from series.model import Oid, Patch

_SUBJECT, _BLURB = b"*** SUBJECT HERE ***", b"*** BLURB HERE ***"
"""What git leaves to be written in a cover letter."""
_KEYS = re.compile(
    rb"(cc|signed-off-by|[a-z-]*-?(reviewed|acked|tested|reported|suggested)-by)", re.I
)
_PERSON = re.compile(rb"\s*\"?([^<>\"]*?)\"?\s*<([!-;=?-~]+@[!-;=?-~]+)>.*")


class Cover(Struct, frozen=True):
    """Subject and text of a cover letter."""

    subject: str
    text: str


class Shape(Struct, frozen=True):
    """How the mails are to look."""

    prefix: str = "PATCH"
    reroll: int | None = None
    base: Oid | None = None
    """For ``base-commit:``; what lies between it and the first patch is named as a prerequisite."""
    before: str | None = None
    """The range, or the end of one, that a range-diff compares with."""
    cover: Cover | None = None
    cc: bool = False
    renames: bool = True
    """Whether a rename is shown as one; patch(1) wants the whole text."""


def write_mails(
    repo: Repo, since: Oid, tip: Oid, patches: Sequence[Patch], shape: Shape
) -> tuple[tuple[str, bytes], ...]:
    """Each mail with a name for its file, the cover letter first.  Raises `GitFailed`."""
    repo.objects.store()
    words = [*MAIL_OPTIONS, f"--subject-prefix={shape.prefix}"]
    words += ["--numbered"] if len(patches) > 1 or shape.cover else ["--no-numbered"]
    words += [f"--reroll-count={shape.reroll}"] if shape.reroll else []
    words += [f"--base={shape.base}"] if shape.base else []
    words += [f"--range-diff={shape.before}"] if shape.before else []
    words += ["--cover-letter"] if shape.cover else ["--no-cover-letter"]
    words += ["-M"] if shape.renames else ["--no-renames"]
    with temporary_folder() as folder:
        repo.git(*PLAIN_MAILS, "format-patch", "-q", "-o", str(folder), *words, f"{since}..{tip}")
        found = [(_plain(file.name), file.read_bytes()) for file in sorted(folder.iterdir())]
    start = 0
    people: dict[str, None] = {}
    if shape.cover is not None:
        start = 1
        found[0] = (found[0][0], _covered(found[0][1], shape.cover))
    if shape.cc:
        for number, patch in enumerate(patches, start):
            name, mail = found[number]
            listed = addresses(patch)
            people.update(dict.fromkeys(listed))
            found[number] = (name, with_cc(mail, listed))
        if start:
            found[0] = (found[0][0], with_cc(found[0][1], tuple(people)))
    return tuple(found)


def _plain(name: str) -> str:
    """A file's name that a series file can hold: git leaves bytes in it that it could not recode."""
    return re.sub(r"[^!-~]+", "-", name)


def addresses(patch: Patch) -> tuple[str, ...]:
    """Whom the trailers of a patch, and its author, name; what is no address is left out."""
    values = [t.value for t in patch.trailers if _KEYS.fullmatch(t.key.encode())]
    author = patch.author.name + b" <" + patch.author.email + b">"
    found: dict[str, str] = {}
    for value in (author, *values):
        match = _PERSON.fullmatch(value)
        if match is not None:
            name = match[1].decode("utf-8", "replace")
            address = match[2].decode()
            found.setdefault(address.lower(), formataddr((_one_line(name), address), "utf-8"))
    return tuple(found.values())


def _one_line(text: str) -> str:
    return " ".join(text.split())


def with_cc(mail: bytes, people: Iterable[str]) -> bytes:
    """A mail with those people in a header, each on a line of its own."""
    listed = list(people)
    if not listed:
        return mail
    head, blank, rest = mail.partition(b"\n\n")
    return head + b"\nCc: " + b",\n    ".join(p.encode() for p in listed) + blank + rest


def _covered(mail: bytes, cover: Cover) -> bytes:
    """The cover letter with its subject and text; declared as UTF-8 where it is not ASCII."""
    subject = Header(_one_line(cover.subject), "utf-8" if not cover.subject.isascii() else None)
    mail = mail.replace(_SUBJECT, subject.encode(linesep="\n").encode(), 1)
    mail = mail.replace(_BLURB, cover.text.rstrip("\n").encode("utf-8", "replace"), 1)
    head, blank, rest = mail.partition(b"\n\n")
    if not rest.isascii() and b"\nContent-Type:" not in head:
        head += (
            b"\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8"
            b"\nContent-Transfer-Encoding: 8bit"
        )
    return head + blank + rest.lstrip(b"\n")
