# SPDX-License-Identifier: GPL-2.0-or-later
"""One line a step while a run goes on; with a bar and the time left on a terminal, plain elsewhere.

A step's line appears once, when the last thing about it is known: at its verdict where steps are
validated, else when it is applied.  What does not fit on the line stands under the subject.
Everything here goes to stderr; results go to stdout.
"""

from __future__ import annotations

import sys
import time
from threading import Timer
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from backport.report.page import colour_system, fold, page_width, step_text
from backport.run.steps import Step, StepState
from backport.verdicts import State, StepVerdict, Validator, Verdict
from series.model import Patch, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.live import Live
    from rich.progress import Progress as Bar
    from rich.text import Text

_LEAST = 20
"""Letters of a subject that are shown in any case."""
_MOST = 400
"""Letters of a subject that are shown: nobody reads a megabyte on a terminal."""
_BRIEF = 60
"""Letters of a command in a log, where it stands again each minute."""
_FIRST, _AGAIN = 10.0, 60.0
"""Seconds after which a line in a log names the step that takes so long, and seconds until the next."""

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


class _UnderWay(Struct, frozen=True):
    """The step at work, since a moment of the monotonic clock."""

    number: int
    total: int
    subject: str
    what: str
    begun: float

    def text(self, width: int = 0) -> str:
        """In one line; one that is wider than ``width`` loses of its subject, then of the command."""
        seconds = f", {int(time.monotonic() - self.begun)} s"
        place = f"{self.number}/{self.total} " if self.number else ""
        head, subject, what = f"  now {place}", self.subject, f": {self.what}"
        over = len(head) + len(subject) + len(what) + len(seconds) - width
        if width and over > 0:
            subject = _shortened(subject, max(_LEAST, len(subject) - over))
            what = _shortened(what, width - len(head) - len(subject) - len(seconds))
        return head + subject + what + seconds


class _Line:
    """What is under way, as rich draws it anew: cut at the end of the line, but never its time."""

    def __init__(self, now: Callable[[], _UnderWay | None]) -> None:
        self._now = now

    def __rich__(self) -> Text:
        from rich.text import Text

        now = self._now()
        said = now.text(page_width(sys.stderr) - 1) if now is not None else ""
        return Text(said, "dim", no_wrap=True, end="")


def _shortened(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: max(0, room - 3)]}..."


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
        self._now: _UnderWay | None = None
        self._timer: Timer | None = None
        self._live_view: Live | None = None

    def __enter__(self) -> Reporter:
        if self._live:
            from rich.console import Console, Group
            from rich.live import Live
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description:>9}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(elapsed_when_finished=True),
                console=Console(
                    stderr=True, highlight=False, color_system=colour_system(sys.stderr)
                ),
            )
            view = Group(self._bar, _Line(lambda: self._now))
            self._live_view = Live(
                view, console=self._bar.console, transient=True, refresh_per_second=4
            )
            self._live_view.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over()
        if self._live_view is not None:
            self._live_view.stop()

    def phase(self, name: str, total: int) -> None:
        """A phase begins."""
        if self._bar is not None:
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._bar.add_task(name, total=total)

    def step(self, number: int, total: int, patch: Patch, step: Step) -> None:
        """A patch has been dealt with."""
        self._steps[number] = step
        self._advance(total)
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
        if self._now is not None and self._now.number == number:
            self._over()
        self._advance()
        parts = []
        if number in self._steps:
            parts.append(str(self._steps[number].how))
        parts += map(verdict_words, verdict.verdicts)
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

    def under_way(self, number: int, total: int, subject: str, what: str) -> None:
        """A step is being built, or its emulation is waited for: a line with the time it takes.

        Where nothing can be drawn again, the line comes when it takes long, and again as it goes on.
        """
        self._over()
        self._now = _UnderWay(number, total, subject, what, time.monotonic())
        if self._bar is None and not self._quiet:
            self._later(_FIRST)

    def _later(self, seconds: float) -> None:
        self._timer = Timer(seconds, self._still)
        self._timer.daemon = True
        self._timer.start()

    def _still(self) -> None:
        now = self._now
        if now is not None:
            brief = replace(now, what=_shortened(now.what, _BRIEF))
            print(fold(brief.text(), page_width(sys.stderr)), file=sys.stderr, flush=True)
            self._later(_AGAIN)

    def _over(self) -> None:
        self._now = None
        if self._timer is not None:
            self._timer.cancel()

    def _advance(self, total: int | None = None) -> None:
        """One more is done; of ``total``, which grows where prerequisites are taken."""
        if self._bar is not None and self._bar.task_ids:
            self._bar.update(self._bar.task_ids[-1], advance=1, total=total)

    def _line(
        self, mark: tuple[str, str], number: int, total: int, subject: str, detail: str, style: str
    ) -> None:
        if self._quiet:
            return
        head = f"{mark[0]:>4} {number:>{len(str(total))}}/{total} "
        subject = _shortened(subject, _MOST)
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


def verdict_words(verdict: Verdict) -> str:
    """A validator's answer; of a build also the time, and how it was built and why so."""
    if verdict.validator is not Validator.BUILD:
        return f"{verdict.validator}: {verdict.summary}"
    spent = "cached" if verdict.cached else f"{verdict.seconds:.1f} s"
    return f"{verdict.summary} {spent}{f' {verdict.how}' if verdict.how else ''}"
