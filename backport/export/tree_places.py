# SPDX-License-Identifier: GPL-2.0-or-later
"""From a verdict's words to files of the repository.

A compiler names files as its makefile does: of `make -C xen` in the folder of a sub-make, ``shim.c:45``.  A
reader of a report needs the path in the repository.  It is the one that ends so; where several do, the one
that the patch touches; else the place is left out, since a wrong one would mislead.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Sequence

from backport.builds.compiler_errors import diagnostics
from backport.export.run_record import Place, RunRecord, StepRecord, Trouble, with_troubles
from backport.gateway.changed_paths import changed_paths
from backport.gateway.repository import Repo
from backport.gateway.tree_paths import tree_paths
from backport.verdicts import State, Validator, Verdict
from series.model import Oid, escaped

_WHERE = re.compile(r"\(([^()\s:]+):(\d{1,9})\)$")
_MOST_LINES = 40


class Places:
    """The files of commits, looked up by what a tool calls them."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._paths: dict[Oid, dict[str, list[str]]] = {}

    def find(self, commit: Oid, named: str) -> str | None:
        """The path in the tree of ``commit``; None where it is not known for sure."""
        clean = posixpath.normpath(named)
        while clean.startswith("../"):
            clean = clean[3:]
        if clean.startswith("/"):
            return None
        alike = self._by_name(commit).get(clean.rpartition("/")[2], [])
        ends = [path for path in alike if path == clean or path.endswith(f"/{clean}")]
        if clean in ends:
            return clean
        if len(ends) > 1:
            ends = [path for path in ends if path in self._touched(commit)]
        return ends[0] if len(ends) == 1 else None

    def _by_name(self, commit: Oid) -> dict[str, list[str]]:
        tree = self._repo.tree(commit).id
        if tree not in self._paths:
            self._paths = {tree: {}}  # steps come one after the other: one tree at a time
            for path in tree_paths(self._repo, commit):
                self._paths[tree].setdefault(path.rpartition("/")[2], []).append(path)
        return self._paths[tree]

    def _touched(self, commit: Oid) -> set[str]:
        parents = self._repo.parents(commit)
        old = self._repo.tree(parents[0]).id if parents else None
        return set(map(os.fsdecode, changed_paths(self._repo, old, self._repo.tree(commit).id)))


def located(repo: Repo, record: RunRecord) -> RunRecord:
    """The record with everything that is wrong, and where."""
    places = Places(repo)
    return with_troubles(record, lambda step: _troubles(places, step))


def _troubles(places: Places, step: StepRecord) -> Sequence[Trouble]:
    found: list[Trouble] = []
    for verdict in step.verdict.verdicts if step.verdict is not None else ():
        if verdict.state is State.CANNOT_TELL:
            lines = _clean(verdict.lines)
            rule = f"unproven:{verdict.validator}"
            text = escaped(verdict.summary)
            found.append(Trouble(verdict.validator, verdict.state, rule, text, lines))
        elif verdict.state is State.FAILED:
            found += _of_build(places, step, verdict) if _built(verdict) else []
            found += _of_finding(places, step, verdict) if not _built(verdict) else []
    return found


def _built(verdict: Verdict) -> bool:
    return verdict.validator is Validator.BUILD


def _of_build(places: Places, step: StepRecord, verdict: Verdict) -> list[Trouble]:
    found: dict[tuple[str, int | None, str], Trouble] = {}
    for one in diagnostics(verdict.lines):
        path = places.find(step.commit, one.path) if step.commit else None
        place = Place(path, one.line, one.column) if path else None
        text = escaped(one.text if place else f"{one.path}: {one.text}")
        trouble = Trouble(verdict.validator, verdict.state, "build", text, place=place)
        found.setdefault((one.path, one.line, one.text), trouble)
    if not found:
        text, lines = escaped(verdict.summary), _clean(verdict.lines)
        return [Trouble(verdict.validator, verdict.state, "build", text, lines)]
    first, *more = found.values()
    whole = Trouble(
        first.validator, first.state, first.rule, first.message, _clean(verdict.lines), first.place
    )
    return [whole, *more]


def _of_finding(places: Places, step: StepRecord, verdict: Verdict) -> list[Trouble]:
    found = []
    for line in verdict.lines or (verdict.summary,):
        rule, colon, _ = line.partition(": ")
        where = _WHERE.search(line)
        path = places.find(step.commit, where[1]) if where and step.commit else None
        place = Place(path, int(where[2])) if path and where else None
        named = rule if colon and " " not in rule else str(verdict.validator)
        found.append(
            Trouble(verdict.validator, verdict.state, escaped(named), escaped(line), place=place)
        )
    return found


def _clean(lines: Sequence[str]) -> tuple[str, ...]:
    more = (f"... and {len(lines) - _MOST_LINES} more lines",) if len(lines) > _MOST_LINES else ()
    return (*(escaped(line.replace("\t", " ")) for line in lines[:_MOST_LINES]), *more)
