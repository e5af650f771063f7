# SPDX-License-Identifier: GPL-2.0-or-later
"""A recording brought forward by a watched incremental build, where that build proves itself.

Make runs what its makefiles say is out of date.  A header that now hides another, or a flag in a
makefile that nothing depends on, is not among it, and the objects would be wrong.  So of every
command that was *not* run again it is asked: is none of its inputs another, and did the make that
would have started it decide from the same as before?  One that fails means a clean build.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backport.builds.recorded import decide
from backport.builds.recorded.decide import Change
from backport.builds.recorded.derive import Derived
from backport.builds.recorded.recording import Command, Keeper, Recording


def merged(
    old: Recording, new: Derived, changed: Sequence[Change], tree: str, root: str
) -> Recording | str:
    """The recording of the whole build after an incremental one; or why it proves nothing."""
    written = frozenset[str]().union(*(command.writes for command in new.commands))
    now = decide.signatures(root, written | old.outputs.keys())
    moved = frozenset(
        p for p in old.outputs.keys() | now.keys() if old.outputs.get(p) != now.get(p)
    )
    checks = {_doing(command) for command in new.commands if not command.writes}
    believed = _Believed(old, new, changed, moved)
    kept: list[Command] = []
    for number, command in enumerate(old.commands):
        if command.writes & written or (not command.writes and _doing(command) in checks):
            if command.writes <= written:
                continue
            return f"only a part of {min(command.writes)} and what is made with it was made again"
        what = min(command.writes, default=f"the check {command.runs[0].argv[-1][:60]!r}")
        if number in old.late:
            return f"{what} was put off, and make did not see that it is out of date"
        if any(decide.touches(change, command.touched) for change in changed):
            return f"make did not see that {what} is out of date"
        if not moved.isdisjoint(command.touched.reads | command.touched.exists | command.writes):
            return f"make did not see that {what} is out of date"
        if command.writes and not all(map(believed, command.keepers)):
            return f"a makefile changed, and {what} was not made again"
        kept.append(command)
    outputs = {path: now[path] for path in now if path in written or path in old.outputs}
    return replace(
        old,
        tree=tree,
        commands=(*kept, *new.commands),
        keepers=_keepers(old.keepers, new.keepers),
        outputs=outputs,
        outside={**old.outside, **new.outside},
        outside_absent=old.outside_absent | new.outside_absent,
        late=frozenset(),
    )


def _doing(command: Command) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What a check does: no writes tell one from another, and an environment may hold the clock."""
    return tuple((run.cwd, run.argv) for run in command.runs)


class _Believed:
    """Whether a keeper decided from the same as in the build before."""

    def __init__(
        self, old: Recording, new: Derived, changed: Sequence[Change], moved: frozenset[str]
    ) -> None:
        self._old = {keeper.identity: keeper for keeper in old.keepers}
        self._new = {keeper.identity: keeper for keeper in new.keepers}
        self._changed = changed
        self._moved = moved
        self._known: dict[str, bool] = {"": False}

    def __call__(self, identity: str) -> bool:
        if identity not in self._known:
            self._known[identity] = False  # the answer for a keeper above itself
            self._known[identity] = self._decide(identity)
        return self._known[identity]

    def _decide(self, identity: str) -> bool:
        keeper, again = self._old.get(identity), self._new.get(identity)
        if keeper is None or not self._same(keeper) or not (again is None or self._same(again)):
            return False
        # A make that was not started this time was not wanted by the one above.
        return again is not None or self(keeper.parent)

    def _same(self, keeper: Keeper) -> bool:
        return self._moved.isdisjoint(keeper.touched.reads) and not any(
            decide.touches(change, keeper.touched) for change in self._changed
        )


def _keepers(old: tuple[Keeper, ...], new: tuple[Keeper, ...]) -> tuple[Keeper, ...]:
    found = {keeper.identity: keeper for keeper in old}
    for keeper in new:
        before = found.get(keeper.identity)
        found[keeper.identity] = (
            keeper
            if before is None
            else replace(
                keeper,
                touched=keeper.touched | before.touched,
                writes=keeper.writes | before.writes,
            )
        )
    return tuple(found.values())
