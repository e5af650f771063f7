# SPDX-License-Identifier: GPL-2.0-or-later
"""Names that a patch uses and the branch lacks: what a clean pick does not tell.

A patch that went on by a merge may still be wrong for the branch: over real backports some 3% of such
picks differ from what the maintainer committed, mostly because they name something that the stable
branch has not got.  So each name in the lines that they add is looked for in the branch; one that the
tree which the patch was made on declares, and the branch has nowhere, is named.  Of 244 merged picks on
Xen's stable branches that marked 6 of the 11 that differ, and 2 of the 233 that do not.

Nothing is decided by it: only the build tells, and only the user knows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from backport.gateway.repository import Repo
from backport.gateway.trees import TreeView
from series.model import Oid, Patch
from series.symbols.brought import brought_names, made_names
from series.symbols.calls import members
from series.symbols.declarations import declared, sought
from series.symbols.lexer import code_lines
from series.symbols.words import holds

_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]{2,}")
_SHOWN = 4
_Members = tuple[bytes, bytes]


class Setting(Struct, frozen=True):
    """Where a patch was put: the branch before and after, and upstream before and after."""

    branch: TreeView
    result: TreeView
    before: TreeView
    after: TreeView | None
    """None where the repository does not have the patch as it was posted."""


class Suspect(Struct, frozen=True):
    """A patch that was not made for this very tree."""

    number: int
    """Its place in the run, from 0."""
    patch: Patch
    where: Setting


def find_lacking(
    repo: Repo, branch: TreeView, suspects: Sequence[Suspect], run: Sequence[Patch]
) -> dict[int, tuple[bytes, ...]]:
    """By place in the run: the names that a suspect uses, its own tree has, and ``branch`` lacks.

    What another patch of the run declares counts as there; that another one uses it, too, brings nothing.
    Cost: each patch is lexed once; one search of the branch for all names, and one of each suspect's own
    tree where something is missing.
    """
    lexed: dict[int, frozenset[bytes]] = {}

    def added(patch: Patch) -> frozenset[bytes]:
        if id(patch) not in lexed:
            lexed[id(patch)] = added_names(patch)
        return lexed[id(patch)]

    unknown = {
        suspect.number: names - near_names(branch, suspect.patch, names)
        for suspect in suspects
        if (names := added(suspect.patch))
    }
    absent = _without(repo, branch.id, frozenset().union(*unknown.values()))
    absent -= declares(repo, branch.id, _options(absent))
    if not absent:
        return {}
    brought = [brought_names(patch, absent) for patch in run]
    bringing = Counter(name for names in brought for name in names)
    found: dict[int, tuple[bytes, ...]] = {}
    for suspect in suspects:
        own = brought[suspect.number]
        missing = frozenset(
            name
            for name in unknown.get(suspect.number, frozenset()) & absent
            if bringing[name] <= (name in own)  # no other patch of the run declares it
        )
        if not missing:
            continue
        missing -= made_names(suspect.patch)
        foreign = declares(repo, suspect.where.before.id, missing)
        # What the merge left out of the result is not used there.
        foreign = near_names(suspect.where.result, suspect.patch, foreign)
        if foreign:
            found[suspect.number] = tuple(sorted(foreign))
    return found


def lacking_members(
    repo: Repo, branch: TreeView, suspects: Sequence[Suspect], run: Sequence[Patch]
) -> dict[int, tuple[bytes, ...]]:
    """By place in the run: ``arch.pv`` where a suspect reaches a member through another as nothing on
    ``branch`` does, and its own tree does.  What a patch of the run declares counts as there.

    Where a structure has been taken apart, each of its names may still stand somewhere.
    """
    unknown = {
        suspect.number: pairs
        for suspect in suspects
        if (
            (added := _added_members(suspect.patch))
            and (pairs := added - _near_members(branch, suspect.patch))
        )
    }
    absent = frozenset[_Members]().union(*unknown.values())
    absent -= _reached(repo, branch.id, absent)
    if not absent:
        return {}
    names = frozenset(name for pair in absent for name in pair)
    made = frozenset[bytes]().union(*(brought_names(patch, names) for patch in run))
    found: dict[int, tuple[bytes, ...]] = {}
    for suspect in suspects:
        missing = frozenset(
            pair
            for pair in unknown.get(suspect.number, frozenset()) & absent
            if made.isdisjoint(pair)
        )
        foreign = _reached(repo, suspect.where.before.id, missing)
        foreign &= _near_members(suspect.where.result, suspect.patch)
        if foreign:
            found[suspect.number] = tuple(sorted(b".".join(pair) for pair in foreign))
    return found


def _added_members(patch: Patch) -> frozenset[_Members]:
    return frozenset(
        pair
        for change in patch.changes
        for _, lines in code_lines(change)
        for line in lines
        if line.own
        for pair in members(line.clean)
    )


def _near_members(tree: TreeView, patch: Patch) -> frozenset[_Members]:
    texts = (tree.read(change.old_path or change.path) or b"" for change in patch.changes)
    return frozenset[_Members]().union(*map(members, texts))


def _reached(repo: Repo, tree: Oid, pairs: frozenset[_Members]) -> frozenset[_Members]:
    """Those of ``pairs`` that some file of ``tree`` has."""
    if not pairs:
        return pairs
    some = "|".join(f"{one.decode()}(\\.|->){other.decode()}" for one, other in sorted(pairs))
    lines = repo.git.matches(tree, rf"(\.|->)({some})\b")
    return pairs & frozenset[_Members]().union(*map(members, lines))


def declares(repo: Repo, tree: Oid, names: frozenset[bytes]) -> frozenset[bytes]:
    """Those of ``names`` that some line of ``tree`` looks to declare."""
    return declared(repo.git.lines(tree, sought(names)), names) if names else names


def explain(names: Sequence[bytes], branch: str) -> str:
    """One line for a person."""
    return f"{uses(names, branch)}: it may need another patch"


def uses(names: Sequence[bytes], branch: str) -> str:
    """The same without advice."""
    few = ", ".join(name.decode() for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"uses {few}{more}, which {branch} does not have"


def added_names(patch: Patch) -> frozenset[bytes]:
    """The names in the code that a patch adds."""
    return frozenset(
        name
        for change in patch.changes
        for _, lines in code_lines(change)
        for line in lines
        if line.own
        for name in _NAME.findall(line.clean)
    )


def near_names(branch: TreeView, patch: Patch, names: frozenset[bytes]) -> frozenset[bytes]:
    """Those of ``names`` that stand in the files that the patch changes, as the branch has them: most of
    those it uses.

    The rest is so little that the search of the whole tree takes 0.2 s and not minutes.
    """
    texts = [branch.read(change.old_path or change.path) or b"" for change in patch.changes]
    return frozenset(name for name in names if any(holds(text, name) for text in texts))


def _options(names: frozenset[bytes]) -> frozenset[bytes]:
    return frozenset(name for name in names if name.startswith(b"CONFIG_"))


def _without(repo: Repo, tree: Oid, names: frozenset[bytes]) -> frozenset[bytes]:
    return names - repo.git.words(tree, names) if names else names
