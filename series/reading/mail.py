# SPDX-License-Identifier: GPL-2.0-or-later
"""Texts in, a ``Series`` out: a mailbox with a whole thread in it, or a folder of patch files.

A file is cut into its mails or commits in pieces.py and each is read there; which of several versions
of a series is taken is decided in thread.py.  Here they are put together, and an account is given of
every one of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from msgspec.structs import replace

from series.errors import SeriesError
from series.model import Account, Cover, Fate, Identity, Oid, Patch, Series, shown
from series.reading.diff import Diff, read_diff
from series.reading.diff_lines import DiffError
from series.reading.letters import Choice, Letter, Taken
from series.reading.pieces import Piece, holds_diff, read_pieces
from series.reading.rules import DEFAULT, Rules
from series.reading.thread import choose
from series.reading.trailers import parse_trailers

_BASE = re.compile(rb"^base-commit: ([0-9a-f]{7,64})\s*$", re.MULTILINE)
_PREREQUISITE = re.compile(rb"^prerequisite-patch-id: ([0-9a-f]{40,64})\s*$", re.MULTILINE)
_DEPENDS = re.compile(
    rb"^(Depends-on|prerequisite-message-id): *(\S[^\n]*)$", re.MULTILINE | re.IGNORECASE
)
_COVER_LIKE = re.compile(
    rb"\*\*\* (?:SUBJECT|BLURB) HERE \*\*\*|^ \d+ files? changed,|^[^\n]+ \(\d+\):\n  \S",
    re.MULTILINE,
)
_UNSAFE = re.compile(rb"[<>\n]")
_CONTEXT_ROW = b"\n***************"
_PATCH_NAME = re.compile(r"\.(?:patch|diff|eml|mbox|mbx|dpatch)(?:\.[a-z0-9]+)?$", re.IGNORECASE)
_ANOTHER = re.compile(
    rb"(?:From|Subject|Author|Description|# User|# HG changeset patch):? ?|commit [0-9a-f]{7,64}\b",
    re.IGNORECASE,
)
_NUMBERED_NAME = re.compile(r"(?:v\d{1,3}-)?(\d{1,12})(?!\d)")


class MailError(SeriesError):
    """A source of mails that holds no patch, or not all of them: where, what is wrong, what to do."""

    def __init__(self, origin: str, what: str, advice: str) -> None:
        self.origin, self.what, self.advice = origin, what, advice
        super().__init__(f"{origin}: {what}; {advice}")


def read_mbox(data: bytes, origin: str, rules: Rules = DEFAULT) -> Series:
    """Read a mailbox, or a single mail.  Raises MailError, FileError, DiffError."""
    name = origin.rsplit("/", 1)[-1]
    return _series(read_pieces(name, data, rules, lines=True), origin, rules, folder=False)


def read_patch_files(
    files: Sequence[tuple[str, bytes]], origin: str, rules: Rules = DEFAULT
) -> Series:
    """Read a folder of patches: pairs of name and content, in the order of their names.

    A file that holds neither a diff nor a mail is accounted for and left aside.
    """
    pieces: list[Piece] = []
    strangers: list[Account] = []
    for name, data in files:
        found = read_pieces(name, data, rules)
        if not any(piece.mail or holds_diff(piece.info.diff) for piece in found):
            if data.strip() and _PATCH_NAME.search(name) and not rules.partial:
                raise MailError(
                    name,
                    "is named as a patch, and no diff that can be read is in it",
                    "mend or remove it, or --partial leaves it out",
                )
            strangers.append(Account(name, b"", Fate.NO_PATCH, "neither a diff nor a mail"))
        else:
            pieces += found
    series = _series(pieces, origin, rules, folder=True)
    if not strangers:
        return series
    names = ", ".join(account.name for account in strangers[:8])
    more = f" and {len(strangers) - 8} more" if len(strangers) > 8 else ""
    note = f"no patch, left aside: {names}{more}"
    return replace(series, accounts=(*series.accounts, *strangers), notes=(*series.notes, note))


def patch_of(piece: Piece, position: int, rules: Rules, strip: int = 1) -> Patch:
    """The patch in ``piece``; without author or subject where it names none."""
    info = piece.info
    if info.diff_line is None:
        where, first = f"{piece.name} (decoded diff)", 1
    else:
        # 1 is the piece's own first line.
        where, first = piece.where, piece.first_line + info.diff_line - 1
    diff = info.diff
    if _CONTEXT_ROW in diff:
        # Loaded where it is needed, as the next: reading is what every run begins with.
        from series.reading.context_diff import as_unified

        diff = as_unified(diff, where, first)
    found = read_diff(
        diff,
        where,
        strip=strip if rules.strip is None else rules.strip,
        first_line=first,
        partial=rules.partial,
    )
    if found.unprefixed is not None and rules.strip is None:
        # A new file would land in another folder, and one that is deleted would count as gone already.
        raise DiffError(
            where,
            found.unprefixed,
            "the names have no a/ and b/ (as with diff.noprefix); -p 0 takes them as they are, -p 1"
            " strips the first folder (or set backport.strip)",
        )
    if found.words and not rules.partial:
        _refuse_another_patch(found, where)
    from series.reading.foreign import find_foreign

    foreign = find_foreign(info.diff)
    for one in foreign:
        if one.lost and not rules.partial:
            raise DiffError(where, first + one.line - 1, f"{one.what}, or --partial leaves it out")
    lost = (
        *(f"line {line}: the diff of '{shown(path)}' has no hunk" for line, path in found.lost),
        *(f"line {first + one.line - 1}: {one.what}" for one in foreign if one.lost),
    )
    return Patch(
        name=piece.name,
        author=info.author,
        date=info.date,
        message=info.message,
        changes=found.changes,
        commit=Oid(piece.commit) if piece.commit else None,
        numbering=piece.tags.numbering,
        message_id=info.message_id,
        in_reply_to=info.references,
        trailers=parse_trailers(info.message),
        position=position,
        file=piece.where,
        notes=(
            *info.notes,
            *_words_note(found),
            *_lost_notes(found),
            *(one.what for one in foreign),
        ),
        lost=lost,
    )


def _refuse_another_patch(found: Diff, where: str) -> None:
    """Stop where the words between two diffs name another author or subject: then it is another patch."""
    for line, text in found.words:
        if _ANOTHER.match(text):
            raise DiffError(
                where,
                line,
                f"'{shown(text.strip()[:60])}' between two diffs: another patch begins here without a"
                " separator; cut the file there, or --partial takes all as one patch",
            )


def _words_note(found: Diff) -> tuple[str, ...]:
    if not found.words:
        return ()
    line, text = found.words[0]
    count = len(found.words)
    lines = "1 line" if count == 1 else f"{count} lines"
    return (
        f"{lines} of words between its diffs left aside, from line {line}: '{shown(text.strip()[:60])}'",
    )


def _lost_notes(found: Diff) -> tuple[str, ...]:
    return tuple(f"{shown(path)}: its diff has no hunk, left out" for _, path in found.lost)


def signed(patch: Patch, rules: Rules, subject: bytes = b"") -> Patch:
    """The patch with the author of the rules where it has none of its own, and with ``subject``, by
    default its file's name, where it has no subject.  A patch is never made up an author for.
    """
    if b"\0" in patch.message + patch.author.name + patch.author.email:
        raise MailError(
            patch.name, "its message holds a NUL byte, which no commit can", "write it without"
        )
    if not patch.subject.strip():
        made = subject or _name_subject(patch.file)
        message = (
            made + b"\n" + (b"\n" + patch.message.lstrip(b"\n") if patch.message.strip() else b"")
        )
        patch = replace(patch, message=message)
    # These end an identity in a commit; git's ident.c drops them, too.
    author = Identity(*(_UNSAFE.sub(b"", part) for part in (patch.author.name, patch.author.email)))
    if author != patch.author:
        patch = replace(patch, author=author)
    if not patch.author.name and not patch.author.email:
        if rules.author is None:
            raise MailError(
                patch.name,
                "names no author",
                "--author 'NAME <ADDRESS>' (or git config backport.author) signs such patches",
            )
        patch = replace(patch, author=rules.author)
    return patch


def _name_subject(file: str) -> bytes:
    return re.sub(r"(?i)(?:\.(?:patch|diff|txt|eml|gz|xz|bz2))+$", "", file).encode() or b"patch"


def _series(pieces: Sequence[Piece], origin: str, rules: Rules, *, folder: bool) -> Series:
    letters = [_letter(index, piece) for index, piece in enumerate(pieces)]
    choice = choose(letters, partial=rules.partial)
    _refuse_faults(pieces, letters, choice, origin, rules)
    if not choice.taken:
        what = (
            f"{len(pieces)} mail{'s' * (len(pieces) > 1)}, but none holds a patch"
            if pieces
            else "it is empty"
        )
        raise MailError(origin, what, "give a mailbox, a folder of patches or a git range")
    numbers = _listed([pieces[one.index] for one in choice.taken]) if folder else {}
    from series.reading.replies import thread_trailers

    given = thread_trailers(pieces, choice)
    notes = list(choice.notes)
    patches: list[Patch] = []
    for place, one in enumerate(choice.taken):
        piece = pieces[one.index]
        patch = replace(
            patch_of(piece, place, rules),
            numbering=one.numbering,
            part=one.part,
            listed=numbers.get(piece.where),
        )
        if one.index in given.trailers and rules.trailers:
            patch = given.added(patch, one.index)
        patches.append(signed(patch, rules))
    notes += [f"{patch.name}: {note}" for patch in patches for note in patch.notes]
    notes += given.notes(rules.trailers)
    if left := _left_aside(pieces, choice):
        notes.append(left)
    covers = [pieces[choice.covers[part]] for part in sorted(choice.covers)]
    base, prerequisites, depends = _declared(
        [*(pieces[one.index] for one in choice.taken), *covers]
    )
    cover = covers[0] if covers else None
    return Series(
        patches=tuple(patches),
        origin=origin,
        cover=None
        if cover is None
        else Cover(cover.info.clean, cover.info.body, cover.tags.numbering, cover.info.message_id),
        base_commit=base,
        prerequisites=prerequisites,
        depends=depends,
        notes=tuple(notes),
        accounts=_accounts(pieces, choice),
    )


def _letter(index: int, piece: Piece) -> Letter:
    info = piece.info
    return Letter(
        index=index,
        name=piece.name,
        subject=info.clean,
        tags=piece.tags,
        author=(info.author.email or info.author.name).lower(),
        digest=hashlib.sha256(info.diff).digest() if holds_diff(info.diff) else None,
        message_id=info.message_id,
        references=info.references,
        cover_like=_COVER_LIKE.search(info.body) is not None or (b"\n*** BLURB" in info.diff),
        sent=info.date.seconds if info.date else 0,
    )


def _refuse_faults(
    pieces: Sequence[Piece], letters: Sequence[Letter], choice: Choice, origin: str, rules: Rules
) -> None:
    """Stop on what could not be read and may be a patch; `partial` goes on without it."""
    if rules.partial:
        return
    kept = {one.index for one in choice.taken}
    for letter in letters:
        faults = pieces[letter.index].info.faults
        fate = choice.fates.get(letter.index, (Fate.PATCH, ""))[0]
        if faults and (letter.index in kept or fate is Fate.NO_PATCH):
            raise MailError(
                letter.name,
                "; ".join(faults),
                "save the mail again, or --partial goes on without it",
            )
    if choice.faults:
        raise MailError(
            origin, "; ".join(choice.faults[:4]), "--partial accepts an incomplete series"
        )


def _left_aside(pieces: Sequence[Piece], choice: Choice) -> str:
    """One line for the mails that are no patches; what each is stands in the account."""
    others = [
        index
        for index, (fate, _) in sorted(choice.fates.items())
        if fate in (Fate.REPLY, Fate.NO_PATCH)
    ]
    if not others:
        return ""
    names = ", ".join(pieces[index].name for index in others[:5])
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    mails = "1 mail" if len(others) == 1 else f"{len(others)} mails"
    return f"{mails} without a patch or in reply left aside: {names}{more}"


def _accounts(pieces: Sequence[Piece], choice: Choice) -> tuple[Account, ...]:
    taken: dict[int, Taken] = {one.index: one for one in choice.taken}
    found = []
    for index, piece in enumerate(pieces):
        fate, reason = (Fate.PATCH, "") if index in taken else choice.fates[index]
        found.append(Account(piece.name, piece.info.clean, fate, reason))
    return tuple(found)


def _declared(
    pieces: Sequence[Piece],
) -> tuple[Oid | None, tuple[Oid, ...], tuple[tuple[str, bytes], ...]]:
    """``base-commit:``, every ``prerequisite-patch-id:``, and what else the patches and their covers
    say that they need."""
    base: Oid | None = None
    depends: list[tuple[str, bytes]] = []
    prerequisites: list[Oid] = []
    for piece in pieces:
        text = piece.info.body + b"\n" + piece.info.diff
        if b"base-commit: " in text and (match := _BASE.search(text)):
            base = base or Oid(match[1].decode())
        if b"prerequisite-patch-id: " in text:
            prerequisites += [Oid(found.decode()) for found in _PREREQUISITE.findall(text)]
        depends += [(match[1].decode(), match[2].strip()) for match in _DEPENDS.finditer(text)]
    return base, tuple(dict.fromkeys(prerequisites)), tuple(dict.fromkeys(depends))


def _listed(pieces: Sequence[Piece]) -> dict[str, int]:
    """The numbers that the names of the files begin with; none unless all have one of their own."""
    found: dict[str, int] = {}
    for piece in pieces:
        match = _NUMBERED_NAME.match(piece.where)
        if match is None:
            return {}
        found[piece.where] = int(match[1])
    return found if len(set(found.values())) == len(found) else {}
