# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a run stopped, with all that helps to resolve it: for the message, ``status`` and the journal."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from backport.counted import counted
from backport.pick.outcome import Clash, Picked
from backport.planning.items import Item, parse_item
from backport.run.markers import open_hunks
from backport.survey.advice import Advice
from series.model import Patch, shown

if TYPE_CHECKING:
    from backport.history.upstream import Blocker
    from backport.survey.advice import Advised


class Lacked(Struct, frozen=True):
    """A commit of upstream that the patch waits for, and what it does to the file."""

    commit: str
    subject: str
    why: str
    advice: str = ""
    """What to do about it (see survey/advisor), where that was looked into; ``because`` is the reason."""
    because: str = ""


class Laid(Struct, frozen=True):
    """A file as it was laid out: its content's id; ``known`` where rerere had a resolution for it."""

    path: str
    blob: str
    known: bool = False
    stages: str = ""
    """Which sides there are, as the stages of git's index: 1 the base, 2 the branch, 3 the patch."""
    proposed: str = ""
    """How the resolution came about that is laid out instead of the conflict, if one is."""
    diff: tuple[str, ...] = ()
    """What that makes of the branch's file."""


class Stop(Struct, frozen=True):
    """Where a run stopped: the item, and for each path why.

    ``hunks`` say which of them are done; ``missing`` what upstream has and the branch lacks; ``laid``
    how the files were laid out.
    """

    item: Item
    clashes: tuple[tuple[str, str], ...]
    hunks: tuple[tuple[str, str], ...] = ()
    missing: tuple[Lacked, ...] = ()
    laid: tuple[Laid, ...] = ()
    doubts: tuple[str, ...] = ()
    """Nothing clashes, and the result may be wrong for the branch: why."""
    made: str = ""
    """The tree of a doubtful result."""

    @property
    def laid_by_path(self) -> dict[str, Laid]:
        """How the file of each path that clashes was laid out, perhaps under another name."""
        return {path: one for (path, _), one in zip(self.clashes, self.laid, strict=False)}

    @property
    def what(self) -> str:
        """What it is, for a person."""
        return "a doubt" if self.doubts else "a conflict"

    @property
    def way_on(self) -> str:
        """How the run goes on."""
        if self.doubts:
            return "`backport continue --accept doubt` takes it; or correct it, then `backport continue`"
        return "then `backport continue`"

    @property
    def other_way_on(self) -> str:
        """How it goes on without being resolved by hand, if upstream has what the patch waits for."""
        take = "; or `backport continue --prerequisites take` picks what upstream has first"
        return take if self.may_take and not self.doubts else ""

    @property
    def may_take(self) -> bool:
        """Whether something is there that ``--prerequisites take`` would take, as far as is known."""
        return any(one.advice in (Advice.TAKE, "") for one in self.missing)

    def to_json(self) -> dict[str, Any]:
        """As the journal has it; what is empty is left out, as releases before did not know it."""
        data: dict[str, Any] = {
            "item": str(self.item),
            "clashes": [list(clash) for clash in self.clashes],
        }
        if self.hunks:
            data["hunks"] = [list(one) for one in self.hunks]
        if self.missing:
            data["missing"] = [
                [one.commit, one.subject, one.why]
                + ([str(one.advice), one.because] if one.advice else [])
                for one in self.missing
            ]
        if self.laid:
            data["laid"] = [
                [one.path, one.blob, one.known, one.stages]
                + ([one.proposed, list(one.diff)] if one.proposed else [])
                for one in self.laid
            ]
        if self.doubts:
            data["doubts"], data["made"] = list(self.doubts), self.made
        return data


def help_lines(stop: Stop, branch: str, marks: Mapping[str, str] | None = None) -> list[str]:
    """The reasons, which hunks are done, what upstream has, and how to see each side.

    ``marks`` are words to put before paths.
    """
    lines = []
    hunks, laid = dict(stop.hunks), stop.laid_by_path
    for path, reason in stop.clashes:
        mark = f"{marks.get(path, ''):10}  " if marks is not None else ""
        lines.append(f"  {mark}{path}: {reason}")
        if path in hunks:
            lines.append(f"    {hunks[path]}")
        if path in laid and laid[path].path != path:
            lines.append(f"    laid out as {laid[path].path}")
        if path in laid and laid[path].known:
            lines.append(
                "    git's rerere has written a resolution that it knows: look at it, then `git add` it"
            )
        if path in laid and laid[path].proposed:
            lines += _proposal(laid[path])
    lines += [f"  {doubt}" for doubt in stop.doubts]
    if stop.missing:
        lines.append(f"  upstream has what {branch} lacks, and what the patch waits for:")
        for one in stop.missing:
            lines.append(f"    {one.why}")
            if one.advice:
                lines.append(f"      {one.advice}: {one.because}")
    seen = next((one for one in stop.laid if len(one.stages) > 1), None)
    if seen is not None:
        lines.append(f"  to see the sides of {seen.path}, in the folder of the conflict:")
        lines += [f"    {line}" for line in _sides(seen, branch)]
    return lines


def _proposal(file: Laid) -> list[str]:
    path = shlex.quote(file.path)
    return [
        f"    a resolution is laid out that merges {file.proposed}:",
        *(f"      {line}" for line in file.diff),
        f"    `git add {path}` takes it; `git checkout --merge {path}` brings the conflict back",
    ]


def _sides(file: Laid, branch: str) -> list[str]:
    path = shlex.quote(file.path)
    if "1" not in file.stages:
        return [f"`git diff :2:{path} :3:{path}` (from {branch} to the patch)"]
    found = []
    if "3" in file.stages:
        found.append(f"`git diff :1:{path} :3:{path}` (what the patch does)")
    if "2" in file.stages:
        found.append(f"`git diff :1:{path} :2:{path}` (what {branch} has done)")
    return found


def read_stop(data: dict[str, Any]) -> Stop:
    """A stop as `Stop.to_json` writes it."""
    return Stop(
        parse_item(data["item"]),
        tuple((path, reason) for path, reason in data["clashes"]),
        tuple((path, text) for path, text in data.get("hunks", ())),
        tuple(Lacked(*map(str, one)) for one in data.get("missing", ())),
        tuple(_read_laid(*one) for one in data.get("laid", ())),
        tuple(data.get("doubts", ())),
        data.get("made", ""),
    )


def _read_laid(
    path: str,
    blob: str,
    known: bool = False,
    stages: str = "",
    proposed: str = "",
    diff: Sequence[str] = (),
) -> Laid:
    return Laid(path, blob, known, stages, proposed, tuple(diff))


def stopped_at(
    item: Item,
    patch: Patch,
    picked: Picked,
    blockers: Sequence[Blocker],
    advised: Sequence[Advised] = (),
) -> Stop:
    """The stop of ``patch``, as far as it is known before anything is laid out.

    ``advised``: of each blocker, or nothing.
    """
    clashes = tuple((shown(clash.path), clash.reason) for clash in picked.clashes)
    hunks = ((shown(clash.path), _hunks(patch, picked, clash)) for clash in picked.clashes)
    missing = tuple(Lacked(one.commit, one.subject, one.explain()) for one in blockers)
    stop = Stop(item, clashes, tuple(one for one in hunks if one[1]), missing)
    return with_advice(stop, advised) if advised else stop


def with_advice(stop: Stop, advised: Sequence[Advised]) -> Stop:
    """The stop with what to do about each commit that it waits for."""
    missing = tuple(
        replace(one, advice=str(its.advice), because=its.because)
        for one, its in zip(stop.missing, advised, strict=True)
    )
    return replace(stop, missing=missing)


def _hunks(patch: Patch, picked: Picked, clash: Clash) -> str:
    """Which hunks of a change are in the file and which are left to the user; empty for none to tell."""
    changes = [c for c in patch.changes if clash.path in (c.old_path, c.new_path)]
    if len(changes) != 1 or clash.content is None or clash.ours is None:
        return ""
    hunks = changes[0].hunks
    theirs = None
    if clash.theirs is not None and clash.base is not None:
        theirs = picked.tree.objects.blob(clash.theirs)
    left = open_hunks(clash.content, theirs, hunks)
    if len(hunks) < 2 or not left or len(left) == len(hunks):
        return ""
    done = [number for number in range(1, len(hunks) + 1) if number not in left]
    return f"of {counted(len(hunks), 'hunk')} {_listed(done)} done, {_listed(left)} left to you"


def _listed(numbers: Iterable[int]) -> str:
    """``1-4, 7 are``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    named = ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
    return f"{named} {'is' if sum(map(len, runs)) == 1 else 'are'}"
