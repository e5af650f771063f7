# SPDX-License-Identifier: GPL-2.0-or-later
"""One way through the patches to a family of paths: the texts that it has come to, and what fits next."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from series.binary import apply_delta
from series.lines import split_lines
from series.model import FileChange, Hunk
from series.ordering.families import Item
from series.placement.exact import place_exactly
from series.placement.hunks import PlaceError, apply_change, apply_hunks, is_applied

Text = list[bytes] | None
State = dict[bytes, Text]
"""By path: its lines, or None where there is no such file."""


class Walk:
    """A state, the sequence that led to it, and the ways to go on."""

    def __init__(self, state: State, shifts: tuple[int, ...] = (0,)) -> None:
        self.state = dict(state)
        self.shifts = shifts
        self.sequence: list[Item] = []
        self.moved: set[bytes] = set()
        self.guessed = False
        self.spent = 0
        self.given_up = False

    def left(self, items: Iterable[Item]) -> list[Item]:
        done = {item.patch for item in self.sequence}
        return [item for item in items if item.patch not in done]

    def exact(self, item: Item, state: State) -> tuple[State, Item] | None:
        """``state`` after ``item``, with the item as it was placed; None where it does not fit."""
        self.spent += 1
        made: State = {}
        placed: list[FileChange] = []
        for change in item.changes:
            old = [] if change.old_path is None else _look(change.old_path, made, state)
            if old is None or not _vacant(change, made, state):
                return None
            done = self._exact_text(old, change)
            if done is None:
                return None
            _settle(change, done[0], made)
            placed.append(replace(change, hunks=done[1]) if done[1] != change.hunks else change)
        return made, Item(item.patch, tuple(placed))

    def _exact_text(
        self, old: list[bytes], change: FileChange
    ) -> tuple[list[bytes], tuple[Hunk, ...]] | None:
        if change.binary:
            text = _binary_text(old, change)
            return None if text is None else (text, ())
        if change.kind == "create" and old:
            return None
        return place_exactly(old, change.hunks, self.shifts) if change.hunks else (old, ())

    def nearest(self, item: Item) -> bool:
        """Take ``item`` wherever it fits nearest; False, and nothing done, where it does not."""
        try:
            made, placed, offset = self._nearest(item)
        except PlaceError:
            return False
        self.guessed = True
        if offset:
            self.moved |= {change.path for change in item.changes}
        self.take(made, placed)
        return True

    def why(self, item: Item) -> tuple[bytes, str]:
        """Which path of ``item`` does not fit, and the applier's words for it."""
        try:
            self._nearest(item)
        except PlaceError as exc:
            return exc.path, str(exc)
        return item.changes[0].path, "fits only in an order that the other evidence excludes"

    def offset(self, item: Item) -> int | None:
        """How far ``item`` would be from its stated lines in all; None where it does not fit."""
        self.spent += 1
        try:
            return self._nearest(item)[2]
        except PlaceError:
            return None

    def _nearest(self, item: Item) -> tuple[State, Item, int]:
        made: State = {}
        placed: list[FileChange] = []
        total = 0
        for change in item.changes:
            old = [] if change.old_path is None else _look(change.old_path, made, self.state)
            if old is None:
                raise PlaceError(change.path, "there is no such file")
            if not _vacant(change, made, self.state):
                raise PlaceError(change.path, "the file to create exists already")
            if change.binary:
                text = split_lines(apply_change(b"".join(old), change).text)
                _settle(change, text, made)
                placed.append(change)
                continue
            text = list(old)
            places = apply_hunks(text, change.hunks, change.path)
            total += sum(abs(place.offset) for place in places)
            _settle(change, text, made)
            gained = 0
            hunks: list[Hunk] = []
            for hunk, place in zip(change.hunks, places, strict=True):
                line = place.line - gained - (0 if hunk.old_count else 1)
                hunks.append(replace(hunk, old_start=line))
                gained += hunk.new_count - hunk.old_count
            placed.append(replace(change, hunks=tuple(hunks)))
        return made, Item(item.patch, tuple(placed)), total

    def take(self, made: State, placed: Item) -> None:
        self.state.update(made)
        self.sequence.append(placed)


def is_there(item: Item, start: State) -> bool:
    """Whether ``start`` has what ``item`` does to each of its files."""
    return all(
        _is_moved(change, start) or is_applied(_joined(start.get(change.path)), change)
        for change in item.changes
    )


def _is_moved(change: FileChange, start: State) -> bool:
    """Whether a rename that changes nothing else is done in ``start``."""
    return (
        change.kind == "rename"
        and not change.hunks
        and not change.binary
        and change.old_path is not None
        and start.get(change.old_path) is None
        and start.get(change.path) is not None
    )


def _joined(lines: Text) -> bytes | None:
    return None if lines is None else b"".join(lines)


def _look(path: bytes, made: State, state: State) -> Text:
    return made[path] if path in made else state.get(path)


def _vacant(change: FileChange, made: State, state: State) -> bool:
    """Whether the path that a change makes is free."""
    if change.kind == "modify" or change.new_path in (None, change.old_path):
        return True
    assert change.new_path is not None
    return not _look(change.new_path, made, state)


def _settle(change: FileChange, text: list[bytes], made: State) -> None:
    if change.old_path is not None and change.kind in ("rename", "delete"):
        made[change.old_path] = None
    if change.new_path is not None:
        made[change.new_path] = text


def _binary_text(old: list[bytes], change: FileChange) -> list[bytes] | None:
    """Exact for a binary change means that it also leads back."""
    if change.forward is None:
        return None
    pre = b"".join(old)
    try:
        if change.forward.kind == "delta":
            return split_lines(apply_delta(pre, change.forward.data))
        back = change.reverse
        post = change.forward.data
        if back is not None:
            was = back.data if back.kind == "literal" else apply_delta(post, back.data)
            if was != pre:
                return None
        return split_lines(post)
    except ValueError:
        return None
