# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions that a patch calls as upstream does, and that have other parameters on the branch.

A patch may bring the first call of a function to its file, so the branch's file cannot tell; where nothing is
built, nothing else does.  Declarations and calls of the whole branch are looked at, as far as they stand on
one line.
"""

from __future__ import annotations

from collections.abc import Sequence

from backport.counted import counted
from backport.gateway.repository import Repo
from backport.gateway.trees import TreeView
from backport.history.missing_names import Suspect, near_names
from series.model import Oid, Patch, shown
from series.symbols.brought import brought_names
from series.symbols.calls import arguments, called
from series.symbols.lexer import language

_Numbers = dict[bytes, frozenset[int]]
"""Names, each with the numbers of arguments it has somewhere."""


def odd_calls(
    repo: Repo, branch: TreeView, suspects: Sequence[Suspect], run: Sequence[Patch]
) -> dict[int, tuple[str, ...]]:
    """By place in the run, in words: calls that ``branch``, where the run began, has with another number of
    arguments alone, and the suspect's own tree with this one.  What a patch of the run declares is the
    branch's as well.

    Cost: one search of the branch for all names, and one of the suspect's own tree where a number is odd.
    """
    unknown = {suspect.number: _new_to_the_file(branch, suspect.patch) for suspect in suspects}
    names = frozenset(name for calls in unknown.values() for name in calls)
    if not names:
        return {}
    names -= frozenset[bytes]().union(*(brought_names(patch, names) for patch in run))
    here = _numbers(repo, branch.id, names)
    found: dict[int, tuple[str, ...]] = {}
    for suspect in suspects:
        odd = {
            name: numbers
            for name, numbers in unknown[suspect.number].items()
            if name in here and _differ(numbers, here[name])
        }
        there = _numbers(repo, suspect.where.before.id, frozenset(odd))
        result = _numbers_near(suspect.where.result, suspect.patch, odd)
        said = tuple(
            f"calls {shown(name)} with {counted(min(numbers), 'argument')}, which the branch has with"
            f" {min(here[name])}"
            for name, numbers in sorted(odd.items())
            # One that has both upstream has no other parameters here: it is a name of several things.
            if numbers <= there.get(name, frozenset())
            and _differ(there[name], here[name])
            and numbers <= result.get(name, frozenset())
        )
        if said:
            found[suspect.number] = said
    return found


def _new_to_the_file(branch: TreeView, patch: Patch) -> _Numbers:
    calls: dict[bytes, frozenset[int]] = {}
    for change in patch.changes:
        if language(change.path) == "c":
            added = b"".join(line.text for h in change.hunks for line in h.lines if line.op == b"+")
            for name, numbers in called(added).items():
                calls[name] = calls.get(name, frozenset()) | numbers
    near = near_names(branch, patch, frozenset(calls))
    return {name: numbers for name, numbers in calls.items() if name not in near}


def _numbers_near(tree: TreeView, patch: Patch, names: _Numbers) -> _Numbers:
    found: dict[bytes, frozenset[int]] = {}
    for change in patch.changes if names else ():
        for name, numbers in arguments(tree.read(change.path) or b"", names).items():
            found[name] = found.get(name, frozenset()) | numbers
    return found


def _numbers(repo: Repo, tree: Oid, names: frozenset[bytes]) -> _Numbers:
    """What the lines of a stored tree say."""
    found: dict[bytes, frozenset[int]] = {}
    for line in repo.git.lines(tree, names) if names else ():
        for name, numbers in arguments(line, names).items():
            found[name] = found.get(name, frozenset()) | numbers
    return found


def _differ(one: frozenset[int], other: frozenset[int]) -> bool:
    """Whether two sets of numbers have none in common; ``f(void)`` and ``f()`` are the same."""
    return one.isdisjoint(other) and not (one | other) <= {0, 1}
