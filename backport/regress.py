# SPDX-License-Identifier: GPL-2.0-or-later
"""What an earlier step could do and a later one refuses.

An operation that the core refuses with -EOPNOTSUPP or -ENOSYS counts as not there yet, which is right
while a series builds the core up and wrong once it was there: then a patch has lost it.
"""

from __future__ import annotations

from collections.abc import Sequence

from backport.accept import is_accepted
from backport.verdicts import State, StepVerdict, Verdict

_PASSED, _ABSENT = "passed", "absent"


class Regressions:
    """Follows the steps of one series in their order."""

    def __init__(self, accepted: Sequence[str] = ()) -> None:
        self._accepted = tuple(accepted)
        self._could: dict[str, int] = {}

    def judge(self, step: StepVerdict) -> StepVerdict:
        """The step, with a verdict more when it has lost what an earlier one had."""
        lost: list[str] = []
        for verdict in step.verdicts:
            for result in (verdict.data or {}).get("results", ()):
                name = f"{result['scenario']}/{result['mode']}"
                if result["outcome"] == _PASSED:
                    self._could.setdefault(name, step.number)
                elif result["outcome"] == _ABSENT and name in self._could:
                    lost.append(name)
            if verdict.validator == "object" and verdict.state is State.ABSENT and not verdict.data:
                lost += self._could  # the whole core is gone
        lost = [name for name in lost if not is_accepted(f"regression:{name}", self._accepted)]
        if not lost:
            return step
        lines = tuple(
            f"regression: {name} was answered at step {self._could[name]}, and is refused now"
            for name in lost
        )
        more = Verdict("behaviour", State.FAILED, f"{len(lost)} operations lost", lines)
        return StepVerdict(step.number, step.commit, step.subject, (*step.verdicts, more))
