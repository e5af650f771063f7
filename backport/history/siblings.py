# SPDX-License-Identifier: GPL-2.0-or-later
"""The same patch as the next newer stable branch has it already.

A patch that stable-4.11 has was adapted there by somebody who knew why, to a tree that is nearer to
stable-4.10 than upstream is.  Of 1,717 real backports to Xen's stable branches the patch itself gives
the maintainer's tree in 69% and clashes in 28%; the version of the newer branch first, where there is
one, 80% and 18%.  Where both go on and differ, the newer branch was right 22 times and the patch never.

So the newer branch's version goes on if it does, and what it changes is shown; else the patch itself.
The words, author and date stay the patch's own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from backport.errors import UsageError
from backport.gateway.commits import commit_patch
from backport.gateway.objects import Objects
from backport.gateway.repository import Repo
from backport.gateway.trees import TreeView
from backport.history.index.ledger import Ledger
from backport.history.other_branch import AsBranch, Sibling
from backport.history.presence import ABBREVIATED, References, unreverted
from backport.history.spans import read_span
from backport.history.taken_back import is_taken_back
from backport.pick.allowance import STRICT, Allowance
from backport.pick.outcome import Picked
from backport.pick.patch import pick_patch
from backport.pick.work import MadeOn, unknown
from series.model import Oid, Patch, shown
from series.reading.patch_ids import fingerprint
from series.reading.trailers import upstream_commit

AUTO, NONE = "auto", "none"
_NEAREST = 2
"""Newer branches that are looked into unasked: of 1,035 versions all were on the very next one."""
_VERSION = re.compile(r"\d+(?:\.\d+)*")


class _Branch(Struct, frozen=True):
    """What the commits of a branch say of others; each with its place (newest first) and its second."""

    naming: dict[str, list[tuple[int, int, References]]]
    """By origin, abbreviated."""
    reverting: list[tuple[int, int, References]]


class Versions:
    """Which commit of a sibling says that it is a version of another; read once, for any number of runs."""

    def __init__(self, repo: Repo, ledger: Ledger | None = None) -> None:
        self._repo = repo
        self._ledger = ledger
        self._branches: dict[Oid, _Branch] = {}

    def find(self, sibling: Sibling, onto: Oid, origin: str) -> References | None:
        """The newest commit that names ``origin`` (abbreviated) and still stands."""
        branch = self._branches.get(sibling.tip) or self._read(sibling.tip, onto)
        naming = branch.naming.get(origin)
        if naming is None:
            return None
        places = {place: (when, one) for place, when, one in (*naming, *branch.reverting)}
        until = sibling.until
        then = (one for _, (when, one) in sorted(places.items()) if until is None or when < until)
        return next((one for one in unreverted(then) if origin in one.origins), None)

    def _read(self, tip: Oid, onto: Oid) -> _Branch:
        kept = self._ledger.referring(tip, onto) if self._ledger is not None else None
        if kept is None:
            kept = list(enumerate(read_span(self._repo, tip, onto).entries))
        found = self._branches[tip] = _Branch({}, [])
        for place, entry in kept:
            one = (place, entry.when, entry.references)
            for origin in entry.references.origins:
                found.naming.setdefault(origin, []).append(one)
            if entry.references.reverts:
                found.reverting.append(one)
        return found


class Version(Struct, frozen=True):
    """A patch as a sibling has it: its content, under the patch's own words."""

    patch: Patch
    branch: str
    commit: Oid
    made_here: bool = False
    """By the very command that asks."""
    tip: Oid | None = None
    """Where the sibling stands; None where that is not to be looked at."""


class Chosen(Struct, frozen=True):
    """What goes on: ``how`` for the step (None: as the pick itself says), and what the user should know."""

    picked: Picked
    patch: Patch
    """The one that was picked: the posted one, or a sibling's version."""
    how: AsBranch | None = None
    notes: tuple[str, ...] = ()


class Looked(Struct, frozen=True):
    """The branches to look into, nearest first, and what the user should know of how they were found."""

    siblings: tuple[Sibling, ...]
    notes: tuple[str, ...] = ()


def find_siblings(
    repo: Repo, branch: str, wanted: Sequence[str], worked_on: Iterable[Sibling] = ()
) -> Looked:
    """The branches to look into.

    ``wanted``: ``auto`` takes the next newer ones whose names differ from ``branch`` in the version
    alone, ``none`` none; else branches by name.  Raises `UnknownRevision` for one that is not there.

    Of a local branch and remote ones of its name the fresher counts.  ``worked_on`` are those that the very
    command that asks has worked on: they come first, and that they differ from a remote's is no news.
    """
    if tuple(wanted) == (NONE,):
        return Looked(())
    if tuple(wanted) != (AUTO,):
        if AUTO in wanted or NONE in wanted:
            raise UsageError(
                f"--sibling {' '.join(wanted)}: {AUTO} and {NONE} stand alone",
                "name branches, or one of the two words",
            )
        named = tuple(Sibling(name, repo.branch_tip(name)) for name in wanted)
        return _behind(worked_on, named, tuple(_stale(repo, named)))
    names = list(_names(repo))
    short = _local_name(branch, names)
    family = _family(short)
    if family is None:
        return _behind(worked_on, (), (_unlooked(f"{short!r} names no version, or more than one"),))
    if not any(_is_of(family, local) for local, _ in names):
        return _behind(worked_on, (), (_unlooked(f"no branch is named as {short!r} is"),))
    ours = {name for one in worked_on for name in (one.name, one.worked_on)}
    return _behind(worked_on, *_nearest(repo, family, names, ours))


def _behind(
    worked_on: Iterable[Sibling], found: Sequence[Sibling], notes: tuple[str, ...]
) -> Looked:
    """What was found, behind what the command itself has made."""
    first = tuple(worked_on)
    names = {name for one in first for name in (one.name, one.worked_on)}
    return Looked((*first, *(one for one in found if one.name not in names)), notes)


def _unlooked(why: str) -> str:
    return (
        f"no newer branch was looked for: {why};"
        " --sibling NAME names one, --sibling none says there is none"
    )


def _local_name(branch: str, names: Iterable[tuple[str, str]]) -> str:
    """A branch's name as it is, or would be, here: that of a remote one is without its remote."""
    short = branch.removeprefix("refs/").removeprefix("heads/").removeprefix("remotes/")
    found = [local for local, name in names if name == short]
    return short if short in found or not found else found[0]


def _is_of(family: tuple[str, tuple[int, ...]], name: str) -> bool:
    one = _family(name)
    return one is not None and one[0] == family[0]


def sibling_pairs(repo: Repo) -> Iterator[tuple[Oid, Oid]]:
    """For every branch with a version: the tip of each branch that `find_siblings` would look into, and
    its own."""
    names = list(_names(repo))
    for local, name in names:
        family = _family(local)
        if family is not None:
            onto = repo.branch_tip(name)
            yield from ((one.tip, onto) for one in _nearest(repo, family, names)[0])


def branch_tips(repo: Repo) -> tuple[Oid, ...]:
    """Where the branches with a version stand."""
    named = (name for local, name in _names(repo) if _family(local) is not None)
    return tuple(dict.fromkeys(repo.branch_tip(name) for name in named))


def _nearest(
    repo: Repo,
    family: tuple[str, tuple[int, ...]],
    names: Sequence[tuple[str, str]],
    ours: Collection[str] = (),
) -> tuple[tuple[Sibling, ...], tuple[str, ...]]:
    """The next newer and older branches, and what the user should know of how they were found; nothing is
    said where one of a name is among ``ours``."""
    own, others = family[1], _others(names, family)
    versions = sorted(others)
    newer = [version for version in versions if version > own][:_NEAREST]
    older = [version for version in reversed(versions) if version < own][:_NEAREST]
    chosen, notes = [], []
    for version in (*newer, *older):
        same = [
            Sibling(name, repo.branch_tip(name), older=version < own) for name in others[version]
        ]
        fresher, note = _fresher(repo, same)
        chosen.append(fresher)
        known = any(one.name in ours for one in same)
        notes += [note] if note and version > own and not known else []
    return tuple(chosen), tuple(notes)


def newer_branches(repo: Repo, branch: str) -> tuple[Sibling, ...]:
    """All newer branches of the family, nearest first; of one name the freshest."""
    names = list(_names(repo))
    family = _family(_local_name(branch, names))
    others = _others(names, family) if family is not None else {}
    return tuple(
        _fresher(repo, [Sibling(name, repo.branch_tip(name)) for name in same])[0]
        for version, same in sorted(others.items())
        if family is not None and version > family[1]
    )


def _others(
    names: Iterable[tuple[str, str]], family: tuple[str, tuple[int, ...]]
) -> dict[tuple[int, ...], list[str]]:
    """The other branches that differ in the version alone, local ones first."""
    found: dict[tuple[int, ...], list[str]] = {}
    for local, name in names:
        one = _family(local)
        if one is not None and one[0] == family[0] and one[1] != family[1]:
            found.setdefault(one[1], []).append(name)
    return found


def _names(repo: Repo) -> Iterator[tuple[str, str]]:
    """Every branch, local ones first, as its name would be here and as it is."""
    yield from ((name, name) for name in repo.branches())
    for name in sorted(repo.branches(remote=True)):
        yield name.split("/", 1)[-1], name


def _fresher(repo: Repo, same: Sequence[Sibling]) -> tuple[Sibling, str]:
    """Of branches of one name (the local one first) the freshest, and a word where they differ."""
    best = same[0]
    for other in same[1:]:
        ahead = repo.reaches(other.tip, best.tip)
        apart = not ahead and not repo.reaches(best.tip, other.tip)
        later = repo.when(other.tip).seconds > repo.when(best.tip).seconds
        if other.tip != best.tip and (ahead or (apart and later)):
            best = other
    behind = [one for one in same if one.tip != best.tip]
    if not behind:
        return best, ""
    old = behind[0]
    if repo.reaches(best.tip, old.tip):
        count = sum(1 for _ in repo.log(best.tip, hide=(old.tip,)))
        how = f"is {count} commit{'s' * (count != 1)} ahead of {old.name}"
    else:
        how = f"and {old.name} have diverged; its last commit is the newer one"
    return best, f"newer branch: {best.name} {how}, and counts"


def _stale(repo: Repo, named: Iterable[Sibling]) -> Iterator[str]:
    """A word where a branch that the user named is behind another of its name."""
    known = list(_names(repo))
    for one in named:
        own = next((local for local, name in known if name == one.name), None)
        same = [one] + [
            Sibling(name, repo.branch_tip(name))
            for local, name in known
            if local == own and name != one.name
        ]
        best, _ = _fresher(repo, same)
        if best != one and repo.reaches(best.tip, one.tip):
            yield f"newer branch: {best.name} is ahead of {one.name}, which was named and counts"


def is_named(patch: Patch) -> bool:
    """Whether another branch could name ``patch`` as the origin of its version."""
    return bool(_named(patch))


def version_in(name: str) -> tuple[int, ...] | None:
    """The version that a branch's name has; None for none, or several."""
    family = _family(name)
    return family[1] if family is not None else None


def _family(name: str) -> tuple[str, tuple[int, ...]] | None:
    """A branch's name without its version, and the version; None where it is open what the version is."""
    numbers = _VERSION.findall(name)
    dotted = [number for number in numbers if "." in number]
    one = dotted or numbers
    if len(one) != 1:
        return None
    return name.replace(one[0], "\0", 1), tuple(int(part) for part in one[0].split("."))


class Siblings:
    """The versions that the siblings of a branch have of a run's patches."""

    def __init__(
        self,
        repo: Repo,
        onto: Oid,
        siblings: Iterable[Sibling],
        run: Iterable[Patch],
        allowance: Allowance = STRICT,
        versions: Versions | None = None,
    ) -> None:
        self._repo = repo
        self._versions = versions or Versions(repo)
        self._allowance = allowance
        self._onto = onto
        looked = tuple(siblings)
        self._siblings = tuple(one for one in looked if not one.older)
        self._older = tuple(one for one in looked if one.older)
        self._run = frozenset(origin for patch in run for origin in _named(patch))

    def version(self, patch: Patch, item: str = "") -> Version | None:
        """The nearest newer sibling's version of ``patch``; None where none has it under an id of its own.

        ``item`` is the patch as the run's journal names it.
        """
        return self._version_of(patch, self._siblings, item)

    def version_on(self, branch: str, patch: Patch, item: str = "") -> Version | None:
        """The version that ``branch`` has of ``patch``."""
        among = (one for one in (*self._siblings, *self._older) if one.name == branch)
        return self._version_of(patch, tuple(among), item)

    def _version_of(
        self, patch: Patch, siblings: Sequence[Sibling], item: str = ""
    ) -> Version | None:
        own = _named(patch) if siblings else ()
        others = self._run.difference(own)
        for sibling in siblings:
            if (made := dict(sibling.made).get(item)) is not None:
                version = self._version(patch, sibling, made)
                return replace(version, made_here=True) if version is not None else None
            for origin in own:
                found = self._versions.find(sibling, self._onto, origin)
                # One commit for several patches of the run would bring the others along.
                if found and found.commit != patch.commit and others.isdisjoint(found.origins):
                    is_it = self.is_copy(patch)
                    return self._version(patch, sibling, found.commit) if is_it else None
        return None

    def choose(
        self, tree: TreeView, patch: Patch, made_on: MadeOn = unknown, item: str = ""
    ) -> Chosen:
        """Put ``patch`` on ``tree``, as a sibling has it if that goes on.

        ``made_on`` finds the tree that it was made on where the repository does not know it; ``item`` is
        the patch as the run's journal names it.
        """
        objects = self._repo.objects
        direct = pick_patch(
            objects, tree, patch, lambda: self._repo.made_on(patch) or made_on(), self._allowance
        )
        version = self.version(patch, item)
        if version is None:
            return (None if direct.clean else self._as_older(tree, patch)) or Chosen(direct, patch)
        named = f"{version.branch} has it as {version.commit[:12]}"
        their = version.patch
        theirs = pick_patch(objects, tree, their, lambda: self._repo.made_on(their))
        if theirs.clean and direct.clean and theirs.tree.id == direct.tree.id:
            return Chosen(direct, patch)
        if self._is_gone(version):
            gone = f"{named}, and has taken it back"
            if direct.clean:
                return Chosen(direct, patch, None, (gone,))
            return self._as_older(tree, patch) or Chosen(_with_reason(direct, gone), patch)
        if theirs.clean:
            if direct.clean:
                why = f"the patch itself would give another result in {_differing(direct, theirs)}"
            else:
                why = f"the patch itself clashes in {_paths(c.path for c in direct.clashes)}"
            return Chosen(theirs, version.patch, AsBranch(version.branch), (f"{named}; {why}",))
        if direct.clean:
            clashing = _paths(clash.path for clash in theirs.clashes)
            return Chosen(direct, patch, None, (f"{named}, which clashes in {clashing}",))
        if (older := self._as_older(tree, patch)) is not None:
            return older
        # What was resolved a moment ago is not to be resolved again: only what is new here is open.
        resolved = version.made_here and len(theirs.clashes) < len(direct.clashes)
        nearer = resolved or _can_be_proposed(objects, theirs)
        stopped = theirs if nearer else direct
        has = f"begun from what {version.branch} has" if nearer else f"{version.branch} has it"
        has = f"{has}: `git show {version.commit[:12]}`"
        return Chosen(_with_reason(stopped, has), patch)

    def _as_older(self, tree: TreeView, patch: Patch) -> Chosen | None:
        """As an older branch has it, where that goes on: of 303 conflicts of real backports 6 were
        resolved so, and all of them as the maintainer did."""
        version = self._version_of(patch, self._older)
        if version is None or self._is_gone(version):
            return None
        their = version.patch
        picked = pick_patch(self._repo.objects, tree, their, lambda: self._repo.made_on(their))
        if not picked.clean:
            return None
        note = f"{version.branch} has it as {version.commit[:12]}; the patch itself clashes"
        return Chosen(picked, their, AsBranch(version.branch), (note,))

    def _is_gone(self, version: Version) -> bool:
        """Whether the sibling has taken it back since, in words that name another commit or none."""
        if version.tip is None or version.made_here:
            return False
        tree = self._repo.tree(version.tip)
        return is_taken_back(self._repo, tree, version.tip, version.commit, version.patch.changes)

    def is_copy(self, patch: Patch) -> bool:
        """Whether it holds what the commit that it names holds: the words of a mail alone prove nothing."""
        if patch.parent is not None:
            return True
        own = self._repo.known_commit(patch)
        if own is None:
            return False
        return fingerprint(commit_patch(self._repo, own).changes) == fingerprint(patch.changes)

    def _version(self, patch: Patch, sibling: Sibling, commit: Oid) -> Version | None:
        if len(self._repo.parents(commit)) != 1:
            return None
        theirs = commit_patch(self._repo, commit)
        own_words = replace(
            theirs, name=f"{sibling.name} {commit[:12]}", message=patch.message, author=patch.author
        )
        tip = sibling.tip if sibling.until is None else None
        return Version(own_words, sibling.name, commit, tip=tip)


def _named(patch: Patch) -> tuple[str, ...]:
    """The abbreviated ids under which a sibling may name this patch as its origin."""
    named = (oid for oid in (patch.commit, upstream_commit(patch)) if oid is not None)
    return tuple(dict.fromkeys(oid[:ABBREVIATED] for oid in named if len(oid) >= ABBREVIATED))


def _with_reason(stopped: Picked, more: str) -> Picked:
    first, *others = stopped.clashes
    first = replace(first, reason=f"{first.reason} ({more})")
    return replace(stopped, clashes=(first, *others))


def _can_be_proposed(objects: Objects, stopped: Picked) -> bool:
    """Whether its conflict can be resolved: over 304 conflicts of real backports, where both the patch and
    the newer branch's version stop, that of the version could 23 times more, and 15 of
    those were right."""
    from backport.pick.proposals import propose

    return propose(objects, stopped) is not None


def _differing(one: Picked, other: Picked) -> str:
    paths = {change.path for picked in (one, other) for change in picked.changes}
    return _paths(path for path in sorted(paths) if one.tree.oid(path) != other.tree.oid(path))


def _paths(paths: Iterable[bytes]) -> str:
    names: Iterator[str] = map(shown, paths)
    first = list(islice(names, 4))
    return ", ".join(first[:3]) + (", ..." if len(first) > 3 else "")
