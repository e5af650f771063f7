# SPDX-License-Identifier: GPL-2.0-or-later
"""What was to come when a guest suspended is gone in a new domain, and there after a cancelled suspend."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from emu.booted.guest import Guest
from emu.booted.stories import outlived
from emu.findings.boot_report import Treatment

GONE, RESUMED, CANCELLED = -22, 0, 1


class Watched:
    """A guest that has watchdog 2, and of which an image says ``then`` when that is set anew."""

    def __init__(self, first: int, then: int) -> None:
        self.answers = [first, then]
        self.asked: list[dict[str, int]] = []

    def call(self, operation: str, **fields: int) -> SimpleNamespace:
        assert operation == "SCHEDOP_watchdog"
        self.asked.append(fields)
        return SimpleNamespace(result=self.answers.pop(0))


@pytest.mark.parametrize(
    ("answer", "then", "wrong"),
    [
        (RESUMED, GONE, ()),
        (RESUMED, 0, ("a watchdog that the guest has set before a suspend is there after it",)),
        (CANCELLED, 0, ()),
        (CANCELLED, GONE, ("a watchdog is gone after a cancelled suspend: -EINVAL",)),
    ],
)
def test_a_watchdog(
    answer: int, then: int, wrong: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlived, "suspend", lambda guest: answer)
    guest: Any = Watched(2, then)
    typed: Guest = guest
    (story, *_) = [told for told in outlived.STORIES if told.operation == "SCHEDOP_watchdog"]
    came = story.attempt(typed)
    assert (came.treatment, came.result, came.wrong) == (Treatment.FORWARDED, answer, wrong)
    assert [fields["id"] for fields in guest.asked] == [0, 2]


def test_an_image_without_watchdogs() -> None:
    guest: Any = Watched(-38, 0)
    typed: Guest = guest
    assert outlived.STORIES[0].attempt(typed).treatment is Treatment.REFUSED
