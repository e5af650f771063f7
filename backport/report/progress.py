# SPDX-License-Identifier: GPL-2.0-or-later
"""One line a step while a run goes on; with a bar and the time left on a terminal, plain elsewhere.

A step's line appears once, when the last thing about it is known: at its verdict where steps are
validated, else when it is applied.  What does not fit on the line stands under the subject.
Everything here goes to stderr; results go to stdout.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from backport.report.page import colour_system, fold, page_width, step_text
from backport.run.steps import Step, StepState
from backport.verdicts import State, StepVerdict, Validator
from series.model import Patch, shown

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

MARKS = {
    State.PASSED: ("ok", "green"),
    State.FAILED: ("FAIL", "bold red"),
    State.CANNOT_TELL: ("?", "yellow"),
    State.ABSENT: ("-", "dim"),
}
_DETAIL = {
    StepState.APPLIED: "cyan",
    StepState.ALREADY: "dim",
    StepState.SKIPPED: "yellow",
    StepState.RESOLVED: "magenta",
}


class Reporter:
    """Tells a run's progress; use as a context manager.

    ``ends_at_failure``: the error that ends the run has the reasons, and nothing comes between.
    """

    def __init__(
        self, *, validating: bool, quiet: bool = False, ends_at_failure: bool = False
    ) -> None:
        self._validating = validating
        self._quiet = quiet
        self._ends_at_failure = ends_at_failure
        self._live = not quiet and sys.stderr.isatty()
        self._bar: Bar | None = None
        self._steps: dict[int, Step] = {}
        self._judged_by: frozenset[str] = frozenset()

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
                console=Console(
                    stderr=True, highlight=False, color_system=colour_system(sys.stderr)
                ),
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
            self._bar.add_task(name, total=total, now="")

    def step(self, number: int, total: int, patch: Patch, step: Step) -> None:
        """A patch has been dealt with."""
        self._steps[number] = step
        self._advance(shown(patch.subject))
        if not self._validating or step.commit is None or step.notes:
            mark = (
                ("ok", "green")
                if step.state in (StepState.APPLIED, StepState.RESOLVED)
                else ("-", "dim")
            )
            how = f"{step.how}" if step.state is StepState.APPLIED else f"{step.state}: {step.how}"
            subject = shown(patch.subject)
            self._line(mark, number, total, subject, how, _DETAIL[step.state])
            for note in step.notes:
                self._say(f"{'':14}{note}", "yellow")

    def verdict(self, number: int, total: int, verdict: StepVerdict) -> None:
        """A step has been validated."""
        self._advance(verdict.subject)
        parts = []
        if number in self._steps:
            parts.append(str(self._steps[number].how))
        for one in verdict.verdicts:
            spent = "cached" if one.cached else f"{one.seconds:.1f} s"
            if one.validator is Validator.BUILD:
                parts.append(f"{one.summary} {spent}{f' {one.how}' if one.how else ''}")
            else:
                parts.append(f"{one.validator}: {one.summary}")
        self._line(MARKS[verdict.state], number, total, verdict.subject, ", ".join(parts), "dim")
        self._tell_how(verdict)
        if verdict.failed and self._ends_at_failure:
            return
        if verdict.state in (State.FAILED, State.CANNOT_TELL):
            for line in verdict.explain(6).splitlines():
                self._say(f"{'':8}{line}", "red" if verdict.failed else "yellow")

    def _tell_how(self, verdict: StepVerdict) -> None:
        """By what other values a step is judged than the one before it."""
        hows = [one.how for one in verdict.verdicts if one.validator is not Validator.BUILD]
        judged_by = dict.fromkeys(part for how in hows for part in how.split("; ") if part)
        for part in judged_by:
            if part not in self._judged_by:
                self._say(f"{'':8}{part}", "dim")
        self._judged_by = frozenset(judged_by)

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
        if self._quiet:
            return
        head = f"{mark[0]:>4} {number:>{len(str(total))}}/{total} "
        said = step_text(head, subject, detail, page_width(sys.stderr))
        if self._bar is None:
            print(said, file=sys.stderr)
            return
        from rich.text import Text

        text = Text(said)
        text.stylize(style, len(head) + len(subject))
        text.stylize("dim", 5, len(head))
        text.stylize(mark[1], 0, 5)
        self._bar.console.print(text, soft_wrap=True)

    def _say(self, line: str, style: str) -> None:
        if self._quiet:
            return
        said = fold(line, page_width(sys.stderr))
        if self._bar is None:
            print(said, file=sys.stderr)
            return
        from rich.text import Text

        self._bar.console.print(Text(said, style), soft_wrap=True)
