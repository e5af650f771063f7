# SPDX-License-Identifier: GPL-2.0-or-later
"""From what a compiler says to the names that it means, and to the steps that bring or use them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from backport.builds.compiler_errors import Diagnostic, diagnostics
from backport.errors import GitFailed
from backport.gateway.commits import commit_changes
from backport.gateway.repository import Repo
from backport.mend.inclusion import Headers
from backport.mend.lineup import Lineup
from backport.mend.pieces import Piece, pieces_of
from backport.verdicts import StepVerdict, Validator
from series.model import Oid, escaped, shown
from series.symbols.definitions import definitions

_MOST = 6
"""Steps that are tried as what repairs another, besides those that are known to bring what is lacking."""
_MOST_SURE = 2
"""Steps that bring it."""
_MOST_NAMES = 3
"""Names that are looked for on upstream."""
_NEAR = 2
"""Lines between an error and a change that concerns it."""


class Complaint(Struct, frozen=True):
    """What a step's build complains of."""

    errors: tuple[Diagnostic, ...]

    @property
    def names(self) -> frozenset[bytes]:
        """All the names in it; of a header also the last part of its path."""
        found = {name.encode() for error in self.errors for name in error.names}
        return frozenset(found | {name.rpartition(b"/")[2] for name in found})

    @property
    def lacking(self) -> frozenset[bytes]:
        """The names that nothing has introduced."""
        found = {name.encode() for error in self.errors if error.lacking for name in error.names}
        return frozenset(name.rpartition(b"/")[2] for name in found)

    @property
    def files(self) -> frozenset[bytes]:
        """The last parts of the paths that it names."""
        return frozenset(error.path.rpartition("/")[2].encode() for error in self.errors)

    @property
    def texts(self) -> frozenset[tuple[str, str]]:
        """Path and text of each error, without its line number."""
        return frozenset((error.path, error.text) for error in self.errors)


def complaint_of(verdict: StepVerdict) -> Complaint:
    """Of a step that does not build."""
    lines = [
        line for one in verdict.verdicts if one.validator is Validator.BUILD for line in one.lines
    ]
    return Complaint(diagnostics(lines))


class Suspects:
    """The steps of a lineup by what they bring; each change is read once."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self._pieces: dict[tuple[Oid, Oid], tuple[Piece, ...]] = {}
        self._made: dict[tuple[Oid, Oid], frozenset[bytes]] = {}
        self._headers = Headers(repo)

    def pieces(self, lineup: Lineup, at: int) -> tuple[Piece, ...]:
        """The parts of a step."""
        key = lineup.before(at), lineup.stages[at].tree
        if key not in self._pieces:
            self._pieces[key] = pieces_of(self.repo, *key)
        return self._pieces[key]

    def introduced(self, lineup: Lineup, at: int) -> frozenset[bytes]:
        """The names that a step defines."""
        key = lineup.before(at), lineup.stages[at].tree
        if key not in self._made:
            changes = commit_changes(self.repo, *key)
            made = {d.name.rpartition(b"/")[2] for change in changes for d in definitions(change)}
            self._made[key] = frozenset(made)
        return self._made[key]

    def who_brings(self, lineup: Lineup, name: bytes) -> int | None:
        """The first step that defines a name."""
        places = range(len(lineup.stages))
        return next((at for at in places if name in self.introduced(lineup, at)), None)

    def bringers(
        self, lineup: Lineup, at: int, complaint: Complaint
    ) -> dict[int, tuple[Piece, ...]]:
        """The later steps that bring a name which the one at ``at`` lacks, as their text shows without a
        build; for those that include a header of that tree which has it, the parts that do.

        Cost: each step's change is read once, and the headers of one tree.
        """
        later = range(at + 1, len(lineup.stages))
        defines = [k for k in later if complaint.names & self.introduced(lineup, k)]
        found: dict[int, tuple[Piece, ...]] = dict.fromkeys(defines[:_MOST_SURE], ())
        if not complaint.lacking or found:
            return found
        for k in later:
            chosen = tuple(
                piece
                for piece in headers(self.pieces(lineup, k), complaint)
                if self.header(lineup, at, piece, complaint)
            )
            if chosen:
                found[k] = chosen
            if len(found) == _MOST_SURE:
                break
        return found

    def header(self, lineup: Lineup, at: int, piece: Piece, complaint: Complaint) -> bytes:
        """The header that a part includes and by which the step gets a name that it lacks."""
        return self._headers.included(lineup.stages[at].tree, piece, complaint.lacking)

    def others(
        self, lineup: Lineup, at: int, complaint: Complaint, good: int | None
    ) -> tuple[int, ...]:
        """The later steps that may repair the one at ``at`` and are no `bringers`, the likeliest first: the
        first that builds, what touches a name of the complaint, what touches a file of it."""
        later = range(at + 1, len(lineup.stages))
        first = [good] if good is not None else []
        touches = [
            k for k in later if any(p.words & complaint.names for p in self.pieces(lineup, k))
        ]
        files = [
            k
            for k in later
            if any(p.path.rpartition(b"/")[2] in complaint.files for p in self.pieces(lineup, k))
        ]
        return tuple(dict.fromkeys((*first, *touches, *files)))[:_MOST]


def relevant(pieces: Sequence[Piece], complaint: Complaint) -> tuple[Piece, ...]:
    """The parts of a step that concern a complaint: those with a name of it, or at the line of it."""
    return tuple(p for p in pieces if p.words & complaint.names or _is_near(p, complaint))


def headers(pieces: Sequence[Piece], complaint: Complaint) -> tuple[Piece, ...]:
    """Those that include a header in a file that lacks a name: it may be in the tree already."""
    return tuple(p for p in pieces if complaint.lacking and _includes(p, complaint))


def _includes(piece: Piece, complaint: Complaint) -> bool:
    lines = [line for line in piece.edit.lines if line.strip()] if piece.edit is not None else []
    here = piece.path.rpartition(b"/")[2] in complaint.files
    return here and bool(lines) and all(line.lstrip().startswith(b"#include") for line in lines)


def _is_near(piece: Piece, complaint: Complaint) -> bool:
    if piece.edit is None:
        return False
    first, last = piece.edit.start + 1, piece.edit.start + max(1, piece.edit.count)
    return any(
        error.line is not None
        and piece.path.endswith(error.path.rpartition("/")[2].encode())
        and first - _NEAR <= error.line <= last + _NEAR
        for error in complaint.errors
    )


def explained(suspects: Suspects, lineup: Lineup, at: int, complaint: Complaint) -> tuple[str, ...]:
    """For a person: each error, and which step brings the name that it lacks."""
    found: list[str] = []
    for error in complaint.errors[:4]:
        line = f":{error.line}" if error.line else ""
        text = escaped(f"{error.path}{line}: {error.text}")
        for name in error.names if error.lacking else ():
            brings = suspects.who_brings(lineup, name.rpartition("/")[2].encode())
            if brings is not None and brings > at:
                text += f"; {lineup.stages[brings]} brings {name}"
            elif brings is None:
                text += _by_header(suspects, lineup, at, Complaint((error,)), name)
        found.append(text)
    return tuple(found)


def _by_header(suspects: Suspects, lineup: Lineup, at: int, complaint: Complaint, name: str) -> str:
    """Which step includes the header of the tree that has the name."""
    for k, pieces in suspects.bringers(lineup, at, complaint).items():
        for piece in pieces:
            header = suspects.header(lineup, at, piece, complaint)
            return f"; {lineup.stages[k]} includes {shown(header)}, which has {name}"
    return ""


class Lead(Struct, frozen=True):
    """The commit of upstream that first had names which nothing in the series brings."""

    commit: Oid
    subject: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        names = ", ".join(self.names)
        return f"{names}: upstream has it from {self.commit[:12]} '{escaped(self.subject)}' on"


def on_upstream(repo: Repo, start: Oid, upstream: str, complaint: Complaint) -> tuple[Lead, ...]:
    """The commits of upstream that first had the names which a step lacks, the oldest first.

    Cost: git reads each commit between for each name, of three at most.
    """
    tip = repo.branch_tip(upstream)
    base = repo.merge_base(start, tip) or start
    lacking = [name for e in complaint.errors if e.lacking for name in e.names]
    found: dict[Oid, tuple[int, Lead]] = {}
    for name in list(dict.fromkeys(lacking))[:_MOST_NAMES]:
        try:
            out = repo.git("log", f"-S{name}", "--format=%ct %H %s", f"{base}..{tip}", "--")
        except GitFailed:
            continue
        if out:
            when, commit, subject = out.rpartition("\n")[2].split(" ", 2)
            names = found[Oid(commit)][1].names if Oid(commit) in found else ()
            found[Oid(commit)] = int(when), Lead(Oid(commit), subject, (*names, name))
    return tuple(lead for _, lead in sorted(found.values(), key=lambda one: one[0]))
