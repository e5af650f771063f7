# SPDX-License-Identifier: GPL-2.0-or-later
"""What an earlier step could do and a later one cannot.

An operation that is refused with -EOPNOTSUPP or -ENOSYS counts as not there yet, which is right while a
series builds the core up and wrong once it was there: then a patch has lost it.  The same goes for the
milestones of a boot.  What a booted guest is answered may come and go while a shim takes operations over
one by one; ``backport behaviour`` shows that, and it fails no step.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from backport.accepted import is_accepted
from backport.counted import counted
from backport.verdicts import State, StepVerdict, Validator, Verdict
from series.model import Oid


class Regressions:
    """Follows steps in an order in which each comes behind what it stands on.

    ``parents``: of a commit; a step can lose only what it had from these.
    """

    def __init__(
        self, parents: Callable[[Oid], Sequence[Oid]], accepted: Sequence[str] = ()
    ) -> None:
        self._parents = parents
        self._accepted = tuple(accepted)
        self._could: dict[Oid, Mapping[str, int]] = {}
        """What each step could do, and since which."""

    def judge(self, step: StepVerdict) -> StepVerdict:
        """The step, with a verdict more when it has lost what an earlier one had."""
        could = self._inherited(step.commit)
        lost: list[str] = []
        for verdict in step.verdicts:
            if verdict.validator in (Validator.OBJECT, Validator.BOOT) and not verdict.data:
                if verdict.state is State.ABSENT:  # the whole core, or the entry, is gone
                    lost += [name for name in could if name.startswith(verdict.validator)]
                continue
            for name, there in _abilities(verdict):
                if there:
                    could.setdefault(name, step.number)
                elif name in could:
                    lost.append(name)
        self._could[step.commit] = could
        # A verdict may have one scenario several times.
        lost = list(dict.fromkeys(lost))
        lost = [name for name in lost if not is_accepted(f"regression:{name}", self._accepted)]
        if not lost:
            return step
        lines = tuple(
            f"regression: {name} worked at step {could[name]} and does not now" for name in lost
        )
        for name in lost:  # the step that lost it is to blame, none after it
            del could[name]
        summary = f"{counted(len(lost), 'operation')} worked before and no longer"
        more = Verdict(Validator.BEHAVIOUR, State.FAILED, summary, lines)
        return StepVerdict(step.number, step.commit, step.subject, (*step.verdicts, more))

    def _inherited(self, commit: Oid) -> dict[str, int]:
        before = (self._could.get(one, {}) for one in self._parents(commit))
        return dict(ChainMap(*map(dict, before)))


def _abilities(verdict: Verdict) -> Iterator[tuple[str, bool]]:
    data: dict[str, Any] = verdict.data or {}
    for result in data.get("results", ()):
        if result["outcome"] in ("passed", "absent"):
            name = f"{verdict.validator} {result['scenario']}/{result['mode']}"
            yield name, result["outcome"] == "passed"
    for milestone in data.get("ladder", ()):
        yield f"{Validator.BOOT} {milestone['name']}", milestone["reached"]
