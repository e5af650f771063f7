# SPDX-License-Identifier: GPL-2.0-or-later
"""One line a step while a run goes on; with a bar and the time left on a terminal, plain elsewhere.

A step's line appears once, when the last thing about it is known: at its verdict where steps are
validated, else when it is applied.  Everything here goes to stderr; results go to stdout.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from backport.journal import Step
from backport.verdicts import State, StepVerdict
from series.model import Patch, shown

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

MARKS = {
    State.PASSED: ("ok", "green"),
    State.FAILED: ("FAIL", "bold red"),
    State.CANNOT_TELL: ("?", "yellow"),
    State.ABSENT: ("-", "dim"),
}
_DETAIL = {"applied": "cyan", "already": "dim", "skipped": "yellow", "resolved": "magenta"}


class Reporter:
    """Tells a run's progress; use as a context manager."""

    def __init__(self, *, validating: bool, quiet: bool = False) -> None:
        self._validating = validating
        self._quiet = quiet
        self._live = not quiet and sys.stderr.isatty()
        self._bar: Bar | None = None
        self._task = 0
        self._steps: dict[int, Step] = {}

    def __enter__(self) -> Reporter:
        if self._live:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description:>9}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(elapsed_when_finished=True),
                TextColumn("[dim]{task.fields[now]}", table_column=None),
                console=Console(stderr=True, highlight=False),
                transient=True,
            )
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def phase(self, name: str, total: int) -> None:
        """A phase begins."""
        if self._bar is not None:
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._task = self._bar.add_task(name, total=total, now="")

    def step(self, number: int, total: int, patch: Patch, step: Step) -> None:
        """A patch has been dealt with."""
        self._steps[number] = step
        self._advance(shown(patch.subject))
        if not self._validating or step.commit is None or step.notes:
            mark = ("ok", "green") if step.state in ("applied", "resolved") else ("-", "dim")
            how = step.how if step.state == "applied" else f"{step.state}: {step.how}"
            subject = shown(patch.subject)
            self._line(mark, number, total, subject, how, _DETAIL[step.state])
            for note in step.notes:
                self._say(f"{'':14}{note}", "yellow")

    def verdict(self, number: int, total: int, verdict: StepVerdict) -> None:
        """A step has been validated."""
        self._advance(verdict.subject)
        parts = []
        if number in self._steps:
            parts.append(self._steps[number].how)
        for one in verdict.verdicts:
            spent = "cached" if one.cached else f"{one.seconds:.1f} s"
            if one.validator == "build":
                parts.append(f"{one.summary} {spent}{f' {one.how}' if one.how else ''}")
            else:
                parts.append(f"{one.validator}: {one.summary}")
        self._line(MARKS[verdict.state], number, total, verdict.subject, ", ".join(parts), "dim")
        if verdict.state in (State.FAILED, State.CANNOT_TELL):
            for line in verdict.explain(6).splitlines():
                self._say(f"{'':12}{line}", "red" if verdict.failed else "yellow")

    def note(self, text: str) -> None:
        """Something the user should know."""
        self._say(f"note: {text}", "yellow")

    def _advance(self, now: str) -> None:
        if self._bar is not None and self._bar.task_ids:
            from rich.markup import escape

            self._bar.update(self._bar.task_ids[-1], advance=1, now=escape(now[:50]))

    def _line(
        self, mark: tuple[str, str], number: int, total: int, subject: str, detail: str, style: str
    ) -> None:
        width = len(str(total))
        if self._bar is not None:
            from rich.text import Text

            room = max(20, self._bar.console.width - 2 * width - 12 - min(len(detail), 60))
            text = Text.assemble(
                (f"{mark[0]:>4} ", mark[1]),
                (f"{number:>{width}}/{total} ", "dim"),
                f"{_cut(subject, room):<{min(room, 60)}}  ",
                (detail, style),
            )
            self._bar.console.print(text, overflow="ellipsis", no_wrap=True)
        elif not self._quiet:
            print(f"{mark[0]:>4} {number:>{width}}/{total} {subject}  [{detail}]", file=sys.stderr)

    def _say(self, line: str, style: str) -> None:
        if self._bar is not None:
            from rich.text import Text

            self._bar.console.print(Text(line, style))
        elif not self._quiet:
            print(line, file=sys.stderr)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"
