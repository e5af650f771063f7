# SPDX-License-Identifier: GPL-2.0-or-later
"""What a suspend must not lose, as the one rule sees it at both levels."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from emu.l0.standing import Standing
from emu.rules.suspended import CANCELLED, RESUMED, StateKept, Suspension

BEFORE = Standing({"vector": "0x80", "shared": "at 5"}, {"port 1": "ipi"})


@dataclass(frozen=True, slots=True)
class Seen:
    suspension: Suspension | None


@pytest.mark.parametrize(
    ("answer", "after", "said"),
    [
        (CANCELLED, BEFORE, []),
        (CANCELLED, Standing(BEFORE.own, {}), ["port 1 was ipi, and is not there"]),
        (
            CANCELLED,
            Standing({**BEFORE.own, "vector": "0x81"}, {**BEFORE.other, "port 2": "virq"}),
            ["vector was 0x80, and is 0x81", "port 2 was not there, and is virq"],
        ),
        (RESUMED, Standing({"vector": "0x90", "shared": "at 6"}), []),
        (RESUMED, Standing({"shared": "at 5"}), ["vector is not set up again"]),
        (RESUMED, Standing(BEFORE.own, {}, ("access",)), ["the guest keeps access"]),
        (CANCELLED, Standing(BEFORE.own, BEFORE.other, ("access",)), []),
    ],
)
def test_what_is_lost(answer: int, after: Standing, said: list[str]) -> None:
    found = list(StateKept().check(Seen(Suspension(answer, BEFORE, after))))
    assert [message.split(" after a ")[0] for message, *_ in found] == said


def test_who_was_not_suspended_lost_nothing() -> None:
    assert not list(StateKept().check(Seen(None)))
