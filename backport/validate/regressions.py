# SPDX-License-Identifier: GPL-2.0-or-later
"""What an earlier step could do and a later one cannot.

An operation that is refused with -EOPNOTSUPP or -ENOSYS counts as not there yet, which is right while a
series builds the core up and wrong once it was there: then a patch has lost it.  The same goes for the
milestones of a boot.  What a booted guest is answered may come and go while a shim takes operations over
one by one; ``backport behaviour`` shows that, and it fails no step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from backport.accepted import is_accepted
from backport.counted import counted
from backport.verdicts import State, StepVerdict, Validator, Verdict


class Regressions:
    """Follows the steps of one series in their order."""

    def __init__(self, accepted: Sequence[str] = ()) -> None:
        self._accepted = tuple(accepted)
        self._could: dict[str, int] = {}

    def judge(self, step: StepVerdict) -> StepVerdict:
        """The step, with a verdict more when it has lost what an earlier one had."""
        lost: list[str] = []
        for verdict in step.verdicts:
            if verdict.validator in (Validator.OBJECT, Validator.BOOT) and not verdict.data:
                if verdict.state is State.ABSENT:  # the whole core, or the entry, is gone
                    lost += [name for name in self._could if name.startswith(verdict.validator)]
                continue
            for name, there in _abilities(verdict):
                if there:
                    self._could.setdefault(name, step.number)
                elif name in self._could:
                    lost.append(name)
        lost = [name for name in lost if not is_accepted(f"regression:{name}", self._accepted)]
        if not lost:
            return step
        lines = tuple(
            f"regression: {name} worked at step {self._could[name]} and does not now"
            for name in lost
        )
        for name in lost:  # the step that lost it is to blame, none after it
            del self._could[name]
        summary = f"{counted(len(lost), 'operation')} worked before and no longer"
        more = Verdict(Validator.BEHAVIOUR, State.FAILED, summary, lines)
        return StepVerdict(step.number, step.commit, step.subject, (*step.verdicts, more))


def _abilities(verdict: Verdict) -> Iterator[tuple[str, bool]]:
    data: dict[str, Any] = verdict.data or {}
    for result in data.get("results", ()):
        if result["outcome"] in ("passed", "absent"):
            name = f"{verdict.validator} {result['scenario']}/{result['mode']}"
            yield name, result["outcome"] == "passed"
    for milestone in data.get("ladder", ()):
        yield f"{Validator.BOOT} {milestone['name']}", milestone["reached"]
