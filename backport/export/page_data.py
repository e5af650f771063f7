# SPDX-License-Identifier: GPL-2.0-or-later
"""What the page shows, as values: gathered from records of runs and from the repository, without a build."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest

from msgspec import Struct
from msgspec.structs import replace

from backport.counted import counted
from backport.export.run_record import Fortune, RunRecord, StepRecord, Trouble
from backport.gateway.commits import commit_patch
from backport.gateway.repository import Repo
from backport.gateway.text_diff import line_edits
from backport.mend.lineup import Lineup, Stage
from backport.mend.suspects import Suspects, complaint_of, explained
from backport.verdicts import State, Validator, Verdict
from emu.findings.boot_report import BootReport
from series.graph.dependencies import build_graph
from series.lines import split_lines
from series.model import Oid, Patch, shown
from series.reading.trailers import upstream_commit

_AROUND = 4
"""Lines of source around an error."""
_MOST_CELLS = 60_000
"""Of a heat map; beyond that it shows the steps that changed something."""
_CONTEXT = 2
_MOST_ADAPTED = 400
"""Lines that are shown of one adaptation."""


class Source(Struct, frozen=True):
    """Lines of a file around an error: number, text, whether it is the one."""

    path: str
    lines: tuple[tuple[int, str, bool], ...]


class Failure(Struct, frozen=True):
    """A step that went wrong, as the first thing that a reader looks for."""

    step: StepRecord
    why: tuple[str, ...]
    """The errors, and which step brings a name that one of them lacks."""
    source: Source | None
    troubles: tuple[Trouble, ...]
    repaired: StepRecord | None
    """The next step that is good again."""
    also: tuple[int, ...] = ()
    """Steps after it that fail in the same way."""


class Edge(Struct, frozen=True):
    """Step ``user`` needs step ``maker``."""

    maker: int
    user: int
    need: str
    evidence: tuple[str, ...]


class Adapted(Struct, frozen=True):
    """A patch that differs from the commit it is from: rows of left, right, and whether they differ."""

    step: StepRecord
    origin: str
    rows: tuple[tuple[str, str, bool], ...]
    cut: bool


class HeatRow(Struct, frozen=True):
    """One line of a heat map: a cell a column, as (class, text); and what stands behind it."""

    name: str
    cells: tuple[tuple[str, str], ...]
    details: tuple[str, ...]


class Heat(Struct, frozen=True):
    """A table of steps by milestones or operations."""

    title: str
    columns: tuple[int, ...]
    rows: tuple[HeatRow, ...]

    @property
    def legend(self) -> tuple[tuple[str, str], ...]:
        """Each class that is used, with its words."""
        return tuple(dict.fromkeys(cell for row in self.rows for cell in row.cells))


class Finding(Struct, frozen=True):
    """Something that the emulation found: where, after which calls, how to see it again."""

    step: StepRecord
    invariant: str
    message: str
    where: str
    scenario: str
    before: tuple[str, ...]
    rerun: str


class RunView(Struct, frozen=True):
    """One record with all that belongs to it."""

    record: RunRecord
    levels: tuple[str, ...]
    failures: tuple[Failure, ...]
    edges: tuple[Edge, ...]
    findings: tuple[Finding, ...]
    heats: tuple[Heat, ...]
    adapted: tuple[Adapted, ...]

    @property
    def counts(self) -> str:
        """In one line."""
        steps = self.record.steps
        failed = sum(s.state is State.FAILED for s in steps)
        unclear = sum(s.state is State.CANNOT_TELL for s in steps)
        proven = sum(s.state in (State.PASSED, State.ABSENT) for s in steps)
        stopped = sum(s.fortune is Fortune.STOPPED for s in steps)
        unknown = sum(
            s.state is None and s.fortune not in (Fortune.STOPPED, Fortune.ALREADY, Fortune.SKIPPED)
            for s in steps
        )
        parts = [f"{proven} good"]
        parts += [f"{failed} failed"] if failed else []
        parts += [f"{unclear} could not be judged"] if unclear else []
        parts += [f"{stopped} conflict"] if stopped else []
        parts += [f"{unknown} not proven"] if unknown else []
        return f"{counted(len(steps), 'step')}: {', '.join(parts)}"

    @property
    def applied(self) -> bool:
        """Whether patches were put on, and not only looked at."""
        return any(s.fortune is not Fortune.CHECKED for s in self.record.steps)


def view(repo: Repo, record: RunRecord) -> RunView:
    """Everything about one record (`tree_places.located` has been at it)."""
    made = [step for step in record.steps if step.commit is not None]
    patches = {s.number: commit_patch(repo, s.commit, n) for n, s in enumerate(made) if s.commit}
    start = record.onto or (next(iter(patches.values())).parent if patches else None)
    levels = [str(v.validator) for s in made for v in (s.verdict.verdicts if s.verdict else ())]
    return RunView(
        record,
        tuple(str(level) for level in Validator if str(level) in levels),
        tuple(_together(_failures(repo, record, made, start))),
        tuple(_edges(repo, patches, start)),
        tuple(_findings(made)),
        tuple(_heats(made)),
        tuple(_adapted(repo, made, patches)),
    )


def _failures(
    repo: Repo, record: RunRecord, made: Sequence[StepRecord], start: Oid | None
) -> Iterator[Failure]:
    lineup, suspects = _lineup(repo, made, start), Suspects(repo)
    for step in record.steps:
        if step.state not in (State.FAILED, State.CANNOT_TELL) and not step.troubles:
            continue
        why: tuple[str, ...] = ()
        if lineup is not None and step.state is State.FAILED and step.verdict is not None:
            at = made.index(step)
            why = explained(suspects, lineup, at, complaint_of(step.verdict))
        later = (s for s in made if s.number > step.number)
        good = next((s for s in later if s.state is State.PASSED), None)
        repaired = good if step.state is State.FAILED else None
        yield Failure(step, why, _source(repo, step), step.troubles, repaired)


def _together(failures: Iterator[Failure]) -> list[Failure]:
    """One card for steps in a row that fail in the same way: the first is the one to look at."""
    found: list[Failure] = []
    for one in failures:
        last = found[-1] if found else None
        same = last is not None and _said(last) == _said(one) and one.step.state is last.step.state
        following = (
            last is not None and one.step.number == (last.also or (last.step.number,))[-1] + 1
        )
        if last is not None and same and following:
            found[-1] = replace(last, also=(*last.also, one.step.number))
        else:
            found.append(one)
    return found


def _said(failure: Failure) -> tuple[str, ...]:
    return failure.why or tuple(trouble.message for trouble in failure.troubles)


def _lineup(repo: Repo, made: Sequence[StepRecord], start: Oid | None) -> Lineup | None:
    """The steps one on the other; None where they do not stand so."""
    if start is None:
        return None
    stages, below = [], start
    for step in made:
        assert step.commit is not None
        if repo.parents(step.commit)[:1] != (below,):
            return None
        below = step.commit
        tree = repo.tree(step.commit).id
        stages.append(Stage(step.commit, step.subject, tree, number=step.number))
    return Lineup(repo.tree(start).id, tuple(stages))


def _source(repo: Repo, step: StepRecord) -> Source | None:
    """The file around the first error that has a line."""
    place = next((t.place for t in step.troubles if t.place and t.place.line), None)
    if place is None or place.line is None or step.commit is None:
        return None
    data = repo.tree(step.commit).read(place.path.encode("utf-8", "surrogateescape"))
    if data is None or b"\0" in data:
        return None
    lines = split_lines(data)
    first, last = max(1, place.line - _AROUND), min(len(lines), place.line + _AROUND)
    return Source(
        place.path,
        tuple(
            (n, shown(lines[n - 1].rstrip(b"\r\n").expandtabs())[:400], n == place.line)
            for n in range(first, last + 1)
        ),
    )


def _edges(repo: Repo, patches: dict[int, Patch], start: Oid | None) -> Iterator[Edge]:
    numbers = list(patches)
    graph = build_graph(list(patches.values()), repo.tree(start) if start else None)
    for one, other, data in graph.edges(data=True):
        found = data["evidence"]
        said = tuple(dict.fromkeys(evidence.explain() for evidence in found))
        yield Edge(numbers[one], numbers[other], str(found[0].need), said[:8])


def _verdict(step: StepRecord, validator: Validator) -> Verdict | None:
    found = step.verdict.verdicts if step.verdict else ()
    return next((v for v in found if v.validator is validator), None)


def _findings(made: Sequence[StepRecord]) -> Iterator[Finding]:
    """Each finding once, at the first step that has it."""
    from emu.findings.verdict import Finding as Found

    seen: set[tuple[str, str, str]] = set()
    for step in made:
        for verdict in step.verdict.verdicts if step.verdict else ():
            if verdict.state is not State.FAILED or not verdict.data:
                continue
            rows = [*verdict.data.get("results", ()), *verdict.data.get("behaviour", ())]
            raw = [f for row in rows for f in row["findings"]]
            for one in [*raw, *verdict.data.get("boot_findings", ())]:
                found = Found.from_json(one)
                key = found.invariant, found.message, found.where
                if key not in seen:
                    seen.add(key)
                    calls = tuple(map(str, found.l0_before[-12:]))
                    yield Finding(step, *key, found.scenario, calls, found.rerun)


def _heats(made: Sequence[StepRecord]) -> Iterator[Heat]:
    booted: list[tuple[StepRecord, BootReport]] = []
    for step in made:
        verdict = _verdict(step, Validator.BOOT)
        if verdict is not None and verdict.data:
            booted.append((step, BootReport.from_json(verdict.data)))
    if not booted:
        return
    columns = tuple(step.number for step, _ in booted)
    names = dict.fromkeys(m.name for _, report in booted for m in report.ladder)
    ladder = []
    for name in names:
        found = [report.milestone(name) for _, report in booted]
        cells = tuple(
            ("reached", "reached") if m and m.reached else ("missed", "not reached") for m in found
        )
        details = tuple(dict.fromkeys(m.detail for m in found if m and m.detail))
        ladder.append(HeatRow(name, cells, details[:6]))
    yield Heat("How far the guest comes", columns, tuple(ladder))
    titles = dict.fromkeys(row.title for _, report in booted for row in report.behaviour)
    if len(titles) * len(booted) > _MOST_CELLS:
        return
    tables = [{row.title: row for row in report.behaviour} for _, report in booted]
    rows = []
    for title in titles:
        cells_of: list[tuple[str, str]] = []
        behind: dict[str, list[int]] = {}
        for number, table in zip(columns, tables, strict=True):
            row = table.get(title)
            if row is None:
                cells_of.append(("absent", "not there"))
                continue
            cells_of.append((row.treatment.name.lower(), row.treatment.value))
            calls = "; ".join(map(str, row.l0_calls)) or "no call to L0"
            text = f"{row.treatment.value}, {row.shown_result}: {calls}"
            behind.setdefault(text[:1000], []).append(number)
        said = tuple(f"steps {spans(steps)}: {text}" for text, steps in behind.items())
        rows.append(HeatRow(title, tuple(cells_of), said[:12]))
    yield Heat("What becomes of the guest's operations", columns, tuple(rows))


def spans(numbers: Sequence[int]) -> str:
    """``3-7, 9``."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)


def _adapted(
    repo: Repo, made: Sequence[StepRecord], patches: dict[int, Patch]
) -> Iterator[Adapted]:
    for step in made:
        patch = patches[step.number]
        named = upstream_commit(patch) or step.origin
        origin = repo.find_commit(named) if named else None
        if origin is None or origin == step.commit:
            continue
        old, new = _text(commit_patch(repo, origin)), _text(patch)
        if old == new:
            continue
        rows = list(islice(_side_by_side(old, new), _MOST_ADAPTED + 1))
        subject = shown(repo.message(origin).split(b"\n", 1)[0])
        title = f"{origin[:12]} {subject}"
        yield Adapted(step, title, tuple(rows[:_MOST_ADAPTED]), len(rows) > _MOST_ADAPTED)


def _text(patch: Patch) -> list[str]:
    """What a patch changes, without line numbers and blob ids."""
    found = []
    for change in patch.changes:
        found.append(f"{change.kind} {shown(change.path)}")
        for hunk in change.hunks:
            found.append("@@")
            found += [
                (line.op + line.text.rstrip(b"\r\n")).decode("utf-8", "replace").expandtabs()
                for line in hunk.lines
                if line.op != b" "
            ]
    return found


def _side_by_side(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str, str, bool]]:
    """Rows of left, right, and whether they differ; equal lines only around what differs.

    By libgit2's diff: in time as good as linear in the lines, which difflib's is not.
    """
    at, gap = 0, 0  # up to where the old lines are shown; how much further the new ones are
    for number, edit in enumerate(line_edits(_joined(old), _joined(new))):
        behind = at + _CONTEXT if number else 0
        for n in range(at, edit.start):
            if n < behind or n >= edit.start - _CONTEXT:
                yield old[n], new[n + gap], False
        end = edit.start + edit.count
        right = new[edit.start + gap : edit.start + gap + len(edit.lines)]
        for one, other in zip_longest(old[edit.start : end], right, fillvalue=""):
            yield one, other, True
        at, gap = end, gap + len(edit.lines) - edit.count
    for n in range(at, min(at + _CONTEXT, len(old))):
        yield old[n], new[n + gap], False


def _joined(lines: Sequence[str]) -> bytes:
    """As a text for the diff, which takes one with a NUL for binary."""
    return "".join(f"{line}\n" for line in lines).replace("\0", "\ufffd").encode()
