# SPDX-License-Identifier: GPL-2.0-or-later
"""Which branches a command means, newest first, and which patches each of them gets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

from backport.errors import UsageError
from backport.gateway.repository import Repo
from backport.history.siblings import version_in

_PLACE = "{branch}"
_FOR_ONE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._/-]*)=(.+)", re.DOTALL)
_VERSION = re.compile(r"\d+(?:\.\d+)+")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]|^\.|\.(?=\.|$|lock$)")


def newest_first(
    repo: Repo, named: Sequence[str], pattern: str | None, to: str | None
) -> list[str]:
    """The branches of ``--branch`` and ``--branches``, each once.

    By the version in the name; those that name none come before, the younger commit first: such is a
    master or a staging branch.  Raises `UsageError` where a pattern matches nothing.
    """
    found = list(named)
    if pattern is not None:
        matching = [name for name in repo.branches() if fnmatchcase(name, pattern)]
        if not matching and to is not None:
            remote = repo.branches(remote=True)
            matching = [name for name in remote if fnmatchcase(name, pattern)]
        if not matching:
            raise UsageError(
                f"--branches {pattern!r} matches no branch of {repo.where}",
                "`git branch --list` shows them; quote the pattern, so that the shell leaves it alone",
            )
        found += matching
    return sorted(dict.fromkeys(found), key=lambda name: _age(repo, name))


def _age(repo: Repo, name: str) -> tuple[tuple[int, ...], int, str]:
    version = version_in(name)
    if version is None:
        return (), -repo.when(repo.branch_tip(name)).seconds, name
    # One that is longer is newer: 4.17.1 comes before 4.17.
    return (1, *(-number for number in version), 1), 0, name


def target_name(to: str | None, branch: str, *, several: bool) -> str | None:
    """The ``--to`` of one branch.  Raises `UsageError` where all would get one name."""
    if to is None:
        return None
    if several and _PLACE not in to:
        raise UsageError(
            f"--to {to}: several branches cannot become one", f"for example --to 'wip/{_PLACE}'"
        )
    name = to.replace(_PLACE, branch)
    if "{" in name or "}" in name:
        raise UsageError(f"--to {to}: {_PLACE} is all that it may have in braces")
    return name


class Named(Struct, frozen=True):
    """What the user names as patches: for every branch, or for one alone."""

    everywhere: tuple[str, ...]
    alone: dict[str, tuple[str, ...]]

    def of(self, branch: str) -> tuple[str, ...]:
        """The sources of one branch: its own where it has any, else those of all."""
        return self.alone.get(branch) or self.everywhere


def sort_sources(given: Sequence[str], branches: Sequence[str]) -> Named:
    """``4.17=xsa.patch`` is for the branch of that version, or name; the rest is for all.

    Raises `UsageError` where a version is none of the branches', or that of more than one.
    """
    everywhere: list[str] = []
    alone: dict[str, tuple[str, ...]] = {}
    for one in given:
        match = _FOR_ONE.fullmatch(one)
        whom = [name for name in branches if match and _is_meant(match[1], name)]
        if match is None or (not whom and not _VERSION.fullmatch(match[1])):
            everywhere.append(one)
            continue
        if len(whom) != 1:
            names = ", ".join(whom or branches)
            what = "more than one of the branches has" if whom else "none of the branches has"
            raise UsageError(
                f"--series {one}: {what} {match[1]} in its name ({names})",
                "name the branch itself, as in --series BRANCH=FILE",
            )
        alone[whom[0]] = (*alone.get(whom[0], ()), match[2])
    return Named(tuple(everywhere), alone)


def _is_meant(word: str, branch: str) -> bool:
    if word == branch:
        return True
    version = version_in(branch)
    return version is not None and word == ".".join(map(str, version))


def part_name(branch: str) -> str:
    """A name for a run that is good as a folder and as the end of a ref."""
    return _NOT_IN_NAMES.sub(lambda found: f"+{ord(found[0]):x}+", branch)
